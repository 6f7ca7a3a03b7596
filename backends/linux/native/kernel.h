// The system calls and constants newer than some C library we are compiled with (musl 1.2, glibc 2.36).
// Raw numbers are the same on every architecture for calls added since Linux 5.1.
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NR_pidfd_send_signal 424
#define NR_open_tree 428
#define NR_move_mount 429
#define NR_fsopen 430
#define NR_fsconfig 431
#define NR_fsmount 432
#define NR_pidfd_open 434
#define NR_clone3 435
#define NR_close_range 436
#define NR_openat2 437
#define NR_mount_setattr 442

#ifndef CLONE_NEWCGROUP
#define CLONE_NEWCGROUP 0x02000000
#endif
#ifndef CLONE_PIDFD
#define CLONE_PIDFD 0x00001000
#endif
#ifndef RESOLVE_NO_XDEV
#define RESOLVE_NO_XDEV 0x01
#define RESOLVE_NO_MAGICLINKS 0x02
#define RESOLVE_NO_SYMLINKS 0x04
#define RESOLVE_BENEATH 0x08
#define RESOLVE_IN_ROOT 0x10
#endif
#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef OPEN_TREE_CLOEXEC
#define OPEN_TREE_CLOEXEC O_CLOEXEC
#endif
#ifndef AT_RECURSIVE
#define AT_RECURSIVE 0x8000
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 0x04
#define MOVE_MOUNT_T_EMPTY_PATH 0x40
#endif
#ifndef FSOPEN_CLOEXEC
#define FSOPEN_CLOEXEC 1
#define FSMOUNT_CLOEXEC 1
#endif
#ifndef FSCONFIG_SET_STRING
#define FSCONFIG_SET_STRING 1
#define FSCONFIG_CMD_CREATE 6
#endif
#ifndef MOUNT_ATTR_RDONLY
#define MOUNT_ATTR_RDONLY 1
#endif
#ifndef MOUNT_ATTR_IDMAP
#define MOUNT_ATTR_IDMAP 0x00100000
#endif
#ifndef MFD_ALLOW_SEALING
#define MFD_CLOEXEC 1
#define MFD_ALLOW_SEALING 2
#endif
#define TSBOX_MFD_EXEC 0x10
#ifndef F_ADD_SEALS
#define F_ADD_SEALS 1033
#define F_GET_SEALS 1034
#define F_SEAL_SEAL 1
#define F_SEAL_SHRINK 2
#define F_SEAL_GROW 4
#define F_SEAL_WRITE 8
#endif
#define CLOSE_RANGE_MARK_CLOEXEC 4
#define P_PIDFD_ID 3

struct open_rules {
  uint64_t flags, mode, resolve;
};

struct mount_attributes {
  uint64_t set, clear, propagation, userns_fd;
};

struct clone_arguments {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};
#ifndef CLONE_INTO_CGROUP
#define CLONE_INTO_CGROUP 0x200000000ULL
#endif

// openat2 may say EAGAIN when the tree moves under it; that is not the caller's business.
static inline int open_at2(int directory, const char *path, int flags, unsigned mode, uint64_t resolve) {
  struct open_rules rules = {.flags = (unsigned)flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
  for (;;) {
    int fd = (int)syscall(NR_openat2, directory, path, &rules, sizeof rules);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) return fd;
  }
}

static inline int clone_tree(int directory, const char *path, unsigned flags) {
  return (int)syscall(NR_open_tree, directory, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | flags);
}

static inline int set_mount(int fd, unsigned flags, struct mount_attributes *attributes) {
  return (int)syscall(NR_mount_setattr, fd, "", AT_EMPTY_PATH | flags, attributes, sizeof *attributes);
}

// Attaches the detached mount `fd` on the very thing `target` is open on: no path is walked.
static inline int attach_mount(int fd, int target) {
  return (int)syscall(NR_move_mount, fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

static inline int pidfd_open_(int pid) { return (int)syscall(NR_pidfd_open, pid, 0); }

static inline int pidfd_signal(int fd, int signal) {
  return (int)syscall(NR_pidfd_send_signal, fd, signal, NULL, 0);
}

// Closes without losing the errno of what went wrong before.
static inline void close_keep(int fd) {
  int saved = errno;
  if (fd >= 0) close(fd);
  errno = saved;
}
