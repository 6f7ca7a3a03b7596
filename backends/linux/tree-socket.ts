/**
 * Feeds a layer's changes to the helper that builds its tree (wire/tree.ts). Ops are not answered
 * one by one: they are collected to packets, and only the flush, or the first failure, has a reply.
 */
import { connect, type Socket } from "node:net";
import type { HostPath } from "../../core/base/brand.ts";
import { Errno } from "../../core/base/errno.ts";
import { TsboxError } from "../../core/base/error.ts";
import type { Change } from "../../core/unionfs/change.ts";
import { contentMax, FrameReader } from "./wire/frame.ts";
import { decodeTreeReply, TreeFrames, type TreeReply } from "./wire/tree.ts";

/** Sending many small ops one by one would be a system call each; waiting for the helper after few bytes, a turn each. */
const packetSize = 256 * 1024;
/** With so much content to be copied out of a tar, the helper is set to work. */
const copiedSize = 1024 * 1024;

type FileChange = Extract<Change, { kind: "file" }>;

export class TreeSocket {
  readonly #socket: Socket;
  readonly #closed: Promise<void>;
  #frames = new TreeFrames();
  /** On its way to the helper, until `sent`. */
  #spare = new TreeFrames();
  #sent: Promise<void> = Promise.resolve();
  #reply: TreeReply | null = null;
  /** The tar that the helper has open. */
  #source: HostPath | null = null;
  #held: FileChange | null = null;
  #copied = 0;

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
    this.#frames.within(directory, keepsKinds);
  }

  /**
   * Throws Errno with the path in the layer; TsboxError "corrupt" for content that is not as long as announced.
   * `tar` is Layers.apply's.
   */
  async apply(changes: AsyncIterable<Change>, tar = (): HostPath | null => null): Promise<void> {
    for await (const change of changes) {
      this.#releaseHeld();
      if (change.kind === "file") await this.#file(change, tar);
      else this.#frames.op(change);
      if (this.#frames.length > packetSize || this.#copied > copiedSize) await this.#send();
    }
    this.#releaseHeld();
    this.#frames.flush();
    await this.#send();
    await this.#closed;
    this.#check();
  }

  /** One that lies in the tar is held back until the tar has been read behind it. */
  async #file(change: FileChange, tar: () => HostPath | null): Promise<void> {
    const source = change.size === 0 || change.tarOffset === undefined ? null : tar();
    if (source === null) return this.#content(change);
    if (source !== this.#source) this.#frames.source(source);
    this.#source = source;
    this.#held = change;
  }

  #releaseHeld(): void {
    if (this.#held === null) return;
    this.#frames.op(this.#held);
    this.#frames.copy(this.#held.tarOffset ?? 0);
    this.#copied += this.#held.size;
    this.#held = null;
  }

  async #content(change: FileChange): Promise<void> {
    const { path, size, content } = change;
    this.#frames.op(change);
    let left = size;
    for await (const bytes of content) {
      left -= bytes.length;
      if (left < 0) break;
      for (let at = 0; at < bytes.length; at += contentMax) this.#frames.content(bytes.subarray(at, at + contentMax));
      if (this.#frames.length > packetSize) await this.#send();
    }
    if (left !== 0) throw new TsboxError("corrupt", `${path}: its content is not ${size} bytes long, as announced`);
  }

  async #send(): Promise<void> {
    await this.#sent;
    const full = this.#frames;
    this.#sent = new Promise((resolve) => this.#socket.write(full.bytes, () => resolve())); // a failure closes it
    this.#frames = this.#spare;
    this.#spare = full;
    this.#frames.clear();
    this.#copied = 0;
    if (this.#socket.destroyed) this.#check();
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
