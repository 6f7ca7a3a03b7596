/*
 * upper: copies standard input to standard output with small letters made large.
 */
#include <unistd.h>

static char buffer[65536];

int main(void)
{
    ssize_t length;
    while ((length = read(0, buffer, sizeof buffer)) > 0) {
        for (ssize_t at = 0; at < length; at++)
            if (buffer[at] >= 'a' && buffer[at] <= 'z')
                buffer[at] -= 'a' - 'A';
        for (ssize_t done = 0, written; done < length; done += written)
            if ((written = write(1, buffer + done, length - done)) < 0)
                return 1;
    }
    return length < 0;
}
