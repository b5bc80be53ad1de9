/* SPDX-License-Identifier: GPL-3.0-or-later
 * Chain evilbit: the reserved bit of the IPv4 header (RFC 791 3.1, RFC 3514). */
#include "observe/flow_int.h"

#define IP_FLAG_RESERVED 4u

void chain_evilbit(struct flow *f, const struct seen *s)
{
    bool fwd = s->dir == FLOW_FWD;
    enum marked what = what_is_marked(s);
    if (what == MARKED_NOTHING || !(s->v->have & WIRE_IP4))
        return;
    int8_t *first = what == MARKED_SYN ? (fwd ? &f->evilbit_syn_fwd : &f->evilbit_syn_rev)
                                       : (fwd ? &f->evilbit_data_fwd : &f->evilbit_data_rev);
    if (*first < 0)
        *first = (s->v->ip_flags & IP_FLAG_RESERVED) != 0;
}
