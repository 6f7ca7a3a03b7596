// The container's log as moby's json-file driver writes it: {"log":"hi\n","stream":"stdout","time":"…Z"}, one a line.
#pragma once
#include "kernel.h"
#include <time.h>

enum { LOG_LINE_LIMIT = 16 * 1024 };

// One output stream. What has no newline yet waits here, up to 16 KiB.
struct log_stream {
  const char *name;
  int fd;  // -1: nothing is logged
  size_t length;
  bool partial;           // the line's beginning is in the log already
  struct timespec since;  // when that was written
  uint8_t *line;          // null while nothing waits
};

void log_bytes(struct log_stream *stream, const uint8_t *bytes, size_t length);
void log_end(struct log_stream *stream);
