/* SPDX-License-Identifier: GPL-3.0-or-later
 * Chain tfo: TCP Fast Open (RFC 7413): the cookie that is asked for, given or used, and whether the
 * data of the SYN was taken. */
#include "observe/flow_int.h"

static void syn(struct flow *f, const struct seen *s)
{
    if (f->tfo_synkind != 0 || !(s->options.have & OPT_FASTOPEN))
        return;
    f->tfo_synkind = s->options.tfo_kind;
    f->tfo_synclen = s->options.tfo_cookie_bytes;
    f->tfo_seq = s->v->seq;
    f->tfo_dlen = s->v->payload_bytes;
}

static void synack(struct flow *f, const struct seen *s)
{
    if (f->tfo_synkind == 0 || f->tfo_answered)
        return;
    f->tfo_answered = 1;
    f->tfo_ack = s->v->ack;
    if (s->options.have & OPT_FASTOPEN) {
        f->tfo_ackkind = s->options.tfo_kind;
        f->tfo_ackclen = s->options.tfo_cookie_bytes;
    }
}

void chain_tfo(struct flow *f, const struct seen *s)
{
    if (s->kind != KIND_SYN)
        return;
    bool acks = (s->v->flags & TCP_ACK) != 0;
    if (s->dir == FLOW_FWD && !acks)
        syn(f, s);
    else if (s->dir == FLOW_REV && acks)
        synack(f, s);
}
