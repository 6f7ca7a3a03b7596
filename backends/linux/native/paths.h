// Paths beneath a root that somebody else filled: resolved by the kernel as in a chroot, so that no symlink leads out.
#pragma once
#include "kernel.h"

enum { INSIDE = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };

// An O_PATH descriptor of a directory, made with its missing parents (0755). Follows symlinks, also dangling ones, inside.
int make_directories(int root, const char *path, unsigned mode);

// An O_PATH descriptor of the path's parent, made when `make`; `name` is the last component ("" for the root).
int open_parent(int root, const char *path, bool make, const char **name);

// Writes the text with one write(2) to a file that is there.
int write_text(const char *path, const char *text);

// Removes what the name is: a file, or a tree, never leaving its file system. Nothing there is no error.
int remove_tree_at(int directory, const char *name);
