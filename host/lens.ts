/**
 * What a simulated host looks like from outside at one moment: processes with their namespaces,
 * containers with their layers, and the plan that was performed last. A lens only reads; whoever wants
 * something to change types it. The values are plain data: they cross to the page.
 */
import type { HostFiles } from "../backends/sim/host-files.ts";
import type { Kernel } from "../backends/sim/kernel/kernel.ts";
import type { Namespaces, Process } from "../backends/sim/kernel/process.ts";
import type { Engine } from "../core/engine/engine.ts";
import { initLayer } from "../core/engine/init-layer.ts";
import { hexOf } from "../core/image/digest.ts";
import { explainPlan, type PlanStep } from "../core/runtime/explain.ts";
import type { Plan } from "../core/runtime/plan.ts";
import type { TreePath } from "../core/unionfs/change.ts";
import type { Inode } from "../core/unionfs/file-system.ts";
import { type Branch, isOpaque, isWhiteout } from "../core/unionfs/marks.ts";
import { type LayerEntry, type Origin, Origins } from "../core/unionfs/origin.ts";

export const namespaceKinds = ["mount", "uts", "ipc", "pid", "network", "user", "cgroup", "time"] as const;

export interface ProcessView {
  /** As the host sees it. */
  readonly pid: number;
  readonly parent: number;
  /** As its own pid namespace sees it. */
  readonly ownPid: number;
  readonly command: string;
  readonly state: Process["state"];
  readonly uid: number;
  /** The number /proc/<pid>/ns shows, for each of namespaceKinds. */
  readonly namespaces: readonly number[];
  /** Its cgroup's path, "/" the root's. */
  readonly cgroup: string;
  /** Bytes of memory it is charged for, and processor time in nanoseconds. */
  readonly memoryBytes: number;
  readonly cpuNanos: number;
}

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
  /** The diff id, "" for the container's own. */
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

/** What the lens looks at. */
export interface Looked {
  readonly kernel: Kernel;
  readonly files: HostFiles;
  /** Null until it is open. */
  readonly engine: Engine | null;
  readonly performed: { readonly container: string; readonly plan: Plan } | null;
}

export async function look({ kernel, engine, performed }: Looked): Promise<HostView> {
  return {
    now: kernel.turns.now,
    turns: kernel.turns.step,
    processes: [...kernel.processes.values()].map(processView),
    containers: engine === null ? [] : await containerViews(engine),
    plan: performed === null ? null : { container: performed.container, steps: explainPlan(performed.plan) },
  };
}

function processView(process: Process): ProcessView {
  return {
    pid: process.pid,
    parent: process.parent?.pid ?? 0,
    ownPid: process.numbers.get(process.namespaces.pid) ?? process.pid,
    command: process.argv.length > 0 ? process.argv.join(" ") : process.name,
    state: process.state,
    uid: process.uid,
    namespaces: namespaceKinds.map((kind) => numberOf(process.namespaces, kind)),
    cgroup: cgroupPath(process),
    memoryBytes: process.memoryBytes,
    cpuNanos: Number(process.cpuNanos),
  };
}

function numberOf(namespaces: Namespaces, kind: (typeof namespaceKinds)[number]): number {
  return namespaces[kind].number;
}

function cgroupPath({ cgroup }: Process): string {
  const names: string[] = [];
  for (let at: Process["cgroup"] | null = cgroup; at !== null; at = at.parent)
    if (at.name !== "") names.unshift(at.name);
  return `/${names.join("/")}`;
}

async function containerViews(engine: Engine): Promise<ContainerView[]> {
  const records = await engine.containers.list();
  return records.map(({ id, name, config, state, layers }) => ({
    id,
    name,
    image: config.image,
    state,
    layers: [
      { kind: "init", diffId: initLayer, path: layerPath(initLayer) },
      ...layers.map((diffId) => ({ kind: "image", diffId, path: layerPath(diffId) }) as const),
      { kind: "container", diffId: "", path: `/var/lib/tsbox/containers/${id}/rw/upper` },
    ],
  }));
}

function layerPath(diffId: Parameters<typeof hexOf>[0]): string {
  return `/var/lib/tsbox/layers/${hexOf(diffId)}/diff`;
}

/** Where each name in a container's directory comes from, as of its layers 0…`top`. */
export function originsIn(files: HostFiles, layers: readonly LayerView[], path: string, top: number): Origin[] {
  const entries = layers.map((layer) => entriesOnTheWay(files, layer.path, path));
  return new Origins(entries).list(path, top);
}

/** A layer's entries on the way to a directory and in it: all that is needed to tell where its names come from. */
function entriesOnTheWay(files: HostFiles, layer: string, path: string): LayerEntry[] {
  if (files.find(layer) === null) return [];
  const { tree, root } = files.branch(layer);
  const entries: LayerEntry[] = [];
  let directory: Inode | null = root;
  let at = "";
  for (const name of [...path.split("/").filter((each) => each !== ""), null]) {
    if (directory === null || tree.stat(directory).kind !== "directory") break;
    entries.push(...entriesIn({ tree, root: directory }, at));
    if (name === null) break;
    directory = tree.list(directory).find((entry) => entry.name === name)?.inode ?? null;
    at = at === "" ? name : `${at}/${name}`;
  }
  return entries;
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
