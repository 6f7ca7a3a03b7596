/**
 * The oracle is the profile of podman (Debian: golang-github-containers-common), which descends
 * from the same default as ours. Where the two differ on purpose the table below says why; a
 * difference that is not in it fails.
 */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { type Capability, capabilityNumbers, defaultCapabilities } from "./capabilities.ts";
import { defaultSeccomp } from "./default-seccomp.ts";
import { seccompOutcome } from "./seccomp.ts";

const oracleFile = "/usr/share/containers/seccomp.json";

interface OracleRule {
  readonly names: readonly string[];
  readonly action: string;
  readonly args: readonly { readonly index: number; readonly op: string; readonly value: number }[] | null;
  readonly includes: { readonly caps?: readonly string[]; readonly arches?: readonly string[] };
  readonly excludes: { readonly caps?: readonly string[]; readonly arches?: readonly string[] };
}

/** Whether the oracle allows a call with all arguments 0. */
function oracleAllows(rules: readonly OracleRule[], name: string, capabilities: readonly string[]): boolean {
  const hasAny = (wanted: readonly string[] | undefined): boolean =>
    wanted?.some((capability) => capabilities.includes(capability)) ?? false;
  const rule = rules.find(
    ({ names, args, includes, excludes }) =>
      names.includes(name) &&
      (includes.caps === undefined || hasAny(includes.caps)) &&
      (includes.arches === undefined || includes.arches.includes("amd64")) &&
      !hasAny(excludes.caps) &&
      (args ?? []).every(({ op, value }) => (op === "SCMP_CMP_EQ" ? value === 0 : value !== 0)),
  );
  return rule?.action === "SCMP_ACT_ALLOW";
}

/** "+name": we allow what the oracle refuses; "-name": the other way round. */
const deliberate: readonly (readonly [reason: string, calls: string])[] = [
  [
    "docker ties making namespaces and mounts to CAP_SYS_ADMIN; podman leaves it to the kernel",
    "-clone3 -mount -mount_setattr -move_mount -open_tree -fsopen -fsconfig -fsmount -fspick -setns -umount -umount2 -unshare",
  ],
  ["docker never allows it: who may mount may still not change the root", "-pivot_root"],
  ["docker never allows it: the kernel's keyrings are not in any namespace", "-keyctl"],
  [
    "docker ties these to a capability of their own",
    "-get_mempolicy -mbind -set_mempolicy -pidfd_getfd -reboot -syslog",
  ],
  ["CAP_BPF and CAP_PERFMON are younger than podman's rules", "+bpf +perf_event_open"],
  [
    "younger than podman's rules",
    "+cachestat +fchmodat2 +futex_requeue +futex_wait +futex_waitv +futex_wake +getxattrat +listmount +listxattrat +lsm_get_self_attr +lsm_list_modules +lsm_set_self_attr +map_shadow_stack +mseal +quotactl_fd +removexattrat +set_mempolicy_home_node +setxattrat +statmount +uretprobe",
  ],
  ["docker allows them: they move the caller's own bytes", "+io_pgetevents +io_pgetevents_time64 +vmsplice"],
  [
    "docker does not list what no C library calls any more",
    "-query_module -readdir -sigaction -signal -sigpending -sigsuspend -syscall -timerfd",
  ],
];

const capabilitySets: readonly (readonly Capability[])[] = [
  [],
  defaultCapabilities,
  ...(Object.keys(capabilityNumbers) as Capability[]).map((one): readonly Capability[] => [one]),
  Object.keys(capabilityNumbers) as Capability[],
];

test("the default profile allows what podman's does, but for differences with a reason", {
  skip: existsSync(oracleFile) ? false : `no ${oracleFile}: apt install golang-github-containers-common`,
}, () => {
  const { syscalls } = JSON.parse(readFileSync(oracleFile, "utf8")) as { syscalls: OracleRule[] };
  const found = new Set<string>();
  for (const capabilities of capabilitySets) {
    const profile = defaultSeccomp(capabilities, "amd64");
    for (const name of new Set([...syscalls, ...profile.rules].flatMap(({ names }) => names))) {
      const ours = seccompOutcome(profile, name, [0n, 0n, 0n]).action === "allow";
      if (ours !== oracleAllows(syscalls, name, capabilities)) found.add(`${ours ? "+" : "-"}${name}`);
    }
  }
  const explained = deliberate.flatMap(([, calls]) => calls.split(" "));
  assert.deepEqual([...found].toSorted(), explained.toSorted());
});

test("without CAP_SYS_ADMIN clone may make threads and processes and no namespaces", () => {
  const profile = defaultSeccomp(defaultCapabilities, "amd64");
  const clone = (flags: bigint): string => seccompOutcome(profile, "clone", [flags]).action;
  assert.deepEqual(
    [clone(17n), clone(0x3d0f00n), clone(0x10000000n), clone(0x20000000n)],
    ["allow", "allow", "errno", "errno"],
  );
  assert.deepEqual(seccompOutcome(profile, "clone3", []), { action: "errno", errno: 38 });
  assert.equal(seccompOutcome(defaultSeccomp(["CAP_SYS_ADMIN"], "amd64"), "clone", [0x10000000n]).action, "allow");
});

test("sockets of the network, of unix and of netlink are allowed, vsock and the crypto interface are not", () => {
  const profile = defaultSeccomp(defaultCapabilities, "amd64");
  const families = [1n, 2n, 10n, 16n, 17n, 12n, 38n, 40n, 46n];
  assert.deepEqual(
    families.filter((family) => seccompOutcome(profile, "socket", [family]).action === "allow"),
    [1n, 2n, 10n, 16n, 17n],
  );
});
