/**
 * The plan: a container's start as plain data, an ordered list of kernel operations.
 *
 * There are two actors. The *monitor* performs the host steps; the last of them may be one
 * `spawn`, which clones the container's first process; that *child* performs the spawn's steps and
 * ends in `gate`, then `exec`. The Linux helper performs the plan on the real kernel, the simulator
 * on a simulated one, and `run --explain` prints this very object.
 *
 * Rules of the vocabulary: names, never handles (no pid, no descriptor); no conditions, loops or
 * results; each op makes one thing, may find it made already, and has an inverse where it leaves
 * something behind. A ContainerPath is resolved at perform time beneath the container's root, never
 * earlier: an image that puts a symlink there must not lead us out.
 *
 * Adding a kind: its shape here, its row in ops.ts (check, undo, explain). The compiler then names
 * the performers that lack it.
 */
import type { ContainerId, ContainerPath, HostPath } from "../base/brand.ts";
import type { Capability } from "./capabilities.ts";
import type { SeccompProfile } from "./seccomp.ts";
import type { CgroupController } from "./traits.ts";

export type Namespace = "mount" | "uts" | "ipc" | "pid" | "network" | "cgroup" | "user" | "time";

/** mount(2) flags by their lower-case names. */
export type MountFlag =
  | "ro"
  | "nosuid"
  | "nodev"
  | "noexec"
  | "noatime"
  | "relatime"
  | "nodiratime"
  | "strictatime"
  | "sync";

export type Propagation = "private" | "rprivate" | "slave" | "rslave" | "shared" | "rshared";

export interface IdMapping {
  readonly inside: number;
  readonly outside: number;
  readonly count: number;
}

export interface IdMaps {
  readonly uids: readonly IdMapping[];
  readonly gids: readonly IdMapping[];
}

/** A directory of one cgroup hierarchy. `controller` says which, `path` is relative to its mount. */
export interface Cgroup {
  readonly controller: CgroupController;
  readonly mount: HostPath;
  /** "tsbox/<container id>", never absolute, never with "..". */
  readonly path: string;
}

/** What the monitor does, with the host's privileges, in the host's namespaces. */
export type HostOp =
  | { readonly op: "directory.make"; readonly path: HostPath; readonly mode: number }
  | { readonly op: "directory.remove"; readonly path: HostPath }
  | { readonly op: "cgroup.make"; readonly cgroup: Cgroup }
  | { readonly op: "cgroup.set"; readonly cgroup: Cgroup; readonly file: string; readonly value: string }
  /** Ends every process in the cgroup. */
  | { readonly op: "cgroup.kill"; readonly cgroup: Cgroup }
  | { readonly op: "cgroup.remove"; readonly cgroup: Cgroup }
  | Spawn;

export interface Spawn {
  readonly op: "spawn";
  /** The namespaces the child is born into. "cgroup" is never among them: see `unshare`. */
  readonly create: readonly Namespace[];
  /** An existing container's namespaces; its pid namespace must be set before the clone. */
  readonly join: Join | null;
  /** Maps of a new user namespace, written by the monitor before the child goes on. */
  readonly idMaps: IdMaps | null;
  readonly child: readonly ChildOp[];
}

export interface Join {
  readonly container: ContainerId;
  readonly namespaces: readonly Namespace[];
}

export interface Overlay {
  readonly op: "overlay";
  /** Bottom to top: the image's layers, then the init layer. At most 500. */
  readonly lowers: readonly HostPath[];
  readonly upper: HostPath;
  readonly work: HostPath;
  /** A host directory; from here on it is the container's root. */
  readonly target: HostPath;
  readonly via: "fsopen" | "mount";
  /** Ids of a user namespace the layers are shown in, null for the host's own. */
  readonly idMaps: IdMaps | null;
  readonly flags: readonly MountFlag[];
}

/** What the child does to itself, in this order's sense: join, look, mount, pivot, drop, wait, exec. */
export type ChildOp =
  | { readonly op: "cgroup.join"; readonly cgroup: Cgroup }
  | { readonly op: "unshare"; readonly namespaces: readonly Namespace[] }
  | { readonly op: "enter"; readonly join: Join }
  | { readonly op: "propagation"; readonly path: HostPath; readonly mode: Propagation }
  | Overlay
  | {
      readonly op: "mount";
      readonly type: "proc" | "sysfs" | "tmpfs" | "devpts" | "mqueue" | "cgroup" | "cgroup2";
      readonly source: string;
      readonly target: ContainerPath;
      readonly flags: readonly MountFlag[];
      readonly options: string;
    }
  | {
      readonly op: "bind";
      readonly source: HostPath;
      readonly target: ContainerPath;
      readonly recursive: boolean;
      readonly flags: readonly MountFlag[];
      readonly propagation: Propagation | null;
    }
  /** Makes a directory and its missing parents inside the root. */
  | { readonly op: "directory"; readonly path: ContainerPath; readonly mode: number }
  /** Makes an empty file inside the root, for a bind to land on. */
  | { readonly op: "file"; readonly path: ContainerPath; readonly mode: number }
  | {
      readonly op: "device";
      readonly path: ContainerPath;
      readonly type: "character" | "block";
      readonly major: number;
      readonly minor: number;
      readonly mode: number;
    }
  | { readonly op: "symlink"; readonly path: ContainerPath; readonly target: string }
  /** Makes `root` the root of the mount namespace and lets go of the old one. */
  | { readonly op: "pivot"; readonly root: HostPath }
  /** Hides a path: a directory under an empty read-only tmpfs, a file under /dev/null. A missing path is left so. */
  | { readonly op: "mask"; readonly path: ContainerPath }
  /** Makes a path read-only by a bind onto itself ("/" : the root itself). A missing path is left so. */
  | { readonly op: "readonly"; readonly path: ContainerPath }
  | { readonly op: "hostname"; readonly name: string }
  | { readonly op: "domainname"; readonly name: string }
  | { readonly op: "sysctl"; readonly name: string; readonly value: string }
  /** Sets a network device of this network namespace up. */
  | { readonly op: "link.up"; readonly device: string }
  | { readonly op: "session" }
  /** Opens a new pty of the container's own devpts as controlling terminal and standard streams; also as /dev/console when asked. */
  | { readonly op: "terminal"; readonly rows: number; readonly columns: number; readonly console: boolean }
  | { readonly op: "oom.score"; readonly value: number }
  | { readonly op: "rlimit"; readonly resource: string; readonly soft: number; readonly hard: number }
  /** Marks every descriptor from `from` up close-on-exec: nothing of the host is inherited. */
  | { readonly op: "descriptors.close"; readonly from: number }
  | { readonly op: "umask"; readonly mask: number }
  | { readonly op: "user"; readonly uid: number; readonly gid: number; readonly groups: readonly number[] }
  /** Changes to the directory, before the user changes (runc: a directory only root may enter will do); it must be in the root. */
  | { readonly op: "directory.enter"; readonly path: ContainerPath }
  | {
      readonly op: "capabilities";
      readonly bounding: readonly Capability[];
      readonly permitted: readonly Capability[];
      readonly effective: readonly Capability[];
      readonly inheritable: readonly Capability[];
      readonly ambient: readonly Capability[];
    }
  | { readonly op: "no.new.privileges" }
  | { readonly op: "seccomp"; readonly profile: SeccompProfile }
  /** Waits for Task.release(): attach and network are ready before the program runs. */
  | { readonly op: "gate" }
  /** Tries each candidate path in turn, as execvp(3) does, with exactly this argv and environment. */
  | {
      readonly op: "exec";
      readonly candidates: readonly ContainerPath[];
      readonly argv: readonly [string, ...string[]];
      readonly environment: readonly string[];
    };

export type Op = HostOp | ChildOp;
export type OpKind = Op["op"];

export interface Plan {
  readonly steps: readonly HostOp[];
}

/** Where a plan failed: the step's index ("3" a host step, "7.12" step 12 of spawn 7), what the kernel said. */
export interface PlanFailure {
  readonly step: string;
  readonly op: OpKind;
  readonly errno: string;
  readonly path: string;
}
