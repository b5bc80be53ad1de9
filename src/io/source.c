/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/source_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wandio.h>

#define WANDIO_ALIGN 4096
#define WANDIO_BLOCK 65536 /* a multiple of WANDIO_ALIGN */

const char *source_name(const struct source *s)
{
    return s->path != NULL ? s->path : "standard input";
}

/* libwandio takes a path only, and "-" for descriptor 0, which it closes in the end. Its reading
 * thread keeps up to 50 MiB decompressed ahead of a reader who is paced by packets: without it, a
 * read decompresses what it needs. Who wants it sets the variable himself. */
static int open_wandio(struct source *s, const char *name, struct rs_err *err)
{
    void *block = NULL;
    setenv("LIBTRACEIO", "nothreads", 0);
    s->saved_stdin = s->path == NULL ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : -1;
    if (posix_memalign(&block, WANDIO_ALIGN, WANDIO_BLOCK) == 0) {
        s->block = block;
        s->wandio = wandio_create(s->path != NULL ? s->path : "-");
    }
    if (s->wandio == NULL)
        return rs_fail(err, RS_ESYS, "cannot read %s as %s", source_name(s), name);
    if (s->is_owned)
        close(s->fd);
    s->fd = -1;
    return 0;
}

/* A regular file: a plain one is read by read(2), which needs no second copy. */
static int open_file(struct source *s, struct rs_err *err)
{
    char magic[8];
    off_t at = lseek(s->fd, 0, SEEK_CUR); /* standard input may have been read in part */
    ssize_t n = pread(s->fd, magic, sizeof magic, at < 0 ? 0 : at);
    if (n < 0)
        return rs_fail_errno(err, errno, "cannot read %s", source_name(s));
    const char *name = source_compression(magic, (size_t)n);
    if (name == NULL)
        return 0;
    int code = source_check_compressed(s, at < 0 ? 0 : at, err);
    return code != 0 ? code : open_wandio(s, name, err);
}

static int open_descriptor(struct source *s, const char *path, struct rs_err *err)
{
    s->fd = path == NULL ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    s->is_owned = path != NULL;
    struct stat st;
    if (s->fd >= 0 && fstat(s->fd, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return rs_fail(err, RS_EINVAL, "cannot read %s: it is a directory", source_name(s));
        s->is_waited_for = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(s->fd);
        return S_ISREG(st.st_mode) ? open_file(s, err) : 0;
    }
    if (path == NULL)
        return rs_fail(err, RS_ESYS, "standard input is closed: name a file, or redirect one");
    int why = errno;
    int code = rs_fail_errno(err, why, "cannot open %s", path);
    return why == ENOENT ? -RS_ENOENT : code;
}

int source_open(struct source *s, const char *path, struct rs_err *err)
{
    *s = (struct source){.fd = -1, .saved_stdin = -1, .path = path};
    int code = open_descriptor(s, path, err);
    if (code != 0)
        source_close(s);
    return code;
}

void source_close(struct source *s)
{
    if (s->wandio != NULL)
        wandio_destroy(s->wandio);
    if (s->saved_stdin >= 0) {
        dup2(s->saved_stdin, STDIN_FILENO);
        close(s->saved_stdin);
    }
    if (s->fd >= 0 && s->is_owned)
        close(s->fd);
    free(s->block);
    *s = (struct source){.fd = -1, .saved_stdin = -1};
}

/* After damaged data libwandio copies -1 bytes, unless blocks and their address keep to 4096: then
 * its faulty buffer is not used. */
static ssize_t read_wandio(struct source *s, char *to, size_t n, struct rs_err *err)
{
    if (s->block_at == s->block_bytes) {
        off_t got = wandio_read(s->wandio, s->block, WANDIO_BLOCK);
        if (got < 0)
            return rs_fail(err, RS_ESYS,
                           "reading %s failed: the compressed data are damaged or cut off",
                           source_name(s));
        s->block_at = 0;
        s->block_bytes = (size_t)got;
    }
    size_t left = s->block_bytes - s->block_at;
    n = n < left ? n : left;
    memcpy(to, s->block + s->block_at, n);
    s->block_at += n;
    return (ssize_t)n;
}

ssize_t source_read(struct source *s, char *to, size_t n, struct rs_err *err)
{
    if (s->wandio != NULL)
        return read_wandio(s, to, n, err);
    /* Not O_NONBLOCK: the flag would also hit whoever shares the terminal or pipe with us. */
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    if (s->is_waited_for && poll(&p, 1, 0) == 0)
        return -RS_EAGAIN;
    ssize_t got;
    while ((got = read(s->fd, to, n)) < 0 && (errno == EAGAIN || errno == EINTR)) {
        if (s->is_waited_for)
            return -RS_EAGAIN;
        if (errno == EAGAIN) /* a device that somebody made non-blocking */
            poll(&p, 1, -1);
    }
    if (got >= 0)
        return got;
    rs_fail_errno(err, errno, "reading %s failed", source_name(s));
    return -RS_ESYS;
}
