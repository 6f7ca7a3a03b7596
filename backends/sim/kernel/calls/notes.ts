/**
 * How each system call of this kernel is told in a trace: by Linux's name for it and the arguments its manual page
 * gives it. Where one call here stands for several there (changing owner and mode, say), each is told.
 *
 * `list` is told as one getdents64 of the path, whose result is the number of names; joining a process's namespaces as
 * one setns of its number; what goes over a netlink socket as one sendto of what it is about.
 */
import type { ErrnoName } from "../../../../core/base/errno.ts";
import type { IpcFlags } from "../ipc/objects.ts";
import type { Sys, PriorityOf } from "../sys.ts";
import { bytesShown, type TraceValue } from "../trace.ts";
import {
  actionText,
  addressText,
  cloneFlags,
  endpointText,
  flagsOfMount,
  octal,
  openFlags,
  sharingFlags,
  signalName,
  socketKinds,
  statText,
  statusText,
  symbols,
  timeText,
  whences,
} from "./symbols.ts";

export interface Noted {
  readonly name: string;
  readonly arguments: readonly TraceValue[];
  readonly result: TraceValue | null;
  /** What the call means by its result is an error there. */
  readonly failure?: ErrnoName;
}

/** No system calls there, or noted where they happen (traced.ts). */
type Untold = "pid" | "now" | "monotonic" | "work" | "rest" | "allocate" | "exec" | "exit" | "spawn" | "readTrace";
export type TracedCall = Exclude<keyof Sys, Untold>;

/** `result` is undefined when the call failed. */
type Note<K extends TracedCall> = (
  given: Parameters<Sys[K]>,
  result: Awaited<ReturnType<Sys[K]>> | undefined,
) => Noted | readonly Noted[];

const here = "AT_FDCWD";
const pathMax = 4096;
const rtnetlink = "/* rtnetlink */";

function told(name: string, given: readonly TraceValue[], result: TraceValue = 0): Noted {
  return { name, arguments: given, result };
}

function shown(bytes: Uint8Array | undefined): TraceValue {
  return bytes === undefined ? "NULL" : bytes.slice(0, bytesShown);
}

/** No longer than a path. */
function text(value: string): TraceValue {
  return { text: value.slice(0, pathMax) };
}

function priorityText(which: PriorityOf): string {
  return { process: "PRIO_PROCESS", group: "PRIO_PGRP", user: "PRIO_USER" }[which];
}

function ofLink(call: string, options: { noFollow?: boolean } = {}): string {
  return options.noFollow === true ? `l${call}` : call;
}

const table: { readonly [K in TracedCall]: Note<K> } = {
  // Identity
  parent: (_given, result) => told("getppid", [], result),
  credentials: (_given, result) => told("getuid", [], result?.uid),
  realIds: (_given, result) => told("getresuid", [`[${result?.uid ?? 0}]`, "NULL", "NULL"]),
  setCredentials: ([{ uid, gid, groups }]) => [
    ...(groups === undefined ? [] : [told("setgroups", [groups.length, `[${groups.join(", ")}]`])]),
    ...(gid === undefined ? [] : [told("setgid", [gid])]),
    ...(uid === undefined ? [] : [told("setuid", [uid])]),
  ],
  umask: ([mask], result) => told("umask", [octal(mask)], result === undefined ? 0 : octal(result)),
  hostname: (_given, result) => told("uname", [`{sysname="Linux", nodename=${JSON.stringify(result ?? "")}, ...}`]),
  setHostname: ([name]) => told("sethostname", [text(name), name.length]),
  setDomainname: ([name]) => told("setdomainname", [text(name), name.length]),
  kernelLog: (_given, result = "") =>
    told("syslog", ["SYSLOG_ACTION_READ_ALL", text(result), result.length], result.length),

  // Processes
  fork: (_given, result) => told("clone", ["child_stack=NULL", "flags=SIGCHLD"], result),
  wait: ([pid, options], result) =>
    told(
      "wait4",
      [
        pid,
        statusText(result),
        symbols(
          [
            options?.noHang === true && "WNOHANG",
            options?.untraced === true && "WUNTRACED",
            options?.continued === true && "WCONTINUED",
          ],
          "0",
        ),
        "NULL",
      ],
      result?.pid ?? 0,
    ),
  kill: ([pid, signal]) => told("kill", [pid, signalName(signal)]),
  onSignal: ([signal, action]) => told("rt_sigaction", [signalName(signal), actionText(action), "NULL", 8]),
  pause: () => ({ ...told("pause", []), failure: "EINTR" }),
  priority: ([which, who], result) =>
    told("getpriority", [priorityText(which), who], result === undefined ? 0 : 20 - result),
  setPriority: ([which, who, nice]) => told("setpriority", [priorityText(which), who, nice]),
  setGroup: ([pid, group]) => told("setpgid", [pid, group]),
  group: ([pid], result) => told("getpgid", [pid ?? 0], result),
  session: (_given, result) => told("getsid", [0], result),
  setSession: (_given, result) => told("setsid", [], result),
  sleep: ([nanos]) => told("clock_nanosleep", ["CLOCK_REALTIME", "0", timeText(nanos), "NULL"]),
  random: ([count], result) => told("getrandom", [shown(result), count, "0"], count),
  trace: ([pid, options]) =>
    told("ptrace", ["PTRACE_SEIZE", pid, "NULL", options?.follow === true ? "PTRACE_O_TRACEFORK" : "0"]),

  // Descriptors
  open: ([path, options], result) => told("openat", openArguments(path, options), result),
  close: ([fd]) => told("close", [fd]),
  read: ([fd, length], result) => told("read", [fd, shown(result), length], result?.length),
  write: ([fd, bytes], result) => told("write", [fd, shown(bytes), bytes.length], result),
  seek: ([fd, offset, whence], result) => told("lseek", [fd, offset, whences[whence]], result),
  duplicate: ([from, to], result) => (to === -1 ? told("dup", [from], result) : told("dup2", [from, to], result)),
  setCloseOnExec: ([fd, on]) => told("fcntl", [fd, "F_SETFD", on ? "FD_CLOEXEC" : "0"]),
  pipe: (_given, result) => told("pipe2", [result === undefined ? "NULL" : `[${result.read}, ${result.write}]`, "0"]),
  poll: ([wanted, timeout], result) => {
    const events = wanted.map(({ fd, read, write }) => {
      return `{fd=${fd}, events=${symbols([read && "POLLIN", write && "POLLOUT"], "0")}}`;
    });
    const milliseconds = timeout === null ? -1 : timeout / 1_000_000n;
    return told("poll", [`[${events.join(", ")}]`, wanted.length, milliseconds], result?.length);
  },
  statFd: ([fd], result) => told("fstat", [fd, statText(result)]),
  isTerminal: ([fd], result) =>
    result === true ? told("ioctl", [fd, "TCGETS", "{...}"]) : notTerminal(fd, "TCGETS", "NULL"),
  terminalSize: ([fd], result) =>
    told("ioctl", [
      fd,
      "TIOCGWINSZ",
      result === undefined ? "NULL" : `{ws_row=${result.rows}, ws_col=${result.columns}, ...}`,
    ]),
  terminalMode: ([fd]) => told("ioctl", [fd, "TCGETS", "{...}"]),
  setTerminalMode: ([fd]) => told("ioctl", [fd, "TCSETS", "{...}"]),
  setForeground: ([fd, group]) => told("ioctl", [fd, "TIOCSPGRP", `[${group}]`]),
  foreground: ([fd], result) => told("ioctl", [fd, "TIOCGPGRP", `[${result ?? 0}]`]),

  // Files
  stat: ([path], result) => told("newfstatat", [here, text(path), statText(result), "0"]),
  lstat: ([path], result) => told("newfstatat", [here, text(path), statText(result), "AT_SYMLINK_NOFOLLOW"]),
  statFileSystem: ([path], result) => told("statfs", [text(path), result === undefined ? "NULL" : "{...}"]),
  device: ([path]) => told("newfstatat", [here, text(path), "{...}", "AT_SYMLINK_NOFOLLOW"]),
  list: ([path], result) => told("getdents64", [text(path)], result?.length),
  readlink: ([path], result) =>
    told("readlink", [text(path), result === undefined ? "NULL" : text(result), 4096], result?.length),
  directory: (_given, result) => told("getcwd", [text(result ?? ""), 4096], (result ?? "").length + 1),
  changeDirectory: ([path]) => told("chdir", [text(path)]),
  changeRoot: ([path]) => told("chroot", [text(path)]),
  access: ([path, { read, write, execute }]) =>
    told("access", [
      text(path),
      symbols([read === true && "R_OK", write === true && "W_OK", execute === true && "X_OK"], "F_OK"),
    ]),
  makeDirectory: ([path, mode]) => told("mkdir", [text(path), octal(mode)]),
  removeDirectory: ([path]) => told("rmdir", [text(path)]),
  unlink: ([path]) => told("unlink", [text(path)]),
  rename: ([from, to, flag = "replace"]) =>
    flag === "replace"
      ? told("rename", [text(from), text(to)])
      : told("renameat2", [
          here,
          text(from),
          here,
          text(to),
          `RENAME_${flag === "exchange" ? "EXCHANGE" : "NOREPLACE"}`,
        ]),
  link: ([target, path]) => told("link", [text(target), text(path)]),
  linkOpened: ([fd, path]) => told("linkat", [fd, text(""), here, text(path), "AT_EMPTY_PATH"]),
  symlink: ([target, path]) => told("symlink", [text(target), text(path)]),
  makeNode: ([path, kind, mode, major = 0, minor = 0]) => {
    const type = { file: "S_IFREG", fifo: "S_IFIFO", socket: "S_IFSOCK", character: "S_IFCHR", block: "S_IFBLK" }[kind];
    const isDevice = kind === "character" || kind === "block";
    const device = isDevice ? [`makedev(0x${major.toString(16)}, 0x${minor.toString(16)})`] : [];
    return told("mknodat", [here, text(path), `${type}|${octal(mode)}`, ...device]);
  },
  truncate: ([path, size]) => told("truncate", [text(path), size]),
  truncateOpened: ([fd, size]) => told("ftruncate", [fd, size]),
  setAttributes: ([path, { mode, uid, gid, mtime }]) => [
    ...(uid === undefined && gid === undefined ? [] : [told("chown", [text(path), uid ?? -1, gid ?? -1])]),
    ...(mode === undefined ? [] : [told("chmod", [text(path), octal(mode)])]),
    ...(mtime === undefined ? [] : [told("utimensat", [here, text(path), `[UTIME_OMIT, ${timeText(mtime)}]`, "0"])]),
  ],
  listXattrs: ([path, options], result) => told(ofLink("listxattr", options), [text(path)], result?.length),
  getXattr: ([path, name, options], result) =>
    told(ofLink("getxattr", options), [text(path), text(name), shown(result)], result?.length),
  setXattr: ([path, name, value, options]) =>
    told(ofLink("setxattr", options), [text(path), text(name), shown(value), value.length, "0"]),
  removeXattr: ([path, name, options]) => told(ofLink("removexattr", options), [text(path), text(name)]),

  // Isolation
  unshare: ([namespaces]) => told("unshare", [cloneFlags(namespaces)]),
  enter: ([pid, namespaces]) => told("setns", [`/* pid ${pid} */`, cloneFlags(namespaces)]),
  mount: ([type, source, target, flags, options]) =>
    told("mount", [
      text(source),
      text(target),
      text(type),
      flagsOfMount(flags),
      options === "" ? "NULL" : text(options),
    ]),
  bind: ([source, target, { recursive, flags }]) =>
    told("mount", [text(source), text(target), "NULL", flagsOfMount(flags, "MS_BIND", recursive && "MS_REC"), "NULL"]),
  setPropagation: ([path, mode]) => told("mount", [text("none"), text(path), "NULL", sharingFlags(mode), "NULL"]),
  unmount: ([path, options]) => told("umount2", [text(path), options?.lazily === true ? "MNT_DETACH" : "0"]),
  remount: ([target, flags, options]) =>
    told("mount", [text("none"), text(target), "NULL", flagsOfMount(flags, "MS_REMOUNT"), text(options)]),
  pivotRoot: ([newRoot, putOld]) => told("pivot_root", [text(newRoot), text(putOld)]),
  setCapabilities: ([{ effective, permitted }]) => {
    const masks = [effective, permitted].map((set) => (set === undefined ? "..." : set.join("|") || "0"));
    return told("capset", [`{effective=${masks[0]}, permitted=${masks[1]}, ...}`]);
  },
  limit: ([resource], result) =>
    told("prlimit64", [
      0,
      `RLIMIT_${resource.toUpperCase()}`,
      "NULL",
      result === undefined ? "NULL" : limitText(result),
    ]),
  setLimit: ([resource, soft, hard]) =>
    told("prlimit64", [0, `RLIMIT_${resource.toUpperCase()}`, limitText({ soft, hard }), "NULL"]),
  noNewPrivileges: () => told("prctl", ["PR_SET_NO_NEW_PRIVS", 1, 0, 0, 0]),

  // Network
  socket: ([kind], result) => told("socket", socketKinds[kind], result),
  bindSocket: ([fd, address]) => told("bind", [fd, addressText(address), 16]),
  listen: ([fd, backlog]) => told("listen", [fd, backlog]),
  accept: ([fd], result) =>
    told("accept4", [fd, result === undefined ? "NULL" : addressText(result.from), "[16]", "0"], result?.fd),
  connect: ([fd, address]) => told("connect", [fd, addressText(address), 16]),
  sendTo: ([fd, bytes, to], result) => told("sendto", [fd, shown(bytes), bytes.length, "0", endpointText(to)], result),
  receiveFrom: ([fd, length], result) =>
    told("recvfrom", [fd, shown(result?.bytes), length, "0", endpointText(result?.from)], result?.bytes.length),
  echoAnswer: ([fd], result) => told("recvmsg", [fd, shown(result?.bytes), "0"], result?.bytes.length),
  shutdown: ([fd, how]) => told("shutdown", [fd, { read: "SHUT_RD", write: "SHUT_WR", both: "SHUT_RDWR" }[how]]),
  setSocketOptions: ([fd, { reuseAddress, broadcast, ttl }]) => [
    ...(reuseAddress === undefined ? [] : [socketOption(fd, "SOL_SOCKET", "SO_REUSEADDR", Number(reuseAddress))]),
    ...(broadcast === undefined ? [] : [socketOption(fd, "SOL_SOCKET", "SO_BROADCAST", Number(broadcast))]),
    ...(ttl === undefined ? [] : [socketOption(fd, "SOL_IP", "IP_TTL", ttl)]),
  ],
  socketName: ([fd], result) => told("getsockname", [fd, endpointText(result), "[16]"]),
  peerName: ([fd], result) => told("getpeername", [fd, endpointText(result), "[16]"]),
  network: () => told("sendto", [rtnetlink, "dump"]),
  changeNetwork: ([request]) => told("sendto", [rtnetlink, request.do]),

  // System V IPC
  sharedMemory: ([key, size, flags], result) => told("shmget", [keyText(key), size, ipcFlags(flags)], result),
  attachMemory: ([id, options], result) =>
    told("shmat", [id, "NULL", options?.readOnly === true ? "SHM_RDONLY" : "0"], result),
  detachMemory: ([address]) => told("shmdt", [address]),
  readMemory: () => [],
  writeMemory: () => [],
  memoryStatus: ([id], result) => told("shmctl", [id, "IPC_STAT", result === undefined ? "NULL" : "{...}"]),
  changeMemory: ([id]) => told("shmctl", [id, "IPC_SET", "{...}"]),
  removeMemory: ([id]) => told("shmctl", [id, "IPC_RMID", "NULL"]),
  semaphores: ([key, count, flags], result) => told("semget", [keyText(key), count, ipcFlags(flags)], result),
  operateSemaphores: ([id, operations, timeout]) => {
    const list = operations.slice(0, listShown).map(({ number, change, noWait, undo }) => {
      const flags = symbols([noWait === true && "IPC_NOWAIT", undo === true && "SEM_UNDO"], "0");
      return `{sem_num=${number}, sem_op=${change}, sem_flg=${flags}}`;
    });
    const until = timeout === null ? "NULL" : timeText(timeout);
    return told("semtimedop", [id, `[${list.join(", ")}]`, operations.length, until]);
  },
  semaphoreStatus: ([id], result) =>
    told("semctl", [id, 0, "GETALL", `[${(result?.values ?? []).slice(0, listShown).join(", ")}]`]),
  setSemaphore: ([id, number, value]) => told("semctl", [id, number, "SETVAL", value]),
  changeSemaphores: ([id]) => told("semctl", [id, 0, "IPC_SET", "{...}"]),
  removeSemaphores: ([id]) => told("semctl", [id, 0, "IPC_RMID", "NULL"]),
  messageQueue: ([key, flags], result) => told("msgget", [keyText(key), ipcFlags(flags)], result),
  sendMessage: ([id, { type, bytes }, options]) =>
    told("msgsnd", [id, type, shown(bytes), bytes.length, options?.noWait === true ? "IPC_NOWAIT" : "0"]),
  receiveMessage: ([id, length, type, options], result) => {
    const { noWait, noError, except } = options ?? {};
    const chosen = [
      noWait === true && "IPC_NOWAIT",
      noError === true && "MSG_NOERROR",
      except === true && "MSG_EXCEPT",
    ];
    return told("msgrcv", [id, shown(result?.bytes), length, type, symbols(chosen, "0")], result?.bytes.length);
  },
  messageQueueStatus: ([id], result) => told("msgctl", [id, "IPC_STAT", result === undefined ? "NULL" : "{...}"]),
  changeMessageQueue: ([id]) => told("msgctl", [id, "IPC_SET", "{...}"]),
  removeMessageQueue: ([id]) => told("msgctl", [id, "IPC_RMID", "NULL"]),

  // POSIX message queues
  openQueue: ([path, options], result) => told("mq_open", [text(path), openFlags(options)], result),
  unlinkQueue: ([path]) => told("mq_unlink", [text(path)]),
  sendQueue: ([fd, { bytes, priority }, timeout]) =>
    told("mq_timedsend", [fd, shown(bytes), bytes.length, priority, timeout === null ? "NULL" : timeText(timeout)]),
  receiveQueue: ([fd, length, timeout], result) => {
    const end = timeout === null ? "NULL" : timeText(timeout);
    return told(
      "mq_timedreceive",
      [fd, shown(result?.bytes), length, `[${result?.priority ?? 0}]`, end],
      result?.bytes.length,
    );
  },
  queueAttributes: ([fd], result) => told("mq_getsetattr", [fd, "NULL", result === undefined ? "NULL" : "{...}"]),
};

const listShown = 16;

function keyText(key: number): TraceValue {
  return key === 0 ? "IPC_PRIVATE" : `0x${key.toString(16)}`;
}

function ipcFlags({ create, exclusive, mode = 0 }: IpcFlags): string {
  return symbols([create === true && "IPC_CREAT", exclusive === true && "IPC_EXCL", octal(mode)], "0");
}

function openArguments(path: string, options: Parameters<Sys["open"]>[1]): TraceValue[] {
  const mode = options.create === true ? [octal(options.mode ?? 0o666)] : [];
  return [here, text(path), openFlags(options), ...mode];
}

function notTerminal(fd: number, ...request: string[]): Noted {
  return { ...told("ioctl", [fd, ...request]), failure: "ENOTTY" };
}

function limitText({ soft, hard }: { readonly soft: number; readonly hard: number }): string {
  const [current, most] = [soft, hard].map((value) => (value === -1 ? "RLIM64_INFINITY" : String(value)));
  return `{rlim_cur=${current}, rlim_max=${most}}`;
}

function socketOption(fd: number, level: string, name: string, value: number): Noted {
  return told("setsockopt", [fd, level, name, `[${value}]`, 4]);
}

export const tracedCalls = Object.keys(table) as readonly TracedCall[];

/** What a call was, from its arguments and its result; undefined is that of one that failed. */
export function notesOf(call: TracedCall, given: readonly unknown[], result: unknown): readonly Noted[] {
  // Each row is given what the call of its own name was given.
  const note = table[call] as (given: readonly unknown[], result: unknown) => Noted | readonly Noted[];
  const noted = note(given, result);
  return Array.isArray(noted) ? noted : [noted as Noted];
}
