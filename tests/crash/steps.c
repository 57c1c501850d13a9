/* Ends a process, as kill -9 does, before its Nth step that changes what is on disk: preloaded by
 * tests/crash/steps.rs. STEP says which N, COUNT names a file in which the steps are counted, and
 * WRITES = 1 counts what the database writes as well. While the file USED_UP is there, the owner's quota of
 * the disk is used up, but for what the file RESERVE takes. While the file UNSYNCED is there, nothing of a write-ahead
 * log reaches the disk. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static const char *used_up, *reserve, *unsynced;
static long limit = -1;
static int writes, counted = -1;
static atomic_long steps;

__attribute__((constructor)) static void begin(void) {
    const char *step = getenv("STEP"), *count = getenv("COUNT"), *with = getenv("WRITES");
    used_up = getenv("USED_UP");
    reserve = getenv("RESERVE");
    unsynced = getenv("UNSYNCED");
    limit = step ? atol(step) : -1;
    writes = with && *with == '1';
    counted = count ? open(count, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600) : -1;
}

static void step(const char *name) {
    char line[64];
    long number = atomic_fetch_add(&steps, 1) + 1;
    int length = snprintf(line, sizeof line, "%ld %s\n", number, name);
    if (counted >= 0 && write(counted, line, length) != length) abort();
    if (number == limit) kill(getpid(), SIGKILL);
}

#define REAL(name) static __typeof__(name) *real; if (!real) real = dlsym(RTLD_NEXT, #name)

static int lost(int fd) {
    char link[64], path[4096];
    if (!unsynced || access(unsynced, F_OK)) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path);
    if (length < 4 || memcmp(path + length - 4, "-wal", 4)) return 0;
    errno = EIO;
    return 1;
}

int fsync(int fd) { REAL(fsync); step("fsync"); return lost(fd) ? -1 : real(fd); }
int fdatasync(int fd) { REAL(fdatasync); step("fdatasync"); return lost(fd) ? -1 : real(fd); }
int rename(const char *from, const char *to) { REAL(rename); step("rename"); return real(from, to); }
int linkat(int a, const char *from, int b, const char *to, int flags) {
    REAL(linkat); step("linkat"); return real(a, from, b, to, flags);
}
int link(const char *from, const char *to) { REAL(link); step("link"); return real(from, to); }
int unlink(const char *path) { REAL(unlink); step("unlink"); return real(path); }
int ftruncate64(int fd, off64_t size) { REAL(ftruncate64); step("ftruncate"); return real(fd, size); }
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    REAL(pwrite64);
    if (writes) step("pwrite");
    if (used_up && reserve && !access(used_up, F_OK) && !access(reserve, F_OK)) {
        errno = EDQUOT;
        return -1;
    }
    return real(fd, bytes, size, at);
}
