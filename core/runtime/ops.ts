/**
 * The table of ops: for each kind its own check, its inverse, and its explanation. The compiler
 * refuses the table while a kind is missing. An explanation names the system calls that the Linux
 * helper makes for the op, in order; a test holds it against strace(1).
 */
import { type Capability, capabilityNumbers } from "./capabilities.ts";
import { isContainerPath } from "./container-path.ts";
import type { Cgroup, ChildOp, HostOp, IdMaps, MountFlag, Namespace, Op, OpKind, Propagation } from "./plan.ts";

export interface SystemCall {
  readonly name: string;
  /** As strace(1) would show it, shortened: `mount("proc", "/proc", "proc", MS_NOSUID)`. */
  readonly text: string;
  /** The call is made only then: "when it is missing"; absent: always. */
  readonly when?: string;
  /** Who makes it, before there is a child, because it takes rights that the child of a user namespace has not. */
  readonly by?: "monitor";
}

export interface Explanation {
  /** What happens and why. */
  readonly sentence: string;
  readonly syscalls: readonly SystemCall[];
  /** The manual page to read: "mount(2)". */
  readonly man: string;
}

interface Row<O extends Op> {
  /** What is wrong with the op by itself, null when nothing is. Order is check.ts's business. */
  check(op: O): string | null;
  /** The step that takes away what the op left on the host; absent: it leaves nothing. */
  undo?(op: O): HostOp;
  /** `inUserNamespace`: whether the child that performs it has a user namespace of its own. */
  explain(op: O, inUserNamespace: boolean): Explanation;
}

type OpOf<K extends OpKind> = Extract<Op, { op: K }>;

const fine = (): null => null;

const table = {
  "directory.make": {
    check: ({ path, mode }) => hostPath(path) ?? permissions(mode),
    undo: ({ path }) => ({ op: "directory.remove", path }),
    explain: ({ path, mode }) => ({
      sentence: `makes the directory ${path} on the host`,
      syscalls: [call("mkdir", quote(path), octal(mode))],
      man: "mkdir(2)",
    }),
  },
  "directory.remove": {
    check: ({ path }) => hostPath(path),
    explain: ({ path }) => ({
      sentence: `removes the directory ${path} of the host`,
      syscalls: [call("rmdir", quote(path))],
      man: "rmdir(2)",
    }),
  },
  "cgroup.make": {
    check: ({ cgroup }) => ownCgroup(cgroup),
    undo: ({ cgroup }) => ({ op: "cgroup.remove", cgroup }),
    explain: ({ cgroup }) => ({
      sentence: `makes the control group ${cgroup.path}, ${purposes[cgroup.controller]}`,
      syscalls: [call("mkdir", quote(directoryOf(cgroup)), "0755")],
      man: "cgroups(7)",
    }),
  },
  "cgroup.set": {
    check: ({ cgroup, file }) => anyCgroup(cgroup) ?? (/^[a-z0-9_.]+$/.test(file) ? null : `bad file name ${file}`),
    explain: ({ cgroup, file, value }) => ({
      sentence: settingSentence(file, value),
      syscalls: [call("open", quote(`${directoryOf(cgroup)}/${file}`), "O_WRONLY"), call("write", quote(value))],
      man: "cgroups(7)",
    }),
  },
  "cgroup.kill": {
    check: ({ cgroup }) => ownCgroup(cgroup),
    explain: ({ cgroup }) => ({
      sentence: `ends every process in the control group ${cgroup.path}`,
      syscalls: [call("open", quote(`${directoryOf(cgroup)}/cgroup.kill`), "O_WRONLY"), call("write", quote("1"))],
      man: "cgroups(7)",
    }),
  },
  "cgroup.remove": {
    check: ({ cgroup }) => ownCgroup(cgroup),
    explain: ({ cgroup }) => ({
      sentence: `removes the control group ${cgroup.path} (${cgroup.controller})`,
      syscalls: [call("rmdir", quote(directoryOf(cgroup)))],
      man: "cgroups(7)",
    }),
  },
  spawn: {
    check: ({ create, join, idMaps }) =>
      (create.includes("cgroup") ? "the cgroup namespace is unshared after joining, not created" : null) ??
      (new Set(create).size === create.length ? null : "a namespace is created twice") ??
      (join === null || join.namespaces.join() === "pid" ? null : "only a pid namespace is joined before the clone") ??
      (join === null || !create.includes("pid") ? null : "a pid namespace is joined and created") ??
      (create.includes("user") === (idMaps !== null) ? null : "a user namespace and its id maps come together") ??
      (idMaps === null ? null : maps(idMaps)),
    explain: ({ create, join, idMaps, child }) => ({
      sentence: spawnSentence(create, join !== null, idMaps !== null),
      syscalls: [
        ...madeBeforehand(create),
        ...(join === null ? [] : [call("setns", "pidfd", "CLONE_NEWPID")]),
        call("clone3", `{flags=${flagsOfClone(create, child).join("|")}, exit_signal=SIGCHLD}`),
      ],
      man: create.length > 0 ? "namespaces(7)" : "clone(2)",
    }),
  },
  "cgroup.join": {
    check: ({ cgroup }) => ownCgroup(cgroup),
    explain: ({ cgroup }, inUserNamespace) =>
      cgroup.controller === "unified" ? bornIn(cgroup) : entered(cgroup, inUserNamespace),
  },
  unshare: {
    check: ({ namespaces }) => (namespaces.length > 0 ? null : "nothing to unshare"),
    explain: ({ namespaces }) => ({
      sentence: `takes a ${list(namespaces)} namespace of its own: where it stands now is the root it will see`,
      syscalls: [call("unshare", namespaces.map(cloneFlag).join("|"))],
      man: namespaces.length === 1 ? `${namespaces[0]}_namespaces(7)` : "unshare(2)",
    }),
  },
  enter: {
    check: ({ join }) =>
      (join.namespaces.length > 0 ? null : "nothing to enter") ??
      (join.namespaces.includes("pid") ? "a pid namespace is entered by the clone" : null),
    explain: ({ join }) => ({
      sentence: `enters the ${list(join.namespaces)} ${plural("namespace", join.namespaces)} of container ${short(join.container)}`,
      syscalls: [
        ...prepared(true, call("pidfd_open", "pid")),
        call("setns", "pidfd", join.namespaces.map(cloneFlag).join("|")),
      ],
      man: "setns(2)",
    }),
  },
  propagation: {
    check: ({ path }) => hostPath(path),
    explain: ({ path, mode }) => ({
      sentence: `stops its mounts from reaching the host (${path} becomes ${mode})`,
      syscalls: [call("mount", "NULL", quote(path), "NULL", propagationFlags[mode], "NULL")],
      man: "mount_namespaces(7)",
    }),
  },
  overlay: {
    check: ({ lowers, upper, work, target, flags }) =>
      firstProblem([...lowers, upper, work, target].map(hostPath)) ??
      (lowers.length > 0 && lowers.length <= 500 ? null : `${lowers.length} lower layers: overlayfs takes 1 to 500`) ??
      mountFlags(flags),
    explain: (op, inUserNamespace) => ({
      sentence: `stacks the image's ${op.lowers.length} read-only ${plural("layer", op.lowers)} and the container's own writable one into one tree${op.flags.includes("nodev") ? "; nothing filters devices here, so none may be opened on it" : ""}`,
      syscalls: overlayCalls(op, inUserNamespace),
      man: "mount(2)",
    }),
  },
  mount: {
    check: ({ target, flags }) => targetPath(target) ?? mountFlags(flags),
    explain: ({ type, source, target, flags, options }) => ({
      sentence: `mounts ${target}: ${fileSystems[type]}`,
      syscalls: [
        beneathRoot(target),
        call("mount", quote(source), quote(target), quote(type), mountFlagText(flags), quote(options)),
      ],
      man: typePages[type] ?? "mount(2)",
    }),
  },
  bind: {
    check: ({ source, target, flags }) => hostPath(source) ?? targetPath(target) ?? mountFlags(flags),
    explain: ({ source, target, recursive, flags, propagation }, inUserNamespace) => ({
      sentence: `shows ${source} of the host at ${target}${flags.includes("ro") ? ", read-only" : ""}`,
      syscalls: [
        ...prepared(
          inUserNamespace,
          call("open_tree", "AT_FDCWD", quote(source), `OPEN_TREE_CLONE${recursive ? "|AT_RECURSIVE" : ""}`),
          ...(flags.length > 0 || propagation !== null
            ? [call("mount_setattr", quote(""), `{attr_set=${attributeText(flags)}}`)]
            : []),
        ),
        beneathRoot(target),
        call("move_mount", quote(target)),
      ],
      man: "open_tree(2)",
    }),
  },
  directory: {
    check: ({ path, mode }) => containerPath(path) ?? permissions(mode),
    explain: ({ path, mode }) => ({
      sentence: `makes sure that the directory ${path} exists in the container`,
      syscalls: [beneathRoot(path), sometimes("when it is missing", call("mkdirat", quote(path), octal(mode)))],
      man: "openat2(2)",
    }),
  },
  file: {
    check: ({ path, mode }) => targetPath(path) ?? permissions(mode),
    explain: ({ path, mode }) => ({
      sentence: `makes sure that there is a file ${path} for a mount to land on`,
      syscalls: [
        beneathRoot(path),
        sometimes("when it is missing", call("openat2", quote(path), "O_CREAT", octal(mode))),
      ],
      man: "openat2(2)",
    }),
  },
  device: {
    check: ({ path, mode, major, minor }) =>
      targetPath(path) ??
      permissions(mode) ??
      (isWhole(major, 0xfff) && isWhole(minor, 0xfffff) ? null : `no such device number ${major}:${minor}`),
    explain: ({ path, type, major, minor, mode }) => ({
      sentence: `makes the ${type} device ${path} (${major}:${minor}), one of the few that a container may use`,
      syscalls: [
        beneathRoot(parentOf(path)),
        call(
          "mknodat",
          quote(path),
          `${type === "character" ? "S_IFCHR" : "S_IFBLK"}|${octal(mode)}`,
          `makedev(${major}, ${minor})`,
        ),
      ],
      man: "mknod(2)",
    }),
  },
  symlink: {
    check: ({ path, target }) => targetPath(path) ?? (target === "" ? "an empty symlink" : null),
    explain: ({ path, target }) => ({
      sentence: `makes ${path} point to ${target}`,
      syscalls: [beneathRoot(parentOf(path)), call("symlinkat", quote(target), quote(path))],
      man: "symlink(7)",
    }),
  },
  pivot: {
    check: ({ root }) => hostPath(root),
    explain: ({ root }) => ({
      sentence:
        "makes the stacked tree its root and lets go of the host's files: from here on nothing else can be reached",
      syscalls: [
        call("fchdir", quote(root)),
        call("pivot_root", quote("."), quote(".")),
        call("umount2", quote("."), "MNT_DETACH"),
      ],
      man: "pivot_root(2)",
    }),
  },
  mask: {
    check: ({ path }) => targetPath(path),
    explain: ({ path }) => ({
      sentence: `hides ${path}, which tells of the host or drives it`,
      syscalls: [
        beneathRoot(path),
        sometimes(
          "for a directory",
          call("mount", quote("tmpfs"), quote(path), quote("tmpfs"), "MS_RDONLY", quote("size=0k")),
        ),
        sometimes("for a file", call("move_mount", quote("/dev/null"), quote(path))),
      ],
      man: "mount(2)",
    }),
  },
  readonly: {
    check: ({ path }) => containerPath(path),
    explain: ({ path }) => ({
      sentence:
        path === "/" ? "makes the root file system read-only" : `makes ${path} read-only: it holds the host's settings`,
      syscalls: readonlyCalls(path),
      man: "mount_setattr(2)",
    }),
  },
  hostname: {
    check: ({ name }) => (name.length > 0 && name.length <= 64 ? null : "a host name has 1 to 64 bytes"),
    explain: ({ name }) => ({
      sentence: `calls itself ${name}: only its own UTS namespace hears`,
      syscalls: [call("sethostname", quote(name), String(name.length))],
      man: "uts_namespaces(7)",
    }),
  },
  domainname: {
    check: ({ name }) => (name.length <= 64 ? null : "a domain name has at most 64 bytes"),
    explain: ({ name }) => ({
      sentence: `sets the NIS domain name ${name}`,
      syscalls: [call("setdomainname", quote(name), String(name.length))],
      man: "uts_namespaces(7)",
    }),
  },
  sysctl: {
    check: ({ name }) =>
      /^[\w-]+([./][\w.*-]+)+$/.test(name) && !name.includes("..") ? null : `${name} is no kernel setting`,
    explain: ({ name, value }) => ({
      sentence: `sets the kernel setting ${name} to "${value}" in its own namespaces`,
      syscalls: [
        call("open", quote(`/proc/sys/${name.includes("/") ? name : name.replaceAll(".", "/")}`), "O_WRONLY"),
        call("write", quote(value)),
      ],
      man: "sysctl(8)",
    }),
  },
  "link.up": {
    check: ({ device }) => (/^[^/\s]{1,15}$/.test(device) ? null : `${device} is no network device's name`),
    explain: ({ device }) => ({
      sentence: `sets the network device ${device} up: a new network namespace starts with everything down`,
      syscalls: [
        call("socket", "AF_NETLINK", "SOCK_RAW", "NETLINK_ROUTE"),
        call("sendto", `{RTM_NEWLINK, ${quote(device)}, IFF_UP}`),
        call("recvfrom", "{NLMSG_ERROR, 0}"),
      ],
      man: "rtnetlink(7)",
    }),
  },
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
} satisfies { [K in OpKind]: Row<OpOf<K>> };

/** The row of an op, for code that does not care which kind it is. */
function rowOf(op: Op): Row<Op> {
  const row: unknown = table[op.op];
  return row as Row<Op>;
}

/** What is wrong with an op by itself, null when nothing is. */
export function checkOp(op: Op): string | null {
  return rowOf(op).check(op);
}

/** The host step that takes away what an op left on the host, null when it leaves nothing. */
export function undoOp(op: Op): HostOp | null {
  return rowOf(op).undo?.(op) ?? null;
}

export function explainOp(op: Op, inUserNamespace = false): Explanation {
  return rowOf(op).explain(op, inUserNamespace);
}

// ---- checks: each returns what is wrong, null when nothing is --------------------------------------

function firstProblem(problems: readonly (string | null)[]): string | null {
  return problems.find((problem) => problem !== null) ?? null;
}

function hostPath(path: string): string | null {
  return isContainerPath(path) ? null : `${JSON.stringify(path)} is no absolute path of the host`;
}

function containerPath(path: string): string | null {
  return isContainerPath(path) ? null : `${JSON.stringify(path)} is no absolute path in the container`;
}

/** A path beneath the root, not the root itself. */
function targetPath(path: string): string | null {
  return containerPath(path) ?? (/^\/+$/.test(path) ? "the root itself cannot be covered" : null);
}

function ownCgroup(cgroup: Cgroup): string | null {
  return anyCgroup(cgroup) ?? (cgroup.path === "" ? "the root of a hierarchy is the host's" : null);
}

function anyCgroup({ mount, path }: Cgroup): string | null {
  const parts = path === "" ? [] : path.split("/");
  const climbs = parts.some((part) => part === "" || part === "." || part === "..");
  return hostPath(mount) ?? (climbs ? `${JSON.stringify(path)} is no path of a cgroup` : null);
}

function permissions(mode: number): string | null {
  return isWhole(mode, 0o7777) ? null : `${mode} is no file mode`;
}

function isWhole(value: number, most: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= most;
}

/** The last id stands for "unchanged" in setresuid(2). */
function id(value: number): string | null {
  return isWhole(value, 0xfffffffe) ? null : `${value} is no user or group id`;
}

function limit(value: number): string | null {
  return value === -1 || isWhole(value, Number.MAX_SAFE_INTEGER) ? null : `${value} is no limit`;
}

function mountFlags(flags: readonly MountFlag[]): string | null {
  return new Set(flags).size === flags.length ? null : "a mount flag is given twice";
}

function knownCapabilities(capabilities: readonly Capability[]): string | null {
  const unknown = capabilities.find((capability) => !Object.hasOwn(capabilityNumbers, capability));
  return unknown === undefined ? null : `unknown capability ${unknown}`;
}

/** Ranges must not overlap, and somebody has to be root inside (user_namespaces(7)). */
function maps({ uids, gids }: IdMaps): string | null {
  return firstProblem(
    [uids, gids].map((ranges) => {
      if (!ranges.some(({ inside }) => inside === 0)) return "nobody is root in the user namespace";
      if (ranges.some(({ count }) => count < 1)) return "an id map is empty";
      return overlaps(ranges, "inside") || overlaps(ranges, "outside") ? "id maps overlap" : null;
    }),
  );
}

function overlaps(ranges: IdMaps["uids"], side: "inside" | "outside"): boolean {
  const sorted = ranges.toSorted((one, other) => one[side] - other[side]);
  return sorted.some((range, index) => {
    const next = sorted[index + 1];
    return next !== undefined && range[side] + range.count > next[side];
  });
}

// ---- words ------------------------------------------------------------------------------------------

const purposes: Readonly<Record<Cgroup["controller"], string>> = {
  cpu: "which shares out processor time",
  cpuacct: "which counts processor time",
  cpuset: "which says on which processors it runs",
  memory: "which limits and counts memory",
  pids: "which limits the number of processes",
  blkio: "which limits block I/O",
  freezer: "which can pause it",
  devices: "which says what devices it may open",
  unified: "which can end and freeze all of it at once",
};

const fileSystems: Readonly<Record<OpOf<"mount">["type"], string>> = {
  proc: "the processes of its own pid namespace",
  sysfs: "the kernel's devices and settings",
  tmpfs: "files in memory",
  devpts: "terminals of its own",
  mqueue: "the message queues of its IPC namespace",
  cgroup: "its own control group, seen as the root",
  cgroup2: "its own control group, seen as the root",
};

const typePages: Readonly<Partial<Record<OpOf<"mount">["type"], string>>> = {
  proc: "proc(5)",
  sysfs: "sysfs(5)",
  tmpfs: "tmpfs(5)",
  devpts: "pts(4)",
  mqueue: "mq_overview(7)",
  cgroup: "cgroups(7)",
  cgroup2: "cgroups(7)",
};

const cloneFlags: Readonly<Record<Namespace, string>> = {
  mount: "CLONE_NEWNS",
  uts: "CLONE_NEWUTS",
  ipc: "CLONE_NEWIPC",
  pid: "CLONE_NEWPID",
  network: "CLONE_NEWNET",
  cgroup: "CLONE_NEWCGROUP",
  user: "CLONE_NEWUSER",
  time: "CLONE_NEWTIME",
};

function cloneFlag(namespace: Namespace): string {
  return cloneFlags[namespace];
}

const propagationFlags: Readonly<Record<Propagation, string>> = {
  private: "MS_PRIVATE",
  rprivate: "MS_REC|MS_PRIVATE",
  slave: "MS_SLAVE",
  rslave: "MS_REC|MS_SLAVE",
  shared: "MS_SHARED",
  rshared: "MS_REC|MS_SHARED",
};

const flagNames: Readonly<Record<MountFlag, string>> = {
  ro: "RDONLY",
  nosuid: "NOSUID",
  nodev: "NODEV",
  noexec: "NOEXEC",
  noatime: "NOATIME",
  relatime: "RELATIME",
  nodiratime: "NODIRATIME",
  strictatime: "STRICTATIME",
  sync: "SYNCHRONOUS",
};

function mountFlagText(flags: readonly MountFlag[]): string {
  return flags.map((flag) => `MS_${flagNames[flag]}`).join("|") || "0";
}

function attributeText(flags: readonly MountFlag[]): string {
  return flags.map((flag) => `MOUNT_ATTR_${flagNames[flag]}`).join("|") || "0";
}

const settingWords: readonly (readonly [RegExp, (value: string) => string])[] = [
  [/^memory\.(limit_in_bytes|max)$/, (value) => `limits memory to ${bytes(value)}: beyond it the kernel kills`],
  [/^memory\.memsw\.limit_in_bytes$/, (value) => `limits memory and swap together to ${bytes(value)}`],
  [/^memory\.swap\.max$/, (value) => `limits swap to ${bytes(value)}`],
  [
    /^memory\.(soft_limit_in_bytes|low)$/,
    (value) => `asks the kernel to leave it ${bytes(value)} when memory is short`,
  ],
  [/^cpu\.(shares|weight)$/, (value) => `weighs it ${value} when processes compete for processors`],
  [/^cpu\.cfs_period_us$/, (value) => `counts processor time in periods of ${value} microseconds`],
  [/^cpu\.cfs_quota_us$/, (value) => `gives it ${value} microseconds of processor time a period`],
  [/^cpu\.max$/, (value) => `gives it "${value}": microseconds of processor time a period`],
  [/^cpuset\.cpus$/, (value) => `lets it run on processors ${value}`],
  [/^cpuset\.mems$/, (value) => `lets it use memory of nodes ${value}`],
  [/^pids\.max$/, (value) => `limits it to ${value} processes: fork fails beyond`],
  [/weight$/, (value) => `weighs its block I/O ${value}`],
  [/^devices\.deny$/, () => "forbids all devices to begin with"],
  [/^devices\.allow$/, (value) => `allows the devices "${value}" (type, numbers; read, write, mknod)`],
  [/^cgroup\.subtree_control$/, (value) => `hands controllers down to the groups beneath: ${value}`],
];

function settingSentence(file: string, value: string): string {
  const words = settingWords.find(([pattern]) => pattern.test(file))?.[1];
  return words?.(value) ?? `sets ${file} to ${value}`;
}

function bytes(value: string): string {
  const count = Number(value);
  return Number.isInteger(count) && count % 1048576 === 0 ? `${count / 1048576} MiB` : `${value} bytes`;
}

function flagsOfClone(create: readonly Namespace[], child: readonly ChildOp[]): string[] {
  const isBornInCgroup = child.some((op) => op.op === "cgroup.join" && op.cgroup.controller === "unified");
  const made = namespacesMadeBeforehand(create);
  const flags = create.filter((namespace) => !made.includes(namespace)).map(cloneFlag);
  return ["CLONE_PIDFD", ...(isBornInCgroup ? ["CLONE_INTO_CGROUP"] : []), ...flags];
}

const usual: readonly Namespace[] = ["uts", "ipc", "network", "pid"];

/**
 * Those that a monitor has made before it is asked for a container: the network's takes half a millisecond. Only when
 * all of the usual are wanted, and not for a user namespace, which has to own them.
 */
export function namespacesMadeBeforehand(create: readonly Namespace[]): readonly Namespace[] {
  return !create.includes("user") && usual.every((namespace) => create.includes(namespace)) ? usual : [];
}

function madeBeforehand(create: readonly Namespace[]): SystemCall[] {
  const made = namespacesMadeBeforehand(create);
  return made.length === 0 ? [] : [sometimes("beforehand", call("unshare", made.map(cloneFlag).join("|")))];
}

/** On cgroup v2 the clone itself puts the child there: moving it later would wait for all processors. */
function bornIn(cgroup: Cgroup): Explanation {
  return {
    sentence: `is born in its control group (${cgroup.controller}), so that the limits hold from the first instruction on`,
    syscalls: prepared(true, call("open", quote(directoryOf(cgroup)), "O_PATH|O_DIRECTORY")),
    man: "cgroups(7)",
  };
}

/** By v1's "tasks": for a process of one thread that moves itself it does not wait, as cgroup.procs does. */
function entered(cgroup: Cgroup, inUserNamespace: boolean): Explanation {
  return {
    sentence: `enters its control group (${cgroup.controller}), so that the limits hold from the first instruction on`,
    syscalls: [
      ...prepared(inUserNamespace, call("open", quote(`${directoryOf(cgroup)}/tasks`), "O_WRONLY")),
      call("write", quote("0")),
    ],
    man: "cgroups(7)",
  };
}

function spawnSentence(create: readonly Namespace[], joins: boolean, mapped: boolean): string {
  const born =
    create.length === 0
      ? "starts a process"
      : `starts the container's first process in new namespaces: ${list(create)}`;
  const ids = mapped ? "; its root is an ordinary user of the host" : "";
  return `${born}${joins ? ", in the pid namespace of a running container" : ""}${ids}`;
}

function allowedCount(rules: OpOf<"seccomp">["profile"]["rules"]): number {
  return new Set(rules.flatMap(({ action, names }) => (action === "allow" ? names : []))).size;
}

/**
 * With id maps the monitor mounts, in a mount namespace for the purpose, over layers whose ids are shifted: it takes
 * the host's root. The child lays what was mounted on its own "/".
 */
function overlayCalls(op: OpOf<"overlay">, inUserNamespace: boolean): SystemCall[] {
  const calls = mountOverlayCalls(op);
  if (!inUserNamespace) return calls;
  const shifted = [op.upper, ...op.lowers].flatMap(() => [
    call("open_tree", "layer", "OPEN_TREE_CLONE"),
    call("mount_setattr", "layer", "{attr_set=MOUNT_ATTR_IDMAP}"),
    call("move_mount", "layer"),
  ]);
  const own = [call("unshare", "CLONE_NEWNS"), ...shifted, ...calls.slice(0, -1), call("setns", "home", "CLONE_NEWNS")];
  return [...prepared(true, ...own), call("move_mount", "overlay", quote("/"))];
}

function mountOverlayCalls({ via, lowers, upper, work, target, flags }: OpOf<"overlay">): SystemCall[] {
  if (via === "mount")
    return [
      call(
        "mount",
        quote("overlay"),
        quote(target),
        quote("overlay"),
        mountFlagText(flags),
        quote(`lowerdir=…,upperdir=${upper},workdir=${work}`),
      ),
    ];
  return [
    call("fsopen", quote("overlay"), "FSOPEN_CLOEXEC"),
    ...lowers.toReversed().map((lower) => configure("lowerdir+", lower)),
    configure("upperdir", upper),
    configure("workdir", work),
    call("fsconfig", "fs", "FSCONFIG_CMD_CREATE"),
    call("fsmount", "fs", "FSMOUNT_CLOEXEC", attributeText(flags)),
    call("move_mount", "overlay", quote(target)),
  ];
}

function configure(key: string, value: string): SystemCall {
  return call("fsconfig", "fs", "FSCONFIG_SET_STRING", quote(key), quote(value));
}

function readonlyCalls(path: string): SystemCall[] {
  const set = call("mount_setattr", quote(path), "{attr_set=MOUNT_ATTR_RDONLY}");
  if (path === "/") return [set];
  const cover = [call("open_tree", quote(path), "OPEN_TREE_CLONE|AT_RECURSIVE"), set, call("move_mount", quote(path))];
  return [beneathRoot(path), ...cover.map((one) => sometimes("when it exists", one))];
}

/** Every path in the container is looked up by the kernel as if the container's root were the only one. */
function beneathRoot(path: string): SystemCall {
  return call("openat2", "root", quote(path), "RESOLVE_IN_ROOT");
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/")) || "/";
}

function call(name: string, ...args: readonly string[]): SystemCall {
  return { name, text: `${name}(${args.join(", ")})` };
}

function prepared(byMonitor: boolean, ...calls: readonly SystemCall[]): readonly SystemCall[] {
  return byMonitor ? calls.map((one) => ({ ...one, by: "monitor" })) : calls;
}

function sometimes(when: string, { name, text }: SystemCall): SystemCall {
  return { name, text, when };
}

function directoryOf({ mount, path }: Cgroup): string {
  return path === "" ? mount : `${mount}/${path}`;
}

function quote(text: string): string {
  return JSON.stringify(text);
}

function octal(mode: number): string {
  return `0${mode.toString(8)}`;
}

function limitText(value: number): string {
  return value === -1 ? "unlimited" : String(value);
}

function capabilityText(capabilities: readonly Capability[]): string {
  const bits = capabilities.reduce((sum, capability) => sum | (1n << BigInt(capabilityNumbers[capability])), 0n);
  return `0x${bits.toString(16)}`;
}

function list(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1) ?? ""}`;
}

function plural(word: string, things: readonly unknown[]): string {
  return things.length === 1 ? word : `${word}s`;
}

function short(identifier: string): string {
  return identifier.slice(0, 12);
}
