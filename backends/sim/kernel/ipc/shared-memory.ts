/**
 * System V shared memory (shmget(2), shmop(2), shmctl(2)). A program here has no addresses: an attachment is a number
 * of its process, by which it reads and writes. A child has its parent's attachments, a new program none.
 */
import { Errno } from "../../../../core/base/errno.ts";
import type { Pid } from "../sys.ts";
import type { IpcNamespace } from "./namespace.ts";
import { type IpcObject, seconds } from "./objects.ts";

export interface SharedMemory extends IpcObject {
  readonly size: number;
  bytes: Uint8Array;
  attached: number;
  readonly creator: Pid;
  lastPid: Pid;
  attachedAt: bigint;
  detachedAt: bigint;
  /** Removed, but somebody is still attached: it goes with the last (SHM_DEST). */
  isDoomed: boolean;
}

export interface Attachment {
  readonly namespace: IpcNamespace;
  readonly memory: SharedMemory;
  readonly isReadOnly: boolean;
}

const pageBytes = 4096;
/** SHM_DEST. */
export const doomedMode = 0o1000;

export function pagesOf({ size }: SharedMemory): number {
  return Math.ceil(size / pageBytes);
}

/** EINVAL for a size that cannot be, ENOSPC for more than there may be. */
export function checkSize({ limits, memory }: IpcNamespace, size: number): void {
  if (size < 1 || size > limits.shmmax) throw new Errno("EINVAL");
  const held = memory.all.reduce((sum, each) => sum + pagesOf(each), 0);
  if (held + Math.ceil(size / pageBytes) > limits.shmall) throw new Errno("ENOSPC");
}

export function attach({ memory }: Attachment, pid: Pid, now: bigint): void {
  memory.attached++;
  memory.lastPid = pid;
  memory.attachedAt = seconds(now);
}

export function detach({ namespace, memory }: Attachment, pid: Pid, now: bigint): void {
  memory.attached--;
  memory.lastPid = pid;
  memory.detachedAt = seconds(now);
  if (memory.isDoomed && memory.attached === 0) namespace.memory.remove(memory);
}

/** IPC_RMID: at once, or when nobody is attached any more. */
export function doom({ memory: table }: IpcNamespace, memory: SharedMemory): void {
  if (memory.attached === 0) return table.remove(memory);
  memory.isDoomed = true;
  memory.key = 0;
  memory.mode |= doomedMode;
}

/** Bytes that were never written take no room. EFAULT beyond the end. */
export function readMemory({ size, bytes }: SharedMemory, offset: number, length: number): Uint8Array {
  if (offset < 0 || offset + length > size) throw new Errno("EFAULT");
  const result = new Uint8Array(length);
  result.set(bytes.subarray(offset, offset + length));
  return result;
}

export function writeMemory(memory: SharedMemory, offset: number, bytes: Uint8Array): void {
  const end = offset + bytes.length;
  if (offset < 0 || end > memory.size) throw new Errno("EFAULT");
  if (end > memory.bytes.length) {
    const larger = new Uint8Array(Math.min(memory.size, Math.max(end, memory.bytes.length * 2)));
    larger.set(memory.bytes);
    memory.bytes = larger;
  }
  memory.bytes.set(bytes, offset);
}
