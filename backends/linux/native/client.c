#include "client.h"
#include <sys/socket.h>

enum { READ_SIZE = 16 * 1024, DISCARD_LIMIT = 256 };

static bool buffer_reserve(struct buffer *buffer, size_t length) {
  if (buffer->size - buffer->end >= length) return true;
  size_t used = buffer_length(buffer), size = used + length < 4096 ? 4096 : 2 * (used + length);
  uint8_t *bytes = malloc(size);
  if (!bytes) return false;
  if (used) memcpy(bytes, buffer->bytes + buffer->start, used);
  free(buffer->bytes);
  *buffer = (struct buffer){.bytes = bytes, .end = used, .size = size};
  return true;
}

bool buffer_put(struct buffer *buffer, const void *bytes, size_t length) {
  if (!buffer_reserve(buffer, length)) return false;
  memcpy(buffer->bytes + buffer->end, bytes, length);
  buffer->end += length;
  return true;
}

void buffer_take(struct buffer *buffer, size_t length) {
  buffer->start += length;
  if (buffer->start < buffer->end) return;
  free(buffer->bytes);
  *buffer = (struct buffer){0};
}

static ssize_t send_now(struct client *client, const uint8_t *bytes, size_t length) {
  ssize_t sent = send(client->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) client->deaf = true;
  if (client->deaf) buffer_take(&client->out, buffer_length(&client->out));
  return sent < 0 ? 0 : sent;
}

void client_send(struct client *client, const void *bytes, size_t length) {
  if (client->deaf) return;
  size_t sent = buffer_length(&client->out) ? 0 : (size_t)send_now(client, bytes, length);
  if (client->deaf || sent == length) return;
  client->deaf = !buffer_put(&client->out, (const uint8_t *)bytes + sent, length - sent);
}

void client_send_frame(struct client *client, struct frame *frame) {
  frame_finish(frame);
  client_send(client, frame->bytes, frame->length);
}

void client_flush(struct client *client) {
  size_t length = buffer_length(&client->out);
  size_t sent = length ? (size_t)send_now(client, client->out.bytes + client->out.start, length) : 0;
  if (sent) buffer_take(&client->out, sent);
}

// Input that is left unread makes the close a reset, which takes along what the client has not read yet.
void client_discard(struct client *client) {
  static uint8_t bytes[READ_SIZE];
  for (int tries = 0; tries < DISCARD_LIMIT && recv(client->fd, bytes, sizeof bytes, MSG_DONTWAIT) > 0; tries++) continue;
}

void client_read(struct client *client) {
  if (!buffer_reserve(&client->in, READ_SIZE)) return;
  ssize_t got = recv(client->fd, client->in.bytes + client->in.end, READ_SIZE, MSG_DONTWAIT);
  if (got > 0) client->in.end += (size_t)got;
  else if (got == 0 || (errno != EAGAIN && errno != EINTR)) client->gone = true;
  buffer_take(&client->in, 0);
}

const uint8_t *client_frame(struct client *client, uint32_t *length) {
  struct reader in = {.at = client->in.bytes + client->in.start, .end = client->in.bytes + client->in.end};
  size_t waiting = buffer_length(&client->in);
  *length = waiting < 4 ? 0 : read_u32(&in);
  if (waiting < 4 || (*length > 0 && *length <= FRAME_LIMIT))
    return waiting >= 4 && waiting - 4 >= *length ? in.at : NULL;
  client->gone = client->deaf = true;
  buffer_take(&client->in, waiting);
  return NULL;
}

void client_free(struct client *client) {
  close(client->fd);
  free(client->in.bytes);
  free(client->out.bytes);
  free(client);
}
