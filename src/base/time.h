/* SPDX-License-Identifier: GPL-3.0-or-later
 * Two clocks, two types: timers use the monotonic one, records and capture stamps the wall clock.
 * They never mix. */
#ifndef RS_BASE_TIME_H
#define RS_BASE_TIME_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t ns; /* CLOCK_MONOTONIC, nanoseconds; UINT64_MAX means never */
} rs_mono;

typedef struct {
    int64_t ns; /* UTC, nanoseconds since 1970-01-01; 0 means unknown */
} rs_wall;

#define RS_NEVER ((rs_mono){UINT64_MAX})
#define RS_US    UINT64_C(1000)
#define RS_MS    UINT64_C(1000000)
#define RS_SEC   UINT64_C(1000000000)

static inline bool rs_mono_reached(rs_mono deadline, rs_mono now)
{
    return deadline.ns <= now.ns;
}

static inline rs_mono rs_mono_add(rs_mono at, uint64_t ns)
{
    return (rs_mono){at.ns > UINT64_MAX - ns ? UINT64_MAX : at.ns + ns};
}

static inline rs_mono rs_mono_min(rs_mono a, rs_mono b)
{
    return a.ns < b.ns ? a : b;
}

/* Nanoseconds from `from` to `to`; 0 when `to` lies before it. */
static inline uint64_t rs_mono_diff(rs_mono to, rs_mono from)
{
    return to.ns > from.ns ? to.ns - from.ns : 0;
}

#endif
