/** An IPC namespace (ipc_namespaces(7)): its System V objects, its POSIX message queues, and how much of each there may be. */
import { IpcTable } from "./objects.ts";
import type { PlainNamespace } from "../process.ts";
import type { MessageQueue } from "./messages.ts";
import type { PosixQueue } from "./queues.ts";
import type { SemaphoreSet } from "./semaphores.ts";
import type { SharedMemory } from "./shared-memory.ts";

/** By their names in /proc/sys/kernel and /proc/sys/fs/mqueue, with Linux's defaults. */
export interface IpcLimits {
  /** Bytes a segment; pages in all. */
  shmmax: number;
  shmall: number;
  shmmni: number;
  /** Semaphores a set, in all, operations a call, sets. */
  semmsl: number;
  semmns: number;
  semopm: number;
  semmni: number;
  /** Bytes a message, bytes a queue, queues. */
  msgmax: number;
  msgmnb: number;
  msgmni: number;
  queues_max: number;
  msg_max: number;
  msgsize_max: number;
  msg_default: number;
  msgsize_default: number;
}

export interface IpcNamespace extends PlainNamespace {
  readonly limits: IpcLimits;
  readonly memory: IpcTable<SharedMemory>;
  readonly semaphores: IpcTable<SemaphoreSet>;
  readonly messages: IpcTable<MessageQueue>;
  readonly queues: Map<string, PosixQueue>;
}

/** ULONG_MAX - 2^24, as near as a number comes. */
export const noLimit = 2 ** 64 - 2 ** 24;
export const noLimitText = "18446744073692774399";

export function newIpcNamespace(plain: PlainNamespace): IpcNamespace {
  const limits: IpcLimits = {
    shmmax: noLimit,
    shmall: noLimit,
    shmmni: 4096,
    semmsl: 32_000,
    semmns: 1_024_000_000,
    semopm: 500,
    semmni: 32_000,
    msgmax: 8192,
    msgmnb: 16_384,
    msgmni: 32_000,
    queues_max: 256,
    msg_max: 10,
    msgsize_max: 8192,
    msg_default: 10,
    msgsize_default: 8192,
  };
  return {
    ...plain,
    limits,
    memory: new IpcTable(() => limits.shmmni),
    semaphores: new IpcTable(() => limits.semmni),
    messages: new IpcTable(() => limits.msgmni),
    queues: new Map(),
  };
}
