/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which input lines have their record already: read back from the output of a run that ended early,
 * so that another goes on where it stopped. Two bits a line: one says that it is done, and 64 lines
 * share a 64-bit sum of hashes of their input texts, by which another input is noticed. */
#ifndef RS_IO_DONE_H
#define RS_IO_DONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define DONE_LINE_MOST    (UINT64_C(1) << 40) /* a higher line number is none of ours */
#define DONE_RECORD_BYTES ((size_t)64 << 20)  /* longest record that is read back */

struct done;

/* What a record says of its input line. */
struct done_record {
    uint64_t line;
    size_t input_bytes; /* the record's front, up to our first member: what record_begin made of the
                         * input */
};

/* Finds both in the text of one record, brace to brace without its newline. False: it is no whole
 * record of a run over a list. */
bool done_parse(const char *text, size_t n, struct done_record *out);

/* Reads the output file at `path` and mends its end: what a killed run or a power loss left of the
 * last records (a line without its newline, or lines with NUL bytes) is cut off, and nothing else
 * is ever changed. The caller sees to it that nobody writes to the file meanwhile. 0; -RS_EINVAL:
 * not a plain file, compressed, a line in the midst of it that cannot be read, or two records of
 * one line (the text says where); -RS_ENOENT, -RS_EPERM, -RS_ESYS, -RS_ENOMEM. */
int done_read(struct done **out, const char *path, struct rs_err *err);
/* Marks the line of one record, as done_read does. 0; -RS_EINVAL it is marked already; -RS_ENOMEM.
 */
int done_add(struct done *d, const struct done_record *r, const char *text);
struct done *done_new(void);    /* an empty set; NULL without memory */
void done_free(struct done *d); /* NULL is ignored */

uint64_t done_records(const struct done *d);
uint64_t done_cut(const struct done *d); /* bytes that were cut off */

/* Whether a line of the input is done. Lines are asked for in ascending order, each at most once,
 * and none is left out that may be done. `text`: what record_begin makes of the line, without
 * closing it. 1, 0; or -RS_EINVAL: the records are of other input than this (line or one of the 63
 * before it). */
int done_has(struct done *d, uint64_t line, const char *text, size_t n);
/* The input has ended. 0, or -RS_EINVAL: there are records of lines that it did not have. */
int done_end(const struct done *d);

#endif
