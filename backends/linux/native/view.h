// Looking at one thing beneath a root: what it is, and all that is in it.
#pragma once

// The thing at the path, its last component not followed unless the path ends in "/" or "/.". The client is told what it
// is (../wire/tree.ts); -1 with errno when there is nothing.
int view_stat(int root, const char *path, int client);

// The client is told what is in it, or why not (../wire/tree.ts).
void view_read(int root, const char *path, int client);
