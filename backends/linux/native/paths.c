#include "paths.h"
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

enum { SYMLINK_HOPS = 40, DEPTH_LIMIT = 100 };

static int make_step(int root, char *path, unsigned mode, int hops);

static int open_directory(int root, const char *path) {
  return open_at2(root, path, O_PATH | O_DIRECTORY, 0, INSIDE);
}

// What a dangling symlink promises is made where it points to, inside the root.
static int make_behind_symlink(int root, int parent, const char *path, const char *name, unsigned mode, int hops) {
  char target[PATH_MAX], joined[2 * PATH_MAX];
  ssize_t length = readlinkat(parent, name, target, sizeof target - 1);
  if (length < 0 || hops == 0) return errno = hops == 0 ? ELOOP : ENOENT, -1;
  target[length] = 0;
  int before = target[0] == '/' ? 0 : (int)(name - path);
  snprintf(joined, sizeof joined, "%.*s%s", before, path, target);
  return strlen(joined) < PATH_MAX ? make_step(root, joined, mode, hops - 1) : (errno = ENAMETOOLONG, -1);
}

static int make_parent(int root, char *path, char *slash, int hops) {
  if (!slash) return open_directory(root, ".");
  if (slash == path) return open_directory(root, "/");
  *slash = 0;
  int parent = make_step(root, path, 0755, hops);
  *slash = '/';
  return parent;
}

static int make_step(int root, char *path, unsigned mode, int hops) {
  int fd = open_directory(root, path);
  if (fd >= 0 || errno != ENOENT) return fd;
  char *slash = strrchr(path, '/');
  int parent = make_parent(root, path, slash, hops);
  if (parent < 0) return -1;
  const char *name = slash ? slash + 1 : path;
  if (mkdirat(parent, name, mode) == 0 || errno == EEXIST) {
    fd = open_directory(root, path);
    if (fd < 0 && errno == ENOENT) fd = make_behind_symlink(root, parent, path, name, mode, hops);
  }
  close_keep(parent);
  return fd;
}

int make_directories(int root, const char *path, unsigned mode) {
  char copy[PATH_MAX];
  size_t length = strlen(path);
  if (length >= sizeof copy) return errno = ENAMETOOLONG, -1;
  memcpy(copy, path, length + 1);
  while (length > 1 && copy[length - 1] == '/') copy[--length] = 0;
  return make_step(root, length == 0 ? strcpy(copy, ".") : copy, mode, SYMLINK_HOPS);
}

int open_parent(int root, const char *path, bool make, const char **name) {
  const char *slash = strrchr(path, '/');
  *name = slash ? slash + 1 : path;
  if (!slash) return open_directory(root, ".");
  if (slash == path) return open_directory(root, "/");
  char parent[PATH_MAX];
  if (slash - path >= (ptrdiff_t)sizeof parent) return errno = ENAMETOOLONG, -1;
  memcpy(parent, path, (size_t)(slash - path));
  parent[slash - path] = 0;
  return make ? make_directories(root, parent, 0755) : open_directory(root, parent);
}

int write_text(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t written = write(fd, text, strlen(text));
  close_keep(fd);
  return written < 0 ? -1 : 0;
}

// A tree deeper than our stack of descriptors is cut: its deep part becomes a child of the top directory.
static int hoist(int top, int directory, const char *name) {
  static unsigned counter;
  char hoisted[64];
  for (;;) {
    snprintf(hoisted, sizeof hoisted, ".tsbox-removing-%u", counter++);
    if (syscall(SYS_renameat2, directory, name, top, hoisted, 1 /* RENAME_NOREPLACE */) == 0) return 0;
    if (errno != EEXIST) return -1;
  }
}

static int empty_directory(int top, DIR *directory, int depth, bool *again);

static int remove_entry(int top, int directory, const char *name, int depth, bool *again) {
  if (unlinkat(directory, name, 0) == 0 || errno == ENOENT) return 0;
  if (errno != EISDIR && errno != EPERM) return -1;
  int reason = errno;
  int fd = open_at2(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, RESOLVE_BENEATH | RESOLVE_NO_XDEV);
  if (fd < 0) return errno = errno == ENOTDIR ? reason : errno, -1;
  if (depth == DEPTH_LIMIT) {
    close(fd);
    *again = true;
    return hoist(top, directory, name);
  }
  DIR *inner = fdopendir(fd);
  if (!inner) return close_keep(fd), -1;
  int result = empty_directory(top < 0 ? fd : top, inner, depth + 1, again);
  int error = errno;
  closedir(inner);
  errno = error;
  return result < 0 ? -1 : unlinkat(directory, name, AT_REMOVEDIR);
}

static int empty_directory(int top, DIR *directory, int depth, bool *again) {
  struct dirent *entry;
  while (errno = 0, (entry = readdir(directory))) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
    if (remove_entry(top, dirfd(directory), entry->d_name, depth, again) < 0) return -1;
  }
  return errno ? -1 : 0;
}

int remove_tree_at(int directory, const char *name) {
  for (;;) {
    bool again = false;
    int result = remove_entry(-1, directory, name, 0, &again);
    if (result == 0 || !again || errno != ENOTEMPTY) return result;
  }
}
