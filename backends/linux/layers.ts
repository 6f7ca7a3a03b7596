/**
 * Layers on overlayfs. On disk:
 *
 *   layers/<hex>/diff        a layer's tree, whiteouts and opaque directories in overlayfs's own form
 *   layers/<hex>/hidden      the paths its whiteouts and opaque marks name, JSON; only when it has some
 *   layers/.<n>              a layer being made or removed: rubbish after a crash
 *   containers/<id>/rw/      upper, work, and merged, the mount point
 *
 * Trees are written and removed by the helper, beneath a root descriptor, as node:fs has no
 * extended attributes, device nodes or nanosecond times. `hidden` exists because it cannot read
 * them either: it tells `readFile` which directories are opaque.
 */
import * as fs from "node:fs";
import { join } from "node:path";
import { assert } from "../../core/base/assert.ts";
import type { ContainerId, HostPath } from "../../core/base/brand.ts";
import { Errno, type ErrnoName, errnoText } from "../../core/base/errno.ts";
import { TsboxError } from "../../core/base/error.ts";
import type { LayerName, Layers, TreeProblem } from "../../core/engine/machine.ts";
import { type DiffId, hexOf } from "../../core/image/digest.ts";
import type { Overlay } from "../../core/runtime/plan.ts";
import type { Change } from "../../core/unionfs/change.ts";
import type { Difference } from "../../core/unionfs/diff.ts";
import { makeDirectory } from "./disk.ts";
import { asErrno, failedWith } from "./errors.ts";
import type { Helper } from "./helper.ts";
import { Hidden } from "./hidden.ts";
import { checkLayer } from "./layer-check.ts";
import { TreeSocket } from "./tree-socket.ts";
import { readUnion } from "./union-socket.ts";
import { readUnionFile, type UnionPart } from "./union-file.ts";
import { writtenDifferences } from "./written.ts";
import type { Request } from "./wire/request.ts";

const noneHidden: ReadonlySet<string> = new Set();
const defaultRootMode = 0o755;
/** The kernel's limit of lower directories (OVL_MAX_STACK). */
const lowersMax = 500;

export interface OverlayLayersOptions {
  readonly dataRoot: HostPath;
  readonly runRoot: HostPath;
  readonly helper: Helper;
  /** How this kernel has overlays mounted. */
  readonly via: Overlay["via"];
}

export class OverlayLayers implements Layers {
  readonly name = "overlay2";
  readonly #dataRoot: HostPath;
  readonly #runRoot: HostPath;
  readonly #helper: Helper;
  readonly #hidden = new Map<DiffId, ReadonlySet<string>>();
  readonly #via: Overlay["via"];
  #works = 0;

  constructor({ dataRoot, runRoot, helper, via }: OverlayLayersOptions) {
    this.#dataRoot = dataRoot;
    this.#runRoot = runRoot;
    this.#helper = helper;
    this.#via = via;
  }

  /** Makes the directories, and removes what a crash left half made or half removed. */
  async open(): Promise<void> {
    makeDirectory(this.#layers, 0o700);
    makeDirectory(`${this.#dataRoot}/containers`, 0o711);
    for (const name of fs.readdirSync(this.#layers)) if (name.startsWith(".")) await this.#removeTree(this.#at(name));
  }

  get #layers(): string {
    return `${this.#dataRoot}/layers`;
  }

  #at(name: string): HostPath {
    return join(this.#layers, name) as HostPath;
  }

  #layer(layer: DiffId): HostPath {
    return this.#at(hexOf(layer));
  }

  async has(layer: DiffId): Promise<boolean> {
    return fs.existsSync(this.#layer(layer));
  }

  async list(): Promise<DiffId[]> {
    const names = fs.readdirSync(this.#layers).filter((name) => /^[0-9a-f]{64}$/.test(name));
    return names.map((name) => `sha256:${name}` as DiffId);
  }

  /** Throws TsboxError "corrupt" for changes that contradict each other, "failed" when the disk refuses. */
  async apply(name: LayerName, changes: AsyncIterable<Change>, tar = (): HostPath | null => null): Promise<void> {
    const place = this.#at(`.${process.pid}-${++this.#works}`);
    const noted = new Hidden();
    try {
      makeDirectory(join(place, "diff"), defaultRootMode);
      const root = join(place, "diff") as HostPath;
      await this.#build(root, noted.noting(changes), tar);
      const hidden = noted.within(root);
      if (hidden.length > 0) fs.writeFileSync(join(place, "hidden"), JSON.stringify(hidden));
      fs.renameSync(place, this.#layer(typeof name === "string" ? name : await name()));
    } catch (thrown) {
      await this.#removeTree(place);
      if (failedWith(thrown, "EEXIST", "ENOTEMPTY")) return; // somebody else made the same layer meanwhile
      throw applyError(name, asErrno(thrown));
    }
  }

  async #build(root: HostPath, changes: AsyncIterable<Change>, tar: () => HostPath | null): Promise<void> {
    const socket = this.#socket();
    await this.#request({ kind: "tree", root, socket });
    const tree = new TreeSocket(socket);
    try {
      await tree.apply(changes, tar);
    } finally {
      await tree.close();
    }
  }

  #socket(): HostPath {
    return `${this.#runRoot}/t${++this.#works}` as HostPath;
  }

  async remove(layer: DiffId): Promise<void> {
    const place = this.#at(`.${process.pid}-${++this.#works}`);
    try {
      fs.renameSync(this.#layer(layer), place);
    } catch (thrown) {
      if (failedWith(thrown, "ENOENT")) return;
      throw asErrno(thrown);
    }
    this.#hidden.delete(layer);
    await this.#removeTree(place);
  }

  async prepare(container: ContainerId, lowers: readonly DiffId[]): Promise<void> {
    const place = this.#rw(container);
    try {
      makeDirectory(place, 0o700);
      for (const name of ["upper", "work", "merged"]) fs.mkdirSync(`${place}/${name}`);
      likeRoot(`${place}/upper`, this.#diff(lowers.at(-1)));
    } catch (thrown) {
      await this.discard(container);
      throw asErrno(thrown);
    }
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

  #rw(container: ContainerId): HostPath {
    return `${this.#dataRoot}/containers/${container}/rw` as HostPath;
  }

  #diff(layer: DiffId | undefined): string | null {
    return layer === undefined ? null : `${this.#layer(layer)}/diff`;
  }

  async readFile(
    container: ContainerId,
    lowers: readonly DiffId[],
    path: string,
    limit: number,
  ): Promise<Uint8Array | null> {
    const upper = { directory: `${this.#rw(container)}/upper`, isOpaque: () => false };
    const parts = lowers.toReversed().map((layer) => this.#part(layer));
    return readUnionFile(fs.existsSync(upper.directory) ? [upper, ...parts] : parts, path, limit);
  }

  async differences(container: ContainerId, lowers: readonly DiffId[]): Promise<Difference[]> {
    return writtenDifferences(
      `${this.#rw(container)}/upper`,
      lowers.toReversed().map((layer) => this.#part(layer)),
    );
  }

  /** The container's upper directory is the topmost of layers that are only read: its own mount, if it runs, stays as it is. */
  async *merged(container: ContainerId, lowers: readonly DiffId[]): AsyncGenerator<Change, void, undefined> {
    const { upper, target, lowers: below } = this.overlay(container, lowers);
    if (below.length >= lowersMax)
      throw new TsboxError(
        "unsupported",
        `the container has ${below.length} layers below its own; ${lowersMax - 1} can be read`,
      );
    const nowhere = "" as HostPath;
    const socket = this.#socket();
    const union: Overlay = {
      op: "overlay",
      lowers: [...below, upper],
      upper: nowhere,
      work: nowhere,
      target,
      via: this.#via,
      idMaps: null,
      flags: ["ro", "nosuid", "nodev", "noexec"],
    };
    await this.#request({ kind: "read-tree", union, socket });
    yield* readUnion(socket);
  }

  async *check(): AsyncGenerator<TreeProblem, void, undefined> {
    for (const layer of await this.list())
      for await (const mismatch of checkLayer(`${this.#layer(layer)}/diff` as HostPath, this.#hiddenIn(layer)))
        yield { thing: `layer ${layer}`, ...mismatch };
  }

  #part(layer: DiffId): UnionPart {
    const hidden = this.#hiddenIn(layer);
    return { directory: `${this.#layer(layer)}/diff`, isOpaque: (directory) => hidden.has(directory) };
  }

  #hiddenIn(layer: DiffId): ReadonlySet<string> {
    const known = this.#hidden.get(layer);
    if (known !== undefined) return known;
    const path = `${this.#layer(layer)}/hidden`;
    const hidden = fs.existsSync(path) ? new Set(JSON.parse(fs.readFileSync(path, "utf8")) as string[]) : noneHidden;
    this.#hidden.set(layer, hidden);
    return hidden;
  }

  /** A layer in which nothing was written goes with a few system calls; the helper removes the others. */
  async discard(container: ContainerId): Promise<void> {
    const place = this.#rw(container);
    if (!removedUnwritten(place)) await this.#removeTree(place);
  }

  async #removeTree(path: HostPath): Promise<void> {
    await this.#request({ kind: "remove-tree", path });
  }

  async #request(request: Request): Promise<void> {
    const result = await this.#helper.request(request);
    if (result.kind === "failed") throw new Errno(result.failure.errno as ErrnoName, result.failure.path);
    assert(result.kind === "listening" || result.kind === "done", "the helper answers what it was asked");
  }
}

/** False: something was written there, or only a part of it is there. The kernel makes "work" in its working directory. */
function removedUnwritten(place: string): boolean {
  try {
    fs.rmdirSync(`${place}/upper`);
    for (const name of ["work/work", "work", "merged", ""]) fs.rmdirSync(`${place}/${name}`);
    return true;
  } catch (thrown) {
    if (failedWith(thrown, "ENOENT", "ENOTEMPTY", "ENOTDIR", "EBUSY")) return false;
    throw asErrno(thrown);
  }
}

/** The union's root shows the upper directory's owner and mode: it takes them from the image. */
function likeRoot(upper: string, root: string | null): void {
  const { mode, uid, gid } = root === null ? { mode: defaultRootMode, uid: 0, gid: 0 } : fs.statSync(root);
  fs.chmodSync(upper, mode & 0o7777);
  if (uid !== 0 || gid !== 0) fs.chownSync(upper, uid, gid);
}

/** What the machine, not the layer, is to blame for. */
const machineErrors: readonly ErrnoName[] = ["ENOSPC", "EDQUOT", "EIO", "EROFS", "EMFILE", "ENFILE", "ENOMEM", "EPERM"];

function applyError(name: LayerName, thrown: unknown): unknown {
  if (!(thrown instanceof Errno)) return thrown;
  const { errno, path } = thrown;
  const code = machineErrors.includes(errno) ? "failed" : "corrupt";
  const layer = typeof name === "string" ? `layer ${name}` : "a layer";
  return new TsboxError(code, `${layer}: ${path}: ${errnoText(errno).toLowerCase()}`, { errno, path });
}
