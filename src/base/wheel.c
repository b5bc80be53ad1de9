/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/wheel.h"

static uint64_t tick_of(rs_mono at)
{
    return at.ns / WHEEL_TICK;
}

void wheel_init(struct wheel *w, rs_mono now)
{
    for (unsigned i = 0; i < WHEEL_SLOTS; i++)
        list_init(&w->slot[i]);
    w->tick = tick_of(now);
    w->armed = 0;
}

void wheel_timer_init(struct wheel_timer *t)
{
    list_init(&t->node);
    t->at = RS_NEVER;
}

void wheel_arm(struct wheel *w, struct wheel_timer *t, rs_mono at)
{
    if (!list_empty(&t->node)) {
        if (tick_of(t->at) == tick_of(at)) { /* the usual case: a timer moved by less than a tick */
            t->at = at;
            return;
        }
        list_remove(&t->node);
        w->armed--;
    }
    t->at = at;
    if (at.ns == UINT64_MAX)
        return;
    uint64_t tick = tick_of(at);
    if (tick < w->tick)
        tick = w->tick;
    list_append(&w->slot[tick & (WHEEL_SLOTS - 1)], &t->node);
    w->armed++;
}

struct wheel_timer *wheel_pop(struct wheel *w, rs_mono now)
{
    uint64_t now_tick = tick_of(now);
    if (w->armed == 0) {
        w->tick = now_tick > w->tick ? now_tick : w->tick;
        return NULL;
    }
    if (now_tick > w->tick + WHEEL_SLOTS) /* long asleep: one full turn sees every slot */
        w->tick = now_tick - WHEEL_SLOTS;
    for (;;) {
        struct list *slot = &w->slot[w->tick & (WHEEL_SLOTS - 1)];
        for (struct list *n = slot->next; n != slot; n = n->next) {
            struct wheel_timer *t = LIST_ENTRY(n, struct wheel_timer, node);
            if (rs_mono_reached(t->at, now)) {
                list_remove(n);
                w->armed--;
                t->at = RS_NEVER;
                return t;
            }
        }
        if (w->tick >= now_tick)
            return NULL;
        w->tick++;
    }
}
