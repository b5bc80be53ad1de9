/* SPDX-License-Identifier: GPL-3.0-or-later
 * SEGMENT ARRIVES in the synchronized states (RFC 9293 3.10.7.4 with RFC 5961 and RFC 7323 5): a
 * list of checks in the order of the RFC, then the text and the FIN. */
#include <assert.h>
#include <stddef.h>

#include "tcpstate/tcp_int.h"

bool tcp_may_answer(struct tcp *m, bool near_window, rs_mono now)
{
    uint64_t add = rs_mono_diff(now, m->refilled_at) / TCP_ANSWER_EVERY;
    if (add > 0) {
        m->refilled_at =
            add > TCP_ANSWERS ? now : rs_mono_add(m->refilled_at, add * TCP_ANSWER_EVERY);
        m->near_left =
            (uint8_t)(m->near_left + add < TCP_ANSWERS ? m->near_left + add : TCP_ANSWERS);
        m->far_left = (uint8_t)(m->far_left + add < TCP_ANSWERS ? m->far_left + add : TCP_ANSWERS);
    }
    uint8_t *left = near_window ? &m->near_left : &m->far_left;
    if (*left == 0)
        return false;
    (*left)--;
    return true;
}

static uint32_t window_left(const struct tcp *m)
{
    return m->rcv_edge - m->rcv_nxt;
}

/* Near the window: nobody off the path guesses that. Such segments have their own answer budget. */
static bool is_near(const struct tcp *m, uint32_t seq)
{
    uint32_t behind = m->c.rcv_window > 65535u ? m->c.rcv_window : 65535u;
    return m->rcv_nxt - seq <= behind || seq - m->rcv_nxt <= window_left(m);
}

static enum verdict challenge(struct tcp *m, const struct arrival *a)
{
    if (tcp_may_answer(m, is_near(m, a->view->seq), a->now)) {
        m->ack_due = true;
        a->out->events |= TCP_EV_CHALLENGED;
    }
    return DROP;
}

/* RFC 7323 5.3, R1 (PAWS); an RST is exempt (5.2). Segments without the option pass, as in Linux:
 * where a box strips it, the connection must not fail only here. TS.Recent cannot grow stale: no
 * attempt lives for 24 days (5.5). */
static enum verdict check_paws(struct tcp *m, struct arrival *a)
{
    if (!m->ts_on || (a->options.have & OPT_TIMESTAMP) == 0 || (a->view->flags & TCP_RST) != 0)
        return GO_ON;
    if (!seq_lt(a->options.tsval, m->ts_recent))
        return GO_ON;
    if (tcp_may_answer(m, is_near(m, a->view->seq), a->now))
        m->ack_due = true;
    return DROP;
}

/* RFC 5961 3.2 (RFC 9293 3.10.7.4, step 2). */
static enum verdict check_rst(struct tcp *m, struct arrival *a)
{
    if ((a->view->flags & TCP_RST) == 0)
        return GO_ON;
    if (m->state == TCP_TIME_WAIT) /* RFC 1337: no assassination */
        return DROP;
    if (a->view->seq == m->rcv_nxt) {
        a->out->events |= TCP_EV_RESET;
        tcp_enter(m, TCP_CLOSED);
        return DONE;
    }
    if (a->view->seq - m->rcv_nxt < window_left(m))
        return challenge(m, a);
    return DROP;
}

/* RFC 5961 4.2 (RFC 9293 3.10.7.4, step 4): never a reset. A SYN/ACK that comes again says that our
 * ACK was lost. */
static enum verdict check_syn(struct tcp *m, struct arrival *a)
{
    const struct wire_view *v = a->view;
    if ((v->flags & TCP_SYN) == 0)
        return GO_ON;
    bool again = v->seq == m->irs && (v->flags & TCP_ACK) != 0 && v->ack == m->c.iss + 1;
    if (!again)
        return challenge(m, a);
    if (tcp_may_answer(m, true, a->now))
        m->ack_due = true;
    return DROP;
}

static bool acceptable(const struct tcp *m, const struct arrival *a)
{
    uint32_t window = window_left(m), length = a->n + (a->fin ? 1u : 0u);
    if (length == 0) /* an ACK right at the edge passes, too: the window before it is full */
        return a->seq - m->rcv_nxt <= window;
    return window > 0 && seq_lt(a->seq, m->rcv_edge) && seq_lt(m->rcv_nxt, a->seq + length);
}

/* RFC 9293 3.10.7.4, step 1. A copy of what we have was sent because our ACK was lost: it is always
 * answered, and as the answer carries no text, no loop can come of it. Anything else is answered
 * within the budget (RFC 5961 10); that covers keep-alives and window probes (RFC 9293 3.8.4,
 * 3.8.6.1). */
static enum verdict check_sequence(struct tcp *m, struct arrival *a)
{
    if (acceptable(m, a))
        return GO_ON;
    bool has_text = a->n > 0 || a->fin;
    if (window_left(m) == 0 && a->seq == m->rcv_nxt) { /* take the ACK, not the text */
        a->n = 0;
        a->fin = false;
        m->ack_due = m->ack_due || tcp_may_answer(m, true, a->now);
        return GO_ON;
    }
    bool near_window = is_near(m, a->seq);
    if ((has_text && near_window && seq_lt(a->seq, m->rcv_nxt)) ||
        tcp_may_answer(m, near_window, a->now))
        m->ack_due = true;
    return DROP;
}

/* RFC 5961 5.2 (RFC 9293 3.10.7.4, step 5). */
static enum verdict check_ack(struct tcp *m, struct arrival *a)
{
    const struct wire_view *v = a->view;
    if ((v->flags & TCP_ACK) == 0)
        return DROP;
    if (seq_lt(v->ack, m->snd_una - m->snd_wnd_max) || seq_lt(m->snd_nxt, v->ack))
        return challenge(m, a);
    /* RFC 7323 4.3 (2) */
    if (m->ts_on && (a->options.have & OPT_TIMESTAMP) != 0 && seq_le(v->seq, m->ack_sent))
        m->ts_recent = a->options.tsval;
    tcp_take_ack(m, a);
    return GO_ON;
}

static const tcp_segment_fn check[] = {check_paws, check_rst, check_syn, check_sequence, check_ack};

static enum verdict synchronized(struct tcp *m, struct arrival *a)
{
    for (size_t i = 0; i < sizeof check / sizeof *check; i++) {
        enum verdict verdict = check[i](m, a);
        if (verdict != GO_ON)
            return verdict;
    }
    tcp_text_and_fin(m, a);
    return DONE;
}

const tcp_segment_fn tcp_on_segment[TCP_NSTATES] = {
    [TCP_CLOSED] = tcp_closed_segment, [TCP_SYN_SENT] = tcp_syn_sent_segment,
    [TCP_ESTABLISHED] = synchronized,  [TCP_FIN_WAIT_1] = synchronized,
    [TCP_FIN_WAIT_2] = synchronized,   [TCP_CLOSING] = synchronized,
    [TCP_TIME_WAIT] = synchronized,    [TCP_CLOSE_WAIT] = synchronized,
    [TCP_LAST_ACK] = synchronized,
};

/* Cuts off what lies before RCV.NXT and behind the window (RFC 9293 3.10.7.4, step 1, end). */
static void trim(const struct tcp *m, struct arrival *a)
{
    if (seq_lt(a->seq, m->rcv_nxt)) {
        uint32_t old = m->rcv_nxt - a->seq;
        if (old > a->n) {
            a->fin = false; /* a FIN that was taken before */
            old = a->n;
        }
        a->seq += old;
        a->n -= old;
        a->bytes += old;
    }
    if (a->n > 0 && seq_lt(m->rcv_edge, a->seq + a->n)) {
        a->n = seq_lt(a->seq, m->rcv_edge) ? m->rcv_edge - a->seq : 0;
        a->fin = false;
    }
}

static void deliver(struct tcp *m, struct arrival *a)
{
    struct tcp_out *out = a->out;
    bool fills_gap = m->held != NULL;
    out->data[out->n_data].bytes = a->bytes;
    out->data[out->n_data].n = a->n;
    out->n_data++;
    m->rcv_nxt += a->n;
    out->events |= TCP_EV_DELIVERED;
    tcp_deliver_held(m, out);
    /* RFC 5681 4.2, RFC 9293 3.8.6.3: every second full-sized segment; offload merges several. */
    m->unacked = (uint8_t)(m->unacked + (a->n > m->c.mss ? 2 : 1));
    if (fills_gap || m->unacked >= 2)
        m->ack_due = true;
    else
        m->ack_at = rs_mono_min(m->ack_at, rs_mono_add(a->now, TCP_ACK_DELAY));
}

/* RFC 9293 3.10.7.4, step 7, in ESTABLISHED, FIN-WAIT-1 and FIN-WAIT-2. */
static enum verdict take_text(struct tcp *m, struct arrival *a)
{
    trim(m, a);
    tcp_ecn_received(m, a);
    if (a->n > 0 && a->seq == m->rcv_nxt) {
        deliver(m, a);
    } else if (a->n > 0) {
        if (!tcp_hold(m, a->seq, a->bytes, a->n))
            a->out->events |= TCP_EV_REASM_FULL;
        m->ack_due = true; /* RFC 5681 4.2 */
    }
    if (a->fin) {
        m->fin_known = true;
        m->fin_at = a->seq + a->n;
    }
    return GO_ON;
}

/* Step 7 in the other states: the peer has said its last byte. */
static enum verdict ignore_text(struct tcp *m, struct arrival *a)
{
    (void)m;
    (void)a;
    return DONE;
}

const tcp_segment_fn tcp_on_text[TCP_NSTATES] = {
    [TCP_CLOSED] = ignore_text,    [TCP_SYN_SENT] = ignore_text,   [TCP_ESTABLISHED] = take_text,
    [TCP_FIN_WAIT_1] = take_text,  [TCP_FIN_WAIT_2] = take_text,   [TCP_CLOSING] = ignore_text,
    [TCP_TIME_WAIT] = ignore_text, [TCP_CLOSE_WAIT] = ignore_text, [TCP_LAST_ACK] = ignore_text,
};

static void fin_nothing(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    (void)m;
    (void)now;
    (void)out;
}

static void fin_close_wait(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    (void)now;
    (void)out;
    tcp_enter(m, TCP_CLOSE_WAIT);
}

static void fin_closing(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    (void)now;
    (void)out;
    tcp_enter(m, TCP_CLOSING);
}

static void fin_time_wait(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    (void)now;
    tcp_enter(m, TCP_TIME_WAIT);
    out->events |= TCP_EV_CLOSED;
}

/* RFC 9293 3.10.7.4, step 8. FIN-WAIT-1 with our FIN acknowledged is FIN-WAIT-2 by now. */
const tcp_turn_fn tcp_on_peer_fin[TCP_NSTATES] = {
    [TCP_CLOSED] = fin_nothing,         [TCP_SYN_SENT] = fin_nothing,
    [TCP_ESTABLISHED] = fin_close_wait, [TCP_FIN_WAIT_1] = fin_closing,
    [TCP_FIN_WAIT_2] = fin_time_wait,   [TCP_CLOSING] = fin_nothing,
    [TCP_TIME_WAIT] = fin_nothing,      [TCP_CLOSE_WAIT] = fin_nothing,
    [TCP_LAST_ACK] = fin_nothing,
};

void tcp_text_and_fin(struct tcp *m, struct arrival *a)
{
    if (tcp_on_text[m->state](m, a) == DONE || !m->fin_known)
        return;
    if (m->rcv_nxt == m->fin_at) {
        m->rcv_nxt++;
        m->ack_due = true;
        tcp_drop_held(m);
        a->out->events |= TCP_EV_PEER_FIN;
        tcp_on_peer_fin[m->state](m, a->now, a->out);
    } else if (seq_lt(m->fin_at, m->rcv_nxt)) { /* text came where the FIN was said to be */
        m->fin_known = false;
    } else if (a->fin) { /* out of order */
        m->ack_due = true;
    }
}

/* Fragments, truncated segments and wrong checksums are as good as lost (RFC 9293 3.1). */
static bool is_readable(const struct wire_view *v)
{
    return (v->have & WIRE_TCP) != 0 && (v->have & WIRE_FRAGMENT) == 0 &&
           v->l4_cksum != WIRE_CKSUM_BAD && v->payload_captured == v->payload_bytes &&
           v->payload_bytes < TCP_STREAM_MOST;
}

int tcp_input(struct tcp *m, const struct wire_view *seg, rs_mono now, struct tcp_out *out)
{
    tcp_reap(m);
    out->n_data = 0;
    if (!is_readable(seg))
        return -RS_EPROTO;
    struct arrival a = {.view = seg,
                        .seq = seg->seq,
                        .bytes = seg->payload,
                        .n = seg->payload_bytes,
                        .fin = (seg->flags & TCP_FIN) != 0,
                        .now = now,
                        .out = out};
    if (seg->options_bytes > 0)
        wire_options_parse(&a.options, seg->options, seg->options_bytes);
    return tcp_on_segment[m->state](m, &a) == DROP ? -RS_EPROTO : 0;
}
