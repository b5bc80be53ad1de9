/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/packets.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "io/stream.h"
#include "net/iface.h"

struct bytes {
    struct stream *stream;
    struct packets_wait wait;
};

static bool just_wait(void *ctx, int fd)
{
    (void)ctx;
    poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, -1);
    return true;
}

static ssize_t read_bytes(void *ctx, void *to, size_t n, struct rs_err *err)
{
    struct bytes *b = ctx;
    ssize_t got;
    while ((got = stream_read(b->stream, to, n, err)) == -RS_EAGAIN)
        if (!b->wait.wait(b->wait.ctx, stream_fd(b->stream)))
            return 0;
    return got;
}

static void close_bytes(void *ctx)
{
    struct bytes *b = ctx;
    stream_close(b->stream);
    free(b);
}

int packets_open_file(struct trace **out,
                      const char *path,
                      const struct packets_wait *wait,
                      struct rs_err *err)
{
    struct bytes *b = calloc(1, sizeof *b);
    *out = NULL;
    if (b == NULL)
        return rs_fail(err, RS_ENOMEM, "no memory to read %.100s", path);
    b->wait = wait != NULL ? *wait : (struct packets_wait){NULL, just_wait};
    int rc = stream_open(&b->stream, path, err);
    if (rc != 0) {
        free(b);
        return rc;
    }
    struct trace_stream stream = {.ctx = b, .read = read_bytes, .close = close_bytes};
    return trace_open_stream(out, stream, stream_name(b->stream), err);
}

/* It is no file: is it an interface? iface_open says which there are. */
static int open_interface(struct trace **out, const char *name, struct rs_err *err)
{
    struct iface look;
    struct rs_err why;
    if (strcmp(name, "any") != 0 && iface_open(&look, name, &why) == -RS_ENOENT)
        return rs_fail(err, RS_ENOENT,
                       "'%.80s' is no file, and no trace URI (pcapfile: erf: int: ring: ...); %s",
                       name, why.text);
    return trace_open_live(out, name, err);
}

int packets_open(struct trace **out,
                 const char *name,
                 const struct packets_wait *wait,
                 struct rs_err *err)
{
    struct stat st;
    if (trace_is_uri(name))
        return trace_open_uri(out, name, err);
    if (strcmp(name, "-") == 0 || stat(name, &st) == 0 || (errno != ENOENT && errno != ENOTDIR) ||
        strchr(name, '/') != NULL)
        return packets_open_file(out, name, wait, err);
    return open_interface(out, name, err);
}
