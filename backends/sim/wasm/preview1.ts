/**
 * wasi_snapshot_preview1 (WebAssembly/WASI, phases/snapshot/docs.md) on the simulated kernel: every
 * import that touches a file, a clock, another process or chance is a system call of the process.
 * Arguments and environment are as @wasmer/wasi laid them out (start-values.ts).
 *
 * A call returns an error number, 0 for success. Those that may wait suspend the program.
 */
import { Errno } from "../../../core/base/errno.ts";
import type { Sys } from "../kernel/sys.ts";
import type { Descriptors } from "./descriptors.ts";
import type { GuestMemory } from "./guest-memory.ts";
import type { Meter } from "./meter.ts";
import { descriptorCalls } from "./preview1-descriptors.ts";
import { errnoOf } from "./preview1-errno.ts";
import { pathCalls } from "./preview1-paths.ts";
import { poll } from "./preview1-poll.ts";
import { type StartValues, writeSizes, writeStrings } from "./start-values.ts";
import { suspending } from "./web-assembly.ts";

/** What the calls of one program work on. */
export interface Guest {
  readonly sys: Sys;
  readonly memory: GuestMemory;
  readonly descriptors: Descriptors;
  readonly meter: Meter;
  readonly values: StartValues;
}

/** A call: its numbers are unsigned 32-bit ones, or signed 64-bit ones as bigint. It throws Errno. */
export type Call = (guest: Guest, ...values: never[]) => void;
export type WaitingCall = (guest: Guest, ...values: never[]) => Promise<void>;

/** Is thrown through the program by proc_exit. */
export class Exit extends Error {
  override readonly name = "Exit";
  readonly code: number;

  constructor(code: number) {
    super(`exit with ${code}`);
    this.code = code;
  }
}

/** The imports of a program. `guest` is asked for when the program runs: its memory comes with the instance. */
export function preview1(guest: () => Guest): Record<string, unknown> {
  const plain = Object.entries({ ...descriptorCalls.plain, ...pathCalls.plain, ...processCalls.plain });
  const waiting = Object.entries({ ...descriptorCalls.waiting, ...pathCalls.waiting, ...processCalls.waiting });
  return Object.fromEntries([
    ...plain.map(([name, call]) => [name, imported(call, guest)]),
    ...waiting.map(([name, call]) => [name, suspending(importedWaiting(call, guest))]),
    [
      "proc_exit",
      (code: number) => {
        throw new Exit(code & 255);
      },
    ],
  ]);
}

type Value = number | bigint;

function imported(call: Call, guest: () => Guest): (...values: Value[]) => number {
  return (...values) => {
    try {
      call(guest(), ...(values.map(unsigned) as never[]));
      return 0;
    } catch (thrown) {
      return errnoOf(thrown);
    }
  };
}

function importedWaiting(call: WaitingCall, guest: () => Guest): (...values: Value[]) => Promise<number> {
  return async (...values) => {
    try {
      await guest().meter.settle();
      await call(guest(), ...(values.map(unsigned) as never[]));
      return 0;
    } catch (thrown) {
      return errnoOf(thrown);
    }
  };
}

function unsigned(value: Value): Value {
  return typeof value === "number" ? value >>> 0 : value;
}

export interface Calls {
  readonly plain: Readonly<Record<string, Call>>;
  readonly waiting: Readonly<Record<string, WaitingCall>>;
}

const clock = { realtime: 0, monotonic: 1, process: 2, thread: 3 };
/** preview1 numbers signals as Linux does, but has no SIGSTKFLT (16), and SIGWINCH (28) is missing too. */
const signalOf = (signal: number): number => (signal < 16 ? signal : signal < 27 ? signal + 1 : signal + 2);
const signalsMax = 29;

const processCalls: Calls = {
  plain: {
    args_sizes_get: ({ memory, values }, count: number, size: number) => writeSizes(memory, values.args, count, size),
    args_get: ({ memory, values }, pointers: number, bytes: number) =>
      writeStrings(memory, values.args, pointers, bytes),
    environ_sizes_get: ({ memory, values }, count: number, size: number) =>
      writeSizes(memory, values.environ, count, size),
    environ_get: ({ memory, values }, pointers: number, bytes: number) =>
      writeStrings(memory, values.environ, pointers, bytes),

    clock_res_get({ memory }, id: number, result: number) {
      if (id > clock.thread) throw new Errno("EINVAL");
      memory.setU64(result, 1n);
    },

    random_get({ sys, memory }, pointer: number, length: number) {
      const target = memory.bytes(pointer, length);
      for (let at = 0; at < length; at += randomChunk) target.set(sys.random(Math.min(randomChunk, length - at)), at);
    },

    sock_accept: notASocket,
    sock_recv: notASocket,
    sock_send: notASocket,
    sock_shutdown: notASocket,
  },
  waiting: {
    clock_time_get({ sys, memory }, id: number, _precision: bigint, result: number) {
      memory.setU64(result, timeOf(sys, id));
      return Promise.resolve();
    },

    poll_oneoff: poll,

    sched_yield: ({ sys }) => sys.sleep(0n),

    async proc_raise({ sys }, signal: number) {
      if (signal > signalsMax) throw new Errno("EINVAL");
      sys.kill(sys.pid, signalOf(signal));
      await sys.work(0);
    },
  },
};

const randomChunk = 65536;

function timeOf(sys: Sys, id: number): bigint {
  switch (id) {
    case clock.realtime:
      return sys.now();
    case clock.monotonic:
      return sys.monotonic();
    default:
      // Processor time: the virtual clock moves by it, but others' moves it too.
      throw new Errno("EINVAL");
  }
}

/** The descriptor is looked at first, as the kernel does. */
function notASocket({ descriptors }: Guest, number: number): void {
  descriptors.get(number);
  throw new Errno("EOPNOTSUPP");
}
