/* SPDX-License-Identifier: GPL-3.0-or-later
 * A segment to be sent, in words: what the TCP machine asks for and what craft turns into bytes.
 * Everything that an arm's rule may twist is a field here. Host byte order. */
#ifndef RS_WIRE_SEGMENT_H
#define RS_WIRE_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum seg_class { SEG_SYN, SEG_ACK, SEG_DATA, SEG_FIN, SEG_RST, SEG_UDP, SEG_N };

/* A segment's class is the first that fits: RST, SYN, DATA (with or without FIN), FIN (alone), ACK
 * (nothing but ACK). */
struct wire_segment {
    enum seg_class cls;
    uint16_t ordinal; /* 1-based count of segments of this class on this connection, new ones only;
                         a retransmission keeps the ordinal of the first sending */
    uint16_t tries;   /* 1 = first sending, 2 = first retransmission ... */
    uint8_t state;    /* enum tcp_state of the sender when it was made, for rules */
    uint32_t seq, ack;
    uint16_t flags;  /* 12 bits, wire/view.h */
    uint16_t window; /* as sent */
    uint16_t urgent;
    uint8_t ecn;         /* IP ECN codepoint */
    uint8_t dscp;        /* 0..63 */
    uint8_t ttl;         /* or hop limit */
    uint8_t ip_flags;    /* IPv4: 4 = reserved ("evil"), 2 = DF, 1 = MF */
    uint16_t ip_id;      /* IPv4 only */
    uint32_t flow_label; /* IPv6 only, 20 bits */
    bool bad_checksum;   /* send the transport checksum off by one */
    bool zero_checksum;  /* UDP: send no checksum */
    uint8_t options_bytes;
    uint8_t options[40];
    const uint8_t *payload; /* borrowed until the segment is built */
    uint32_t payload_bytes;
};

/* The class of a TCP segment, by the rule at the enum. */
enum seg_class seg_classify(uint16_t flags, uint32_t payload_bytes);
const char *seg_class_name(enum seg_class c);

#endif
