/**
 * Names of hosts, as gethostbyname(3) finds them: numbers are themselves, then /etc/hosts, then the
 * name servers of /etc/resolv.conf, asked in turn. Everything is read by system calls.
 */
import { formatIpv4, type Ipv4, parseIpv4 } from "../net/address.ts";
import { type Answer, decodeMessage, encodeMessage, type Message, type RecordType } from "../net/dns.ts";
import type { Endpoint } from "../net/packet.ts";
import type { Fd, Sys } from "../kernel/sys.ts";
import { isErrno, readTextOr } from "./applet.ts";

const dnsPort = 53;
const answerBytesMax = 4096;
const tries = 2;
/** resolv.conf(5): timeout and the number of servers that are used. */
const waitNanos = 5_000_000_000n;
const serversMax = 3;

/** null when nobody knows the name. */
export async function resolveHost(sys: Sys, name: string): Promise<Ipv4 | null> {
  const number = parseIpv4(name);
  if (number !== null) return number;
  const listed = await fromHosts(sys, name);
  if (listed !== null) return listed;
  for (const server of await nameServers(sys)) {
    const reply = await ask(sys, { address: server, port: dnsPort }, name, "A");
    if (reply !== null) return addressIn(reply.answers);
  }
  return null;
}

async function fromHosts(sys: Sys, wanted: string): Promise<Ipv4 | null> {
  for (const line of (await readTextOr(sys, "/etc/hosts", "")).split("\n")) {
    const [address = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    const number = parseIpv4(address);
    if (number !== null && names.includes(wanted)) return number;
  }
  return null;
}

export async function nameServers(sys: Sys): Promise<Ipv4[]> {
  const text = await readTextOr(sys, "/etc/resolv.conf", "");
  const named = [...text.matchAll(/^\s*nameserver\s+(\S+)/gm)].flatMap(([, address = ""]) => parseIpv4(address) ?? []);
  return named.slice(0, serversMax);
}

function addressIn(answers: readonly Answer[]): Ipv4 | null {
  for (const { data } of answers) if (data.type === "A") return data.address;
  return null;
}

/** What a server answers; null when it does not. ECONNREFUSED and the like mean that it does not. */
export async function ask(sys: Sys, server: Endpoint, name: string, type: RecordType): Promise<Message | null> {
  const fd = sys.socket("datagram");
  try {
    await sys.connect(fd, { family: "inet", ...server });
    for (let left = tries; left > 0; left--) {
      const reply = await askOnce(sys, fd, name, type);
      if (reply !== null) return reply;
    }
    return null;
  } catch (thrown) {
    if (isErrno(thrown, "ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH", "EINVAL")) return null;
    throw thrown;
  } finally {
    sys.close(fd);
  }
}

async function askOnce(sys: Sys, fd: Fd, name: string, type: RecordType): Promise<Message | null> {
  const id = sys.pid & 0xffff;
  const question = { id, isResponse: false, code: "NOERROR", question: { name, type }, answers: [] } as const;
  await sys.sendTo(fd, encodeMessage(question), null);
  const ready = await sys.poll([{ fd, read: true, write: false }], waitNanos);
  if (ready.length === 0) return null;
  const reply = decodeMessage((await sys.receiveFrom(fd, answerBytesMax)).bytes);
  return reply.isResponse && reply.id === id ? reply : null;
}

/** "localhost (127.0.0.1)" of the messages that name both. */
export function named(name: string, address: Ipv4): string {
  return `${name} (${formatIpv4(address)})`;
}
