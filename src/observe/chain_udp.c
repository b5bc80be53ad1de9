/* SPDX-License-Identifier: GPL-3.0-or-later
 * Chain udp: UDP without a checksum (RFC 768, RFC 6936). */
#include "observe/flow_int.h"

void chain_udp(struct flow *f, const struct seen *s)
{
    if (s->v->have & WIRE_UDP)
        *(s->dir == FLOW_FWD ? &f->udp_zero_checksum_fwd : &f->udp_zero_checksum_rev) =
            (s->v->have & WIRE_UDP_NO_CKSUM) != 0;
}
