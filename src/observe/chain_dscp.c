/* SPDX-License-Identifier: GPL-3.0-or-later
 * Chain dscp: Differentiated Services codepoints (RFC 2474). */
#include "observe/flow_int.h"

void chain_dscp(struct flow *f, const struct seen *s)
{
    bool fwd = s->dir == FLOW_FWD;
    enum marked what = what_is_marked(s);
    if (what == MARKED_NOTHING)
        return;
    int8_t *first = what == MARKED_SYN ? (fwd ? &f->dscp_mark_syn_fwd : &f->dscp_mark_syn_rev)
                                       : (fwd ? &f->dscp_mark_data_fwd : &f->dscp_mark_data_rev);
    if (*first < 0)
        *first = (int8_t)(s->v->tos >> 2);
}
