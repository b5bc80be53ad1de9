/* SPDX-License-Identifier: GPL-3.0-or-later
 * A packet comes in: what kind it is, and which chains see it. */
#include "observe/flow.h"

#include <string.h>

#include "observe/flow_int.h"

void flow_init(struct flow *f, const struct wire_tuple *tuple, uint32_t chains)
{
    memset(f, 0, flow_bytes(chains));
    f->tuple = *tuple;
    f->chains = chains;
    for (unsigned i = 0; i < flow_fields_n; i++) {
        const struct flow_field *field = &flow_fields[i];
        bool maybe = field->kind == FLOW_KIND_MAYBE || field->kind == FLOW_KIND_MAYBEFLAG;
        if (maybe && (chains & CHAIN_BIT(field->chain))) /* all bits set: -1 in any width */
            memset((char *)f + field->offset, 0xff, field->bytes);
    }
}

void flow_init_like(struct flow *f,
                    const struct flow *model,
                    size_t bytes,
                    const struct wire_tuple *tuple)
{
    memcpy(f, model, bytes);
    f->tuple = *tuple;
}

static void stamp(struct flow *f, rs_wall at)
{
    if (f->pkt_first == 0)
        f->pkt_first = at.ns;
    f->pkt_last = at.ns;
}

static void chain_basic(struct flow *f, const struct wire_view *v, enum flow_dir dir, rs_wall at)
{
    stamp(f, at);
    int16_t ttl = v->ttl;
    if (dir == FLOW_FWD) {
        f->pkt_fwd++;
        f->oct_fwd += v->ip_bytes;
        f->ttl_min_fwd = f->ttl_min_fwd < 0 || ttl < f->ttl_min_fwd ? ttl : f->ttl_min_fwd;
        f->ttl_max_fwd = ttl > f->ttl_max_fwd ? ttl : f->ttl_max_fwd;
    } else {
        f->pkt_rev++;
        f->oct_rev += v->ip_bytes;
        f->ttl_min_rev = f->ttl_min_rev < 0 || ttl < f->ttl_min_rev ? ttl : f->ttl_min_rev;
        f->ttl_max_rev = ttl > f->ttl_max_rev ? ttl : f->ttl_max_rev;
    }
}

static enum segment_kind segment_kind(const struct flow *f, const struct seen *s)
{
    const struct wire_view *v = s->v;
    enum flow_dir dir = s->dir;
    if (v->flags & TCP_SYN)
        return KIND_SYN;
    if (v->flags & TCP_RST)
        return KIND_RST;
    if (v->payload_bytes == 0)
        return v->flags & TCP_FIN ? KIND_FIN : KIND_ACK;
    uint32_t end = v->seq + v->payload_bytes;
    unsigned bit = 1u << dir;
    if (!(f->seq_known & bit) || seq_after(end, f->seq_next[dir]))
        return KIND_NEW_DATA;
    bool newer = !(s->options.have & OPT_TIMESTAMP) || !(f->ts_known & bit) ||
                 seq_after(s->options.tsval, f->ts_next[dir]);
    return newer ? KIND_RETRANSMISSION : KIND_OLD;
}

static void remember_seq(struct flow *f, const struct seen *s)
{
    const struct wire_view *v = s->v;
    enum flow_dir dir = s->dir;
    /* Only payload is seen data: a FIN or an ACK behind it may overtake it, or outlive it. */
    uint32_t end = v->seq + v->payload_bytes + ((v->flags & TCP_SYN) != 0);
    unsigned bit = 1u << dir;
    if (v->payload_bytes == 0 && !(v->flags & TCP_SYN))
        return;
    if (v->flags & TCP_RST) /* its number may be what somebody acknowledged (RFC 9293 3.10.7.3) */
        return;
    if ((f->seq_known & bit) && !seq_after(end, f->seq_next[dir]))
        return;
    f->seq_next[dir] = end;
    f->seq_known |= (uint8_t)bit;
    f->ts_next[dir] = s->options.tsval;
    f->ts_known =
        (uint8_t)((s->options.have & OPT_TIMESTAMP) ? f->ts_known | bit : f->ts_known & ~bit);
}

static void tcp_chains(struct flow *f, const struct seen *s)
{
    if (f->chains & CHAIN_BIT(CHAIN_TCP))
        chain_tcp(f, s);
    if (f->chains & CHAIN_BIT(CHAIN_ECN))
        chain_ecn(f, s);
    if (f->chains & CHAIN_BIT(CHAIN_TCPOPT))
        chain_tcpopt(f, s);
    if (f->chains & CHAIN_BIT(CHAIN_MSS))
        chain_mss(f, s);
    if (f->chains & CHAIN_BIT(CHAIN_TFO))
        chain_tfo(f, s);
}

static void other_chains(struct flow *f, const struct seen *s)
{
    if (f->chains & CHAIN_BIT(CHAIN_DSCP))
        chain_dscp(f, s);
    if (f->chains & CHAIN_BIT(CHAIN_EVILBIT))
        chain_evilbit(f, s);
    if (f->chains & CHAIN_BIT(CHAIN_DNS))
        chain_dns(f, s);
    if (f->chains & CHAIN_BIT(CHAIN_UDP))
        chain_udp(f, s);
    if (f->chains & CHAIN_BIT(CHAIN_METER))
        chain_meter(f, s);
}

void flow_packet(struct flow *f, const struct wire_view *v, enum flow_dir dir, rs_wall at)
{
    struct seen s = {.v = v, .dir = dir, .at = at};
    if (f->chains & CHAIN_BIT(CHAIN_BASIC))
        chain_basic(f, v, dir, at);
    bool tcp = (v->have & WIRE_TCP) != 0;
    if (tcp) {
        wire_options_parse(&s.options, v->options, v->options_bytes);
        s.kind = segment_kind(f, &s);
        tcp_chains(f, &s);
    }
    if (f->chains & CHAINS_OF_ANY_PROTOCOL)
        other_chains(f, &s);
    if (tcp)
        remember_seq(f, &s);
}

void flow_icmp_error(struct flow *f, const struct wire_view *error, enum flow_dir dir, rs_wall at)
{
    if (f->chains & CHAIN_BIT(CHAIN_BASIC)) {
        stamp(f, at);
        ++*(dir == FLOW_FWD ? &f->pkt_fwd : &f->pkt_rev);
        *(dir == FLOW_FWD ? &f->oct_fwd : &f->oct_rev) += error->ip_bytes;
    }
    if (dir == FLOW_FWD || !(f->chains & CHAIN_BIT(CHAIN_ICMP)))
        return;
    f->icmp_errors++;
    if (f->icmp_type < 0) {
        f->icmp_type = error->icmp_type;
        f->icmp_code = error->icmp_code;
    }
    /* Destination unreachable: type 3 (RFC 792), type 1 (RFC 4443 3.1). */
    if (error->icmp_type == (error->have & WIRE_IP4 ? 3 : 1))
        f->icmp_unreachable = 1;
}
