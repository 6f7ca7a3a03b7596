// Mounts and files in the container's root. A target is opened beneath the root first and the mount is attached to
// the opened thing, so that no symlink of the image is ever walked by mount(2).
#include "ops.h"
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER 0x5441
#endif

enum { FSCONFIG_STRING_LIMIT = 255, LOWER_LIMIT = 500 };

static int root_fd = -1;

void use_root(int fd) { root_fd = fd; }

int root_directory(void) {
  if (root_fd < 0) root_fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  return root_fd;
}

static int open_inside(const char *path, int flags) { return open_at2(root_directory(), path, flags, 0, INSIDE); }

// ---- overlay -------------------------------------------------------------------------------------------------------

// Descriptors that stand for paths while an overlay is being made: "/proc/self/fd/N" is short whatever the path is.
static int borrowed[LOWER_LIMIT + 3], borrowed_count;

static int borrow(const char *path) {
  fault = path;
  if (borrowed_count == LOWER_LIMIT + 3) return errno = EINVAL, -1;
  int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return fd < 0 ? -1 : (borrowed[borrowed_count++] = fd);
}

static void give_back(void) {
  while (borrowed_count > 0) close_keep(borrowed[--borrowed_count]);
}

static int set_string(int fs, const char *key, const char *value) {
  char name[32];
  fault = value;
  if (strlen(value) > FSCONFIG_STRING_LIMIT) {
    int fd = borrow(value);
    if (fd < 0) return -1;
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    value = name;
  }
  return (int)syscall(NR_fsconfig, fs, FSCONFIG_SET_STRING, key, value, 0);
}

// Without an upper directory the overlay is a view: of layers whose topmost may be another overlay's upper one, which
// index=off allows.
static int set_top(int fs, const struct op *op) {
  if (!op->v[3].text[0]) return set_string(fs, "index", "off");
  return set_string(fs, "upperdir", op->v[3].text) < 0 ? -1 : set_string(fs, "workdir", op->v[4].text);
}

static int configure_overlay(int fs, const struct op *op, const char **lowers) {
  for (uint64_t i = op->v[7].number; i-- > 0;) {
    if (set_string(fs, "lowerdir+", lowers[i]) < 0) return -1;
  }
  if (set_top(fs, op) < 0) return -1;
  if (set_string(fs, "source", "overlay") < 0) return -1;
  fault = op->v[2].text;
  return (int)syscall(NR_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

static int overlay_by_fsopen(const struct op *op, const char **lowers) {
  fault = "overlay";
  int fs = (int)syscall(NR_fsopen, "overlay", FSOPEN_CLOEXEC);
  if (fs < 0) return -1;
  int mount = configure_overlay(fs, op, lowers);
  if (mount == 0) mount = (int)syscall(NR_fsmount, fs, FSMOUNT_CLOEXEC, (unsigned)op->v[1].number);
  close_keep(fs);
  return mount;
}

// mount(2) takes one page of options; with the descriptor table as working directory a layer's name is a number.
static int overlay_options(const struct op *op, const char **lowers, char *options, size_t size) {
  int length = snprintf(options, size, "lowerdir=");
  for (uint64_t i = op->v[7].number; i-- > 0;) {
    int fd = borrow(lowers[i]);
    if (fd < 0) return -1;
    length += snprintf(options + length, size - (size_t)length, i ? "%d:" : "%d", fd);
  }
  if (!op->v[3].text[0]) {
    snprintf(options + length, size - (size_t)length, ",index=off");
    return 0;
  }
  int upper = borrow(op->v[3].text), work = upper < 0 ? -1 : borrow(op->v[4].text);
  if (work < 0) return -1;
  snprintf(options + length, size - (size_t)length, ",upperdir=%d,workdir=%d", upper, work);
  return 0;
}

static int overlay_by_mount(const struct op *op, const char **lowers) {
  char options[4096];
  if (overlay_options(op, lowers, options, sizeof options) < 0) return -1;
  fault = op->v[2].text;
  if (chdir("/proc/self/fd") < 0) return -1;
  int result = mount("overlay", op->v[2].text, "overlay", op->v[1].number, options);
  if (chdir("/") < 0 || result < 0) return -1;
  return open(op->v[2].text, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

static int attach_overlay(int mount, const char *path) {
  fault = path;
  int target = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int result = target < 0 ? -1 : attach_mount(mount, target);
  close_keep(target);
  return result < 0 ? close_keep(mount), -1 : mount;
}

int overlay_mount(const struct op *op, bool attach) {
  const char **lowers = string_list(&op->v[7]);
  if (!lowers || op->v[7].number > LOWER_LIMIT) return free(lowers), errno = lowers ? EINVAL : ENOMEM, -1;
  bool fsopen = op->v[0].number == 1;
  int mount = fsopen ? overlay_by_fsopen(op, lowers) : overlay_by_mount(op, lowers);
  give_back();
  free(lowers);
  if (mount >= 0 && fsopen && attach) return attach_overlay(mount, op->v[2].text);
  if (mount < 0 || fsopen || attach) return mount;
  int detached = clone_tree(mount, "", AT_EMPTY_PATH);
  close_keep(mount);
  return detached;
}

// A user namespace with these maps, held open by a descriptor only.
static int user_namespace(const char *uid_map, const char *gid_map) {
  struct clone_arguments arguments = {.flags = CLONE_NEWUSER, .exit_signal = SIGCHLD};
  int pid = (int)syscall(NR_clone3, &arguments, sizeof arguments);
  if (pid == 0) {
    for (;;) pause();
  }
  if (pid < 0) return -1;
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
  int fd = write_text(path, uid_map);
  snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
  if (fd == 0) fd = write_text(path, gid_map);
  snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
  if (fd == 0) fd = open(path, O_RDONLY | O_CLOEXEC);
  int error = errno;
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  errno = error;
  return fd;
}

// Covers a directory, in our own mount namespace, by itself with shifted ids.
static int cover_idmapped(const char *path, int userns) {
  fault = path;
  struct mount_attributes shift = {.set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns};
  int target = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  int tree = target < 0 ? -1 : clone_tree(target, "", AT_EMPTY_PATH);
  int result = tree < 0 || set_mount(tree, 0, &shift) < 0 ? -1 : attach_mount(tree, target);
  close_keep(tree);
  close_keep(target);
  return result;
}

// Upper and work must lie on one mount: the directory that holds both is covered.
static int cover_upper(const struct op *op, int userns) {
  const char *upper = op->v[3].text, *work = op->v[4].text, *slash = strrchr(upper, '/');
  char parent[PATH_MAX];
  size_t length = slash ? (size_t)(slash - upper) : 0;
  fault = work;
  if (length == 0 || length >= sizeof parent || strncmp(upper, work, length + 1) || strchr(work + length + 1, '/'))
    return errno = EXDEV, -1;
  memcpy(parent, upper, length);
  parent[length] = 0;
  int result = cover_idmapped(parent, userns);
  if (fault == parent) fault = upper;
  return result;
}

unsigned outside_root(const char *map) {
  unsigned first = 0, inside, outside, count;
  for (const char *line = map; sscanf(line, "%u %u %u", &inside, &outside, &count) == 3;) {
    if (inside == 0) return outside;
    if (line == map) first = outside;
    if (!(line = strchr(line, '\n'))) break;
    line++;
  }
  return first;
}

// overlayfs writes to its upper layer as whoever mounted it, and in an id-mapped one the host's root is nobody:
// the namespace's root mounts it.
static int overlay_as_owner(const struct op *op) {
  syscall(SYS_setfsgid, outside_root(op->v[6].text));
  syscall(SYS_setfsuid, outside_root(op->v[5].text));
  int mount = regain_capabilities() < 0 ? -1 : overlay_mount(op, false);
  int error = errno;
  syscall(SYS_setfsuid, 0);
  syscall(SYS_setfsgid, 0);
  errno = error;
  return mount;
}

static int overlay_with_ids(const struct op *op) {
  if (!op->v[5].text[0]) return overlay_mount(op, false);
  int userns = user_namespace(op->v[5].text, op->v[6].text);
  const char **lowers = string_list(&op->v[7]);
  int result = userns < 0 || !lowers ? -1 : cover_upper(op, userns);
  for (uint64_t i = 0; result == 0 && i < op->v[7].number; i++) result = cover_idmapped(lowers[i], userns);
  free(lowers);
  close_keep(userns);
  return result < 0 ? -1 : overlay_as_owner(op);
}

// Made in a mount namespace of its own, where the layers are covered by id-mapped clones of themselves; only the
// finished overlay leaves it, detached.
int overlay_idmapped(const struct op *op) {
  int home = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  if (home < 0 || unshare(CLONE_NEWNS) < 0) return close_keep(home), -1;
  int result = mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ? -1 : overlay_with_ids(op);
  int error = errno;
  if (setns(home, CLONE_NEWNS) < 0) return close_keep(home), -1;
  close(home);
  errno = error;
  return result;
}

// The first overlay is the container's root. One that was prepared for us lands on "/" of this mount namespace, since
// a user namespace's root may not even reach the target's path.
int op_overlay(const struct op *op, struct child *child) {
  int mount = child->prepared[child->index];
  mount = mount < 0 ? overlay_mount(op, true) : attach_overlay(mount, "/");
  use_root(mount);
  return mount < 0 ? -1 : 0;
}

// ---- other mounts --------------------------------------------------------------------------------------------------

int op_propagation(const struct op *op, struct child *child) {
  (void)child;
  return mount(NULL, op->v[0].text, NULL, op->v[1].number, NULL);
}

// Mounts on an opened directory: as the working directory its name is ".", and no path is walked.
static int mount_on(int target, const char *source, const char *type, unsigned long flags, const char *options) {
  if (fchdir(target) < 0) return -1;
  int result = mount(source, ".", type, flags, options);
  int error = errno;
  if (fchdir(root_directory()) < 0) return -1;
  errno = error;
  return result;
}

int op_mount(const struct op *op, struct child *child) {
  (void)child;
  fault = op->v[2].text;
  int target = open_inside(op->v[2].text, O_PATH | O_DIRECTORY);
  if (target < 0) return -1;
  int result = mount_on(target, op->v[1].text, op->v[0].text, op->v[3].number, op->v[4].text);
  close_keep(target);
  return result;
}

int bind_source(const struct op *op) {
  unsigned recursive = op->v[2].number ? AT_RECURSIVE : 0;
  struct mount_attributes attributes = {.set = op->v[3].number, .clear = op->v[4].number};
  attributes.propagation = op->v[5].number & ~(uint64_t)MS_REC;
  fault = op->v[0].text;
  int tree = clone_tree(AT_FDCWD, op->v[0].text, recursive);
  if (tree < 0 || !(attributes.set | attributes.clear | attributes.propagation)) return tree;
  return set_mount(tree, recursive, &attributes) < 0 ? close_keep(tree), -1 : tree;
}

int op_bind(const struct op *op, struct child *child) {
  int tree = child->prepared[child->index];
  if (tree < 0) tree = bind_source(op);
  if (tree < 0) return -1;
  fault = op->v[1].text;
  int target = open_inside(op->v[1].text, O_PATH);
  int result = target < 0 ? -1 : attach_mount(tree, target);
  close_keep(target);
  close_keep(tree);
  return result;
}

// Both roots on one spot: pivot_root(".", ".") stacks the old one on the new one, and the umount takes it away.
int op_pivot(const struct op *op, struct child *child) {
  (void)child;
  if ((root_fd >= 0 ? fchdir(root_fd) : chdir(op->v[0].text)) < 0) return -1;
  if (syscall(SYS_pivot_root, ".", ".") < 0) return -1;
  return umount2(".", MNT_DETACH) < 0 ? -1 : chdir("/");
}

// The container's own /dev/null, if it is the null device.
static int clone_null(void) {
  struct stat info;
  int null = open_inside("/dev/null", O_PATH | O_NOFOLLOW);
  if (null < 0) return -1;
  if (fstat(null, &info) < 0 || !S_ISCHR(info.st_mode) || info.st_rdev != makedev(1, 3)) return close(null), errno = ENXIO, -1;
  int tree = clone_tree(null, "", AT_EMPTY_PATH);
  close_keep(null);
  return tree;
}

static int mask_file(int target) {
  int tree = clone_null();
  int result = tree < 0 ? -1 : attach_mount(tree, target);
  close_keep(tree);
  return result;
}

static int mask(int target) {
  struct stat info;
  if (fstat(target, &info) < 0) return -1;
  if (!S_ISDIR(info.st_mode)) return mask_file(target);
  return mount_on(target, "tmpfs", "tmpfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=0k,nr_inodes=1");
}

int op_mask(const struct op *op, struct child *child) {
  (void)child;
  int target = open_inside(op->v[0].text, O_PATH);
  if (target < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
  int result = mask(target);
  close_keep(target);
  return result;
}

static int cover_readonly(int target) {
  struct mount_attributes readonly = {.set = MOUNT_ATTR_RDONLY};
  int tree = clone_tree(target, "", AT_EMPTY_PATH | AT_RECURSIVE);
  if (tree < 0) return -1;
  int result = set_mount(tree, AT_RECURSIVE, &readonly) < 0 ? -1 : attach_mount(tree, target);
  close_keep(tree);
  return result;
}

int op_readonly(const struct op *op, struct child *child) {
  (void)child;
  struct mount_attributes readonly = {.set = MOUNT_ATTR_RDONLY};
  if (!strcmp(op->v[0].text, "/")) return set_mount(root_directory(), 0, &readonly);
  int target = open_inside(op->v[0].text, O_PATH);
  if (target < 0) return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
  int result = cover_readonly(target);
  close_keep(target);
  return result;
}

// ---- files inside the root -----------------------------------------------------------------------------------------

int op_directory(const struct op *op, struct child *child) {
  (void)child;
  int fd = make_directories(root_directory(), op->v[0].text, (unsigned)op->v[1].number);
  if (fd < 0) return -1;
  close(fd);
  return 0;
}

static int create_inside(const char *path, unsigned mode) {
  const char *name;
  int parent = open_parent(root_directory(), path, true, &name);
  if (parent < 0) return -1;
  close(parent);
  return open_at2(root_directory(), path, O_WRONLY | O_CREAT, mode, INSIDE);
}

int op_file(const struct op *op, struct child *child) {
  (void)child;
  int fd = open_inside(op->v[0].text, O_PATH);
  if (fd < 0 && errno == ENOENT) fd = create_inside(op->v[0].text, (unsigned)op->v[1].number);
  if (fd < 0) return -1;
  close(fd);
  return 0;
}

static bool is_device(int parent, const char *name, mode_t mode, dev_t device) {
  struct stat info;
  return fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) == 0 && (info.st_mode & S_IFMT) == (mode & S_IFMT) &&
         info.st_rdev == device;
}

int op_device(const struct op *op, struct child *child) {
  (void)child;
  const char *name;
  mode_t mode = (mode_t)op->v[1].number;
  dev_t device = makedev((unsigned)op->v[2].number, (unsigned)op->v[3].number);
  int parent = open_parent(root_directory(), op->v[0].text, true, &name);
  if (parent < 0) return -1;
  int result = mknodat(parent, name, mode, device);
  if (result < 0 && errno == EEXIST) result = is_device(parent, name, mode, device) ? 0 : (errno = EEXIST, -1);
  close_keep(parent);
  return result;
}

int op_symlink(const struct op *op, struct child *child) {
  (void)child;
  const char *name;
  int parent = open_parent(root_directory(), op->v[0].text, true, &name);
  if (parent < 0) return -1;
  int result = symlinkat(op->v[1].text, parent, name);
  close_keep(parent);
  return result < 0 && errno != EEXIST ? -1 : 0;
}

// ---- terminal ------------------------------------------------------------------------------------------------------

static int send_master(int monitor, int master) {
  uint8_t kind = MESSAGE_TERMINAL;
  struct iovec part = {&kind, 1};
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof(int))];
  } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
  memcpy(CMSG_DATA(&control.header), &master, sizeof master);
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  return sendmsg(monitor, &message, MSG_NOSIGNAL) < 0 ? -1 : 0;
}

static int bind_console(int master) {
  unsigned number;
  char path[32];
  if (ioctl(master, TIOCGPTN, &number) < 0) return -1;
  snprintf(path, sizeof path, "/dev/pts/%u", number);
  int tree = clone_tree(root_directory(), path + 1, 0);
  int target = tree < 0 ? -1 : open_inside(fault = "/dev/console", O_PATH);
  int result = target < 0 ? -1 : attach_mount(tree, target);
  close_keep(tree);
  close_keep(target);
  return result;
}

static int use_terminal(int master, int slave, const struct op *op) {
  struct winsize size = {.ws_row = (unsigned short)op->v[0].number, .ws_col = (unsigned short)op->v[1].number};
  if (size.ws_row && size.ws_col && ioctl(slave, TIOCSWINSZ, &size) < 0) return -1;
  if (op->v[2].number && bind_console(master) < 0) return -1;
  if (ioctl(slave, TIOCSCTTY, 0) < 0) return -1;
  return dup2(slave, 0) < 0 || dup2(slave, 1) < 0 || dup2(slave, 2) < 0 ? -1 : 0;
}

static int open_slave(int master) {
  int unlocked = 0;
  struct stat info;
  if (fstat(master, &info) < 0) return -1;
  if (!S_ISCHR(info.st_mode) || info.st_rdev != makedev(5, 2)) return errno = ENXIO, -1;
  if (ioctl(master, TIOCSPTLCK, &unlocked) < 0) return -1;
  return ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
}

int op_terminal(const struct op *op, struct child *child) {
  int master = open_inside(fault = "/dev/pts/ptmx", O_RDWR | O_NOCTTY);
  if (master < 0) return -1;
  int slave = open_slave(master);
  int result = slave < 0 || send_master(child->monitor, master) < 0 ? -1 : use_terminal(master, slave, op);
  close_keep(slave);
  close_keep(master);
  return result;
}
