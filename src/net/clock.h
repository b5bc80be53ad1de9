/* SPDX-License-Identifier: GPL-3.0-or-later
 * The only place that reads a clock. Everything below `run` gets its time as an argument. */
#ifndef RS_NET_CLOCK_H
#define RS_NET_CLOCK_H

#include "base/time.h"

/* CLOCK_MONOTONIC: deadlines and timers. */
rs_mono clock_mono(void);
/* CLOCK_REALTIME: records and the stamps of packets that we sent. */
rs_wall clock_wall(void);

#endif
