#include "view.h"
#include "paths.h"
#include "union.h"
#include <limits.h>
#include <sys/stat.h>

enum { VIEW_STAT = 3 };

// The directory it is in and its name there; "." when the path names a directory whatever it is called.
static int open_thing(int root, const char *path, const char **name) {
  const char *last = strrchr(path, '/');
  last = last ? last + 1 : path;
  bool itself = !last[0] || !strcmp(last, ".") || !strcmp(last, "..");
  if (!itself) return open_parent(root, path, false, name);
  *name = ".";
  return open_at2(root, path[0] ? path : ".", O_PATH | O_DIRECTORY, 0, INSIDE);
}

static int put_stat(struct frame *frame, int parent, const char *name) {
  struct stat info;
  char target[PATH_MAX] = "";
  if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return -1;
  if (S_ISLNK(info.st_mode) && readlinkat(parent, name, target, sizeof target - 1) < 0) return -1;
  frame_u32(frame, info.st_mode & S_IFMT);
  frame_u32(frame, info.st_mode & 07777);
  frame_u32(frame, info.st_uid);
  frame_u32(frame, info.st_gid);
  frame_u64(frame, (uint64_t)info.st_mtim.tv_sec);
  frame_u32(frame, (uint32_t)info.st_mtim.tv_nsec);
  frame_u64(frame, (uint64_t)info.st_size);
  frame_str(frame, target);
  return 0;
}

int view_stat(int root, const char *path, int client) {
  struct frame frame;
  const char *name;
  int parent = open_thing(root, path, &name);
  frame_begin(&frame, VIEW_STAT);
  int result = parent < 0 ? -1 : put_stat(&frame, parent, name);
  close_keep(parent);
  return result < 0 ? -1 : frame_send(&frame, client);
}

void view_read(int root, const char *path, int client) {
  const char *name;
  int parent = open_thing(root, path, &name);
  send_thing(client, parent, name);
  close_keep(parent);
}
