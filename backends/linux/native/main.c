// tsbox-helper serve: performs what the engine decided. It reads requests on standard input, answers on standard
// output, and forks for each: a monitor, a tree's builder, or something short. It decides nothing.
#include "init.h"
#include "monitor.h"
#include "ops.h"
#include "spawn.h"
#include "tree.h"
#include "union.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

extern char **environ;

static uint8_t input[FRAME_LIMIT + 4];
static size_t input_length;

// Requests whose process is alive. If it is killed before it answered, we answer.
struct pending {
  int pid;
  uint32_t id;
};
static struct pending *pending;
static size_t pending_count, pending_room;

// The next monitors, forked before they are needed: a fork takes as long as all of a container's mounts together. One
// has made namespaces of its own already, for the next container; the other is for whatever needs none.
static struct spare {
  int pid, channel;
} spares[2] = {{-1, -1}, {-1, -1}};
enum { SPARE_COUNT = 2, PLAIN = 0, APART = 1 };
enum { SPARE_DELAY_MS = 5 };  // a new one is not forked beside a start, but after it

static void die(const char *what) {
  dprintf(2, "tsbox-helper: %s: %s\n", what, strerror(errno));
  _exit(1);
}

// ---- start ---------------------------------------------------------------------------------------------------------

static int sealed_copy(int self) {
  struct stat info;
  int copy = (int)syscall(SYS_memfd_create, "tsbox-helper", MFD_CLOEXEC | MFD_ALLOW_SEALING | TSBOX_MFD_EXEC);
  if (copy < 0 && errno == EINVAL) copy = (int)syscall(SYS_memfd_create, "tsbox-helper", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (copy < 0 || fstat(self, &info) < 0) die("memfd_create");
  for (off_t at = 0; at < info.st_size;) {
    if (sendfile(copy, self, &at, (size_t)(info.st_size - at)) <= 0) die("copying myself");
  }
  if (fcntl(copy, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) die("sealing my copy");
  return copy;
}

// A container's process that we became could otherwise open /proc/self/exe and overwrite the host's helper
// (CVE-2019-5736): we run from a copy that nobody can write.
static void run_sealed(char **argv) {
  int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  if (self < 0) die("/proc/self/exe");
  int seals = fcntl(self, F_GET_SEALS);
  if (seals > 0 && seals & F_SEAL_WRITE) {
    close(self);
    return;
  }
  int copy = sealed_copy(self);
  syscall(SYS_execveat, copy, "", argv, environ, AT_EMPTY_PATH);
  die("running my copy");
}

static int watch_children(void) {
  sigset_t children;
  for (int number = 1; number < 65; number++) signal(number, SIG_DFL);
  sigemptyset(&children);
  sigprocmask(SIG_SETMASK, &children, NULL);
  sigaddset(&children, SIGCHLD);
  sigprocmask(SIG_BLOCK, &children, NULL);
  return signalfd(-1, &children, SFD_CLOEXEC | SFD_NONBLOCK);
}

// ---- the forked side -----------------------------------------------------------------------------------------------

// Keeps of serve's descriptors only the way to answer.
static int leave_serve(int signals) {
  sigset_t none;
  int reply = fcntl(1, F_DUPFD_CLOEXEC, 3);
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
  close(null);
  close(signals);
  for (int i = 0; i < SPARE_COUNT; i++) {
    if (spares[i].channel >= 0) close(spares[i].channel);
  }
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  return reply;
}

static void tell(int reply, uint32_t id, const struct failure *failure) {
  struct frame frame;
  frame_begin_reply(&frame, id, failure->error ? 4 : 2);
  if (failure->error) frame_failure(&frame, failure);
  frame_send(&frame, reply);
}

static void refuse_to(int reply, uint32_t id, int error) {
  tell(reply, id, &(struct failure){.host = NO_STEP, .child = NO_STEP, .op = OP_SPAWN, .error = error, .path = ""});
}

// After a failure only what removes is still done: an undo leaves as little behind as it can.
static bool removes(uint8_t code) {
  return code == OP_DIRECTORY_REMOVE || code == OP_CGROUP_KILL || code == OP_CGROUP_REMOVE;
}

static _Noreturn void carry_out(const struct request *request, int reply) {
  static char path[4096];
  struct failure first = {.child = NO_STEP, .path = path};
  struct ops ops = request->ops;
  umask(0);
  for (uint32_t i = 0; i < ops.count; i++) {
    struct op op;
    next_op(&ops, &op);
    if (first.error && !removes(op.code)) continue;
    if (op.code != OP_SPAWN && perform_host_op(&op) == 0) continue;
    if (first.error) continue;
    first.host = (int)i;
    first.op = op.code;
    first.error = op.code == OP_SPAWN ? EINVAL : errno;
    snprintf(path, sizeof path, "%s", op.code == OP_SPAWN ? "" : fault);
  }
  tell(reply, request->id, &first);
  _exit(0);
}

static _Noreturn void remove_whole_tree(const struct request *request, int reply) {
  struct failure failure = {.child = NO_STEP, .op = OP_DIRECTORY_REMOVE, .path = request->path};
  if (remove_tree(request->path) < 0) failure.error = errno;
  tell(reply, request->id, &failure);
  _exit(0);
}

static _Noreturn void run_request(const struct request *request, int signals) {
  int reply = leave_serve(signals);
  switch (request->kind) {
    case REQUEST_PERFORM: monitor_prepare(), monitor(request, reply);
    case REQUEST_CARRY_OUT: carry_out(request, reply);
    case REQUEST_TREE:
    case REQUEST_VIEW: serve_tree(request, reply);
    case REQUEST_READ_TREE: serve_union(request, reply);
    default: remove_whole_tree(request, reply);
  }
}

static bool receive_frame(int channel, uint32_t *length) {
  struct reader head = {.at = input, .end = input + 4};
  for (input_length = 0;;) {
    ssize_t got = read(channel, input + input_length, sizeof input - input_length);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    input_length += (size_t)got;
    if (input_length < 4) continue;
    head = (struct reader){.at = input, .end = input + 4};
    *length = read_u32(&head);
    if (input_length - 4 >= *length) return true;
  }
}

// Waits for the one request that is for it, or for the end of serve.
static _Noreturn void be_spare(int kind, int channel, int signals) {
  struct request request;
  uint32_t length;
  int reply = leave_serve(signals);
  monitor_prepare();
  if (kind == APART) spawn_apart();
  if (!receive_frame(channel, &length)) _exit(0);
  close(channel);
  if (decode_request(input + 4, length, &request)) monitor(&request, reply);
  refuse_to(reply, request.id, EINVAL);
  _exit(0);
}

// ---- serve ---------------------------------------------------------------------------------------------------------

static void refuse(uint32_t id, int error) { refuse_to(1, id, error); }

static bool make_room(void) {
  if (pending_count < pending_room) return true;
  size_t room = pending_room ? 2 * pending_room : 16;
  struct pending *more = realloc(pending, room * sizeof *more);
  if (!more) return false;
  pending = more;
  pending_room = room;
  return true;
}

static void lose_spare(struct spare *spare) {
  close(spare->channel);
  *spare = (struct spare){-1, -1};
}

static void make_spare(int kind, int signals) {
  struct spare *spare = &spares[kind];
  int pair[2];
  if (spare->channel >= 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return;
  int pid = fork();
  if (pid == 0) {
    close(pair[0]);
    be_spare(kind, pair[1], signals);
  }
  close(pair[1]);
  *spare = (struct spare){pid, pair[0]};
  if (pid < 0) lose_spare(spare);
}

static void make_spares(int signals) {
  for (int kind = 0; kind < SPARE_COUNT; kind++) make_spare(kind, signals);
}

static bool lacks_spare(void) { return spares[PLAIN].channel < 0 || spares[APART].channel < 0; }

// The frame with its length. False when there is no spare monitor to take it.
static bool hand_to_spare(struct spare *spare, const uint8_t *frame, size_t length) {
  while (spare->channel >= 0 && length > 0) {
    ssize_t sent = send(spare->channel, frame, length, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) lose_spare(spare);
    frame += sent < 0 ? 0 : sent;
    length -= sent < 0 ? 0 : (size_t)sent;
  }
  return spare->channel >= 0;
}

// Only who performs a request decodes all of it: here a look at its kind and its flags is enough.
static bool is_perform(const uint8_t *body, uint32_t length) { return length > 5 && body[4] == REQUEST_PERFORM; }

static struct spare *spare_for(const uint8_t *body) { return &spares[body[5] & STDIO_APART ? APART : PLAIN]; }

static bool undone_at_once(const struct op *op) {
  switch (op->code) {
    case OP_DIRECTORY_REMOVE: return perform_host_op(op) == 0;
    case OP_CGROUP_KILL: return cgroup_killed(op);
    case OP_CGROUP_REMOVE: return cgroup_removed(op);
    default: return false;
  }
}

// The undo of a container that has ended finds nothing to wait for: it takes less time than a fork. Whatever else takes
// a process of its own, which begins anew: what is undone already it passes over.
static bool carried_out_at_once(const struct request *request) {
  struct ops ops = request->ops;
  for (uint32_t i = 0; i < ops.count; i++) {
    struct op op;
    next_op(&ops, &op);
    if (!undone_at_once(&op)) return false;
  }
  tell(1, request->id, &(struct failure){0});
  return true;
}

static void start_request(const uint8_t *body, uint32_t length, int signals) {
  struct request request;
  struct reader in = {.at = body, .end = body + length};
  uint32_t id = read_u32(&in);
  if (!make_room()) return refuse(id, ENOMEM);
  if (is_perform(body, length) && hand_to_spare(spare_for(body), body - 4, (size_t)length + 4)) {
    pending[pending_count++] = (struct pending){.pid = spare_for(body)->pid, .id = id};
    return lose_spare(spare_for(body));
  }
  if (!decode_request(body, length, &request)) return refuse(id, EINVAL);
  if (request.kind == REQUEST_CARRY_OUT && carried_out_at_once(&request)) return;
  int pid = fork();
  if (pid == 0) run_request(&request, signals);
  if (pid < 0) return refuse(request.id, errno);
  pending[pending_count++] = (struct pending){.pid = pid, .id = request.id};
}

static void read_requests(int signals) {
  ssize_t got = read(0, input + input_length, sizeof input - input_length);
  if (got < 0 && errno == EINTR) return;
  if (got <= 0) _exit(0);
  input_length += (size_t)got;
  size_t at = 0;
  while (input_length - at >= 4) {
    struct reader in = {.at = input + at, .end = input + input_length};
    uint32_t length = read_u32(&in);
    if (length > FRAME_LIMIT) errno = EMSGSIZE, die("request");
    if (input_length - at - 4 < length) break;
    start_request(in.at, length, signals);
    at += 4 + (size_t)length;
  }
  memmove(input, input + at, input_length - at);
  input_length -= at;
}

static void forget(int pid, int status) {
  for (int i = 0; i < SPARE_COUNT; i++) {
    if (pid == spares[i].pid) lose_spare(&spares[i]);
  }
  for (size_t i = 0; i < pending_count; i++) {
    if (pending[i].pid != pid) continue;
    if (!WIFEXITED(status)) refuse(pending[i].id, EIO);
    pending[i] = pending[--pending_count];
    return;
  }
}

static void reap(int signals) {
  struct signalfd_siginfo info;
  int pid, status;
  while (read(signals, &info, sizeof info) > 0) continue;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) forget(pid, status);
}

static _Noreturn void serve(void) {
  int signals = watch_children();
  if (signals < 0 || chdir("/") < 0) die("starting");
  make_spares(signals);
  for (;;) {
    struct pollfd waiting[2] = {{.fd = 0, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
    int ready = poll(waiting, 2, lacks_spare() ? SPARE_DELAY_MS : -1);
    if (ready == 0) make_spares(signals);
    if (ready <= 0) continue;
    if (waiting[1].revents) reap(signals);
    if (waiting[0].revents) read_requests(signals);
  }
}

static bool is_init(int argc, char **argv) {
  const char *slash = strrchr(argv[0], '/');
  return argc > 2 && !strcmp(slash ? slash + 1 : argv[0], "docker-init") && !strcmp(argv[1], "--");
}

int main(int argc, char **argv) {
  if (argc > 0 && is_init(argc, argv)) be_init(argv + 2);
  if (argc != 2 || strcmp(argv[1], "serve")) {
    dprintf(2, "usage: tsbox-helper serve (started by tsboxd)\n");
    return 2;
  }
  run_sealed(argv);
  syscall(NR_close_range, 3, ~0u, 0);
  prctl(PR_SET_NAME, "tsbox-helper");
  serve();
}
