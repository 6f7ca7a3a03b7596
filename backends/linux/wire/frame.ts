/**
 * The wire between the Linux backend and its native helper (native/wire.c is the other side). Pure functions: plans to
 * bytes, bytes to replies; whoever owns the pipes and sockets calls them.
 *
 * Numbers are little-endian. A *frame* is u32 length + body. In a body:
 *   str   u32 length, bytes, NUL (not counted; none inside)      blob  u32 length, bytes
 *   list  u32 count, items                                       idmaps  str uid_map, str gid_map
 *   join  u32 pid (0: none), u64 start time, u32 CLONE_NEW* bits  cgroup  str mount, str path, str controller
 *
 * request.ts says what is said on the helper's own pipes, monitor.ts on a monitor's socket, tree.ts on a file tree's.
 */
import { assert } from "../../../core/base/assert.ts";
import { concat, decodeBytes, encodeText } from "../../../core/base/bytes.ts";
import { TsboxError } from "../../../core/base/error.ts";

/** No frame's body is longer; what carries bytes is cut into several. */
export const maximumFrame = 1 << 20;
/** The longest piece of a file's content in one frame. */
export const contentMax = 512 * 1024;

/** A growing buffer with the wire's primitive forms: one frame, or several end to end, each with its length filled in at its end. */
export class Writer {
  #bytes: Buffer<ArrayBuffer>;
  #view: DataView;
  /** Where the frame begins that is being written. */
  #start = 0;
  #at = 4;

  /** `size`: what it will probably take. */
  constructor(size = 256) {
    this.#bytes = Buffer.allocUnsafeSlow(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#view.setUint8(this.#at, value);
    this.#at += 1;
    return this;
  }

  u32(value: number): this {
    this.#reserve(4);
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
    return this;
  }

  u64(value: bigint): this {
    this.#reserve(8);
    this.#view.setBigUint64(this.#at, value, true);
    this.#at += 8;
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#at);
    this.#at += bytes.length;
    return this;
  }

  blob(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes);
  }

  /** Throws TsboxError "invalid" for text with a NUL, which no system call can take. */
  str(text: string): this {
    if (text.includes("\0")) throw new TsboxError("invalid", `${JSON.stringify(text)} contains a NUL byte`);
    if (!text.isWellFormed()) return this.blob(encodeText(text)).u8(0);
    this.#reserve(4 + 3 * text.length);
    const length = this.#bytes.write(text, this.#at + 4);
    this.#view.setUint32(this.#at, length, true);
    this.#at += 4 + length;
    return this.u8(0);
  }

  list<T>(items: readonly T[], write: (item: T) => void): this {
    this.u32(items.length);
    for (const item of items) write(item);
    return this;
  }

  strings(items: readonly string[]): this {
    return this.list(items, (item) => this.str(item));
  }

  /** A blob whose length is known once `write` has run. */
  nested(write: () => void): this {
    const start = this.#at;
    this.u32(0);
    write();
    this.#view.setUint32(start, this.#at - start - 4, true);
    return this;
  }

  /** The finished frame. */
  frame(): Uint8Array<ArrayBuffer> {
    this.#view.setUint32(0, this.#at - 4, true);
    return this.#bytes.subarray(0, this.#at);
  }

  /** Finishes the frame and begins another one behind it. */
  next(): void {
    this.#view.setUint32(this.#start, this.#at - this.#start - 4, true);
    this.#start = this.#at;
    this.#reserve(4);
    this.#at += 4;
  }

  /** How many bytes the finished frames take. */
  get finished(): number {
    return this.#start;
  }

  frames(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#start);
  }

  /** Forgets all frames. */
  restart(): void {
    this.#start = 0;
    this.#at = 4;
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, this.#at + count));
    grown.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Takes the wire's primitive forms off a body; past its end is the other side's mistake. */
export class Reader {
  #bytes: Uint8Array;
  #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  str(): string {
    const length = this.u32();
    const start = this.#take(length + 1);
    return decodeBytes(this.#bytes.subarray(start, start + length));
  }

  blob(): Uint8Array {
    const length = this.u32();
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at);
  }

  #take(count: number): number {
    const start = this.#at;
    assert(start + count <= this.#bytes.length, "a frame of the helper is as long as it says");
    this.#at += count;
    return start;
  }
}

/** Cuts a byte stream into the bodies of its frames. */
export class FrameReader {
  #rest: Uint8Array = new Uint8Array(0);

  /** The bodies that are whole now (they may share the chunk's memory). Throws TsboxError "corrupt" above `maximumFrame`. */
  push(chunk: Uint8Array): Uint8Array[] {
    const bytes = this.#rest.length === 0 ? chunk : concat([this.#rest, chunk]);
    const frames: Uint8Array[] = [];
    let at = 0;
    for (let length = lengthAt(bytes, at); length !== null; length = lengthAt(bytes, at)) {
      if (at + 4 + length > bytes.length) break;
      frames.push(bytes.subarray(at + 4, at + 4 + length));
      at += 4 + length;
    }
    this.#rest = bytes.slice(at);
    return frames;
  }
}

function lengthAt(bytes: Uint8Array, at: number): number | null {
  if (at + 4 > bytes.length) return null;
  const length = new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true);
  if (length > maximumFrame) throw new TsboxError("corrupt", `a frame of ${length} bytes is above ${maximumFrame}`);
  return length;
}
