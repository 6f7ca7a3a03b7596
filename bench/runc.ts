/**
 * runc as a peer: a bundle that asks for what tsbox gives a container by default: the same namespaces, cgroups and
 * capabilities, and Docker's seccomp profile, so that both do the same work.
 */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Contender } from "./interleave.ts";
import { onPath, timeCommand } from "./command.ts";

const profile = "/usr/share/containers/seccomp.json";

/** Docker's default capabilities. */
const capabilities =
  "AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_CHROOT"
    .split(" ")
    .map((name) => `CAP_${name}`);

/** `runc run` of busybox true, or null when runc is not here. */
export function runcContender(directory: string): Contender | null {
  if (!onPath("runc")) return null;
  const bundle = join(directory, "runc-bundle");
  mkdirSync(join(bundle, "rootfs/bin"), { recursive: true });
  for (const name of ["busybox", "true"]) cpSync("/bin/busybox", join(bundle, "rootfs/bin", name));
  spawnSync("runc", ["spec"], { cwd: bundle });
  const path = join(bundle, "config.json");
  writeFileSync(path, JSON.stringify(likeOurs(JSON.parse(readFileSync(path, "utf8")) as Spec)));
  let count = 0;
  const args = (): string[] => [
    "--root",
    join(directory, "runc"),
    "run",
    "-b",
    bundle,
    `tsbox-bench-${process.pid}-${count++}`,
  ];
  return { name: "runc", once: () => Promise.resolve(timeCommand({ program: "runc", args: args() })) };
}

/** The parts of an OCI runtime spec that are changed. */
interface Spec {
  readonly process: object;
  readonly root: object;
  readonly linux: { readonly namespaces: readonly { readonly type: string }[] };
}

function likeOurs(spec: Spec): object {
  const sets = Object.fromEntries(["bounding", "effective", "permitted"].map((name) => [name, capabilities]));
  const namespaces = [...spec.linux.namespaces.filter(({ type }) => type !== "cgroup"), { type: "cgroup" }];
  return {
    ...spec,
    process: {
      ...spec.process,
      rlimits: [],
      terminal: false,
      args: ["true"],
      capabilities: sets,
      noNewPrivileges: false,
    },
    root: { ...spec.root, readonly: false },
    linux: { ...spec.linux, namespaces, seccomp: seccomp() },
  };
}

interface Rule {
  readonly includes: { readonly caps?: readonly string[]; readonly arches?: readonly string[] };
  readonly excludes: { readonly caps?: readonly string[] };
  readonly names: readonly string[];
  readonly action: string;
  readonly args: readonly object[] | null;
  readonly errnoRet?: number;
}

/** Docker's profile has conditions; a runtime's has none: they are decided here, for amd64 and the capabilities above. */
function seccomp(): object {
  const { defaultAction, syscalls } = JSON.parse(readFileSync(profile, "utf8")) as {
    defaultAction: string;
    syscalls: Rule[];
  };
  const holds = ({ includes, excludes }: Rule): boolean =>
    (includes.caps ?? []).every((name) => capabilities.includes(name)) &&
    (includes.arches ?? ["amd64"]).includes("amd64") &&
    !(excludes.caps ?? []).some((name) => capabilities.includes(name));
  return {
    defaultAction,
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    syscalls: syscalls.filter(holds).map(({ names, action, args, errnoRet }) => ({
      names,
      action,
      ...(args === null || args.length === 0 ? {} : { args }),
      ...(errnoRet === undefined ? {} : { errnoRet }),
    })),
  };
}
