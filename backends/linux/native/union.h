// A union of layers, read entry by entry by one client (../wire/tree.ts).
#pragma once
#include "wire.h"

_Noreturn void serve_union(const struct request *request, int reply);

// Tells of what is called so in a directory, and of all in it, its own path being "". `parent` -1: errno says why not.
void send_thing(int to, int parent, const char *name);
