/** ping, as busybox has it, over an ICMP echo socket. */
import { errnoText } from "../../../../core/base/errno.ts";
import { formatIpv4, type Ipv4 } from "../../net/address.ts";
import type { EchoAnswer } from "../../net/ping-socket.ts";
import type { Fd, Program } from "../../kernel/sys.ts";
import { applet, type Context, Failure, reasonOf } from "../applet.ts";
import { parseOptions } from "../options.ts";
import { resolveHost } from "../resolve.ts";

interface Count {
  sent: number;
  received: number;
  /** Round-trip times in nanoseconds. */
  readonly times: bigint[];
}

const nanosPerSecond = 1_000_000_000n;
const lingerNanos = 10n * nanosPerSecond;
const headerBytes = 8;
const bytesMax = 65_507;
const interrupt = 2;

const ping = applet(async (context) => {
  const options = parseOptions(context.args, { flags: "4qn", valued: "ciwWst", operandsMin: 1, operandsMax: 1 });
  const [name = ""] = options.operands;
  const address = await resolveHost(context.sys, name);
  if (address === null) throw new Failure(`bad address '${name}'`);
  const number = (letter: string, otherwise: number): number => numberOf(options.value(letter), otherwise);
  const size = number("s", 56);
  if (size > bytesMax) throw new Failure(`invalid number '${size}'`);
  const quiet = options.has("q");
  const run = { name, address, size, quiet, count: number("c", Infinity), waitSeconds: number("W", 10) };
  return pinging(context, { ...run, intervalSeconds: number("i", 1), endSeconds: number("w", Infinity) });
});

function numberOf(text: string | undefined, otherwise: number): number {
  if (text === undefined) return otherwise;
  if (!/^\d+(?:\.\d+)?$/.test(text)) throw new Failure(`invalid number '${text}'`);
  return Number(text);
}

interface Run {
  readonly name: string;
  readonly address: Ipv4;
  readonly size: number;
  readonly quiet: boolean;
  readonly count: number;
  readonly waitSeconds: number;
  readonly intervalSeconds: number;
  readonly endSeconds: number;
}

async function pinging(context: Context, run: Run): Promise<number> {
  const { sys, out } = context;
  const fd = openSocket(context);
  await out.print(`PING ${run.name} (${formatIpv4(run.address)}): ${run.size} data bytes\n`);
  const count: Count = { sent: 0, received: 0, times: [] };
  let stopped = false;
  sys.onSignal(interrupt, () => {
    stopped = true;
  });
  const end = run.endSeconds === Infinity ? null : sys.now() + nanos(run.endSeconds);
  while (count.sent < run.count && !stopped && (end === null || sys.now() < end)) {
    const at = sys.now();
    await send(context, fd, run, count.sent++);
    const isLast = count.sent >= run.count;
    const until = at + (isLast ? nanos(run.waitSeconds) : nanos(run.intervalSeconds));
    await listen(context, fd, run, count, { at, until, isLast, isStopped: () => stopped });
  }
  return summary(context, run, count);
}

function openSocket({ sys }: Context): Fd {
  try {
    return sys.socket("echo");
  } catch (thrown) {
    throw new Failure(`permission denied (are you root?)`.replace("permission denied", reasonOf(thrown).toLowerCase()));
  }
}

function nanos(seconds: number): bigint {
  const most = Number(lingerNanos) * 1000;
  return BigInt(Math.round(Math.min(seconds * 1e9, most)));
}

async function send({ sys, out }: Context, fd: Fd, { address, size }: Run, sequence: number): Promise<void> {
  try {
    await sys.sendTo(fd, new Uint8Array(size), { address, port: sequence });
  } catch (thrown) {
    await out.flush();
    throw new Failure(`sendto: ${reasonOf(thrown)}`);
  }
}

interface Listening {
  readonly at: bigint;
  readonly until: bigint;
  /** The last request's answer ends the waiting. */
  readonly isLast: boolean;
  readonly isStopped: () => boolean;
}

async function listen(context: Context, fd: Fd, run: Run, count: Count, listening: Listening): Promise<void> {
  const { sys, out } = context;
  while (!listening.isStopped() && sys.now() < listening.until) {
    const ready = await untilReady(context, fd, listening.until - sys.now());
    if (!ready) return;
    const answer = await sys.echoAnswer(fd);
    const line = lineOf(answer, sys.now() - listening.at, count);
    if (!run.quiet && line !== null) await out.print(`${line}\n`);
    await out.flush();
    if (listening.isLast && answer.sequence === count.sent - 1) return;
  }
}

/** A signal ends the waiting too. */
async function untilReady({ sys }: Context, fd: Fd, wait: bigint): Promise<boolean> {
  try {
    return (await sys.poll([{ fd, read: true, write: false }], wait)).length > 0;
  } catch (thrown) {
    if (reasonOf(thrown) === errnoText("EINTR")) return false;
    throw thrown;
  }
}

function lineOf({ kind, from, bytes, sequence, ttl }: EchoAnswer, time: bigint, count: Count): string | null {
  if (kind !== "reply") return null;
  count.received++;
  count.times.push(time);
  const size = bytes.length + headerBytes;
  return `${size} bytes from ${formatIpv4(from)}: seq=${sequence} ttl=${ttl} time=${milliseconds(time)} ms`;
}

async function summary({ out }: Context, { name }: Run, { sent, received, times }: Count): Promise<number> {
  const loss = sent === 0 ? 0 : Math.floor(((sent - received) * 100) / sent);
  await out.print(`\n--- ${name} ping statistics ---\n`);
  await out.print(`${sent} packets transmitted, ${received} packets received, ${loss}% packet loss\n`);
  if (times.length > 0) {
    const sum = times.reduce((a, b) => a + b, 0n);
    const [least, most] = [times.reduce(smaller), times.reduce((a, b) => (a > b ? a : b))];
    const average = sum / BigInt(times.length);
    await out.print(`round-trip min/avg/max = ${[least, average, most].map(milliseconds).join("/")} ms\n`);
  }
  return received === 0 ? 1 : 0;
}

function smaller(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function milliseconds(time: bigint): string {
  return (Number(time) / 1e6).toFixed(3);
}

export const programs: Readonly<Record<string, Program>> = { ping };
