/**
 * The default seccomp profile: what a container's programs may ask of the kernel. It is an allow
 * list; everything else fails with EPERM, as if the right were missing. The facts are Docker's
 * (moby/profiles, seccomp/default.json); the grouping is ours and says what each call is good for.
 *
 * Three layers: calls every program may make, calls that come with a capability, and calls that
 * are allowed with certain arguments only. `defaultSeccomp` narrows them to one container.
 */
import { type Capability, capabilityNumbers } from "./capabilities.ts";
import type { SeccompArgument, SeccompProfile, SeccompRule } from "./seccomp.ts";
import type { HostTraits } from "./traits.ts";

const files = `
  access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2
  fadvise64 fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync
  flock fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 futimesat getcwd getdents getdents64 ioctl
  lchown lchown32 link linkat listmount _llseek lseek lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at
  newfstatat open openat openat2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat
  readv rename renameat renameat2 rmdir sendfile sendfile64 splice stat stat64 statfs statfs64 statmount statx symlink
  symlinkat sync sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64
  utimes vmsplice write writev cachestat`;

const extendedAttributes = `
  fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr lremovexattr
  lsetxattr removexattr removexattrat setxattr setxattrat`;

const waitingForEvents = `
  epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd eventfd2
  fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch io_cancel io_destroy io_getevents
  io_pgetevents io_pgetevents_time64 io_setup io_submit _newselect poll ppoll ppoll_time64 pselect6 pselect6_time64
  select signalfd signalfd4`;

const memory = `
  brk madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2 mprotect
  mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect remap_file_pages`;

const processes = `
  capget capset execve execveat exit exit_group fork get_robust_list get_thread_area getcpu getegid getegid32 geteuid
  geteuid32 getgid getgid32 getgroups getgroups32 getpgid getpgrp getpid getppid getpriority getresgid getresgid32
  getresuid getresuid32 getrlimit getrusage getsid gettid getuid getuid32 ioprio_get ioprio_set kill
  landlock_add_rule landlock_create_ruleset landlock_restrict_self pause pidfd_open pidfd_send_signal prctl prlimit64
  process_mrelease process_vm_readv process_vm_writev ptrace restart_syscall rseq sched_get_priority_max
  sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval
  sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler sched_yield seccomp
  set_robust_list set_thread_area set_tid_address setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups
  setgroups32 setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32
  setrlimit setsid setuid setuid32 tgkill tkill ugetrlimit uretprobe vfork wait4 waitid waitpid`;

const signals = `
  rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
  rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn`;

const time = `
  adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
  clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete
  timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime
  timerfd_gettime64 timerfd_settime timerfd_settime64 times`;

const talkingToOthers = `
  accept accept4 bind connect futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake getpeername getsockname
  getsockopt ipc listen mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend
  mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd pipe pipe2 recv recvfrom recvmmsg recvmmsg_time64 recvmsg
  semctl semget semop semtimedop semtimedop_time64 send sendmmsg sendmsg sendto setsockopt shmat shmctl shmdt shmget
  shutdown socketcall socketpair`;

const theSystem = "getrandom sysinfo uname";

const forEveryone = [
  files,
  extendedAttributes,
  waitingForEvents,
  memory,
  processes,
  signals,
  time,
  talkingToOthers,
  theSystem,
].flatMap(words);

const forArchitecture: Readonly<Record<HostTraits["architecture"], readonly string[]>> = {
  amd64: ["arch_prctl", "modify_ldt"],
  arm64: words("arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls"),
};

/** Calls that a capability brings along: without it the kernel would mostly refuse them anyway. */
const forCapability: Readonly<Partial<Record<Capability, readonly string[]>>> = {
  CAP_DAC_READ_SEARCH: ["open_by_handle_at"],
  CAP_SYS_ADMIN: words(`
    bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
    lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname
    sethostname setns syslog umount umount2 unshare`),
  CAP_SYS_BOOT: ["reboot"],
  CAP_SYS_CHROOT: ["chroot"],
  CAP_SYS_MODULE: ["delete_module", "init_module", "finit_module"],
  CAP_SYS_PACCT: ["acct"],
  CAP_SYS_PTRACE: words("kcmp pidfd_getfd process_madvise"),
  CAP_SYS_RAWIO: ["iopl", "ioperm"],
  CAP_SYS_TIME: ["settimeofday", "stime", "clock_settime", "clock_settime64"],
  CAP_SYS_TTY_CONFIG: ["vhangup"],
  CAP_SYS_NICE: ["get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"],
  CAP_SYSLOG: ["syslog"],
  CAP_BPF: ["bpf"],
  CAP_PERFMON: ["perf_event_open"],
};

/** personality(2): Linux as it is, or asking for it (0xffffffff); 32-bit uname and 2.6 version numbers. */
const personalities = [0x0, 0x0008, 0x20000, 0x20008, 0xffffffff];

/**
 * Address families by number, first and last of each run (linux/socket.h). Left out are those that
 * leave the network namespace (AF_VSOCK 40), reach rarely tested kernel code (AF_ALG 38), or are dead.
 */
const addressFamilies: readonly (readonly [number, number])[] = [
  [0, 11],
  [13, 18],
  [21, 22],
  [24, 24],
  [26, 33],
  [35, 36],
  [39, 39],
  [41, 45],
];

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: clone(2) may not make namespaces. */
const namespaceFlags = 0x7e020000;

const EPERM = 1;
const ENOSYS = 38;

const withArguments: readonly SeccompRule[] = [
  ...addressFamilies.map(([first, last]) =>
    allow(["socket"], [compare("ge", first), compare("le", last)].slice(first === 0 ? 1 : 0)),
  ),
  ...personalities.map((value) => allow(["personality"], [compare("eq", value)])),
];

/** Without CAP_SYS_ADMIN: clone3's flags are out of a filter's sight, so the C library must fall back to clone. */
const cloneWithoutNamespaces: readonly SeccompRule[] = [
  allow(["clone"], [{ index: 0, operator: "masked-eq", value: 0, mask: namespaceFlags }]),
  { names: ["clone3"], action: "errno", errno: ENOSYS },
];

const profiles = new Map<string, SeccompProfile>();

/** The default profile of a container with these capabilities. The same question gets the very same object. */
export function defaultSeccomp(
  capabilities: readonly Capability[],
  architecture: HostTraits["architecture"],
): SeccompProfile {
  const relevant = capabilities.filter((capability) => forCapability[capability] !== undefined);
  const key = [architecture, ...relevant.toSorted(byNumber)].join(" ");
  const known = profiles.get(key) ?? buildProfile(relevant, architecture);
  profiles.set(key, known);
  return known;
}

function buildProfile(capabilities: readonly Capability[], architecture: HostTraits["architecture"]): SeccompProfile {
  return {
    name: "default",
    defaultAction: "errno",
    defaultErrno: EPERM,
    rules: [
      allow([
        ...forEveryone,
        ...forArchitecture[architecture],
        ...capabilities.flatMap((capability) => forCapability[capability] ?? []),
      ]),
      ...withArguments,
      ...(capabilities.includes("CAP_SYS_ADMIN") ? [] : cloneWithoutNamespaces),
    ],
  };
}

function allow(names: readonly string[], args: readonly SeccompArgument[] = []): SeccompRule {
  return args.length === 0 ? { names, action: "allow" } : { names, action: "allow", arguments: args };
}

function compare(operator: "eq" | "ge" | "le", value: number): SeccompArgument {
  return { index: 0, operator, value };
}

function words(text: string): string[] {
  return text.trim().split(/\s+/);
}

function byNumber(one: Capability, other: Capability): number {
  return capabilityNumbers[one] - capabilityNumbers[other];
}
