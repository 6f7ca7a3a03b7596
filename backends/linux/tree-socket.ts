/**
 * Feeds a layer's changes to the helper that builds its tree (wire.ts, part 3). Ops are not answered
 * one by one: they are collected to packets, and only the flush, or the first failure, has a reply.
 */
import { connect, type Socket } from "node:net";
import { Errno } from "../../core/base/errno.ts";
import { TsboxError } from "../../core/base/error.ts";
import type { Change } from "../../core/unionfs/change.ts";
import {
  contentMax,
  decodeTreeReply,
  encodeTreeContent,
  encodeTreeFlush,
  encodeTreeOp,
  encodeWithin,
  FrameReader,
  type TreeReply,
} from "./wire.ts";

/** Sending many small ops one by one would be a system call each; waiting for the helper after few bytes, a turn each. */
const packetSize = 256 * 1024;

export class TreeSocket {
  readonly #socket: Socket;
  readonly #closed: Promise<void>;
  #packet: Uint8Array[] = [];
  #size = 0;
  #reply: TreeReply | null = null;

  constructor(path: string) {
    const options = { path, writableHighWaterMark: 2 * packetSize };
    this.#socket = connect(options);
    const reader = new FrameReader();
    this.#socket.on("data", (chunk: Uint8Array) => {
      for (const frame of reader.push(chunk)) this.#reply ??= decodeTreeReply(frame);
      this.#socket.destroy(); // it says one thing, and then it is done
    });
    this.#socket.on("error", () => {}); // "close" follows
    this.#closed = new Promise((resolve) => this.#socket.once("close", () => resolve()));
  }

  /** What is applied goes beneath this directory of the tree. */
  within(directory: string, keepsKinds: boolean): void {
    this.#queue(encodeWithin(directory, keepsKinds));
  }

  /** Throws Errno with the path in the layer; TsboxError "corrupt" for content that is not as long as announced. */
  async apply(changes: AsyncIterable<Change>): Promise<void> {
    for await (const change of changes) {
      this.#queue(encodeTreeOp(change));
      if (change.kind === "file") await this.#content(change);
      if (this.#size > packetSize) await this.#send();
    }
    this.#queue(encodeTreeFlush());
    await this.#send();
    await this.#closed;
    this.#check();
  }

  async #content({ path, size, content }: Extract<Change, { kind: "file" }>): Promise<void> {
    let left = size;
    for await (const bytes of content) {
      left -= bytes.length;
      if (left < 0) break;
      for (let at = 0; at < bytes.length; at += contentMax) {
        const piece = bytes.subarray(at, at + contentMax);
        this.#queue(encodeTreeContent(piece.length));
        this.#queue(piece);
      }
      if (this.#size > packetSize) await this.#send();
    }
    if (left !== 0) throw new TsboxError("corrupt", `${path}: its content is not ${size} bytes long, as announced`);
  }

  #queue(frames: Uint8Array): void {
    this.#packet.push(frames);
    this.#size += frames.length;
  }

  async #send(): Promise<void> {
    const packet = this.#packet;
    this.#packet = [];
    this.#size = 0;
    this.#socket.cork();
    for (const part of packet) this.#socket.write(part);
    this.#socket.uncork();
    if (this.#socket.writableNeedDrain) await this.#drained();
    if (this.#socket.destroyed) this.#check();
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#socket.off("drain", done).off("close", done);
        resolve();
      };
      this.#socket.on("drain", done).on("close", done);
      if (this.#socket.destroyed) done();
    });
  }

  #check(): void {
    if (this.#reply?.kind === "failed") throw new Errno(this.#reply.errno, this.#reply.path);
    if (this.#reply === null) throw new TsboxError("failed", "the tsbox helper ended while it unpacked a layer");
  }

  /** Resolves when the helper has let go of the tree. */
  async close(): Promise<void> {
    this.#socket.end();
    this.#socket.resume();
    await this.#closed;
  }
}
