/** Inputs for tests: a plain container, and the traits of two kinds of host. */
import type { ContainerId, HostPath } from "../../base/brand.ts";
import { type Capability, capabilityNumbers } from "../capabilities.ts";
import type { CompileInput } from "../compile.ts";
import type { CgroupController, CgroupHierarchy, HostTraits } from "../traits.ts";

export const exampleContainer = "c0ffee".padEnd(64, "0") as ContainerId;

export const exampleRoot: CompileInput["root"] = {
  lowers: ["/data/l/1", "/data/l/2"] as HostPath[],
  upper: "/data/c/upper" as HostPath,
  work: "/data/c/work" as HostPath,
  target: "/data/c/merged" as HostPath,
};

const v1Controllers: readonly CgroupController[] = [
  "cpu",
  "cpuacct",
  "cpuset",
  "memory",
  "devices",
  "freezer",
  "blkio",
  "pids",
];

function v1(controller: CgroupController): CgroupHierarchy {
  return { version: 1, mount: `/sys/fs/cgroup/${controller}` as HostPath, controllers: [controller] };
}

/** Every controller in a hierarchy of its own, and an empty v2 hierarchy beside them. */
export const hybridTraits: HostTraits = {
  kernel: "6.18.0",
  architecture: "amd64",
  cgroups: [
    ...v1Controllers.map(v1),
    { version: 2, mount: "/sys/fs/cgroup/unified" as HostPath, controllers: ["unified"] },
  ],
  cgroupParent: "tsbox",
  overlay: "fsopen",
  userNamespaces: true,
  idmappedMounts: true,
  subordinate: { uids: { start: 100_000, count: 65_536 }, gids: { start: 100_000, count: 65_536 } },
  timeNamespaces: true,
  wasi: null,
  seccomp: true,
  capabilities: Object.keys(capabilityNumbers).filter((name) => name !== "CAP_SYS_RESOURCE") as Capability[],
  hardLimits: { nofile: 4096 },
  rootless: false,
  processors: 2,
  memoryBytes: 4 * 1024 ** 3,
};

/** Pure v2, an older kernel. */
export const unifiedTraits: HostTraits = {
  ...hybridTraits,
  kernel: "6.1.0",
  cgroups: [
    {
      version: 2,
      mount: "/sys/fs/cgroup" as HostPath,
      controllers: ["cpu", "cpuset", "memory", "pids", "blkio", "unified"],
    },
  ],
  overlay: "mount",
  hardLimits: null,
};
