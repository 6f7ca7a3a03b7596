/** System V message queues (msgget(2), msgop(2), msgctl(2)). */
import { Errno } from "../../../../core/base/errno.ts";
import { type WouldBlock, wouldBlock } from "../open-file.ts";
import type { Pid } from "../sys.ts";
import { type IpcObject, seconds } from "./objects.ts";

export interface Message {
  readonly type: number;
  readonly bytes: Uint8Array;
}

export interface MessageQueue extends IpcObject {
  readonly messages: Message[];
  bytes: number;
  bytesMax: number;
  lastSender: Pid;
  lastReceiver: Pid;
  sentAt: bigint;
  receivedAt: bigint;
}

export interface ReceiveOptions {
  readonly noWait?: boolean;
  /** A message that is too long is cut. */
  readonly noError?: boolean;
  /** The first that is not of the type. */
  readonly except?: boolean;
}

export function send(queue: MessageQueue, message: Message, pid: Pid, now: bigint): true | WouldBlock {
  if (queue.isRemoved) throw new Errno("EIDRM");
  const { length } = message.bytes;
  if (length + queue.bytes > queue.bytesMax || queue.messages.length + 1 > queue.bytesMax) return wouldBlock;
  queue.messages.push(message);
  queue.bytes += length;
  queue.lastSender = pid;
  queue.sentAt = seconds(now);
  queue.changes.tell();
  return true;
}

/** E2BIG for a message that does not fit. */
export function receive(
  queue: MessageQueue,
  wanted: { readonly length: number; readonly type: number; readonly options: ReceiveOptions },
  pid: Pid,
  now: bigint,
): Message | WouldBlock {
  if (queue.isRemoved) throw new Errno("EIDRM");
  const at = choose(queue.messages, wanted.type, wanted.options.except ?? false);
  const message = queue.messages[at];
  if (message === undefined) return wouldBlock;
  if (message.bytes.length > wanted.length && wanted.options.noError !== true) throw new Errno("E2BIG");
  queue.messages.splice(at, 1);
  queue.bytes -= message.bytes.length;
  queue.lastReceiver = pid;
  queue.receivedAt = seconds(now);
  queue.changes.tell();
  return { type: message.type, bytes: message.bytes.slice(0, wanted.length) };
}

/** 0: the first; above: the first of that type; below: the first of the lowest type up to there. */
function choose(messages: readonly Message[], type: number, except: boolean): number {
  if (type === 0) return 0;
  if (type > 0) return messages.findIndex((each) => (each.type === type) !== except);
  const types = messages.map((each) => each.type).filter((each) => each <= -type);
  return types.length === 0 ? -1 : messages.findIndex((each) => each.type === Math.min(...types));
}
