/**
 * What a simulated host looks like from outside at one moment: processes with their namespaces,
 * containers with their layers, and the plan that was performed last. A lens only reads, and of kernel
 * state only, so it looks at a moment that is long past as it does at now. The values are plain data:
 * they cross to the page.
 */
import { decodeBytes } from "../core/base/bytes.ts";
import type { ContainerRecord } from "../core/container/record.ts";
import { initLayer } from "../core/engine/init-layer.ts";
import { hexOf } from "../core/image/digest.ts";
import { explainPlan, type PlanStep } from "../core/runtime/explain.ts";
import type { TreePath } from "../core/unionfs/change.ts";
import { Content } from "../core/unionfs/content.ts";
import type { Inode } from "../core/unionfs/file-system.ts";
import { type Branch, isOpaque, isWhiteout } from "../core/unionfs/marks.ts";
import { type LayerEntry, type Origin, Origins } from "../core/unionfs/origin.ts";
import { Tree } from "../core/unionfs/tree.ts";
import type { Moment, ProcessView } from "./moment.ts";

export interface ContainerView {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly state: string;
  /** Bottom first; the container's own writable layer is the last. */
  readonly layers: readonly LayerView[];
}

export interface LayerView {
  readonly kind: "init" | "image" | "container";
  /** An image layer's diff id; the others are no content that is named by a digest: "". */
  readonly diffId: string;
  /** Where it lies on the simulated host. */
  readonly path: string;
}

export interface HostView {
  /** Nanoseconds since the epoch, and how many turns the kernel has taken. */
  readonly now: bigint;
  readonly turns: number;
  readonly processes: readonly ProcessView[];
  readonly containers: readonly ContainerView[];
  /** The plan performed last, null before the first. */
  readonly plan: PlanView | null;
}

export interface PlanView {
  readonly container: string;
  readonly steps: readonly PlanStep[];
}

export function look({ now, turns, processes, files, performed }: Moment): HostView {
  return {
    now,
    turns,
    processes,
    containers: containersIn(new Tree(() => now, files)),
    plan: performed === null ? null : { container: performed.container, steps: explainPlan(performed.plan) },
  };
}

/** As their records on disk tell, the newest first. */
function containersIn(tree: Tree): ContainerView[] {
  const all = directoryAt(tree, tree.root, "var/lib/tsbox/containers");
  if (all === null) return [];
  const records = tree.list(all).flatMap(({ inode }) => recordIn(tree, inode) ?? []);
  return records.toSorted((a, b) => (a.createdAt > b.createdAt ? -1 : 1)).map(containerView);
}

/** A record is written anew whenever it changes, so what was read of its content stays true. */
const known = new WeakMap<object, ContainerRecord>();

/** Null for a container that is half made or half removed. */
function recordIn(tree: Tree, directory: Inode): ContainerRecord | null {
  const file = tree.find(directory, "record.json");
  if (file === 0) return null;
  const { body } = tree.node(file);
  if (!(body instanceof Content)) return null;
  const record = known.get(body) ?? (JSON.parse(decodeBytes(body.read(0, body.size))) as ContainerRecord);
  known.set(body, record);
  return record;
}

function containerView({ id, name, config, state, layers }: ContainerRecord): ContainerView {
  return {
    id,
    name,
    image: config.image,
    state,
    layers: [
      { kind: "init", diffId: "", path: layerPath(initLayer) },
      ...layers.map((diffId) => ({ kind: "image", diffId, path: layerPath(diffId) }) as const),
      { kind: "container", diffId: "", path: `/var/lib/tsbox/containers/${id}/rw/upper` },
    ],
  };
}

function layerPath(diffId: Parameters<typeof hexOf>[0]): string {
  return `/var/lib/tsbox/layers/${hexOf(diffId)}/diff`;
}

/** Where each name in a container's directory comes from, as of its layers 0…`top`. */
export function originsIn({ now, files }: Moment, layers: readonly LayerView[], path: string, top: number): Origin[] {
  const tree = new Tree(() => now, files);
  return new Origins(layers.map((layer) => entriesOnTheWay(tree, layer.path, path))).list(path, top);
}

/** A layer's entries on the way to a directory and in it: all that is needed to tell where its names come from. */
function entriesOnTheWay(tree: Tree, layer: string, path: string): LayerEntry[] {
  const entries: LayerEntry[] = [];
  let directory = directoryAt(tree, tree.root, layer);
  let at = "";
  for (const name of [...namesOf(path), null]) {
    if (directory === null) break;
    entries.push(...entriesIn({ tree, root: directory }, at));
    if (name === null) break;
    directory = directoryAt(tree, directory, name);
    at = at === "" ? name : `${at}/${name}`;
  }
  return entries;
}

function namesOf(path: string): string[] {
  return path.split("/").filter((name) => name !== "");
}

/** Null when there is none of that path, which is taken by its letters. */
function directoryAt(tree: Tree, from: Inode, path: string): Inode | null {
  let directory = from;
  for (const name of namesOf(path)) {
    const found = tree.find(directory, name);
    if (found === 0 || tree.stat(found).kind !== "directory") return null;
    directory = found;
  }
  return directory;
}

function entriesIn({ tree, root }: Branch, at: string): LayerEntry[] {
  return tree.list(root).flatMap(({ name, inode }): LayerEntry[] => {
    const path = (at === "" ? name : `${at}/${name}`) as TreePath;
    const node = tree.node(inode);
    const { mode, uid, gid, size, kind } = tree.stat(inode);
    const base = { path, mode, uid, gid, size: kind === "file" ? size : 0 };
    if (isWhiteout(node, "trusted.overlay.")) return [{ ...base, kind: "whiteout", target: "" }];
    const target = kind === "symlink" ? tree.readlink(inode) : "";
    const entry: LayerEntry = { ...base, kind: kind === "socket" ? "fifo" : kind, target };
    return isOpaque(node, "trusted.overlay.") ? [entry, { ...base, kind: "opaque", target: "" }] : [entry];
  });
}
