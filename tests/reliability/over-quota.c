/*
 * A user whose quota is used up: preloaded into a process, lets no file grow that lies in the folder SDS_QUOTA_FOLDER,
 * as long as there is a file "used-up" in it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int used_up(int file) {
  const char *folder = getenv("SDS_QUOTA_FOLDER");
  char mark[PATH_MAX], link[40], path[PATH_MAX];
  if (folder == NULL) return 0;
  snprintf(mark, sizeof mark, "%s/used-up", folder);
  if (access(mark, F_OK) != 0) return 0;
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return strncmp(path, folder, strlen(folder)) == 0;
}

#define REFUSING(name, parameters, arguments)                 \
  ssize_t name parameters {                                   \
    if (used_up(file)) {                                      \
      errno = EDQUOT;                                         \
      return -1;                                              \
    }                                                         \
    return ((__typeof__(&name))dlsym(RTLD_NEXT, #name)) arguments; \
  }
REFUSING(write, (int file, const void *bytes, size_t length), (file, bytes, length))
REFUSING(pwrite, (int file, const void *bytes, size_t length, off_t at), (file, bytes, length, at))
REFUSING(pwrite64, (int file, const void *bytes, size_t length, off64_t at), (file, bytes, length, at))
