#include "monitor.h"
#include "client.h"
#include "log.h"
#include "spawn.h"
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>

enum { OUTPUT_SIZE = 32 * 1024, POLL_FIXED = 6 };
// How long the outputs must be silent after the end before they count as ended, and how long that may take at all:
// something the program left behind may hold them open.
enum { SILENCE_MS = 100, SILENCE_OWN_PIDS_MS = 2000, DRAIN_MS = 3000, GOODBYE_MS = 10000, LATE_HELLO_MS = 1000 };

static const struct request *request;
static struct task task;
// The host's network sees our socket, the container's does not: it is made before we may be in the latter.
static int early_socket = -1;
static int listener = -1, input = -1, output[2] = {-1, -1};
static struct log_file log_file = {.path = "", .fd = -1};
static struct log_stream streams[2] = {{.name = "stdout", .file = &log_file}, {.name = "stderr", .file = &log_file}};
static struct client **clients;
static size_t client_count;
static struct pollfd *polled;
static bool at_gate, asked, released, ended, finished;
static int reply;  // where the request is answered
static int end_code, end_signal;
static struct timespec end_time;
static int64_t ended_at, silent_since;  // milliseconds of the monotonic clock

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// ---- before the gate -----------------------------------------------------------------------------------------------

static int bind_to(int fd, const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  char name[sizeof address.sun_path + 32];
  const char *last = strrchr(path, '/');
  int directory = -1;
  if (strlen(path) >= sizeof address.sun_path && last) {
    char parent[4096];
    snprintf(parent, sizeof parent, "%.*s", (int)(last - path), path);
    directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
    snprintf(name, sizeof name, "/proc/self/fd/%d%s", directory, last);
    path = name;
  }
  if (strlen(path) >= sizeof address.sun_path) return close_keep(directory), errno = ENAMETOOLONG, -1;
  strcpy(address.sun_path, path);
  int result = bind(fd, (struct sockaddr *)&address, sizeof address);
  if (result < 0 && errno == EADDRINUSE && unlink(path) == 0) result = bind(fd, (struct sockaddr *)&address, sizeof address);
  close_keep(directory);
  return result;
}

static int new_socket(void) { return socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); }

static int listen_with(int fd, const char *path) {
  if (fd < 0) return -1;
  mode_t mask = umask(0177);
  int result = bind_to(fd, path);
  umask(mask);
  if (result < 0 || listen(fd, 64) < 0) return close_keep(fd), -1;
  return fd;
}

int listen_on(const char *path) { return listen_with(new_socket(), path); }

static int nonblocking(int fd) { return fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

static int open_pipe(int *program, int *ours, bool program_reads) {
  int pair[2];
  if (pipe2(pair, O_CLOEXEC) < 0) return -1;
  *program = pair[program_reads ? 0 : 1];
  *ours = pair[program_reads ? 1 : 0];
  return nonblocking(*ours);
}

// The program's three descriptors. With a terminal they are /dev/null until its op replaces them.
static int open_streams(int stdio[3]) {
  bool terminal = request->stdio & STDIO_TERMINAL;
  fault = "/dev/null";
  for (int i = 0; i < 3; i++) {
    if (!terminal && (i > 0 || request->stdio & STDIO_STDIN)) {
      if (open_pipe(&stdio[i], i == 0 ? &input : &output[i - 1], i == 0) < 0) return -1;
    } else if ((stdio[i] = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0) {
      return -1;
    }
  }
  return 0;
}

static int open_log(void) {
  log_file = (struct log_file){.path = fault = request->log, .limit = request->log_limit, .count = request->log_count};
  return log_open(&log_file) ? 0 : -1;
}

static int set_up(int stdio[3], struct failure *failure) {
  *failure = (struct failure){.host = NO_STEP, .child = NO_STEP, .op = OP_SPAWN};
  fault = request->socket;
  listener = listen_with(early_socket, request->socket);
  if (listener >= 0 && open_log() == 0 && open_streams(stdio) == 0) return 0;
  failure->error = errno;
  failure->path = fault;
  return -1;
}

static void tell(uint32_t kind, const struct failure *failure) {
  struct frame frame;
  frame_begin_reply(&frame, request->id, (uint8_t)kind);
  if (kind == 1) {
    frame_u32(&frame, (uint32_t)task.pid);
    frame_u64(&frame, task.start_time);
  } else if (kind == 4) {
    frame_failure(&frame, failure);
  }
  frame_send(&frame, reply);
}

static int perform(struct failure *failure) {
  int stdio[3];
  if (set_up(stdio, failure) < 0) return -1;
  if (request->stdio & STDIO_EARLY) tell(3, NULL);
  if (request->stdio & STDIO_APART) spawn_apart();
  struct ops ops = request->ops;
  for (uint32_t i = 0; i < ops.count; i++) {
    struct op op;
    next_op(&ops, &op);
    int result = op.code == OP_SPAWN ? spawn(&op, stdio, &task, failure) : perform_host_op(&op);
    if (result < 0 && op.code != OP_SPAWN)
      *failure = (struct failure){.child = NO_STEP, .op = op.code, .error = errno, .path = fault};
    failure->host = (int)i;
    if (result < 0) return -1;
  }
  for (int i = 0; i < 3; i++) close(stdio[i]);
  return task.pid > 0 ? 0 : (failure->error = EINVAL, -1);
}

static void use_master(void) {
  if (task.master < 0) return;
  output[0] = task.master;
  input = fcntl(task.master, F_DUPFD_CLOEXEC, 3);
  nonblocking(task.master);
}

// ---- the program's streams -----------------------------------------------------------------------------------------

static void end_input(void) {
  if (input < 0) return;
  struct termios settings;
  if (task.master >= 0) {
    uint8_t end = tcgetattr(input, &settings) == 0 ? settings.c_cc[VEOF] : 4;
    if (write(input, &end, 1) == 1) return;
  }
  close(input);
  input = -1;
}

static void broadcast(int stream, const uint8_t *bytes, size_t length) {
  struct frame head;
  frame_begin(&head, 2);
  frame_u8(&head, (uint8_t)(stream + 1));
  uint32_t body = 2 + (uint32_t)length;
  memcpy(head.bytes, &body, sizeof body);  // both architectures are little-endian
  for (size_t i = 0; i < client_count; i++) {
    if (!clients[i]->wants_output) continue;
    client_send(clients[i], head.bytes, head.length);
    client_send(clients[i], bytes, length);
  }
}

static void read_output(int stream) {
  static uint8_t bytes[OUTPUT_SIZE];
  ssize_t got = read(output[stream], bytes, sizeof bytes);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  silent_since = now_ms();
  if (got > 0) {
    log_bytes(&streams[stream], bytes, (size_t)got);
    broadcast(stream, bytes, (size_t)got);
    return;
  }
  log_end(&streams[stream]);
  if (output[stream] != task.master) close(output[stream]);
  output[stream] = -1;
}

// The program goes at the pace of its slowest reader; once it has ended nothing more than a pipe's content can come.
static bool backlogged(void) {
  for (size_t i = 0; i < client_count && !ended; i++) {
    if (buffer_length(&clients[i]->out) > BACKLOG_LIMIT) return true;
  }
  return false;
}

// ---- clients -------------------------------------------------------------------------------------------------------

static void send_end(struct client *client) {
  struct frame frame;
  if (client->wants_output) {
    frame_begin(&frame, 3);
    client_send_frame(client, &frame);
  }
  frame_begin(&frame, 6);
  frame_u32(&frame, (uint32_t)end_code);
  frame_u32(&frame, (uint32_t)end_signal);
  frame_u64(&frame, (uint64_t)end_time.tv_sec * 1000000000 + (uint64_t)end_time.tv_nsec);
  client_send_frame(client, &frame);
}

static void welcome(struct client *client, struct reader *in) {
  struct frame frame;
  uint8_t version = read_u8(in), flags = read_u8(in);
  if (version != 1) {
    client->gone = client->deaf = true;
    return;
  }
  client->hello = true;
  client->gives_input = flags & 1;
  client->wants_output = flags & 2;
  frame_begin(&frame, 1);
  frame_u32(&frame, (uint32_t)task.pid);
  frame_u64(&frame, task.start_time);
  frame_u8(&frame, released);
  client_send_frame(client, &frame);
  if (finished) send_end(client);
}

static void release(struct client *client) {
  client->releasing = asked = true;
  if (task.channel >= 0) return;
  struct frame frame;
  frame_begin(&frame, 4);
  client_send_frame(client, &frame);
}

static void refuse(struct client *client, int error) {
  struct frame frame;
  frame_begin(&frame, 7);
  frame_u32(&frame, (uint32_t)error);
  client_send_frame(client, &frame);
}

static void forward_signal(struct client *client, int number) {
  if (ended || pidfd_signal(task.pidfd, number) < 0) refuse(client, ended ? ESRCH : errno);
}

static void resize(uint16_t rows, uint16_t columns) {
  struct winsize size = {.ws_row = rows, .ws_col = columns};
  if (task.master >= 0) ioctl(task.master, TIOCSWINSZ, &size);
}

// Writes a frame of input, as much as the program takes. What is left becomes a frame of its own, in place.
static void write_input(struct client *client, uint8_t *body, uint32_t length) {
  uint32_t left = length - 1;
  ssize_t written = input < 0 ? left : write(input, body + 1, left);
  if (written < 0 && errno != EAGAIN && errno != EINTR) {
    close(input);
    input = -1;
    written = left;
  }
  uint32_t taken = written < 0 ? 0 : (uint32_t)written;
  if (taken == left) {
    buffer_take(&client->in, 4 + (size_t)length);
    return;
  }
  client->stuck = true;
  buffer_take(&client->in, taken);
  uint32_t rest = length - taken;
  memcpy(client->in.bytes + client->in.start, &rest, sizeof rest);
  client->in.bytes[client->in.start + 4] = 2;
}

static void handle_frame(struct client *client, const uint8_t *body, uint32_t length) {
  struct reader in = {.at = body, .end = body + length};
  uint8_t kind = read_u8(&in);
  if (kind == 2) return write_input(client, (uint8_t *)body, length);
  uint32_t first = kind == 4 || kind == 5 ? read_u32(&in) : 0, second = kind == 4 ? read_u32(&in) : 0;
  switch (kind) {
    case 1: welcome(client, &in); break;
    case 3:
      if (request->stdio & STDIO_STDIN_ONCE) end_input();
      client->gives_input = false;
      break;
    case 4: resize((uint16_t)first, (uint16_t)second); break;
    case 5: forward_signal(client, (int)first); break;
    case 6: release(client); break;
    default: client->gone = client->deaf = true;
  }
  buffer_take(&client->in, 4 + (size_t)length);
}

// Before the gate there may be no terminal yet: all but a hello and the release waits.
static void handle_frames(struct client *client) {
  const uint8_t *body;
  uint32_t length;
  while (!client->stuck && (body = client_frame(client, &length))) {
    if (at_gate || body[0] == 1 || body[0] == 6) handle_frame(client, body, length);
    else client->stuck = true;
  }
}

static void take_input(struct client *client) {
  do {
    client_read(client);
    handle_frames(client);
  } while (client->hung && !client->stuck && !client->gone);
}

static void unstick(void) {
  for (size_t i = 0; i < client_count; i++) {
    struct client *client = clients[i];
    if (!client->stuck) continue;
    client->stuck = false;
    handle_frames(client);
    if (client->hung && !client->stuck) take_input(client);
  }
}

static bool any_stuck(void) {
  for (size_t i = 0; i < client_count; i++) {
    if (clients[i]->stuck) return true;
  }
  return false;
}

static void drop_gone(void) {
  size_t kept = 0;
  for (size_t i = 0; i < client_count; i++) {
    struct client *client = clients[i];
    if (!client->gone || client->stuck) {
      clients[kept++] = client;
      continue;
    }
    if (client->gives_input && (request->stdio & STDIO_STDIN_ONCE) && task.master < 0) end_input();
    client_free(client);
  }
  client_count = kept;
}

static void admit(int fd) {
  struct client *client = calloc(1, sizeof *client);
  struct client **more = realloc(clients, (client_count + 1) * sizeof *clients);
  if (more) clients = more;
  struct pollfd *polls = realloc(polled, (client_count + 1 + POLL_FIXED) * sizeof *polled);
  if (polls) polled = polls;
  if (!client || !more || !polls) {
    free(client);
    close(fd);
    return;
  }
  client->fd = fd;
  clients[client_count++] = client;
}

static void admit_waiting(void) {
  for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;) admit(fd);
}

// Who said hello before the release was sent must see the program's first byte: their hellos lie in their sockets.
static void open_gate(void) {
  admit_waiting();
  for (size_t i = 0; i < client_count; i++) {
    if (!clients[i]->hello) take_input(clients[i]);
  }
  released = task_release(&task) == 0;
}

// ---- the end -------------------------------------------------------------------------------------------------------

static _Noreturn void leave(void) {
  unlink(request->socket);
  _exit(0);
}

static void wait_for_end(void) {
  int status;
  if (waitpid(task.pid, &status, WNOHANG) != task.pid) return;
  clock_gettime(CLOCK_REALTIME, &end_time);
  end_signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  end_code = WIFSIGNALED(status) ? 128 + end_signal : WEXITSTATUS(status);
  close(task.pidfd);
  task.pidfd = -1;
  ended = true;
  ended_at = silent_since = now_ms();
}

static void write_exit(void) {
  char temporary[4096 + 8], text[128];
  snprintf(temporary, sizeof temporary, "%s.tmp", request->exit);
  int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return;
  int length = snprintf(text, sizeof text, "{\"code\":%d,\"signal\":%d,\"at\":\"%lld%09ld\"}", end_code, end_signal,
                        (long long)end_time.tv_sec, end_time.tv_nsec);
  bool written = write(fd, text, (size_t)length) == length;
  close(fd);
  if (!written || rename(temporary, request->exit) < 0) unlink(temporary);
}

static void exec_failed(struct failure *failure) {
  struct frame frame;
  for (size_t i = 0; i < client_count; i++) {
    if (!clients[i]->hello) continue;
    frame_begin(&frame, 5);
    frame_failure(&frame, failure);
    client_send_frame(clients[i], &frame);
  }
  waitpid(task.pid, NULL, 0);
  leave();
}

static _Noreturn void start_failed(const struct failure *failure) {
  unlink(request->socket);
  tell(4, failure);
  if (task.pid > 0 && !ended) task_abandon(&task);
  _exit(0);
}

static void answer(void) {
  tell(1, NULL);
  close(reply);
}

static void reach_gate(void) {
  at_gate = true;
  use_master();
  if (!(request->stdio & STDIO_RELEASED)) answer();
  unstick();
}

static void tell_started(void) {
  struct frame frame;
  close(task.channel);
  task.channel = -1;
  if (request->stdio & STDIO_RELEASED) answer();
  for (size_t i = 0; i < client_count; i++) {
    if (!clients[i]->releasing) continue;
    frame_begin(&frame, 4);
    client_send_frame(clients[i], &frame);
  }
}

static void follow_child(void) {
  struct failure failure = {.child = NO_STEP, .op = OP_SPAWN, .error = ECHILD, .path = ""};
  int message = task_follow(&task, &failure);
  failure.host = (int)request->ops.count - 1;
  if (message == MESSAGE_GATE) reach_gate();
  else if (message == 0 && at_gate) tell_started();
  else if (message == MESSAGE_FAILED && at_gate && !(request->stdio & STDIO_RELEASED)) exec_failed(&failure);
  else if (message == 0 || message == MESSAGE_FAILED) start_failed(&failure);
}

// A short program may have ended before we heard that it began: that is told first.
static bool drained(void) {
  if (!ended || task.channel >= 0) return false;
  if (output[0] < 0 && output[1] < 0) return true;
  int64_t now = now_ms();
  return now - silent_since >= (task.own_pids ? SILENCE_OWN_PIDS_MS : SILENCE_MS) || now - ended_at >= DRAIN_MS;
}

static bool all_told(void) {
  for (size_t i = 0; i < client_count; i++) {
    struct client *client = clients[i];
    if (!client->deaf && (buffer_length(&client->out) || (!client->hello && now_ms() - ended_at < LATE_HELLO_MS)))
      return false;
  }
  return true;
}

// ---- the loop ------------------------------------------------------------------------------------------------------

static void poll_for(size_t at, int fd, short events) { polled[at] = (struct pollfd){.fd = fd, .events = events}; }

static void wait_for_events(int timeout) {
  bool paused = backlogged();
  poll_for(0, listener, POLLIN);
  poll_for(1, task.channel, POLLIN);
  poll_for(2, task.pidfd, POLLIN);
  poll_for(3, paused ? -1 : output[0], POLLIN);
  poll_for(4, paused ? -1 : output[1], POLLIN);
  poll_for(5, any_stuck() ? input : -1, POLLOUT);
  for (size_t i = 0; i < client_count; i++) {
    struct client *client = clients[i];
    short events = (short)((client->stuck ? 0 : POLLIN) | (buffer_length(&client->out) ? POLLOUT : 0));
    poll_for(POLL_FIXED + i, client->hung ? -1 : client->fd, events);
  }
  if (poll(polled, POLL_FIXED + client_count, timeout) < 0) {
    for (size_t i = 0; i < POLL_FIXED + client_count; i++) polled[i].revents = 0;
  }
}

static void serve_clients(size_t count) {
  for (size_t i = 0; i < count; i++) {
    struct client *client = clients[i];
    short events = polled[POLL_FIXED + i].revents;
    if (events & POLLOUT) client_flush(client);
    if (events & POLLIN) take_input(client);
    else if (events & (POLLHUP | POLLERR)) client->hung = client->deaf = true;
    if (client->hung && !client->stuck) take_input(client);
  }
}

// The order matters: that the program runs is told before its output, its output before its end.
static void turn(int timeout) {
  wait_for_events(timeout);
  size_t known = client_count;
  if (polled[1].revents) follow_child();
  for (int stream = 0; stream < 2; stream++) {
    if (polled[3 + stream].revents) read_output(stream);
  }
  if (polled[2].revents) wait_for_end();
  if (polled[5].revents) unstick();
  serve_clients(known);
  drop_gone();
  if (input < 0) unstick();
  if (polled[0].revents) admit_waiting();
  if (asked && !released) open_gate();
}

static void finish(void) {
  log_end(&streams[0]);
  log_end(&streams[1]);
  if (input >= 0) close(input);
  input = output[0] = output[1] = -1;
  unstick();
  write_exit();
  finished = true;
  // First: who hears of the end may count on it. Nothing of ours keeps the data root's file system busy then.
  unlink(request->socket);
  close_keep(log_file.fd);
  log_file.fd = -1;
  for (size_t i = 0; i < client_count; i++) {
    if (clients[i]->hello) send_end(clients[i]);
  }
  ended_at = now_ms();
  turn(0);
  while (!all_told() && now_ms() - ended_at < GOODBYE_MS) turn(SILENCE_MS);
  for (size_t i = 0; i < client_count; i++) client_discard(clients[i]);
  _exit(0);
}

void monitor_prepare(void) {
  setsid();
  signal(SIGHUP, SIG_IGN);
  signal(SIGPIPE, SIG_IGN);
  polled = malloc(POLL_FIXED * sizeof *polled);
  early_socket = new_socket();
}

_Noreturn void monitor(const struct request *performed, int answers) {
  struct failure failure;
  request = performed;
  reply = answers;
  prctl(PR_SET_NAME, "tsbox-monitor");
  if (perform(&failure) < 0) start_failed(&failure);
  if (request->stdio & STDIO_RELEASED) released = asked = task_release(&task) == 0;
  while (!at_gate) turn(-1);
  int spared = write_text("/proc/self/oom_score_adj", "-999");  // needs CAP_SYS_RESOURCE
  (void)spared;
  while (!drained()) turn(ended ? SILENCE_MS / 4 : -1);
  finish();
  _exit(0);
}
