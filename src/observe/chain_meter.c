/* SPDX-License-Identifier: GPL-3.0-or-later
 * Chain meter: what QoF measured and ECN-Spider reported: flags, codepoints, payload, and how TCP
 * fares, as far as one point on the path can tell: loss, reordering, retransmissions, duplicate
 * ACKs, RTT, windows. Two cases of one thing are told apart where a passive point can; where it
 * cannot, the field's sentence says what is counted. */
#include "observe/meter_int.h"

/* The member of a pair that is of this direction. */
#define OF(f, dir, member)                                                                         \
    (*((dir) == FLOW_FWD ? &(f)->meter_##member##_fwd : &(f)->meter_##member##_rev))

#define REORDER_MOST_US 3000u /* without time stamps and without an RTT */

enum {
    TRAIT_ECT0 = 0x1,
    TRAIT_ECT1 = 0x2,
    TRAIT_CE = 0x4,
    TRAIT_TIMESTAMP = 0x10,
    TRAIT_SACK = 0x20,
    TRAIT_WSCALE = 0x40,
    TRAIT_ON_SYN = 8 /* shift of the first three */
};

static enum flow_dir other(enum flow_dir dir)
{
    return dir == FLOW_FWD ? FLOW_REV : FLOW_FWD;
}

static bool knows_seq(const struct flow *f, enum flow_dir dir)
{
    return (f->seq_known & 1u << dir) != 0;
}

static void set(struct meter_side *m, unsigned what, bool on)
{
    m->have = (uint8_t)(on ? m->have | what : m->have & ~what);
}

/* Packets of any protocol. */
static void count_packet(struct flow *f, const struct seen *s)
{
    static const uint16_t traits[4] = {0, TRAIT_ECT1, TRAIT_ECT0, TRAIT_CE};
    unsigned codepoint = wire_ecn(s->v);
    switch (codepoint) {
    case IP_ECN_NOT:
        OF(f, s->dir, not_ect)++;
        break;
    case IP_ECN_ECT1:
        OF(f, s->dir, ect1)++;
        break;
    case IP_ECN_ECT0:
        OF(f, s->dir, ect0)++;
        break;
    default:
        OF(f, s->dir, ce)++;
        break;
    }
    unsigned bits = traits[codepoint];
    if (s->kind == KIND_SYN)
        bits |= bits << TRAIT_ON_SYN;
    OF(f, s->dir, traits) = (uint16_t)(OF(f, s->dir, traits) | bits);
    if (s->v->payload_bytes > 0) {
        OF(f, s->dir, payload_pkt)++;
        OF(f, s->dir, payload_oct) += s->v->payload_bytes;
    }
}

static void note_flags(struct flow *f, const struct seen *s)
{
    int16_t flags = (int16_t)(s->v->flags & 0x1ff);
    if (OF(f, s->dir, flags_first) < 0) {
        OF(f, s->dir, flags_first) = flags;
        OF(f, s->dir, flags_union) = 0;
    } else {
        OF(f, s->dir, flags_union) = (int16_t)(OF(f, s->dir, flags_union) | flags);
    }
    if (s->v->flags & TCP_SYN)
        OF(f, s->dir, flags_syn) = flags;
}

static void note_options(struct flow *f, const struct seen *s, struct meter_side *m)
{
    const struct wire_options *o = &s->options;
    unsigned bits = (o->have & OPT_TIMESTAMP ? TRAIT_TIMESTAMP : 0u) |
                    (o->have & OPT_SACK ? TRAIT_SACK : 0u) |
                    (o->have & OPT_WSCALE ? TRAIT_WSCALE : 0u);
    OF(f, s->dir, traits) = (uint16_t)(OF(f, s->dir, traits) | bits);
    if (s->v->payload_bytes > OF(f, s->dir, mss_seen))
        OF(f, s->dir, mss_seen) =
            (uint16_t)(s->v->payload_bytes < UINT16_MAX ? s->v->payload_bytes : UINT16_MAX);
    if (!(s->v->flags & TCP_SYN))
        return;
    if (o->have & OPT_MSS)
        OF(f, s->dir, mss) = o->mss;
    set(m, METER_WSCALE, (o->have & OPT_WSCALE) != 0);
    m->wscale = o->wscale < 14 ? o->wscale : 14; /* RFC 7323 2.3 */
}

/* RFC 7323 2.2: windows are scaled if both SYNs have the option, but never a SYN's own. */
static void note_window(struct flow *f,
                        const struct seen *s,
                        struct meter_side *m,
                        const struct meter_side *peer)
{
    bool scaled =
        !(s->v->flags & TCP_SYN) && meter_has(m, METER_WSCALE) && meter_has(peer, METER_WSCALE);
    int32_t bytes = (int32_t)((uint32_t)s->v->window << (scaled ? m->wscale : 0));
    if (OF(f, s->dir, rwin_min) < 0 || bytes < OF(f, s->dir, rwin_min))
        OF(f, s->dir, rwin_min) = bytes;
    if (bytes > OF(f, s->dir, rwin_max))
        OF(f, s->dir, rwin_max) = bytes;
    m->rwin_sum += (uint32_t)bytes;
    OF(f, s->dir, rwin_mean) = (int32_t)(m->rwin_sum / ++m->rwin_n);
}

static uint32_t microseconds(const struct seen *s) /* modulo 2^32 */
{
    return (uint32_t)(s->at.ns / 1000);
}

static void open_gap(struct flow *f,
                     const struct seen *s,
                     struct meter_side *m,
                     const struct meter_side *peer,
                     uint32_t from)
{
    uint32_t to = s->v->seq;
    uint32_t *lost = &OF(f, s->dir, lost_oct);
    OF(f, s->dir, jump)++;
    if (to - from > METER_STEP_MOST) {
        meter_forget_gaps(m);
        return;
    }
    struct meter_gap gap = {.from = from, .to = to, .opened_us = microseconds(s)};
    if (s->options.have & OPT_TIMESTAMP)
        gap.tsval = s->options.tsval;
    meter_open_gap(m, peer, &gap);
    *lost = *lost > UINT32_MAX - (to - from) ? UINT32_MAX : *lost + (to - from);
}

/* A segment that fills a gap: was it sent before the one above that gap, which overtook it? */
static bool is_reordered(const struct flow *f, const struct seen *s, const struct meter_filled *gap)
{
    bool above_stamped = gap->first_tsval != 0 && gap->last_tsval != 0;
    if (above_stamped && (s->options.have & OPT_TIMESTAMP)) {
        if (seq_after(gap->first_tsval, s->options.tsval))
            return true;
        if (seq_after(s->options.tsval, gap->last_tsval))
            return false;
    }
    /* No time stamps, or the same tick. What was lost can come again one RTT after the gap opened,
     * when the receiver's answer to that has reached the sender; a quarter less, since RTTs vary,
     * and nothing else waits that long (RFC 8985 6.2 takes a quarter for the most, at first). */
    uint32_t late = microseconds(s) - gap->opened_us;
    uint32_t rtt = (uint32_t)f->meter_rtt_min_us;
    return late < (f->meter_rtt_min_us >= 0 ? rtt - rtt / 4 : REORDER_MOST_US);
}

/* One byte or none that asks for an ACK: a keepalive, at the last byte acknowledged (RFC 9293
 * 3.8.4), or the probe of a closed window (3.8.6.1). */
static bool is_probe(const struct flow *f, const struct seen *s, const struct meter_side *peer)
{
    if (s->v->payload_bytes > 1)
        return false;
    uint32_t next = f->seq_next[s->dir];
    bool all_acked = meter_has(peer, METER_ACK) && !seq_after(next, peer->ack);
    bool closed = meter_has(peer, METER_ACK) && peer->window == 0;
    return s->v->seq == next - 1 && (all_acked || closed);
}

static void follow_data(struct flow *f,
                        const struct seen *s,
                        struct meter_side *m,
                        const struct meter_side *peer)
{
    uint32_t from = s->v->seq, next = f->seq_next[s->dir];
    if (!knows_seq(f, s->dir))
        return;
    if (meter_has_gaps(m))
        meter_forget_far_gaps(m, next);
    if (from == next)
        return;
    if (seq_after(from, next)) {
        open_gap(f, s, m, peer, next);
        return;
    }
    uint32_t to = meter_earlier(from + s->v->payload_bytes, next);
    if (next - from > METER_STEP_MOST || is_probe(f, s, peer))
        return;
    struct meter_filled filled = meter_fill_gaps(m, peer, from, to);
    OF(f, s->dir, lost_oct) -= filled.bytes;
    if (filled.bytes == to - from && is_reordered(f, s, &filled))
        OF(f, s->dir, reorder)++;
    else
        OF(f, s->dir, rtx)++;
}

/* RFC 5681 2: data is outstanding, no payload, no SYN or FIN, the highest acknowledgement again and
 * the same window. */
static void follow_ack(struct flow *f, const struct seen *s, struct meter_side *m)
{
    const struct wire_view *v = s->v;
    enum flow_dir peer = other(s->dir);
    if (!meter_has(m, METER_ACK) || seq_after(v->ack, m->ack)) {
        m->ack = v->ack;
        set(m, METER_ACK, true);
        return;
    }
    bool keepalive = knows_seq(f, s->dir) && v->seq == f->seq_next[s->dir] - 1;
    if (s->kind == KIND_ACK && v->ack == m->ack && v->window == m->window && v->window != 0 &&
        !keepalive && knows_seq(f, peer) && seq_after(f->seq_next[peer], v->ack))
        OF(f, s->dir, dupack)++;
}

static void take_turn(struct flow *f, struct meter_side *m, int64_t ns, bool only_min)
{
    struct meter_side *fwd = &f->meter_side_fwd, *rev = &f->meter_side_rev;
    if (ns < 0 || ns / 1000 > INT32_MAX / 2) /* a clock that was set, or no answer but chance */
        return;
    uint32_t us = (uint32_t)(ns / 1000);
    if (!meter_has(m, METER_TURN_MIN) || us < m->turn_min_us)
        m->turn_min_us = us;
    set(m, METER_TURN_MIN, true);
    if (!only_min) {
        m->turn_last_us = us;
        set(m, METER_TURN_LAST, true);
    }
    if (meter_has(fwd, METER_TURN_MIN) && meter_has(rev, METER_TURN_MIN))
        f->meter_rtt_min_us = (int32_t)(fwd->turn_min_us + rev->turn_min_us);
    if (!only_min && meter_has(fwd, METER_TURN_LAST) && meter_has(rev, METER_TURN_LAST))
        f->meter_rtt_last_us = (int32_t)(fwd->turn_last_us + rev->turn_last_us);
}

/* Does this segment answer the one of the other side that is timed? */
static void end_probe(struct flow *f, const struct seen *s, struct meter_side *peer)
{
    bool stamped = (s->options.have & OPT_TIMESTAMP) != 0;
    uint32_t echo = s->options.tsecr;
    int64_t ns = s->at.ns - peer->probe_at;
    if (meter_has(peer, METER_PROBE) && !seq_after(peer->probe_end, s->v->ack)) {
        /* RFC 6298 3 (Karn): sent twice, which one is answered? RFC 7323 4.1: the echo tells. */
        bool clear =
            !meter_has(peer, METER_PROBE_TWICE) ||
            (stamped && meter_has(peer, METER_TSVAL) && !seq_after(echo, peer->probe_tsval));
        if (clear)
            take_turn(f, peer, ns, false);
        set(peer, METER_PROBE | METER_PROBE_TWICE, false);
    } else if (meter_has(peer, METER_PROBE_STAMP) && stamped &&
               !seq_after(peer->probe_tsval, echo)) {
        /* The other side may have had nothing to send for a while: good for a minimum only. */
        if (echo == peer->probe_tsval)
            take_turn(f, peer, ns, true);
        set(peer, METER_PROBE_STAMP, false);
    }
}

/* One packet at a time is timed: one that takes up sequence numbers, else a pure ACK by its time
 * stamp, the first that has it. */
static void begin_probe(const struct flow *f,
                        const struct seen *s,
                        struct meter_side *m,
                        const struct meter_side *peer)
{
    const struct wire_view *v = s->v;
    bool stamped = (s->options.have & OPT_TIMESTAMP) != 0;
    bool newer = stamped && (!meter_has(m, METER_TSVAL) || seq_after(s->options.tsval, m->tsval));
    uint32_t bytes = v->payload_bytes + ((v->flags & TCP_SYN) != 0) + ((v->flags & TCP_FIN) != 0);
    uint32_t end = v->seq + bytes;
    if (bytes > 0 && meter_has(m, METER_PROBE)) {
        if (seq_after(m->probe_end, v->seq)) {
            bool told_apart =
                stamped && meter_has(m, METER_TSVAL) && s->options.tsval != m->probe_tsval;
            set(m, METER_PROBE_TWICE, true);
            if (!told_apart)
                set(m, METER_PROBE | METER_PROBE_TWICE, false);
        }
    } else if (bytes > 0) {
        /* New, and nothing missing below: otherwise it is acknowledged when the gap is filled. */
        bool fresh = !knows_seq(f, s->dir) || !seq_after(f->seq_next[s->dir], v->seq);
        if (fresh && !meter_is_waiting(m, peer)) {
            set(m, METER_PROBE_STAMP | METER_PROBE_TWICE, false);
            set(m, METER_PROBE, true);
            m->probe_at = s->at.ns;
            m->probe_end = end;
            m->probe_tsval = s->options.tsval;
        }
    } else if (newer && !meter_has(m, METER_PROBE | METER_PROBE_STAMP)) {
        set(m, METER_PROBE_STAMP, true);
        m->probe_at = s->at.ns;
        m->probe_tsval = s->options.tsval;
    }
    if (newer) {
        m->tsval = s->options.tsval;
        set(m, METER_TSVAL, true);
    }
}

/* A SYN with another number is another connection on the same ports. */
static void follow_syn(struct flow *f, const struct seen *s, struct meter_side *m)
{
    uint32_t next = s->v->seq + s->v->payload_bytes + 1;
    if (!knows_seq(f, s->dir) || next == f->seq_next[s->dir])
        return;
    meter_forget_gaps(m);
    set(m, METER_ACK | METER_TSVAL | METER_PROBE | METER_PROBE_STAMP | METER_PROBE_TWICE, false);
}

void chain_meter(struct flow *f, const struct seen *s)
{
    count_packet(f, s);
    if (s->kind == KIND_NOT_TCP)
        return;
    note_flags(f, s);
    struct meter_side *m = &OF(f, s->dir, side), *peer = &OF(f, other(s->dir), side);
    note_options(f, s, m);
    if (s->v->flags & TCP_RST) /* its numbers and window may be made up (RFC 9293 3.10.7) */
        return;
    if (s->kind == KIND_SYN)
        follow_syn(f, s, m);
    note_window(f, s, m, peer);
    if (s->v->flags & TCP_ACK) {
        end_probe(f, s, peer);
        follow_ack(f, s, m);
    }
    if (s->v->payload_bytes > 0 && s->kind != KIND_SYN)
        follow_data(f, s, m, peer);
    begin_probe(f, s, m, peer);
    m->window = s->v->window;
}
