/** nc, as busybox has it: joins standard input and output to a connection; with -l it waits for one. */
import { formatIpv4, type Ipv4 } from "../../net/address.ts";
import { errnoText } from "../../../../core/base/errno.ts";
import type { Fd, Program, SocketAddress, Sys } from "../../kernel/sys.ts";
import { applet, type Context, Failure, reasonOf, UsageFailure } from "../applet.ts";
import { parseOptions } from "../options.ts";
import { resolveHost } from "../resolve.ts";
import { execute } from "./run.ts";

const chunkBytes = 65_536;
const portMax = 65_535;

const nc = applet(async (context) => {
  // What stands after -e is the command, whatever it looks like.
  const own = context.args.indexOf("-e");
  const args = own === -1 ? context.args : context.args.slice(0, own);
  const options = parseOptions(args, { flags: "lunvz", valued: "pws", operandsMax: 2 });
  const [host, port = options.value("p")] = options.operands;
  const isListening = options.has("l");
  if (!isListening && (host === undefined || port === undefined)) throw new UsageFailure("");
  const wait = options.value("w");
  const patience = wait === undefined ? null : BigInt(Math.round(Number(wait) * 1e9));
  const localPort = portOf(options.value("p") ?? "0");
  if (isListening) {
    const fd = await accepted(context, localPort);
    return own !== -1 ? serve(context, fd, context.args.slice(own + 1)) : join(context, fd, patience);
  }
  const fd = await connected(context, host ?? "", portOf(port ?? ""), { localPort, isDatagram: options.has("u") });
  if (options.has("z")) return 0;
  return join(context, fd, patience);
});

/** -e: the command has the connection for its input and output. */
async function serve(context: Context, fd: Fd, command: readonly string[]): Promise<number> {
  for (const standard of [0, 1, 2]) context.sys.duplicate(fd, standard);
  context.sys.close(fd);
  return execute(context, command);
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > portMax) throw new Failure(`bad port '${text}'`);
  return port;
}

async function accepted({ sys }: Context, port: number): Promise<Fd> {
  const listener = sys.socket("stream");
  sys.setSocketOptions(listener, { reuseAddress: true });
  try {
    sys.bindSocket(listener, inet(0, port));
  } catch (thrown) {
    throw new Failure(`bind: ${reasonOf(thrown)}`);
  }
  sys.listen(listener, 1);
  const { fd } = await sys.accept(listener);
  sys.close(listener);
  return fd;
}

async function connected(
  { sys }: Context,
  host: string,
  port: number,
  { localPort, isDatagram }: { localPort: number; isDatagram: boolean },
): Promise<Fd> {
  const address = await resolveHost(sys, host);
  if (address === null) throw new Failure(`bad address '${host}'`);
  const fd = sys.socket(isDatagram ? "datagram" : "stream");
  if (localPort !== 0) sys.bindSocket(fd, inet(0, localPort));
  try {
    await sys.connect(fd, inet(address, port));
  } catch (thrown) {
    throw new Failure(`can't connect to remote host (${formatIpv4(address)}): ${reasonOf(thrown)}`);
  }
  return fd;
}

export function inet(address: number, port: number): SocketAddress {
  return { family: "inet", address: address as Ipv4, port };
}

/** Until the other side ends. The end of standard input is the end of what we say. */
async function join({ sys }: Context, fd: Fd, patience: bigint | null): Promise<number> {
  let isInputOpen = true;
  for (;;) {
    const wanted = [{ fd, read: true, write: false }, ...(isInputOpen ? [{ fd: 0, read: true, write: false }] : [])];
    const ready = await sys.poll(wanted, patience);
    if (ready.length === 0) return 1;
    if (ready.includes(0)) isInputOpen = await passOn(sys, 0, fd);
    if (!isInputOpen && ready.includes(0)) endSending(sys, fd);
    if (ready.includes(fd) && !(await passOn(sys, fd, 1))) return 0;
  }
}

/** False at the end. */
async function passOn(sys: Sys, from: Fd, to: Fd): Promise<boolean> {
  const bytes = await sys.read(from, chunkBytes);
  if (bytes.length > 0) await sys.write(to, bytes);
  return bytes.length > 0;
}

/** The other side may be gone already. */
function endSending(sys: Sys, fd: Fd): void {
  try {
    sys.shutdown(fd, "write");
  } catch (thrown) {
    if (reasonOf(thrown) !== errnoText("ENOTCONN")) throw thrown;
  }
}

export const programs: Readonly<Record<string, Program>> = { nc };
