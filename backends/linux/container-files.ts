/**
 * A container's files, seen through a process of the helper's that performs a view's ops (wire/tree.ts). Each call
 * has a process of its own, which ends with its socket: whatever goes wrong, no mount and no namespace stays.
 */
import { connect } from "node:net";
import { assert } from "../../core/base/assert.ts";
import type { HostPath } from "../../core/base/brand.ts";
import { Errno } from "../../core/base/errno.ts";
import { TsboxError } from "../../core/base/error.ts";
import type { ContainerFiles, TreeStat } from "../../core/engine/machine.ts";
import type { Entry } from "../../core/unionfs/change.ts";
import { TreeSocket } from "./tree-socket.ts";
import { readUnion } from "./union-socket.ts";
import { FrameReader } from "./wire/frame.ts";
import { decodeTreeReply, encodeRead, encodeStat } from "./wire/tree.ts";

export class SeenFiles implements ContainerFiles {
  readonly #open: () => Promise<HostPath>;

  /** `open` starts a process and gives the path of its socket. */
  constructor(open: () => Promise<HostPath>) {
    this.#open = open;
  }

  async stat(path: string): Promise<TreeStat> {
    const socket = connect(await this.#open());
    const reader = new FrameReader();
    try {
      socket.write(encodeStat(path));
      for await (const chunk of socket as AsyncIterable<Uint8Array>)
        for (const frame of reader.push(chunk)) return statOf(frame);
      throw new TsboxError("failed", "the tsbox helper ended while it looked for a file");
    } finally {
      socket.destroy();
    }
  }

  async *read(path: string): AsyncGenerator<Entry, void, undefined> {
    for await (const change of readUnion(await this.#open(), encodeRead(path))) {
      assert(change.kind !== "whiteout" && change.kind !== "opaque", "what is seen from within has no marks of layers");
      yield change;
    }
  }

  async write(
    directory: string,
    entries: AsyncIterable<Entry>,
    options: { readonly keepsKinds: boolean } = { keepsKinds: false },
  ): Promise<void> {
    const tree = new TreeSocket(await this.#open());
    try {
      tree.within(directory, options.keepsKinds);
      await tree.apply(entries);
    } finally {
      await tree.close();
    }
  }
}

function statOf(frame: Uint8Array): TreeStat {
  const reply = decodeTreeReply(frame);
  if (reply.kind === "failed") throw new Errno(reply.errno, reply.path);
  assert(reply.kind === "stat", "the helper answers what it was asked");
  return reply.stat;
}
