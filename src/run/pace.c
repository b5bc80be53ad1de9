/* SPDX-License-Identifier: GPL-3.0-or-later
 * Pacing: when the next arm may leave. A token bucket of packets at the rate of -r, or at the one
 * that pace_rate.c finds, and holds for what is wrong on this host. Only new arms wait, so that
 * answers are never late; but every packet is paid for. An arm pays for PACE_PREPAID packets when
 * it begins, so that SYNs leave evenly and not in waves of a round trip; what it needs beyond that
 * it draws as it goes, what it did not need comes back when it ends. */
#include "run/pace_int.h"

#define HOLD        (20 * RS_MS) /* after the kernel pushed back or lost packets */
#define BEHIND_MOST (10 * RS_MS) /* from a packet's arrival to its turn here */
#define BEHIND_LOOK RS_MS

void pace_init(struct engine *e, rs_mono now)
{
    struct pace *p = &e->pace;
    p->refilled = p->hold_until = now;
    p->tokens = 2;
    pace_rate_init(e, now);
}

/* The capture's queue is the first thing that fills when this loop cannot keep up, long before the
 * kernel drops anything; answers that wait there make RTTs and distances of arms wrong, too. */
static void look_behind(struct engine *e)
{
    struct pace *p = &e->pace;
    bool was = p->behind;
    p->behind = false;
    if (p->seen_at.ns == 0)
        return; /* nothing was waiting */
    p->behind = e->ops.wall(e->ops.ctx).ns - p->seen_at.ns > (int64_t)BEHIND_MOST;
    p->seen_at.ns = 0;
    if (p->behind && !was)
        e->counters.pace_behind++;
}

void pace_refill(struct engine *e, rs_mono now)
{
    struct pace *p = &e->pace;
    double most = p->rate / 100; /* 10 ms worth: a long sleep must not end in a burst */
    most = most < 4 ? 4 : most;
    p->tokens += (double)rs_mono_diff(now, p->refilled) * p->rate / 1e9;
    p->tokens = p->tokens > most ? most : p->tokens < -p->rate ? -p->rate : p->tokens;
    p->refilled = now;
    look_behind(e);
    pace_rate_tick(e, now);
}

bool pace_allows(const struct engine *e, rs_mono now)
{
    const struct pace *p = &e->pace;
    return !p->behind && p->tokens >= 1 && rs_mono_reached(p->hold_until, now);
}

rs_mono pace_next(const struct engine *e, rs_mono now)
{
    const struct pace *p = &e->pace;
    if (!rs_mono_reached(p->hold_until, now))
        return p->hold_until;
    if (p->behind)
        return rs_mono_add(now, BEHIND_LOOK);
    return rs_mono_add(now, p->tokens >= 1 ? 0 : (uint64_t)((1 - p->tokens) * 1e9 / p->rate));
}

void pace_started(struct engine *e, struct conn *c)
{
    c->prepaid = PACE_PREPAID;
    e->pace.tokens -= PACE_PREPAID;
    pace_rate_started(e, c);
}

void pace_packet(struct engine *e, struct conn *c)
{
    pace_rate_sent(e);
    if (c->prepaid > 0) {
        c->prepaid--;
        return;
    }
    e->pace.tokens -= 1;
    pace_prefix_draw(e, &c->target->dip, 1, e->pace.refilled);
}

void pace_stray(struct engine *e, const struct wire_addr *dst)
{
    pace_rate_sent(e);
    e->pace.tokens -= 1;
    pace_prefix_draw(e, dst, 1, e->pace.refilled);
}

void pace_ended(struct engine *e, struct conn *c)
{
    e->pace.tokens += c->prepaid;
    c->prepaid = 0;
}

void pace_seen(struct engine *e, rs_wall at)
{
    e->pace.seen_at = at;
}

void engine_pressure(struct engine *e, rs_mono now)
{
    e->pace.hold_until = rs_mono_add(now, HOLD);
    pace_rate_pressure(e, now);
}
