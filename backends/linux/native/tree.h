// A layer's file tree, built from the ops of one client (../wire/tree.ts), and the removal of trees.
#pragma once
#include "wire.h"

enum tree_kind {
  TREE_DIRECTORY = 1, TREE_FILE, TREE_SYMLINK, TREE_HARDLINK, TREE_CHARACTER, TREE_BLOCK, TREE_FIFO, TREE_WHITEOUT,
  TREE_OPAQUE, TREE_CONTENT, TREE_FLUSH, TREE_FAILED, TREE_WITHIN, TREE_STAT, TREE_READ, TREE_SOURCE, TREE_COPY,
};

_Noreturn void serve_tree(const struct request *request, int reply);
// Answers that clients can connect to the request's socket, or why not (`error`, on `path`), and takes one; -1: none came.
int take_client(const struct request *request, int reply, int error, const char *path);
int remove_tree(const char *path);
