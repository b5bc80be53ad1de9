/* SPDX-License-Identifier: GPL-3.0-or-later
 * What to send now. Everything that waits is a flag or a place in the stream, so that several
 * causes of one turn share a segment. */
#include <assert.h>
#include <string.h>

#include "tcpstate/tcp_int.h"

static struct wire_segment *segment_new(struct tcp_out *out)
{
    if (out->n_segments >= TCP_OUT_SEGMENTS) {
        out->more = true;
        return NULL;
    }
    return &out->segment[out->n_segments++];
}

static uint16_t count(uint16_t *ordinal)
{
    if (*ordinal < UINT16_MAX)
        (*ordinal)++;
    return *ordinal;
}

/* The receive window as the header field says it; the edge never moves back (RFC 9293 3.8.6). */
static uint16_t announce_window(struct tcp *m)
{
    unsigned shift = m->wscale_on ? m->c.wscale : 0;
    uint32_t field = m->c.rcv_window >> shift;
    if (field > 65535u)
        field = 65535u;
    uint32_t edge = m->rcv_nxt + (field << shift);
    if (seq_lt(m->rcv_edge, edge))
        m->rcv_edge = edge;
    return (uint16_t)field;
}

static void put_options(const struct tcp *m, struct wire_segment *s, rs_mono now)
{
    if (m->ts_on) { /* RFC 7323 3.2: on every segment */
        struct wire_options o = {
            .have = OPT_TIMESTAMP, .tsval = tcp_tsval(m, now), .tsecr = m->ts_recent};
        s->options_bytes = (uint8_t)wire_options_write(&o, false, s->options);
    }
    if (m->sack_on && m->held != NULL && s->cls == SEG_ACK)
        s->options_bytes =
            (uint8_t)(s->options_bytes + tcp_sack_write(m, s->options + s->options_bytes,
                                                        sizeof s->options - s->options_bytes));
}

/* Any segment of a synchronized state but RST: carries the ACK, so none is owed afterwards. */
static void fill(struct tcp *m, struct wire_segment *s, rs_mono now, enum seg_class cls)
{
    memset(s, 0, sizeof *s);
    s->cls = cls;
    s->tries = 1;
    s->state = m->state;
    s->seq = m->snd_nxt;
    s->ack = m->rcv_nxt;
    s->flags = TCP_ACK;
    s->window = announce_window(m);
    put_options(m, s, now);
    m->ack_due = false;
    m->ack_at = RS_NEVER;
    m->unacked = 0;
    m->ack_sent = m->rcv_nxt;
}

static bool send_ack(struct tcp *m, uint32_t seq, rs_mono now, struct tcp_out *out)
{
    struct wire_segment *s = segment_new(out);
    if (s == NULL)
        return false;
    fill(m, s, now, SEG_ACK);
    s->seq = seq;
    s->ordinal = count(&m->ack_ordinal);
    tcp_ecn_mark(m, s, false);
    return true;
}

static uint32_t stream_at(const struct tcp *m, uint32_t seq)
{
    return seq - m->c.iss - 1;
}

/* Payload, FIN and PSH of flight[i], which starts at `seq`. */
static void put_payload(struct tcp *m, struct wire_segment *s, unsigned i, uint32_t seq)
{
    const struct tcp_flight *f = tcp_flight_get(m, i);
    s->cls = f->bytes > 0 ? SEG_DATA : SEG_FIN;
    s->seq = seq;
    s->ordinal = f->ordinal;
    s->tries = f->tries;
    s->payload_bytes = f->bytes;
    if (f->bytes > 0)
        s->payload = m->stream + stream_at(m, seq);
    if (f->bytes > 0 && stream_at(m, seq) + f->bytes == m->written)
        s->flags |= TCP_PSH; /* RFC 9293 3.9.1.2: the last of what was written */
    if (f->fin)
        s->flags |= TCP_FIN;
}

/* RFC 6298 5.4: the earliest segment that is not acknowledged. Never ECT (RFC 3168 6.1.5). */
static bool retransmit(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    struct wire_segment *s = segment_new(out);
    if (s == NULL)
        return false;
    fill(m, s, now, SEG_DATA);
    struct tcp_flight *f = tcp_flight_get(m, 0);
    if (f->tries < UINT8_MAX)
        f->tries++;
    put_payload(m, s, 0, m->snd_una);
    tcp_ecn_mark(m, s, false);
    m->retransmit_due = false;
    m->timed_at = RS_NEVER; /* RFC 6298 3: Karn */
    m->retransmit_at = rs_mono_add(now, tcp_rto_ns(m));
    return true;
}

static uint32_t unsent(const struct tcp *m)
{
    uint32_t sent = stream_at(m, m->snd_nxt) - (m->fin_sent ? 1u : 0u);
    return m->written - sent;
}

static uint32_t window_left(const struct tcp *m)
{
    uint32_t edge = m->snd_una + m->snd_wnd;
    return seq_lt(m->snd_nxt, edge) ? edge - m->snd_nxt : 0;
}

/* Bytes that may leave in one new segment now. Nothing smaller than a full segment only because the
 * window is small, while something is in flight (RFC 9293 3.8.6.2.1). */
static uint32_t sendable(const struct tcp *m)
{
    uint32_t wanted = unsent(m), window = window_left(m);
    if (m->flight_n >= TCP_FLIGHT || m->flight_n >= m->cwnd || wanted == 0)
        return 0;
    if (wanted > m->snd_mss)
        wanted = m->snd_mss;
    if (wanted <= window)
        return wanted;
    return m->flight_n == 0 ? window : 0;
}

static bool fin_due(const struct tcp *m)
{
    return m->closing && !m->fin_sent && unsent(m) == 0 && m->flight_n < TCP_FLIGHT;
}

/* A new entry at the end of the flight: `n` bytes, and our FIN when it is its turn. */
static struct tcp_flight *flight_add(struct tcp *m, uint32_t n, bool fin, rs_mono now)
{
    assert(m->flight_n < TCP_FLIGHT && n <= UINT16_MAX);
    if (m->flight_n == 0) /* RFC 6298 5.1 */
        m->retransmit_at = rs_mono_add(now, tcp_rto_ns(m));
    struct tcp_flight *f = tcp_flight_get(m, m->flight_n++);
    *f = (struct tcp_flight){.bytes = (uint16_t)n, .tries = 1, .fin = fin};
    f->ordinal = n > 0 ? count(&m->data_ordinal) : 1;
    m->snd_nxt += n + (fin ? 1u : 0u);
    m->fin_sent = m->fin_sent || fin;
    if (m->timed_at.ns == RS_NEVER.ns) {
        m->timed_at = now;
        m->timed_seq = m->snd_nxt;
    }
    return f;
}

static bool send_new(struct tcp *m, uint32_t n, bool fin, rs_mono now, struct tcp_out *out)
{
    struct wire_segment *s = segment_new(out);
    if (s == NULL)
        return false;
    uint32_t seq = m->snd_nxt;
    fill(m, s, now, SEG_DATA);
    flight_add(m, n, fin, now);
    put_payload(m, s, m->flight_n - 1u, seq);
    tcp_ecn_mark(m, s, n > 0);
    return true;
}

static bool send_data(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    uint32_t n;
    while ((n = sendable(m)) > 0) {
        bool last = m->closing && n == unsent(m) && n < window_left(m);
        if (!send_new(m, n, last, now, out))
            return false;
    }
    if (fin_due(m) && window_left(m) > 0)
        return send_new(m, 0, true, now, out);
    return true;
}

/* RFC 9293 3.8.6.1: only a closed window keeps us from sending. */
static bool blocked(const struct tcp *m)
{
    return m->flight_n == 0 && (unsent(m) > 0 || fin_due(m));
}

static void output_nothing(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    (void)m;
    (void)now;
    (void)out;
}

static uint8_t syn_options(const struct tcp *m, uint8_t out[40], rs_mono now)
{
    struct wire_options o = {
        .have = OPT_MSS, .mss = m->c.mss, .wscale = m->c.wscale, .tsval = tcp_tsval(m, now)};
    if (m->c.sack_permitted)
        o.have |= OPT_SACK_OK;
    if (m->c.timestamps)
        o.have |= OPT_TIMESTAMP;
    if (m->c.window_scale)
        o.have |= OPT_WSCALE;
    return (uint8_t)wire_options_write(&o, true, out);
}

/* RFC 9293 3.10.1, RFC 3168 6.1.1: the same SYN each time. */
static void output_syn(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    if (!m->syn_due)
        return;
    struct wire_segment *s = segment_new(out);
    if (s == NULL)
        return;
    memset(s, 0, sizeof *s);
    m->syn_due = false;
    m->syns++;
    s->cls = SEG_SYN;
    s->ordinal = 1;
    s->tries = m->syns;
    s->state = m->state;
    s->seq = m->c.iss;
    s->flags = TCP_SYN;
    if (m->c.ecn)
        s->flags |= TCP_ECE | TCP_CWR;
    s->window = (uint16_t)(m->c.rcv_window < 65535u ? m->c.rcv_window : 65535u);
    s->options_bytes = syn_options(m, s->options, now);
    uint64_t wait = RS_SEC << (m->syns < 6 ? m->syns - 1 : 6); /* RFC 6298 2.1 and 5.5 */
    m->retransmit_at = rs_mono_add(now, m->syns < m->c.syn_tries ? wait : m->c.syn_wait_ns);
    if (m->syns == 1)
        m->opened_at = now;
}

static void output_stream(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    if (m->retransmit_due && !retransmit(m, now, out))
        return;
    if (!send_data(m, now, out))
        return;
    if (m->probe_due && blocked(m)) { /* an old sequence number draws an ACK with the window */
        if (!send_ack(m, m->snd_una - 1, now, out))
            return;
        m->retransmit_at = rs_mono_add(now, tcp_rto_ns(m));
    }
    m->probe_due = false;
    if (blocked(m) && m->retransmit_at.ns == RS_NEVER.ns)
        m->retransmit_at = rs_mono_add(now, tcp_rto_ns(m));
    if (m->ack_due && !m->hold_ack)
        send_ack(m, m->snd_nxt, now, out);
}

const tcp_turn_fn tcp_on_output[TCP_NSTATES] = {
    [TCP_CLOSED] = output_nothing,     [TCP_SYN_SENT] = output_syn,
    [TCP_ESTABLISHED] = output_stream, [TCP_FIN_WAIT_1] = output_stream,
    [TCP_FIN_WAIT_2] = output_stream,  [TCP_CLOSING] = output_stream,
    [TCP_TIME_WAIT] = output_stream,   [TCP_CLOSE_WAIT] = output_stream,
    [TCP_LAST_ACK] = output_stream,
};

/* RFC 9293 3.10.7.1 and 3.10.5. */
static bool send_rst(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    struct wire_segment *s = segment_new(out);
    if (s == NULL)
        return false;
    memset(s, 0, sizeof *s);
    m->rst_due = false;
    s->cls = SEG_RST;
    s->ordinal = count(&m->rst_ordinal);
    s->tries = 1;
    s->state = m->state;
    s->seq = m->rst_seq;
    s->flags = TCP_RST;
    if (m->rst_acks) {
        s->flags |= TCP_ACK;
        s->ack = m->rcv_nxt;
        put_options(m, s, now);
    }
    return true;
}

void tcp_output(struct tcp *m, rs_mono now, struct tcp_out *out)
{
    tcp_reap(m);
    out->n_data = 0;
    out->more = false;
    if (m->mute || (m->rst_due && !send_rst(m, now, out)))
        return;
    tcp_on_output[m->state](m, now, out);
}

/* Data that starts right at SND.NXT is sent for good: it is in flight from now on. */
static bool extends_stream(const struct tcp *m, uint32_t offset, const uint8_t *bytes, uint32_t n)
{
    return n > 0 && n <= UINT16_MAX && !m->fin_sent && m->flight_n < TCP_FLIGHT &&
           m->state != TCP_CLOSED && m->state != TCP_SYN_SENT &&
           offset == stream_at(m, m->snd_nxt) && (m->stream == NULL || bytes == m->stream + offset);
}

bool tcp_craft(struct tcp *m,
               uint16_t flags,
               uint32_t offset,
               const uint8_t *bytes,
               uint32_t n,
               rs_mono now,
               struct tcp_out *out)
{
    struct wire_segment *s = segment_new(out);
    if (s == NULL)
        return false;
    bool fresh = extends_stream(m, offset, bytes, n);
    bool still_due = m->ack_due && (flags & (TCP_ACK | TCP_RST)) != TCP_ACK;
    fill(m, s, now, seg_classify(flags, n));
    m->ack_due = still_due;
    s->ordinal = 1;
    s->seq = m->c.iss + 1 + offset;
    s->flags = flags;
    s->payload = n > 0 ? bytes : NULL;
    s->payload_bytes = n;
    if (fresh) {
        if (m->stream == NULL)
            m->stream = bytes - offset;
        if (m->written < offset + n)
            m->written = offset + n;
        s->ordinal = flight_add(m, n, false, now)->ordinal;
        s->ecn = m->ecn_on ? IP_ECN_ECT0 : IP_ECN_NOT;
    } else if (s->cls == SEG_ACK) {
        s->ordinal = count(&m->ack_ordinal);
    } else if (s->cls == SEG_RST) {
        s->ordinal = count(&m->rst_ordinal);
    }
    return true;
}
