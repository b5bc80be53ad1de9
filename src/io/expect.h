/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a fixture is expected to give: an NDJSON file beside the capture, written by people.
 *
 *     {"about":"the SYN/ACK copies CWR and ECE","run":["classify","ecn"]}
 *     {"dip":"198.51.100.80","dp":80,"conditions":["ecn.connectivity.works", ...]}
 *
 * First what is shown and what to run: ["classify", PLUGIN] or ["observe", CHAIN...]. Then a line
 * for each record. It names the members that matter, and only these are compared: `conditions` as a
 * set, all others must be equal. Expected and actual records are matched by where they go (dip, dp;
 * of flows also sip, sp, proto), the first that fits, in the order of the file. */
#ifndef RS_IO_EXPECT_H
#define RS_IO_EXPECT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct expect;

typedef void (*expect_say)(void *ctx, const char *line); /* one line, without a newline */

/* Reads `path`. -RS_ENOENT there is none; -RS_EINVAL: file, line, and what was expected there. */
int expect_open(struct expect **out, const char *path, struct rs_err *err);
/* One that does not expect any record yet; `words`: what to run, blanks between. -RS_EINVAL. */
int expect_new(struct expect **out, const char *path, const char *words, struct rs_err *err);
void expect_free(struct expect *e); /* NULL is ignored */

/* The words of "run", at least two; borrowed. */
const char *const *expect_run(const struct expect *e, unsigned *n);
const char *expect_about(const struct expect *e);

/* An actual record, as text. -RS_EINVAL when it is no JSON object. */
int expect_actual(struct expect *e, const char *text, size_t n, struct rs_err *err);
/* Once all actual records are there: says each difference, and gives their number. */
unsigned expect_compare(struct expect *e, expect_say say, void *ctx);
/* Writes the file anew, with the actual values of the members that were named; after
 * expect_compare(). A line whose record is as expected stays as it is, byte for byte. A record that
 * was not expected gets dip, dp and conditions, or, of a flow, all its members. */
int expect_write(const struct expect *e, struct rs_err *err);

#endif
