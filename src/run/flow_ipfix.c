/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/flow_ipfix.h"

#include <assert.h>
#include <string.h>

/* RFC 7011 has no null: 0, which none of these can be when it is known, or which harms nobody. */
static uint32_t known(int64_t value)
{
    return value < 0 ? 0 : (uint32_t)value;
}

static uint32_t microseconds(int32_t value)
{
    return value < 0 ? UINT32_MAX : (uint32_t)value;
}

static uint64_t milliseconds_since_1970(int64_t ns)
{
    return ns > 0 ? (uint64_t)ns / 1000000 : 0;
}

static uint32_t word_of(const struct wire_addr *a)
{
    return (uint32_t)a->bytes[0] << 24 | (uint32_t)a->bytes[1] << 16 | (uint32_t)a->bytes[2] << 8 |
           a->bytes[3];
}

static void fill_key(struct ipfix_flow *out, const struct wire_tuple *t)
{
    out->protocol = t->proto;
    out->sport = t->sport;
    out->dport = t->dport;
    if (t->src.family == 6) {
        memcpy(out->src6.bytes, t->src.bytes, sizeof out->src6.bytes);
        memcpy(out->dst6.bytes, t->dst.bytes, sizeof out->dst6.bytes);
    } else {
        out->src4 = word_of(&t->src);
        out->dst4 = word_of(&t->dst);
    }
}

/* One direction, of members that are named alike. */
#define FILL(out, f, dir)                                                                          \
    do {                                                                                           \
        (out)->octets_##dir = (f)->oct_##dir;                                                      \
        (out)->packets_##dir = (f)->pkt_##dir;                                                     \
        (out)->ttl_min_##dir = (uint8_t)known((f)->ttl_min_##dir);                                 \
        (out)->ttl_max_##dir = (uint8_t)known((f)->ttl_max_##dir);                                 \
        (out)->payload_octets_##dir = (f)->meter_payload_oct_##dir;                                \
        (out)->payload_packets_##dir = (f)->meter_payload_pkt_##dir;                               \
        (out)->ect0_##dir = (f)->meter_ect0_##dir;                                                 \
        (out)->ect1_##dir = (f)->meter_ect1_##dir;                                                 \
        (out)->ce_##dir = (f)->meter_ce_##dir;                                                     \
        (out)->traits_##dir = (f)->meter_traits_##dir;                                             \
    } while (0)

#define FILL_TCP(out, f, dir)                                                                      \
    do {                                                                                           \
        (out)->lost_octets_##dir = (f)->meter_lost_oct_##dir;                                      \
        (out)->jumps_##dir = (f)->meter_jump_##dir;                                                \
        (out)->reordered_##dir = (f)->meter_reorder_##dir;                                         \
        (out)->retransmitted_##dir = (f)->meter_rtx_##dir;                                         \
        (out)->dup_acks_##dir = (f)->meter_dupack_##dir;                                           \
        (out)->rwin_min_##dir = known((f)->meter_rwin_min_##dir);                                  \
        (out)->rwin_mean_##dir = known((f)->meter_rwin_mean_##dir);                                \
        (out)->rwin_max_##dir = known((f)->meter_rwin_max_##dir);                                  \
        (out)->flags_first_##dir = (uint16_t)known((f)->meter_flags_first_##dir);                  \
        (out)->flags_union_##dir = (uint16_t)known((f)->meter_flags_union_##dir);                  \
        (out)->flags_##dir = (out)->flags_first_##dir | (out)->flags_union_##dir;                  \
        (out)->flags_syn_##dir = (uint8_t)known((f)->meter_flags_syn_##dir);                       \
        (out)->mss_##dir = (uint16_t)known((f)->meter_mss_##dir);                                  \
        (out)->mss_seen_##dir = (f)->meter_mss_seen_##dir;                                         \
    } while (0)

static void fill_tcp(struct ipfix_flow *out, const struct flow *f)
{
    FILL_TCP(out, f, fwd);
    FILL_TCP(out, f, rev);
    out->rtt_min_us = microseconds(f->meter_rtt_min_us);
    out->rtt_last_us = microseconds(f->meter_rtt_last_us);
    out->rtt_min_ms = known(f->meter_rtt_min_us) / 1000;
    out->rtt_last_ms = known(f->meter_rtt_last_us) / 1000;
}

static unsigned kind_of(const struct flow *f)
{
    const struct wire_tuple *t = &f->tuple;
    bool has_ports = (t->proto == IP_PROTO_TCP || t->proto == IP_PROTO_UDP) &&
                     (t->sport != 0 || t->dport != 0); /* a fragment behind the first has none */
    unsigned kind = t->src.family == 6 ? IPFIX_IP6 : IPFIX_IP4;
    if (has_ports)
        kind |= t->proto == IP_PROTO_TCP ? IPFIX_PORTS | IPFIX_TCP : IPFIX_PORTS;
    return f->pkt_rev > 0 ? kind | IPFIX_BIFLOW : kind;
}

unsigned flow_ipfix(struct ipfix_flow *out, const struct flow *f, enum flow_end why)
{
    assert((f->chains & FLOW_IPFIX_CHAINS) == FLOW_IPFIX_CHAINS);
    memset(out, 0, sizeof *out);
    fill_key(out, &f->tuple);
    out->start_ms = milliseconds_since_1970(f->pkt_first);
    out->end_ms = milliseconds_since_1970(f->pkt_last);
    out->end_reason = (uint8_t)why; /* the same numbers */
    FILL(out, f, fwd);
    FILL(out, f, rev);
    unsigned kind = kind_of(f);
    if (kind & IPFIX_TCP)
        fill_tcp(out, f);
    return kind;
}
