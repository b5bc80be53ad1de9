/* SPDX-License-Identifier: GPL-3.0-or-later
 * The machine's life and its user calls (RFC 9293 3.10.1 to 3.10.5), its timers (3.10.8). */
#include "tcpstate/tcp.h"

#include <assert.h>
#include <string.h>

#include "tcpstate/tcp_int.h"

void tcp_out_clear(struct tcp_out *out)
{
    out->events = 0;
    out->n_data = 0;
    out->n_segments = 0;
    out->more = false;
}

void tcp_init(struct tcp *m, const struct tcp_config *config)
{
    memset(m, 0, sizeof *m);
    m->c = *config;
    struct tcp_config *c = &m->c;
    c->mss = c->mss != 0 ? c->mss : TCP_MSS_OURS;
    c->rcv_window = c->rcv_window != 0 ? c->rcv_window : TCP_WINDOW_OURS;
    c->wscale = c->wscale < TCP_WSCALE_MOST ? c->wscale : TCP_WSCALE_MOST;
    c->syn_tries = c->syn_tries != 0 ? c->syn_tries : 3;
    c->data_tries = c->data_tries != 0 ? c->data_tries : 6;
    c->syn_wait_ns = c->syn_wait_ns != 0 ? c->syn_wait_ns : 3 * RS_SEC;
    m->retransmit_at = m->ack_at = m->timed_at = RS_NEVER;
    m->rto_us = TCP_RTO_FIRST_US;
    m->cwnd = TCP_FLIGHT;
    m->ssthresh = TCP_FLIGHT;
    m->near_left = m->far_left = TCP_ANSWERS;
}

void tcp_release(struct tcp *m)
{
    tcp_drop_held(m);
    tcp_reap(m);
}

void tcp_enter(struct tcp *m, enum tcp_state state)
{
    m->state = (uint8_t)state;
    if (state != TCP_CLOSED && state != TCP_TIME_WAIT)
        return;
    m->retransmit_at = m->ack_at = RS_NEVER;
    tcp_drop_held(m);
}

void tcp_rst(struct tcp *m, uint32_t seq, bool with_ack)
{
    m->rst_due = true;
    m->rst_seq = seq;
    m->rst_acks = with_ack;
}

void tcp_give_up(struct tcp *m, struct tcp_out *out)
{
    out->events |= TCP_EV_GAVE_UP;
    tcp_rst(m, m->snd_nxt, true);
    m->refuses = true;
    tcp_enter(m, TCP_CLOSED);
}

void tcp_open(struct tcp *m, rs_mono now)
{
    assert(!m->opened);
    m->opened = true;
    m->opened_at = m->refilled_at = now;
    m->snd_una = m->c.iss;
    m->snd_nxt = m->c.iss + 1;
    m->syn_due = true;
    tcp_enter(m, TCP_SYN_SENT);
}

static bool may_write(const struct tcp *m)
{
    return (m->state == TCP_SYN_SENT || m->state == TCP_ESTABLISHED ||
            m->state == TCP_CLOSE_WAIT) &&
           !m->closing;
}

int tcp_write(struct tcp *m, const uint8_t *bytes, size_t n, rs_mono now)
{
    (void)now;
    if (!may_write(m))
        return -RS_EINVAL;
    if (n == 0)
        return 0;
    if (n > TCP_STREAM_MOST - m->written)
        return -RS_EINVAL;
    if (m->stream == NULL)
        m->stream = bytes;
    if (bytes != m->stream + m->written)
        return -RS_EINVAL;
    m->written += (uint32_t)n;
    return 0;
}

static void close_nothing(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    (void)m;
    (void)now;
    (void)out;
}

/* RFC 9293 3.10.4, SYN-SENT: delete the TCB. */
static void close_unanswered(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    tcp_abort(m, now, out);
}

/* RFC 9293 3.10.4, ESTABLISHED: FIN after what was written; enter FIN-WAIT-1 in any case. */
static void close_first(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    (void)now;
    (void)out;
    m->closing = true;
    tcp_enter(m, TCP_FIN_WAIT_1);
}

/* RFC 9293 3.10.4, CLOSE-WAIT: the same, enter LAST-ACK. */
static void close_second(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    (void)now;
    (void)out;
    m->closing = true;
    tcp_enter(m, TCP_LAST_ACK);
}

const tcp_turn_fn tcp_on_close[TCP_NSTATES] = {
    [TCP_CLOSED] = close_nothing,     [TCP_SYN_SENT] = close_unanswered,
    [TCP_ESTABLISHED] = close_first,  [TCP_FIN_WAIT_1] = close_nothing,
    [TCP_FIN_WAIT_2] = close_nothing, [TCP_CLOSING] = close_nothing,
    [TCP_TIME_WAIT] = close_nothing,  [TCP_CLOSE_WAIT] = close_second,
    [TCP_LAST_ACK] = close_nothing,
};

void tcp_close(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    tcp_on_close[m->state](m, now, out);
}

/* RFC 9293 3.10.5. After SYN-SENT nothing is owed to a peer that never answered; a SYN/ACK that
 * comes later draws an RST. */
void tcp_abort(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    (void)now;
    if (m->state == TCP_CLOSED || m->state == TCP_TIME_WAIT)
        return;
    out->events |= TCP_EV_ABORTED;
    if (m->state != TCP_SYN_SENT)
        tcp_rst(m, m->snd_nxt, true);
    m->refuses = true;
    tcp_enter(m, TCP_CLOSED);
}

uint64_t tcp_rto_ns(const struct tcp *m)
{
    uint64_t us = (uint64_t)m->rto_us << m->backoff;
    return (us < TCP_RTO_MOST_US ? us : TCP_RTO_MOST_US) * RS_US;
}

uint32_t tcp_tsval(const struct tcp *m, rs_mono now)
{
    return m->c.ts_offset + (uint32_t)(now.ns / RS_MS);
}

static void timeout_nothing(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    (void)m;
    (void)now;
    (void)out;
}

/* RFC 6298 5.4 to 5.6 for the SYN. */
static void timeout_syn(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    (void)now;
    if (m->syns < m->c.syn_tries) {
        m->syn_due = true;
        out->events |= TCP_EV_RETRANSMITTED;
        return;
    }
    out->events |= TCP_EV_SYN_TIMEOUT;
    m->refuses = true;
    tcp_enter(m, TCP_CLOSED);
}

/* RFC 6298 5.4 to 5.6, RFC 9293 3.8.6.1 when only a closed window is in the way. */
static void timeout_data(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    (void)now;
    if (m->timeouts + 1u >= m->c.data_tries) {
        tcp_give_up(m, out);
        return;
    }
    m->timeouts++;
    if (m->backoff < 16)
        m->backoff++;
    if (m->flight_n == 0) {
        m->probe_due = true;
        return;
    }
    m->retransmit_due = true;
    m->recovering = true;
    m->recover = m->snd_nxt;
    tcp_ecn_loss(m);
    out->events |= TCP_EV_RETRANSMITTED;
}

const tcp_turn_fn tcp_on_timeout[TCP_NSTATES] = {
    [TCP_CLOSED] = timeout_nothing,     [TCP_SYN_SENT] = timeout_syn,
    [TCP_ESTABLISHED] = timeout_data,   [TCP_FIN_WAIT_1] = timeout_data,
    [TCP_FIN_WAIT_2] = timeout_nothing, [TCP_CLOSING] = timeout_data,
    [TCP_TIME_WAIT] = timeout_nothing,  [TCP_CLOSE_WAIT] = timeout_data,
    [TCP_LAST_ACK] = timeout_data,
};

void tcp_expire(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    tcp_reap(m);
    out->n_data = 0;
    if (m->mute)
        return;
    if (rs_mono_reached(m->ack_at, now)) {
        m->ack_at = RS_NEVER;
        m->ack_due = true;
    }
    if (rs_mono_reached(m->retransmit_at, now)) {
        m->retransmit_at = RS_NEVER;
        tcp_on_timeout[m->state](m, now, out);
    }
}

rs_mono tcp_next_expiry(const struct tcp *m)
{
    return m->mute ? RS_NEVER : rs_mono_min(m->retransmit_at, m->ack_at);
}

enum tcp_state tcp_state(const struct tcp *m)
{
    return (enum tcp_state)m->state;
}

bool tcp_over(const struct tcp *m)
{
    return m->opened && (m->state == TCP_CLOSED || m->state == TCP_TIME_WAIT);
}

/* RFC 5927 4.1: SND.UNA =< SEG.SEQ < SND.NXT. */
bool tcp_all_acked(const struct tcp *m)
{
    return m->snd_una - m->c.iss - 1 >= m->written; /* the SYN takes one number */
}

bool tcp_has_gap(const struct tcp *m)
{
    return m->held != NULL;
}

bool tcp_quote_plausible(const struct tcp *m, uint32_t seq)
{
    return m->syns > 0 && seq_le(m->snd_una, seq) && seq_lt(seq, m->snd_nxt);
}

bool tcp_ack_plausible(const struct tcp *m, uint32_t ack)
{
    return m->syns > 0 && seq_lt(m->c.iss, ack) && seq_le(ack, m->snd_nxt);
}

unsigned tcp_syns_sent(const struct tcp *m)
{
    return m->syns;
}

bool tcp_ecn_negotiated(const struct tcp *m)
{
    return m->ecn_on;
}
