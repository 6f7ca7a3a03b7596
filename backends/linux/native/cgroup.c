// Control groups as files (cgroups(7)). Which file holds which limit is the plan's business, not ours.
#include "ops.h"
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

static char path[PATH_MAX];

static const char *in_cgroup(const struct op *op, const char *file) {
  const char *group = op->v[1].text;  // "": the hierarchy's root
  snprintf(path, sizeof path, "%s%s%s%s%s", op->v[0].text, group[0] ? "/" : "", group, file[0] ? "/" : "", file);
  return fault = path;
}

static void pause_ms(long ms) { nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL); }

static ssize_t read_text(const char *file, char *text, size_t size) {
  int fd = open(file, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  ssize_t length = read(fd, text, size - 1);
  close_keep(fd);
  if (length >= 0) text[length] = 0;
  return length;
}

// A new v1 cpuset is empty and takes no process: it starts as its parent is.
static int inherit_cpuset(const char *directory, const char *file) {
  char from[PATH_MAX + 32], to[PATH_MAX + 32], text[4096];
  snprintf(to, sizeof to, "%s/%s", directory, file);
  if (read_text(to, text, sizeof text) != 1) return 0;
  snprintf(from, sizeof from, "%s/../%s", directory, file);
  if (read_text(from, text, sizeof text) < 0) return -1;
  return write_text(to, text);
}

static int make_one(const char *directory, bool cpuset) {
  if (mkdir(directory, 0755) < 0) return errno == EEXIST ? 0 : -1;
  if (!cpuset) return 0;
  return inherit_cpuset(directory, "cpuset.cpus") < 0 ? -1 : inherit_cpuset(directory, "cpuset.mems");
}

int cgroup_make(const struct op *op) {
  bool cpuset = !strcmp(op->v[2].text, "cpuset");
  in_cgroup(op, "");
  if (make_one(path, cpuset) == 0) return 0;
  if (errno != ENOENT) return -1;
  for (char *slash = path + strlen(op->v[0].text) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
    *slash = 0;
    if (make_one(path, cpuset) < 0) return -1;
  }
  return make_one(path, cpuset);
}

int cgroup_set(const struct op *op) { return write_text(in_cgroup(op, op->v[3].text), op->v[4].text); }

// Joining by cgroup.procs waits for all processors to pass a quiet state (cgroup_threadgroup_rwsem), some ten
// milliseconds. v1's "tasks" does not, for a thread that moves itself (cgroup_procs_write_start); v2 has no such file
// for this, but a process can be born in its group.
int cgroup_open(const struct op *op) { return open(in_cgroup(op, "tasks"), O_WRONLY | O_CLOEXEC); }

int cgroup_directory(const struct op *op) { return open(in_cgroup(op, ""), O_PATH | O_DIRECTORY | O_CLOEXEC); }

bool is_unified(const struct op *op) { return op->code == OP_CGROUP_JOIN && !strcmp(op->v[2].text, "unified"); }

// How many processes were signalled; 0 also when the cgroup is gone.
static int signal_all(const struct op *op) {
  FILE *list = fopen(in_cgroup(op, "cgroup.procs"), "re");
  int pid, count = 0;
  while (list && fscanf(list, "%d", &pid) == 1) {
    if (pid > 0 && kill(pid, SIGKILL) == 0) count++;
  }
  if (list) fclose(list);
  return count;
}

bool cgroup_killed(const struct op *op) {
  return write_text(in_cgroup(op, "cgroup.kill"), "1") == 0 || signal_all(op) == 0;
}

int cgroup_kill(const struct op *op) {
  for (int tries = 0; tries < 400 && !cgroup_killed(op); tries++) {
    // A frozen process cannot die.
    if (write_text(in_cgroup(op, "freezer.state"), "THAWED") < 0 && errno != ENOENT && errno != EACCES) return -1;
    pause_ms(5);
  }
  return 0;
}

// What a container made for itself below its cgroup goes first.
static void remove_children(int directory) {
  DIR *list = fdopendir(dup(directory));
  struct dirent *entry;
  while (list && (entry = readdir(list))) {
    if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
    int inner = openat(directory, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (inner < 0) continue;
    remove_children(inner);
    close(inner);
    unlinkat(directory, entry->d_name, AT_REMOVEDIR);
  }
  if (list) closedir(list);
}

bool cgroup_removed(const struct op *op) { return rmdir(in_cgroup(op, "")) == 0 || errno == ENOENT; }

// A cgroup is busy until the last of its killed processes is gone.
int cgroup_remove(const struct op *op) {
  for (int tries = 0;; tries++) {
    if (cgroup_removed(op)) return 0;
    if (errno != EBUSY || tries == 400) return -1;
    int directory = tries == 10 ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (directory >= 0) remove_children(directory);
    if (directory >= 0) close(directory);
    pause_ms(tries < 20 ? 1 : 5);
  }
}
