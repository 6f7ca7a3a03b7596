// Performs a script of file operations on the real kernel and prints what each gave, one line a command; views of whole
// trees are several lines and end with ".". The script is on standard input, a command a line, its fields set apart by
// tabs (performing.ts writes it and performs the same on core/unionfs). Mounts are made in a mount namespace of its own.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { FIELDS = 8, SLOTS = 4, CONTENT = 1 << 20 };
#define DURABLE_FROM 1000000000000000000ll  // nanoseconds: what is later was stamped by the clock

static char *f[FIELDS];
static int outside, slot[SLOTS] = {-1, -1, -1, -1};
static char inside[PATH_MAX];
static unsigned char content[CONTENT];

static const char *error_name(void) { return strerrorname_np(errno) ? strerrorname_np(errno) : "?"; }
static void say(long result) { puts(result < 0 ? error_name() : "ok"); }
static long number(int field) { return strtol(f[field], NULL, 10); }
static unsigned octal(int field) { return (unsigned)strtoul(f[field], NULL, 8); }
static int *at_slot(void) { return &slot[number(1)]; }

static const char *kind_of(mode_t mode) {
  return S_ISREG(mode) ? "file" : S_ISDIR(mode) ? "directory" : S_ISLNK(mode) ? "symlink" : S_ISCHR(mode) ? "character"
       : S_ISBLK(mode) ? "block" : S_ISFIFO(mode) ? "fifo" : "socket";
}

static void put_time(struct timespec time) {
  long long all = time.tv_sec * 1000000000ll + time.tv_nsec;
  if (all >= DURABLE_FROM) fputs(" now", stdout);
  else printf(" %lld", all);
}

static void put_stat(const struct stat *s, bool blocks, bool numbers) {
  bool sized = S_ISREG(s->st_mode) || S_ISLNK(s->st_mode), whiteout = S_ISCHR(s->st_mode) && !s->st_rdev;
  printf("%s %o %u %u %ld %ld %u:%u", kind_of(s->st_mode), s->st_mode & 07777, s->st_uid, s->st_gid,
         whiteout ? -1 : (long)s->st_nlink, sized ? (long)s->st_size : 0, major(s->st_rdev), minor(s->st_rdev));
  put_time(s->st_mtim);
  if (blocks) printf(" b%ld", S_ISREG(s->st_mode) ? (long)s->st_blocks : 0);
  if (numbers && !whiteout) printf(" #%lx:%lx", (long)s->st_dev, (long)s->st_ino);
}

static void put_hash(const unsigned char *bytes, long length) {
  unsigned hash = 2166136261u;
  for (long i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 16777619u;
  printf(" %ld=%x", length, hash);
}

// Bookkeeping of inode numbers, and what the kernel keeps there for itself.
static bool is_private(const char *name) {
  const char *own = !strncmp(name, "trusted.overlay.", 16) ? name + 16 : !strncmp(name, "user.overlay.", 13) ? name + 13 : "";
  return !strcmp(own, "origin") || !strcmp(own, "impure") || !strcmp(own, "nlink") || !strcmp(own, "uuid");
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void put_xattrs(const char *path) {
  char names[4096], value[4096], *sorted[64];
  ssize_t length = llistxattr(path, names, sizeof names), count = 0;
  for (ssize_t i = 0; i < length && count < 64; i += (ssize_t)strlen(names + i) + 1)
    if (!is_private(names + i)) sorted[count++] = names + i;
  qsort(sorted, (size_t)count, sizeof *sorted, by_text);
  for (ssize_t i = 0; i < count; i++) {
    ssize_t size = lgetxattr(path, sorted[i], value, sizeof value);
    printf(" %s=", sorted[i]);
    for (ssize_t at = 0; at < size; at++) printf("%02x", (unsigned char)value[at]);
  }
}

static void put_body(const char *path, const struct stat *s) {
  char target[PATH_MAX];
  if (S_ISLNK(s->st_mode)) {
    ssize_t length = readlink(path, target, sizeof target);
    printf(" ->%.*s", (int)length, target);
  } else if (S_ISREG(s->st_mode)) {
    int fd = open(path, O_RDONLY | O_NOFOLLOW);
    long length = fd < 0 ? -1 : pread(fd, content, CONTENT, 0);
    if (length < 0) printf(" %s", error_name());
    else put_hash(content, length);
    if (fd >= 0) close(fd);
  }
}

static void view(const char *path, const char *shown, bool blocks, bool numbers) {
  struct dirent **entries;
  int count = scandir(*path ? path : "/", &entries, NULL, alphasort);
  if (count < 0) printf("%s %s\n", shown, error_name());
  for (int i = 0; i < count; i++) {
    const char *name = entries[i]->d_name;
    char *child, *as;
    struct stat s;
    if (!strcmp(name, ".") || !strcmp(name, "..")) continue;
    if (asprintf(&child, "%s/%s", path, name) < 0 || asprintf(&as, "%s/%s", shown, name) < 0) exit(3);
    if (lstat(child, &s) < 0) printf("%s %s\n", as, error_name());
    else {
      printf("%s ", as);
      put_stat(&s, blocks, numbers);
      put_xattrs(child);
      put_body(child, &s);
      putchar('\n');
      if (S_ISDIR(s.st_mode)) view(child, as, blocks, numbers);
    }
    free(child), free(as);
  }
}

static void enter(const char *path) {
  snprintf(inside, sizeof inside, "%s", path);
  if (chdir(path) < 0 || chroot(".") < 0) exit(4);
}

static void leave(void) { if (fchdir(outside) < 0 || chroot(".") < 0) exit(4); }

static void view_outside(const char *path) {
  char back[PATH_MAX];
  snprintf(back, sizeof back, "%s", inside);
  leave();
  view(path, "", false, false);
  enter(back);
}

struct capabilities { unsigned low, high; };
static const struct capabilities all_capabilities = {~0u, ~0u};

// Which capabilities count, of those that are permitted; which did before.
static struct capabilities count_only(struct capabilities wanted) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[2];
  if (syscall(SYS_capget, &header, sets) < 0) exit(5);
  struct capabilities before = {sets[0].effective, sets[1].effective};
  sets[0].effective = wanted.low & sets[0].permitted, sets[1].effective = wanted.high & sets[1].permitted;
  if (syscall(SYS_capset, &header, sets) < 0) exit(5);
  return before;
}

static struct capabilities capabilities_of(const char *names) {
  static const struct { const char *name; unsigned number; } table[] = {{"CHOWN", CAP_CHOWN}, {"DAC_OVERRIDE", CAP_DAC_OVERRIDE},
    {"DAC_READ_SEARCH", CAP_DAC_READ_SEARCH}, {"FOWNER", CAP_FOWNER}, {"FSETID", CAP_FSETID}, {"MKNOD", CAP_MKNOD}, {"SYS_ADMIN", CAP_SYS_ADMIN}};
  struct capabilities found = {0, 0};
  for (size_t i = 0; i < sizeof table / sizeof *table; i++)
    if (strstr(names, table[i].name)) found.low |= 1u << table[i].number;
  return found;
}

static void as_root(void) {
  count_only(all_capabilities);
  if (seteuid(0) < 0 || setegid(0) < 0) exit(5);
  count_only(all_capabilities);
}

static void become(unsigned uid, unsigned gid, const char *groups, const char *capabilities) {
  gid_t list[8];
  size_t count = 0;
  as_root();
  for (const char *at = groups; *at && count < 8;) {
    char *end;
    list[count++] = (gid_t)strtoul(at, &end, 10);
    at = *end ? end + 1 : end;
  }
  if (setgroups(count, list) < 0 || setegid(gid) < 0 || seteuid(uid) < 0) exit(5);
  if (strcmp(capabilities, "") && strcmp(capabilities, "all")) count_only(capabilities_of(capabilities));
}

static int flags_of(const char *letters) {
  bool r = strchr(letters, 'r'), w = strchr(letters, 'w');
  int flags = r && w ? O_RDWR : w ? O_WRONLY : O_RDONLY;
  static const struct { char letter; int flag; } table[] = {{'c', O_CREAT}, {'x', O_EXCL}, {'t', O_TRUNC},
    {'a', O_APPEND}, {'n', O_NOFOLLOW}, {'d', O_DIRECTORY}, {'u', O_TMPFILE}, {'p', O_PATH}};
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) if (strchr(letters, table[i].letter)) flags |= table[i].flag;
  return flags | O_NONBLOCK | O_NOCTTY;
}

static void do_open(void) {
  int *fd = at_slot();
  struct stat s;
  if (*fd >= 0) close(*fd);
  *fd = open(f[2], flags_of(f[3]), octal(4));
  if (*fd < 0) return say(-1);
  if (fstat(*fd, &s) == 0 && !S_ISREG(s.st_mode)) {
    close(*fd), *fd = -1;
    puts("special");
  } else puts("ok");
}

static void do_read(void) {
  long length = read(*at_slot(), content, (size_t)number(2));
  if (length < 0) return say(-1);
  put_hash(content, length), putchar('\n');
}

static void do_write(void) {
  memset(content, (int)number(3), (size_t)number(2));
  long length = write(*at_slot(), content, (size_t)number(2));
  if (length < 0) say(-1); else printf("%ld\n", length);
}

static void do_seek(void) {
  static const char *const names[] = {"set", "current", "end", "data", "hole"};
  static const int whences[] = {SEEK_SET, SEEK_CUR, SEEK_END, SEEK_DATA, SEEK_HOLE};
  for (int i = 0; i < 5; i++) if (!strcmp(f[3], names[i])) {
    long at = lseek(*at_slot(), number(2), whences[i]);
    if (at < 0) say(-1); else printf("%ld\n", at);
  }
}

static void do_stat(int result, const struct stat *s) {
  if (result < 0) return say(-1);
  put_stat(s, false, true), putchar('\n');
}

static void do_readlink(void) {
  char target[PATH_MAX];
  ssize_t length = readlink(f[1], target, sizeof target);
  if (length < 0) say(-1); else printf("->%.*s\n", (int)length, target);
}

static void do_mknod(void) {
  mode_t kind = !strcmp(f[2], "fifo") ? S_IFIFO : !strcmp(f[2], "socket") ? S_IFSOCK : !strcmp(f[2], "block") ? S_IFBLK
              : !strcmp(f[2], "file") ? S_IFREG : S_IFCHR;
  say(mknod(f[1], kind | octal(3), makedev((unsigned)number(4), (unsigned)number(5))));
}

static void do_utimes(void) {
  struct timespec times[2] = {{number(2), 5}, {number(3), 7}};
  say(utimensat(AT_FDCWD, f[1], times, *f[4] == 'n' ? AT_SYMLINK_NOFOLLOW : 0));
}

static void do_getx(void) {
  char value[4096];
  ssize_t size = lgetxattr(f[1], f[2], value, sizeof value);
  if (size < 0) return say(-1);
  printf("%.*s\n", (int)size, value);
}

static void do_list(void) {
  struct dirent **entries;
  int count = scandir(f[1], &entries, NULL, alphasort);
  if (count < 0) return say(-1);
  for (int i = 0; i < count; i++) if (strcmp(entries[i]->d_name, ".") && strcmp(entries[i]->d_name, "..")) printf("%s ", entries[i]->d_name);
  putchar('\n');
}

// A directory read in two goes: some entries, then, after other commands, the rest. `mark` is where the first go ended.
static struct { DIR *directory; long mark; int count; char *names[256]; } scans[SLOTS];

static void read_names(int which, int max) {
  struct dirent *entry;
  while (max-- > 0 && scans[which].count < 256 && (entry = readdir(scans[which].directory))) {
    if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) max++;
    else scans[which].names[scans[which].count++] = strdup(entry->d_name);
  }
}

static void put_names(int which) {
  qsort(scans[which].names, (size_t)scans[which].count, sizeof *scans[which].names, by_text);
  for (int i = 0; i < scans[which].count; i++) printf("%s ", scans[which].names[i]), free(scans[which].names[i]);
  scans[which].count = 0;
  putchar('\n');
}

static void scan(void) {
  int which = (int)number(1);
  if (!(scans[which].directory = opendir(f[2]))) return say(-1);
  read_names(which, (int)number(3));
  scans[which].mark = telldir(scans[which].directory);
  say(0);
}

static bool is(const char *name) { return !strcmp(f[0], name); }

static void scan_on(void) {
  int which = (int)number(1);
  if (is("rewind")) rewinddir(scans[which].directory);
  if (is("back")) seekdir(scans[which].directory, scans[which].mark);
  read_names(which, 256);
  if (is("back")) printf("%d: ", scans[which].count), scans[which].count = 0;  // in which order they come is anybody's affair
  put_names(which);
  if (is("end")) closedir(scans[which].directory), scans[which].directory = NULL;
}

// A bind mount within what was entered; "r": read-only, "R": with what is mounted in it.
static void do_bind(void) {
  if (mount(f[1], f[2], NULL, MS_BIND | (strchr(f[3], 'R') ? MS_REC : 0), NULL) < 0) return say(-1);
  say(strchr(f[3], 'r') ? mount(NULL, f[2], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOATIME, NULL) : 0);
}

// Copies of mounts keep their file systems, so that a later one does not get the device number of one that is gone.
static int kept[256], kept_count;

static void do_tmpfs(void) {
  if (mount("none", f[1], "tmpfs", MS_NOATIME, "mode=755") < 0) return say(-1);
  int copy = (int)syscall(SYS_open_tree, AT_FDCWD, f[1], OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (copy >= 0 && kept_count < 256) kept[kept_count++] = copy;
  say(0);
}

static void outer(void) {
  if (is("mkdir!")) say(mkdir(f[1], octal(2)));
  else if (is("bind")) do_bind();
  else if (is("tmpfs")) do_tmpfs();
  else if (is("unmount")) say(umount2(f[1], *f[2] == 'l' ? MNT_DETACH : 0));
  else if (is("drop")) say(umount2(f[1], MNT_DETACH));
  else if (is("mount")) {
    int result = mount(f[2], f[1], f[2], MS_NOATIME | (strchr(f[4], 'r') ? MS_RDONLY : 0), f[3]);
    puts(result < 0 ? error_name() : "mounted");
  }
  else if (is("umount")) say(umount2(f[1], 0));
  else if (is("enter")) enter(f[1]), puts("entered");
  else if (is("leave")) {
    as_root(), umask(0);
    for (int i = 0; i < SLOTS; i++) if (slot[i] >= 0) close(slot[i]), slot[i] = -1;
    while (kept_count > 0) close(kept[--kept_count]);
    leave(), puts("ok");
  }
}

static void attributes(void) {
  struct stat s;
  if (is("stat")) do_stat(stat(f[1], &s), &s);
  else if (is("lstat")) do_stat(lstat(f[1], &s), &s);
  else if (is("fstat")) do_stat(fstat(*at_slot(), &s), &s);
  else if (is("access")) say(faccessat(AT_FDCWD, f[1], (int)number(2), AT_EACCESS));
  else if (is("readlink")) do_readlink();
  else if (is("list")) do_list();
  else if (is("scan")) scan();
  else if (is("rest") || is("rewind") || is("back") || is("end")) scan_on();
  else if (is("chmod")) say(chmod(f[1], octal(2)));
  else if (is("chown")) say(fchownat(AT_FDCWD, f[1], (uid_t)number(2), (gid_t)number(3), *f[4] == 'n' ? AT_SYMLINK_NOFOLLOW : 0));
  else if (is("utimes")) do_utimes();
  else if (is("setx")) say(lsetxattr(f[1], f[2], f[3], strlen(f[3]), 0));
  else if (is("getx")) do_getx();
  else if (is("rmx")) say(lremovexattr(f[1], f[2]));
  else outer();
}

static void perform(void) {
  if (is("open")) do_open();
  else if (is("read")) do_read();
  else if (is("write")) do_write();
  else if (is("seek")) do_seek();
  else if (is("ftruncate")) say(ftruncate(*at_slot(), number(2)));
  else if (is("close")) say(close(*at_slot())), *at_slot() = -1;
  else if (is("flink")) say(linkat(*at_slot(), "", AT_FDCWD, f[2], AT_EMPTY_PATH));
  else if (is("mkdir")) say(mkdir(f[1], octal(2)));
  else if (is("rmdir")) say(rmdir(f[1]));
  else if (is("unlink")) say(unlink(f[1]));
  else if (is("rename")) say(renameat2(AT_FDCWD, f[1], AT_FDCWD, f[2], (unsigned)number(3)));
  else if (is("link")) say(link(f[1], f[2]));
  else if (is("symlink")) say(symlink(f[1], f[2]));
  else if (is("mknod")) do_mknod();
  else if (is("truncate")) say(truncate(f[1], number(2)));
  else if (is("as")) become((unsigned)number(1), (unsigned)number(2), f[3], f[4]), puts("ok");
  else if (is("umask")) umask(octal(1)), puts("ok");
  else attributes();
}

// Does something as root, and comes back as who it was: to the kernel that is another.
static struct { uid_t uid; gid_t gid; struct capabilities counted; } before;

static void begin_as_root(void) {
  before.uid = geteuid(), before.gid = getegid();
  before.counted = count_only(all_capabilities);
  as_root();
}

static void end_as_root(void) {
  if (setegid(before.gid) < 0 || seteuid(before.uid) < 0) exit(5);
  count_only(before.counted);
}

static void views(void) {
  begin_as_root();
  if (is("view")) view("", "", *f[1] == 'b', true);
  else view_outside(f[1]);
  end_as_root();
  puts(".");
}

// A command whose paths begin at another directory.
static void perform_at(void) {
  if (chdir(f[1]) < 0) return say(-1);
  for (int i = 0; i < FIELDS; i++) f[i] = i + 2 < FIELDS ? f[i + 2] : "";
  perform();
  begin_as_root();
  if (chdir("/") < 0) exit(4);
  end_as_root();
}

int main(void) {
  char *line = NULL;
  size_t room = 0;
  ssize_t length;
  if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return 2;
  outside = open("/", O_RDONLY | O_DIRECTORY);
  umask(0);
  while ((length = getline(&line, &room, stdin)) > 0) {
    line[length - 1] = 0;
    char *at = line;
    for (int i = 0; i < FIELDS; i++) f[i] = at ? strsep(&at, "\t") : "";
    if (is("=")) puts("="), fflush(stdout);
    else if (is("view") || is("upper")) views();
    else if (is("at")) perform_at();
    else perform();
  }
  return fflush(stdout) == 0 ? 0 : 1;
}
