/* SPDX-License-Identifier: GPL-3.0-or-later
 * Explicit Congestion Notification by RFC 3168 6.1: both roles, sender of data and receiver of
 * data. Where nothing was negotiated every bit is ignored. */
#include "tcpstate/tcp_int.h"

/* RFC 3168 6.1.1: an ECN-setup SYN/ACK has ECE and not CWR; ECE with CWR is a reflection (6.1.1.2).
 */
void tcp_ecn_negotiate(struct tcp *m, uint16_t synack_flags)
{
    m->ecn_on = m->c.ecn && (synack_flags & (TCP_ECE | TCP_CWR)) == TCP_ECE;
}

/* RFC 3168 6.1.3. CE counts on new text in the window only (6.1.4 and 6.1.5: ACKs and copies are
 * not ECN-capable); with CE and CWR on one segment CE wins. `a` is trimmed. */
void tcp_ecn_received(struct tcp *m, const struct arrival *a)
{
    if (!m->ecn_on || (a->view->flags & TCP_SYN) != 0)
        return;
    if ((a->view->flags & TCP_CWR) != 0) {
        if (m->ecn_echo)
            a->out->events |= TCP_EV_CWR;
        m->ecn_echo = false;
        m->ack_due = m->ack_due || a->n > 0; /* the peer's window is small now: do not delay */
    }
    if (a->n > 0 && wire_ecn(a->view) == IP_ECN_CE) {
        if (!m->ecn_echo)
            m->ack_due = true; /* or a CWR for an older mark could end this echo unsaid */
        m->ecn_echo = true;
        a->out->events |= TCP_EV_CE;
    }
}

static void halve(struct tcp *m)
{
    m->ssthresh = m->cwnd > 3 ? (uint8_t)(m->cwnd / 2) : 2;
    m->cwnd_acked = 0;
}

/* RFC 3168 6.1.2: half the window, and CWR on the next new data, once a window of data. An ECE that
 * comes while nothing is in flight speaks of nothing that we sent since. */
void tcp_ecn_acked(struct tcp *m, const struct arrival *a, bool was_in_flight)
{
    if (!m->ecn_on || (a->view->flags & TCP_ECE) == 0)
        return;
    a->out->events |= TCP_EV_ECE;
    if (!was_in_flight || (m->cwr_given && seq_le(m->snd_una, m->cwr_high)))
        return;
    m->cwr_given = true;
    m->cwr_high = m->snd_nxt;
    m->cwr_due = true;
    halve(m);
    m->cwnd = m->cwnd > 1 ? (uint8_t)(m->cwnd / 2) : 1;
}

/* RFC 5681 3.1; RFC 3168 6.1.2: CWR after every reduction, a timeout's too. */
void tcp_ecn_loss(struct tcp *m)
{
    halve(m);
    m->cwnd = 1;
    if (!m->ecn_on || !tcp_data_in_flight(m))
        return;
    m->cwr_given = true;
    m->cwr_high = m->snd_nxt;
    m->cwr_due = true;
}

/* RFC 3168 6.1.2 to 6.1.6: ECT(0) and CWR on new data only, ECE on all but SYN and RST. */
void tcp_ecn_mark(struct tcp *m, struct wire_segment *s, bool new_data)
{
    if (!m->ecn_on)
        return;
    if (m->ecn_echo)
        s->flags |= TCP_ECE;
    if (!new_data)
        return;
    s->ecn = IP_ECN_ECT0;
    if (m->cwr_due)
        s->flags |= TCP_CWR;
    m->cwr_due = false;
}
