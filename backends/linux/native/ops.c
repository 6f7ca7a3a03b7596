// The small ops, and the tables from opcode to function.
#include "ops.h"
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

const char *fault = "";

static int op_directory_make(const struct op *op) {
  return mkdir(op->v[0].text, (mode_t)op->v[1].number) < 0 && errno != EEXIST ? -1 : 0;
}

static int op_directory_remove(const struct op *op) {
  return rmdir(op->v[0].text) < 0 && errno != ENOENT ? -1 : 0;
}

static int op_cgroup_join(const struct op *op, struct child *child) {
  int fd = child->prepared[child->index];
  if (is_unified(op)) return close_keep(fd), 0;  // the child was born there
  if (fd < 0) fd = cgroup_open(op);
  if (fd < 0) return -1;
  ssize_t written = write(fd, "0", 1);
  close_keep(fd);
  return written < 0 ? -1 : 0;
}

static int op_unshare(const struct op *op, struct child *child) {
  (void)child;
  return unshare((int)op->v[0].number);
}

// The descriptor was opened, and its start time checked, by the monitor. From here on "/" is the container's.
static int op_enter(const struct op *op, struct child *child) {
  int container = child->prepared[child->index];
  int result = setns(container, (int)op->v[2].number);
  close_keep(container);
  if (op->v[2].number & CLONE_NEWNS) use_root(-1);
  return result;
}

static int op_hostname(const struct op *op, struct child *child) {
  (void)child;
  return sethostname(op->v[0].text, strlen(op->v[0].text));
}

static int op_domainname(const struct op *op, struct child *child) {
  (void)child;
  return setdomainname(op->v[0].text, strlen(op->v[0].text));
}

static int op_sysctl(const struct op *op, struct child *child) {
  (void)child;
  return write_text(op->v[0].text, op->v[1].text);
}

struct link_request {
  struct nlmsghdr header;
  struct ifinfomsg link;
  struct rtattr name;
  char text[IFNAMSIZ];
};

static int link_answer(int fd) {
  struct {
    struct nlmsghdr header;
    struct nlmsgerr error;
    char rest[256];
  } answer;
  if (recv(fd, &answer, sizeof answer, 0) < (ssize_t)(sizeof answer.header + sizeof answer.error.error)) return -1;
  errno = -answer.error.error;
  return errno ? -1 : 0;
}

static int op_link_up(const struct op *op, struct child *child) {
  (void)child;
  struct link_request request = {
      .header = {.nlmsg_len = sizeof request, .nlmsg_type = RTM_NEWLINK, .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK},
      .link = {.ifi_family = AF_UNSPEC, .ifi_flags = IFF_UP, .ifi_change = IFF_UP},
      .name = {.rta_len = sizeof request.name + IFNAMSIZ, .rta_type = IFLA_IFNAME},
  };
  if (strlen(op->v[0].text) >= IFNAMSIZ) return errno = ENODEV, -1;
  strcpy(request.text, op->v[0].text);
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return -1;
  int result = send(fd, &request, sizeof request, 0) < 0 ? -1 : link_answer(fd);
  close_keep(fd);
  return result;
}

static int op_session(const struct op *op, struct child *child) {
  (void)op, (void)child;
  return setsid() < 0 ? -1 : 0;
}

static int op_oom_score(const struct op *op, struct child *child) {
  (void)child;
  return write_text("/proc/self/oom_score_adj", op->v[0].text);
}

static int op_rlimit(const struct op *op, struct child *child) {
  (void)child;
  uint64_t limit[2] = {op->v[1].number, op->v[2].number};
  return (int)syscall(SYS_prlimit64, 0, (unsigned)op->v[0].number, limit, NULL);
}

static int op_descriptors_close(const struct op *op, struct child *child) {
  (void)child;
  return (int)syscall(NR_close_range, (unsigned)op->v[0].number, ~0u, CLOSE_RANGE_MARK_CLOEXEC);
}

static int op_umask(const struct op *op, struct child *child) {
  (void)child;
  umask((mode_t)op->v[0].number);
  return 0;
}

// A working directory outside the root (through a leaked descriptor's /proc name) has no path: refuse it.
static int op_directory_enter(const struct op *op, struct child *child) {
  (void)child;
  char path[4096];
  if (chdir(op->v[0].text) < 0) return -1;
  if (syscall(SYS_getcwd, path, sizeof path) < 0) return errno == ERANGE ? 0 : -1;
  return path[0] == '/' ? 0 : (errno = ENOENT, -1);
}

static int op_gate(const struct op *op, struct child *child) {
  (void)op;
  uint8_t kind = MESSAGE_GATE;
  if (write(child->monitor, &kind, 1) < 0) return -1;
  ssize_t got = read(child->monitor, &kind, 1);
  return got == 1 && kind == MESSAGE_RELEASE ? 0 : (errno = got < 0 ? errno : ECONNRESET, -1);
}

// As execvp(3): what is not there is passed over, what may not be executed is remembered.
static int op_exec(const struct op *op, struct child *child) {
  (void)child;
  const char **candidates = string_list(&op->v[0]), **argv = string_list(&op->v[1]);
  const char **environment = string_list(&op->v[2]);
  if (!candidates || !argv || !environment || !argv[0]) return errno = ENOMEM, -1;
  const char *denied = NULL;
  for (int i = 0; candidates[i]; i++) {
    execve(candidates[i], (char *const *)argv, (char *const *)environment);
    fault = candidates[i];
    if (errno == EACCES) denied = denied ? denied : candidates[i];
    else if (errno != ENOENT && errno != ENOTDIR) return -1;
  }
  fault = denied ? denied : argv[0];
  return errno = denied ? EACCES : ENOENT, -1;
}

static int (*const host_functions[OP_COUNT])(const struct op *) = {
    [OP_DIRECTORY_MAKE] = op_directory_make, [OP_DIRECTORY_REMOVE] = op_directory_remove,
    [OP_CGROUP_MAKE] = cgroup_make,          [OP_CGROUP_SET] = cgroup_set,
    [OP_CGROUP_KILL] = cgroup_kill,          [OP_CGROUP_REMOVE] = cgroup_remove,
};

static int (*const child_functions[OP_COUNT])(const struct op *, struct child *) = {
    [OP_CGROUP_JOIN] = op_cgroup_join,
    [OP_UNSHARE] = op_unshare,
    [OP_ENTER] = op_enter,
    [OP_PROPAGATION] = op_propagation,
    [OP_OVERLAY] = op_overlay,
    [OP_MOUNT] = op_mount,
    [OP_BIND] = op_bind,
    [OP_DIRECTORY] = op_directory,
    [OP_FILE] = op_file,
    [OP_DEVICE] = op_device,
    [OP_SYMLINK] = op_symlink,
    [OP_PIVOT] = op_pivot,
    [OP_MASK] = op_mask,
    [OP_READONLY] = op_readonly,
    [OP_HOSTNAME] = op_hostname,
    [OP_DOMAINNAME] = op_domainname,
    [OP_SYSCTL] = op_sysctl,
    [OP_LINK_UP] = op_link_up,
    [OP_SESSION] = op_session,
    [OP_TERMINAL] = op_terminal,
    [OP_OOM_SCORE] = op_oom_score,
    [OP_RLIMIT] = op_rlimit,
    [OP_DESCRIPTORS_CLOSE] = op_descriptors_close,
    [OP_UMASK] = op_umask,
    [OP_USER] = op_user,
    [OP_DIRECTORY_ENTER] = op_directory_enter,
    [OP_CAPABILITIES] = op_capabilities,
    [OP_NO_NEW_PRIVILEGES] = op_no_new_privileges,
    [OP_SECCOMP] = op_seccomp,
    [OP_GATE] = op_gate,
    [OP_EXEC] = op_exec,
};

int perform_host_op(const struct op *op) {
  fault = op->v[0].length ? "" : op->v[0].text;
  return host_functions[op->code](op);
}

int perform_child_op(const struct op *op, struct child *child) {
  fault = op->v[0].length ? "" : op->v[0].text;
  return child_functions[op->code](op, child);
}
