/* SPDX-License-Identifier: GPL-3.0-or-later
 * SEGMENT ARRIVES in CLOSED and SYN-SENT (RFC 9293 3.10.7.1, 3.10.7.3): who may open or refuse. */
#include "tcpstate/tcp_int.h"

/* RFC 9293 3.10.7.1: a stray draws an RST, where the peer may still hold state. After an orderly
 * end or the peer's own RST we stay silent: there is nothing left to clear. */
enum verdict tcp_closed_segment(struct tcp *m, struct arrival *a)
{
    const struct wire_view *v = a->view;
    if (m->refuses && (v->flags & (TCP_RST | TCP_ACK)) == TCP_ACK &&
        tcp_may_answer(m, v->ack == m->snd_nxt, a->now))
        tcp_rst(m, v->ack, false);
    return DROP;
}

static void negotiate_options(struct tcp *m, const struct wire_options *o)
{
    m->ts_on = m->c.timestamps && (o->have & OPT_TIMESTAMP) != 0;     /* RFC 7323 3.2 */
    m->sack_on = m->c.sack_permitted && (o->have & OPT_SACK_OK) != 0; /* RFC 2018 2 */
    m->wscale_on = m->c.window_scale && (o->have & OPT_WSCALE) != 0;  /* RFC 7323 2.2 */
    m->ts_recent = m->ts_on ? o->tsval : 0;
    if (m->wscale_on) /* RFC 7323 2.3 */
        m->snd_wscale = o->wscale < TCP_WSCALE_MOST ? o->wscale : TCP_WSCALE_MOST;
    unsigned mss = (o->have & OPT_MSS) != 0 ? o->mss : TCP_MSS_DEFAULT; /* RFC 9293 3.7.1 */
    if (mss > m->c.mss)
        mss = m->c.mss;
    if (mss < TCP_MSS_LEAST)
        mss = TCP_MSS_LEAST;
    m->snd_mss = (uint16_t)(m->ts_on ? mss - 12 : mss); /* RFC 6691: options come off the MSS */
}

/* RFC 6298 2.2, 5.7: a retransmitted SYN gives no sample, but by its timestamp. */
static void first_rtt(struct tcp *m, const struct arrival *a)
{
    uint64_t since_open_us = rs_mono_diff(a->now, m->opened_at) / RS_US;
    uint64_t echo_us = (uint64_t)(tcp_tsval(m, a->now) - a->options.tsecr) * 1000u;
    if (m->syns == 1)
        tcp_rtt_sample(m, since_open_us);
    else if (m->ts_on && a->options.tsecr != 0 && echo_us <= since_open_us)
        tcp_rtt_sample(m, echo_us);
    else
        m->rto_us = 3 * TCP_RTO_FIRST_US;
}

/* RFC 9293 3.10.7.3, step 4: the SYN/ACK that we wait for. */
static void establish(struct tcp *m, struct arrival *a)
{
    const struct wire_view *v = a->view;
    m->irs = v->seq;
    m->rcv_nxt = v->seq + 1;
    m->rcv_edge = m->rcv_nxt + (m->c.rcv_window < 65535u ? m->c.rcv_window : 65535u);
    m->ack_sent = m->rcv_nxt;
    m->snd_una = v->ack;
    negotiate_options(m, &a->options);
    tcp_ecn_negotiate(m, v->flags);
    m->snd_wnd = v->window; /* RFC 7323 2.2: never scaled on a SYN */
    m->snd_wnd_max = m->snd_wnd;
    m->snd_wl1 = v->seq;
    m->snd_wl2 = v->ack;
    first_rtt(m, a);
    m->retransmit_at = RS_NEVER;
    m->syn_due = false;
    m->ack_due = true;
    tcp_enter(m, TCP_ESTABLISHED);
    a->out->events |= TCP_EV_ESTABLISHED;
    a->seq = m->rcv_nxt;
    tcp_text_and_fin(m, a);
}

enum verdict tcp_syn_sent_segment(struct tcp *m, struct arrival *a)
{
    const struct wire_view *v = a->view;
    const uint16_t flags = v->flags;
    bool acks = (flags & TCP_ACK) != 0 && m->syns > 0;
    bool acceptable = acks && v->ack == m->snd_nxt;      /* ISS < SEG.ACK =< SND.NXT */
    if (acks && !acceptable && (flags & TCP_RST) == 0) { /* 3.10.7.3, step 1 */
        if ((flags & TCP_SYN) != 0)
            a->out->events |= TCP_EV_BAD_SYNACK;
        if (tcp_may_answer(m, false, a->now))
            tcp_rst(m, v->ack, false);
        return DROP;
    }
    if ((flags & TCP_RST) != 0) { /* step 2; RFC 5961 3.2: only if it acknowledges the SYN */
        if (!acceptable)
            return DROP;
        a->out->events |= TCP_EV_REFUSED;
        tcp_enter(m, TCP_CLOSED);
        return DONE;
    }
    if (!acceptable || (flags & TCP_SYN) == 0) /* steps 4 and 5; a SYN alone would be a
                                                  simultaneous open, which we do not take part in */
        return DROP;
    establish(m, a);
    return DONE;
}
