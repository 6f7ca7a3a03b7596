// The decoder of requests and ops (the format is defined in ../wire/request.ts), and the encoder of replies.
// Nothing is copied: decoded strings point into the request, which lives as long as the process.
#pragma once
#include "kernel.h"

enum { FRAME_LIMIT = 1 << 20, REPLY_LIMIT = 4096, NO_STEP = -1 };

struct reader {
  const uint8_t *at, *end;
  bool broken;  // something did not fit; all further reads give zeros and ""
};

uint8_t read_u8(struct reader *in);
uint32_t read_u32(struct reader *in);
uint64_t read_u64(struct reader *in);
const char *read_str(struct reader *in);
const uint8_t *read_blob(struct reader *in, uint32_t *length);

enum opcode {
  OP_DIRECTORY_MAKE = 1, OP_DIRECTORY_REMOVE, OP_CGROUP_MAKE, OP_CGROUP_SET, OP_CGROUP_KILL, OP_CGROUP_REMOVE,
  OP_SPAWN, OP_CGROUP_JOIN, OP_UNSHARE, OP_ENTER, OP_PROPAGATION, OP_OVERLAY, OP_MOUNT, OP_BIND, OP_DIRECTORY,
  OP_FILE, OP_DEVICE, OP_SYMLINK, OP_PIVOT, OP_MASK, OP_READONLY, OP_HOSTNAME, OP_DOMAINNAME, OP_SYSCTL,
  OP_LINK_UP, OP_SESSION, OP_TERMINAL, OP_OOM_SCORE, OP_RLIMIT, OP_DESCRIPTORS_CLOSE, OP_UMASK, OP_USER,
  OP_DIRECTORY_ENTER, OP_CAPABILITIES, OP_NO_NEW_PRIVILEGES, OP_SECCOMP, OP_GATE, OP_EXEC, OP_COUNT,
};

// A decoded field: a number, a string, a blob, or a list (still encoded; `number` says how many items).
struct value {
  uint64_t number;
  const char *text;
  uint32_t length;
};

enum { OP_FIELDS = 8 };

struct op {
  uint8_t code;
  struct value v[OP_FIELDS];
};

struct ops {
  uint32_t count;
  struct reader in;
};

enum request_kind { REQUEST_PERFORM = 1, REQUEST_CARRY_OUT, REQUEST_TREE, REQUEST_REMOVE_TREE, REQUEST_READ_TREE, REQUEST_VIEW };
enum { STDIO_TERMINAL = 1, STDIO_STDIN = 2, STDIO_STDIN_ONCE = 4, STDIO_EARLY = 8, STDIO_RELEASED = 16, STDIO_APART = 32 };

struct request {
  uint32_t id;
  uint8_t kind, stdio;
  uint64_t log_limit;
  uint32_t log_count;
  const char *log, *exit, *socket, *path;
  struct ops ops;
};

// False for a body that is not exactly one well-formed request; all ops are checked.
bool decode_request(const uint8_t *body, uint32_t length, struct request *request);

// The next op of a checked list.
void next_op(struct ops *ops, struct op *op);

// The child's ops of a checked spawn.
struct ops child_ops(const struct op *spawn);

// The strings of a checked list, ending in NULL; NULL when memory is short.
const char **string_list(const struct value *list);

// Where a plan failed. `path` may be "".
struct failure {
  int host, child;  // NO_STEP: none
  uint8_t op;
  int error;
  const char *path;
};

struct frame {
  uint32_t length;  // with the four bytes of the length itself
  uint8_t bytes[REPLY_LIMIT];
};

void frame_begin(struct frame *frame, uint8_t kind);                      // a monitor's or tree's frame
void frame_begin_reply(struct frame *frame, uint32_t id, uint8_t kind);  // serve's answer to a request
void frame_u8(struct frame *frame, uint8_t value);
void frame_u32(struct frame *frame, uint32_t value);
void frame_u64(struct frame *frame, uint64_t value);
void frame_str(struct frame *frame, const char *text);
void frame_failure(struct frame *frame, const struct failure *failure);

void frame_finish(struct frame *frame);  // fills in the length: the bytes can go

// Finishes and writes all of it; the frame is below PIPE_BUF, so that on a pipe it is never mixed with another's.
int frame_send(struct frame *frame, int fd);
