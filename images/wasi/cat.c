/*
 * cat [FILE …]: copies files, or standard input ("-", or no name), to standard output.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char buffer[65536];

/* 0, or 1 when reading fails; -1 when nothing can be written any more. */
static int copy(int from, const char *name)
{
    for (;;) {
        ssize_t length = read(from, buffer, sizeof buffer);
        if (length == 0)
            return 0;
        if (length < 0) {
            fprintf(stderr, "cat: %s: %s\n", name, strerror(errno));
            return 1;
        }
        for (ssize_t done = 0, written; done < length; done += written) {
            written = write(1, buffer + done, length - done);
            if (written < 0) {
                fprintf(stderr, "cat: write error: %s\n", strerror(errno));
                return -1;
            }
        }
    }
}

int main(int count, char **words)
{
    int status = 0;
    if (count < 2)
        return copy(0, "-") != 0;
    for (int index = 1; index < count; index++) {
        int is_input = !strcmp(words[index], "-");
        int from = is_input ? 0 : open(words[index], O_RDONLY);
        if (from < 0) {
            fprintf(stderr, "cat: %s: %s\n", words[index], strerror(errno));
            status = 1;
            continue;
        }
        int result = copy(from, words[index]);
        if (!is_input)
            close(from);
        if (result < 0)
            return 1;
        status |= result;
    }
    return status;
}
