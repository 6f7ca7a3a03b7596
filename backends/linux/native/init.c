#include "init.h"
#include "kernel.h"
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

// What the kernel sends for a mistake of our own is not handed on.
static const int own[] = {SIGFPE, SIGILL, SIGSEGV, SIGBUS, SIGABRT, SIGTRAP, SIGSYS};

// The program leads a process group of its own, the terminal's foreground one when there is a terminal.
static _Noreturn void run(char **program, const sigset_t *before) {
  setpgid(0, 0);
  tcsetpgrp(0, getpid());
  signal(SIGTTIN, SIG_DFL);
  signal(SIGTTOU, SIG_DFL);
  sigprocmask(SIG_SETMASK, before, NULL);
  execvp(program[0], program);
  int error = errno;
  dprintf(2, "tsbox-init: cannot run %s: %s\n", program[0], strerror(error));
  _exit(error == ENOENT ? 127 : 126);
}

static int exit_code(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

static void reap(int main_pid) {
  int pid, status;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
    if (pid == main_pid) _exit(exit_code(status));
  }
}

_Noreturn void be_init(char **program) {
  sigset_t all, before;
  sigfillset(&all);
  for (size_t i = 0; i < sizeof own / sizeof *own; i++) sigdelset(&all, own[i]);
  sigprocmask(SIG_SETMASK, &all, &before);
  signal(SIGTTIN, SIG_IGN);
  signal(SIGTTOU, SIG_IGN);
  int pid = fork();
  if (pid < 0) dprintf(2, "tsbox-init: %s\n", strerror(errno)), _exit(126);
  if (pid == 0) run(program, &before);
  for (int number; (number = sigwaitinfo(&all, NULL)) != 0;) {
    if (number == SIGCHLD) reap(pid);
    else if (number > 0) kill(pid, number);
  }
  _exit(126);
}
