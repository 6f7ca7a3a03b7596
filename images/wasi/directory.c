/*
 * The working directory of a WASI program. WASI has none: every path is relative to a directory that was opened
 * beforehand. So whoever starts a program says in PWD where it is, and this, linked into each of ours, goes there.
 */
#include <stdlib.h>
#include <unistd.h>

__attribute__((constructor)) static void enter(void)
{
    const char *directory = getenv("PWD");
    if (directory)
        chdir(directory);
}
