/**
 * The OCI runtime specification's configuration (runtime-spec, config.md and config-linux.md) as
 * far as tsbox uses it, in the standard's own JSON names, so that a `config.json` reads as a Spec.
 * Two things are ours: a namespace may name a `container` to share it with, and `seccomp` is the
 * profile already narrowed to the container (seccomp.ts).
 */
import type { ContainerId } from "../base/brand.ts";
import type { Capability } from "./capabilities.ts";
import type { Namespace } from "./plan.ts";
import type { SeccompProfile } from "./seccomp.ts";

export interface Spec {
  readonly ociVersion: string;
  readonly process: Process;
  readonly root: { readonly path: string; readonly readonly: boolean };
  /** "" leaves the name as it is. */
  readonly hostname: string;
  readonly domainname: string;
  readonly mounts: readonly SpecMount[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: LinuxSpec;
}

export interface Process {
  /** null: no terminal. */
  readonly consoleSize: { readonly height: number; readonly width: number } | null;
  readonly terminal: boolean;
  readonly user: {
    readonly uid: number;
    readonly gid: number;
    readonly additionalGids: readonly number[];
    readonly umask: number;
  };
  readonly args: readonly [string, ...string[]];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: CapabilitySets;
  readonly rlimits: readonly SpecRlimit[];
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj: number;
}

export interface CapabilitySets {
  readonly bounding: readonly Capability[];
  readonly permitted: readonly Capability[];
  readonly effective: readonly Capability[];
  readonly inheritable: readonly Capability[];
  readonly ambient: readonly Capability[];
}

export interface SpecRlimit {
  /** "RLIMIT_NOFILE" */
  readonly type: string;
  /** -1: unlimited. */
  readonly soft: number;
  readonly hard: number;
}

export interface SpecMount {
  readonly destination: string;
  readonly type: "proc" | "sysfs" | "tmpfs" | "devpts" | "mqueue" | "cgroup" | "bind";
  readonly source: string;
  readonly options: readonly string[];
}

export interface SpecNamespace {
  readonly type: Namespace;
  /** Share this container's namespace instead of making one. */
  readonly container?: ContainerId;
}

export interface SpecIdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export interface SpecDevice {
  /** Where the host has it (ours): a container without a device filter is given that very node. */
  readonly source: string;
  readonly path: string;
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  readonly fileMode: number;
}

/** null for major or minor means every one. */
export interface SpecDeviceRule {
  readonly allow: boolean;
  readonly type: "a" | "c" | "b";
  readonly major: number | null;
  readonly minor: number | null;
  readonly access: string;
}

export interface LinuxSpec {
  readonly namespaces: readonly SpecNamespace[];
  readonly uidMappings: readonly SpecIdMapping[];
  readonly gidMappings: readonly SpecIdMapping[];
  readonly sysctl: Readonly<Record<string, string>>;
  /** The parent of the container's cgroups, relative to each hierarchy; "" is the machine's own. */
  readonly cgroupsPath: string;
  readonly resources: LinuxResources;
  readonly devices: readonly SpecDevice[];
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly seccomp: SeccompProfile | null;
}

/** An absent member is not limited. */
export interface LinuxResources {
  readonly memory?: { readonly limit?: number; readonly swap?: number; readonly reservation?: number };
  readonly cpu?: {
    readonly shares?: number;
    readonly quota?: number;
    readonly period?: number;
    readonly cpus?: string;
    readonly mems?: string;
  };
  readonly pids?: { readonly limit: number };
  readonly blockIO?: { readonly weight: number };
  readonly devices: readonly SpecDeviceRule[];
}
