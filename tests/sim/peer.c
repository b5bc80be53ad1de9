/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/peer.h"

#include <string.h>

#include "wire/options.h"

#define BURST 10u /* segments in flight */

static bool before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

void peer_init(struct peer *p, const struct peer_config *c, struct link *link)
{
    memset(p, 0, sizeof *p);
    p->c = *c;
    p->link = link;
    p->retransmit_at = RS_NEVER;
}

static uint32_t fin_seq(const struct peer *p)
{
    return p->c.iss + 1 + p->c.response_bytes;
}

static void put_options(const struct peer *p, struct wire_segment *s, rs_mono now)
{
    struct wire_options o = {.mss = p->c.mss, .wscale = 7, .tsecr = p->ts_recent};
    o.tsval = (uint32_t)(now.ns / RS_MS) + 77;
    bool syn = (s->flags & TCP_SYN) != 0;
    if (syn)
        o.have = OPT_MSS | OPT_SACK_OK | (p->snd_wscale > 0 ? (unsigned)OPT_WSCALE : 0u);
    if (p->ts_on)
        o.have |= OPT_TIMESTAMP;
    s->options_bytes = (uint8_t)wire_options_write(&o, syn, s->options);
}

static void send(struct peer *p, uint16_t flags, uint32_t seq, uint32_t n, bool fresh, rs_mono now)
{
    uint8_t bytes[LINK_PAYLOAD];
    struct wire_segment s = {.seq = seq, .ack = p->rcv_nxt, .flags = flags | TCP_ACK, .tries = 1};
    for (uint32_t i = 0; i < n; i++)
        bytes[i] = stream_byte(seq - p->c.iss - 1 + i);
    s.payload = bytes;
    s.payload_bytes = n;
    s.window = (uint16_t)((flags & TCP_SYN) == 0 && p->snd_wscale > 0 ? p->c.window >> 7
                          : p->c.window < 65535                       ? p->c.window
                                                                      : 65535);
    if ((flags & TCP_SYN) == 0 && p->echo)
        s.flags |= TCP_ECE;
    if (p->c.ecn == PEER_ONE_SHOT)
        p->echo = false;
    if (p->ecn_on && fresh && n > 0) {
        s.ecn = IP_ECN_ECT0;
        s.flags |= p->cwr_due ? TCP_CWR : 0u;
        p->cwr_due = false;
    }
    put_options(p, &s, now);
    s.cls = seg_classify(s.flags, n);
    link_send(p->link, TO_CLIENT, &s, now);
}

/* (AE,CWR,ECE) and codepoint of the SYN -> flags of the SYN/ACK, as measured on Linux 6.18. */
static uint16_t synack_flags(struct peer *p, const struct wire_view *syn)
{
    const uint16_t ecn = TCP_AE | TCP_CWR | TCP_ECE, reserved = TCP_R1 | TCP_R2 | TCP_R3;
    uint16_t asked = syn->flags & ecn;
    if (p->c.ecn == PEER_REFLECTS)
        return asked;
    if (p->c.ecn == PEER_ECN_OFF)
        return 0;
    bool setup = asked == ecn || asked == (TCP_CWR | TCP_ECE);
    bool exempt = asked == ecn || (syn->flags & reserved) != 0;
    p->ecn_on = setup && (exempt || wire_ecn(syn) == IP_ECN_NOT);
    return p->ecn_on ? TCP_ECE : 0;
}

static void send_synack(struct peer *p, rs_mono now)
{
    send(p, TCP_SYN | p->syn_flags, p->c.iss, 0, false, now);
    p->retransmit_at = rs_mono_add(now, RS_SEC << (p->tries < 5 ? p->tries : 5));
}

static void take_syn(struct peer *p, const struct wire_view *v, rs_mono now)
{
    struct wire_options o;
    if (p->state == PEER_LISTEN) { /* the first SYN decides */
        wire_options_parse(&o, v->options, v->options_bytes);
        p->ts_on = p->c.timestamps && (o.have & OPT_TIMESTAMP) != 0;
        p->ts_recent = p->ts_on ? o.tsval : 0;
        p->snd_wscale = p->c.wscale && (o.have & OPT_WSCALE) != 0 ? o.wscale : 0;
        p->irs = v->seq;
        p->rcv_nxt = v->seq + 1;
        p->snd_wnd = v->window;
        p->snd_una = p->snd_nxt = p->snd_max = p->c.iss + 1;
        p->syn_flags = synack_flags(p, v);
        p->state = PEER_SYN_RCVD;
    }
    if (p->state == PEER_SYN_RCVD)
        send_synack(p, now);
    else
        send(p, 0, p->snd_max, 0, false, now); /* challenge ACK */
}

static bool answering(const struct peer *p)
{
    return p->state == PEER_OPEN && (p->got >= p->c.request_bytes || p->fin_seen);
}

static bool closing(const struct peer *p)
{
    return answering(p) && (!p->c.waits_for_close || p->fin_seen);
}

/* Everything that may leave: response, then FIN. */
static bool push(struct peer *p, rs_mono now)
{
    bool sent = false;
    uint32_t end = fin_seq(p), room = p->c.mss - (p->ts_on ? 12u : 0u);
    while (answering(p) && before(p->snd_nxt, end) && p->snd_nxt - p->snd_una < BURST * room &&
           p->snd_nxt - p->snd_una < p->snd_wnd) {
        uint32_t n = end - p->snd_nxt < room ? end - p->snd_nxt : room;
        uint32_t window = p->snd_wnd - (p->snd_nxt - p->snd_una);
        n = n < window ? n : window;
        bool last = closing(p) && p->snd_nxt + n == end;
        send(p, (uint16_t)(TCP_PSH | (last ? TCP_FIN : 0u)), p->snd_nxt, n,
             p->snd_nxt == p->snd_max, now);
        p->snd_nxt += n + (last ? 1u : 0u);
        if (before(p->snd_max, p->snd_nxt))
            p->snd_max = p->snd_nxt;
        sent = true;
    }
    if (closing(p) && p->snd_nxt == end) {
        send(p, TCP_FIN, end, 0, false, now);
        p->snd_nxt++;
        if (before(p->snd_max, p->snd_nxt))
            p->snd_max = p->snd_nxt;
        sent = true;
    }
    if (p->snd_una == p->snd_max)
        p->retransmit_at = RS_NEVER;
    else if (sent || p->retransmit_at.ns == RS_NEVER.ns)
        p->retransmit_at = rs_mono_add(now, (300 * RS_MS) << (p->tries < 5 ? p->tries : 5));
    return sent;
}

static void take_ack(struct peer *p, const struct wire_view *v)
{
    if (before(p->snd_max, v->ack) || before(v->ack, p->snd_una))
        return;
    bool in_flight = p->snd_una != p->snd_max;
    if (before(p->snd_una, v->ack)) {
        p->snd_una = v->ack;
        p->tries = 0;
        if (before(p->snd_nxt, v->ack))
            p->snd_nxt = v->ack;
    }
    p->snd_wnd = (uint32_t)v->window << p->snd_wscale;
    if (p->ecn_on && (v->flags & TCP_ECE) != 0 && in_flight &&
        (!p->cwr_given || before(p->cwr_high, p->snd_una))) {
        p->cwr_given = p->cwr_due = true;
        p->cwr_high = p->snd_max;
    }
}

/* In-window text: CE starts the echo, CWR ends it, CE wins. */
static void take_marks(struct peer *p, const struct wire_view *v)
{
    if (!p->ecn_on || p->c.ecn == PEER_NO_ECHO)
        return;
    if ((v->flags & TCP_CWR) != 0 && p->c.ecn != PEER_STUCK)
        p->echo = false;
    if (v->payload_bytes > 0 && before(p->rcv_nxt, v->seq + v->payload_bytes) &&
        wire_ecn(v) == IP_ECN_CE)
        p->echo = true;
}

static void take_text(struct peer *p, const struct wire_view *v, rs_mono now)
{
    uint32_t end = v->seq + v->payload_bytes;
    bool fin = (v->flags & TCP_FIN) != 0, answer = v->payload_bytes > 0 || fin;
    if (v->payload_bytes == 0 && !fin && v->seq != p->rcv_nxt && before(v->seq, p->rcv_nxt))
        answer = true; /* keep-alive or window probe */
    take_marks(p, v);
    if (!before(p->rcv_nxt, v->seq) && !p->fin_seen) {
        for (uint32_t s = p->rcv_nxt; before(s, end); s++)
            p->wrong_bytes =
                p->wrong_bytes || v->payload[s - v->seq] != stream_byte(s - p->irs - 1);
        if (before(p->rcv_nxt, end)) {
            p->got += end - p->rcv_nxt;
            p->rcv_nxt = end;
        }
        if (fin && end == p->rcv_nxt) {
            p->rcv_nxt++;
            p->fin_seen = true;
        }
    }
    if (!push(p, now) && answer)
        send(p, 0, p->snd_max, 0, false, now);
}

static void take_timestamp(struct peer *p, const struct wire_view *v)
{
    struct wire_options o;
    wire_options_parse(&o, v->options, v->options_bytes);
    if (p->ts_on && (o.have & OPT_TIMESTAMP) != 0 && !before(p->rcv_nxt, v->seq) &&
        !before(o.tsval, p->ts_recent))
        p->ts_recent = o.tsval;
}

void peer_input(struct peer *p, const struct wire_view *v, rs_mono now)
{
    if (p->state == PEER_RESET)
        return;
    if ((v->flags & TCP_RST) != 0) {
        if (p->state != PEER_LISTEN && v->seq == p->rcv_nxt)
            p->state = PEER_RESET;
        return;
    }
    if ((v->flags & TCP_SYN) != 0) {
        take_syn(p, v, now);
        return;
    }
    if (p->state == PEER_LISTEN || (v->flags & TCP_ACK) == 0)
        return;
    if (p->state == PEER_SYN_RCVD) {
        if (v->ack != p->c.iss + 1)
            return;
        p->state = PEER_OPEN;
        p->tries = 0;
        p->retransmit_at = RS_NEVER;
    }
    take_timestamp(p, v);
    take_ack(p, v);
    take_text(p, v, now);
}

void peer_expire(struct peer *p, rs_mono now)
{
    if (!rs_mono_reached(p->retransmit_at, now))
        return;
    p->retransmit_at = RS_NEVER;
    if (++p->tries > 20)
        p->state = PEER_RESET;
    if (p->state == PEER_SYN_RCVD) {
        send_synack(p, now);
    } else if (p->state == PEER_OPEN) {
        p->snd_nxt = p->snd_una;
        push(p, now);
    }
}

bool peer_done(const struct peer *p)
{
    return p->state == PEER_OPEN && p->fin_seen && p->snd_una == fin_seq(p) + 1 && !p->wrong_bytes;
}
