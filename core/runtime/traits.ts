/**
 * HostTraits: what the machine can do, found out once when the engine starts. `compile` reads
 * them and nothing else about the world, so that a plan is decided before anything happens.
 */
import type { Capability } from "./capabilities.ts";
import type { HostPath } from "../base/brand.ts";

/** The controllers tsbox uses. "unified" is the v2 hierarchy itself (kill and freeze). */
export type CgroupController =
  | "cpu"
  | "cpuacct"
  | "cpuset"
  | "memory"
  | "pids"
  | "blkio"
  | "freezer"
  | "devices"
  | "unified";

/** One mounted hierarchy: on pure v2 there is one, "unified", which holds every controller. */
export interface CgroupHierarchy {
  readonly version: 1 | 2;
  /** Where it is mounted, "/sys/fs/cgroup/memory". */
  readonly mount: HostPath;
  readonly controllers: readonly CgroupController[];
}

export interface IdRange {
  readonly start: number;
  readonly count: number;
}

/** A program of the host that runs programs for WASI: what has to be bound into a container for it, and how it is called. */
export interface WasiRunner {
  /** Files of the host, and the names they get in the container (wasi-runner.ts says where). */
  readonly files: readonly { readonly source: HostPath; readonly name: string }[];
  /** Its words, "./name" for such a file; behind them come the number of hidden variables, these, and the program's own words. */
  readonly argv: readonly [string, ...string[]];
}

export interface HostTraits {
  readonly kernel: string;
  readonly architecture: "amd64" | "arm64";
  readonly cgroups: readonly CgroupHierarchy[];
  /** Where containers' cgroups are made unless they ask for another place, relative to each hierarchy: "tsbox". */
  readonly cgroupParent: string;
  /** Overlay through fsopen and "lowerdir+" (Linux 6.5), or one mount(2) with short names. */
  readonly overlay: "fsopen" | "mount";
  readonly userNamespaces: boolean;
  /** Whether layers can be shifted to a user namespace's ids by id-mapped mounts. */
  readonly idmappedMounts: boolean;
  /** The host ids a user namespace of ours may map, from /etc/subuid and /etc/subgid. */
  readonly subordinate: { readonly uids: IdRange; readonly gids: IdRange } | null;
  readonly timeNamespaces: boolean;
  /** How programs for WASI run: the kernel executes them itself, a runner does, or (null) not at all. */
  readonly wasi: "kernel" | WasiRunner | null;
  readonly seccomp: boolean;
  /** The bounding set of the engine itself: nothing outside it can be given to a container. */
  readonly capabilities: readonly Capability[];
  /** Hard limits that cannot be raised without CAP_SYS_RESOURCE; null means they can. */
  readonly hardLimits: Readonly<Record<string, number>> | null;
  readonly rootless: boolean;
  /** A program that can be a container's first process, /sbin/docker-init (--init); absent: there is none. */
  readonly init?: HostPath;
  readonly processors: number;
  readonly memoryBytes: number;
}
