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

// Takes the namespaces that most containers have of their own, before anybody asks for a child: it will be born in them.
// A network namespace alone takes half a millisecond. What is opened from here on is of that network.
void spawn_apart(void);

// Clones the child, which then performs its ops. On failure nothing of it is left, and `failure` says where.
int spawn(const struct op *op, const int stdio[3], struct task *task, struct failure *failure);

// Performs the ops of a view's spawn in this very process, which then sees what a child would see.
int enter_view(const struct request *request, struct failure *failure);

// Opens the gate; the child may still be on its way there.
int task_release(struct task *task);

// The child's next message: MESSAGE_GATE, MESSAGE_FAILED (`failure` says where), 0 at the end of its channel (once it
// has passed the gate: the program runs), -1 when there is none.
int task_follow(struct task *task, struct failure *failure);

// Ends a child that has not come to its program.
void task_abandon(struct task *task);

// When the process started, in clock ticks since boot (proc(5), stat field 22); 0 when there is none.
uint64_t start_time_of(int pid);
