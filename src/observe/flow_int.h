/* SPDX-License-Identifier: GPL-3.0-or-later
 * Between flow.c and the chains: a packet as the chains see it. A chain is one file, chain_NAME.c,
 * with one function; its features and what it remembers are rows of fields.def. It touches
 * the members of its own chain and the shared state; those of other chains may not be there
 * (flow_bytes). */
#ifndef RS_OBSERVE_FLOW_INT_H
#define RS_OBSERVE_FLOW_INT_H

#include "observe/flow.h"
#include "wire/options.h"

enum segment_kind {
    KIND_NOT_TCP, /* UDP and others, and TCP whose header is not whole */
    KIND_SYN,
    KIND_RST,
    KIND_NEW_DATA,
    KIND_RETRANSMISSION, /* sent again: its time stamp is newer than what it lies below, or there is
                            none */
    KIND_OLD,            /* sent before what it lies below: the path reordered or duplicated it */
    KIND_FIN,
    KIND_ACK
};

struct seen { /* one packet of a flow, never an ICMP error that quotes it */
    const struct wire_view *v;
    enum flow_dir dir;
    rs_wall at;
    /* Of TCP only: */
    enum segment_kind kind;
    struct wire_options options;
};

/* 32-bit sequence numbers wrap (RFC 9293 3.4). */
static inline bool seq_after(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

/* What PATHspider's mark fields tell apart: `_syn_` and `_data_`. TCP without SYN counts only where
 * it has payload; of TCP whose header is not whole (cut off, a later fragment) nobody knows. */
enum marked { MARKED_NOTHING, MARKED_SYN, MARKED_DATA };

static inline enum marked what_is_marked(const struct seen *s)
{
    if (s->kind == KIND_SYN)
        return MARKED_SYN;
    if (s->kind == KIND_NOT_TCP)
        return s->v->proto == IP_PROTO_TCP ? MARKED_NOTHING : MARKED_DATA;
    return s->v->payload_bytes > 0 ? MARKED_DATA : MARKED_NOTHING;
}

/* TCP flows only, but for basic, dscp, evilbit, udp, dns and meter. */
void chain_tcp(struct flow *f, const struct seen *s);
void chain_ecn(struct flow *f, const struct seen *s);
void chain_tcpopt(struct flow *f, const struct seen *s);
void chain_dscp(struct flow *f, const struct seen *s);
void chain_evilbit(struct flow *f, const struct seen *s);
void chain_mss(struct flow *f, const struct seen *s);
void chain_tfo(struct flow *f, const struct seen *s);
void chain_dns(struct flow *f, const struct seen *s);
void chain_udp(struct flow *f, const struct seen *s);
void chain_meter(struct flow *f, const struct seen *s);

#endif
