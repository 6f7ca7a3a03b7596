// The container's log as moby's json-file driver writes it: {"log":"hi\n","stream":"stdout","time":"…Z"}, one a line.
#pragma once
#include "kernel.h"
#include <time.h>

enum { LOG_LINE_LIMIT = 16 * 1024 };

// Where it is written, beginning anew when it has come to its limit; earlier files are then PATH.1, PATH.2, …, as many
// as make `count` together.
struct log_file {
  const char *path;
  int fd;  // -1: nothing is logged
  uint64_t size, limit;  // limit 0: none
  uint32_t count;
};

// False with errno when it cannot be opened. Without a path nothing is logged.
bool log_open(struct log_file *file);

// One output stream. What has no newline yet waits here, up to 16 KiB.
struct log_stream {
  const char *name;
  struct log_file *file;
  size_t length;
  bool partial;           // the line's beginning is in the log already
  struct timespec since;  // when that was written
  uint8_t *line;          // null while nothing waits
};

void log_bytes(struct log_stream *stream, const uint8_t *bytes, size_t length);
void log_end(struct log_stream *stream);
