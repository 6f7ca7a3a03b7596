// Looking at one thing beneath a root: what it is, and all that is in it.
#pragma once

// The thing at the path, its last component not followed unless the path ends in "/" or "/.". The client is told what it
// is (../wire.ts §3); -1 with errno when there is nothing.
int view_stat(int root, const char *path, int client);

// The client is told what is in it, or why not (../wire.ts §4).
void view_read(int root, const char *path, int client);
