/*
 * writer [-n LINES] [-i MILLISECONDS] [FILE]: adds numbered lines to a file, or to standard output, one after
 * each interval. It shows where writing ends up: a container's layer, a volume, a log.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int main(int count, char **words)
{
    long lines = -1, interval = 1000;
    int option;
    while ((option = getopt(count, words, "n:i:")) != -1) {
        if (option == 'n')
            lines = atol(optarg);
        else if (option == 'i')
            interval = atol(optarg);
        else
            return 2;
    }
    const char *path = optind < count ? words[optind] : NULL;
    FILE *file = path ? fopen(path, "a") : stdout;
    if (!file) {
        fprintf(stderr, "writer: ");
        perror(path);
        return 1;
    }
    for (long line = 1; lines < 0 || line <= lines; line++) {
        if (line > 1 && interval > 0) {
            struct timespec pause = {interval / 1000, interval % 1000 * 1000000};
            nanosleep(&pause, NULL);
        }
        fprintf(file, "line %ld\n", line);
        if (fflush(file)) {
            perror("writer");
            return 1;
        }
    }
    return 0;
}
