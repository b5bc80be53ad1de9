/* SPDX-License-Identifier: GPL-3.0-or-later
 * RFC 9293 3.10.7, RFC 5961 and RFC 5927 4 as questions to one who only sees the packets: anybody
 * can forge a segment with our addresses and ports, but only who saw ours knows its numbers. */
#include "observe/evidence.h"

#include <string.h>

#include "observe/flow_int.h"

void received_parse(struct received *r, const uint8_t *ip, size_t n)
{
    memset(r, 0, sizeof *r);
    if (wire_parse(&r->view, ip, n, WIRE_PARSE_PACKET) != 0)
        return;
    const struct wire_view *v = &r->view;
    if (v->have & WIRE_FRAGMENT) {
        r->kind = RECEIVED_FRAGMENT;
    } else if (wire_is_icmp_error(v)) {
        if (!(v->have & WIRE_QUOTE) ||
            wire_parse(&r->quote, v->quote, v->quote_bytes, WIRE_PARSE_QUOTE) != 0 ||
            !(r->quote.have & WIRE_PORTS))
            return;
        r->kind = RECEIVED_ERROR;
        r->tuple = wire_view_tuple(&r->quote);
    } else if (v->have & WIRE_TCP) {
        r->kind = RECEIVED_SEGMENT;
        r->tuple = wire_view_tuple(v);
    } else {
        r->kind = RECEIVED_OTHER;
    }
}

static uint32_t end_of(const struct wire_view *v)
{
    return v->seq + v->payload_bytes + ((v->flags & TCP_SYN) != 0) + ((v->flags & TCP_FIN) != 0);
}

void flow_sent(struct flow *f, const struct wire_view *v, rs_wall at)
{
    struct flow_sight *sight = &f->sight;
    uint32_t end = end_of(v);
    if (!sight->opened && (v->flags & TCP_SYN)) {
        sight->opened = true;
        sight->iss = sight->acked = v->seq;
        sight->sent_end = end;
    }
    /* An RST in answer to a wrong segment has the numbers of that (RFC 9293 3.10.7.3), which
     * anybody may have made up. */
    if (!(v->flags & TCP_RST)) {
        if (seq_after(end, sight->sent_end))
            sight->sent_end = end;
        if (v->flags & TCP_ACK)
            sight->ack_sent = v->ack;
    }
    sight->packets++;
    flow_packet(f, v, FLOW_FWD, at);
}

/* RFC 5961 5.2 as a question: does the acknowledgement prove that its sender saw our SYN? */
static bool acks_ours(const struct flow_sight *sight, const struct wire_view *v)
{
    return (v->flags & TCP_ACK) && seq_after(v->ack, sight->iss) &&
           !seq_after(v->ack, sight->sent_end);
}

/* RFC 9293 3.10.7.3 before the handshake; RFC 5961 3.2 after it: the very next number of its side,
 * or what a closed port takes from a segment of ours (RFC 9293 3.10.7.1). */
static bool resets_ours(const struct flow_sight *sight, const struct wire_view *v)
{
    if (!sight->answered)
        return acks_ours(sight, v);
    return v->seq == sight->peer_end || v->seq == sight->ack_sent;
}

static bool is_believable(const struct flow_sight *sight, const struct wire_view *v)
{
    if (!sight->opened)
        return false;
    return v->flags & TCP_RST ? resets_ours(sight, v) : acks_ours(sight, v);
}

static enum believed segment(struct flow *f, const struct wire_view *v, rs_wall at)
{
    struct flow_sight *sight = &f->sight;
    if (v->l4_cksum == WIRE_CKSUM_BAD || v->ip_cksum == WIRE_CKSUM_BAD) {
        f->bad_checksum_rev++;
        return BAD_CHECKSUM;
    }
    if (!is_believable(sight, v))
        return UNBELIEVABLE;
    if (!(v->flags & TCP_RST)) {
        uint32_t end = end_of(v);
        if (!sight->answered || seq_after(end, sight->peer_end))
            sight->peer_end = end;
        sight->answered = true;
        if (seq_after(v->ack, sight->acked))
            sight->acked = v->ack;
    }
    sight->packets++;
    flow_packet(f, v, FLOW_REV, at);
    return BELIEVED;
}

enum believed flow_received(struct flow *f, const struct received *r, rs_wall at)
{
    if (r->kind == RECEIVED_SEGMENT)
        return segment(f, &r->view, at);
    /* RFC 5927 4: it must quote a segment of ours that is still unacknowledged. */
    struct flow_sight *sight = &f->sight;
    if (!sight->opened || !(r->quote.have & WIRE_TCP_SEQ) ||
        seq_after(sight->acked, r->quote.seq) || !seq_after(sight->sent_end, r->quote.seq))
        return UNBELIEVABLE;
    sight->packets++;
    flow_icmp_error(f, &r->view, FLOW_REV, at);
    return BELIEVED;
}
