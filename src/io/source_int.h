/* SPDX-License-Identifier: GPL-3.0-or-later
 * Bytes of the target list: file, compressed file, pipe. The only part of io that knows libwandio.
 */
#ifndef RS_IO_SOURCE_INT_H
#define RS_IO_SOURCE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct io_t; /* of libwandio */

struct source {
    int fd; /* -1 when libwandio reads */
    struct io_t *wandio;
    const char *path;   /* borrowed from the caller of source_open; NULL: standard input */
    bool is_owned;      /* fd is ours to close */
    bool is_waited_for; /* a pipe, terminal or socket: readable or not is a question */
};

/* `path` NULL: standard input. Codes as input_open(), and -RS_EPROTO for a compression that cannot
 * be read. */
int source_open(struct source *s, const char *path, struct rs_err *err);
/* Reads up to n bytes: their number, 0 at the end, -RS_EAGAIN, or -RS_ESYS with the text in err. */
ssize_t source_read(struct source *s, char *to, size_t n, struct rs_err *err);
void source_close(struct source *s);
/* For messages: the path, or "standard input". */
const char *source_name(const struct source *s);

/* The name of the compression that starts with these bytes, or NULL. */
const char *source_compression(const char *bytes, size_t n);

#endif
