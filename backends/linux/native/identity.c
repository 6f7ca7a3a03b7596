// Who the program runs as and what it may do: ids, capabilities, seccomp.
#include "ops.h"
#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#ifndef PR_CAP_AMBIENT
#define PR_CAP_AMBIENT 47
#define PR_CAP_AMBIENT_RAISE 2
#define PR_CAP_AMBIENT_CLEAR_ALL 4
#endif
#define SECCOMP_MODE_FILTER_SET 1

struct filter_program {
  unsigned short length;
  const void *instructions;
};

// setresuid(2) took the capabilities out of the effective set; the ops that follow still need them.
int regain_capabilities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  if (syscall(SYS_capget, &header, data) < 0) return -1;
  for (int i = 0; i < 2; i++) data[i].effective = data[i].permitted;
  return (int)syscall(SYS_capset, &header, data);
}

// The program may open its own standard streams again, through /proc/self/fd. Not the host's /dev/null.
static void own_streams(uid_t uid, gid_t gid) {
  struct stat info;
  for (int fd = 0; fd < 3; fd++) {
    if (fstat(fd, &info) < 0) continue;
    if (S_ISFIFO(info.st_mode) && fchown(fd, uid, gid) < 0) continue;
    if (S_ISCHR(info.st_mode) && isatty(fd) && fchown(fd, uid, (gid_t)-1) < 0) continue;
  }
}

static int set_groups(const struct value *list) {
  gid_t *groups = calloc(list->number + 1, sizeof *groups);
  struct reader in = {.at = (const uint8_t *)list->text, .end = (const uint8_t *)list->text + list->length};
  if (!groups) return -1;
  for (uint64_t i = 0; i < list->number; i++) groups[i] = read_u32(&in);
  int result = setgroups(list->number, groups);
  free(groups);
  return result;
}

int op_user(const struct op *op, struct child *child) {
  (void)child;
  uid_t uid = (uid_t)op->v[0].number;
  gid_t gid = (gid_t)op->v[1].number;
  if (uid != 0) own_streams(uid, gid);
  if (uid != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0) return -1;
  if (set_groups(&op->v[2]) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0) return -1;
  return uid == 0 ? 0 : regain_capabilities();
}

static int drop_bounding(uint64_t kept) {
  for (unsigned capability = 0; capability < 64; capability++) {
    if (kept >> capability & 1) continue;
    if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) return errno == EINVAL ? 0 : -1;
  }
  return 0;
}

static int raise_ambient(uint64_t ambient) {
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0) return -1;
  for (unsigned capability = 0; ambient >> capability; capability++) {
    if ((ambient >> capability & 1) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) < 0) return -1;
    if (capability == 63) break;
  }
  return 0;
}

int op_capabilities(const struct op *op, struct child *child) {
  (void)child;
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  for (int i = 0; i < 2; i++) {
    data[i].permitted = (uint32_t)(op->v[1].number >> 32 * i);
    data[i].effective = (uint32_t)(op->v[2].number >> 32 * i);
    data[i].inheritable = (uint32_t)(op->v[3].number >> 32 * i);
  }
  if (drop_bounding(op->v[0].number) < 0 || syscall(SYS_capset, &header, data) < 0) return -1;
  return raise_ambient(op->v[4].number);
}

int op_no_new_privileges(const struct op *op, struct child *child) {
  (void)op, (void)child;
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

int op_seccomp(const struct op *op, struct child *child) {
  (void)child;
  struct filter_program program = {.length = (unsigned short)(op->v[0].length / 8), .instructions = op->v[0].text};
  if (op->v[0].length % 8 || op->v[0].length / 8 > 4096) return errno = EINVAL, -1;
  return (int)syscall(SYS_seccomp, SECCOMP_MODE_FILTER_SET, 0, &program);
}
