/* SPDX-License-Identifier: GPL-3.0-or-later
 * A parsed packet. One parser serves live packets, capture files and the packets quoted inside ICMP
 * errors. It never trusts a length, never allocates, and keeps pointers into the caller's bytes: a
 * view lives as long as they do. Sources: RFC 791, RFC 8200, RFC 9293 3.1, RFC 768, RFC 792, RFC
 * 4443, RFC 3168 (ECN), RFC 9768 (AE). */
#ifndef RS_WIRE_VIEW_H
#define RS_WIRE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/addr.h"

/* TCP flags in their wire positions: the low 12 bits of header bytes 12-13 (RFC 9293 3.1, RFC
 * 9768 3.1). */
#define TCP_FIN 0x001u
#define TCP_SYN 0x002u
#define TCP_RST 0x004u
#define TCP_PSH 0x008u
#define TCP_ACK 0x010u
#define TCP_URG 0x020u
#define TCP_ECE 0x040u
#define TCP_CWR 0x080u
#define TCP_AE  0x100u
#define TCP_R3  0x200u
#define TCP_R2  0x400u
#define TCP_R1  0x800u

/* IP ECN codepoints (RFC 3168 5): ECT(1) is the low bit. */
#define IP_ECN_NOT  0u
#define IP_ECN_ECT1 1u
#define IP_ECN_ECT0 2u
#define IP_ECN_CE   3u

#define IP_PROTO_ICMP   1u
#define IP_PROTO_TCP    6u
#define IP_PROTO_UDP    17u
#define IP_PROTO_ICMPV6 58u

enum wire_have { /* which parts of the view are valid */
                 WIRE_IP4 = 1 << 0,
                 WIRE_IP6 = 1 << 1,
                 WIRE_PORTS = 1 << 2, /* sport, dport; true for TCP and UDP, also in short quotes */
                 WIRE_TCP_SEQ =
                     1
                     << 3, /* seq; the first 8 bytes of TCP, all that RFC 792 promises of a quote */
                 WIRE_TCP =
                     1 << 4, /* the whole fixed header: ack, flags, window, checksum; options */
                 WIRE_UDP = 1 << 5,       /* the whole UDP header */
                 WIRE_ICMP = 1 << 6,      /* icmp_type, icmp_code (ICMP or ICMPv6) */
                 WIRE_QUOTE = 1 << 7,     /* quote and quote_bytes: an ICMP error's quoted packet */
                 WIRE_FRAGMENT = 1 << 8,  /* any fragment; transport parts only of the first one */
                 WIRE_TRUNCATED = 1 << 9, /* the capture holds fewer bytes than the packet had */
                 WIRE_EXTHDR =
                     1 << 10, /* IPv4 options or IPv6 extension headers were passed over */
                 WIRE_UDP_NO_CKSUM = 1 << 11 /* the UDP checksum is 0: not made (RFC 768) */
};

enum wire_cksum {
    WIRE_CKSUM_UNKNOWN, /* truncated, a fragment, a quote, or UDP over IPv4 without one */
    WIRE_CKSUM_GOOD,
    WIRE_CKSUM_PARTIAL, /* holds the pseudo-header sum: left to be finished by hardware, good */
    WIRE_CKSUM_BAD
};

struct wire_view {
    uint32_t have; /* of enum wire_have */
    struct wire_addr src, dst;
    uint8_t proto;    /* of the transport, after extension headers */
    uint8_t tos;      /* IPv4 TOS or IPv6 traffic class: DSCP << 2 | ECN */
    uint8_t ttl;      /* or hop limit */
    uint8_t ip_flags; /* IPv4: the top three bits, 4 = reserved ("evil"), 2 = DF, 1 = MF; IPv6: 0 */
    uint16_t ip_id;   /* IPv4 only */
    uint32_t flow_label; /* IPv6 only, 20 bits */
    uint32_t ip_bytes;   /* the packet's length by its IP header; by the capture where that is 0
                            (offloaded) */
    uint16_t sport, dport;
    uint32_t seq, ack;
    uint16_t flags;         /* TCP, 12 bits, see above */
    uint16_t window;        /* TCP, as sent, not scaled */
    uint16_t urgent;        /* TCP, urgent pointer */
    const uint8_t *options; /* TCP options, NULL when none; may be malformed: wire/options.h walks
                               them safely */
    uint8_t options_bytes;
    uint8_t ip_cksum, l4_cksum; /* of enum wire_cksum; ip_cksum is GOOD for IPv6 */
    const uint8_t *payload;     /* transport payload that was captured */
    uint32_t payload_captured;  /* bytes at `payload` */
    uint32_t payload_bytes;     /* bytes that the packet carried; > payload_captured if TRUNCATED */
    uint8_t icmp_type, icmp_code;
    uint32_t icmp_info; /* second word of the ICMP header (MTU, pointer, id and sequence) */
    const uint8_t *quote;
    uint32_t quote_bytes;
};

enum wire_mode {
    WIRE_PARSE_PACKET, /* lengths are checked against the IP header */
    WIRE_PARSE_QUOTE   /* may end anywhere after the IP header; checksums are not judged */
};

/* Parses from the first byte of an IP header. `captured` bytes are readable. 0, -RS_ETRUNC (not
 * even an IP header), -RS_EPROTO (not IP, or a header that contradicts itself). The view is all
 * zero but for what was understood, also after an error. An unfragmented packet inside an IPv6
 * fragment header (RFC 6946) is not a fragment. A quote fails only for its IP header: damage behind
 * it leaves the parts after the damage out. */
int wire_parse(struct wire_view *v, const uint8_t *bytes, size_t captured, enum wire_mode mode);

static inline uint8_t wire_ecn(const struct wire_view *v)
{
    return v->tos & 3u;
}

static inline struct wire_tuple wire_view_tuple(const struct wire_view *v)
{
    return (struct wire_tuple){
        .src = v->src, .dst = v->dst, .proto = v->proto, .sport = v->sport, .dport = v->dport};
}

/* True for ICMP and ICMPv6 errors (those that quote a packet: RFC 792, redirects among them; RFC
 * 4443 2.1), false for anything else. */
bool wire_is_icmp_error(const struct wire_view *v);

#endif
