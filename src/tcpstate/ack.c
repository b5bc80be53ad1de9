/* SPDX-License-Identifier: GPL-3.0-or-later
 * What an acceptable ACK does (RFC 9293 3.10.7.4, step 5): the flight shrinks, the timer and the
 * RTT estimate move (RFC 6298), the window opens or closes, our FIN arrives. */
#include "tcpstate/tcp_int.h"

struct tcp_flight *tcp_flight_get(struct tcp *m, unsigned i)
{
    return &m->flight[(m->flight_at + i) % TCP_FLIGHT];
}

bool tcp_data_in_flight(const struct tcp *m)
{
    return m->flight_n > 0 && m->flight[m->flight_at % TCP_FLIGHT].bytes > 0;
}

/* RFC 6298 2.2 and 2.3, in microseconds; a sample ends the backoff (5.7). */
void tcp_rtt_sample(struct tcp *m, uint64_t rtt_us)
{
    uint32_t r = rtt_us < TCP_RTO_MOST_US ? (uint32_t)rtt_us : TCP_RTO_MOST_US;
    if (m->srtt_us == 0) {
        m->srtt_us = r > 0 ? r : 1;
        m->rttvar_us = r / 2;
    } else {
        uint32_t off = r > m->srtt_us ? r - m->srtt_us : m->srtt_us - r;
        m->rttvar_us = m->rttvar_us - m->rttvar_us / 4 + off / 4;
        m->srtt_us = m->srtt_us - m->srtt_us / 8 + r / 8;
    }
    uint64_t rto = (uint64_t)m->srtt_us + (m->rttvar_us > 250 ? 4ull * m->rttvar_us : 1000u);
    m->rto_us = rto < TCP_RTO_LEAST_US  ? TCP_RTO_LEAST_US
                : rto > TCP_RTO_MOST_US ? TCP_RTO_MOST_US
                                        : (uint32_t)rto;
    m->backoff = 0;
}

/* RFC 7323 4.1 with timestamps, else the one timed segment (RFC 6298 3). An echo older than the
 * connection is a lie. */
static void measure_rtt(struct tcp *m, const struct arrival *a)
{
    if (m->ts_on && (a->options.have & OPT_TIMESTAMP) != 0 && a->options.tsecr != 0) {
        uint64_t rtt_us = (uint64_t)(tcp_tsval(m, a->now) - a->options.tsecr) * 1000u;
        if (rtt_us <= rs_mono_diff(a->now, m->opened_at) / RS_US + 1000u)
            tcp_rtt_sample(m, rtt_us);
    } else if (m->timed_at.ns != RS_NEVER.ns && seq_le(m->timed_seq, a->view->ack)) {
        tcp_rtt_sample(m, rs_mono_diff(a->now, m->timed_at) / RS_US);
    }
    if (seq_le(m->timed_seq, a->view->ack))
        m->timed_at = RS_NEVER;
}

/* RFC 5681 3.1, in segments. */
static void open_cwnd(struct tcp *m)
{
    if (m->cwnd >= TCP_FLIGHT)
        return;
    if (m->cwnd < m->ssthresh || ++m->cwnd_acked >= m->cwnd) {
        m->cwnd++;
        m->cwnd_acked = 0;
    }
}

/* Takes `n` sequence numbers off the front of the flight. True when our FIN was among them. */
static bool shrink_flight(struct tcp *m, uint32_t n)
{
    bool fin = false;
    while (m->flight_n > 0) {
        struct tcp_flight *f = tcp_flight_get(m, 0);
        if (n < f->bytes) {
            f->bytes = (uint16_t)(f->bytes - n);
            return fin;
        }
        n -= f->bytes;
        f->bytes = 0;
        if (f->fin && n == 0)
            return fin;
        if (f->fin) {
            n--;
            fin = true;
        }
        m->flight_at = (uint8_t)((m->flight_at + 1) % TCP_FLIGHT);
        m->flight_n--;
        if (n == 0)
            return fin;
    }
    return fin;
}

static void advance(struct tcp *m, struct arrival *a)
{
    uint32_t n = a->view->ack - m->snd_una;
    m->snd_una = a->view->ack;
    m->timeouts = 0;
    measure_rtt(m, a);
    bool fin = shrink_flight(m, n);
    open_cwnd(m);
    a->out->events |= TCP_EV_ACKED;
    m->retransmit_due = false;
    /* RFC 6298 5.2 and 5.3 */
    m->retransmit_at = m->flight_n > 0 ? rs_mono_add(a->now, tcp_rto_ns(m)) : RS_NEVER;
    if (m->recovering && seq_le(m->recover, m->snd_una))
        m->recovering = false;
    if (m->recovering && m->flight_n > 0) {
        /* RFC 6582 3.2 step 3: a partial ACK shows the next hole */
        m->retransmit_due = true;
        a->out->events |= TCP_EV_RETRANSMITTED;
    }
    if (fin)
        tcp_on_fin_acked[m->state](m, a->now, a->out);
}

/* RFC 9293 3.10.7.4, step 5: SND.WND from the newest segment only. */
static void update_window(struct tcp *m, const struct arrival *a)
{
    const struct wire_view *v = a->view;
    if (!seq_lt(m->snd_wl1, v->seq) && !(m->snd_wl1 == v->seq && seq_le(m->snd_wl2, v->ack)))
        return;
    m->snd_wnd = (uint32_t)v->window << m->snd_wscale;
    m->snd_wl1 = v->seq;
    m->snd_wl2 = v->ack;
    if (m->snd_wnd > m->snd_wnd_max)
        m->snd_wnd_max = m->snd_wnd;
    if (m->snd_wnd == 0) /* RFC 9293 3.8.6.1: a closed window is no reason to give up */
        m->timeouts = 0;
    else if (m->flight_n == 0)
        m->backoff = 0;
}

void tcp_take_ack(struct tcp *m, struct arrival *a)
{
    bool was_in_flight = tcp_data_in_flight(m);
    if (seq_le(m->snd_una, a->view->ack))
        update_window(m, a);
    if (seq_lt(m->snd_una, a->view->ack))
        advance(m, a);
    tcp_ecn_acked(m, a, was_in_flight);
}

static void acked_nothing(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    (void)m;
    (void)now;
    (void)out;
}

static void acked_fin_wait_2(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    (void)now;
    (void)out;
    tcp_enter(m, TCP_FIN_WAIT_2);
}

static void acked_time_wait(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    (void)now;
    tcp_enter(m, TCP_TIME_WAIT);
    out->events |= TCP_EV_CLOSED;
}

static void acked_closed(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    (void)now;
    tcp_enter(m, TCP_CLOSED);
    out->events |= TCP_EV_CLOSED;
}

/* RFC 9293 3.10.7.4, step 5, by state, when our FIN is acknowledged. */
const tcp_turn_fn tcp_on_fin_acked[TCP_NSTATES] = {
    [TCP_CLOSED] = acked_nothing,      [TCP_SYN_SENT] = acked_nothing,
    [TCP_ESTABLISHED] = acked_nothing, [TCP_FIN_WAIT_1] = acked_fin_wait_2,
    [TCP_FIN_WAIT_2] = acked_nothing,  [TCP_CLOSING] = acked_time_wait,
    [TCP_TIME_WAIT] = acked_nothing,   [TCP_CLOSE_WAIT] = acked_nothing,
    [TCP_LAST_ACK] = acked_closed,
};
