/* SPDX-License-Identifier: GPL-3.0-or-later
 * Chain mss: the maximum segment size that each side offers (RFC 9293 3.2). */
#include "observe/flow_int.h"

void chain_mss(struct flow *f, const struct seen *s)
{
    bool fwd = s->dir == FLOW_FWD;
    int8_t *length = fwd ? &f->mss_len_fwd : &f->mss_len_rev;
    if (s->kind != KIND_SYN || s->options.mss_length == 0 || *length >= 0)
        return;
    *length = (int8_t)s->options.mss_length;
    if (s->options.mss_length == 4)
        *(fwd ? &f->mss_value_fwd : &f->mss_value_rev) = s->options.mss;
}
