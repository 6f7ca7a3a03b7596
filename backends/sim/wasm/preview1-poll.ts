/** preview1's poll_oneoff: waits for the first of several clocks and descriptors. */
import { Errno } from "../../../core/base/errno.ts";
import type { Fd, Sys } from "../kernel/sys.ts";
import type { Guest } from "./preview1.ts";
import { errnoOf } from "./preview1-errno.ts";

const subscriptionBytes = 48;
const eventBytes = 32;
const subscriptionsMax = 1024;
const kinds = ["clock", "read", "write"] as const;
const absolute = 1;
const realtime = 0;

interface Subscription {
  readonly userData: bigint;
  readonly kind: (typeof kinds)[number];
  /** The process's descriptor; null for a clock and for a descriptor that is none. */
  readonly fd: Fd | null;
  /** 0, or the descriptor's error. */
  readonly error: number;
  /** A clock's: nanoseconds from now. */
  readonly after: bigint;
}

export async function poll(guest: Guest, source: number, target: number, count: number, result: number): Promise<void> {
  const { sys, memory } = guest;
  if (count === 0 || count > subscriptionsMax) throw new Errno("EINVAL");
  const wanted = Array.from({ length: count }, (_, index) => subscriptionAt(guest, source + index * subscriptionBytes));
  memory.bytes(target, count * eventBytes).fill(0);
  const happened = await waitFor(sys, wanted);
  for (const [index, { userData, kind, error }] of happened.entries()) {
    const at = target + index * eventBytes;
    memory.setU64(at, userData);
    memory.setU16(at + 8, error);
    memory.setByte(at + 10, kinds.indexOf(kind));
    // How much can be read at least.
    if (kind === "read" && error === 0) memory.setU64(at + 16, 1n);
  }
  memory.setU32(result, happened.length);
}

async function waitFor(sys: Sys, wanted: readonly Subscription[]): Promise<readonly Subscription[]> {
  const failed = wanted.filter(({ error }) => error !== 0);
  if (failed.length > 0) return failed;
  const clocks = wanted.filter(({ kind }) => kind === "clock");
  const timeout = clocks.reduce<bigint | null>((least, { after }) => {
    return least === null || after < least ? after : least;
  }, null);
  const fds = wanted.flatMap(({ fd, kind }) => {
    return fd === null ? [] : [{ fd, read: kind === "read", write: kind === "write" }];
  });
  const ready = await sys.poll(fds, timeout);
  if (ready.length === 0) return clocks.filter(({ after }) => after === timeout);
  return wanted.filter(({ fd }) => fd !== null && ready.includes(fd));
}

function subscriptionAt({ sys, memory, descriptors }: Guest, at: number): Subscription {
  const kind = kinds[memory.byte(at + 8)];
  const userData = memory.u64(at);
  if (kind === undefined) throw new Errno("EINVAL");
  if (kind === "clock") return { userData, kind, fd: null, error: 0, after: timeoutAt(sys, memory, at) };
  try {
    return { userData, kind, fd: descriptors.fd(memory.u32(at + 16)), error: 0, after: 0n };
  } catch (thrown) {
    return { userData, kind, fd: null, error: errnoOf(thrown), after: 0n };
  }
}

function timeoutAt(sys: Sys, memory: Guest["memory"], at: number): bigint {
  const time = memory.u64(at + 24);
  const isAbsolute = (memory.byte(at + 40) & absolute) !== 0;
  if (!isAbsolute) return time;
  const now = memory.u32(at + 16) === realtime ? sys.now() : sys.monotonic();
  return time > now ? time - now : 0n;
}
