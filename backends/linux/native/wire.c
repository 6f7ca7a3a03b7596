#include "wire.h"

// s str, u u32, q u64, b blob, S list of str, U list of u32; in opcode order, as writeOp in ../wire/ops.ts writes them.
static const char *const op_fields[OP_COUNT] = {
    [OP_DIRECTORY_MAKE] = "su", [OP_DIRECTORY_REMOVE] = "s",  [OP_CGROUP_MAKE] = "sss",
    [OP_CGROUP_SET] = "sssss",  [OP_CGROUP_KILL] = "sss",     [OP_CGROUP_REMOVE] = "sss",
    [OP_SPAWN] = "uuqussb",     [OP_CGROUP_JOIN] = "sss",     [OP_UNSHARE] = "u",
    [OP_ENTER] = "uqu",         [OP_PROPAGATION] = "su",      [OP_OVERLAY] = "uusssssS",
    [OP_MOUNT] = "sssus",       [OP_BIND] = "ssuuuu",         [OP_DIRECTORY] = "su",
    [OP_FILE] = "su",           [OP_DEVICE] = "suuu",         [OP_SYMLINK] = "ss",
    [OP_PIVOT] = "s",           [OP_MASK] = "s",              [OP_READONLY] = "s",
    [OP_HOSTNAME] = "s",        [OP_DOMAINNAME] = "s",        [OP_SYSCTL] = "ss",
    [OP_LINK_UP] = "s",         [OP_SESSION] = "",            [OP_TERMINAL] = "uuu",
    [OP_OOM_SCORE] = "s",       [OP_RLIMIT] = "uqq",          [OP_DESCRIPTORS_CLOSE] = "u",
    [OP_UMASK] = "u",           [OP_USER] = "uuU",            [OP_DIRECTORY_ENTER] = "s",
    [OP_CAPABILITIES] = "qqqqq",         [OP_NO_NEW_PRIVILEGES] = "",
    [OP_SECCOMP] = "b",         [OP_GATE] = "",               [OP_EXEC] = "SSS",
};

static const uint8_t *take(struct reader *in, size_t count) {
  if (in->broken || (size_t)(in->end - in->at) < count) {
    in->broken = true;
    return NULL;
  }
  const uint8_t *start = in->at;
  in->at += count;
  return start;
}

uint8_t read_u8(struct reader *in) {
  const uint8_t *p = take(in, 1);
  return p ? *p : 0;
}

uint32_t read_u32(struct reader *in) {
  const uint8_t *p = take(in, 4);
  return p ? (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24 : 0;
}

uint64_t read_u64(struct reader *in) {
  uint64_t low = read_u32(in);
  return low | (uint64_t)read_u32(in) << 32;
}

const uint8_t *read_blob(struct reader *in, uint32_t *length) {
  *length = read_u32(in);
  const uint8_t *start = take(in, *length);
  if (!start) *length = 0;
  return start;
}

const char *read_str(struct reader *in) {
  uint32_t length = read_u32(in);
  const uint8_t *start = take(in, (size_t)length + 1);
  if (!start || memchr(start, 0, (size_t)length + 1) != start + length) {
    in->broken = true;
    return "";
  }
  return (const char *)start;
}

static void read_list(struct reader *in, char item, struct value *out) {
  out->number = read_u32(in);
  out->text = (const char *)in->at;
  for (uint64_t i = 0; i < out->number && !in->broken; i++) {
    if (item == 'S') read_str(in);
    else read_u32(in);
  }
  out->length = (uint32_t)(in->at - (const uint8_t *)out->text);
}

static void read_field(struct reader *in, char field, struct value *out) {
  *out = (struct value){.text = ""};
  switch (field) {
    case 's': out->text = read_str(in); break;
    case 'u': out->number = read_u32(in); break;
    case 'q': out->number = read_u64(in); break;
    case 'b': out->text = (const char *)read_blob(in, &out->length); break;
    default: read_list(in, field, out);
  }
  if (field != 's' && out->length == 0) out->text = "";  // whoever prints a field's text finds its end
}

static void read_op(struct reader *in, struct op *op) {
  op->code = read_u8(in);
  if (op->code == 0 || op->code >= OP_COUNT) in->broken = true;
  const char *fields = in->broken ? "" : op_fields[op->code];
  for (int i = 0; fields[i]; i++) read_field(in, fields[i], &op->v[i]);
}

void next_op(struct ops *ops, struct op *op) {
  memset(op, 0, sizeof *op);
  read_op(&ops->in, op);
}

static struct ops read_ops(const uint8_t *at, const uint8_t *end) {
  struct ops ops = {.in = {.at = at, .end = end}};
  ops.count = read_u32(&ops.in);
  return ops;
}

struct ops child_ops(const struct op *spawn) {
  const uint8_t *start = (const uint8_t *)spawn->v[6].text;
  return read_ops(start, start + spawn->v[6].length);
}

static bool check_ops(struct ops ops, bool child) {
  for (uint32_t i = 0; i < ops.count; i++) {
    struct op op;
    next_op(&ops, &op);
    if (ops.in.broken || (op.code > OP_SPAWN) != child) return false;
    if (op.code == OP_SPAWN && (op.v[6].length < 4 || !check_ops(child_ops(&op), true))) return false;
  }
  return !ops.in.broken && ops.in.at == ops.in.end;
}

static bool is_overlay(struct ops ops) {
  struct op op;
  if (ops.count != 1 || !check_ops(ops, true)) return false;
  next_op(&ops, &op);
  return op.code == OP_OVERLAY;
}

bool decode_request(const uint8_t *body, uint32_t length, struct request *request) {
  struct reader in = {.at = body, .end = body + length};
  *request = (struct request){.id = read_u32(&in), .path = ""};
  request->kind = read_u8(&in);
  switch (request->kind) {
    case REQUEST_PERFORM:
      request->stdio = read_u8(&in);
      request->log = read_str(&in);
      request->log_limit = read_u64(&in);
      request->log_count = read_u32(&in);
      request->exit = read_str(&in);
      request->socket = read_str(&in);
      break;
    case REQUEST_CARRY_OUT: break;
    case REQUEST_VIEW: request->socket = read_str(&in); break;
    case REQUEST_TREE:
      request->path = read_str(&in);
      request->socket = read_str(&in);
      return !in.broken && in.at == in.end;
    case REQUEST_REMOVE_TREE:
      request->path = read_str(&in);
      return !in.broken && in.at == in.end;
    case REQUEST_READ_TREE:
      request->socket = read_str(&in);
      request->ops = read_ops(in.at, in.end);
      return !in.broken && is_overlay(request->ops);
    default: return false;
  }
  request->ops = read_ops(in.at, in.end);
  return !in.broken && check_ops(request->ops, false);
}

const char **string_list(const struct value *list) {
  const char **strings = calloc(list->number + 1, sizeof *strings);
  struct reader in = {.at = (const uint8_t *)list->text, .end = (const uint8_t *)list->text + list->length};
  for (uint64_t i = 0; strings && i < list->number; i++) strings[i] = read_str(&in);
  return strings;
}

static void frame_put(struct frame *frame, const void *bytes, size_t count) {
  memcpy(frame->bytes + frame->length, bytes, count);
  frame->length += (uint32_t)count;
}

void frame_u8(struct frame *frame, uint8_t value) { frame_put(frame, &value, 1); }

void frame_u32(struct frame *frame, uint32_t value) {
  uint8_t bytes[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)};
  frame_put(frame, bytes, 4);
}

void frame_u64(struct frame *frame, uint64_t value) {
  frame_u32(frame, (uint32_t)value);
  frame_u32(frame, (uint32_t)(value >> 32));
}

// A path too long for an atomic frame loses its end.
void frame_str(struct frame *frame, const char *text) {
  size_t length = strlen(text), room = REPLY_LIMIT - frame->length - 5;
  if (length > room) length = room;
  frame_u32(frame, (uint32_t)length);
  frame_put(frame, text, length);
  frame_u8(frame, 0);
}

void frame_begin(struct frame *frame, uint8_t kind) {
  frame->length = 4;
  frame_u8(frame, kind);
}

void frame_begin_reply(struct frame *frame, uint32_t id, uint8_t kind) {
  frame->length = 4;
  frame_u32(frame, id);
  frame_u8(frame, kind);
}

void frame_failure(struct frame *frame, const struct failure *failure) {
  frame_u32(frame, (uint32_t)failure->host);
  frame_u32(frame, (uint32_t)failure->child);
  frame_u8(frame, failure->op);
  frame_u32(frame, (uint32_t)failure->error);
  frame_str(frame, failure->path);
}

void frame_finish(struct frame *frame) {
  uint32_t total = frame->length;
  frame->length = 0;
  frame_u32(frame, total - 4);
  frame->length = total;
}

int frame_send(struct frame *frame, int fd) {
  frame_finish(frame);
  ssize_t sent = write(fd, frame->bytes, frame->length);
  return sent == (ssize_t)frame->length ? 0 : -1;
}
