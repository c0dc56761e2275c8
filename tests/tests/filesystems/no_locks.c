/* A file system without locks, or whose server doesn't keep them. */
#include <errno.h>
#include <stdlib.h>

int flock(int fd, int operation) {
    (void)fd;
    (void)operation;
    errno = atoi(getenv("SHIM_ERRNO"));
    return -1;
}
