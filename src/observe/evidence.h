/* SPDX-License-Identifier: GPL-3.0-or-later
 * From packets to the flow record of a measured connection: which packets are about it, and which
 * of them are to be believed (design law 5). A function of the packets alone, in processing order,
 * so that a capture of a run gives the same flow records as the run (law 2). */
#ifndef RS_OBSERVE_EVIDENCE_H
#define RS_OBSERVE_EVIDENCE_H

#include <stdint.h>

#include "observe/flow.h"

enum received_kind {
    RECEIVED_MALFORMED, /* no IP packet, or an ICMP error whose quote cannot be read */
    RECEIVED_FRAGMENT,  /* without its other parts it proves nothing and carries no whole segment */
    RECEIVED_OTHER,     /* neither a TCP segment nor an ICMP error */
    RECEIVED_SEGMENT,   /* a TCP segment */
    RECEIVED_ERROR      /* an ICMP error with a quote of a packet that has ports */
};

struct received { /* points into the packet's bytes */
    enum received_kind kind;
    struct wire_view view;  /* zero if malformed */
    struct wire_view quote; /* of an error */
    /* Of segments and errors: the connection that it is about, as the packet (or its quote) names
     * it: a segment in reverse, an error's quote forward. */
    struct wire_tuple tuple;
};

void received_parse(struct received *r, const uint8_t *ip, size_t n);

enum believed {
    BELIEVED,     /* it is in the flow record now */
    UNBELIEVABLE, /* it does not prove that its sender saw a packet of ours */
    BAD_CHECKSUM  /* counted in bad_checksum_rev, and as good as lost (RFC 9293 3.1) */
};

/* One packet that we sent. */
void flow_sent(struct flow *f, const struct wire_view *v, rs_wall at);
/* One segment or error about the flow, in reverse. */
enum believed flow_received(struct flow *f, const struct received *r, rs_wall at);

#endif
