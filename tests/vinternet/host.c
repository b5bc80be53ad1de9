/* SPDX-License-Identifier: GPL-3.0-or-later
 * TCP as the hosts speak it: a web server that answers each request with the same page and closes.
 *
 * Most of it needs no memory (see vinternet.h). What is approximated: where a flow is not in the
 * table, a segment is taken to be in order; segments that come out of order are acknowledged and
 * dropped; a request is complete when it ends in an empty line; the window scale of a client is 7
 * when only the cookie knows of it. Data is sent at most `cwnd` segments ahead of what is
 * acknowledged (10 at first, slow start), again after three duplicate acknowledgments or a
 * timeout, then segment by segment as NewReno (RFC 6582) does. Acknowledgments are not delayed. */
#include "host.h"

#include <stdlib.h>
#include <string.h>

#define RTO_MS       1000u /* where there is nothing to measure by, and the most at first */
#define RTO_LEAST_MS 200u
#define IDLE_MS      15000u
#define TRIES        6

static uint8_t *page;
static uint32_t page_len;

static bool before(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

bool host_init(size_t body_bytes, uint32_t mtu, uint32_t seed)
{
    static const char format[] =
        "HTTP/1.1 200 OK\r\nServer: vinternet\r\nContent-Type: text/plain\r\n"
        "Content-Length: %zu\r\nConnection: close\r\n\r\n";
    int n = snprintf(NULL, 0, format, body_bytes);

    page = malloc((size_t)n + 1 + body_bytes);
    if (!page)
        return false;
    snprintf((char *)page, (size_t)n + 1, format, body_bytes);
    for (size_t i = 0; i < body_bytes; i++)
        page[(size_t)n + i] = i % 64 == 63 ? '\n' : (uint8_t)('!' + (i * 7 + i / 64) % 90);
    page_len = (uint32_t)((size_t)n + body_bytes);
    handshake_init(mtu, seed);
    return true;
}

/* -- the table ----------------------------------------------------------------------------------
 */

uint32_t host_answer_len(const struct flow *f)
{
    return f->class->bits & C_NO_DATA || f->bits & F_EMPTY ? 0 : page_len;
}

uint32_t host_end(const struct flow *f)
{
    return f->iss + 1 + host_answer_len(f);
}

static bool outstanding(const struct flow *f)
{
    return f->snd_una != f->snd_nxt;
}

/* Is there a reason to remember it? */
static bool is_needed(const struct flow *f)
{
    if (outstanding(f) || f->bits & (F_LATCHED | F_CWR_DUE | F_REDUCED | F_SYN_RCVD))
        return !(f->bits & F_FIN_SENT) || outstanding(f) || !(f->bits & F_FIN_RCVD);
    if (f->bits & F_FIN_SENT)
        return f->bits & F_STATEFUL && !(f->bits & F_FIN_RCVD);
    return f->bits & (F_STATEFUL | F_PARTIAL | F_REQUESTED);
}

static uint32_t rto(const struct flow *f)
{
    uint32_t first = f->rtt * 3;

    /* RFC 6298 2.2, after a first sample, with the least value that Linux has. */
    if (first > RTO_MS || !f->rtt || f->bits & F_SYN_RCVD)
        first = RTO_MS;
    else if (first < RTO_LEAST_MS)
        first = RTO_LEAST_MS;
    return first << f->tries;
}

void host_settle(struct flow *f, bool has_moved)
{
    if (!is_needed(f)) {
        if (f->bits & F_KEPT)
            flow_forget(f);
        return;
    }
    if (!(f->bits & F_KEPT)) {
        f = flow_keep(f);
        if (!f)
            return;
    } else if (!has_moved) {
        return;
    }
    flow_timer(f, outstanding(f) || f->bits & F_SYN_RCVD ? rto(f) : IDLE_MS);
}

/* -- sending ------------------------------------------------------------------------------------
 */

static enum codepoint mark_of(const struct flow *f)
{
    if (f->class->host == HOST_NO_MARKS)
        return NOT_ECT;
    return f->bits & F_ECN || f->class->host == HOST_MARKS ? ECT0 : NOT_ECT;
}

/* What no new data is: a pure ACK, a FIN, a retransmission (RFC 3168 6.1.4, 6.1.5). A host without
 * ECN that marks does so by the TOS of its socket, and then on everything. */
static enum codepoint mark_of_control(const struct flow *f)
{
    return f->class->host == HOST_MARKS ? ECT0 : NOT_ECT;
}

/* One new segment, or the FIN alone; len may be 0 then. */
static void send_new(struct flow *f, uint32_t len)
{
    uint32_t end = host_end(f), seq = f->snd_nxt;
    uint16_t flags = ACK;

    if (seq + len == end && !(len && f->class->bits & C_FIN_APART)) {
        flags |= FIN;
        f->bits |= F_FIN_SENT;
        f->snd_nxt++;
    }
    if (len && seq + len == end)
        flags |= PSH;
    if (len && f->bits & F_CWR_DUE) {
        flags |= CWR;
        f->bits &= (uint16_t)~F_CWR_DUE;
    }
    f->snd_nxt += len;
    segment_send(f, flags, seq, page + (seq - f->iss - 1), len,
                 len ? mark_of(f) : mark_of_control(f));
}

/* What windows allow. True: something left, and with it the acknowledgment. */
static bool send_more(struct flow *f)
{
    uint32_t end = host_end(f), flight = f->snd_nxt - f->snd_una,
             limit = f->cwnd * (uint32_t)f->mss;
    bool has_sent = false;

    if (!(f->bits & F_REQUESTED) || f->bits & F_FIN_SENT)
        return false;
    if (limit > f->window)
        limit = f->window;
    while (before(f->snd_nxt, end)) {
        uint32_t len = end - f->snd_nxt;

        if (len > f->mss)
            len = f->mss;
        if (flight + len > limit) {
            if (flight || !limit)
                return has_sent;
            len = limit; /* a window below one segment */
        }
        send_new(f, len);
        flight += len;
        has_sent = true;
    }
    if (!(f->bits & F_FIN_SENT)) {
        send_new(f, 0);
        has_sent = true;
    }
    return has_sent;
}

/* The first segment that is not acknowledged. */
static void send_again(struct flow *f)
{
    uint32_t end = host_end(f), len = end - f->snd_una;
    uint16_t flags = ACK;

    if (before(f->snd_nxt, end))
        len = f->snd_nxt - f->snd_una;
    if (len > f->mss)
        len = f->mss;
    if (f->snd_una + len == end && f->bits & F_FIN_SENT && !(len && f->class->bits & C_FIN_APART))
        flags |= FIN;
    if (len && f->snd_una + len == end)
        flags |= PSH;
    counters.retransmitted++;
    segment_send(f, flags, f->snd_una, page + (f->snd_una - f->iss - 1), len, mark_of_control(f));
}

void host_ack(struct flow *f)
{
    segment_send(f, ACK, f->snd_nxt, NULL, 0, mark_of_control(f));
}

void host_expired(struct flow *f)
{
    if (f->bits & F_COUNTER || !(outstanding(f) || f->bits & (F_SYN_RCVD | F_REQUESTED)) ||
        ++f->tries > TRIES) {
        flow_forget(f);
        return;
    }
    if (f->bits & F_SYN_RCVD) {
        segment_synack(f);
    } else if (outstanding(f)) {
        f->bits |= F_RECOVERY;
        f->high = f->snd_nxt;
        f->cwnd = 1;
        f->dupacks = 0;
        send_again(f);
    } else { /* a window probe */
        send_new(f, f->snd_nxt == host_end(f) ? 0 : 1);
    }
    flow_timer(f, rto(f));
}

/* -- a segment ----------------------------------------------------------------------------------
 */

/* RFC 3168 6.1.2 as Linux has it: one reduction, so one CWR, for each window of data, and none
 * where nothing was in flight. */
static void on_ece(struct flow *f, const struct packet *p, bool had_flight)
{
    if (!(f->bits & F_ECN))
        return;
    if (f->bits & F_REDUCED && before(f->high, f->snd_una))
        f->bits &= (uint16_t)~F_REDUCED;
    if (!(p->flags & ECE) || p->flags & SYN || !had_flight || f->bits & (F_REDUCED | F_RECOVERY))
        return;
    f->bits |= F_REDUCED | F_CWR_DUE;
    f->high = f->snd_nxt;
    f->cwnd = f->cwnd > 4 ? f->cwnd / 2 : 2;
}

/* True: it acknowledges something new. */
static bool on_ack(struct flow *f, const struct packet *p)
{
    bool had_flight = outstanding(f), is_new;
    uint32_t acked = p->ack - f->snd_una;

    f->window = (uint32_t)p->window << f->scale;
    is_new = acked != 0 && acked <= f->snd_nxt - f->snd_una;
    /* RFC 7323 4.1: what acknowledges nothing new tells nothing; but the first is all there is. */
    if (p->has_ts && (is_new || !f->rtt))
        f->rtt = segment_clock(f) - p->tsecr + 1;
    if (is_new) {
        f->snd_una = p->ack;
        f->tries = f->dupacks = 0;
        if (!(f->bits & (F_REDUCED | F_RECOVERY)) && f->cwnd < 1000)
            f->cwnd = (uint16_t)(f->cwnd + 1 + acked / f->mss);
        if (f->bits & F_RECOVERY) {
            f->cwnd++;
            if (before(p->ack, f->high))
                send_again(f);
            else
                f->bits &= (uint16_t)~F_RECOVERY;
        }
    } else if (acked == 0 && had_flight && !p->len && !(p->flags & FIN) && ++f->dupacks == 3 &&
               !(f->bits & F_RECOVERY)) {
        f->bits |= F_RECOVERY;
        f->high = f->snd_nxt;
        f->cwnd = f->cwnd > 4 ? f->cwnd / 2 : 2;
        send_again(f);
    }
    on_ece(f, p, had_flight);
    return is_new;
}

/* Payload and FIN. True: it wants an acknowledgment. */
static bool on_data(struct flow *f, const struct packet *p)
{
    uint32_t end = p->seq + p->len + (p->flags & FIN ? 1 : 0);

    if (p->flags & CWR)
        f->bits &= (uint16_t)~F_LATCHED;
    if (end == p->seq)
        return p->seq != f->rcv_nxt;
    if (!before(f->rcv_nxt, end))
        return true; /* old */
    if (p->len && (p->tos & 3) == CE && f->bits & F_ECN)
        f->bits |= F_LATCHED;
    if (p->seq != f->rcv_nxt)
        return true; /* something before it is missing, or only some of it is new: not taken */
    f->rcv_nxt = end;
    if (p->has_ts)
        f->ts_recent = p->tsval;
    for (uint32_t i = p->len > 4 ? p->len - 4 : 0; i < p->len; i++)
        f->tail = f->tail << 8 | p->payload[i];
    if (p->len && !(f->bits & F_REQUESTED))
        f->bits |= F_PARTIAL;
    if (f->bits & F_PARTIAL && f->tail == 0x0d0a0d0a) {
        f->bits = (uint16_t)((f->bits & ~F_PARTIAL) | F_REQUESTED);
        counters.requests++;
    }
    if (p->flags & FIN) {
        if (!(f->bits & F_REQUESTED))
            f->bits = (uint16_t)((f->bits & ~F_PARTIAL) | F_REQUESTED | F_EMPTY);
        f->bits |= F_FIN_RCVD;
        counters.done++;
    }
    return true;
}

static void on_segment(struct flow *f, const struct packet *p)
{
    bool has_moved, wants_ack;

    if (f->class->bits & C_RESET_ECN && p->len && f->bits & F_ECN) {
        segment_reset(p, f->class, HOST_TTL);
        if (f->bits & F_KEPT)
            flow_forget(f);
        return;
    }
    if (f->bits & F_SYN_RCVD) {
        if (p->ack != f->snd_nxt)
            return;
        f->bits &= (uint16_t)~F_SYN_RCVD;
        f->tries = 0;
    }
    has_moved = on_ack(f, p);
    wants_ack = on_data(f, p);
    if (send_more(f))
        has_moved = true;
    else if (wants_ack)
        host_ack(f);
    host_settle(f, has_moved || (wants_ack && !outstanding(f)));
}

/* -- a packet -----------------------------------------------------------------------------------
 */

/* The boxes before the host. False: they have dealt with it. */
static bool through_boxes(struct packet *p, const struct class *class)
{
    uint16_t kind = p->flags & (SYN | ACK | CWR | ECE);
    enum action act = class->all;
    uint8_t cp = class->forward[p->tos & 3];

    if (kind == (SYN | CWR | ECE) && class->ecn_syn != PASS)
        act = class->ecn_syn;
    if (kind == SYN && class->plain_syn != PASS)
        act = class->plain_syn;
    if (act == CLEAR)
        p->flags &= (uint16_t) ~(CWR | ECE);
    p->tos = (uint8_t)((p->tos & 0xfc) | (cp & 3));
    if (act == PROHIBIT)
        control_prohibited(p, class);
    else if ((act == RESET_HOST || act == RESET_PATH) && !(p->flags & RST))
        segment_reset(p, class, act == RESET_HOST ? HOST_TTL : NEAR_TTL);
    return (act == PASS || act == CLEAR) && cp != LOST_CP;
}

void host_input(struct packet *p, const struct class *class)
{
    struct flow made, *f;
    uint32_t hash;

    if (!through_boxes(p, class))
        return;
    if (p->dport != 80 && p->dport != 8080) {
        if (!(p->flags & RST))
            segment_reset(p, class, HOST_TTL);
        return;
    }
    hash = flow_hash(p);
    f = flow_find(p, hash);
    if ((p->flags & (SYN | ACK | RST | FIN)) == SYN) {
        handshake_syn(f, p, class, hash);
        return;
    }
    if (f && f->bits & F_COUNTER && p->flags & ACK) {
        flow_forget(f);
        f = NULL;
    }
    if (p->flags & RST) {
        if (f)
            flow_forget(f);
        return;
    }
    if (!f) {
        if (!(p->flags & ACK) || !handshake_rebuild(&made, p, class, hash)) {
            counters.stray++;
            segment_reset(p, class, HOST_TTL);
            return;
        }
        f = &made;
    }
    on_segment(f, p);
}
