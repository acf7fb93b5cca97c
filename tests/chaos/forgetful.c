/* LD_PRELOAD: what a disk has kept when the power fails, in the directory $FORGETFUL_SHADOW, of what is below
$FORGETFUL_HOME: only what was synced, and nothing else.

A synced file is copied to `inode-N` before its sync returns, whole or not at all. Names are kept apart, as on a disk: the
sync of a directory writes `names` (a line "INODE NAME" each). So a file that was synced, but whose directory never
was, is lost; and so is what was written, cut, renamed or removed since the last sync. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *home, *shadow;

__attribute__((constructor)) static void begin(void) {
    home = getenv("FORGETFUL_HOME");
    shadow = getenv("FORGETFUL_SHADOW");
}

/* Whether the descriptor is of something in the home itself; its path. */
static int in_home(int fd, char *path, size_t size) {
    char link[64];
    if (!home || !shadow) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, size - 1);
    if (n < 0) return 0;
    path[n] = 0;
    size_t length = strlen(home);
    if (strncmp(path, home, length)) return 0;
    return path[length] == 0 || (path[length] == '/' && !strchr(path + length + 1, '/'));
}

static void fail(const char *what) {
    perror(what);
    abort();
}

static void put(const char *name, void (*fill)(int out, int fd, const char *path), int fd, const char *path) {
    char fresh[4096], target[4096];
    snprintf(fresh, sizeof fresh, "%s/fresh-%d", shadow, (int)getpid());
    snprintf(target, sizeof target, "%s/%s", shadow, name);
    int out = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (out < 0) fail(fresh);
    fill(out, fd, path);
    close(out);
    if (rename(fresh, target)) fail(target);
}

static void fill_with_content(int out, int fd, const char *path) {
    char part[65536];
    /* The same open file, since another descriptor of a database would drop its locks when it is closed. */
    off_t at = 0;
    ssize_t n;
    (void)path;
    while ((n = pread(fd, part, sizeof part, at)) > 0) {
        if (write(out, part, n) != n) fail("write");
        at += n;
    }
    if (n < 0) fail("pread");
}

static void fill_with_names(int out, int fd, const char *path) {
    DIR *all = opendir(path);
    struct dirent *each;
    (void)fd;
    if (!all) fail(path);
    while ((each = readdir(all))) dprintf(out, "%llu %s\n", (unsigned long long)each->d_ino, each->d_name);
    closedir(all);
}

static int keep(int fd) {
    char path[4096], name[64];
    struct stat found;
    if (!in_home(fd, path, sizeof path)) return 0;
    if (fstat(fd, &found)) return -1;
    if (S_ISDIR(found.st_mode)) {
        put("names", fill_with_names, fd, path);
    } else {
        snprintf(name, sizeof name, "inode-%llu", (unsigned long long)found.st_ino);
        put(name, fill_with_content, fd, path);
    }
    return 0;
}

/* Nothing goes to the real disk: this one is the disk. */
int fsync(int fd) {
    return keep(fd);
}

int fdatasync(int fd) {
    return keep(fd);
}
