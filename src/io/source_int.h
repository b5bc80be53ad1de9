/* SPDX-License-Identifier: GPL-3.0-or-later
 * Bytes of a target list or a capture: file, compressed file, pipe. The only part of io that knows
 * libwandio.
 */
#ifndef RS_IO_SOURCE_INT_H
#define RS_IO_SOURCE_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct io_t; /* of libwandio */

struct source {
    int fd;             /* -1 when libwandio reads */
    const char *path;   /* borrowed from the caller of source_open; NULL: standard input */
    bool is_owned;      /* fd is ours to close */
    bool is_waited_for; /* a pipe, terminal or socket: readable or not is a question */
    /* Of compressed files: */
    struct io_t *wandio;
    char *block; /* decompressed bytes, those from block_at to block_bytes not yet given out */
    size_t block_at, block_bytes;
    int saved_stdin; /* a duplicate, -1 if none: libwandio closes the original */
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
/* Whether libwandio will read all of the compressed file that starts at `from`: of bzip2 and xz it
 * reads the first stream only, and takes a file that was cut off for one that ends. 0; -RS_EPROTO
 * with a text that says what to do instead; -RS_ESYS. */
int source_check_compressed(const struct source *s, off_t from, struct rs_err *err);

#endif
