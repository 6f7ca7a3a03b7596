/**
 * A session joins one client to one attachment: the program's output flows out, in frames or raw;
 * the client's bytes flow in, watched for detach keys when there is a terminal. It ends when the
 * output ends, when the client detaches and when the client goes away.
 */
import type { ByteStream } from "../core/base/bytes.ts";
import type { Attachment } from "../core/engine/machine.ts";
import { DetachScanner } from "./detach.ts";
import { encodeOutput, untilAborted } from "./stream.ts";

export interface SessionOptions {
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly detachKeys: Uint8Array;
  /** Aborts when the client went away. */
  readonly signal: AbortSignal;
}

export async function* runSession(
  attachment: Attachment,
  input: ByteStream,
  options: SessionOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const leaving = new AbortController();
  const leave = () => leaving.abort();
  options.signal.addEventListener("abort", leave, { once: true });
  if (options.signal.aborted) leave();
  void carryInput(attachment, input, options, leave);
  try {
    yield* encodeOutput(untilAborted(attachment.output, leaving.signal), options);
  } finally {
    options.signal.removeEventListener("abort", leave);
    attachment.close();
  }
}

/** Never fails: input that cannot be delivered is lost with its client or with the program. */
async function carryInput(
  attachment: Attachment,
  input: ByteStream,
  options: SessionOptions,
  detach: () => void,
): Promise<void> {
  try {
    if (await forward(attachment, input, options)) detach();
    else if (options.stdin && !options.tty) await attachment.closeInput();
  } catch {
    return;
  }
}

/** Whether the client typed the detach keys. Input nobody asked for is read away: so its end is noticed. */
async function forward(attachment: Attachment, input: ByteStream, options: SessionOptions): Promise<boolean> {
  const scanner = new DetachScanner(options.detachKeys);
  for await (const chunk of input) {
    if (!options.stdin) continue;
    const scanned = options.tty ? scanner.scan(chunk) : { bytes: chunk, detached: false };
    if (scanned.bytes.length > 0) await attachment.write(scanned.bytes);
    if (scanned.detached) return true;
  }
  return false;
}
