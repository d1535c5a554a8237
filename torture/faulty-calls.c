/*
 * Makes system calls fail on purpose, preloaded into a process. Control is a file that both sides map:
 * cells { kind, countdown, calls, fired, stays, error, concerned }. Only files whose path contains SDS_FAULT_MATCH are
 * touched, and the starts of threads. With SDS_FAULT_SLOW_US their disk is slow: each write and sync takes so long.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/* ANY_ERROR: the error and the calls are those of the control file; DEATH: the process is killed before such a call */
enum { NONE, IO_ERROR, NO_SPACE, SHORT_WRITE, SYNC_FAILS, ANY_ERROR, DEATH };
enum {
  WRITES = 1, SYNCS = 2, TRUNCATES = 4, OPENS = 8, STATS = 16, LINKS = 32, ACCESSES = 64, READS = 128, MAPS = 256,
  UNLINKS = 512, THREADS = 1024, LOCKS = 2048, RENAMES = 4096, RIGHTS = 8192, FOLDERS = 16384
};
/* Which calls each kind counts, and makes fail. */
static const int concerned[] = {0, WRITES | SYNCS | TRUNCATES | OPENS, WRITES | TRUNCATES, WRITES, SYNCS, 0, 0};

struct control { _Atomic int32_t kind, countdown, calls, fired, stays, error, concerned; };
static struct control *control;
static const char *match;
static int slow_us;
static _Atomic char ours[65536];
/* sqlite finds calls by dlsym or links them; `real` is what is behind this library either way */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("SDS_FAULT_CONTROL");
  match = getenv("SDS_FAULT_MATCH");
  const char *slow = getenv("SDS_FAULT_SLOW_US");
  if (slow != NULL) slow_us = atoi(slow);
  if (path == NULL || match == NULL) return;
  int fd = REAL(open)(path, O_RDWR);
  if (fd < 0) return;
  void *at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at != MAP_FAILED) control = at;
  close(fd);
}

/* Whether this call is the one that fails. */
static int fails(int call) {
  if (slow_us > 0 && (call & (WRITES | SYNCS))) usleep(slow_us);
  if (control == NULL) return 0;
  int kind = atomic_load(&control->kind);
  if (kind == NONE) return 0;
  if (!((kind >= ANY_ERROR ? atomic_load(&control->concerned) : concerned[kind]) & call)) return 0;
  atomic_fetch_add(&control->calls, 1);
  int left = atomic_fetch_sub(&control->countdown, 1);
  if (left > 1 || (left < 1 && !atomic_load(&control->stays))) return 0;
  atomic_fetch_add(&control->fired, 1);
  if (kind == DEATH) kill(getpid(), SIGKILL);
  errno = kind == ANY_ERROR ? atomic_load(&control->error) : kind == NO_SPACE ? ENOSPC : EIO;
  return kind;
}
static int named(const char *path) { return match != NULL && path != NULL && strstr(path, match) != NULL; }
static int isOurs(int fd) { return fd >= 0 && fd < 65536 && ours[fd]; }
static int opened(int fd, const char *path) {
  if (fd >= 0 && fd < 65536) ours[fd] = named(path);
  return fd;
}

#define OPEN(name, params, args, path)                                                        \
  int name params {                                                                           \
    mode_t mode = 0;                                                                          \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, int); va_end(rest); } \
    if (named(path) && fails(OPENS)) return -1;                                               \
    return opened(REAL(name) args, path);                                                     \
  }
OPEN(open, (const char *path, int flags, ...), (path, flags, mode), path)
OPEN(open64, (const char *path, int flags, ...), (path, flags, mode), path)
OPEN(openat, (int folder, const char *path, int flags, ...), (folder, path, flags, mode), path)
OPEN(openat64, (int folder, const char *path, int flags, ...), (folder, path, flags, mode), path)

int close(int fd) {
  if (fd >= 0 && fd < 65536) ours[fd] = 0;
  return REAL(close)(fd);
}

#define WRITE(name, params, args)                                                             \
  ssize_t name params {                                                                       \
    if (isOurs(fd)) {                                                                         \
      int kind = fails(WRITES);                                                               \
      if (kind == SHORT_WRITE && size > 1) size /= 2;                                         \
      else if (kind && kind != SHORT_WRITE) return -1;                                        \
    }                                                                                         \
    return REAL(name) args;                                                                   \
  }
WRITE(write, (int fd, const void *bytes, size_t size), (fd, bytes, size))
WRITE(pwrite, (int fd, const void *bytes, size_t size, off_t at), (fd, bytes, size, at))
WRITE(pwrite64, (int fd, const void *bytes, size_t size, off64_t at), (fd, bytes, size, at))

/* no unlocking: what fails there is not tried */
#define CONTROL(name)                                                                         \
  int name(int fd, int command, ...) {                                                        \
    va_list rest; va_start(rest, command); void *with = va_arg(rest, void *); va_end(rest);   \
    int locks = command == F_SETLK && ((struct flock *)with)->l_type != F_UNLCK;              \
    return locks && isOurs(fd) && fails(LOCKS) ? -1 : REAL(name)(fd, command, with);          \
  }
CONTROL(fcntl)
CONTROL(fcntl64)

int fsync(int fd) { return isOurs(fd) && fails(SYNCS) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return isOurs(fd) && fails(SYNCS) ? -1 : REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t size) { return isOurs(fd) && fails(TRUNCATES) ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { return isOurs(fd) && fails(TRUNCATES) ? -1 : REAL(ftruncate64)(fd, size); }

#define READ(name, params, args)                                                              \
  ssize_t name params { return isOurs(fd) && fails(READS) ? -1 : REAL(name) args; }
READ(read, (int fd, void *bytes, size_t size), (fd, bytes, size))
READ(pread, (int fd, void *bytes, size_t size, off_t at), (fd, bytes, size, at))
READ(pread64, (int fd, void *bytes, size_t size, off64_t at), (fd, bytes, size, at))

/* newer programs link stat itself, those built for an older C library __xstat, and libuv asks for statx by its number */
#define BY_PATH(result, failure, name, call, params, args)                                    \
  result name params { return named(path) && fails(call) ? failure : REAL(name) args; }
#define BY_FD(name, params, args)                                                             \
  int name params { return isOurs(fd) && fails(STATS) ? -1 : REAL(name) args; }
int __xstat(int, const char *, struct stat *), __lxstat(int, const char *, struct stat *), __fxstat(int, int, struct stat *);
int __xstat64(int, const char *, struct stat64 *), __lxstat64(int, const char *, struct stat64 *), __fxstat64(int, int, struct stat64 *);
BY_PATH(int, -1, stat, STATS, (const char *path, struct stat *to), (path, to))
BY_PATH(int, -1, lstat, STATS, (const char *path, struct stat *to), (path, to))
BY_PATH(int, -1, stat64, STATS, (const char *path, struct stat64 *to), (path, to))
BY_PATH(int, -1, lstat64, STATS, (const char *path, struct stat64 *to), (path, to))
BY_PATH(int, -1, __xstat, STATS, (int version, const char *path, struct stat *to), (version, path, to))
BY_PATH(int, -1, __lxstat, STATS, (int version, const char *path, struct stat *to), (version, path, to))
BY_PATH(int, -1, __xstat64, STATS, (int version, const char *path, struct stat64 *to), (version, path, to))
BY_PATH(int, -1, __lxstat64, STATS, (int version, const char *path, struct stat64 *to), (version, path, to))
BY_FD(fstat, (int fd, struct stat *to), (fd, to))
BY_FD(fstat64, (int fd, struct stat64 *to), (fd, to))
BY_FD(__fxstat, (int version, int fd, struct stat *to), (version, fd, to))
BY_FD(__fxstat64, (int version, int fd, struct stat64 *to), (version, fd, to))
BY_PATH(int, -1, access, ACCESSES, (const char *path, int mode), (path, mode))
BY_PATH(ssize_t, -1, readlink, LINKS, (const char *path, char *to, size_t size), (path, to, size))
BY_PATH(char *, NULL, realpath, LINKS, (const char *path, char *to), (path, to))
BY_PATH(int, -1, unlink, UNLINKS, (const char *path), (path))
BY_PATH(int, -1, remove, UNLINKS, (const char *path), (path))
BY_PATH(int, -1, rename, RENAMES, (const char *path, const char *to), (path, to))
BY_PATH(int, -1, link, RENAMES, (const char *path, const char *to), (path, to))
BY_PATH(int, -1, chmod, RIGHTS, (const char *path, mode_t mode), (path, mode))
BY_PATH(int, -1, chown, RIGHTS, (const char *path, uid_t user, gid_t group), (path, user, group))
BY_PATH(int, -1, mkdir, FOLDERS, (const char *path, mode_t mode), (path, mode))
BY_PATH(DIR *, NULL, opendir, FOLDERS, (const char *path), (path))
int fchmod(int fd, mode_t mode) { return isOurs(fd) && fails(RIGHTS) ? -1 : REAL(fchmod)(fd, mode); }
int fchown(int fd, uid_t user, gid_t group) { return isOurs(fd) && fails(RIGHTS) ? -1 : REAL(fchown)(fd, user, group); }
int scandir64(const char *path, struct dirent64 ***to, int (*takes)(const struct dirent64 *),
              int (*compares)(const struct dirent64 **, const struct dirent64 **)) {
  return named(path) && fails(FOLDERS) ? -1 : REAL(scandir64)(path, to, takes, compares);
}

int statx(int folder, const char *path, int flags, unsigned mask, struct statx *to) {
  return (named(path) || isOurs(folder)) && fails(STATS) ? -1 : REAL(statx)(folder, path, flags, mask, to);
}
long syscall(long number, ...) {
  long a[6];
  va_list rest;
  va_start(rest, number);
  for (int i = 0; i < 6; i++) a[i] = va_arg(rest, long);
  va_end(rest);
  if (number == SYS_statx && (named((const char *)a[1]) || isOurs((int)a[0])) && fails(STATS)) return -1;
  return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

#define MAP(name, offset)                                                                     \
  void *name(void *at, size_t size, int rights, int flags, int fd, offset from) {             \
    return isOurs(fd) && fails(MAPS) ? MAP_FAILED : REAL(name)(at, size, rights, flags, fd, from); \
  }
MAP(mmap, off_t)
MAP(mmap64, off64_t)

/* tells by its result what went wrong, not by errno */
int pthread_create(pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *with) {
  return fails(THREADS) ? errno : REAL(pthread_create)(thread, how, run, with);
}
