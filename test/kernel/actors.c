// The oracle of test/kernel: processes ("actors") that make system calls one after the other, as a script on standard
// input tells them ("ACTOR CALL ARGUMENT..."), and what each call gave, a line each. actors.ts does the same in the
// simulated kernel; a call's arguments and results are described there.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ACTORS = 8, WORDS = 16, SIZE = 512, PATIENCE_MS = 200, QUIET_MS = 50 };

static int commands[ACTORS][2], replies[ACTORS][2], births[2];
static int me = -1, lifeline = -1;
static pid_t pids[ACTORS];
static void *attached[64];
static int attachedCount;
static mqd_t queues[64];
static int queueCount;

static siginfo_t noted;

static const char *nameOfErrno(int number) { return strerrorname_np(number); }

static void answer(char *out, long result) {
  if (result < 0) snprintf(out, SIZE, "%s", nameOfErrno(errno));
  else snprintf(out, SIZE, "%ld", result);
}

static int ipcFlags(const char *words, const char *mode) {
  int flags = (int)strtol(mode, NULL, 8);
  if (strchr(words, 'c')) flags |= IPC_CREAT;
  if (strchr(words, 'x')) flags |= IPC_EXCL;
  return flags;
}

static int namespaceFlags(const char *letters) {
  int flags = 0;
  for (; *letters; letters++)
    flags |= *letters == 'm' ? CLONE_NEWNS : *letters == 'u' ? CLONE_NEWUTS : *letters == 'i' ? CLONE_NEWIPC
           : *letters == 'p' ? CLONE_NEWPID : *letters == 'n' ? CLONE_NEWNET : *letters == 'U' ? CLONE_NEWUSER
           : *letters == 'C' ? CLONE_NEWCGROUP : 0;
  return flags;
}

static struct timespec *timeoutOf(const char *milliseconds, struct timespec *time) {
  if (milliseconds == NULL) return NULL;
  long value = atol(milliseconds);
  *time = (struct timespec){value / 1000, value % 1000 * 1000000};
  return time;
}

static struct timespec *deadlineOf(const char *milliseconds, struct timespec *time) {
  if (milliseconds == NULL) return NULL;
  clock_gettime(CLOCK_REALTIME, time);
  long nanos = time->tv_nsec + atol(milliseconds) * 1000000;
  *time = (struct timespec){time->tv_sec + nanos / 1000000000, nanos % 1000000000};
  return time;
}

static void doShared(char *out, char **w) {
  struct shmid_ds info;
  int id = w[1] ? atoi(w[1]) : 0;
  if (!strcmp(w[0], "shmget")) return answer(out, shmget(id, strtoul(w[2], NULL, 10), ipcFlags(w[3], w[4])));
  if (!strcmp(w[0], "shmat")) {
    void *at = shmat(id, NULL, w[2] ? SHM_RDONLY : 0);
    if (at == (void *)-1) return answer(out, -1);
    attached[attachedCount] = at;
    return answer(out, attachedCount++);
  }
  if (!strcmp(w[0], "shmdt")) return answer(out, shmdt(attached[id]));
  if (!strcmp(w[0], "poke")) return strcpy((char *)attached[id] + atoi(w[2]), w[3]), answer(out, 0);
  if (!strcmp(w[0], "peek")) return (void)snprintf(out, SIZE, "%s", (char *)attached[id] + atoi(w[2]));
  if (!strcmp(w[0], "shmrm")) return answer(out, shmctl(id, IPC_RMID, NULL));
  if (shmctl(id, IPC_STAT, &info) < 0) return answer(out, -1);
  if (!strcmp(w[0], "shmset")) {
    info.shm_perm.uid = atoi(w[2]), info.shm_perm.mode = strtol(w[3], NULL, 8);
    return answer(out, shmctl(id, IPC_SET, &info));
  }
  snprintf(out, SIZE, "key=%d uid=%d mode=%o size=%zu attached=%ld", info.shm_perm.__key, info.shm_perm.uid,
           info.shm_perm.mode, info.shm_segsz, (long)info.shm_nattch);
}

static void doSemaphores(char *out, char **w) {
  int id = atoi(w[1]);
  if (!strcmp(w[0], "semget")) return answer(out, semget(id, atoi(w[2]), ipcFlags(w[3], w[4])));
  if (!strcmp(w[0], "setval")) return answer(out, semctl(id, atoi(w[2]), SETVAL, atoi(w[3])));
  if (!strcmp(w[0], "semrm")) return answer(out, semctl(id, 0, IPC_RMID));
  if (!strcmp(w[0], "semop")) {
    struct sembuf ops[WORDS];
    struct timespec time;
    int count = 0;
    for (char *op = strtok(w[2], ","); op; op = strtok(NULL, ","), count++) {
      char flags[8] = "";
      int number = 0, change = 0;
      sscanf(op, "%d:%d:%7s", &number, &change, flags);
      ops[count] = (struct sembuf){number, change, (strchr(flags, 'n') ? IPC_NOWAIT : 0) | (strchr(flags, 'u') ? SEM_UNDO : 0)};
    }
    return answer(out, semtimedop(id, ops, count, timeoutOf(w[3], &time)));
  }
  struct semid_ds info;
  if (semctl(id, 0, IPC_STAT, &info) < 0) return answer(out, -1);
  if (!strcmp(w[0], "semset")) {
    info.sem_perm.uid = atoi(w[2]), info.sem_perm.mode = strtol(w[3], NULL, 8);
    return answer(out, semctl(id, 0, IPC_SET, &info));
  }
  int at = snprintf(out, SIZE, "key=%d uid=%d mode=%o values=", info.sem_perm.__key, info.sem_perm.uid, info.sem_perm.mode);
  for (unsigned i = 0; i < info.sem_nsems; i++)
    at += snprintf(out + at, SIZE - at, "%s%d/%d/%d", i ? "," : "", semctl(id, i, GETVAL), semctl(id, i, GETNCNT), semctl(id, i, GETZCNT));
}

static void doMessages(char *out, char **w) {
  struct { long type; char text[16384]; } message;
  int id = atoi(w[1]);
  if (!strcmp(w[0], "msgget")) return answer(out, msgget(id, ipcFlags(w[2], w[3])));
  if (!strcmp(w[0], "msgrm")) return answer(out, msgctl(id, IPC_RMID, NULL));
  if (!strcmp(w[0], "msgsnd")) {
    size_t length = w[3][0] == '*' ? strtoul(w[3] + 1, NULL, 10) : strlen(w[3]);
    message.type = atol(w[2]);
    memset(message.text, 'x', sizeof message.text);
    if (w[3][0] != '*') memcpy(message.text, w[3], length);
    return answer(out, msgsnd(id, &message, length, w[4] ? IPC_NOWAIT : 0));
  }
  if (!strcmp(w[0], "msgrcv")) {
    const char *f = w[4] ? w[4] : "";
    int flags = (strchr(f, 'n') ? IPC_NOWAIT : 0) | (strchr(f, 'e') ? MSG_NOERROR : 0) | (strchr(f, 'x') ? 020000 : 0);
    ssize_t got = msgrcv(id, &message, strtol(w[2], NULL, 10), atol(w[3]), flags);
    if (got < 0) return answer(out, -1);
    return (void)snprintf(out, SIZE, "%ld %.*s", message.type, (int)(got < 40 ? got : 40), message.text);
  }
  struct msqid_ds info;
  if (msgctl(id, IPC_STAT, &info) < 0) return answer(out, -1);
  if (!strcmp(w[0], "msgset")) return info.msg_qbytes = atol(w[2]), answer(out, msgctl(id, IPC_SET, &info));
  snprintf(out, SIZE, "key=%d uid=%d mode=%o bytes=%lu most=%lu count=%lu", info.msg_perm.__key, info.msg_perm.uid,
           info.msg_perm.mode, info.__msg_cbytes, info.msg_qbytes, info.msg_qnum);
}

static void doQueues(char *out, char **w) {
  struct timespec time;
  char text[65536];
  if (!strcmp(w[0], "mqunlink")) return answer(out, syscall(SYS_mq_unlink, w[1] + 1));
  if (!strcmp(w[0], "mqopen")) {
    struct mq_attr attr = {.mq_maxmsg = w[4] ? atol(w[4]) : 0, .mq_msgsize = w[4] && w[5] ? atol(w[5]) : 0};
    int flags = strchr(w[2], 'b') ? O_RDWR : strchr(w[2], 'w') ? O_WRONLY : O_RDONLY;
    if (strchr(w[2], 'c')) flags |= O_CREAT;
    if (strchr(w[2], 'x')) flags |= O_EXCL;
    if (strchr(w[2], 'n')) flags |= O_NONBLOCK;
    // The system call itself: the C library refuses some names before it gets there.
    mqd_t queue = syscall(SYS_mq_open, w[1] + 1, flags, w[3] ? strtol(w[3], NULL, 8) : 0, w[4] ? &attr : NULL);
    if (queue < 0) return answer(out, -1);
    queues[queueCount] = queue;
    return answer(out, queueCount++);
  }
  mqd_t queue = queues[atoi(w[1])];
  if (!strcmp(w[0], "mqclose")) return answer(out, mq_close(queue));
  if (!strcmp(w[0], "mqsend")) {
    size_t length = w[2][0] == '*' ? strtoul(w[2] + 1, NULL, 10) : strlen(w[2]);
    memset(text, 'x', sizeof text);
    if (w[2][0] != '*') memcpy(text, w[2], length);
    return answer(out, mq_timedsend(queue, text, length, strtoul(w[3], NULL, 10), deadlineOf(w[4], &time)));
  }
  if (!strcmp(w[0], "mqrecv")) {
    unsigned priority;
    ssize_t got = mq_timedreceive(queue, text, strtoul(w[2], NULL, 10), &priority, deadlineOf(w[3], &time));
    if (got < 0) return answer(out, -1);
    return (void)snprintf(out, SIZE, "%u %.*s", priority, (int)(got < 40 ? got : 40), text);
  }
  struct mq_attr attr;
  if (mq_getattr(queue, &attr) < 0) return answer(out, -1);
  snprintf(out, SIZE, "most=%ld bytes=%ld count=%ld nonblock=%d", attr.mq_maxmsg, attr.mq_msgsize, attr.mq_curmsgs, attr.mq_flags != 0);
}

// This program again, at PATH, as a program of its own: with a mode and an owner.
static void copySelf(char *out, char **w) {
  static char bytes[4 << 20];
  int from = open("/proc/self/exe", O_RDONLY), to = open(w[1], O_WRONLY | O_CREAT | O_TRUNC, 0755);
  ssize_t length = read(from, bytes, sizeof bytes);
  int done = to < 0 || write(to, bytes, length) != length ? -1 : 0;
  close(from), close(to);
  if (done == 0) done = chown(w[1], atoi(w[3]), atoi(w[3]));
  answer(out, done < 0 ? -1 : chmod(w[1], strtol(w[2], NULL, 8)));
}

static void tellIds(void) {
  uid_t uids[3];
  gid_t gids[3];
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  getresuid(&uids[0], &uids[1], &uids[2]), getresgid(&gids[0], &gids[1], &gids[2]);
  syscall(SYS_capget, &header, data);
  printf("uid=%d,%d,%d gid=%d,%d,%d privileged=%d", uids[0], uids[1], uids[2], gids[0], gids[1], gids[2],
         (data[0].effective >> CAP_CHOWN) & 1);
}

// What a program at PATH has for ids.
static void runIds(char *out, const char *path) {
  int ends[2], status;
  if (pipe(ends) < 0) return answer(out, -1);
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 1);
    execl(path, "ids", NULL);
    _exit(errno);
  }
  close(ends[1]);
  ssize_t length = read(ends[0], out, SIZE - 1);
  close(ends[0]);
  waitpid(child, &status, 0);
  if (length <= 0) snprintf(out, SIZE, "%s", nameOfErrno(WEXITSTATUS(status)));
}

static void showFile(char *out, const char *path) {
  char text[SIZE] = "";
  int file = open(path, O_RDONLY);
  ssize_t got = file < 0 ? -1 : read(file, text, SIZE / 2);
  if (got < 0) answer(out, -1);
  else {
    for (ssize_t i = 0; i < got; i++) if (text[i] == '\n') text[i] = '|';
    snprintf(out, SIZE, "%.*s", (int)got, text);
  }
  if (file >= 0) close(file);
}

// All of it, as the C library's streams do.
static void writeFile(char *out, const char *path, int flags, const char *word) {
  char text[4096];
  size_t length = word[0] == '*' ? strtoul(word + 1, NULL, 10) : strlen(word), written = 0;
  int file = open(path, O_WRONLY | flags, 0644);
  memset(text, 'x', sizeof text);
  if (word[0] != '*') memcpy(text, word, length);
  for (ssize_t part = 0; file >= 0 && written < length; written += part)
    if ((part = write(file, text + written, length - written)) < 0) break;
  answer(out, written < length ? -1 : 0);
  if (file >= 0) close(file);
}

static void tellBirth(void) {
  int pipes[2];
  char data[1] = {(char)me}, control[CMSG_SPACE(sizeof(int))];
  if (lifeline >= 0) close(lifeline);
  if (pipe2(pipes, O_CLOEXEC) < 0) _exit(99);
  struct iovec part = {data, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
  memcpy(CMSG_DATA(header), &pipes[0], sizeof(int));
  if (sendmsg(births[1], &message, 0) < 0) _exit(99);
  close(pipes[0]);
  lifeline = pipes[1];
}

static void note(int signal, siginfo_t *info, void *context) {
  (void)signal, (void)context;
  noted = *info;
}

static void tellNoted(char *out) {
  static const char *const childs[] = {"", "CLD_EXITED", "CLD_KILLED", "CLD_DUMPED", "CLD_TRAPPED", "CLD_STOPPED", "CLD_CONTINUED"};
  if (noted.si_signo == 0) return (void)strcpy(out, "none");
  int isChild = noted.si_signo == SIGCHLD && noted.si_code > 0;
  const char *code = isChild ? childs[noted.si_code] : noted.si_code == SI_USER ? "SI_USER" : "SI_KERNEL";
  int at = snprintf(out, SIZE, "%d %s %d %d", noted.si_signo, code, noted.si_pid, noted.si_uid);
  if (isChild) snprintf(out + at, SIZE - at, " %d", noted.si_status);
}

static void live(int number);

// By the number that whoever forked it got; nobody's for an actor that is not known.
static pid_t pidOf(const char *actor) {
  pid_t pid = pids[atoi(actor)];
  return pid == 0 ? 99999 : pid;
}

static void doProcesses(char *out, char **w) {
  if (!strcmp(w[0], "fork")) {
    int number = atoi(w[1]);
    pid_t pid = fork();
    if (pid == 0) live(number);
    if (pid > 0) pids[number] = pid;
    return pid < 0 ? answer(out, -1) : answer(out, pid);
  }
  if (!strcmp(w[0], "exit")) _exit(atoi(w[1]));
  if (!strcmp(w[0], "kill")) return answer(out, kill(pidOf(w[1]), atoi(w[2])));
  if (!strcmp(w[0], "prio")) {
    errno = 0;
    int nice = getpriority(PRIO_PROCESS, w[1] ? pidOf(w[1]) : 0);
    if (errno) return answer(out, -1);
    return (void)snprintf(out, SIZE, "%d", nice);
  }
  if (!strcmp(w[0], "nice")) return answer(out, setpriority(PRIO_PROCESS, strcmp(w[1], "self") ? pidOf(w[1]) : 0, atoi(w[2])));
  if (!strcmp(w[0], "note")) {
    struct sigaction action = {.sa_sigaction = note, .sa_flags = SA_SIGINFO | SA_RESTART};
    return answer(out, sigaction(atoi(w[1]), &action, NULL));
  }
  if (!strcmp(w[0], "noted")) return tellNoted(out);
  if (!strcmp(w[0], "catch")) return answer(out, signal(atoi(w[1]), SIG_IGN) == SIG_ERR ? -1 : 0);
  if (!strcmp(w[0], "wait")) {
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG | WUNTRACED);
    if (pid <= 0) return answer(out, pid);
    const char *how = WIFEXITED(status) ? "exited" : WIFSIGNALED(status) ? "killed" : "stopped";
    int value = WIFEXITED(status) ? WEXITSTATUS(status) : WIFSIGNALED(status) ? WTERMSIG(status) : WSTOPSIG(status);
    return (void)snprintf(out, SIZE, "%d %s %d", pid, how, value);
  }
  if (!strcmp(w[0], "group")) {
    pid_t group = w[1] ? getpgid(pidOf(w[1])) : 0;
    return answer(out, group < 0 ? -1 : setpgid(0, group));
  }
  if (!strcmp(w[0], "nonewprivs")) return answer(out, prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
  if (!strcmp(w[0], "session")) return answer(out, setsid());
  if (!strcmp(w[0], "fsize")) {
    struct rlimit limit = {atol(w[1]), RLIM_INFINITY};
    return answer(out, setrlimit(RLIMIT_FSIZE, &limit));
  }
  if (!strcmp(w[0], "pid")) return (void)snprintf(out, SIZE, "%d %d", getpid(), getppid());
  if (!strcmp(w[0], "setuid")) return answer(out, setgroups(0, NULL) < 0 || setgid(atoi(w[1])) < 0 || setuid(atoi(w[1])) < 0 ? -1 : 0);
  if (!strcmp(w[0], "uid")) return answer(out, getuid());
  if (!strcmp(w[0], "unshare")) return answer(out, unshare(namespaceFlags(w[1])));
  if (!strcmp(w[0], "setns")) {
    int fd = syscall(SYS_pidfd_open, pidOf(w[1]), 0);
    answer(out, fd < 0 ? -1 : setns(fd, namespaceFlags(w[2])));
    if (fd >= 0) close(fd);
    return;
  }
  if (!strcmp(w[0], "sethostname")) return answer(out, sethostname(w[1], strlen(w[1])));
  gethostname(out, SIZE);
}

static void doFiles(char *out, char **w) {
  if (!strcmp(w[0], "cat")) return showFile(out, w[1]);
  if (!strcmp(w[0], "write")) return writeFile(out, w[1], 0, w[2]);
  if (!strcmp(w[0], "copy")) return copySelf(out, w);
  if (!strcmp(w[0], "ids")) return runIds(out, w[1]);
  if (!strcmp(w[0], "append")) return writeFile(out, w[1], O_CREAT | O_APPEND, w[2]);
  if (!strcmp(w[0], "truncate")) return answer(out, truncate(w[1], atol(w[2])));
  if (!strcmp(w[0], "size")) {
    struct stat info;
    return answer(out, stat(w[1], &info) < 0 ? -1 : info.st_size);
  }
  if (!strcmp(w[0], "mkdir")) return answer(out, mkdir(w[1], 0755));
  if (!strcmp(w[0], "rmdir")) return answer(out, rmdir(w[1]));
  if (!strcmp(w[0], "exists")) return answer(out, access(w[1], F_OK));
  if (!strcmp(w[0], "chdir")) return answer(out, chdir(w[1]));
  if (!strcmp(w[0], "chroot")) return answer(out, chroot(w[1]));
  if (!strcmp(w[0], "pivot")) return answer(out, syscall(SYS_pivot_root, w[1], w[2]));
  if (!strcmp(w[0], "tmpfs")) return answer(out, mount("none", w[1], "tmpfs", w[2] ? MS_NOSUID : 0, NULL));
  if (!strcmp(w[0], "bind")) return answer(out, mount(w[1], w[2], NULL, MS_BIND | (w[3] ? MS_REC : 0), NULL));
  if (!strcmp(w[0], "umount")) return answer(out, umount2(w[1], w[2] ? MNT_DETACH : 0));
  int mode = !strcmp(w[2], "private") ? MS_PRIVATE : !strcmp(w[2], "shared") ? MS_SHARED : !strcmp(w[2], "slave") ? MS_SLAVE : MS_UNBINDABLE;
  answer(out, mount("none", w[1], NULL, mode | (w[3] ? MS_REC : 0), NULL));
}

static int isOneOf(const char *word, const char *words) {
  char padded[64];
  snprintf(padded, sizeof padded, " %s ", word);
  return strstr(words, padded) != NULL;
}

static void perform(char *out, char *line) {
  char *words[WORDS] = {NULL};
  int count = 0;
  for (char *word = strtok(line, " "); word && count < WORDS - 1; word = strtok(NULL, " ")) words[count++] = word;
  if (isOneOf(words[0], " shmget shmat shmdt poke peek shmrm shmset shmstat ")) doShared(out, words);
  else if (isOneOf(words[0], " semget setval semrm semop semset semstat ")) doSemaphores(out, words);
  else if (isOneOf(words[0], " msgget msgrm msgsnd msgrcv msgset msgstat ")) doMessages(out, words);
  else if (!strncmp(words[0], "mq", 2)) doQueues(out, words);
  else if (isOneOf(words[0], " cat write copy ids append truncate size mkdir rmdir exists chdir chroot pivot tmpfs bind umount propagate ")) doFiles(out, words);
  else doProcesses(out, words);
}

static void live(int number) {
  char line[SIZE], out[SIZE];
  me = number;
  memset(&noted, 0, sizeof noted);
  tellBirth();
  for (;;) {
    if (read(commands[me][0], line, SIZE) != SIZE) _exit(98);
    memset(out, 0, SIZE);
    perform(out, line);
    if (write(replies[me][1], out, SIZE) != SIZE) _exit(98);
  }
}

static int lives[ACTORS], pending[ACTORS];
// What happened beside the answer, by actor.
static char news[ACTORS][2][SIZE];

static void takeBirth(void) {
  char data[1], control[CMSG_SPACE(sizeof(int))];
  struct iovec part = {data, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(births[0], &message, 0) != 1) exit(97);
  memcpy(&lives[(int)data[0]], CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
}

// A child is there when its parent has been told so.
static void awaitBirth(const char *command, const char *out) {
  if (strncmp(command, "fork ", 5) || atoi(out) <= 0) return;
  while (lives[atoi(command + 5)] <= 0) takeBirth();
}

static int takeReply(int actor, char *out) {
  pending[actor] = 0;
  return read(replies[actor][0], out, SIZE) == SIZE;
}

// What happens until it is quiet: births, late answers, deaths. `current` is spoken to: its answer ends the wait.
static int settle(int current, char *out) {
  int answered = current < 0;
  for (int waited = 0;;) {
    struct pollfd wanted[1 + 2 * ACTORS];
    wanted[0] = (struct pollfd){births[0], POLLIN, 0};
    for (int i = 0; i < ACTORS; i++) {
      wanted[1 + i] = (struct pollfd){pending[i] ? replies[i][0] : -1, POLLIN, 0};
      wanted[1 + ACTORS + i] = (struct pollfd){lives[i] > 0 ? lives[i] : -1, 0, 0};
    }
    int patience = answered ? QUIET_MS : PATIENCE_MS - waited;
    if (poll(wanted, 1 + 2 * ACTORS, patience) == 0) return answered;
    if (wanted[0].revents) takeBirth();
    for (int i = 0; i < ACTORS; i++) {
      if (wanted[1 + i].revents & POLLIN && i == current) answered = takeReply(i, out);
      else if (wanted[1 + i].revents & POLLIN) takeReply(i, news[i][0]);
      if (!(wanted[1 + ACTORS + i].revents & POLLHUP)) continue;
      close(lives[i]), lives[i] = -1, pending[i] = 0;
      if (i == current) strcpy(out, "dies"), answered = 1;
      else strcpy(news[i][1], "dies");
    }
  }
}

// Some machines give root no CAP_SYS_RESOURCE: here nobody has it.
static void dropResources(void) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE);
  if (syscall(SYS_capget, &header, data) < 0) exit(97);
  data[0].effective &= ~(1u << CAP_SYS_RESOURCE), data[0].permitted &= ~(1u << CAP_SYS_RESOURCE);
  if (syscall(SYS_capset, &header, data) < 0) exit(97);
}

int main(int count, char **arguments) {
  char line[SIZE], out[SIZE];
  if (count > 0 && !strcmp(arguments[0], "ids")) return tellIds(), 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  umask(022);
  sethostname("actors", 6);
  // Whoever runs the test may be nice.
  setpriority(PRIO_PROCESS, 0, 0);
  dropResources();
  if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, births) < 0) return 97;
  for (int i = 0; i < ACTORS; i++)
    if (pipe2(commands[i], 0) < 0 || pipe2(replies[i], 0) < 0) return 97;
  pid_t first = fork();
  if (first == 0) {
    // The script is the first process's alone.
    close(0);
    live(0);
  }
  takeBirth();
  for (memset(line, 0, SIZE); fgets(line, SIZE, stdin); memset(line, 0, SIZE)) {
    line[strcspn(line, "\n")] = 0;
    int actor = atoi(line);
    memset(out, 0, SIZE);
    if (lives[actor] <= 0) strcpy(out, "gone");
    else if (pending[actor]) strcpy(out, "busy");
    else {
      char command[SIZE] = "";
      strncpy(command, strchr(line, ' ') + 1, SIZE - 1);
      pending[actor] = 1;
      if (write(commands[actor][1], command, SIZE) != SIZE) return 97;
      if (!settle(actor, out)) strcpy(out, "waits");
      awaitBirth(command, out);
    }
    printf("%s\n", out);
    for (int i = 0; i < ACTORS; i++)
      for (int j = 0; j < 2; j++)
        if (news[i][j][0]) printf("  %d: %s\n", i, news[i][j]), news[i][j][0] = 0;
  }
  return 0;
}
