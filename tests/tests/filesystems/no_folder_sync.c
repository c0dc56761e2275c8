/* A file system that can't sync folders. */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int synced(int fd, long call) {
    struct stat file;
    if (fstat(fd, &file) == 0 && S_ISDIR(file.st_mode)) {
        errno = atoi(getenv("SHIM_ERRNO"));
        return -1;
    }
    return (int)syscall(call, fd);
}

int fsync(int fd) { return synced(fd, SYS_fsync); }
int fdatasync(int fd) { return synced(fd, SYS_fdatasync); }
