// A client of the monitor's socket: what it sent and we have not read, what we sent and it has not read.
#pragma once
#include "wire.h"

enum { BACKLOG_LIMIT = 1 << 20 };

struct buffer {
  uint8_t *bytes;
  size_t start, end, size;
};

bool buffer_put(struct buffer *buffer, const void *bytes, size_t length);
void buffer_take(struct buffer *buffer, size_t length);  // frees the memory when nothing is left
static inline size_t buffer_length(const struct buffer *buffer) { return buffer->end - buffer->start; }

struct client {
  int fd;
  bool hello, gives_input, wants_output, releasing;
  bool stuck;  // its next input does not fit into the program's yet
  bool hung;   // it hung up while stuck: there is input to read, and nobody to write to
  bool deaf;   // it takes no more output
  bool gone;   // all it sent has been read
  struct buffer in, out;
};

void client_send(struct client *client, const void *bytes, size_t length);
void client_send_frame(struct client *client, struct frame *frame);
void client_flush(struct client *client);
// Reads what is there. Sets `gone` at the end.
void client_read(struct client *client);
// Throws away what is there.
void client_discard(struct client *client);
void client_free(struct client *client);
// The body of the next whole frame, null when there is none; a frame above the limit makes the client gone and deaf.
const uint8_t *client_frame(struct client *client, uint32_t *length);
