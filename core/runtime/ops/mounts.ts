/** Rows of the ops that make the tree of mounts a container sees. */
import type { MountFlag, Propagation } from "../plan.ts";
import { beneathRoot, call, plural, prepared, quote, sometimes } from "./calls.ts";
import { containerPath, firstProblem, hostPath, mountFlags, targetPath } from "./checks.ts";
import type { OpOf, Rows, SystemCall } from "./row.ts";

export const mountRows = {
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
} satisfies Rows<"propagation" | "overlay" | "mount" | "bind" | "pivot" | "mask" | "readonly">;

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
