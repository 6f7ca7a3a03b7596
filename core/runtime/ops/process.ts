/** Rows of the ops by which the child becomes the container's program. */
import { type Capability, capabilityNumbers } from "../capabilities.ts";
import { call, octal, quote } from "./calls.ts";
import { containerPath, fine, firstProblem, id, isWhole, knownCapabilities, limit, permissions } from "./checks.ts";
import type { OpOf, Rows } from "./row.ts";

export const processRows = {
  session: {
    check: fine,
    explain: () => ({
      sentence: "leads a session of its own: no signal of the monitor's terminal reaches it",
      syscalls: [call("setsid")],
      man: "setsid(2)",
    }),
  },
  terminal: {
    check: ({ rows, columns }) => (isWhole(rows, 0xffff) && isWhole(columns, 0xffff) ? null : "no such terminal size"),
    explain: ({ console }) => ({
      sentence: `opens a new terminal of the container's own and makes it standard input, output and error${console ? ", and /dev/console" : ""}`,
      syscalls: [
        call("openat2", "root", quote("/dev/pts/ptmx"), "O_RDWR|O_NOCTTY", "RESOLVE_IN_ROOT"),
        call("ioctl", "ptmx", "TIOCGPTPEER"),
        call("sendmsg", "monitor", "{SCM_RIGHTS, ptmx}"),
        ...(console ? [call("move_mount", "pts", quote("/dev/console"))] : []),
        call("ioctl", "pts", "TIOCSCTTY"),
        ...[0, 1, 2].map((stream) => call("dup2", "pts", String(stream))),
      ],
      man: "pty(7)",
    }),
  },
  "oom.score": {
    check: ({ value }) => (Number.isInteger(value) && Math.abs(value) <= 1000 ? null : "an OOM score is -1000 to 1000"),
    explain: ({ value }) => ({
      sentence: `tells the out-of-memory killer how likely a victim it is (${value}; the monitor is spared)`,
      syscalls: [call("open", quote("/proc/self/oom_score_adj"), "O_WRONLY"), call("write", quote(String(value)))],
      man: "proc_pid_oom_score_adj(5)",
    }),
  },
  rlimit: {
    check: ({ soft, hard }) =>
      limit(soft) ??
      limit(hard) ??
      (hard === -1 || (soft !== -1 && soft <= hard) ? null : "the soft limit is above the hard one"),
    explain: ({ resource, soft, hard }) => ({
      sentence: `limits ${resource} to ${limitText(soft)}, and lets it be raised to ${limitText(hard)}`,
      syscalls: [
        call("prlimit64", "0", `RLIMIT_${resource.toUpperCase()}`, `{${limitText(soft)}, ${limitText(hard)}}`),
      ],
      man: "getrlimit(2)",
    }),
  },
  "descriptors.close": {
    check: ({ from }) => (isWhole(from, 1024) ? null : "no such descriptor"),
    explain: ({ from }) => ({
      sentence: "marks every open file but the three standard streams to close at exec: nothing of the host leaks in",
      syscalls: [call("close_range", String(from), "~0U", "CLOSE_RANGE_CLOEXEC")],
      man: "close_range(2)",
    }),
  },
  umask: {
    check: ({ mask }) => permissions(mask),
    explain: ({ mask }) => ({
      sentence: `takes the usual mask for new files (${octal(mask)})`,
      syscalls: [call("umask", octal(mask))],
      man: "umask(2)",
    }),
  },
  user: {
    check: ({ uid, gid, groups }) => firstProblem([uid, gid, ...groups].map(id)),
    explain: ({ uid, gid, groups }) => ({
      sentence: `becomes user ${uid} and group ${gid}${groups.length === 0 ? "" : ` with the groups ${groups.join(", ")}`}`,
      syscalls: [
        call("setgroups", String(groups.length), `[${groups.join(", ")}]`),
        call("setresgid", String(gid), String(gid), String(gid)),
        call("setresuid", String(uid), String(uid), String(uid)),
      ],
      man: "credentials(7)",
    }),
  },
  "directory.enter": {
    check: ({ path }) => containerPath(path),
    explain: ({ path }) => ({
      sentence: `goes to its working directory ${path}`,
      syscalls: [call("chdir", quote(path))],
      man: "chdir(2)",
    }),
  },
  capabilities: {
    check: ({ bounding, permitted, effective, inheritable, ambient }) =>
      firstProblem([bounding, permitted, effective, inheritable, ambient].map(knownCapabilities)) ??
      (effective.every((one) => permitted.includes(one)) ? null : "an effective capability is not permitted") ??
      (ambient.every((one) => permitted.includes(one) && inheritable.includes(one))
        ? null
        : "an ambient capability is not permitted and inheritable"),
    explain: ({ bounding, permitted, effective }) => ({
      sentence: `keeps ${effective.length} of root's ${Object.keys(capabilityNumbers).length} capabilities, and can never get more than ${bounding.length}`,
      syscalls: [
        call("prctl", "PR_CAPBSET_DROP", "…"),
        call("capset", `{effective=${capabilityText(effective)}, permitted=${capabilityText(permitted)}}`),
      ],
      man: "capabilities(7)",
    }),
  },
  "no.new.privileges": {
    check: fine,
    explain: () => ({
      sentence: "gives up gaining rights by exec: setuid bits and file capabilities have no effect",
      syscalls: [call("prctl", "PR_SET_NO_NEW_PRIVS", "1")],
      man: "prctl(2)",
    }),
  },
  seccomp: {
    check: ({ profile }) => (profile.rules.length > 0 ? null : "a profile without rules"),
    explain: ({ profile }) => ({
      sentence: `lets the kernel refuse what the profile "${profile.name}" does not allow: ${allowedCount(profile.rules)} system calls are left`,
      syscalls: [call("seccomp", "SECCOMP_SET_MODE_FILTER", "0", "filter")],
      man: "seccomp(2)",
    }),
  },
  gate: {
    check: fine,
    explain: () => ({
      sentence: 'waits until whoever wants its output is listening; this is OCI\'s state "created"',
      syscalls: [call("write", "monitor", quote("ready")), call("read", "monitor")],
      man: "read(2)",
    }),
  },
  exec: {
    check: ({ candidates }) => firstProblem(candidates.map(containerPath)),
    explain: ({ candidates, argv }) => ({
      sentence: `becomes the program ${argv.join(" ")}${candidates.length > 1 ? `, looked for in ${candidates.length} places` : ""}`,
      syscalls: candidates.map((candidate, index) => ({
        ...call("execve", quote(candidate), `[${argv.map(quote).join(", ")}]`),
        ...(index > 0 && { when: "when that is not there" }),
      })),
      man: "execve(2)",
    }),
  },
} satisfies Rows<
  | "session"
  | "terminal"
  | "oom.score"
  | "rlimit"
  | "descriptors.close"
  | "umask"
  | "user"
  | "directory.enter"
  | "capabilities"
  | "no.new.privileges"
  | "seccomp"
  | "gate"
  | "exec"
>;

function allowedCount(rules: OpOf<"seccomp">["profile"]["rules"]): number {
  return new Set(rules.flatMap(({ action, names }) => (action === "allow" ? names : []))).size;
}

/**
 * With id maps the monitor mounts, in a mount namespace for the purpose, over layers whose ids are shifted: it takes
 * the host's root. The child lays what was mounted on its own "/".
 */

function limitText(value: number): string {
  return value === -1 ? "unlimited" : String(value);
}

function capabilityText(capabilities: readonly Capability[]): string {
  const bits = capabilities.reduce((sum, capability) => sum | (1n << BigInt(capabilityNumbers[capability])), 0n);
  return `0x${bits.toString(16)}`;
}
