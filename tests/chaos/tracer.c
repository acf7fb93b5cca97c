/* A job that traces itself: tracer TRACE MILLISECONDS EXIT MODE [ID ATTEMPT]

Each process of an attempt appends to TRACE, one write a line: "begin ID ATTEMPT NS PID" when the main one starts,
"beat …" at its start and each 20 ms, from every process of the tree, and "end ID ATTEMPT NS PID CODE" last of all.
NS is CLOCK_MONOTONIC. EXIT is the code; fN fails but on each N-th attempt.
MODE: plain, fork, setsid, bare (as env -i, forked twice), print, stubborn (TERM is ignored). What is forked lives on
when the main process ends, for a minute at most. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int trace;
static const char *id, *attempt;
enum { ORPHAN_MS = 60000, BEAT_MS = 20 };

static long long now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void say(const char *what, const char *more) {
    char line[256];
    int n = snprintf(line, sizeof line, "%s %s %s %lld %d%s\n", what, id, attempt, now(), (int)getpid(), more);
    if (write(trace, line, n) != n) _exit(99);
}

static void live(long long ms) {
    long long until = now() + ms * 1000000LL;
    for (;;) {
        say("beat", "");
        long long left = until - now();
        if (left <= 0) return;
        if (left > BEAT_MS * 1000000LL) left = BEAT_MS * 1000000LL;
        struct timespec pause = {0, left};
        nanosleep(&pause, NULL);
    }
}

static void child(char **argv, int session, int bare) {
    if (fork()) return;
    if (session) setsid();
    if (bare) {
        if (fork()) _exit(0);
        char *words[] = {argv[0], argv[1], "60000", "0", "orphan", (char *)id, (char *)attempt, NULL};
        char *nothing[] = {NULL};
        execve(argv[0], words, nothing);
        _exit(98);
    }
    live(ORPHAN_MS);
    _exit(0);
}

int main(int argc, char **argv) {
    if (argc < 5) return 97;
    const char *mode = argv[4];
    id = argc > 6 ? argv[5] : getenv("QUEUECTL_JOB_ID");
    attempt = argc > 6 ? argv[6] : getenv("QUEUECTL_ATTEMPT");
    trace = open(argv[1], O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (!id || !attempt || trace < 0) return 96;
    if (!strcmp(mode, "orphan")) {
        live(atoll(argv[2]));
        return 0;
    }
    say("begin", "");
    if (!strcmp(mode, "stubborn")) signal(SIGTERM, SIG_IGN);
    if (!strcmp(mode, "fork")) { child(argv, 0, 0); child(argv, 0, 0); child(argv, 0, 0); }
    if (!strcmp(mode, "setsid")) child(argv, 1, 0);
    if (!strcmp(mode, "bare")) child(argv, 1, 1);
    if (!strcmp(mode, "print")) {
        char page[4096];
        memset(page, 'x', sizeof page);
        page[sizeof page - 1] = '\n';
        for (int n = 0; n < 512; n++)
            if (write(1, page, sizeof page) < 0) break; /* a full disk: not this job's matter */
    }
    live(atoll(argv[2]));
    int code = *argv[3] == 'f' ? (atoi(attempt) % atoi(argv[3] + 1) ? 3 : 0) : atoi(argv[3]);
    char more[16];
    snprintf(more, sizeof more, " %d", code);
    say("end", more);
    return code;
}
