#include "spawn.h"
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct message_failed last_message;

uint64_t start_time_of(int pid) {
  char path[32], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  close_keep(fd);
  if (length <= 0) return 0;
  text[length] = 0;
  char *at = strrchr(text, ')');  // the command's name may hold anything
  for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
  return at ? strtoull(at + 1, NULL, 10) : 0;
}

// A pid may be another process's by now: its start time tells.
static int open_container(int pid, uint64_t start_time) {
  int fd = pidfd_open_(pid);
  if (fd >= 0 && start_time_of(pid) == start_time) return fd;
  if (fd >= 0) close(fd);
  return errno = ESRCH, -1;
}

// ---- the child's side ----------------------------------------------------------------------------------------------

static void report(struct child *child, const struct op *op, int error) {
  last_message = (struct message_failed){.kind = MESSAGE_FAILED, .op = op->code, .index = (int32_t)child->index, .error = error};
  strncpy(last_message.path, fault, sizeof last_message.path - 1);
  size_t size = offsetof(struct message_failed, path) + strlen(last_message.path) + 1;
  if (write(child->monitor, &last_message, size) < 0) _exit(2);
}

// Until its maps are written a process of a new user namespace is nobody; then it becomes the namespace's root.
static int become_root(int monitor) {
  uint8_t kind;
  if (read(monitor, &kind, 1) != 1 || kind != MESSAGE_MAPPED) return -1;
  if (setgroups(0, NULL) < 0 || setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) return -1;
  return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);  // nobody else is in here yet, and /proc/self must be ours
}

static int start_clean(const struct op *spawn, int monitor, const int stdio[3]) {
  sigset_t none;
  sigemptyset(&none);
  signal(SIGHUP, SIG_DFL);
  signal(SIGPIPE, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, NULL);
  umask(0);
  for (int fd = 0; fd < 3; fd++) {
    if (dup2(stdio[fd], fd) < 0) return -1;
  }
  // What runs in the container joined must not trace us while we hold the host's descriptors.
  if (spawn->v[1].number && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0) return -1;
  return spawn->v[4].text[0] ? become_root(monitor) : 0;
}

static _Noreturn void run_child(const struct op *spawn, struct child *child, const int stdio[3]) {
  fault = "";
  if (start_clean(spawn, child->monitor, stdio) < 0) {
    child->index = (uint32_t)NO_STEP;
    report(child, spawn, errno);
    _exit(1);
  }
  struct ops ops = child_ops(spawn);
  for (child->index = 0; child->index < ops.count; child->index++) {
    struct op op;
    next_op(&ops, &op);
    if (perform_child_op(&op, child) == 0) continue;
    report(child, &op, errno);
    break;
  }
  _exit(1);
}

// ---- the monitor's side --------------------------------------------------------------------------------------------

static int prepare_op(const struct op *op, bool user) {
  switch (op->code) {
    case OP_ENTER: return open_container((int)op->v[0].number, op->v[1].number);
    case OP_CGROUP_JOIN: return is_unified(op) ? cgroup_directory(op) : user ? cgroup_open(op) : -1;
    case OP_OVERLAY: return user ? overlay_idmapped(op) : -1;
    case OP_BIND: return user ? bind_source(op) : -1;
    default: return -1;
  }
}

static bool must_prepare(const struct op *op, bool user) {
  return op->code == OP_ENTER || is_unified(op) || (user && (op->code == OP_CGROUP_JOIN || op->code == OP_OVERLAY || op->code == OP_BIND));
}

// Opens what the child will not be able to: the container it joins, and, for a child in a user namespace of its own,
// everything that takes the host's root.
static int *prepare(const struct op *spawn, struct failure *failure) {
  bool user = spawn->v[0].number & CLONE_NEWUSER;
  struct ops ops = child_ops(spawn);
  int *prepared = malloc((ops.count + 1) * sizeof *prepared);
  for (uint32_t i = 0; prepared && i < ops.count; i++) {
    struct op op;
    next_op(&ops, &op);
    fault = op.v[0].length ? "" : op.v[0].text;
    prepared[i] = prepare_op(&op, user);
    if (prepared[i] >= 0 || !must_prepare(&op, user)) continue;
    *failure = (struct failure){.child = (int)i, .op = op.code, .error = errno, .path = fault};
    while (i-- > 0) close_keep(prepared[i]);
    return free(prepared), NULL;
  }
  return prepared;
}

static void forget_prepared(const struct op *spawn, int *prepared) {
  for (uint32_t count = child_ops(spawn).count; count-- > 0;) close_keep(prepared[count]);
  free(prepared);
}

static int write_map(int pid, const char *name, const char *text) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  return write_text(path, text);
}

// The pipes become the namespace's root's: it may open them again, and give them to the user the program runs as.
static void give_streams(const struct op *spawn, const int stdio[3]) {
  struct stat info;
  for (int i = 0; i < 3; i++) {
    if (fstat(stdio[i], &info) < 0 || !S_ISFIFO(info.st_mode)) continue;
    if (fchown(stdio[i], outside_root(spawn->v[4].text), outside_root(spawn->v[5].text)) < 0) return;
  }
}

static int write_maps(const struct op *spawn, const int stdio[3], const struct task *task) {
  uint8_t kind = MESSAGE_MAPPED;
  if (!spawn->v[4].text[0]) return 0;
  give_streams(spawn, stdio);
  if (write_map(task->pid, "uid_map", spawn->v[4].text) < 0 || write_map(task->pid, "gid_map", spawn->v[5].text) < 0)
    return -1;
  return write(task->channel, &kind, 1) == 1 ? 0 : -1;
}

static int join_pids(const struct op *spawn) {
  if (!spawn->v[1].number || !(spawn->v[3].number & CLONE_NEWPID)) return 0;
  int container = open_container((int)spawn->v[1].number, spawn->v[2].number);
  int result = container < 0 ? -1 : setns(container, CLONE_NEWPID);
  close_keep(container);
  return result;
}

// The cgroup of v2 that the child is born in; -1 when it joins none.
static int birthplace(const struct op *spawn, const int *prepared) {
  struct ops ops = child_ops(spawn);
  for (uint32_t i = 0; i < ops.count; i++) {
    struct op op;
    next_op(&ops, &op);
    if (is_unified(&op)) return prepared[i];
  }
  return -1;
}

enum { APART = CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID };
static bool is_apart;

void spawn_apart(void) { is_apart = is_apart || unshare(APART) == 0; }

// Those that are left to the clone.
static uint64_t namespaces_of(const struct op *spawn) { return spawn->v[0].number & ~(is_apart ? (uint64_t)APART : 0); }

static int clone_child(const struct op *spawn, const int *prepared, const int stdio[3], struct task *task) {
  int pair[2];
  if (join_pids(spawn) < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) return -1;
  struct clone_arguments arguments = {.exit_signal = SIGCHLD, .flags = CLONE_PIDFD | namespaces_of(spawn)};
  arguments.pidfd = (uint64_t)(uintptr_t)&task->pidfd;
  int cgroup = birthplace(spawn, prepared);
  if (cgroup >= 0) arguments.flags |= CLONE_INTO_CGROUP, arguments.cgroup = (uint64_t)cgroup;
  task->pid = (int)syscall(NR_clone3, &arguments, sizeof arguments);
  if (task->pid == 0) {
    struct child child = {.monitor = pair[1], .prepared = prepared};
    close(pair[0]);
    run_child(spawn, &child, stdio);
  }
  close_keep(pair[1]);
  task->channel = pair[0];
  if (task->pid < 0) close_keep(pair[0]);
  return task->pid;
}

// The next message of the child: its kind, 0 at the end, -1 when there is none yet.
static int receive(struct task *task, int flags) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec part = {&last_message, sizeof last_message};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t length = recvmsg(task->channel, &message, flags | MSG_CMSG_CLOEXEC);
  if (length < 0) return errno == EAGAIN || errno == EINTR ? -1 : 0;
  if (length > 0 && last_message.kind == MESSAGE_TERMINAL && message.msg_controllen >= sizeof control.header)
    memcpy(&task->master, CMSG_DATA(&control.header), sizeof task->master);
  return length == 0 ? 0 : last_message.kind;
}

void task_abandon(struct task *task) {
  kill(task->pid, SIGKILL);
  waitpid(task->pid, NULL, 0);
  close_keep(task->pidfd);
  close_keep(task->channel);
  close_keep(task->master);
  task->pid = -1;
}

int enter_view(const struct request *request, struct failure *failure) {
  struct ops ops = request->ops;
  struct op spawn, op;
  if (ops.count != 1) return failure->error = EINVAL, -1;
  next_op(&ops, &spawn);
  int *prepared = spawn.code == OP_SPAWN ? prepare(&spawn, failure) : NULL;
  if (!prepared) return failure->error = failure->error ? failure->error : EINVAL, -1;
  struct child child = {.monitor = -1, .prepared = prepared};
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);  // as in start_clean
  for (ops = child_ops(&spawn); child.index < ops.count; child.index++) {
    next_op(&ops, &op);
    if (perform_child_op(&op, &child) == 0) continue;
    *failure = (struct failure){.child = (int)child.index, .op = op.code, .error = errno, .path = fault};
    return -1;
  }
  return 0;
}

int spawn(const struct op *op, const int stdio[3], struct task *task, struct failure *failure) {
  *task = (struct task){.pid = -1, .pidfd = -1, .channel = -1, .master = -1};
  task->own_pids = op->v[0].number & CLONE_NEWPID;
  int *prepared = prepare(op, failure);
  if (!prepared) return -1;
  *failure = (struct failure){.child = NO_STEP, .op = OP_SPAWN, .path = ""};
  int cloned = clone_child(op, prepared, stdio, task);
  if (cloned < 0) failure->error = errno;
  forget_prepared(op, prepared);
  if (cloned < 0) return -1;
  int result = write_maps(op, stdio, task);
  if (result < 0) failure->error = errno;
  if (result < 0) return task_abandon(task), -1;
  task->start_time = start_time_of(task->pid);
  return 0;
}

int task_release(struct task *task) {
  uint8_t kind = MESSAGE_RELEASE;
  return write(task->channel, &kind, 1) == 1 ? 0 : -1;
}

int task_follow(struct task *task, struct failure *failure) {
  int kind = receive(task, MSG_DONTWAIT);
  if (kind != MESSAGE_FAILED) return kind;
  *failure = (struct failure){.child = last_message.index, .op = last_message.op, .error = last_message.error};
  failure->path = last_message.path;
  return kind;
}
