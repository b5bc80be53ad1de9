/* SPDX-License-Identifier: GPL-3.0-or-later
 * The gaps that chain meter remembers of one direction. `peer` is the other direction, whose ACKs
 * tell what the receiver has. Every gap lies within METER_STEP_MOST below the next number. */
#ifndef RS_OBSERVE_METER_INT_H
#define RS_OBSERVE_METER_INT_H

#include <stdbool.h>

#include "observe/flow_int.h"

/* Half the largest window (RFC 7323 2.3): a step beyond is no segment of this connection, or the
 * capture missed a gigabyte. */
#define METER_STEP_MOST 0x20000000u

struct meter_filled { /* what a segment had of gaps */
    uint32_t bytes;   /* 0: the rest means nothing */
    uint32_t opened_us;
    uint32_t first_tsval, last_tsval; /* the data above has one of these or between; 0: none */
};

static inline bool meter_has(const struct meter_side *m, unsigned what)
{
    return (m->have & what) != 0;
}

static inline bool meter_has_gaps(const struct meter_side *m)
{
    return m->gaps > 0 || m->zone.missing > 0;
}

static inline uint32_t meter_later(uint32_t a, uint32_t b)
{
    return seq_after(a, b) ? a : b;
}

static inline uint32_t meter_earlier(uint32_t a, uint32_t b)
{
    return seq_after(a, b) ? b : a;
}

void meter_forget_gaps(struct meter_side *m);
void meter_forget_far_gaps(struct meter_side *m, uint32_t next);
void meter_open_gap(struct meter_side *m,
                    const struct meter_side *peer,
                    const struct meter_gap *gap);
/* Takes [from, to) out of the gaps. */
struct meter_filled meter_fill_gaps(struct meter_side *m,
                                    const struct meter_side *peer,
                                    uint32_t from,
                                    uint32_t to);
/* Is anything missing that the receiver may still wait for? */
bool meter_is_waiting(const struct meter_side *m, const struct meter_side *peer);

#endif
