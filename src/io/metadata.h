/* SPDX-License-Identifier: GPL-3.0-or-later
 * The end-of-run metadata: one JSON object in a file of its own, never half written. */
#ifndef RS_IO_METADATA_H
#define RS_IO_METADATA_H

#include "base/err.h"
#include "io/record.h"

/* Ends the record (begun by record_begin(r, NULL, NULL), filled by the record_* calls) and writes
 * it to `path`: into a temporary file beside it that is renamed, so that a reader sees the old
 * object or the new one; straight to it when `path` is a device or a pipe ("-": standard output).
 * 0; -RS_ENOENT, -RS_EPERM, -RS_ESYS, -RS_ENOMEM. */
int metadata_write(const char *path, struct record *r, struct rs_err *err);

#endif
