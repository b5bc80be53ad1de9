/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the pacing files share. pace.c is what the engine calls; pace_rate.c finds the rate of -r 0;
 * pace_prefix.c bounds what goes to one network. */
#ifndef RS_RUN_PACE_INT_H
#define RS_RUN_PACE_INT_H

#include "run/engine_int.h"

/* pace_rate.c */
void pace_rate_init(struct engine *e, rs_mono now);
/* Ends the epochs that are over and judges what they have shown. */
void pace_rate_tick(struct engine *e, rs_mono now);
void pace_rate_sent(struct engine *e);
void pace_rate_started(struct engine *e, struct conn *c);
void pace_rate_pressure(struct engine *e, rs_mono now);

/* pace_prefix.c; without a limit both do nothing */
/* Packets that leave without having waited push back those that come. */
void pace_prefix_draw(struct engine *e, const struct wire_addr *dst, unsigned packets, rs_mono now);

#endif
