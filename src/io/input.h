/* SPDX-License-Identifier: GPL-3.0-or-later
 * The target list: NDJSON, PATHspider's CSV, or a plain list of addresses and prefixes, from a file
 * (compressed or not) or a pipe. Each line that is not blank gives exactly one job, also when it
 * cannot be measured (law 4); an entry of a list gives one for each of its addresses.
 * Nothing here resolves names, prints, or changes the flags of a descriptor it was given. */
#ifndef RS_IO_INPUT_H
#define RS_IO_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/addr.h"

#define INPUT_LINE_BYTES                                                                           \
    ((size_t)1 << 20)           /* longest line that is measured, newline not counted              \
                                 */
#define INPUT_CUT_BYTES    4096 /* of a longer one, what the job keeps */
#define INPUT_DOMAIN_BYTES 254  /* longest domain (RFC 1035 2.3.4, with a final dot) */

/* INPUT_AUTO: NDJSON or a list, whatever the first line that is one of them is. */
enum input_format { INPUT_NDJSON, INPUT_CSV, INPUT_LIST, INPUT_AUTO, INPUT_FORMAT_N };

/* raw, domain: borrowed until the next input_next() or input_free(). */
struct job {
    uint64_t line; /* of the input, from 1; blank lines count. Of a list: the number of the target,
                    * from 1, over all its entries. Grows from job to job */
    uint64_t text_line;   /* of the input, also of a list: where people look for it */
    const char *raw;      /* the JSON object as it stands in the line (or was made from the CSV row
                           * or an address), from '{' to '}', no newline, no NUL behind it; or, when
                           * raw_is_json      is             false, the line as it is (of a line too
                           * long, its      first INPUT_CUT_BYTES) */
    size_t raw_bytes;     /* length of raw */
    bool raw_is_json;     /* false: raw is arbitrary text or binary */
    struct wire_addr dip; /* family 0 when there is a problem with it */
    uint16_t dp;          /* 0: not given */
    const char *domain;   /* NUL-terminated, no blanks or control characters; NULL: not given */
    char problem[200]; /* empty: can be measured; else the line number, what is wrong, and what was
                        * expected; valid UTF-8 */
};

struct input;

/* Opens `path` (NULL or "-": standard input, which stays open after input_free). The caller frees
 * *out with input_free. 0; -RS_ENOENT no such file; -RS_EPERM; -RS_EINVAL a directory;
 * -RS_ENOMEM; -RS_ESYS, also when standard input is closed. A named pipe is waited for until it
 * has a writer. */
int input_open(struct input **out, const char *path, enum input_format format, struct rs_err *err);

/* The caller will ask for a limited number of targets: prefixes of any width are walked. Without
 * it, one of more than 2^32 addresses, and the whole of IPv4, are problems. */
void input_any_width(struct input *in);

/* -1: input_next() never answers -RS_EAGAIN. Otherwise the descriptor to wait on (readable) after
 * it did. */
int input_fd(const struct input *in);

/* Blocks until input_next() may have something; for callers without an event loop. */
void input_wait(const struct input *in);

/* The next job. 0; -RS_EAGAIN nothing there yet (pipe, terminal, socket); -RS_EEND; -RS_ESYS read
 * error; -RS_EPROTO the input as a whole is not what was asked for (compressed bytes in a pipe, a
 * CSV of rank,domain); -RS_ENOMEM. Each failure but -RS_EAGAIN is final, and input_error() has its
 * text. */
int input_next(struct input *in, struct job *out);

/* One line for people; empty as long as nothing failed. */
const char *input_error(const struct input *in);

/* NULL is ignored. */
void input_free(struct input *in);

#endif
