/** What a running container uses now, read from its control groups. */
import type { HostPath } from "../base/brand.ts";
import { decodeBytes } from "../base/bytes.ts";
import { Errno } from "../base/errno.ts";
import { isUp } from "../container/state.ts";
import { type Usage, usageOf } from "../container/usage.ts";
import { joinedCgroups } from "../runtime/cgroups.ts";
import type { Cgroup } from "../runtime/plan.ts";
import type { CgroupController, HostTraits } from "../runtime/traits.ts";
import type { Context } from "./context.ts";
import type { Live } from "./live.ts";

/** Which controller's directory has which files, in either version. */
const files: readonly (readonly [CgroupController, readonly string[]])[] = [
  ["cpuacct", ["cpuacct.usage", "cpuacct.usage_percpu", "cpuacct.stat"]],
  ["cpu", ["cpu.stat"]],
  ["memory", ["memory.stat", "memory.usage_in_bytes", "memory.max_usage_in_bytes", "memory.limit_in_bytes"]],
  ["memory", ["memory.failcnt", "memory.current", "memory.peak", "memory.max", "memory.events"]],
  ["pids", ["pids.current", "pids.max"]],
  ["blkio", ["blkio.throttle.io_service_bytes_recursive", "io.stat"]],
];

/** null when it does not run. */
export async function usage(context: Context, { record }: Live): Promise<Usage | null> {
  const { traits } = context.machine;
  if (!isUp(record.state) || record.plan === null) return null;
  const joined = joinedCgroups(record.plan);
  const wanted = files.flatMap(([controller, names]) => {
    const cgroup = cgroupOf(controller, joined, traits);
    return cgroup === undefined ? [] : names.map((name) => [name, `${cgroup.mount}/${cgroup.path}/${name}`] as const);
  });
  const texts = new Map(
    await Promise.all(wanted.map(async ([name, path]) => [name, await read(context, path)] as const)),
  );
  const procStat = (await read(context, "/proc/stat")) ?? "";
  return usageOf(versionOf(traits), (name) => texts.get(name) ?? null, procStat, traits);
}

function hierarchyOf(controller: CgroupController, traits: HostTraits): HostTraits["cgroups"][number] | undefined {
  return traits.cgroups.find(({ controllers }) => controllers.includes(controller));
}

/** On v2 processor time is counted without its controller. */
function cgroupOf(controller: CgroupController, joined: readonly Cgroup[], traits: HostTraits): Cgroup | undefined {
  const hierarchy = hierarchyOf(controller, traits) ?? traits.cgroups.find(({ version }) => version === 2);
  return joined.find(({ mount }) => mount === hierarchy?.mount);
}

function versionOf(traits: HostTraits): 1 | 2 {
  return hierarchyOf("memory", traits)?.version ?? 2;
}

async function read(context: Context, path: string): Promise<string | null> {
  try {
    return decodeBytes(await context.machine.disk.read(path as HostPath));
  } catch (thrown) {
    if (thrown instanceof Errno) return null;
    throw thrown;
  }
}
