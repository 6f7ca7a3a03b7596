/**
 * Control groups for one container. On cgroup v1 every controller is a hierarchy of its own and
 * the container gets a directory in each; on v2 there is one hierarchy, where a parent must first
 * hand its controllers down (cgroups(7), Documentation/admin-guide/cgroup-v2.rst). A hybrid host
 * has v1 controllers and an empty v2 hierarchy beside them, which we use to kill and freeze.
 *
 * A limit is a line in a table: the controller, and its file and value in either version.
 */
import type { ContainerId } from "../base/brand.ts";
import { TsboxError } from "../base/error.ts";
import type { Cgroup, HostOp, Plan } from "./plan.ts";
import type { Resources } from "./resources.ts";
import { limitsFor } from "./spec-for.ts";
import type { LinuxResources, LinuxSpec, SpecDeviceRule } from "./spec.ts";
import type { CgroupController, CgroupHierarchy, HostTraits } from "./traits.ts";

interface Setting {
  readonly controller: CgroupController;
  readonly file: string;
  readonly value: string;
}

export interface ContainerCgroups {
  /** Makes them and writes their limits. */
  readonly steps: readonly HostOp[];
  readonly hierarchies: readonly CgroupHierarchy[];
  /** The container's own, one in each of these hierarchies. */
  readonly own: readonly Cgroup[];
}

/** Throws TsboxError "unsupported" for a limit whose controller the machine does not have. */
export function cgroupsFor(linux: LinuxSpec, container: ContainerId, traits: HostTraits): ContainerCgroups {
  refuseMissingControllers(linux.resources, traits);
  const hierarchies = traits.cgroups.filter((hierarchy) => isWanted(hierarchy, linux.resources));
  const parent = linux.cgroupsPath === "" ? traits.cgroupParent : linux.cgroupsPath;
  const path = `${parent}/${container}`;
  return {
    hierarchies,
    own: hierarchies.map((hierarchy) => cgroupAt(hierarchy, path)),
    steps: hierarchies.flatMap((hierarchy) => [
      ...parentSteps(hierarchy, parent),
      make(cgroupAt(hierarchy, path)),
      ...settingsFor(hierarchy, linux.resources).map(({ file, value }) => set(cgroupAt(hierarchy, path), file, value)),
    ]),
  };
}

/** The control groups that a container's child joins. */
export function joinedCgroups({ steps }: Plan): Cgroup[] {
  const child = steps.flatMap((step) => (step.op === "spawn" ? step.child : []));
  return child.flatMap((op) => (op.op === "cgroup.join" ? [op.cgroup] : []));
}

/** What lifts a limit, where leaving it out would leave it as it is. */
const unlimited: Readonly<Record<string, string>> = { "pids.max": "max", "memory.memsw.limit_in_bytes": "-1" };

/** Changes the limits of a container that runs. */
export function limitSteps(
  plan: Plan,
  traits: HostTraits,
  { before, after }: { readonly before: Resources; readonly after: Resources },
): HostOp[] {
  const wanted: LinuxResources = { ...limitsFor(after), devices: [] };
  refuseMissingControllers(wanted, traits);
  return joinedCgroups(plan).flatMap((cgroup) => {
    const hierarchy = traits.cgroups.find(({ mount }) => mount === cgroup.mount);
    if (hierarchy === undefined) return [];
    const old = valuesOf(settingsFor(hierarchy, { ...limitsFor(before), devices: [] }));
    const fresh = valuesOf(settingsFor(hierarchy, wanted));
    const lifted = [...old.keys()].filter((file) => !fresh.has(file) && unlimited[file] !== undefined);
    const steps = [
      ...[...fresh].filter(([file, value]) => old.get(file) !== value).map(([file, value]) => set(cgroup, file, value)),
      ...lifted.map((file) => set(cgroup, file, unlimited[file] ?? "")),
    ];
    // The limit of memory and swap together stays above that of memory on the way.
    return after.memoryBytes > before.memoryBytes && before.memoryBytes > 0 ? steps.toReversed() : steps;
  });
}

function valuesOf(settings: readonly Setting[]): Map<string, string> {
  return new Map(settings.map(({ file, value }) => [file, value]));
}

/** Where it can be read that all processes of a container stand still, and what stands there then. */
export function frozenMark(plan: Plan, traits: HostTraits): { readonly file: string; readonly line: string } | null {
  const [step] = freezeSteps(plan, traits, true);
  if (step?.op !== "cgroup.set") return null;
  const directory = `${step.cgroup.mount}/${step.cgroup.path}`;
  return step.file === "freezer.state"
    ? { file: `${directory}/freezer.state`, line: "FROZEN" }
    : { file: `${directory}/cgroup.events`, line: "frozen 1" };
}

/** Stops a container's processes, or lets them go on. Throws TsboxError "unsupported" where there is no freezer. */
export function freezeSteps(plan: Plan, traits: HostTraits, frozen: boolean): HostOp[] {
  const joined = joinedCgroups(plan);
  const inHierarchy = (wanted: (hierarchy: CgroupHierarchy) => boolean): Cgroup | undefined =>
    joined.find(({ mount }) => traits.cgroups.some((hierarchy) => hierarchy.mount === mount && wanted(hierarchy)));
  const freezer = inHierarchy(({ controllers }) => controllers.includes("freezer"));
  if (freezer !== undefined) return [set(freezer, "freezer.state", frozen ? "FROZEN" : "THAWED")];
  const unified = inHierarchy(({ version }) => version === 2);
  if (unified !== undefined) return [set(unified, "cgroup.freeze", frozen ? "1" : "0")];
  throw new TsboxError("unsupported", "pausing needs the freezer of a control group, and this container has none");
}

/** Whether the kernel will refuse devices that the container was not given. */
export function hasDeviceFilter(traits: HostTraits): boolean {
  return traits.cgroups.some((hierarchy) => hierarchy.version === 1 && hierarchy.controllers.includes("devices"));
}

export function cgroupAt(hierarchy: CgroupHierarchy, path: string): Cgroup {
  const controller = hierarchy.version === 2 ? "unified" : (hierarchy.controllers[0] ?? "unified");
  return { controller, mount: hierarchy.mount, path };
}

/** A v1 cpuset is only in the way until somebody asks for one. */
function isWanted(hierarchy: CgroupHierarchy, { cpu }: LinuxResources): boolean {
  if (hierarchy.version === 2) return true;
  const onlyCpuset = hierarchy.controllers.every((controller) => controller === "cpuset");
  return !onlyCpuset || cpu?.cpus !== undefined || cpu?.mems !== undefined;
}

/** On v2 each parent hands its controllers down: "a/b" has the parents "", "a" and "a/b". `cgroup.make` makes v1's itself. */
function parentSteps(hierarchy: CgroupHierarchy, parent: string): HostOp[] {
  const names = handedDown(hierarchy);
  if (names.length === 0) return [];
  const parts = parent.split("/");
  const parents = parts.map((_, index) => cgroupAt(hierarchy, parts.slice(0, index + 1).join("/")));
  const value = names.map((name) => `+${name}`).join(" ");
  return [
    set(cgroupAt(hierarchy, ""), "cgroup.subtree_control", value),
    ...parents.flatMap((cgroup) => [make(cgroup), set(cgroup, "cgroup.subtree_control", value)]),
  ];
}

const v2Names: Readonly<Partial<Record<CgroupController, string>>> = {
  cpu: "cpu",
  cpuset: "cpuset",
  memory: "memory",
  pids: "pids",
  blkio: "io",
};

function handedDown({ version, controllers }: CgroupHierarchy): string[] {
  return version === 1 ? [] : controllers.flatMap((controller) => v2Names[controller] ?? []);
}

function settingsFor(hierarchy: CgroupHierarchy, resources: LinuxResources): Setting[] {
  const settings = hierarchy.version === 2 ? v2Settings(resources) : v1Settings(resources);
  return settings.filter(({ controller }) => hierarchy.controllers.includes(controller));
}

/** Order matters: a limit before the limit that includes it (memory, then memory and swap). */
function v1Settings({ memory, cpu, pids, blockIO, devices }: LinuxResources): Setting[] {
  return [
    ...setting("memory", "memory.limit_in_bytes", memory?.limit),
    ...setting("memory", "memory.memsw.limit_in_bytes", memory?.swap === -1 ? undefined : memory?.swap),
    ...setting("memory", "memory.soft_limit_in_bytes", memory?.reservation),
    ...setting("cpu", "cpu.shares", cpu?.shares),
    ...setting("cpu", "cpu.cfs_period_us", cpu?.period),
    ...setting("cpu", "cpu.cfs_quota_us", cpu?.quota),
    ...setting("cpuset", "cpuset.cpus", cpu?.cpus),
    ...setting("cpuset", "cpuset.mems", cpu?.mems),
    ...setting("pids", "pids.max", pids?.limit),
    ...setting("blkio", "blkio.bfq.weight", blockIO?.weight),
    ...devices.flatMap((rule) => setting("devices", `devices.${rule.allow ? "allow" : "deny"}`, deviceRule(rule))),
  ];
}

function v2Settings({ memory, cpu, pids, blockIO }: LinuxResources): Setting[] {
  return [
    ...setting("memory", "memory.max", memory?.limit),
    ...setting("memory", "memory.swap.max", memory === undefined ? undefined : swapAlone(memory)),
    ...setting("memory", "memory.low", memory?.reservation),
    ...setting("cpu", "cpu.weight", cpu?.shares === undefined ? undefined : weightOfShares(cpu.shares)),
    ...setting("cpu", "cpu.max", cpu === undefined ? undefined : cpuMax(cpu)),
    ...setting("cpuset", "cpuset.cpus", cpu?.cpus),
    ...setting("cpuset", "cpuset.mems", cpu?.mems),
    ...setting("pids", "pids.max", pids?.limit),
    ...setting("blkio", "io.weight", blockIO === undefined ? undefined : ioWeight(blockIO.weight)),
  ];
}

function setting(controller: CgroupController, file: string, value: number | string | undefined): Setting[] {
  return value === undefined ? [] : [{ controller, file, value: String(value) }];
}

/** v1 limits memory and swap together, v2 swap alone. */
function swapAlone({ limit, swap }: NonNullable<LinuxResources["memory"]>): number | "max" | undefined {
  if (limit === undefined || swap === undefined) return undefined;
  return swap === -1 ? "max" : Math.max(swap - limit, 0);
}

function cpuMax({ quota, period }: NonNullable<LinuxResources["cpu"]>): string | undefined {
  if (quota === undefined && period === undefined) return undefined;
  return `${quota ?? "max"} ${period ?? 100_000}`;
}

/** Shares 2…262144 become weights 1…10000, ends on ends (OCI runtime-spec's users agree on this line). */
function weightOfShares(shares: number): number {
  const within = Math.min(Math.max(shares, 2), 262_144);
  return 1 + Math.floor(((within - 2) * 9999) / 262_142);
}

/** Docker's weights 10…1000 become 1…10000. */
function ioWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990);
}

/** The text of devices.allow and devices.deny (Documentation/admin-guide/cgroup-v1/devices.rst). */
function deviceRule({ type, major, minor, access }: SpecDeviceRule): string {
  return type === "a" ? "a" : `${type} ${major ?? "*"}:${minor ?? "*"} ${access}`;
}

function refuseMissingControllers(resources: LinuxResources, traits: HostTraits): void {
  const has = new Set(traits.cgroups.flatMap((hierarchy) => hierarchy.controllers));
  for (const { controller, file } of v2Settings(resources)) {
    if (!has.has(controller)) throw missingController(controller, file, traits);
  }
}

function missingController(controller: CgroupController, file: string, traits: HostTraits): TsboxError {
  const why = traits.rootless
    ? "a user needs a delegated cgroup v2 for it: run as root or drop the limit"
    : "mount it, or drop the limit";
  return new TsboxError("unsupported", `the cgroup controller ${controller} is not available here: ${why}`, {
    controller,
    file,
  });
}

function make(cgroup: Cgroup): HostOp {
  return { op: "cgroup.make", cgroup };
}

function set(cgroup: Cgroup, file: string, value: string): HostOp {
  return { op: "cgroup.set", cgroup, file, value };
}
