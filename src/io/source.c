/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/source_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wandio.h>

static const struct compression {
    const char *name, *magic;
    size_t n;
    bool is_read; /* by every build of libwandio */
    const char *tool;
} compressions[] = {
    {"gzip",  "\x1f\x8b",         2, true,  "zcat"    },
    {"bzip2", "BZh",              3, true,  "bzcat"   },
    {"xz",    "\xfd\x37zXZ",      5, true,  "xzcat"   },
    {"zstd",  "\x28\xb5\x2f\xfd", 4, false, "zstdcat" },
    {"lz4",   "\x04\x22\x4d\x18", 4, false, "lz4cat"  },
    {"lzop",  "\x89LZO",          4, false, "lzop -dc"},
};

static const struct compression *find_compression(const char *bytes, size_t n)
{
    for (size_t i = 0; i < sizeof compressions / sizeof compressions[0]; i++)
        if (n >= compressions[i].n && memcmp(bytes, compressions[i].magic, compressions[i].n) == 0)
            return &compressions[i];
    return NULL;
}

const char *source_compression(const char *bytes, size_t n)
{
    const struct compression *c = find_compression(bytes, n);
    return c != NULL ? c->name : NULL;
}

const char *source_name(const struct source *s)
{
    return s->path != NULL ? s->path : "standard input";
}

/* libwandio decompresses in a thread of its own: no signal of ours may land there. */
static struct io_t *open_wandio(const char *path)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    struct io_t *io = wandio_create(path != NULL ? path : "-");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return io;
}

/* A regular file: plain ones are read by read(2), which needs neither thread nor second copy. */
static int open_file(struct source *s, struct rs_err *err)
{
    char magic[8];
    off_t at = lseek(s->fd, 0, SEEK_CUR); /* standard input may have been read in part */
    ssize_t n = pread(s->fd, magic, sizeof magic, at < 0 ? 0 : at);
    if (n < 0)
        return rs_fail_errno(err, errno, "cannot read %s", source_name(s));
    const struct compression *c = find_compression(magic, (size_t)n);
    if (c == NULL)
        return 0;
    if (!c->is_read)
        return rs_fail(
            err, RS_EPROTO,
            "%s is compressed by %s, which cannot be read here: use %s %s | rawspider ...",
            source_name(s), c->name, c->tool, s->path != NULL ? s->path : "FILE");
    s->wandio = open_wandio(s->path);
    if (s->wandio == NULL)
        return rs_fail(err, RS_ESYS, "cannot read %s as %s", source_name(s), c->name);
    if (s->is_owned)
        close(s->fd);
    s->fd = -1;
    return 0;
}

static int open_descriptor(struct source *s, const char *path, struct rs_err *err)
{
    s->fd = path == NULL ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    s->is_owned = path != NULL;
    struct stat st;
    if (s->fd >= 0 && fstat(s->fd, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            return rs_fail(err, RS_EINVAL, "cannot read targets from %s: it is a directory",
                           source_name(s));
        s->is_waited_for = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || isatty(s->fd);
        return S_ISREG(st.st_mode) ? open_file(s, err) : 0;
    }
    if (path == NULL)
        return rs_fail(err, RS_ESYS,
                       "standard input is closed: name a file with --input, or redirect one");
    int why = errno;
    int code = rs_fail_errno(err, why, "cannot open the target list %s", path);
    return why == ENOENT ? -RS_ENOENT : code;
}

int source_open(struct source *s, const char *path, struct rs_err *err)
{
    *s = (struct source){.fd = -1, .path = path};
    int code = open_descriptor(s, path, err);
    if (code != 0)
        source_close(s);
    return code;
}

void source_close(struct source *s)
{
    if (s->wandio != NULL)
        wandio_destroy(s->wandio);
    if (s->fd >= 0 && s->is_owned)
        close(s->fd);
    s->wandio = NULL;
    s->fd = -1;
}

ssize_t source_read(struct source *s, char *to, size_t n, struct rs_err *err)
{
    if (s->wandio != NULL) {
        off_t got = wandio_read(s->wandio, to, (off_t)n);
        if (got < 0)
            return rs_fail(err, RS_ESYS,
                           "reading %s failed: the compressed data are damaged or cut off",
                           source_name(s));
        return got;
    }
    /* Not O_NONBLOCK: the flag would also hit whoever shares the terminal or pipe with us. */
    struct pollfd p = {.fd = s->fd, .events = POLLIN};
    if (s->is_waited_for && poll(&p, 1, 0) == 0)
        return -RS_EAGAIN;
    ssize_t got = read(s->fd, to, n);
    if (got >= 0)
        return got;
    if (errno == EAGAIN || errno == EINTR)
        return s->is_waited_for ? -RS_EAGAIN : source_read(s, to, n, err);
    rs_fail_errno(err, errno, "reading %s failed", source_name(s));
    return -RS_ESYS;
}
