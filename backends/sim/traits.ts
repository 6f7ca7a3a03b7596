/** What the simulated host can do: the same everywhere, so that a plan made in a tab is the plan made in a test. */
import type { HostPath } from "../../core/base/brand.ts";
import { type Capability, capabilityNumbers } from "../../core/runtime/capabilities.ts";
import type { HostTraits } from "../../core/runtime/traits.ts";
import { memoryTotalBytes } from "./kernel/cgroup/group.ts";
import { release } from "./kernel/procfs.ts";

export const simTraits: HostTraits = {
  kernel: release,
  architecture: "amd64",
  cgroups: [
    {
      version: 2,
      mount: "/sys/fs/cgroup" as HostPath,
      controllers: ["unified", "cpu", "cpuset", "memory", "pids", "blkio"],
    },
  ],
  cgroupParent: "tsbox",
  init: "/usr/bin/docker-init" as HostPath,
  overlay: "fsopen",
  userNamespaces: true,
  idmappedMounts: true,
  subordinate: { uids: { start: 100_000, count: 65_536 }, gids: { start: 100_000, count: 65_536 } },
  timeNamespaces: true,
  wasi: "kernel",
  seccomp: true,
  capabilities: Object.keys(capabilityNumbers) as Capability[],
  hardLimits: null,
  rootless: false,
  processors: 1,
  memoryBytes: memoryTotalBytes,
};
