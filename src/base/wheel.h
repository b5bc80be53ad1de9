/* SPDX-License-Identifier: GPL-3.0-or-later
 * A hashed timing wheel: arming, moving and cancelling a timer cost O(1); resolution 1 ms. Timers
 * never fire early. */
#ifndef RS_BASE_WHEEL_H
#define RS_BASE_WHEEL_H

#include "base/list.h"
#include "base/time.h"

#define WHEEL_SLOTS 8192u /* a power of two; later timers wait further turns */
#define WHEEL_TICK  RS_MS

struct wheel_timer {
    struct list node;
    rs_mono at;
};

struct wheel {
    struct list slot[WHEEL_SLOTS];
    uint64_t tick; /* the next tick that wheel_pop looks at */
    size_t armed;
};

void wheel_init(struct wheel *w, rs_mono now);
void wheel_timer_init(struct wheel_timer *t);
/* Arms or moves the timer; `at` RS_NEVER cancels it. */
void wheel_arm(struct wheel *w, struct wheel_timer *t, rs_mono at);
/* Takes one timer that is due at `now` out of the wheel, or NULL. Call until NULL. */
struct wheel_timer *wheel_pop(struct wheel *w, rs_mono now);

#endif
