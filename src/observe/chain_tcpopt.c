/* SPDX-License-Identifier: GPL-3.0-or-later
 * Chain tcpopt: what the peer's side of the handshake agrees to. */
#include "observe/flow_int.h"

static void note(int8_t *field, const struct seen *s, uint32_t option)
{
    if (s->options.have & option)
        *field = 1;
    else if (*field < 0 && !(s->v->have & WIRE_TRUNCATED)) /* what was cut off may have held it */
        *field = 0;
}

void chain_tcpopt(struct flow *f, const struct seen *s)
{
    if (s->kind != KIND_SYN || s->dir != FLOW_REV)
        return;
    note(&f->tcpopt_ts, s, OPT_TIMESTAMP);
    note(&f->tcpopt_ws, s, OPT_WSCALE);
    note(&f->tcpopt_sack, s, OPT_SACK_OK);
}
