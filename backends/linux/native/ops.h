// What the ops of a plan do, one function each. All return 0, or -1 with errno set and `fault` naming the thing.
#pragma once
#include "paths.h"
#include "wire.h"

// The thing the current op failed on; set to the op's first field, when that is a string, before it is performed.
extern const char *fault;

// What the child has to hand.
struct child {
  int monitor;          // socket to the monitor
  const int *prepared;  // per op: a descriptor the monitor opened for it, or -1
  uint32_t index;       // of the current op
};

int perform_host_op(const struct op *op);
int perform_child_op(const struct op *op, struct child *child);

// Messages between child and monitor, one a datagram.
enum message { MESSAGE_MAPPED = 1, MESSAGE_GATE, MESSAGE_RELEASE, MESSAGE_TERMINAL, MESSAGE_FAILED };
struct message_failed {
  uint8_t kind, op;
  int32_t index, error;
  char path[3600];
};

// cgroup.c
int cgroup_make(const struct op *op);
int cgroup_set(const struct op *op);
int cgroup_kill(const struct op *op);
int cgroup_remove(const struct op *op);
bool cgroup_killed(const struct op *op);    // one try: signals what lives, false when there was something
bool cgroup_removed(const struct op *op);   // one try
int cgroup_open(const struct op *op);       // of v1: tasks, for writing
int cgroup_directory(const struct op *op);  // to be born in
bool is_unified(const struct op *op);       // a join of a cgroup of v2

// mounts.c
int root_directory(void);                             // the container's root
void use_root(int fd);                                // -1: the process's own root
int overlay_mount(const struct op *op, bool attach);  // a descriptor of the mount; attached on its target, or detached
int overlay_idmapped(const struct op *op);            // a detached overlay whose layers are shown with shifted ids
unsigned outside_root(const char *map);               // the host's id of a map's 0; the first line's, when it has none
int bind_source(const struct op *op);                 // a detached mount
int op_overlay(const struct op *op, struct child *child);
int op_mount(const struct op *op, struct child *child);
int op_bind(const struct op *op, struct child *child);
int op_propagation(const struct op *op, struct child *child);
int op_pivot(const struct op *op, struct child *child);
int op_mask(const struct op *op, struct child *child);
int op_readonly(const struct op *op, struct child *child);
int op_directory(const struct op *op, struct child *child);
int op_file(const struct op *op, struct child *child);
int op_device(const struct op *op, struct child *child);
int op_symlink(const struct op *op, struct child *child);
int op_terminal(const struct op *op, struct child *child);

// identity.c
int regain_capabilities(void);  // effective = permitted
int op_user(const struct op *op, struct child *child);
int op_capabilities(const struct op *op, struct child *child);
int op_no_new_privileges(const struct op *op, struct child *child);
int op_seccomp(const struct op *op, struct child *child);
