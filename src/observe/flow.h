/* SPDX-License-Identifier: GPL-3.0-or-later
 * A flow: both directions of one 5-tuple, and the features that chains draw from its packets. Fed
 * with parsed packets, in processing order, from the injector, the capture or a file alike. Does no
 * I/O and reads no clock. */
#ifndef RS_OBSERVE_FLOW_H
#define RS_OBSERVE_FLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"
#include "observe/meter.h"
#include "wire/addr.h"
#include "wire/view.h"

/* In the order of their members in struct flow: a measurement's come first. */
enum chain {
    CHAIN_BASIC,
    CHAIN_TCP,
    CHAIN_ECN,
    CHAIN_ICMP,
    CHAIN_TCPOPT,
    CHAIN_DSCP,
    CHAIN_EVILBIT,
    CHAIN_MSS,
    CHAIN_TFO,
    CHAIN_DNS,
    CHAIN_UDP,
    CHAIN_METER,
    CHAIN_N
};
#define CHAIN_BIT(c) (1u << (c))
#define CHAINS_ALL   ((1u << CHAIN_N) - 1u)
#define CHAINS_OF_ANY_PROTOCOL                                                                     \
    (CHAIN_BIT(CHAIN_DSCP) | CHAIN_BIT(CHAIN_EVILBIT) | CHAIN_BIT(CHAIN_DNS) |                     \
     CHAIN_BIT(CHAIN_UDP) | CHAIN_BIT(CHAIN_METER))

enum flow_dir { FLOW_FWD, FLOW_REV };

enum flow_kind {
    FLOW_KIND_COUNT,
    FLOW_KIND_FLAG,
    FLOW_KIND_MAYBE,     /* a number, null below 0 */
    FLOW_KIND_MAYBEFLAG, /* true or false, null below 0 */
    FLOW_KIND_STAMP
};

/* What a measured flow remembers to tell who saw our packets (observe/evidence.h). */
struct flow_sight {
    uint32_t iss, sent_end, ack_sent; /* ours: first number, highest + 1, last acknowledgement */
    uint32_t acked, peer_end;         /* theirs: highest acknowledgement, highest number + 1 */
    uint32_t packets;                 /* in the flow record: sent, or believed */
    bool opened, answered;
};

/* Of this struct only the first flow_bytes(chains) bytes need be there: the members of chains
 * behind the last one that is drawn are not touched. */
struct flow {
    struct wire_tuple tuple; /* src is the side that sends forward */
    struct flow *table_next; /* the table's; not for others */
    void *owner;             /* the table user's; not looked at here */
    uint32_t chains;         /* CHAIN_BIT()s that are drawn */
    struct flow_sight sight; /* measured flows only */
    /* What the chains remember between packets; not features. */
    uint32_t seq_next[2];      /* highest sequence number seen + 1, by direction */
    uint32_t ect_from, ect_to; /* bytes that went out marked and are not acknowledged yet */
    int64_t syn_at;            /* ns, first SYN */
    uint32_t ts_next[2];       /* TSval of the segment that seq_next comes from */
    uint8_t seq_known;         /* bit 1 << direction */
    uint8_t ts_known;          /* likewise, for ts_next */
    uint32_t ect_ts;           /* TSval of that retransmission */
    bool ect_ts_known;
    uint8_t ect_state; /* 0 none, 1 marked data out, 2 sent again Not-ECT */
#define FLOW_FIELD(name, type, kind, chain, unit, doc) type name;
#define FLOW_STATE(name, type, chain)                  type name;
#include "observe/fields.def"
#undef FLOW_FIELD
#undef FLOW_STATE
};

/* Bytes of a flow that draws these chains; a multiple of 8. */
size_t flow_bytes(uint32_t chains);

void flow_init(struct flow *f, const struct wire_tuple *tuple, uint32_t chains);
/* The same by copying a flow of those chains that flow_init has just made, `bytes` long: for who
 * makes many. */
void flow_init_like(struct flow *f,
                    const struct flow *model,
                    size_t bytes,
                    const struct wire_tuple *tuple);
/* One packet of the flow (TCP, UDP, other). */
void flow_packet(struct flow *f, const struct wire_view *v, enum flow_dir dir, rs_wall at);
/* One ICMP error that quotes a packet of the flow; the caller has judged that it is believable. It
 * counts as a packet of the direction opposite to the quoted one's, `dir`, as with PATHspider, and,
 * in reverse, in the icmp chain; its marks, TTL and the like are not the flow's. */
void flow_icmp_error(struct flow *f, const struct wire_view *error, enum flow_dir dir, rs_wall at);

const char *chain_name(enum chain c);
/* -1 when there is no such chain. */
int chain_find(const char *name);

struct flow_field { /* one row of fields.def */
    const char *name, *unit, *doc;
    enum flow_kind kind;
    enum chain chain;
    uint16_t offset; /* in struct flow */
    uint8_t bytes;   /* of the member */
    bool is_signed;
};

extern const struct flow_field flow_fields[];
extern const unsigned flow_fields_n;
/* The value of a field; false when it is null, or its chain is not drawn. */
bool flow_value(const struct flow *f, const struct flow_field *field, int64_t *value);
/* NULL when there is no such field. */
const struct flow_field *flow_field_find(const char *name);

#endif
