// Feeds noise to the decoder of requests. Whatever it accepts is walked as the performers walk it. With clang's
// libFuzzer (-fsanitize=fuzzer,address) it explores; compiled plainly (-DPLAIN) it mutates the files it is given.
#include "wire.h"
#include <stdio.h>

static void walk_values(const struct op *op) {
  for (int i = 0; i < OP_FIELDS; i++) {
    bool list = (op->code == OP_EXEC && i < 3) || (op->code == OP_OVERLAY && i == 7);
    if (!list && op->v[i].length == 0 && strlen(op->v[i].text ? op->v[i].text : "") > FRAME_LIMIT) abort();
    const char **strings = list ? string_list(&op->v[i]) : NULL;
    for (uint64_t j = 0; list && j < op->v[i].number; j++) {
      if (strlen(strings[j]) > FRAME_LIMIT) abort();
    }
    free(strings);
  }
}

static void walk(struct ops ops) {
  for (uint32_t i = 0; i < ops.count; i++) {
    struct op op;
    next_op(&ops, &op);
    walk_values(&op);
    if (op.code == OP_SPAWN) walk(child_ops(&op));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  struct request request;
  if (size > FRAME_LIMIT) return 0;
  uint8_t *exact = malloc(size);  // a read behind the end is a read behind the allocation
  if (size) memcpy(exact, bytes, size);
  if (decode_request(exact, (uint32_t)size, &request)) walk(request.ops);
  free(exact);
  return 0;
}

#ifdef PLAIN
static uint64_t state = 88172645463325252u;

// xorshift64
static uint32_t chance(uint32_t below) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32) % below;
}

static void mutate(const uint8_t *seed, size_t size) {
  static uint8_t bytes[FRAME_LIMIT];
  memcpy(bytes, seed, size);
  for (uint32_t edits = 1 + chance(4); edits-- > 0;) {
    size_t at = chance((uint32_t)size);
    uint32_t value = chance(3) ? chance(256) : 0xffffffff;
    memcpy(bytes + at, &value, chance(4) ? 1 : size - at < 4 ? size - at : 4);
  }
  LLVMFuzzerTestOneInput(bytes, chance(3) ? size : chance((uint32_t)size + 1));
}

int main(int argc, char **argv) {
  static uint8_t seed[FRAME_LIMIT];
  for (int i = 2; i < argc; i++) {
    FILE *file = fopen(argv[i], "rb");
    size_t size = file ? fread(seed, 1, sizeof seed, file) : 0;
    if (file) fclose(file);
    struct request request;
    if (size == 0 || !decode_request(seed, (uint32_t)size, &request)) return printf("%s: refused\n", argv[i]), 1;
    for (long rounds = atol(argv[1]); rounds-- > 0;) mutate(seed, size);
  }
  return 0;
}
#endif
