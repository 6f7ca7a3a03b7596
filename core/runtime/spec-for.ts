/**
 * From what the engine knows of a container to the OCI runtime spec Docker would give it. Pure;
 * it knows nothing of the host: `compile` fits the spec to the machine.
 */
import type { ContainerId } from "../base/brand.ts";
import { assert } from "../base/assert.ts";
import { TsboxError } from "../base/error.ts";
import type { Capability } from "./capabilities.ts";
import { capabilitySet } from "./capability-set.ts";
import { defaultSeccomp } from "./default-seccomp.ts";
import { containerPath } from "./container-path.ts";
import {
  allowAllDevices,
  defaultDeviceRules,
  defaultDevices,
  defaultMaskedPaths,
  defaultMounts,
  defaultNetworkSysctls,
  defaultPath,
  defaultReadonlyPaths,
  defaultShmBytes,
} from "./default-spec.ts";
import type { IdMapping, IdMaps, Namespace } from "./plan.ts";
import type { Resources, Ulimit } from "./resources.ts";
import type { SeccompProfile } from "./seccomp.ts";
import type { CapabilitySets, LinuxResources, Process, Spec, SpecDevice, SpecMount, SpecNamespace } from "./spec.ts";
import type { HostTraits } from "./traits.ts";
import { handlerAnnotation, wasmHandler } from "./wasi-runner.ts";

/** A namespace of its own, the host's, or another container's. */
export type NamespaceMode = "private" | "host" | { readonly container: ContainerId };

/** Whose rights the program has, already looked up in the image's /etc/passwd and /etc/group. */
export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups: those of /etc/group and of --group-add. */
  readonly additionalGids: readonly number[];
  /** What HOME becomes when the environment has none; "" is "/". */
  readonly home: string;
}

/** The initial size of a terminal; 0 by 0 leaves it to the first client. */
export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
}

export interface DeviceInput extends SpecDevice {
  /** Of "rwm". */
  readonly permissions: string;
}

export interface SpecInput {
  /** Entrypoint and command together. */
  readonly argv: readonly [string, ...string[]];
  /** The image's and the user's, merged; PATH, HOSTNAME, TERM and HOME are added where missing. */
  readonly env: readonly string[];
  /** Absolute; "" is "/". A missing directory is made, owned by root. */
  readonly cwd: string;
  readonly user: ProcessUser;
  /** null: three pipes. */
  readonly terminal: TerminalSize | null;
  readonly hostname: string;
  /** "" for none. */
  readonly domainname: string;
  readonly readonlyRootfs: boolean;
  /** --cap-add and --cap-drop as typed. */
  readonly capabilities: { readonly add: readonly string[]; readonly drop: readonly string[] };
  readonly privileged: boolean;
  /** --security-opt no-new-privileges */
  readonly noNewPrivileges: boolean;
  readonly seccomp: "default" | "unconfined" | SeccompProfile;
  readonly architecture: HostTraits["architecture"];
  /** --security-opt systempaths=unconfined gives two empty lists; null: the defaults. */
  readonly maskedPaths: readonly string[] | null;
  readonly readonlyPaths: readonly string[] | null;
  readonly resources: Resources;
  readonly ulimits: readonly Ulimit[];
  readonly sysctls: Readonly<Record<string, string>>;
  /** Of /dev/shm; 0 is 64 MiB. */
  readonly shmSizeBytes: number;
  readonly oomScoreAdj: number;
  /** --device, beside the default devices. */
  readonly devices: readonly DeviceInput[];
  /** The mount namespace is always its own; so is the user namespace when `userMaps` says so. */
  readonly namespaces: Readonly<Record<"pid" | "ipc" | "uts" | "network" | "cgroup", NamespaceMode>>;
  /** A user namespace with these maps; null: the host's. */
  readonly userMaps: IdMaps | null;
  /** --cgroup-parent; "" is the machine's own (HostTraits.cgroupParent). */
  readonly cgroupParent: string;
  /** Its programs are for WASI, not for the machine's processor. */
  readonly wasm?: boolean;
}

/**
 * The runtime spec of a container. Throws TsboxError "invalid" for an unknown capability or
 * ulimit, a bad cgroup parent, a cwd that is not absolute.
 */
export function specFor(input: SpecInput): Spec {
  const bounding = capabilitySet({ ...input.capabilities, privileged: input.privileged });
  return {
    ociVersion: "1.2.0",
    process: processFor(input, bounding),
    root: { path: "rootfs", readonly: input.readonlyRootfs },
    hostname: input.namespaces.uts === "private" ? input.hostname : "",
    domainname: input.namespaces.uts === "private" ? input.domainname : "",
    mounts: mountsFor(input),
    annotations: input.wasm === true ? { [handlerAnnotation]: wasmHandler } : {},
    linux: {
      namespaces: namespacesFor(input),
      uidMappings: (input.userMaps?.uids ?? []).map(idMapping),
      gidMappings: (input.userMaps?.gids ?? []).map(idMapping),
      sysctl: { ...networkSysctls(input), ...input.sysctls },
      cgroupsPath: cgroupParent(input.cgroupParent),
      resources: resourcesFor(input),
      devices: [...defaultDevices, ...input.devices.map(({ permissions: _, ...device }) => device)],
      maskedPaths: input.privileged ? [] : (input.maskedPaths ?? defaultMaskedPaths),
      readonlyPaths: input.privileged ? [] : (input.readonlyPaths ?? defaultReadonlyPaths),
      seccomp: seccompFor(input, bounding),
    },
  };
}

function processFor(input: SpecInput, bounding: readonly Capability[]): Process {
  const { uid, gid, additionalGids } = input.user;
  return {
    terminal: input.terminal !== null,
    consoleSize: input.terminal === null ? null : { height: input.terminal.rows, width: input.terminal.columns },
    user: { uid, gid, additionalGids, umask: 0o022 },
    args: input.argv,
    env: environmentFor(input),
    cwd: workingDirectory(input.cwd),
    capabilities: capabilitiesFor(uid, bounding),
    rlimits: input.ulimits.map(rlimit),
    noNewPrivileges: input.noNewPrivileges,
    oomScoreAdj: input.oomScoreAdj,
  };
}

/** Only root starts with capabilities in force: for others execve(2) would clear them anyway. */
export function capabilitiesFor(uid: number, bounding: readonly Capability[]): CapabilitySets {
  const permitted = uid === 0 ? bounding : [];
  return { bounding, permitted, effective: permitted, inheritable: [], ambient: [] };
}

/** A process's environment: Docker's own variables, those asked for, and HOME. */
export function environmentFor(input: Pick<SpecInput, "hostname" | "terminal" | "env" | "user">): string[] {
  const defaults = [`PATH=${defaultPath}`, `HOSTNAME=${input.hostname}`];
  if (input.terminal !== null) defaults.push("TERM=xterm");
  return withHome(mergeEnvironment(defaults, input.env), input.user.home);
}

/** `over` replaces variables of `base` in their place and adds the rest (moby: ReplaceOrAppendEnvValues). */
function mergeEnvironment(base: readonly string[], over: readonly string[]): string[] {
  const merged = new Map<string, string>();
  for (const variable of [...base, ...over]) merged.set(variable.split("=", 1)[0] ?? "", variable);
  return [...merged.values()].filter((variable) => variable.includes("="));
}

/** HOME comes last, from the user's entry in /etc/passwd. */
function withHome(env: readonly string[], home: string): string[] {
  const known = env.some((variable) => variable.startsWith("HOME=") && variable !== "HOME=");
  return known ? [...env] : [...env.filter((variable) => variable !== "HOME="), `HOME=${home === "" ? "/" : home}`];
}

/** Throws TsboxError "invalid" in docker's words. */
export function workingDirectory(cwd: string): string {
  if (cwd === "" || cwd.startsWith("/")) return containerPath(cwd);
  throw new TsboxError("invalid", `the working directory '${cwd}' is invalid, it needs to be an absolute path`);
}

const ulimitNames = new Set(
  "core cpu data fsize locks memlock msgqueue nice nofile nproc rss rtprio rttime sigpending stack".split(" "),
);

function rlimit({ name, soft, hard }: Ulimit): Process["rlimits"][number] {
  if (!ulimitNames.has(name)) throw new TsboxError("invalid", `invalid ulimit type: ${name}`);
  if (hard !== -1 && (soft === -1 || soft > hard))
    throw new TsboxError("invalid", `ulimit soft limit must be less than or equal to hard limit: ${soft} > ${hard}`);
  return { type: `RLIMIT_${name.toUpperCase()}`, soft, hard };
}

function mountsFor(input: SpecInput): SpecMount[] {
  return defaultMounts.map((mount) => {
    if (mount.destination === "/dev/shm") return shmMount(mount, input);
    if (mount.destination === "/dev/mqueue" && cannotMountQueues(input)) return hostBind("/dev/mqueue");
    return input.privileged && mount.destination.startsWith("/sys") ? writable(mount) : mount;
  });
}

/** The file system of the host's message queues may be mounted only by who is privileged over the host (ipc/mqueue.c). */
function cannotMountQueues({ namespaces, userMaps }: SpecInput): boolean {
  return namespaces.ipc === "host" && userMaps !== null;
}

/** The size 0 would be no limit to tmpfs(5), and is docker's default. */
function shmMount(mount: SpecMount, input: SpecInput): SpecMount {
  if (input.namespaces.ipc === "host") return hostBind("/dev/shm");
  const size = input.shmSizeBytes === 0 ? defaultShmBytes : input.shmSizeBytes;
  return { ...mount, options: [...mount.options, `size=${size}`] };
}

function hostBind(path: string): SpecMount {
  return { destination: path, type: "bind", source: path, options: ["rbind"] };
}

function writable(mount: SpecMount): SpecMount {
  return { ...mount, options: mount.options.filter((option) => option !== "ro") };
}

function namespacesFor(input: SpecInput): SpecNamespace[] {
  const list: SpecNamespace[] = [{ type: "mount" }];
  for (const type of ["uts", "ipc", "pid", "network", "cgroup"] as const) {
    const mode = input.namespaces[type];
    if (mode !== "host") list.push(mode === "private" ? { type } : { type, container: mode.container });
  }
  if (input.userMaps !== null) list.push({ type: "user" satisfies Namespace });
  return list;
}

function idMapping({ inside, outside, count }: IdMapping): { containerID: number; hostID: number; size: number } {
  return { containerID: inside, hostID: outside, size: count };
}

function networkSysctls(input: SpecInput): Readonly<Record<string, string>> {
  if (input.namespaces.network !== "private") return {};
  if (input.userMaps === null) return defaultNetworkSysctls;
  // The group range names host ids, which a user namespace cannot map.
  return { "net.ipv4.ip_unprivileged_port_start": "0" };
}

/** Without "." and doubled slashes. Throws TsboxError "invalid" for one that climbs out. */
export function cgroupParent(parent: string): string {
  const parts = parent.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes(".."))
    throw new TsboxError("invalid", `invalid cgroup parent ${JSON.stringify(parent)}: it must not contain ".."`);
  return parts.join("/");
}

function resourcesFor(input: SpecInput): LinuxResources {
  const devices = input.privileged
    ? [allowAllDevices]
    : [
        ...defaultDeviceRules,
        ...input.devices.map(({ type, major, minor, permissions }) => ({
          allow: true,
          type,
          major,
          minor,
          access: permissions,
        })),
      ];
  return { ...limitsFor(input.resources), devices };
}

/** The limits of docker's flags as the runtime spec has them (moby: daemon/daemon_unix.go). */
export function limitsFor(resources: Resources): Omit<LinuxResources, "devices"> {
  const memory = memoryFor(resources);
  const cpu = cpuFor(resources);
  return {
    ...(Object.keys(memory).length > 0 && { memory }),
    ...(Object.keys(cpu).length > 0 && { cpu }),
    ...(resources.pidsLimit > 0 && { pids: { limit: resources.pidsLimit } }),
    ...(resources.blkioWeight > 0 && { blockIO: { weight: resources.blkioWeight } }),
  };
}

function memoryFor(resources: Resources): NonNullable<LinuxResources["memory"]> {
  const { memoryBytes: limit, memorySwapBytes, memoryReservationBytes: reservation } = resources;
  const swap = memorySwapBytes === 0 ? 2 * limit : memorySwapBytes;
  return {
    ...(limit > 0 && { limit, swap }),
    ...(reservation > 0 && { reservation }),
  };
}

/** The scheduler's default period (sched(7), cgroup-v2 "cpu.max"). */
const defaultCpuPeriodMicros = 100_000;

function cpuFor(resources: Resources): NonNullable<LinuxResources["cpu"]> {
  const { nanoCpus, cpuShares: shares, cpusetCpus: cpus, cpusetMems: mems } = resources;
  assert(nanoCpus === 0 || resources.cpuQuotaMicros === 0, "--cpus and --cpu-quota exclude each other");
  const quota = nanoCpus > 0 ? Math.round((nanoCpus / 1e9) * defaultCpuPeriodMicros) : resources.cpuQuotaMicros;
  const period = nanoCpus > 0 ? defaultCpuPeriodMicros : resources.cpuPeriodMicros;
  return {
    ...(shares > 0 && { shares }),
    ...(quota > 0 && { quota }),
    ...(period > 0 && { period }),
    ...(cpus !== "" && { cpus }),
    ...(mems !== "" && { mems }),
  };
}

function seccompFor(input: SpecInput, bounding: readonly Capability[]): SeccompProfile | null {
  if (input.privileged || input.seccomp === "unconfined") return null;
  return input.seccomp === "default" ? defaultSeccomp(bounding, input.architecture) : input.seccomp;
}
