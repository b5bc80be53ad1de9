/* SPDX-License-Identifier: GPL-3.0-or-later
 * Initial sequence numbers and time stamps that a peer in TIME-WAIT accepts on a 4-tuple used
 * before. */
#include "run/engine_int.h"

/* RFC 6528 3: ISN = M + F(localip, localport, remoteip, remoteport, secret), M a clock of 4 us. */
uint32_t isn_for(const struct engine *e, const struct wire_tuple *t, rs_mono now)
{
    return (uint32_t)(now.ns / 4000) + (uint32_t)rs_siphash(&e->config.secret, t, sizeof *t);
}

/* RFC 6437: the same for all arms towards one destination (law 6), and for its whole run. */
uint32_t flow_label_for(const struct engine *e, const struct wire_addr *dst)
{
    return (uint32_t)(rs_siphash(&e->config.secret, dst, sizeof *dst) >> 32) & 0xfffffu;
}

/* RFC 7323 5.4: an offset for each destination, so that the clock goes on from one connection to
 * the next. */
uint32_t tsval_offset(const struct engine *e, const struct wire_addr *dst)
{
    return (uint32_t)rs_siphash(&e->config.secret, dst, sizeof *dst);
}
