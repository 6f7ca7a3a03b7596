#include "tree.h"
#include "monitor.h"
#include "paths.h"
#include "spawn.h"
#include "view.h"
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static const char opaque_name[] = "trusted.overlay.opaque";

struct meta {
  mode_t mode;
  uid_t uid;
  gid_t gid;
  struct timespec times[2];
  uint32_t xattr_count;
  struct reader xattrs;
};

// Directories get their times last: filling them changes them.
struct directory_time {
  struct timespec mtime;
  char *path;
};

static int root = -1, client = -1, source = -1;
static bool keeps_kinds;  // a directory is not replaced by something else, nor anything else by a directory
static const char *failed_path;

// Entries of one directory come together: its descriptor is kept, until something on the way to it may have been replaced.
static int parent_fd = -1;
static char parent_path[PATH_MAX];
static bool parent_may_be_another;

// The file being filled. Its attributes come last, since a write drops some; they are copied.
static int file = -1;
static uint64_t file_left;
static struct meta file_meta;
static uint8_t *file_xattrs;
static char file_path[PATH_MAX];

static struct directory_time *directories;
static size_t directory_count, directory_room;

static int parent_with(const char *path, bool make, const char **name) {
  const char *slash = strrchr(path, '/');
  size_t length = slash ? (size_t)(slash - path) : 0;
  *name = slash ? slash + 1 : path;
  bool same = !parent_may_be_another && strlen(parent_path) == length && !memcmp(parent_path, path, length);
  if (parent_fd >= 0 && same) return parent_fd;
  parent_may_be_another = false;
  close_keep(parent_fd);
  parent_fd = -1;
  if (length >= sizeof parent_path) return errno = ENAMETOOLONG, -1;
  memcpy(parent_path, path, length);
  parent_path[length] = 0;
  return parent_fd = open_parent(root, path, make, name);
}

static int parent_of(const char *path, const char **name) { return parent_with(path, true, name); }

static struct meta read_meta(struct reader *in) {
  struct meta meta = {.mode = read_u32(in)};
  meta.uid = read_u32(in);
  meta.gid = read_u32(in);
  meta.times[0].tv_nsec = UTIME_OMIT;
  meta.times[1].tv_sec = (time_t)read_u64(in);
  meta.times[1].tv_nsec = (long)read_u32(in);
  meta.xattr_count = read_u32(in);
  meta.xattrs = *in;
  for (uint32_t i = 0, length; i < meta.xattr_count && !in->broken; i++) {
    read_str(in);
    read_blob(in, &length);
  }
  return meta;
}

// ---- attributes ----------------------------------------------------------------------------------------------------

// overlayfs speaks to itself in attributes of this name: a layer must not.
static bool is_overlays_own(const char *name) { return !strncmp(name, "trusted.overlay.", 16); }

// By descriptor, or, for what cannot be opened, by the parent's descriptor and a name that is not followed.
static int set_xattrs(const struct meta *meta, int fd, int parent, const char *name) {
  char path[PATH_MAX + 64];
  struct reader in = meta->xattrs;
  if (meta->xattr_count) snprintf(path, sizeof path, "/proc/self/fd/%d/%s", parent, name);
  for (uint32_t i = 0, length; i < meta->xattr_count; i++) {
    const char *key = read_str(&in);
    const uint8_t *value = read_blob(&in, &length);
    if (is_overlays_own(key)) continue;
    int result = fd >= 0 ? fsetxattr(fd, key, value, length, 0) : lsetxattr(path, key, value, length, 0);
    if (result < 0 && errno != EOPNOTSUPP) return -1;
  }
  return 0;
}

// The order matters: chown drops the set-id bits and the file's capabilities.
static int set_meta(const struct meta *meta, int fd) {
  if (fchown(fd, meta->uid, meta->gid) < 0 || fchmod(fd, meta->mode & 07777) < 0) return -1;
  return set_xattrs(meta, fd, -1, "") < 0 ? -1 : futimens(fd, meta->times);
}

static int set_meta_at(const struct meta *meta, int parent, const char *name) {
  if (fchownat(parent, name, meta->uid, meta->gid, AT_SYMLINK_NOFOLLOW) < 0) return -1;
  if (set_xattrs(meta, -1, parent, name) < 0) return -1;
  return utimensat(parent, name, meta->times, AT_SYMLINK_NOFOLLOW);
}

// ---- entries -------------------------------------------------------------------------------------------------------

static bool is_whiteout(const struct stat *info) { return S_ISCHR(info->st_mode) && info->st_rdev == makedev(0, 0); }

static int set_opaque(int fd) { return fsetxattr(fd, opaque_name, "y", 1, 0); }

static int remember_time(const char *path, struct timespec mtime) {
  if (directory_count == directory_room) {
    size_t room = directory_room ? 2 * directory_room : 64;
    struct directory_time *more = realloc(directories, room * sizeof *more);
    if (!more) return -1;
    directories = more;
    directory_room = room;
  }
  char *copy = strdup(path);
  if (!copy) return -1;
  directories[directory_count++] = (struct directory_time){.mtime = mtime, .path = copy};
  return 0;
}

static int open_made(int parent, const char *name) {
  return openat(parent, name[0] ? name : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

// A directory that replaces a whiteout hides what the whiteout hid: it is opaque.
static int replace_by_directory(int parent, const char *name) {
  struct stat info;
  if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return -1;
  if (S_ISDIR(info.st_mode)) return open_made(parent, name);
  if (keeps_kinds) return errno = ENOTDIR, -1;
  parent_may_be_another = true;
  if (unlinkat(parent, name, 0) < 0 || mkdirat(parent, name, 0755) < 0) return -1;
  int fd = open_made(parent, name);
  return fd >= 0 && is_whiteout(&info) && set_opaque(fd) < 0 ? close_keep(fd), -1 : fd;
}

static int open_directory_entry(int parent, const char *name) {
  if (!name[0] || mkdirat(parent, name, 0755) == 0) return open_made(parent, name);
  return errno == EEXIST ? replace_by_directory(parent, name) : -1;
}

static int add_directory(const char *path, const struct meta *meta) {
  const char *name;
  int parent = parent_of(path, &name), fd = parent < 0 ? -1 : open_directory_entry(parent, name);
  if (fd < 0) return -1;
  int result = set_meta(meta, fd);
  close_keep(fd);
  return result < 0 ? -1 : remember_time(path, meta->times[1]);
}

static int add_opaque(const char *path) {
  const char *name;
  int parent = parent_of(path, &name), fd = parent < 0 ? -1 : open_directory_entry(parent, name);
  int result = fd < 0 ? -1 : set_opaque(fd);
  close_keep(fd);
  return result;
}

// What this layer itself put there stays, and hides the layers below.
static int add_whiteout(const char *path) {
  const char *name;
  struct stat info;
  int parent = parent_of(path, &name);
  if (parent < 0 || !name[0]) return errno = parent < 0 ? errno : EINVAL, -1;
  if (mknodat(parent, name, S_IFCHR, makedev(0, 0)) == 0) return 0;
  if (errno != EEXIST || fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return -1;
  return S_ISDIR(info.st_mode) ? add_opaque(path) : 0;
}

// Makes room for what is no directory.
static int clear_place(int parent, const char *name) {
  struct stat info;
  if (keeps_kinds && fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(info.st_mode))
    return errno = EISDIR, -1;
  parent_may_be_another = true;
  return remove_tree_at(parent, name);
}

enum { NEW_FILE = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC };

static int finish_file(void) {
  int result = set_meta(&file_meta, file);
  close_keep(file);
  file = -1;
  free(file_xattrs);
  file_xattrs = NULL;
  return result;
}

static int keep_meta(const struct meta *meta) {
  size_t length = (size_t)(meta->xattrs.end - meta->xattrs.at);
  file_meta = *meta;
  if (!meta->xattr_count) return 0;
  if (!(file_xattrs = malloc(length))) return -1;
  memcpy(file_xattrs, meta->xattrs.at, length);
  file_meta.xattrs = (struct reader){.at = file_xattrs, .end = file_xattrs + length};
  return 0;
}

static int add_file(const char *path, const struct meta *meta, uint64_t size) {
  const char *name;
  int parent = parent_of(path, &name);
  if (parent < 0) return -1;
  int fd = openat(parent, name, NEW_FILE, 0600);
  if (fd < 0 && errno == EEXIST && clear_place(parent, name) == 0) fd = openat(parent, name, NEW_FILE, 0600);
  if (fd < 0) return -1;
  file = fd;
  file_left = size;
  snprintf(file_path, sizeof file_path, "%s", path);
  if (keep_meta(meta) < 0) return -1;
  return size == 0 ? finish_file() : 0;
}

static int add_content(const uint8_t *bytes, size_t length) {
  failed_path = file_path;
  if (file < 0 || length > file_left) return errno = EINVAL, -1;
  file_left -= length;
  while (length > 0) {
    ssize_t written = write(file, bytes, length);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return -1;
    bytes += written;
    length -= (size_t)written;
  }
  return file_left == 0 ? finish_file() : 0;
}

static int open_source(const char *path) {
  close_keep(source);
  return (source = open(path, O_RDONLY | O_CLOEXEC)) < 0 ? -1 : 0;
}

// Through our own memory, where the kernel cannot copy from the one file system to the other.
static ssize_t copy_through(off_t *from) {
  static uint8_t piece[256 * 1024];
  size_t wanted = file_left < sizeof piece ? (size_t)file_left : sizeof piece;
  ssize_t got = pread(source, piece, wanted, *from), written = got > 0 ? write(file, piece, (size_t)got) : got;
  if (written > 0) *from += written;
  return written;
}

static ssize_t copy_some(off_t *from) {
  static bool cannot;
  if (cannot) return copy_through(from);
  ssize_t copied = copy_file_range(source, from, file, NULL, (size_t)file_left, 0);
  cannot = copied < 0 && (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP);
  return cannot ? copy_through(from) : copied;
}

static int add_copy(uint64_t offset) {
  off_t from = (off_t)offset;
  failed_path = file_path;
  if (file < 0 || source < 0) return errno = EINVAL, -1;
  while (file_left > 0) {
    ssize_t copied = copy_some(&from);
    if (copied < 0 && errno == EINTR) continue;
    if (copied <= 0) return errno = copied < 0 ? errno : EIO, -1;
    file_left -= (uint64_t)copied;
  }
  return finish_file();
}

static int add_node(const char *path, const struct meta *meta, mode_t type, dev_t device) {
  const char *name;
  int parent = parent_of(path, &name);
  mode_t mode = type | (meta->mode & 07777);
  if (parent < 0) return -1;
  int result = mknodat(parent, name, mode, device);
  if (result < 0 && errno == EEXIST && clear_place(parent, name) == 0) result = mknodat(parent, name, mode, device);
  return result < 0 ? -1 : set_meta_at(meta, parent, name);
}

static int add_symlink(const char *path, const struct meta *meta, const char *target) {
  const char *name;
  int parent = parent_of(path, &name);
  if (parent < 0) return -1;
  int result = symlinkat(target, parent, name);
  if (result < 0 && errno == EEXIST && clear_place(parent, name) == 0) result = symlinkat(target, parent, name);
  return result < 0 ? -1 : set_meta_at(meta, parent, name);
}

static bool same_file(int first, const char *first_name, int second, const char *second_name) {
  struct stat a, b;
  if (fstatat(first, first_name, &a, AT_SYMLINK_NOFOLLOW) < 0) return false;
  if (fstatat(second, second_name, &b, AT_SYMLINK_NOFOLLOW) < 0) return false;
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int link_or_replace(int from, const char *target, int parent, const char *name) {
  if (linkat(from, target, parent, name, 0) == 0) return 0;
  if (errno != EEXIST) return -1;
  struct stat info;
  if (same_file(from, target, parent, name)) return 0;
  if (fstatat(from, target, &info, AT_SYMLINK_NOFOLLOW) < 0 || clear_place(parent, name) < 0) return -1;
  return linkat(from, target, parent, name, 0);
}

// Of a directory linkat(2) would say EPERM, which may as well be about who we are; a whiteout is nothing to link to.
static int check_target(int parent, const char *name) {
  struct stat info;
  if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return -1;
  if (S_ISDIR(info.st_mode)) return errno = EISDIR, -1;
  return is_whiteout(&info) ? errno = ENOENT, -1 : 0;
}

static int add_hardlink(const char *path, const char *target) {
  const char *name, *target_name;
  int parent = parent_of(path, &name), from = parent < 0 ? -1 : open_parent(root, target, false, &target_name);
  int result = from < 0 || check_target(from, target_name) < 0 ? -1 : link_or_replace(from, target_name, parent, name);
  close_keep(from);
  return result;
}

static int set_directory_time(const struct directory_time *directory) {
  const char *name;
  struct stat info;
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, directory->mtime};
  int parent = parent_with(directory->path, false, &name);
  if (parent < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
  if (!name[0]) name = ".";
  if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return errno == ENOENT ? 0 : -1;
  return S_ISDIR(info.st_mode) ? utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW) : 0;
}

// In the order in which they came: of two of one directory the later one counts.
static int flush_times(void) {
  failed_path = file_path;
  if (file >= 0) return errno = EINVAL, -1;
  for (size_t i = 0; i < directory_count; i++) {
    failed_path = directories[i].path;
    if (set_directory_time(&directories[i]) < 0) return -1;
  }
  failed_path = "";
  while (directory_count > 0) free(directories[--directory_count].path);
  return 0;
}

// ---- the client ----------------------------------------------------------------------------------------------------

static int add_entry(uint8_t kind, const char *path, struct reader *in) {
  if (kind == TREE_WHITEOUT) return add_whiteout(path);
  if (kind == TREE_OPAQUE) return add_opaque(path);
  if (kind == TREE_HARDLINK) return add_hardlink(path, read_str(in));
  struct meta meta = read_meta(in);
  const char *target = kind == TREE_SYMLINK ? read_str(in) : "";
  uint64_t size = kind == TREE_FILE ? read_u64(in) : 0;
  bool device = kind == TREE_CHARACTER || kind == TREE_BLOCK;
  unsigned major = device ? read_u32(in) : 0, minor = device ? read_u32(in) : 0;
  if (in->broken) return errno = EINVAL, -1;
  switch (kind) {
    case TREE_DIRECTORY: return add_directory(path, &meta);
    case TREE_FILE: return add_file(path, &meta, size);
    case TREE_SYMLINK: return add_symlink(path, &meta, target);
    case TREE_CHARACTER: return add_node(path, &meta, S_IFCHR, makedev(major, minor));
    case TREE_BLOCK: return add_node(path, &meta, S_IFBLK, makedev(major, minor));
    case TREE_FIFO: return add_node(path, &meta, S_IFIFO, 0);
    default: return errno = EINVAL, -1;
  }
}

static void answer(uint8_t kind, const struct failure *failure) {
  struct frame frame;
  frame_begin(&frame, kind);
  if (failure) {
    frame_u8(&frame, failure->op);
    frame_u32(&frame, (uint32_t)failure->error);
    frame_str(&frame, failure->path);
  }
  if (frame_send(&frame, client) < 0) _exit(0);
}

// From here on paths are those of a directory beneath the root.
static int go_within(const char *path, bool keep) {
  int fd = open_at2(root, path[0] ? path : ".", O_RDONLY | O_DIRECTORY, 0, INSIDE);
  if (fd < 0) return -1;
  close(root);
  close_keep(parent_fd);
  parent_fd = -1;
  root = fd;
  keeps_kinds = keep;
  return 0;
}

static int handle(uint8_t kind, struct reader *in) {
  if (kind == TREE_CONTENT) return add_content(in->at, (size_t)(in->end - in->at));
  if (kind == TREE_COPY) return add_copy(read_u64(in));
  if (kind == TREE_FLUSH) return flush_times() < 0 ? -1 : (answer(1, NULL), 0);
  const char *path = read_str(in);
  failed_path = path;
  bool keep = kind == TREE_WITHIN && read_u8(in);
  if (in->broken || file >= 0) return errno = EINVAL, -1;
  if (kind == TREE_WITHIN) return go_within(path, keep);
  if (kind == TREE_STAT) return view_stat(root, path, client);
  if (kind == TREE_READ) return view_read(root, path, client), 0;
  if (kind == TREE_SOURCE) return open_source(path);
  return add_entry(kind, path, in);
}

// The client hears why before it sees us hang up: what it still sends is read and thrown away.
static _Noreturn void fail(uint8_t kind, int error, uint8_t *buffer, size_t size) {
  answer(2, &(struct failure){.op = kind, .error = error, .path = failed_path});
  while (read(client, buffer, size) > 0) continue;
  _exit(0);
}

static size_t handle_frames(uint8_t *buffer, size_t length, size_t size) {
  size_t at = 0;
  while (length - at >= 4) {
    struct reader in = {.at = buffer + at, .end = buffer + length};
    uint32_t body = read_u32(&in);
    if (body == 0 || body > FRAME_LIMIT) fail(0, EINVAL, buffer, size);
    if (length - at - 4 < body) break;
    in.end = in.at + body;
    uint8_t kind = read_u8(&in);
    if (handle(kind, &in) < 0) fail(kind, errno, buffer, size);
    at += 4 + (size_t)body;
  }
  memmove(buffer, buffer + at, length - at);
  return length - at;
}

// Who sends is the bottleneck: at its wake-ups this process waits for its turn and then has more to do, instead of
// taking the sender's processor for each piece.
static void yield_to_client(void) { sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0}); }

static _Noreturn void serve_client(void) {
  static uint8_t buffer[FRAME_LIMIT + 4];
  yield_to_client();
  size_t length = 0;
  for (;;) {
    ssize_t got = read(client, buffer + length, sizeof buffer - length);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) _exit(0);
    length = handle_frames(buffer, length + (size_t)got, sizeof buffer);
  }
}

// Where the socket is, and the socket: whoever serves a view is not where its path leads any more.
static int place = -1, listener = -1;

static int listen_for(const struct request *request) {
  const char *name;
  place = open_parent(AT_FDCWD, request->socket, false, &name);
  listener = place < 0 ? -1 : listen_on(request->socket);
  return listener;
}

static void stop_listening(const struct request *request) {
  unlinkat(place, strrchr(request->socket, '/') + 1, 0);
  close_keep(place);
  close_keep(listener);
}

static int accept_one(void) {
  struct pollfd waiting = {.fd = listener, .events = POLLIN};
  int ready = poll(&waiting, 1, 30000);
  return ready == 1 ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
}

int take_client(const struct request *request, int reply, int error, const char *path) {
  struct frame frame;
  if (!error && listener < 0 && listen_for(request) < 0) error = errno, path = request->socket;
  frame_begin_reply(&frame, request->id, error ? 4 : 3);
  if (error)
    frame_failure(&frame, &(struct failure){.child = NO_STEP, .op = OP_DIRECTORY_MAKE, .error = error, .path = path});
  frame_send(&frame, reply);
  close(reply);
  int fd = error ? -1 : accept_one();
  if (listener >= 0) stop_listening(request);
  return fd;
}

static int open_root(const struct request *request, const char **path) {
  struct failure failure = {.path = *path = request->path};
  if (request->kind == REQUEST_TREE) return open(*path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  *path = request->socket;
  if (listen_for(request) < 0) return -1;
  int result = enter_view(request, &failure);
  *path = failure.path;
  return result < 0 ? (errno = failure.error, -1) : open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

_Noreturn void serve_tree(const struct request *request, int reply) {
  const char *path;
  umask(0);
  failed_path = "";
  root = open_root(request, &path);
  client = take_client(request, reply, root < 0 ? errno : 0, path);
  if (client >= 0) serve_client();
  _exit(0);
}

int remove_tree(const char *path) {
  const char *slash = strrchr(path, '/');
  char parent[PATH_MAX];
  if (!slash || slash - path >= PATH_MAX) return errno = EINVAL, -1;
  snprintf(parent, sizeof parent, "%.*s", slash == path ? 1 : (int)(slash - path), path);
  int directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return errno == ENOENT ? 0 : -1;
  int result = slash[1] ? remove_tree_at(directory, slash + 1) : (errno = EINVAL, -1);
  close_keep(directory);
  return result;
}
