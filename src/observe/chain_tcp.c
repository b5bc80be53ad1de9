/* SPDX-License-Identifier: GPL-3.0-or-later
 * Chain tcp: handshake, close, and what kind of segment each one is. */
#include "observe/flow_int.h"

/* Hops behind a TTL, from the next usual initial value (64, 128, 255). */
static int16_t hops(uint8_t ttl)
{
    return (int16_t)((ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255) - ttl);
}

/* One more, as far as it goes: the first must stay the first. Returns how many there were. */
static uint16_t count(uint16_t *n)
{
    uint16_t before = *n;
    *n = (uint16_t)(before + (before < UINT16_MAX));
    return before;
}

static void syn_segment(struct flow *f, const struct seen *s)
{
    const struct wire_view *v = s->v;
    if (s->dir == FLOW_FWD) {
        if (count(&f->tcp_syn_count_fwd) == 0) {
            f->tcp_synflags_fwd = v->flags & 0xff;
            f->tcp_ae_syn_fwd = (v->flags & TCP_AE) != 0;
            f->syn_at = s->at.ns;
        }
        return;
    }
    if (count(&f->tcp_syn_count_rev) != 0) {
        unsigned first = (unsigned)f->tcp_synflags_rev | (f->tcp_ae_syn_rev ? TCP_AE : 0);
        if ((first ^ v->flags) & (TCP_AE | TCP_CWR | TCP_ECE))
            f->tcp_synack_varies = 1;
        return;
    }
    f->tcp_synack_hops = hops(v->ttl);
    f->tcp_synflags_rev = v->flags & 0xff;
    f->tcp_ae_syn_rev = (v->flags & TCP_AE) != 0;
    f->tcp_synack_ttl = v->ttl;
    /* RFC 6298 3 (Karn): with more than one SYN out, nobody knows which one was answered. */
    if (f->tcp_syn_count_fwd == 1 && s->at.ns >= f->syn_at &&
        (s->at.ns - f->syn_at) / 1000 <= INT32_MAX)
        f->tcp_rtt_handshake_us = (int32_t)((s->at.ns - f->syn_at) / 1000);
}

void chain_tcp(struct flow *f, const struct seen *s)
{
    const struct wire_view *v = s->v;
    enum segment_kind kind = s->kind;
    bool fwd = s->dir == FLOW_FWD;
    if (kind == KIND_SYN)
        syn_segment(f, s);
    if (v->flags & TCP_FIN)
        *(fwd ? &f->tcp_fin_fwd : &f->tcp_fin_rev) = 1;
    if (v->flags & TCP_RST) {
        *(fwd ? &f->tcp_rst_fwd : &f->tcp_rst_rev) = 1;
        if (!fwd && f->tcp_rst_ttl < 0) {
            f->tcp_rst_ttl = v->ttl;
            f->tcp_rst_hops = hops(v->ttl);
        }
    }
    if (fwd && kind != KIND_SYN && kind != KIND_RST && (v->flags & TCP_ACK) &&
        f->tcp_synflags_fwd >= 0 && f->tcp_synflags_rev >= 0)
        f->tcp_connected = 1;
    if (kind == KIND_NEW_DATA)
        ++*(fwd ? &f->tcp_newdata_fwd : &f->tcp_newdata_rev);
    if (kind == KIND_RETRANSMISSION)
        ++*(fwd ? &f->tcp_rtx_fwd : &f->tcp_rtx_rev);
    if (kind == KIND_OLD)
        ++*(fwd ? &f->tcp_old_fwd : &f->tcp_old_rev);
}
