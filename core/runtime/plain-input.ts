/** The plainest container there is: what tests, measurements and the warming up of a machine start from. */
import { unlimited } from "./resources.ts";
import type { SpecInput } from "./spec-for.ts";

/** `run busybox echo hi`: where nothing was asked for, everything is default. */
export const plainInput: SpecInput = {
  argv: ["echo", "hi"],
  env: [],
  cwd: "",
  user: { uid: 0, gid: 0, additionalGids: [], home: "/root" },
  terminal: null,
  hostname: "c0ffee",
  domainname: "",
  readonlyRootfs: false,
  capabilities: { add: [], drop: [] },
  privileged: false,
  noNewPrivileges: false,
  seccomp: "default",
  architecture: "amd64",
  maskedPaths: null,
  readonlyPaths: null,
  resources: unlimited,
  ulimits: [],
  sysctls: {},
  shmSizeBytes: 0,
  oomScoreAdj: 0,
  devices: [],
  namespaces: { pid: "private", ipc: "private", uts: "private", network: "private", cgroup: "private" },
  userMaps: null,
  cgroupParent: "",
};
