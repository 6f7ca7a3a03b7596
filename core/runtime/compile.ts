/**
 * The compiler: a spec, mounts and the host's traits become a plan. Pure: it asks nothing of the
 * world, so a plan can be shown, checked and undone before anything happens.
 *
 * The order is the art. The monitor makes the cgroups. The child joins them, and only then takes a
 * cgroup namespace, whose root is where it stands. It cuts its mounts off from the host, stacks the
 * layers, mounts the rest beneath them, pivots, hides what must not be seen, and gives up its
 * rights: identity, capabilities, system calls. Then it waits at the gate.
 */
import type { ContainerId, ContainerPath } from "../base/brand.ts";
import { TsboxError } from "../base/error.ts";
import { type ContainerCgroups, cgroupsFor, hasDeviceFilter } from "./cgroups.ts";
import { execOp } from "./exec-op.ts";
import type { Mount } from "./mount.ts";
import { mountOps } from "./mount-ops.ts";
import type { Capability } from "./capabilities.ts";
import type { ChildOp, IdMapping, IdMaps, Namespace, Overlay, Plan, Spawn } from "./plan.ts";
import type { CapabilitySets, Process, Spec, SpecIdMapping, SpecRlimit } from "./spec.ts";
import type { SeccompProfile } from "./seccomp.ts";
import type { HostTraits, WasiRunner } from "./traits.ts";
import { handlerAnnotation, runnerExec, runnerMounts, runnerOf, wasmHandler } from "./wasi-runner.ts";

export interface CompileInput {
  readonly spec: Spec;
  /** The user's mounts; one whose target a default mount has replaces that. */
  readonly mounts: readonly Mount[];
  /** Of Layers.overlay. */
  readonly root: Pick<Overlay, "lowers" | "upper" | "work" | "target">;
  readonly container: ContainerId;
  readonly traits: HostTraits;
}

/**
 * The plan that starts a container. Throws TsboxError "unsupported" for what this machine cannot
 * do (a limit without its controller, a user namespace without id-mapped mounts).
 */
export function compile(input: CompileInput): Plan {
  const cgroups = cgroupsFor(input.spec.linux, input.container, input.traits);
  return { steps: [...cgroups.steps, spawn(input, cgroups)] };
}

function spawn(input: CompileInput, cgroups: ContainerCgroups): Spawn {
  const { namespaces } = input.spec.linux;
  const create = namespaces.filter(({ type, container }) => type !== "cgroup" && container === undefined);
  const pid = namespaces.find(({ type, container }) => type === "pid" && container !== undefined);
  return {
    op: "spawn",
    create: create.map(({ type }) => type),
    join: pid?.container === undefined ? null : { container: pid.container, namespaces: ["pid"] },
    idMaps: idMapsOf(input),
    child: childOps(input, cgroups),
  };
}

function idMapsOf({ spec, traits }: CompileInput): IdMaps | null {
  if (!makes(spec, "user")) return null;
  if (!traits.userNamespaces || !traits.idmappedMounts)
    throw new TsboxError(
      "unsupported",
      `a private user namespace needs user namespaces and id-mapped layers (Linux 5.19; 6.3 where they lie on tmpfs), which kernel ${traits.kernel} does not offer here`,
    );
  return { uids: spec.linux.uidMappings.map(mapping), gids: spec.linux.gidMappings.map(mapping) };
}

function mapping({ containerID, hostID, size }: SpecIdMapping): IdMapping {
  return { inside: containerID, outside: hostID, count: size };
}

/** Whether the container has such a namespace of its own. */
function makes(spec: Spec, type: Namespace): boolean {
  return spec.linux.namespaces.some((namespace) => namespace.type === type && namespace.container === undefined);
}

function childOps(input: CompileInput, cgroups: ContainerCgroups): ChildOp[] {
  const { spec, traits } = input;
  return [
    ...cgroups.own.map((cgroup): ChildOp => ({ op: "cgroup.join", cgroup })),
    { op: "oom.score", value: spec.process.oomScoreAdj },
    ...enterOps(spec),
    ...(makes(spec, "cgroup") ? [{ op: "unshare", namespaces: ["cgroup"] } satisfies ChildOp] : []),
    ...rootOps(input, cgroups),
    { op: "pivot", root: input.root.target },
    ...identityOps(spec),
    { op: "session" },
    ...terminalOps(spec.process),
    ...hideOps(spec, cgroups),
    ...finishOps({
      process: spec.process,
      seccomp: seccompOn(spec.linux.seccomp, traits),
      traits,
      runner: runnerFor(input),
    }),
  ];
}

/** What runs a program for WASI; null when the kernel runs the program itself. */
function runnerFor({ spec, traits }: CompileInput): WasiRunner | null {
  return spec.annotations[handlerAnnotation] === wasmHandler ? runnerOf(traits) : null;
}

/** Other containers' namespaces; a pid namespace is the spawn's to join. */
function enterOps({ linux }: Spec): ChildOp[] {
  return linux.namespaces.flatMap(({ type, container }): ChildOp[] =>
    container === undefined || type === "pid" ? [] : [{ op: "enter", join: { container, namespaces: [type] } }],
  );
}

function rootOps(input: CompileInput, { own, hierarchies }: ContainerCgroups): ChildOp[] {
  const { spec, mounts, root, traits } = input;
  const makesDevices = hasDeviceFilter(traits) && !makes(spec, "user");
  const runner = runnerFor(input);
  const replaced = mounts.map(({ target }) => target);
  return [
    { op: "propagation", path: "/" as Overlay["target"], mode: "rslave" },
    {
      op: "overlay",
      ...root,
      via: traits.overlay,
      idMaps: idMapsOf(input),
      flags: makesDevices ? [] : ["nodev"],
    },
    ...mountOps({ spec, mounts, hierarchies, cgroup: own[0]?.path ?? "", makesDevices }),
    ...(runner === null ? [] : runnerMounts(runner, replaced)),
    ...(spec.process.terminal ? [emptyFile("/dev/console")] : []),
    ...(spec.process.cwd === "/" ? [] : [emptyDirectory(spec.process.cwd)]),
  ];
}

function emptyFile(path: string): ChildOp {
  return { op: "file", path: path as ContainerPath, mode: 0o620 };
}

function emptyDirectory(path: string): ChildOp {
  return { op: "directory", path: path as ContainerPath, mode: 0o755 };
}

function identityOps(spec: Spec): ChildOp[] {
  return [
    ...(spec.hostname === "" ? [] : [{ op: "hostname", name: spec.hostname } satisfies ChildOp]),
    ...(spec.domainname === "" ? [] : [{ op: "domainname", name: spec.domainname } satisfies ChildOp]),
    ...Object.entries(spec.linux.sysctl).map(([name, value]): ChildOp => ({ op: "sysctl", name, value })),
    ...(makes(spec, "network") ? [{ op: "link.up", device: "lo" } satisfies ChildOp] : []),
  ];
}

function terminalOps({ terminal, consoleSize }: Process): ChildOp[] {
  if (!terminal) return [];
  const { height: rows, width: columns } = consoleSize ?? { height: 0, width: 0 };
  return [{ op: "terminal", rows, columns, console: true }];
}

/** The root itself comes last: everything before may still make a file in it. */
function hideOps({ linux, root, mounts }: Spec, { hierarchies }: ContainerCgroups): ChildOp[] {
  const cgroups = hierarchies.some(({ version }) => version === 1) ? mounts.flatMap(cgroupDirectory) : [];
  const readonly = [...linux.readonlyPaths, ...cgroups, ...(root.readonly ? ["/"] : [])];
  return [
    ...linux.maskedPaths.map((path): ChildOp => ({ op: "mask", path: path as ContainerPath })),
    ...readonly.map((path): ChildOp => ({ op: "readonly", path: path as ContainerPath })),
  ];
}

/** On v1 the directory that holds the hierarchies is writable until they are mounted in it. */
function cgroupDirectory({ type, destination, options }: Spec["mounts"][number]): string[] {
  return type === "cgroup" && options.includes("ro") ? [destination] : [];
}

function seccompOn(profile: SeccompProfile | null, traits: HostTraits): SeccompProfile | null {
  return traits.seccomp ? profile : null;
}

export interface Finish {
  readonly process: Omit<Process, "terminal" | "consoleSize" | "oomScoreAdj">;
  readonly seccomp: SeccompProfile | null;
  readonly traits: HostTraits;
  readonly runner: WasiRunner | null;
}

/**
 * The way out of privilege, the same for a container and an exec session. Loading a filter takes
 * no_new_privs or CAP_SYS_ADMIN (seccomp(2)): with the first it is loaded at the last moment,
 * without it while the capability is still there. The working directory is entered as root, which
 * docker's users rely on: `-u nobody -w /root` works.
 */
export function finishOps({ process, seccomp, traits, runner }: Finish): ChildOp[] {
  const { uid, gid, additionalGids: groups, umask } = process.user;
  const filter: ChildOp[] = seccomp === null ? [] : [{ op: "seccomp", profile: seccomp }];
  return [
    ...process.rlimits.map((limit): ChildOp => ({ op: "rlimit", ...clampLimit(limit, traits) })),
    { op: "descriptors.close", from: 3 },
    { op: "directory.enter", path: process.cwd as ContainerPath },
    { op: "umask", mask: umask },
    ...(process.noNewPrivileges ? [] : filter),
    { op: "user", uid, gid, groups },
    { op: "capabilities", ...clampCapabilities(process.capabilities, traits) },
    ...(process.noNewPrivileges ? [{ op: "no.new.privileges" } satisfies ChildOp, ...filter] : []),
    { op: "gate" },
    runner === null ? execOp(process) : runnerExec(runner, process),
  ];
}

function clampCapabilities(sets: CapabilitySets, traits: HostTraits): CapabilitySets {
  const ours = (capabilities: readonly Capability[]): Capability[] =>
    capabilities.filter((capability) => traits.capabilities.includes(capability));
  return {
    bounding: ours(sets.bounding),
    permitted: ours(sets.permitted),
    effective: ours(sets.effective),
    inheritable: ours(sets.inheritable),
    ambient: ours(sets.ambient),
  };
}

/** Without CAP_SYS_RESOURCE a hard limit can only go down. */
function clampLimit(
  { type, soft, hard }: SpecRlimit,
  traits: HostTraits,
): { resource: string; soft: number; hard: number } {
  const resource = type.replace(/^RLIMIT_/, "").toLowerCase();
  const ceiling = traits.hardLimits?.[resource] ?? -1;
  return { resource, soft: lower(soft, ceiling), hard: lower(hard, ceiling) };
}

/** The lower of two limits, -1 being none. */
function lower(one: number, other: number): number {
  if (one === -1) return other;
  return other === -1 ? one : Math.min(one, other);
}
