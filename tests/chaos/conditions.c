/* LD_PRELOAD: a wall clock that steps, and a disk that is slow, as the page in the file $CHAOS_CONDITIONS says:
int64 nanoseconds to add to the wall clock, int64 microseconds that each sync takes longer, int64 whether it fails. The monotonic clock stays
true. Of our own, not libfaketime: that one changes both clocks, and must be installed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *page;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("CHAOS_CONDITIONS");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *map = mmap(NULL, 24, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (map != MAP_FAILED) page = map;
}

int clock_gettime(clockid_t clock, struct timespec *t) {
    int failed = syscall(SYS_clock_gettime, clock, t);
    if (!failed && page && clock == CLOCK_REALTIME) {
        int64_t ns = t->tv_sec * 1000000000LL + t->tv_nsec + page[0];
        t->tv_sec = ns / 1000000000LL;
        t->tv_nsec = ns % 1000000000LL;
    }
    return failed;
}

int gettimeofday(struct timeval *tv, void *zone) {
    struct timespec t;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &t);
    tv->tv_sec = t.tv_sec;
    tv->tv_usec = t.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    if (out) *out = t.tv_sec;
    return t.tv_sec;
}

static int fails(void) {
    if (page && page[1]) usleep(page[1]);
    if (page && page[2]) errno = EIO;
    return page && page[2];
}

int fsync(int fd) {
    return fails() ? -1 : syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
    return fails() ? -1 : syscall(SYS_fdatasync, fd);
}
