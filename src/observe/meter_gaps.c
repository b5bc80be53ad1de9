/* SPDX-License-Identifier: GPL-3.0-or-later
 * The gaps in the numbers of one direction: the newest METER_GAPS one by one, the older ones as one
 * region (struct meter_zone). All of it is about old data: what comes in order does not get here.
 */
#include <string.h>

#include "observe/meter_int.h"

void meter_forget_gaps(struct meter_side *m)
{
    m->gaps = 0;
    m->zone.missing = 0;
}

static void drop_gap(struct meter_side *m, unsigned i)
{
    m->gaps--;
    memmove(&m->gap[i], &m->gap[i + 1], (m->gaps - i) * sizeof m->gap[0]);
}

static void put_gap(struct meter_side *m, unsigned i, const struct meter_gap *gap)
{
    memmove(&m->gap[i + 1], &m->gap[i], (m->gaps - i) * sizeof m->gap[0]);
    m->gap[i] = *gap;
    m->gaps++;
}

/* Gaps open in the order of their numbers: so the time of one between the ends lies between, on the
 * same side of the pause. */
static uint32_t zone_opened_us(const struct meter_zone *z, uint32_t seq)
{
    uint32_t from = z->from, to = z->pause_seq, from_us = z->first_us, to_us = z->pause_from_us;
    if (!seq_after(z->pause_seq, seq)) {
        from = z->pause_seq;
        to = z->to;
        from_us = z->pause_from_us + z->pause_us;
        to_us = z->last_us;
    }
    uint64_t us = to_us - from_us;
    return from_us + (uint32_t)(us * (seq - from) / (to - from));
}

static void set_pause(struct meter_zone *z, uint32_t seq, uint32_t from_us, uint32_t us)
{
    z->pause_seq = seq;
    z->pause_from_us = from_us;
    z->pause_us = us;
}

static void cut_zone_below(struct meter_zone *z, uint32_t seq)
{
    if (z->missing == 0 || !seq_after(seq, z->from))
        return;
    if (!seq_after(z->to, seq)) {
        z->missing = 0;
        return;
    }
    z->first_us = zone_opened_us(z, seq);
    z->from = seq;
    if (seq_after(seq, z->pause_seq))
        set_pause(z, seq, z->first_us, 0);
    if (z->missing > z->to - z->from)
        z->missing = z->to - z->from;
}

static void add_to_zone(struct meter_zone *z, const struct meter_gap *gap)
{
    if (z->missing == 0) {
        z->from = gap->from;
        z->first_us = gap->opened_us;
        z->first_tsval = gap->tsval;
        set_pause(z, gap->from, gap->opened_us, 0);
    } else if (gap->opened_us - z->last_us >= z->pause_us) {
        set_pause(z, gap->from, z->last_us, gap->opened_us - z->last_us);
    }
    z->to = gap->to;
    z->last_us = gap->opened_us;
    z->last_tsval = gap->tsval;
    z->missing += gap->to - gap->from;
}

/* What the receiver has acknowledged is not sent again: the capture missed it, or it went another
 * way. So it is lost for good, and what comes twice is not taken for it. */
static void make_room(struct meter_side *m, const struct meter_side *peer)
{
    add_to_zone(&m->zone, &m->gap[0]);
    if (meter_has(peer, METER_ACK))
        cut_zone_below(&m->zone, peer->ack);
    drop_gap(m, 0);
}

void meter_open_gap(struct meter_side *m,
                    const struct meter_side *peer,
                    const struct meter_gap *gap)
{
    if (m->gaps == METER_GAPS)
        make_room(m, peer);
    put_gap(m, m->gaps, gap);
}

/* Old gaps stay until new ones push them out; half of all numbers on, they could not be
 * compared. */
void meter_forget_far_gaps(struct meter_side *m, uint32_t next)
{
    uint32_t lowest = m->zone.missing > 0 ? m->zone.from : m->gap[0].from;
    if (!meter_has_gaps(m) || next - lowest <= METER_STEP_MOST)
        return;
    cut_zone_below(&m->zone, next - METER_STEP_MOST / 2); /* further, so that it is seldom */
    while (m->gaps > 0 && next - m->gap[0].from > METER_STEP_MOST)
        drop_gap(m, 0);
}

/* [from, to) lies within gap i, and touches neither end. */
static void split_gap(
    struct meter_side *m, const struct meter_side *peer, unsigned i, uint32_t from, uint32_t to)
{
    struct meter_gap below = m->gap[i];
    below.to = from;
    m->gap[i].from = to;
    if (m->gaps == METER_GAPS && i == 0) {
        add_to_zone(&m->zone, &below);
        return;
    }
    if (m->gaps == METER_GAPS) {
        make_room(m, peer);
        i--;
    }
    put_gap(m, i, &below);
}

static struct meter_filled fill_zone(struct meter_zone *z, uint32_t from, uint32_t to)
{
    uint32_t a = meter_later(from, z->from), b = meter_earlier(to, z->to);
    if (z->missing == 0 || !seq_after(b, a))
        return (struct meter_filled){0};
    struct meter_filled filled = {.bytes = b - a < z->missing ? b - a : z->missing,
                                  .opened_us = zone_opened_us(z, a),
                                  .first_tsval = z->first_tsval,
                                  .last_tsval = z->last_tsval};
    z->missing -= filled.bytes;
    if (a == z->from)
        cut_zone_below(z, b);
    return filled;
}

struct meter_filled meter_fill_gaps(struct meter_side *m,
                                    const struct meter_side *peer,
                                    uint32_t from,
                                    uint32_t to)
{
    struct meter_filled filled = fill_zone(&m->zone, from, to);
    for (unsigned i = m->gaps; i-- > 0 && seq_after(m->gap[i].to, from);) {
        struct meter_gap *g = &m->gap[i];
        uint32_t a = meter_later(from, g->from), b = meter_earlier(to, g->to);
        if (!seq_after(b, a))
            continue;
        filled = (struct meter_filled){filled.bytes + b - a, g->opened_us, g->tsval, g->tsval};
        if (a == g->from && b == g->to)
            drop_gap(m, i);
        else if (a == g->from)
            g->from = b;
        else if (b == g->to)
            g->to = a;
        else
            split_gap(m, peer, i, a, b);
    }
    return filled;
}

bool meter_is_waiting(const struct meter_side *m, const struct meter_side *peer)
{
    uint32_t end = m->gaps > 0 ? m->gap[m->gaps - 1].to : m->zone.to;
    return meter_has_gaps(m) && !(meter_has(peer, METER_ACK) && !seq_after(end, peer->ack));
}
