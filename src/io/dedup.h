/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which targets were there before: fingerprints (128 bits, keyed) in a table of fixed size. When it
 * is full, what it holds is still recognised, and nothing more is remembered: no target is ever
 * taken for a duplicate that is none. */
#ifndef RS_IO_DEDUP_H
#define RS_IO_DEDUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "wire/addr.h"

#define DEDUP_MOST       4000000u /* targets remembered by default */
#define DEDUP_BYTES_EACH 30       /* of memory for each */

struct dedup;

struct dedup_target {
    const struct wire_addr *dip;
    uint16_t dp;        /* never 0: the mode's default is filled in */
    const char *domain; /* NULL or empty: none; upper and lower case of ASCII are the same */
    const char *mode;   /* what is said over the connection */
};

/* Room for `most` targets. The key keeps strangers from making two targets look alike. 0 or
 * -RS_ENOMEM. The caller frees *out. */
int dedup_new(struct dedup **out, size_t most, const struct rs_key *key, struct rs_err *err);
/* The line (> 0) with which an equal target was remembered, or 0: then it is now, with `line`, if
 * there is room. */
uint64_t dedup_line(struct dedup *d, const struct dedup_target *t, uint64_t line);
bool dedup_is_full(const struct dedup *d);
/* NULL is ignored. */
void dedup_free(struct dedup *d);

#endif
