/** The constants and structures of system calls as strace writes them. */
import type { Stat } from "../../../../core/unionfs/file-system.ts";
import type { MountFlag, Namespace } from "../../../../core/runtime/plan.ts";
import { formatIpv4 } from "../../net/address.ts";
import type { Endpoint } from "../../net/packet.ts";
import type { SharingMode } from "../propagation.ts";
import type { OpenOptions, SignalAction, SocketAddress, SocketKind, WaitStatus, Whence } from "../sys.ts";

export function symbols(chosen: readonly (string | false | undefined)[], none: string): string {
  const names = chosen.filter((each) => typeof each === "string");
  return names.length === 0 ? none : names.join("|");
}

export function octal(mode: number): string {
  return mode === 0 ? "000" : `0${mode.toString(8)}`;
}

const kinds = {
  file: "S_IFREG",
  directory: "S_IFDIR",
  symlink: "S_IFLNK",
  fifo: "S_IFIFO",
  socket: "S_IFSOCK",
  character: "S_IFCHR",
  block: "S_IFBLK",
} as const;

export function statText(stat: Stat | undefined): string {
  if (stat === undefined) return "NULL";
  return `{st_mode=${kinds[stat.kind]}|${octal(stat.mode)}, st_size=${stat.size}, ...}`;
}

export function openFlags(options: OpenOptions): string {
  const { access, create, exclusive, truncate, append, directory, noFollow, nonBlocking, unnamed, path } = options;
  return symbols(
    [
      { read: "O_RDONLY", write: "O_WRONLY", both: "O_RDWR" }[access],
      create && "O_CREAT",
      exclusive && "O_EXCL",
      truncate && "O_TRUNC",
      append && "O_APPEND",
      nonBlocking && "O_NONBLOCK",
      directory && "O_DIRECTORY",
      noFollow && "O_NOFOLLOW",
      unnamed && "O_TMPFILE",
      path && "O_PATH",
    ],
    "0",
  );
}

const namespaceFlags: Readonly<Record<Namespace, string>> = {
  mount: "CLONE_NEWNS",
  uts: "CLONE_NEWUTS",
  ipc: "CLONE_NEWIPC",
  pid: "CLONE_NEWPID",
  network: "CLONE_NEWNET",
  user: "CLONE_NEWUSER",
  cgroup: "CLONE_NEWCGROUP",
  time: "CLONE_NEWTIME",
};

export function cloneFlags(namespaces: readonly Namespace[]): string {
  return symbols(
    namespaces.map((each) => namespaceFlags[each]),
    "0",
  );
}

const mountFlags: Readonly<Record<MountFlag, string>> = {
  ro: "MS_RDONLY",
  nosuid: "MS_NOSUID",
  nodev: "MS_NODEV",
  noexec: "MS_NOEXEC",
  noatime: "MS_NOATIME",
  relatime: "MS_RELATIME",
  nodiratime: "MS_NODIRATIME",
  strictatime: "MS_STRICTATIME",
  sync: "MS_SYNCHRONOUS",
};

export function flagsOfMount(flags: readonly MountFlag[], ...more: (string | false)[]): string {
  return symbols([...more, ...flags.map((flag) => mountFlags[flag])], "0");
}

export function sharingFlags(mode: SharingMode): string {
  const isRecursive = mode.startsWith("r");
  return symbols([isRecursive && "MS_REC", `MS_${(isRecursive ? mode.slice(1) : mode).toUpperCase()}`], "0");
}

const signalNames = [
  "0 HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG",
  "XCPU XFSZ VTALRM PROF WINCH IO PWR SYS",
]
  .join(" ")
  .split(" ");

export function signalName(number: number): string {
  const name = signalNames[number];
  if (number === 0) return "0";
  return name === undefined ? `SIGRT_${number - 32}` : `SIG${name}`;
}

export function actionText(action: SignalAction): string {
  const handler = action === "default" ? "SIG_DFL" : action === "ignore" ? "SIG_IGN" : "handler";
  return `{sa_handler=${handler}, sa_mask=[], sa_flags=0}`;
}

export function statusText(status: WaitStatus | null | undefined): string {
  if (status === null || status === undefined) return "NULL";
  const { kind, value } = status;
  switch (kind) {
    case "exited":
      return `[{WIFEXITED(s) && WEXITSTATUS(s) == ${value}}]`;
    case "killed":
      return `[{WIFSIGNALED(s) && WTERMSIG(s) == ${signalName(value)}}]`;
    case "stopped":
      return `[{WIFSTOPPED(s) && WSTOPSIG(s) == ${signalName(value)}}]`;
    case "continued":
      return "[{WIFCONTINUED(s)}]";
  }
}

export function timeText(nanos: bigint): string {
  return `{tv_sec=${nanos / 1_000_000_000n}, tv_nsec=${nanos % 1_000_000_000n}}`;
}

export const socketKinds: Readonly<Record<SocketKind, readonly [string, string, string]>> = {
  stream: ["AF_INET", "SOCK_STREAM", "IPPROTO_IP"],
  datagram: ["AF_INET", "SOCK_DGRAM", "IPPROTO_IP"],
  echo: ["AF_INET", "SOCK_DGRAM", "IPPROTO_ICMP"],
  unix: ["AF_UNIX", "SOCK_STREAM", "0"],
};

export function addressText(address: SocketAddress): string {
  if (address.family === "unix") return `{sa_family=AF_UNIX, sun_path=${JSON.stringify(address.path)}}`;
  const { port } = address;
  return `{sa_family=AF_INET, sin_port=htons(${port}), sin_addr=inet_addr("${formatIpv4(address.address)}")}`;
}

export function endpointText(endpoint: Endpoint | null | undefined): string {
  return endpoint === null || endpoint === undefined ? "NULL" : addressText({ family: "inet", ...endpoint });
}

export const whences: Readonly<Record<Whence, string>> = {
  set: "SEEK_SET",
  current: "SEEK_CUR",
  end: "SEEK_END",
  data: "SEEK_DATA",
  hole: "SEEK_HOLE",
};
