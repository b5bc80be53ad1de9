/* SPDX-License-Identifier: GPL-3.0-or-later
 * At most so many packets a second to one network (--prefix-rate): an IPv4 /24 or an IPv6 /48. A
 * fixed table says for each network until when its packets are paid for; networks that fall on the
 * same place share it, which errs on the safe side. What has to wait gets a moment of its own,
 * after all that waited before, and is not asked again. */
#include <stdlib.h>

#include "run/pace_int.h"

#define PLACES      65536u /* a power of two: 512 KiB */
#define ARM_PACKETS 4u     /* PACE_PREPAID, and room for retries of what began before */

int pace_prefix_init(struct engine *e)
{
    if (e->config.prefix_rate == 0)
        return 0;
    e->pace.prefix = calloc(PLACES, sizeof *e->pace.prefix);
    return e->pace.prefix != NULL ? 0 : -RS_ENOMEM;
}

void pace_prefix_free(struct engine *e)
{
    free(e->pace.prefix);
}

static uint64_t *place(struct engine *e, const struct wire_addr *dst)
{
    struct wire_addr network = wire_addr_network(dst);
    return &e->pace.prefix[rs_siphash(&e->config.secret, &network, sizeof network) & (PLACES - 1)];
}

static rs_mono take(struct engine *e, const struct wire_addr *dst, unsigned packets, rs_mono now)
{
    uint64_t *paid_until = place(e, dst);
    rs_mono at = {*paid_until > now.ns ? *paid_until : now.ns};
    *paid_until = rs_mono_add(at, packets * RS_SEC / e->config.prefix_rate).ns;
    return at;
}

void pace_prefix_draw(struct engine *e, const struct wire_addr *dst, unsigned packets, rs_mono now)
{
    if (e->config.prefix_rate != 0)
        take(e, dst, packets, now);
}

rs_mono pace_prefix_slot(struct engine *e, const struct wire_addr *dst, unsigned arms, rs_mono now)
{
    if (e->config.prefix_rate == 0)
        return now;
    rs_mono at = take(e, dst, arms * ARM_PACKETS, now);
    e->counters.prefix_waits += at.ns > now.ns;
    return at;
}
