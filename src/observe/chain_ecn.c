/* SPDX-License-Identifier: GPL-3.0-or-later
 * Chain ecn: codepoints, ECE and CWR, by kind of segment. */
#include <stddef.h>

#include "observe/flow_int.h"

static bool has_stamp(const struct seen *s)
{
    return (s->options.have & OPT_TIMESTAMP) != 0; /* RFC 7323 3 */
}

/* AE, CWR, ECE as the number that the field writes them: 0b011 is an ECN-setup SYN. */
static int16_t ecn_bits(unsigned flags)
{
    return (int16_t)((flags & (TCP_AE | TCP_CWR | TCP_ECE)) / TCP_ECE);
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

static void syn_segment(struct flow *f, const struct wire_view *v, enum flow_dir dir)
{
    int16_t bits = ecn_bits(v->flags);
    if (dir == FLOW_FWD) {
        if (f->ecn_syn_bits < 0)
            f->ecn_syn_bits = bits;
        return;
    }
    climb(f, bits);
    if (f->ecn_synack_bits >= 0)
        return;
    f->ecn_synack_bits = bits;
    f->ecn_synack_cp = (int16_t)wire_ecn(v);
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
static bool acks_retransmission(const struct flow *f, const struct seen *s)
{
    return !has_stamp(s) || !f->ect_ts_known || !seq_after(f->ect_ts, s->options.tsecr);
}

/* Follows one stretch of our data that went out marked: lost only if a Not-ECT retransmission was
 * acknowledged. */
static void follow_marked_data(struct flow *f, const struct seen *s)
{
    const struct wire_view *v = s->v;
    enum segment_kind kind = s->kind;
    if (s->dir == FLOW_FWD) {
        if (kind == KIND_NEW_DATA && wire_ecn(v) != IP_ECN_NOT && f->ect_state == 0) {
            f->ect_from = v->seq;
            f->ect_to = v->seq + v->payload_bytes;
            f->ect_state = 1;
        } else if (kind == KIND_RETRANSMISSION && f->ect_state == 1 && wire_ecn(v) == IP_ECN_NOT &&
                   v->seq == f->ect_from) {
            f->ect_state = 2;
            f->ect_ts = s->options.tsval;
            f->ect_ts_known = has_stamp(s);
        }
    } else if (f->ect_state != 0 && (v->flags & TCP_ACK) && !seq_after(f->ect_to, v->ack)) {
        if (f->ect_state == 2 && acks_retransmission(f, s))
            f->ecn_ect_lost_fwd++;
        f->ect_state = 0;
    }
}

void chain_ecn(struct flow *f, const struct seen *s)
{
    const struct wire_view *v = s->v;
    enum flow_dir dir = s->dir;
    enum segment_kind kind = s->kind;
    ecn_pathspider_flags(f, v, dir);
    if (kind == KIND_SYN) {
        syn_segment(f, v, dir);
        return;
    }
    bool fwd = dir == FLOW_FWD;
    unsigned cp = wire_ecn(v);
    if (v->flags & TCP_ECE)
        ++*(fwd ? &f->ecn_ece_fwd : &f->ecn_ece_rev);
    if (v->flags & TCP_CWR)
        ++*(fwd ? &f->ecn_cwr_fwd : &f->ecn_cwr_rev);
    follow_marked_data(f, s);
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
             (kind != KIND_RETRANSMISSION || has_stamp(s)))
        ++*marked_rev[kind];
}
