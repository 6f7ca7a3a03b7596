/** The file systems of control groups, "cgroup2" and "cgroup": groups as directories, what they limit and count as files. */
import { Errno } from "../../../../core/base/errno.ts";
import type { Kernel } from "../kernel.ts";
import { Synthetic, type SyntheticDirectory, type SyntheticFile, type SyntheticNode } from "../synthetic.ts";
import type { LegacyOptions } from "./cgroups.ts";
import { attributesOf, changeAttributes, type Files } from "./files-common.ts";
import { legacyFiles } from "./files-v1.ts";
import { unifiedFiles } from "./files-v2.ts";
import { type Cgroup, type Controller, controllers, type ControllerStates } from "./group.ts";

/** Shows a hierarchy from one of its groups on: the root of the mounter's cgroup namespace. */
export class Cgroupfs extends Synthetic {
  readonly group: Cgroup;

  constructor(kernel: Kernel, group: Cgroup) {
    super(groupDirectory(kernel, group), () => kernel.turns.now, "cgroup");
    this.group = group;
  }
}

/** A group's directory is made once, when somebody looks. */
const directories = new WeakMap<Cgroup, SyntheticDirectory>();

function groupDirectory(kernel: Kernel, group: Cgroup): SyntheticDirectory {
  const known = directories.get(group) ?? newDirectory(kernel, group);
  directories.set(group, known);
  return known;
}

function newDirectory(kernel: Kernel, group: Cgroup): SyntheticDirectory {
  const { hierarchy } = group;
  return {
    kind: "directory",
    mode: 0o755,
    attributes: attributes(group, ""),
    names: () => (group.isRemoved ? [] : [...Object.keys(filesOf(kernel, group)), ...group.children.keys()].sort()),
    child: (name) => childOf(kernel, group, name),
    make: (name, owner) => {
      if (group.isRemoved) throw new Errno("ENOENT", name);
      kernel.cgroups.make(name, group, owner);
    },
    remove: (name) => {
      const child = group.children.get(name);
      if (child === undefined) throw new Errno("ENOTDIR", name);
      kernel.cgroups.remove(child);
    },
    ...(hierarchy.version === 1 ? { rename: (from: string, to: string) => renameGroup(group, from, to) } : {}),
  };
}

function childOf(kernel: Kernel, group: Cgroup, name: string): SyntheticNode | null {
  const child = group.children.get(name);
  if (child !== undefined) return groupDirectory(kernel, child);
  return group.isRemoved ? null : fileOf(filesOf(kernel, group), group, name);
}

/** Files with whose they are. */
const owned = new WeakMap<Files, Map<string, SyntheticFile>>();

function fileOf(files: Files, group: Cgroup, name: string): SyntheticFile | null {
  const file = Object.hasOwn(files, name) ? files[name] : undefined;
  if (file === undefined) return null;
  const made = owned.get(files) ?? new Map<string, SyntheticFile>();
  owned.set(files, made);
  const known = made.get(name) ?? { ...file, attributes: attributes(group, name) };
  made.set(name, known);
  return known;
}

/** The files change with the controllers that are on. */
const known = new WeakMap<Cgroup, { readonly states: ControllerStates; readonly files: Files }>();

function filesOf(kernel: Kernel, group: Cgroup): Files {
  const before = known.get(group);
  if (before !== undefined && isSame(before.states, group.states)) return before.files;
  const files = (group.hierarchy.version === 2 ? unifiedFiles : legacyFiles)({ kernel, group });
  known.set(group, { states: { ...group.states }, files });
  return files;
}

const kinds = ["memory", "pids", "cpu", "cpuset", "io", "hugetlb"] as const satisfies (keyof ControllerStates)[];

function isSame(a: ControllerStates, b: ControllerStates): boolean {
  return kinds.every((controller) => a[controller] === b[controller]);
}

function attributes(group: Cgroup, name: string): NonNullable<SyntheticFile["attributes"]> {
  return {
    get: () => attributesOf(group, name),
    set: (change) => changeAttributes(group, name, change),
  };
}

/** Within one directory only (cgroup1_rename()). */
function renameGroup(parent: Cgroup, from: string, to: string): void {
  const group = parent.children.get(from);
  if (group === undefined) throw new Errno("ENOTDIR", from);
  if (parent.children.has(to)) throw new Errno("EEXIST", to);
  if (to.includes("\n")) throw new Errno("EINVAL", to);
  parent.children.delete(from);
  parent.children.set(to, group);
  group.name = to;
}

const unifiedOptions = new Set([
  "",
  "rw",
  "ro",
  "nsdelegate",
  "favordynmods",
  "memory_localevents",
  "memory_recursiveprot",
]);

/** EINVAL for an option that version 2 does not know. */
export function checkUnifiedOptions(options: string): void {
  const unknown = options.split(",").find((word) => !unifiedOptions.has(word));
  if (unknown !== undefined) throw new Errno("EINVAL", unknown);
}

const aliases: Readonly<Record<string, Controller>> = { blkio: "io" };
const common = new Set([
  "",
  "rw",
  "ro",
  "nosuid",
  "nodev",
  "noexec",
  "relatime",
  "xattr",
  "noprefix",
  "clone_children",
]);

/** The options of a mount of version 1 (cgroup1_parse_param() in the kernel). EINVAL for what is not known. */
export function legacyOptions(options: string): LegacyOptions {
  const chosen = new Set<Controller>();
  let [none, all, name] = [false, false, null as string | null];
  for (const word of options.split(",")) {
    const controller = aliases[word] ?? controllers.find((each) => each === word && each !== "io");
    if (controller !== undefined) chosen.add(controller);
    else if (word === "none") none = true;
    else if (word === "all") all = true;
    else if (/^name=[\w.-]{1,63}$/.test(word)) name = word.slice("name=".length);
    else if (!common.has(word)) throw new Errno("EINVAL", word);
  }
  if ((none && chosen.size > 0) || (all && (none || chosen.size > 0))) throw new Errno("EINVAL", options);
  if (none && name === null) throw new Errno("EINVAL", options);
  const isEvery = all || (chosen.size === 0 && !none && name === null);
  return { controllers: controllers.filter((each) => isEvery || chosen.has(each)), none, name };
}
