// The child: cloned by the monitor, it performs its ops up to the gate, and after the release the exec.
#pragma once
#include "ops.h"

struct task {
  int pid, pidfd;
  int channel;  // socket to the child; ends when the program runs
  int master;   // of its pty, or -1
  uint64_t start_time;
  bool own_pids;  // its end is the end of everything in its pid namespace
};

// Clones the child and follows it to its gate. On failure nothing of it is left, and `failure` says where.
int spawn(const struct op *op, const int stdio[3], struct task *task, struct failure *failure);

int task_release(struct task *task);

// After the release: 1 the program runs, 0 still on its way, -1 exec failed and `failure` says where.
int task_outcome(struct task *task, struct failure *failure);

// When the process started, in clock ticks since boot (proc(5), stat field 22); 0 when there is none.
uint64_t start_time_of(int pid);
