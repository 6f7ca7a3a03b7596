/** POSIX message queues (mq_overview(7)): named in a namespace, used by descriptors, the most urgent message first. */
import { Errno } from "../../../../core/base/errno.ts";
import type { Inode, Stat } from "../../../../core/unionfs/file-system.ts";
import { Changes } from "../changes.ts";
import { type Channel, type WouldBlock, wouldBlock } from "../open-file.ts";
import type { Kernel } from "../kernel.ts";
import type { SyntheticDirectory, SyntheticFile } from "../synthetic.ts";
import type { IpcLimits, IpcNamespace } from "./namespace.ts";

export interface PosixMessage {
  readonly priority: number;
  readonly bytes: Uint8Array;
}

export interface PosixQueue {
  readonly stat: Stat;
  readonly messagesMax: number;
  readonly bytesMax: number;
  /** The most urgent first, of equals the oldest. */
  readonly messages: PosixMessage[];
  readonly changes: Changes;
}

/** A queue as its makers leave it: whose it is. */
export function queueStat(
  owner: { readonly uid: number; readonly gid: number; readonly mode: number },
  inode: number,
  now: bigint,
): Stat {
  const { uid, gid, mode } = owner;
  const times = { atime: now, mtime: now, ctime: now };
  return {
    kind: "file",
    inode: inode as Inode,
    uid,
    gid,
    mode,
    links: 1,
    size: 80,
    blocks: 0,
    major: 0,
    minor: 0,
    ...times,
  };
}

export interface QueueAttributes {
  readonly messagesMax: number;
  /** Of a message. */
  readonly bytesMax: number;
}

const priorityMax = 32_768;
const nameMax = 255;
/** HARD_MSGMAX, HARD_MSGSIZEMAX: for who may go beyond the namespace's limits. */
const [hardMessages, hardBytes] = [65_536, 16 * 1024 * 1024];
/** What the kernel keeps of a message beside its bytes: a msg_msg, and its place in the tree. */
const overheadBytes = 48 + 48;

/** "/name" without its slash. EINVAL, ENOENT for none, EACCES for a slash in it, ENAMETOOLONG (mq_open(3)). */
export function queueName(path: string): string {
  if (!path.startsWith("/")) throw new Errno("EINVAL");
  const name = path.slice(1);
  if (name === "") throw new Errno("ENOENT");
  if (name.includes("/")) throw new Errno("EACCES");
  if (name.length > nameMax) throw new Errno("ENAMETOOLONG");
  return name;
}

/** mq_attr_ok(): EINVAL; EOVERFLOW cannot be with these limits. */
export function checkAttributes(
  { messagesMax, bytesMax }: QueueAttributes,
  limits: IpcLimits,
  isUnlimited: boolean,
): void {
  const [messages, bytes] = isUnlimited ? [hardMessages, hardBytes] : [limits.msg_max, limits.msgsize_max];
  if (messagesMax <= 0 || bytesMax <= 0 || messagesMax > messages || bytesMax > bytes) throw new Errno("EINVAL");
}

/** What a queue counts for RLIMIT_MSGQUEUE. */
export function queueBytes({ messagesMax, bytesMax }: QueueAttributes): number {
  return messagesMax * (bytesMax + overheadBytes);
}

export function newQueue(stat: Stat, { messagesMax, bytesMax }: QueueAttributes): PosixQueue {
  return { stat, messagesMax, bytesMax, messages: [], changes: new Changes() };
}

/** EMSGSIZE for a message too long, EINVAL for a priority that cannot be. */
export function checkMessage({ bytesMax }: PosixQueue, { priority, bytes }: PosixMessage): void {
  if (priority < 0 || priority >= priorityMax) throw new Errno("EINVAL");
  if (bytes.length > bytesMax) throw new Errno("EMSGSIZE");
}

export function sendTo(queue: PosixQueue, message: PosixMessage): true | WouldBlock {
  queue.changes.watch();
  if (queue.messages.length >= queue.messagesMax) return wouldBlock;
  const at = queue.messages.findIndex(({ priority }) => priority < message.priority);
  queue.messages.splice(at === -1 ? queue.messages.length : at, 0, message);
  queue.changes.tell();
  return true;
}

export function receiveFrom(queue: PosixQueue): PosixMessage | WouldBlock {
  queue.changes.watch();
  const message = queue.messages.shift();
  if (message === undefined) return wouldBlock;
  queue.changes.tell();
  return message;
}

/** A descriptor of a queue: it can be polled; read(2) tells how full it is. */
export class QueueChannel implements Channel {
  readonly isWatched = true;
  readonly queue: PosixQueue;

  constructor(queue: PosixQueue) {
    this.queue = queue;
  }

  read(): Uint8Array {
    return new TextEncoder().encode(statusOf(this.queue));
  }

  write(): never {
    throw new Errno("EINVAL");
  }

  readable(): boolean {
    this.queue.changes.watch();
    return this.queue.messages.length > 0;
  }

  writable(): boolean {
    this.queue.changes.watch();
    return this.queue.messages.length < this.queue.messagesMax;
  }

  stat(): Stat {
    return this.queue.stat;
  }

  close(): void {}
}

/** What a queue's file in a file system of type mqueue says. */
export function statusOf({ messages }: PosixQueue): string {
  const size = messages.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const fields = { QSIZE: [size, 10], NOTIFY: [0, 5], SIGNO: [0, 5], NOTIFY_PID: [0, 6] } as const;
  return `${Object.entries(fields)
    .map(([name, [value, width]]) => `${name}:${String(value).padEnd(width)}`)
    .join(" ")}\n`;
}

/** A namespace's queues as a file system: made, shown and removed by their names. */
export function queueDirectory({ queues, limits }: IpcNamespace, kernel: Kernel): SyntheticDirectory {
  return {
    kind: "directory",
    mode: 0o1777,
    names: () => [...queues.keys()].sort(),
    child: (name) => {
      const queue = queues.get(name);
      return queue === undefined ? null : queueFile(queue);
    },
    makeFile: (name, owner) => {
      if (queues.size >= limits.queues_max) throw new Errno("ENOSPC", name);
      const attributes = { messagesMax: limits.msg_default, bytesMax: limits.msgsize_default };
      queues.set(name, newQueue(queueStat(owner, kernel.newInode(), kernel.turns.now), attributes));
    },
    removeFile: (name) => void queues.delete(name),
  };
}

function queueFile(queue: PosixQueue): SyntheticFile {
  const { uid, gid, mode } = queue.stat;
  const set = (): never => {
    throw new Errno("EPERM");
  };
  return { kind: "file", read: () => statusOf(queue), attributes: { get: () => ({ uid, gid, mode }), set } };
}
