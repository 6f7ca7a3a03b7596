/*
 * burn [SECONDS]: computes, for so long or without end. It shows what cpu.max, a pause or a kill do to
 * a program that asks for nothing. At its end it says how many rounds it came to.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* A round is this many steps of a random number generator. */
enum { STEPS = 100000 };

int main(int count, char **words)
{
    double seconds = count > 1 ? atof(words[1]) : -1;
    struct timespec from, now;
    volatile uint32_t state = 1;
    unsigned long rounds = 0;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (;;) {
        uint32_t next = state;
        for (int step = 0; step < STEPS; step++)
            next = next * 1664525 + 1013904223;
        state = next;
        rounds++;
        if (seconds < 0)
            continue;
        clock_gettime(CLOCK_MONOTONIC, &now);
        if (now.tv_sec - from.tv_sec + (now.tv_nsec - from.tv_nsec) / 1e9 >= seconds)
            break;
    }
    printf("%lu rounds\n", rounds);
    return 0;
}
