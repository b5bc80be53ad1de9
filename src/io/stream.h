/* SPDX-License-Identifier: GPL-3.0-or-later
 * The bytes of a file or of standard input, decompressed on the way (gzip, bzip2, xz; regular files
 * only). For readers of what is not a target list: captures. */
#ifndef RS_IO_STREAM_H
#define RS_IO_STREAM_H

#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

struct stream;

/* `path` NULL or "-": standard input, which stays open. 0; -RS_ENOENT; -RS_EPERM; -RS_EINVAL a
 * directory; -RS_EPROTO a compression that cannot be read; -RS_ENOMEM; -RS_ESYS. */
int stream_open(struct stream **out, const char *path, struct rs_err *err);
/* Up to n bytes: their number, 0 at the end, -RS_EAGAIN (a pipe, terminal or socket in which
 * nothing waits: poll stream_fd), or -RS_ESYS with the text in err. */
ssize_t stream_read(struct stream *s, void *to, size_t n, struct rs_err *err);
/* -1 where nothing needs to be waited for. */
int stream_fd(const struct stream *s);
/* For messages: the path, or "standard input". */
const char *stream_name(const struct stream *s);
void stream_close(struct stream *s); /* NULL is ignored */

#endif
