/* SPDX-License-Identifier: GPL-3.0-or-later
 * The chains: what each draws from a packet. */
#include "observe/flow.h"

#include <stddef.h>
#include <string.h>

#include "wire/options.h"

static bool seq_after(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

void flow_init(struct flow *f, const struct wire_tuple *tuple, uint32_t chains)
{
    memset(f, 0, sizeof *f);
    f->tuple = *tuple;
    f->chains = chains;
    for (unsigned i = 0; i < flow_fields_n; i++) {
        const struct flow_field *field = &flow_fields[i];
        if (field->kind == FLOW_KIND_MAYBE) /* all bits set: -1 in any width */
            memset((char *)f + field->offset, 0xff, field->bytes);
    }
}

static void chain_basic(struct flow *f, const struct wire_view *v, enum flow_dir dir, rs_wall at)
{
    if (f->pkt_first == 0)
        f->pkt_first = at.ns;
    f->pkt_last = at.ns;
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

/* AE, CWR, ECE as the number that the field writes them: 0b011 is an ECN-setup SYN. */
static int16_t ecn_bits(unsigned flags)
{
    return (int16_t)((flags & (TCP_AE | TCP_CWR | TCP_ECE)) / TCP_ECE);
}

/* Hops behind a TTL, from the next usual initial value (64, 128, 255). */
static int16_t hops(uint8_t ttl)
{
    return (int16_t)((ttl <= 64 ? 64 : ttl <= 128 ? 128 : 255) - ttl);
}

/* The AE, CWR, ECE of up to four copies of the SYN/ACK, three bits each, the first lowest; bits 12
 * and 13 count them. */
static void climb(struct flow *f, int16_t bits)
{
    int seen = f->ecn_synack_ladder < 0 ? 0 : (f->ecn_synack_ladder >> 12) + 1;
    if (seen == 4)
        return;
    int list = seen == 0 ? 0 : f->ecn_synack_ladder & 0xfff;
    f->ecn_synack_ladder = (int16_t)(list | bits << (3 * seen) | seen << 12);
}

static void syn_segment(struct flow *f, const struct wire_view *v, enum flow_dir dir, rs_wall at)
{
    if (dir == FLOW_FWD) {
        if (f->tcp_syn_count_fwd++ == 0) {
            f->tcp_synflags_fwd = v->flags & 0xff;
            f->tcp_ae_syn_fwd = (v->flags & TCP_AE) != 0;
            f->ecn_syn_bits = ecn_bits(v->flags);
            f->syn_at = at.ns;
        }
        return;
    }
    climb(f, ecn_bits(v->flags));
    if (f->tcp_syn_count_rev++ != 0) {
        if (ecn_bits(v->flags) != f->ecn_synack_bits)
            f->tcp_synack_varies = 1;
        return;
    }
    f->tcp_synack_hops = hops(v->ttl);
    f->tcp_synflags_rev = v->flags & 0xff;
    f->tcp_ae_syn_rev = (v->flags & TCP_AE) != 0;
    f->ecn_synack_bits = ecn_bits(v->flags);
    f->ecn_synack_cp = (int16_t)wire_ecn(v);
    f->tcp_synack_ttl = v->ttl;
    /* RFC 6298 3 (Karn): with more than one SYN out, nobody knows which one was answered. */
    if (f->tcp_syn_count_fwd == 1 && at.ns >= f->syn_at && (at.ns - f->syn_at) / 1000 <= INT32_MAX)
        f->tcp_rtt_handshake_us = (int32_t)((at.ns - f->syn_at) / 1000);
}

enum segment_kind {
    KIND_SYN,
    KIND_RST,
    KIND_NEW_DATA,
    KIND_RETRANSMISSION, /* sent again: its time stamp is newer than what it lies below, or there is
                            none */
    KIND_OLD,            /* sent before what it lies below: the path reordered or duplicated it */
    KIND_FIN,
    KIND_ACK
};

struct stamp { /* the time stamp of a segment (RFC 7323 3) */
    bool there;
    uint32_t value, echo; /* TSval, TSecr */
};

static struct stamp stamp_of(const struct wire_view *v)
{
    struct wire_options o;
    wire_options_parse(&o, v->options, v->options_bytes);
    return (struct stamp){(o.have & OPT_TIMESTAMP) != 0, o.tsval, o.tsecr};
}

static enum segment_kind segment_kind(const struct flow *f,
                                      const struct wire_view *v,
                                      enum flow_dir dir,
                                      const struct stamp *ts)
{
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
    bool newer = !ts->there || !(f->ts_known & bit) || seq_after(ts->value, f->ts_next[dir]);
    return newer ? KIND_RETRANSMISSION : KIND_OLD;
}

static void remember_seq(struct flow *f,
                         const struct wire_view *v,
                         enum flow_dir dir,
                         const struct stamp *ts)
{
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
    f->ts_next[dir] = ts->value;
    f->ts_known = (uint8_t)(ts->there ? f->ts_known | bit : f->ts_known & ~bit);
}

static void chain_tcp(struct flow *f,
                      const struct wire_view *v,
                      enum flow_dir dir,
                      enum segment_kind kind,
                      rs_wall at)
{
    bool fwd = dir == FLOW_FWD;
    if (kind == KIND_SYN)
        syn_segment(f, v, dir, at);
    if (v->flags & TCP_FIN)
        *(fwd ? &f->tcp_fin_fwd : &f->tcp_fin_rev) = 1;
    if (v->flags & TCP_RST) {
        *(fwd ? &f->tcp_rst_fwd : &f->tcp_rst_rev) = 1;
        if (!fwd && f->tcp_rst_ttl < 0) {
            f->tcp_rst_ttl = v->ttl;
            f->tcp_rst_hops = hops(v->ttl);
        }
    }
    if (fwd && kind != KIND_SYN && kind != KIND_RST && (v->flags & TCP_ACK) &&
        f->tcp_synflags_fwd >= 0 && f->tcp_synflags_rev >= 0)
        f->tcp_connected = 1;
    if (kind == KIND_NEW_DATA)
        ++*(fwd ? &f->tcp_newdata_fwd : &f->tcp_newdata_rev);
    if (kind == KIND_RETRANSMISSION)
        ++*(fwd ? &f->tcp_rtx_fwd : &f->tcp_rtx_rev);
    if (kind == KIND_OLD)
        ++*(fwd ? &f->tcp_old_fwd : &f->tcp_old_rev);
}

static void ecn_pathspider_flags(struct flow *f, const struct wire_view *v, enum flow_dir dir)
{
    uint8_t *flags[2][2][4] = {
        /* [direction][without SYN][codepoint] */
        {{NULL, &f->ecn_ect1_syn_fwd, &f->ecn_ect0_syn_fwd, &f->ecn_ce_syn_fwd},
         {NULL, &f->ecn_ect1_data_fwd, &f->ecn_ect0_data_fwd, &f->ecn_ce_data_fwd}},
        {{NULL, &f->ecn_ect1_syn_rev, &f->ecn_ect0_syn_rev, &f->ecn_ce_syn_rev},
         {NULL, &f->ecn_ect1_data_rev, &f->ecn_ect0_data_rev, &f->ecn_ce_data_rev}}};
    uint8_t *flag = flags[dir == FLOW_REV][!(v->flags & TCP_SYN)][wire_ecn(v)];
    if (flag != NULL)
        *flag = 1;
}

/* RFC 3522 (Eifel): the ACK of a retransmission echoes its time stamp; an older echo acknowledges
 * the first sending, which then was not lost but slow. */
static bool acks_retransmission(const struct flow *f, const struct stamp *ts)
{
    return !ts->there || !f->ect_ts_known || !seq_after(f->ect_ts, ts->echo);
}

/* Follows one stretch of our data that went out marked: lost only if a Not-ECT retransmission was
 * acknowledged. */
static void follow_marked_data(struct flow *f,
                               const struct wire_view *v,
                               enum flow_dir dir,
                               enum segment_kind kind,
                               const struct stamp *ts)
{
    if (dir == FLOW_FWD) {
        if (kind == KIND_NEW_DATA && wire_ecn(v) != IP_ECN_NOT && f->ect_state == 0) {
            f->ect_from = v->seq;
            f->ect_to = v->seq + v->payload_bytes;
            f->ect_state = 1;
        } else if (kind == KIND_RETRANSMISSION && f->ect_state == 1 && wire_ecn(v) == IP_ECN_NOT &&
                   v->seq == f->ect_from) {
            f->ect_state = 2;
            f->ect_ts = ts->value;
            f->ect_ts_known = ts->there;
        }
    } else if (f->ect_state != 0 && (v->flags & TCP_ACK) && !seq_after(f->ect_to, v->ack)) {
        if (f->ect_state == 2 && acks_retransmission(f, ts))
            f->ecn_ect_lost_fwd++;
        f->ect_state = 0;
    }
}

static void chain_ecn(struct flow *f,
                      const struct wire_view *v,
                      enum flow_dir dir,
                      enum segment_kind kind,
                      const struct stamp *ts)
{
    ecn_pathspider_flags(f, v, dir);
    if (kind == KIND_SYN)
        return;
    bool fwd = dir == FLOW_FWD;
    unsigned cp = wire_ecn(v);
    if (v->flags & TCP_ECE)
        ++*(fwd ? &f->ecn_ece_fwd : &f->ecn_ece_rev);
    if (v->flags & TCP_CWR)
        ++*(fwd ? &f->ecn_cwr_fwd : &f->ecn_cwr_rev);
    follow_marked_data(f, v, dir, kind, ts);
    uint32_t *newdata[2][4] = {{&f->ecn_newdata_not_fwd, &f->ecn_newdata_ect1_fwd,
                                &f->ecn_newdata_ect0_fwd, &f->ecn_newdata_ce_fwd},
                               {&f->ecn_newdata_not_rev, &f->ecn_newdata_ect1_rev,
                                &f->ecn_newdata_ect0_rev, &f->ecn_newdata_ce_rev}};
    uint32_t *marked_rev[] = {[KIND_RST] = &f->ecn_rst_marked_rev,
                              [KIND_RETRANSMISSION] = &f->ecn_rtx_marked_rev,
                              [KIND_FIN] = &f->ecn_fin_marked_rev,
                              [KIND_ACK] = &f->ecn_ack_marked_rev};
    if (kind == KIND_NEW_DATA)
        ++*newdata[dir == FLOW_REV][cp];
    else if (!fwd && cp != IP_ECN_NOT && kind != KIND_OLD &&
             (kind != KIND_RETRANSMISSION || ts->there))
        ++*marked_rev[kind];
}

void flow_packet(struct flow *f, const struct wire_view *v, enum flow_dir dir, rs_wall at)
{
    if (f->chains & CHAIN_BIT(CHAIN_BASIC))
        chain_basic(f, v, dir, at);
    if (!(v->have & WIRE_TCP))
        return;
    struct stamp ts = stamp_of(v);
    enum segment_kind kind = segment_kind(f, v, dir, &ts);
    if (f->chains & (CHAIN_BIT(CHAIN_TCP) | CHAIN_BIT(CHAIN_ECN)))
        chain_tcp(f, v, dir, kind, at); /* the ecn chain stands on the SYN fields of this one */
    if (f->chains & CHAIN_BIT(CHAIN_ECN))
        chain_ecn(f, v, dir, kind, &ts);
    remember_seq(f, v, dir, &ts);
}

void flow_icmp_error(struct flow *f, const struct wire_view *error, rs_wall at)
{
    if (!(f->chains & CHAIN_BIT(CHAIN_ICMP)))
        return;
    f->pkt_last = at.ns;
    f->icmp_errors++;
    if (f->icmp_type < 0) {
        f->icmp_type = error->icmp_type;
        f->icmp_code = error->icmp_code;
    }
    /* Destination unreachable: type 3 (RFC 792), type 1 (RFC 4443 3.1). */
    if (error->icmp_type == (error->have & WIRE_IP4 ? 3 : 1))
        f->icmp_unreachable = 1;
}
