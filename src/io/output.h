/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where records go: a file or standard output, one write(2) a record (law 7), nothing held back.
 * The caller ignores SIGPIPE. Writing blocks while the reader of a pipe is slow. */
#ifndef RS_IO_OUTPUT_H
#define RS_IO_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct output;

/* Opens `path` (NULL or "-": standard output, which stays open after output_close). A file is made
 * if need be, and emptied unless `append`. Call it before other descriptors are opened: a closed
 * standard output is told only as long as nothing else has taken its number. 0; -RS_ENOENT;
 * -RS_EPERM; -RS_EINVAL a directory; -RS_ENOMEM; -RS_ESYS. */
int output_open(struct output **out, const char *path, bool append, struct rs_err *err);

/* For a file that a run may go on with later (open it with `append`): takes it for this process
 * alone, by a lock that ends with the descriptor, then empties it if `empty`. From then on it holds
 * whole records only: one that could not be written to its end is cut off again; and output_close
 * waits until all of it is on the disk. Does nothing for pipes and devices. 0; -RS_EBUSY another
 * run writes to it; -RS_ESYS. */
int output_take(struct output *out, bool empty, struct rs_err *err);

/* Asks the system to bring what was written so far to the disk, and does not wait for it. 0, or
 * -RS_ESYS: an earlier request has failed, and records may not be there after a power loss. Only
 * for a file that was taken; else it does nothing. */
int output_sync(struct output *out, struct rs_err *err);

/* Whether both are one file (either may be NULL or "-": no). */
bool output_is_same(const char *a, const char *b);
/* Whether opening `output` would empty the file `input` (either may be NULL or "-": no). */
bool output_would_empty(const char *output, const char *input);

/* Writes the record whole (interrupted and partial writes are continued). 0 or -RS_ESYS; the text
 * says what to do. A failure is final: what follows fails alike, so that no torn line is written
 * on. */
int output_write(struct output *out, const char *record, size_t n, struct rs_err *err);

/* Bytes that have reached the file or pipe. */
uint64_t output_bytes(const struct output *out);

/* Closes and frees; NULL is ignored. 0 or -RS_ESYS for an error that the system told only now (also
 * when a write had failed before). */
int output_close(struct output *out, struct rs_err *err);

#endif
