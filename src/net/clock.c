/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net/clock.h"

#include <time.h>

rs_mono clock_mono(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (rs_mono){(uint64_t)t.tv_sec * RS_SEC + (uint64_t)t.tv_nsec};
}

rs_wall clock_wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (rs_wall){(int64_t)t.tv_sec * (int64_t)RS_SEC + (int64_t)t.tv_nsec};
}
