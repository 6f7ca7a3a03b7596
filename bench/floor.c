// The floor of a container's start: what `tsbox run busybox true` asks of the kernel (the plan of a default run on
// cgroup v1 or hybrid), written straight down in C: no plan, no monitor, no log, no daemon. Prints, per round, the
// nanoseconds from the first system call to the exec.
//
//   floor ROUNDS DIRECTORY FILTER HIERARCHY…
//     DIRECTORY  holds layer/ (a root file system with /bin/true) and takes the containers' directories
//     FILTER     a file with the seccomp filter, an array of struct sock_filter
//     HIERARCHY  /sys/fs/cgroup/NAME, each a mounted hierarchy
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { OPEN_TREE = 428, MOVE_MOUNT, FSOPEN, FSCONFIG, FSMOUNT, CLONE3 = 435, CLOSE_RANGE, SET_MOUNT = 442 };
enum { ALL = 0x8000 /* AT_RECURSIVE */, NEW_CGROUP = 0x02000000 };
#define INTO_CGROUP 0x200000000ULL

static const uint64_t capabilities = 0xa80425fb;  // Docker's fourteen
static char root[4096], group[64];
static char **hierarchies;
static int hierarchy_count;
static struct {
  unsigned short length;
  void *code;
} filter;

static void must(long result, const char *what) {
  if (result >= 0) return;
  fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
  _exit(1);
}

static void put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  must(fd, path);
  must(write(fd, text, strlen(text)), path);
  close(fd);
}

static const char *name_of(const char *hierarchy) { return strrchr(hierarchy, '/') + 1; }

static const char *in_group(const char *hierarchy, const char *file) {
  static char path[4096];
  snprintf(path, sizeof path, "%s/%s/%s", hierarchy, group, file);
  return path;
}

static void make_groups(void) {
  static const char *const allowed[] = {"c *:* m",   "b *:* m",   "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",  "c 1:8 rwm",
                                        "c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm"};
  for (int i = 0; i < hierarchy_count; i++) {
    must(mkdir(in_group(hierarchies[i], ""), 0755), "mkdir cgroup");
    if (strcmp(name_of(hierarchies[i]), "devices")) continue;
    put(in_group(hierarchies[i], "devices.deny"), "a");
    for (size_t j = 0; j < sizeof allowed / sizeof *allowed; j++) put(in_group(hierarchies[i], "devices.allow"), allowed[j]);
  }
}

static void set(int fs, const char *key, const char *format) {
  char value[4200];
  snprintf(value, sizeof value, format, root);
  must(syscall(FSCONFIG, fs, 1, key, value, 0), key);
}

static void mount_overlay(const char *directory) {
  char layer[4200], merged[4200];
  snprintf(layer, sizeof layer, "%s/layer", directory);
  snprintf(merged, sizeof merged, "%s/merged", root);
  int fs = (int)syscall(FSOPEN, "overlay", 1);
  must(fs, "fsopen");
  must(syscall(FSCONFIG, fs, 1, "lowerdir+", layer, 0), "lowerdir+");
  set(fs, "upperdir", "%s/upper");
  set(fs, "workdir", "%s/work");
  must(syscall(FSCONFIG, fs, 6, NULL, NULL, 0), "fsconfig create");
  int tree = (int)syscall(FSMOUNT, fs, 1, 0);
  must(tree, "fsmount");
  must(syscall(MOVE_MOUNT, tree, "", AT_FDCWD, merged, 4), "move_mount");
  must(fchdir(tree), "fchdir");
}

static void mount_in(const char *type, const char *path, unsigned long flags, const char *options) {
  if (mkdir(path, 0755) < 0 && errno != EEXIST) must(-1, path);
  must(mount(type, path, type, flags, options), path);
}

static void mount_all(void) {
  unsigned long strict = MS_NOSUID | MS_NOEXEC | MS_NODEV;
  char path[256];
  mount_in("proc", "proc", strict, "");
  mount_in("tmpfs", "dev", MS_NOSUID | MS_STRICTATIME, "mode=755,size=65536k");
  mount_in("sysfs", "sys", strict | MS_RDONLY, "");
  mount_in("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620,gid=5");
  mount_in("mqueue", "dev/mqueue", strict, "");
  mount_in("tmpfs", "dev/shm", strict, "mode=1777,size=67108864");
  mount_in("tmpfs", "sys/fs/cgroup", strict, "mode=755,size=64k");
  for (int i = 0; i < hierarchy_count; i++) {
    const char *name = name_of(hierarchies[i]);
    int unified = !strcmp(name, "unified");
    snprintf(path, sizeof path, "sys/fs/cgroup/%s", name);
    mount_in(unified ? "cgroup2" : "cgroup", path, strict | MS_RDONLY, unified ? "" : name);
  }
}

static void make_devices(void) {
  static const struct {
    const char *path;
    unsigned major, minor;
  } devices[] = {{"dev/null", 1, 3},   {"dev/zero", 1, 5},    {"dev/full", 1, 7},
                 {"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0}};
  static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},       {"/proc/self/fd/0", "dev/stdin"},
                                         {"/proc/self/fd/1", "dev/stdout"}, {"/proc/self/fd/2", "dev/stderr"},
                                         {"/proc/kcore", "dev/core"},       {"pts/ptmx", "dev/ptmx"}};
  for (size_t i = 0; i < 6; i++) {
    must(mknod(devices[i].path, S_IFCHR | 0666, makedev(devices[i].major, devices[i].minor)), devices[i].path);
    must(symlink(links[i][0], links[i][1]), links[i][1]);
  }
}

static void pivot(void) {
  must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
  must(umount2(".", MNT_DETACH), "umount2");
  must(chdir("/"), "chdir");
}

static void loopback_up(void) {
  struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  must(ioctl(fd, SIOCSIFFLAGS, &request), "lo");
  close(fd);
}

static void hide(const char *path) {
  struct stat info;
  if (stat(path, &info) < 0) return;
  if (S_ISDIR(info.st_mode)) must(mount("tmpfs", path, "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=0k"), path);
  else must(mount("/dev/null", path, NULL, MS_BIND, NULL), path);
}

static void protect(const char *path) {
  uint64_t readonly[4] = {1};
  int tree = (int)syscall(OPEN_TREE, AT_FDCWD, path, 1 | O_CLOEXEC | ALL);
  if (tree < 0 && errno == ENOENT) return;
  must(tree, path);
  must(syscall(SET_MOUNT, tree, "", AT_EMPTY_PATH | ALL, readonly, sizeof readonly), path);
  must(syscall(MOVE_MOUNT, tree, "", AT_FDCWD, path, 4), path);
  close(tree);
}

static void hide_all(void) {
  static const char *const hidden[] = {"/proc/asound",       "/proc/acpi",        "/proc/interrupts",  "/proc/kcore",
                                       "/proc/keys",         "/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats",
                                       "/proc/sched_debug",  "/proc/scsi",        "/sys/firmware",
                                       "/sys/devices/virtual/powercap"};
  static const char *const kept[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", "/sys/fs/cgroup"};
  for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) hide(hidden[i]);
  for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) protect(kept[i]);
}

static void give_up_rights(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {{(uint32_t)capabilities, (uint32_t)capabilities, 0}, {0, 0, 0}};
  must(syscall(SYS_seccomp, 1, 0, &filter), "seccomp");
  must(setgroups(0, NULL), "setgroups");
  must(setresgid(0, 0, 0), "setresgid");
  must(setresuid(0, 0, 0), "setresuid");
  for (int i = 0; i < 64; i++) {
    if (!(capabilities >> i & 1) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0) break;
  }
  must(syscall(SYS_capset, &header, data), "capset");
  must(prctl(47 /* PR_CAP_AMBIENT */, 4 /* CLEAR_ALL */, 0, 0, 0), "ambient");
}

static _Noreturn void child(const char *directory) {
  static const char *const places[] = {"/usr/local/sbin/true", "/usr/local/bin/true", "/usr/sbin/true",
                                       "/usr/bin/true",        "/sbin/true",          "/bin/true"};
  char *argv[] = {"true", NULL}, *environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};
  umask(0);
  for (int i = 0; i < hierarchy_count; i++) {
    if (strcmp(name_of(hierarchies[i]), "unified")) put(in_group(hierarchies[i], "tasks"), "0");
  }
  put("/proc/self/oom_score_adj", "0");
  must(unshare(NEW_CGROUP), "unshare");
  must(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "rslave");
  mount_overlay(directory);
  mount_all();
  make_devices();
  pivot();
  must(sethostname("floor", 5), "sethostname");
  put("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
  put("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
  loopback_up();
  setsid();
  hide_all();
  must(syscall(CLOSE_RANGE, 3, ~0u, 4), "close_range");
  umask(022);
  give_up_rights();
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) execve(places[i], argv, environment);
  must(-1, "execve");
  _exit(1);
}

static uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

// v2's group, to be born in: what is moved there later waits for all processors.
static int open_unified(void) {
  for (int i = 0; i < hierarchy_count; i++) {
    if (!strcmp(name_of(hierarchies[i]), "unified")) return open(in_group(hierarchies[i], ""), O_PATH | O_DIRECTORY | O_CLOEXEC);
  }
  return -1;
}

// The exec closes the pipe's last writing end.
static uint64_t start(const char *directory) {
  int executed[2];
  char byte;
  uint64_t arguments[11] = {CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET, 0, 0, 0, SIGCHLD};
  uint64_t begin = now();
  make_groups();
  int unified = open_unified();
  if (unified >= 0) arguments[0] |= INTO_CGROUP, arguments[10] = (uint64_t)unified;
  must(pipe2(executed, O_CLOEXEC), "pipe2");
  int pid = (int)syscall(CLONE3, arguments, sizeof arguments);
  must(pid, "clone3");
  if (pid == 0) child(directory);
  close(executed[1]);
  ssize_t got = read(executed[0], &byte, 1);
  uint64_t end = now();
  int status = 1;
  close(executed[0]);
  waitpid(pid, &status, 0);
  if (got != 0 || status != 0) exit(1);
  return end - begin;
}

static void one_round(const char *directory) {
  static const char *const parts[] = {"", "/upper", "/work", "/merged"};
  char path[4200];
  for (int i = 0; i < 4; i++) {
    snprintf(path, sizeof path, "%s%s", root, parts[i]);
    must(mkdir(path, 0755), path);
  }
  printf("%llu\n", (unsigned long long)start(directory));
  for (int i = 0; i < hierarchy_count; i++) {
    while (rmdir(in_group(hierarchies[i], "")) < 0 && errno == EBUSY) usleep(1000);
  }
}

static void read_filter(const char *path) {
  static uint64_t code[4096];
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : read(fd, code, sizeof code);
  must(length, path);
  close(fd);
  filter.code = code;
  filter.length = (unsigned short)(length / 8);
}

int main(int argc, char **argv) {
  if (argc < 5) return fprintf(stderr, "usage: floor ROUNDS DIRECTORY FILTER HIERARCHY...\n"), 2;
  read_filter(argv[3]);
  hierarchies = argv + 4;
  hierarchy_count = argc - 4;
  for (int round = 0; round < atoi(argv[1]); round++) {
    snprintf(root, sizeof root, "%s/floor-%d-%d", argv[2], getpid(), round);
    snprintf(group, sizeof group, "tsbox-floor-%d-%d", getpid(), round);
    one_round(argv[2]);
  }
  return 0;
}
