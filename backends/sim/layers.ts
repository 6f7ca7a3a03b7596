/**
 * Layers as directories of the simulated host, unions of them by core/unionfs. On its disk:
 *
 *   layers/<hex>/diff        a layer's tree, whiteouts and opaque directories in overlayfs's own form
 *   layers/.<n>              a layer being made: rubbish when the page was closed meanwhile
 *   containers/<id>/rw/      upper, work, and merged, the mount point
 */
import type { ContainerId, HostPath } from "../../core/base/brand.ts";
import { type ByteStream, concat } from "../../core/base/bytes.ts";
import { Errno, errnoText } from "../../core/base/errno.ts";
import { TsboxError } from "../../core/base/error.ts";
import type { LayerName, Layers, TreeProblem } from "../../core/engine/machine.ts";
import { type DiffId, hexOf } from "../../core/image/digest.ts";
import type { Overlay } from "../../core/runtime/plan.ts";
import { applyChanges } from "../../core/unionfs/apply.ts";
import { checkTree } from "../../core/unionfs/check.ts";
import type { Change } from "../../core/unionfs/change.ts";
import { type Difference, differencesOfLayer } from "../../core/unionfs/diff.ts";
import { entriesOf } from "../../core/unionfs/entries.ts";
import type { Branch } from "../../core/unionfs/marks.ts";
import { Overlay as Union } from "../../core/unionfs/overlay.ts";
import { Tree } from "../../core/unionfs/tree.ts";
import type { HostFiles } from "./host-files.ts";
import { newTable, rootOf } from "./kernel/mounts.ts";
import { fileSystemAt, locate } from "./kernel/walk.ts";

const elfMagic = [0x7f, 0x45, 0x4c, 0x46];

export class TreeLayers implements Layers {
  readonly name = "overlay2";
  readonly #files: HostFiles;
  readonly #dataRoot: HostPath;
  #works = 0;

  constructor(files: HostFiles, dataRoot: HostPath) {
    this.#files = files;
    this.#dataRoot = dataRoot;
    files.makeDirectory(this.#layers, 0o700);
    files.makeDirectory(`${dataRoot}/containers`, 0o711);
    for (const name of files.list(this.#layers)) if (name.startsWith(".")) files.remove(`${this.#layers}/${name}`);
  }

  get #layers(): string {
    return `${this.#dataRoot}/layers`;
  }

  #layer(layer: DiffId): string {
    return `${this.#layers}/${hexOf(layer)}`;
  }

  #rw(container: ContainerId): string {
    return `${this.#dataRoot}/containers/${container}/rw`;
  }

  async has(layer: DiffId): Promise<boolean> {
    return this.#files.find(this.#layer(layer)) !== null;
  }

  async list(): Promise<DiffId[]> {
    const names = this.#files.list(this.#layers).filter((name) => /^[0-9a-f]{64}$/.test(name));
    return names.map((name) => `sha256:${name}` as DiffId);
  }

  /** Throws TsboxError "corrupt" for changes that contradict each other. */
  async apply(name: LayerName, changes: AsyncIterable<Change>): Promise<void> {
    const place = `${this.#layers}/.${++this.#works}`;
    try {
      this.#files.makeDirectory(`${place}/diff`);
      await applyChanges(this.#files.branch(`${place}/diff`), this.#noted(changes));
      const target = this.#layer(typeof name === "string" ? name : await name());
      if (this.#files.find(target) === null) this.#files.rename(place, target);
      else this.#files.remove(place);
    } catch (thrown) {
      this.#files.remove(place);
      throw applyError(name, thrown);
    }
  }

  /** By the bytes of its ELF files the kernel knows that they are an image's. */
  async *#noted(changes: AsyncIterable<Change>): AsyncGenerator<Change, void, undefined> {
    for await (const change of changes)
      yield change.kind === "file" ? { ...change, content: this.#notedContent(change.content) } : change;
  }

  async *#notedContent(content: ByteStream): ByteStream {
    const chunks: Uint8Array[] = [];
    let isElf: boolean | null = null;
    for await (const chunk of content) {
      isElf ??= elfMagic.every((byte, at) => (chunk[at] ?? byte) === byte);
      if (isElf) chunks.push(chunk);
      else yield chunk;
    }
    if (chunks.length === 0) return;
    const bytes = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : concat(chunks);
    this.#files.markOfImage(bytes);
    yield bytes;
  }

  async remove(layer: DiffId): Promise<void> {
    this.#files.remove(this.#layer(layer));
  }

  async prepare(container: ContainerId, lowers: readonly DiffId[]): Promise<void> {
    const rw = this.#files.makeDirectory(this.#rw(container));
    const upper = this.#files.makeIn(rw, "upper");
    for (const name of ["work", "merged"]) this.#files.makeIn(rw, name);
    const top = lowers.at(-1);
    if (top === undefined) return;
    // The union's root shows the upper directory's owner and mode: it takes them from the image.
    const { tree, root } = this.#files.branch(`${this.#layer(top)}/diff`);
    const { mode, uid, gid } = tree.stat(root);
    upper.fileSystem.setAttributes(upper.inode, { mode, uid, gid });
  }

  overlay(container: ContainerId, lowers: readonly DiffId[]): Pick<Overlay, "lowers" | "upper" | "work" | "target"> {
    const place = this.#rw(container);
    return {
      lowers: lowers.map((layer) => `${this.#layer(layer)}/diff` as HostPath),
      upper: `${place}/upper` as HostPath,
      work: `${place}/work` as HostPath,
      target: `${place}/merged` as HostPath,
    };
  }

  async readFile(
    container: ContainerId,
    lowers: readonly DiffId[],
    path: string,
    limit: number,
  ): Promise<Uint8Array | null> {
    const union = this.#union(container, lowers);
    const mount = { fileSystem: union, root: union.root, type: "overlay", source: "overlay", flags: new Set<never>() };
    const table = newTable({ ...mount, options: "", idMaps: null }, () => 1);
    const view = { table, root: rootOf(table), directory: rootOf(table), permit: () => {} };
    try {
      const { found } = locate(view, `/${path}`);
      if (found === null || fileSystemAt(table, found).stat(found.inode).kind !== "file") return null;
      return union.read(found.inode, 0, limit);
    } catch (thrown) {
      if (thrown instanceof Errno) return null;
      throw thrown;
    }
  }

  async differences(container: ContainerId, lowers: readonly DiffId[]): Promise<Difference[]> {
    const upper = this.#files.branch(`${this.#rw(container)}/upper`);
    const below = lowers.toReversed().map((layer) => this.#files.branch(`${this.#layer(layer)}/diff`));
    return differencesOfLayer(upper, new Union(emptyBranch(), below));
  }

  /** Of this very moment: forks of the trees cost nothing. */
  async *merged(container: ContainerId, lowers: readonly DiffId[]): AsyncGenerator<Change, void, undefined> {
    yield* entriesOf(this.#union(container, lowers, forked));
  }

  #union(container: ContainerId, lowers: readonly DiffId[], as = (branch: Branch): Branch => branch): Union {
    const upper = `${this.#rw(container)}/upper`;
    const top = this.#files.find(upper) === null ? emptyBranch() : as(this.#files.branch(upper));
    return new Union(
      top,
      lowers.toReversed().map((layer) => as(this.#files.branch(`${this.#layer(layer)}/diff`))),
    );
  }

  async discard(container: ContainerId): Promise<void> {
    this.#files.remove(this.#rw(container));
  }

  /** All layers lie in one tree, with all that the host has beside them: that one is looked at. */
  async *check(): AsyncGenerator<TreeProblem, void, undefined> {
    const { tree } = this.#files.branch(this.#layers);
    for (const { path, problem } of checkTree(tree, { mayHaveWhiteout: isInLayer }))
      yield { thing: "file", path, problem };
  }
}

function isInLayer(path: string): boolean {
  return /\/(?:layers\/[^/]+\/diff|containers\/[^/]+\/rw\/upper)\//.test(path);
}

function forked({ tree, root }: Branch): Branch {
  return { tree: new Tree(() => 0n, tree.snapshot()), root };
}

function emptyBranch(): Branch {
  const tree = new Tree(() => 0n);
  return { tree, root: tree.root };
}

function applyError(name: LayerName, thrown: unknown): unknown {
  if (!(thrown instanceof Errno)) return thrown;
  const { errno, path } = thrown;
  const layer = typeof name === "string" ? `layer ${name}` : "a layer";
  return new TsboxError("corrupt", `${layer}: ${path}: ${errnoText(errno).toLowerCase()}`, { errno, path });
}
