#include "log.h"
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

// Whole entries only: the largest is a full line of six-byte escapes.
static char out[LOG_LINE_LIMIT * 6 + 128];
static size_t out_length;

// A full disk must not stop the container: what cannot be written is lost.
static void flush(struct log_file *file) {
  for (size_t at = 0; at < out_length;) {
    ssize_t written = write(file->fd, out + at, out_length - at);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;
    at += (size_t)written;
    file->size += (uint64_t)written;
  }
  out_length = 0;
}

static bool open_file(struct log_file *file, int flags) {
  file->fd = open(file->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | flags, 0640);
  return file->fd >= 0;
}

bool log_open(struct log_file *file) {
  struct stat info;
  file->fd = -1;
  if (!file->path[0]) return true;
  if (!open_file(file, 0)) return false;
  file->size = fstat(file->fd, &info) < 0 ? 0 : (uint64_t)info.st_size;
  return true;
}

// The oldest is overwritten by the one after it.
static void make_room(const struct log_file *file) {
  char from[PATH_MAX + 16], to[PATH_MAX + 16];
  for (uint32_t number = file->count - 1; number > 0; number--) {
    snprintf(from, sizeof from, number == 1 ? "%s" : "%s.%u", file->path, number - 1);
    snprintf(to, sizeof to, "%s.%u", file->path, number);
    rename(from, to);
  }
}

static void begin_anew(struct log_file *file) {
  close(file->fd);
  if (file->count > 1) make_room(file);
  file->size = 0;
  open_file(file, O_TRUNC);
}

static void put(const char *text, size_t length) {
  memcpy(out + out_length, text, length);
  out_length += length;
}

// The length of the valid UTF-8 sequence at `p`, 0 when there is none (RFC 3629: no surrogates, no overlong forms).
static size_t utf8_length(const uint8_t *p, size_t room) {
  if (p[0] < 0xc2 || p[0] > 0xf4) return 0;
  size_t length = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
  if (room < length) return 0;
  for (size_t i = 1; i < length; i++) {
    if ((p[i] & 0xc0) != 0x80) return 0;
  }
  if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)) return 0;
  if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) return 0;
  return length;
}

static const char hex_digits[] = "0123456789abcdef";

// The ASCII that Go's encoding/json escapes, for HTML's sake too, and all that is no ASCII.
static bool is_special(uint8_t c) {
  return c < 0x20 || c >= 0x80 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&';
}

static void put_ascii(uint8_t c) {
  if (c == '\n') put("\\n", 2);
  else if (c == '\r') put("\\r", 2);
  else if (c == '"' || c == '\\') put((char[]){'\\', (char)c}, 2);
  else put((char[]){'\\', 'u', '0', '0', hex_digits[c >> 4], hex_digits[c & 15]}, 6);
}

// Takes one character, or one byte that begins none, and tells its length.
static size_t put_special(const uint8_t *p, size_t room) {
  size_t sequence = p[0] < 0x80 ? 1 : utf8_length(p, room);
  if (p[0] < 0x80) put_ascii(p[0]);
  else if (sequence == 0) put("\\ufffd", 6);
  else if (sequence == 3 && !memcmp(p, "\xe2\x80", 2) && (p[2] & 0xfe) == 0xa8) put(p[2] == 0xa8 ? "\\u2028" : "\\u2029", 6);
  else put((const char *)p, sequence);
  return sequence ? sequence : 1;
}

static void put_json(const uint8_t *bytes, size_t length) {
  for (size_t at = 0; at < length;) {
    size_t plain = 0;
    while (at + plain < length && !is_special(bytes[at + plain])) plain++;
    put((const char *)bytes + at, plain);
    at += plain;
    if (at < length) at += put_special(bytes + at, length - at);
  }
}

// Many entries are of one second: what they have in common is made once.
static void put_second(time_t second) {
  static time_t made = -1;
  static char text[32];
  static size_t length;
  struct tm utc;
  if (second != made) length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&second, &utc));
  made = second;
  put(text, length);
}

// As Go's time.RFC3339Nano: no zeros at the end of the fraction.
static void put_time(struct timespec at) {
  char fraction[] = ".000000000";
  size_t length = sizeof fraction - 1;
  put_second(at.tv_sec);
  if (at.tv_nsec == 0) return;
  for (size_t digit = length - 1; digit > 0; digit--, at.tv_nsec /= 10) fraction[digit] = (char)('0' + at.tv_nsec % 10);
  while (fraction[length - 1] == '0') length--;
  put(fraction, length);
}

// All parts of one line carry the time of the first.
static void put_entry(struct log_stream *stream, bool newline) {
  struct log_file *file = stream->file;
  if (!stream->partial) clock_gettime(CLOCK_REALTIME, &stream->since);
  bool full = file->limit && file->size + out_length >= file->limit;
  if (full || sizeof out - out_length < stream->length * 6 + 128) flush(file);
  if (full && file->fd >= 0) begin_anew(file);
  put("{\"log\":\"", 8);
  put_json(stream->line, stream->length);
  if (newline) put("\\n", 2);
  put("\",\"stream\":\"", 12);
  put(stream->name, strlen(stream->name));
  put("\",\"time\":\"", 10);
  put_time(stream->since);
  put("Z\"}\n", 4);
  stream->length = 0;
  stream->partial = !newline;
}

static size_t take_part(struct log_stream *stream, const uint8_t *bytes, size_t length) {
  if (stream->length == LOG_LINE_LIMIT) put_entry(stream, false);
  const uint8_t *newline = memchr(bytes, '\n', length);
  size_t part = newline ? (size_t)(newline - bytes) : length, room = LOG_LINE_LIMIT - stream->length;
  if (part > room) newline = NULL, part = room;
  memcpy(stream->line + stream->length, bytes, part);
  stream->length += part;
  if (newline) put_entry(stream, true);
  return newline ? part + 1 : part;
}

static void drop_line(struct log_stream *stream) {
  free(stream->line);
  stream->line = NULL;
}

void log_bytes(struct log_stream *stream, const uint8_t *bytes, size_t length) {
  if (stream->file->fd < 0) return;
  if (!stream->line && !(stream->line = malloc(LOG_LINE_LIMIT))) return;
  while (length > 0) {
    size_t taken = take_part(stream, bytes, length);
    bytes += taken;
    length -= taken;
  }
  flush(stream->file);
  if (stream->length == 0) drop_line(stream);
}

void log_end(struct log_stream *stream) {
  if (stream->file->fd >= 0 && stream->length > 0) put_entry(stream, false);
  if (stream->file->fd >= 0) flush(stream->file);
  drop_line(stream);
}
