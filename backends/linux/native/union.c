// The files of a container as its overlay shows them, sent to one client (../wire/tree.ts): names in the order of their
// bytes, a directory before what is in it, a file's further names as hard links. The overlay is mounted read-only and
// detached, in a mount namespace of our own: nobody else sees it, and it goes with this process.
//
// A program may be writing beneath: what is gone when we come to it is left out, a file that became shorter ends in
// zeros. No symlink is followed, and no device can be opened.
#include "union.h"
#include "ops.h"
#include "tree.h"
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

// xattr(7): a value, and a list of names, is at most so long.
enum { CONTENT_PIECE = 64 * 1024, BUCKETS = 4096, XATTR_LIMIT = 64 * 1024 };

static int client = -1;
static char path[PATH_MAX];  // of the entry we are at, beneath the root

// ---- frames --------------------------------------------------------------------------------------------------------

static uint8_t out[FRAME_LIMIT];
static size_t out_length, frame_at;
static bool too_long;

static void send_out(void) {
  for (size_t at = 0; at < out_length;) {
    ssize_t sent = send(client, out + at, out_length - at, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) _exit(0);
    at += (size_t)sent;
  }
  out_length = 0;
}

static void put(const void *bytes, size_t length) {
  if (length > sizeof out - out_length) too_long = true;
  if (too_long) return;
  memcpy(out + out_length, bytes, length);
  out_length += length;
}

static void put_u32(uint32_t value) {
  put((uint8_t[]){(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16), (uint8_t)(value >> 24)}, 4);
}

static void put_u64(uint64_t value) {
  put_u32((uint32_t)value);
  put_u32((uint32_t)(value >> 32));
}

static void put_str(const char *text) {
  size_t length = strlen(text);
  put_u32((uint32_t)length);
  put(text, length + 1);
}

static void begin(uint8_t kind) {
  if (out_length > sizeof out / 2) send_out();
  frame_at = out_length;
  put_u32(0);
  put(&kind, 1);
}

static int finish(void) {
  size_t end = out_length;
  out_length = frame_at;
  if (too_long) return too_long = false, errno = E2BIG, -1;
  put_u32((uint32_t)(end - frame_at - 4));
  out_length = end;
  return 0;
}

// ---- entries -------------------------------------------------------------------------------------------------------

// The others belong to this machine: security labels, the overlay's own notes.
static bool is_portable(const char *name) { return !strncmp(name, "user.", 5) || !strcmp(name, "security.capability"); }

static void put_xattr(int fd, const char *name, uint32_t *count) {
  static uint8_t value[XATTR_LIMIT];
  ssize_t length = fgetxattr(fd, name, value, sizeof value);
  if (length < 0) return;
  put_str(name);
  put_u32((uint32_t)length);
  put(value, (size_t)length);
  ++*count;
}

static void put_xattrs(int fd) {
  static char names[XATTR_LIMIT];
  size_t count_at = out_length;
  uint32_t count = 0;
  ssize_t length = fd < 0 ? 0 : flistxattr(fd, names, sizeof names);
  put_u32(0);
  for (char *name = names; name < names + length; name += strlen(name) + 1) {
    if (is_portable(name)) put_xattr(fd, name, &count);
  }
  size_t end = out_length;
  out_length = count_at;
  put_u32(count);
  out_length = end;
}

static void begin_entry(uint8_t kind, const struct stat *info, int fd) {
  begin(kind);
  put_str(path);
  put_u32(info->st_mode & 07777);
  put_u32(info->st_uid);
  put_u32(info->st_gid);
  put_u64((uint64_t)info->st_mtim.tv_sec);
  put_u32((uint32_t)info->st_mtim.tv_nsec);
  put_xattrs(fd);
}

static size_t read_piece(int fd, uint8_t *bytes, size_t wanted) {
  for (size_t got = 0;;) {
    ssize_t more = got < wanted ? read(fd, bytes + got, wanted - got) : 0;
    if (more < 0 && errno == EINTR) continue;
    if (more < 0) return SIZE_MAX;
    if (more == 0) return got;
    got += (size_t)more;
  }
}

static int send_content(int fd, uint64_t left) {
  while (left > 0) {
    size_t piece = left < CONTENT_PIECE ? (size_t)left : CONTENT_PIECE;
    begin(TREE_CONTENT);
    size_t got = read_piece(fd, out + out_length, piece);
    if (got == SIZE_MAX) return -1;
    memset(out + out_length + got, 0, piece - got);
    out_length += piece;
    if (finish() < 0) return -1;
    left -= piece;
  }
  return 0;
}

static int send_file(int directory, const char *name) {
  struct stat info;
  int fd = openat(directory, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &info) < 0) return close_keep(fd), -1;
  begin_entry(TREE_FILE, &info, fd);
  put_u64((uint64_t)info.st_size);
  int result = finish() < 0 ? -1 : send_content(fd, (uint64_t)info.st_size);
  close_keep(fd);
  return result;
}

static int send_symlink(int directory, const char *name, const struct stat *info) {
  char target[PATH_MAX];
  ssize_t length = readlinkat(directory, name, target, sizeof target - 1);
  if (length < 0) return -1;
  target[length] = 0;
  begin_entry(TREE_SYMLINK, info, -1);
  put_str(target);
  return finish();
}

static int send_device(uint8_t kind, const struct stat *info) {
  begin_entry(kind, info, -1);
  put_u32(major(info->st_rdev));
  put_u32(minor(info->st_rdev));
  return finish();
}

static int send_fifo(const struct stat *info) {
  begin_entry(TREE_FIFO, info, -1);
  return finish();
}

// ---- hard links ----------------------------------------------------------------------------------------------------

static struct linked {
  dev_t device;
  ino_t inode;
  struct linked *next;
  char path[];
} *linked[BUCKETS];

static const struct linked *find_linked(const struct stat *info) {
  for (const struct linked *at = linked[info->st_ino % BUCKETS]; at; at = at->next) {
    if (at->inode == info->st_ino && at->device == info->st_dev) return at;
  }
  return NULL;
}

static int remember_linked(const struct stat *info) {
  struct linked *new = malloc(sizeof *new + strlen(path) + 1);
  if (!new) return -1;
  struct linked **bucket = &linked[info->st_ino % BUCKETS];
  *new = (struct linked){.device = info->st_dev, .inode = info->st_ino, .next = *bucket};
  strcpy(new->path, path);
  *bucket = new;
  return 0;
}

static int send_hardlink(const char *target) {
  begin(TREE_HARDLINK);
  put_str(path);
  put_str(target);
  return finish();
}

static int send_leaf(int directory, const char *name, const struct stat *info) {
  switch (info->st_mode & S_IFMT) {
    case S_IFREG: return send_file(directory, name);
    case S_IFLNK: return send_symlink(directory, name, info);
    case S_IFCHR: return send_device(TREE_CHARACTER, info);
    case S_IFBLK: return send_device(TREE_BLOCK, info);
    case S_IFIFO: return send_fifo(info);
    default: return 0;  // a socket means something to who listens on it only
  }
}

static int send_other(int directory, const char *name, const struct stat *info) {
  if (info->st_nlink == 1) return send_leaf(directory, name, info);
  const struct linked *first = find_linked(info);
  if (first) return send_hardlink(first->path);
  return send_leaf(directory, name, info) < 0 ? -1 : remember_linked(info);
}

// ---- the walk ------------------------------------------------------------------------------------------------------

struct names {
  char **items;
  size_t count, room;
};

static void free_names(struct names *names) {
  int error = errno;
  while (names->count > 0) free(names->items[--names->count]);
  free(names->items);
  errno = error;
}

static int add_name(struct names *names, const char *name) {
  if (!strcmp(name, ".") || !strcmp(name, "..")) return 0;
  if (names->count == names->room) {
    size_t room = names->room ? 2 * names->room : 32;
    char **more = realloc(names->items, room * sizeof *more);
    if (!more) return -1;
    names->items = more;
    names->room = room;
  }
  return (names->items[names->count] = strdup(name)) ? (names->count++, 0) : -1;
}

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

// `names` is the caller's to free, also after a failure.
static int list_names(int directory, struct names *names) {
  int copy = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *stream = copy < 0 ? NULL : fdopendir(copy);
  struct dirent *entry;
  int result = stream ? 0 : -1;
  while (result == 0 && (errno = 0, entry = readdir(stream))) result = add_name(names, entry->d_name);
  if (stream && !entry && errno) result = -1;
  int error = errno;
  if (stream) closedir(stream);
  else if (copy >= 0) close(copy);
  errno = error;
  if (result == 0 && names->count > 1) qsort(names->items, names->count, sizeof *names->items, by_bytes);
  return result;
}

static int send_directory(int directory);

static int send_entry(int directory, const char *name) {
  struct stat info;
  if (fstatat(directory, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return -1;
  if (!S_ISDIR(info.st_mode)) return send_other(directory, name, &info);
  int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  int result = fd < 0 ? -1 : send_directory(fd);
  close_keep(fd);
  return result;
}

// Gone, or another thing, since its directory was listed.
static bool has_changed(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP || error == ESTALE || error == ENXIO;
}

static int send_entries(int directory, const struct names *names) {
  size_t length = strlen(path);
  for (size_t i = 0; i < names->count; i++) {
    const char *name = names->items[i];
    if (length + 1 + strlen(name) >= sizeof path) return errno = ENAMETOOLONG, -1;
    sprintf(path + length, length ? "/%s" : "%s", name);
    if (send_entry(directory, name) < 0 && !has_changed(errno)) return -1;
    path[length] = 0;
  }
  return 0;
}

static int send_directory(int directory) {
  struct stat info;
  struct names names = {0};
  if (fstat(directory, &info) < 0) return -1;
  begin_entry(TREE_DIRECTORY, &info, directory);
  int result = finish() < 0 || list_names(directory, &names) < 0 ? -1 : send_entries(directory, &names);
  free_names(&names);
  return result;
}

// ---- the client ----------------------------------------------------------------------------------------------------

static int mount_union(struct ops ops) {
  struct op op;
  next_op(&ops, &op);
  fault = op.v[2].text;
  if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return -1;
  int mount = overlay_mount(&op, false);
  int root = mount < 0 ? -1 : openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  close_keep(mount);
  return root;
}

// A directory on the way is a descriptor.
static void allow_depth(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

static void end(int error) {
  begin(error ? TREE_FAILED : TREE_FLUSH);
  if (error) {
    put_u32((uint32_t)error);
    put_str(path);
  }
  finish();
  send_out();
}

void send_thing(int to, int parent, const char *name) {
  int error = errno;
  allow_depth();
  client = to;
  end(parent < 0 ? error : send_entry(parent, name) < 0 ? errno : 0);
}

_Noreturn void serve_union(const struct request *request, int reply) {
  allow_depth();
  int root = mount_union(request->ops);
  client = take_client(request, reply, root < 0 ? errno : 0, fault);
  if (client >= 0) end(send_directory(root) < 0 ? errno : 0);
  _exit(0);
}
