/*
 * hog [MIB]: takes memory, a MiB at a time, up to so many or without end, and says after each what it
 * holds. It shows where memory.max ends a program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int count, char **words)
{
    long most = count > 1 ? atol(words[1]) : -1;
    /* Read back below, so that no compiler leaves the memory out. */
    char *volatile last;
    for (long held = 0; held != most; held++) {
        char *block = malloc(1 << 20);
        if (!block) {
            fprintf(stderr, "hog: no more memory after %ld MiB\n", held);
            return 1;
        }
        /* Only what was written to is really taken. */
        memset(block, 1, 1 << 20);
        last = block;
        printf("%ld MiB\n", held + *last);
        fflush(stdout);
    }
    return 0;
}
