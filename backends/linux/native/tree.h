// A layer's file tree, built from the ops of one client (../wire.ts §3), and the removal of trees.
#pragma once
#include "wire.h"

_Noreturn void serve_tree(const struct request *request, int reply);
int remove_tree(const char *path);
