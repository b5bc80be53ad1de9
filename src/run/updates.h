/* SPDX-License-Identifier: GPL-3.0-or-later
 * The status CSV (-u): a header, then a line a second and one at the end, in ZMap's manner and with
 * its names where it has them. A counter has three columns: total, of the last second, and by
 * second on average; what is counted is one table, for header and lines alike. */
#ifndef RS_RUN_UPDATES_H
#define RS_RUN_UPDATES_H

#include <stddef.h>

#include "base/time.h"
#include "run/measure.h"

#define UPDATES_LINE_BYTES 2048
#define UPDATES_COUNTERS   11

struct updates { /* zero: before the first line */
    uint64_t last[UPDATES_COUNTERS];
    double last_elapsed;
};

/* Both write a line with its newline into `to` (UPDATES_LINE_BYTES) and return its length. */
size_t updates_header(char *to);
/* "The last second": what is new since the line before, by second where that was longer ago. */
size_t updates_line(struct updates *u, const struct measure_progress *p, rs_wall now, char *to);

/* Segments of every kind that were sent again. */
uint64_t updates_retransmitted(const struct engine_counters *c);

#endif
