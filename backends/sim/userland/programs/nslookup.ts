/** nslookup, as busybox has it: asks a name server and shows what it says. */
import { formatIpv4, parseIpv4 } from "../../net/address.ts";
import { type Message, reverseName } from "../../net/dns.ts";
import type { Endpoint } from "../../net/packet.ts";
import type { Program } from "../../kernel/sys.ts";
import { applet, type Context, Failure } from "../applet.ts";
import { parseOptions } from "../options.ts";
import { ask, nameServers, resolveHost } from "../resolve.ts";

const dnsPort = 53;

const nslookup = applet(async (context) => {
  const { operands } = parseOptions(context.args, { flags: "", valued: "", operandsMin: 1, operandsMax: 2 });
  const [name = "", wanted] = operands;
  const servers = wanted === undefined ? await nameServers(context.sys) : [await serverOf(context, wanted)];
  const number = parseIpv4(name);
  for (const address of servers) {
    const server = { address, port: dnsPort };
    const reply = await ask(
      context.sys,
      server,
      number === null ? name : reverseName(number),
      number === null ? "A" : "PTR",
    );
    if (reply !== null) return show(context, server, name, reply);
  }
  await context.out.print(";; connection timed out; no servers could be reached\n\n");
  return 1;
});

async function serverOf({ sys }: Context, name: string): Promise<Endpoint["address"]> {
  const address = await resolveHost(sys, name);
  if (address === null) throw new Failure(`bad address '${name}'`);
  return address;
}

async function show({ out }: Context, { address, port }: Endpoint, name: string, reply: Message): Promise<number> {
  await out.print(`Server:\t\t${formatIpv4(address)}\nAddress:\t${formatIpv4(address)}:${port}\n\n`);
  if (reply.code !== "NOERROR") {
    await out.print(`** server can't find ${name}: ${reply.code}\n\n`);
    return 1;
  }
  for (const { name: owner, data } of reply.answers) {
    if (data.type === "A") await out.print(`Name:\t${owner}\nAddress: ${formatIpv4(data.address)}\n`);
    else await out.print(`${owner}\t${data.type === "PTR" ? "name" : "canonical name"} = ${data.target}\n`);
  }
  await out.print("\n");
  return 0;
}

export const programs: Readonly<Record<string, Program>> = { nslookup };
