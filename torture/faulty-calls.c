/*
 * Makes system calls fail on purpose, preloaded into a process. Control is a file that both sides map:
 * cells { kind, countdown, calls, fired, stays }. Only files whose path contains SDS_FAULT_MATCH are touched.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

enum { NONE, IO_ERROR, NO_SPACE, SHORT_WRITE, SYNC_FAILS };
enum { WRITES = 1, SYNCS = 2, TRUNCATES = 4, OPENS = 8 };
/* Which calls each kind counts, and makes fail. */
static const int concerned[] = {0, WRITES | SYNCS | TRUNCATES | OPENS, WRITES | TRUNCATES, WRITES, SYNCS};

struct control { _Atomic int32_t kind, countdown, calls, fired, stays; };
static struct control *control;
static const char *match;
static _Atomic char ours[65536];
/* sqlite finds calls by dlsym or links them; `real` is what is behind this library either way */
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("SDS_FAULT_CONTROL");
  match = getenv("SDS_FAULT_MATCH");
  if (path == NULL || match == NULL) return;
  int fd = REAL(open)(path, O_RDWR);
  if (fd < 0) return;
  void *at = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (at != MAP_FAILED) control = at;
  close(fd);
}

/* Whether this call is the one that fails. */
static int fails(int call) {
  if (control == NULL) return 0;
  int kind = atomic_load(&control->kind);
  if (kind == NONE || !(concerned[kind] & call)) return 0;
  atomic_fetch_add(&control->calls, 1);
  int left = atomic_fetch_sub(&control->countdown, 1);
  if (left > 1 || (left < 1 && !atomic_load(&control->stays))) return 0;
  atomic_fetch_add(&control->fired, 1);
  errno = kind == NO_SPACE ? ENOSPC : EIO;
  return kind;
}
static int isOurs(int fd) { return fd >= 0 && fd < 65536 && ours[fd]; }
static int opened(int fd, const char *path) {
  if (fd >= 0 && fd < 65536) ours[fd] = match != NULL && strstr(path, match) != NULL;
  return fd;
}

#define OPEN(name, params, args, path)                                                        \
  int name params {                                                                           \
    mode_t mode = 0;                                                                          \
    if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, int); va_end(rest); } \
    if (match != NULL && strstr(path, match) != NULL && fails(OPENS)) return -1;              \
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

int fsync(int fd) { return isOurs(fd) && fails(SYNCS) ? -1 : REAL(fsync)(fd); }
int fdatasync(int fd) { return isOurs(fd) && fails(SYNCS) ? -1 : REAL(fdatasync)(fd); }
int ftruncate(int fd, off_t size) { return isOurs(fd) && fails(TRUNCATES) ? -1 : REAL(ftruncate)(fd, size); }
int ftruncate64(int fd, off64_t size) { return isOurs(fd) && fails(TRUNCATES) ? -1 : REAL(ftruncate64)(fd, size); }
