/*
 * Lets the n-th call of one kind on files below a directory fail, come short, or be the last of the process.
 *
 *   LD_PRELOAD=faults.so FAULT_DIRECTORY=/store FAULT_CALL=fdatasync FAULT_ACTION=EIO FAULT_AT=3 FAULT_LOG=log node ...
 *
 * Actions: EIO, ENOSPC, EMFILE: the call fails. short: a write takes half. full: a write takes half, and the
 * next write fails with ENOSPC, as on a disk that fills up. kill: SIGKILL, a write after half of its bytes.
 * nothing: syncs report success and do nothing.
 *
 * Calls are counted over all threads. When the fault strikes, a line goes to the log; at exit, the counts.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum call { FSYNC, FDATASYNC, PWRITE64, PWRITEV64, WRITE, FTRUNCATE64, RENAME, UNLINK, OPEN64, CALLS };
static const char *const names[CALLS] = {"fsync", "fdatasync", "pwrite64", "pwritev64", "write", "ftruncate64", "rename", "unlink", "open64"};
static atomic_int counts[CALLS];
static atomic_int next_write_fails;

static const char *directory, *log_path, *action = "";
static int fault_call = -1, fault_at = -1;

__attribute__((constructor)) static void begin(void) {
  directory = getenv("FAULT_DIRECTORY");
  log_path = getenv("FAULT_LOG");
  const char *call = getenv("FAULT_CALL"), *at = getenv("FAULT_AT"), *what = getenv("FAULT_ACTION");
  if (what) action = what;
  if (at) fault_at = atoi(at);
  for (int i = 0; call && i < CALLS; i++) if (!strcmp(call, names[i])) fault_call = i;
}

static void say(const char *text) {
  static int (*real_open)(const char *, int, ...);
  static ssize_t (*real_write)(int, const void *, size_t);
  if (!real_open) real_open = dlsym(RTLD_NEXT, "open64");
  if (!real_write) real_write = dlsym(RTLD_NEXT, "write");
  if (!log_path) return;
  int fd = real_open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) return;
  if (real_write(fd, text, strlen(text)) < 0) abort();
  close(fd);
}

__attribute__((destructor)) static void end(void) {
  char text[512] = "counts";
  for (int i = 0; i < CALLS; i++) snprintf(text + strlen(text), sizeof text - strlen(text), " %s=%d", names[i], atomic_load(&counts[i]));
  strcat(text, "\n");
  say(text);
}

static int inside_path(const char *path) { return directory && !strncmp(path, directory, strlen(directory)); }

static int inside(int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return inside_path(path);
}

/* Whether the fault strikes this call. */
static int strikes(enum call call) {
  int n = atomic_fetch_add(&counts[call], 1) + 1;
  if ((int)call != fault_call || n != fault_at) return 0;
  char text[128];
  snprintf(text, sizeof text, "fault %s %s %d\n", names[call], action, n);
  say(text);
  return 1;
}

static int code(void) { return !strcmp(action, "ENOSPC") ? ENOSPC : !strcmp(action, "EMFILE") ? EMFILE : EIO; }

/* Does what strikes a call that writes nothing. */
static int fail(void) {
  if (!strcmp(action, "kill")) kill(getpid(), SIGKILL);
  errno = code();
  return -1;
}

#define REAL(name, type, ...) static type (*real)(__VA_ARGS__); if (!real) real = dlsym(RTLD_NEXT, name)

int fsync(int fd) {
  REAL("fsync", int, int);
  int ours = inside(fd);
  if (ours && !strcmp(action, "nothing")) return 0;
  return ours && strikes(FSYNC) ? fail() : real(fd);
}

int fdatasync(int fd) {
  REAL("fdatasync", int, int);
  int ours = inside(fd);
  if (ours && !strcmp(action, "nothing")) return 0;
  return ours && strikes(FDATASYNC) ? fail() : real(fd);
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) {
  REAL("pwrite64", ssize_t, int, const void *, size_t, off64_t);
  if (!inside(fd)) return real(fd, bytes, length, at);
  if (atomic_exchange(&next_write_fails, 0)) return errno = ENOSPC, -1;
  if (!strikes(PWRITE64)) return real(fd, bytes, length, at);
  int is_full = !strcmp(action, "full"), dies = !strcmp(action, "kill");
  if (!is_full && !dies && strcmp(action, "short")) return fail();
  ssize_t done = real(fd, bytes, length > 1 ? length / 2 : length, at);
  if (dies) kill(getpid(), SIGKILL);
  if (is_full) atomic_store(&next_write_fails, 1);
  return done;
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
  REAL("pwritev64", ssize_t, int, const struct iovec *, int, off64_t);
  return inside(fd) && strikes(PWRITEV64) ? fail() : real(fd, parts, count, at);
}

ssize_t write(int fd, const void *bytes, size_t length) {
  REAL("write", ssize_t, int, const void *, size_t);
  return inside(fd) && strikes(WRITE) ? fail() : real(fd, bytes, length);
}

int ftruncate64(int fd, off64_t length) {
  REAL("ftruncate64", int, int, off64_t);
  return inside(fd) && strikes(FTRUNCATE64) ? fail() : real(fd, length);
}

int rename(const char *from, const char *to) {
  REAL("rename", int, const char *, const char *);
  return inside_path(to) && strikes(RENAME) ? fail() : real(from, to);
}

int unlink(const char *path) {
  REAL("unlink", int, const char *);
  return inside_path(path) && strikes(UNLINK) ? fail() : real(path);
}

int open64(const char *path, int flags, ...) {
  REAL("open64", int, const char *, int, ...);
  va_list rest;
  va_start(rest, flags);
  mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
  va_end(rest);
  return inside_path(path) && strikes(OPEN64) ? fail() : real(path, flags, mode);
}
