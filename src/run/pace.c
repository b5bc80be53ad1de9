/* SPDX-License-Identifier: GPL-3.0-or-later
 * Pacing. With a rate: a token bucket that every packet draws from and that only new arms wait for,
 * so that answers are never late. With rate 0: a window of connections on their way that grows
 * while first SYNs are answered and shrinks when later ones are, when the capture loses packets or
 * when the kernel pushes back. Silence alone is no loss. */
#include "run/engine_int.h"

#define WINDOW_FIRST 64u
#define WINDOW_LEAST 16u
#define CUT_INTERVAL (200 * RS_MS) /* one cut for one event of congestion */

void pace_init(struct engine *e, rs_mono now)
{
    e->tokens_at = now;
    e->hold_until = now;
    e->cut_at = now;
    e->window = WINDOW_FIRST;
    e->window_ceiling = e->config.targets_most * (unsigned)e->config.plugin->n_arms;
    e->tokens = 2;
}

void pace_refill(struct engine *e, rs_mono now)
{
    if (e->config.rate != 0) {
        double most =
            (double)e->config.rate / 100; /* 10 ms worth: a long sleep must not end in a burst */
        most = most < 4 ? 4 : most;
        e->tokens += (double)rs_mono_diff(now, e->tokens_at) * (double)e->config.rate / 1e9;
        e->tokens = e->tokens > most ? most : e->tokens;
    }
    e->tokens_at = now;
}

bool pace_allows(const struct engine *e, rs_mono now)
{
    if (!rs_mono_reached(e->hold_until, now))
        return false;
    return e->config.rate != 0 ? e->tokens >= 1 : e->in_window < e->window;
}

rs_mono pace_next(const struct engine *e, rs_mono now)
{
    if (!rs_mono_reached(e->hold_until, now))
        return e->hold_until;
    if (e->config.rate == 0)
        return e->in_window < e->window ? now : RS_NEVER; /* a full window moves by events */
    double wait = e->tokens >= 1 ? 0 : (1 - e->tokens) * 1e9 / (double)e->config.rate;
    return rs_mono_add(now, (uint64_t)wait);
}

void pace_packet(struct engine *e)
{
    if (e->config.rate != 0)
        e->tokens -= 1;
}

void pace_started(struct engine *e, struct conn *c)
{
    c->in_window = true;
    e->in_window++;
}

static void cut(struct engine *e, rs_mono now)
{
    if (rs_mono_diff(now, e->cut_at) < CUT_INTERVAL)
        return;
    e->cut_at = now;
    e->window = e->window * 7 / 10;
    e->window = e->window < WINDOW_LEAST ? WINDOW_LEAST : e->window;
    e->window_ceiling = e->window;
}

void pace_left(struct engine *e, struct conn *c, bool answered, bool late, rs_mono now)
{
    if (late)
        cut(e, now);
    if (!c->in_window)
        return;
    c->in_window = false;
    e->in_window--;
    if (!answered || late)
        return;
    /* Doubles in a window's worth of answers up to where it was cut last, then grows by a 32nd. */
    if (e->window < e->window_ceiling || rs_rand_below(&e->rand, 32) == 0)
        e->window++;
}

void engine_pressure(struct engine *e, rs_mono now)
{
    cut(e, now);
    e->hold_until = rs_mono_add(now, 20 * RS_MS);
}
