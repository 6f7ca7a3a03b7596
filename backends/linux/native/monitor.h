// The monitor: one process per container or exec session. It performs the plan, owns the program's standard streams,
// writes its log, serves its clients, records its exit, and outlives the engine.
#pragma once
#include "wire.h"

// Never returns. Answers the request on `reply` once, then closes it.
// What can be done before there is a request.
void monitor_prepare(void);

_Noreturn void monitor(const struct request *request, int reply);

// Listens on a unix socket (0600) at a path of any length; a dead one in its place is removed.
int listen_on(const char *path);
