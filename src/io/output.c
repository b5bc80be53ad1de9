/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/output.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/sync_int.h"

struct output {
    int fd; /* ours: a file, or a duplicate of standard output */
    uint64_t bytes;
    bool is_taken;   /* see output_take; then: */
    uint64_t synced; /* bytes, when sync was asked for */
    struct sync *sync;
    int failed; /* errno of the write that failed; 0 none */
    char name[];
};

static int open_fd(const char *path, bool append)
{
    if (path == NULL)
        return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | (append ? O_APPEND : O_TRUNC);
    return open(path, flags, 0666);
}

static int explain_open(const char *path, int errno_value, struct rs_err *err)
{
    if (path == NULL && errno_value == EBADF)
        return rs_fail(err, RS_ESYS,
                       "standard output is closed: name a file with --output, or redirect it");
    int code = rs_fail_errno(err, errno_value, "cannot open %s for writing",
                             path != NULL ? path : "standard output");
    if (errno_value == ENOENT)
        return -RS_ENOENT;
    return errno_value == EISDIR ? -RS_EINVAL : code;
}

bool output_would_empty(const char *output, const char *input)
{
    struct stat in, out;
    return output != NULL && input != NULL && stat(input, &in) == 0 && stat(output, &out) == 0 &&
           S_ISREG(in.st_mode) && in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

bool output_is_same(const char *a, const char *b)
{
    if (a == NULL || b == NULL || strcmp(a, "-") == 0 || strcmp(b, "-") == 0)
        return false;
    return strcmp(a, b) == 0 || output_would_empty(a, b);
}

int output_open(struct output **out, const char *path, bool append, struct rs_err *err)
{
    *out = NULL;
    if (path != NULL && strcmp(path, "-") == 0)
        path = NULL;
    const char *name = path != NULL ? path : "standard output";
    struct output *o = calloc(1, sizeof *o + strlen(name) + 1);
    if (o == NULL)
        return rs_fail(err, RS_ENOMEM, "not enough memory for the output");
    memcpy(o->name, name, strlen(name));
    o->fd = open_fd(path, append);
    if (o->fd < 0) {
        int code = explain_open(path, errno, err);
        free(o);
        return code;
    }
    *out = o;
    return 0;
}

static int explain_write(const struct output *out, int errno_value, struct rs_err *err)
{
    switch (errno_value) {
    case EPIPE:
        return rs_fail(err, RS_ESYS,
                       "writing to %s failed: the program that read it has ended; records from "
                       "here on are lost",
                       out->name);
    case ENOSPC:
    case EDQUOT:
        return rs_fail(err, RS_ESYS,
                       "writing to %s failed: no space left (disk or quota); free some, and %s",
                       out->name,
                       out->is_taken ? "go on with --resume"
                                     : "do again what comes after the last whole record");
    case EFBIG:
        return rs_fail(err, RS_ESYS, "writing to %s failed: file too large (see ulimit -f)",
                       out->name);
    default:
        rs_fail_errno(err, errno_value,
                      "writing to %s failed, check the device; records from here on are lost",
                      out->name);
        return -RS_ESYS;
    }
}

/* Standard output may have been made non-blocking by whoever shares it. */
static void wait_writable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    poll(&p, 1, -1);
}

/* A new file's name has to reach the disk, too; where that cannot be done, it cannot be helped. */
static void sync_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    char *folder = slash == NULL ? strdup(".") : strndup(path, (size_t)(slash - path) + 1);
    int fd = folder != NULL ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    free(folder);
}

int output_take(struct output *out, bool empty, struct rs_err *err)
{
    struct stat st;
    if (fstat(out->fd, &st) != 0)
        return rs_fail_errno(err, errno, "cannot look at %s", out->name);
    if (!S_ISREG(st.st_mode))
        return 0;
    /* A file system without locks is no reason not to measure. */
    if (flock(out->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
        return rs_fail(err, RS_EBUSY,
                       "another run is writing to %.160s: let it end, or name another file",
                       out->name);
    if (empty && ftruncate(out->fd, 0) != 0)
        return rs_fail_errno(err, errno, "cannot empty %s", out->name);
    sync_folder(out->name);
    out->sync = sync_new(out->fd);
    if (out->sync == NULL)
        return rs_fail(err, RS_ENOMEM, "not enough memory for the output");
    out->is_taken = true;
    return 0;
}

/* Takes n bytes of a record back that could not be written to its end. */
static void take_back(const struct output *out, size_t n)
{
    struct stat st;
    if (fstat(out->fd, &st) == 0 && ftruncate(out->fd, st.st_size - (off_t)n) == 0)
        return;
    /* Else the file ends in a torn record, and who resumes mends it. */
}

int output_sync(struct output *out, struct rs_err *err)
{
    if (out->failed != 0)
        return explain_write(out, out->failed, err);
    if (!out->is_taken)
        return 0;
    out->failed = sync_failed(out->sync);
    if (out->failed != 0)
        return explain_write(out, out->failed, err);
    if (out->synced != out->bytes)
        sync_ask(out->sync);
    out->synced = out->bytes;
    return 0;
}

int output_write(struct output *out, const char *record, size_t n, struct rs_err *err)
{
    size_t all = n;
    if (out->failed != 0)
        return explain_write(out, out->failed, err);
    while (n > 0) {
        ssize_t done = write(out->fd, record, n);
        if (done >= 0) {
            record += done;
            n -= (size_t)done;
            out->bytes += (uint64_t)done;
        } else if (errno == EAGAIN) {
            wait_writable(out->fd);
        } else if (errno != EINTR) {
            out->failed = errno;
            if (out->is_taken && n < all)
                take_back(out, all - n);
            return explain_write(out, out->failed, err);
        }
    }
    return 0;
}

uint64_t output_bytes(const struct output *out)
{
    return out->bytes;
}

int output_close(struct output *out, struct rs_err *err)
{
    if (out == NULL)
        return 0;
    int code = 0;
    int synced = sync_end(out->sync);
    if (out->failed == 0 && synced != 0)
        out->failed = synced;
    int closed =
        close(out->fd); /* also of a duplicate: the system then tells what it had put off */
    if (out->failed == 0 && closed != 0 && errno != EINTR)
        out->failed = errno;
    if (out->failed != 0)
        code = explain_write(out, out->failed, err);
    free(out);
    return code;
}
