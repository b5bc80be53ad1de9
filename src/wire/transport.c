/* SPDX-License-Identifier: GPL-3.0-or-later
 * The transport layer: TCP, UDP, ICMP, ICMPv6, as much of each as is there. */
#include "base/err.h"
#include "wire/cksum.h"
#include "wire/view_int.h"

#define TCP_HEADER_BYTES  20u
#define UDP_HEADER_BYTES  8u
#define ICMP_HEADER_BYTES 8u

/* Judges the checksum `field` of `n` bytes that begin at `l4`. `pseudo` is the sum of the
 * pseudo-header, 0 for none. */
static uint8_t judge(
    const struct parse *p, struct cursor l4, uint32_t n, uint32_t pseudo, uint16_t field)
{
    if (p->quoted || p->other_header || (p->v->have & (WIRE_FRAGMENT | WIRE_TRUNCATED)) ||
        l4.left < n)
        return WIRE_CKSUM_UNKNOWN;
    if (wire_sum_fold(wire_sum(pseudo, l4.at, n)) == 0xffffu)
        return WIRE_CKSUM_GOOD;
    /* What a sending host leaves in the field for its hardware (or for a peer on the same host,
     * which will not look): the pseudo-header's sum, not complemented. */
    if (pseudo != 0 && field == wire_sum_fold(pseudo))
        return WIRE_CKSUM_PARTIAL;
    return WIRE_CKSUM_BAD;
}

static uint32_t pseudo_sum(const struct parse *p, uint32_t l4_bytes)
{
    return wire_sum_pseudo(&p->v->src, &p->v->dst, p->v->proto, l4_bytes);
}

/* What is left is payload. `bytes` is its length by the headers. */
static void set_payload(struct parse *p, uint32_t bytes)
{
    p->v->payload_bytes = bytes;
    p->v->payload_captured = bytes < p->c.left ? bytes : (uint32_t)p->c.left;
    if (p->v->payload_captured > 0)
        p->v->payload = p->c.at;
}

static bool parse_ports(struct parse *p)
{
    uint16_t sport, dport;
    if (!get_be16(&p->c, &sport) || !get_be16(&p->c, &dport))
        return false;
    p->v->sport = sport;
    p->v->dport = dport;
    p->v->have |= WIRE_PORTS;
    return true;
}

/* Options and payload. `header_bytes` is the data offset (RFC 9293 3.1) in bytes. */
static void finish_tcp(struct parse *p, struct cursor l4, uint32_t header_bytes, uint16_t checksum)
{
    struct wire_view *v = p->v;
    uint32_t options = header_bytes - TCP_HEADER_BYTES;
    uint32_t segment = p->unread;

    if (options > p->c.left)
        options = (uint32_t)p->c.left;
    v->options_bytes = (uint8_t)options;
    if (options > 0)
        v->options = p->c.at;
    cursor_skip(&p->c, options);
    set_payload(p, segment > header_bytes ? segment - header_bytes : 0);
    v->l4_cksum = judge(p, l4, segment, pseudo_sum(p, segment), checksum);
}

/* RFC 9293 3.1. RFC 792 promises 8 bytes of a quoted segment: the ports and the sequence number. */
static int parse_tcp(struct parse *p)
{
    struct wire_view *v = p->v;
    struct cursor l4 = p->c;
    uint32_t seq, ack;
    uint16_t offset_flags, checksum;

    if (p->unread < TCP_HEADER_BYTES && !p->partial)
        return -RS_EPROTO;
    if (!parse_ports(p) || !get_be32(&p->c, &seq))
        return 0;
    v->seq = seq;
    v->have |= WIRE_TCP_SEQ;
    if (p->c.left < TCP_HEADER_BYTES - 8)
        return 0;
    if (!get_be32(&p->c, &ack) || !get_be16(&p->c, &offset_flags))
        return 0;
    uint32_t header_bytes = (uint32_t)(offset_flags >> 12) * 4;
    if (header_bytes < TCP_HEADER_BYTES || (header_bytes > p->unread && !p->partial))
        return -RS_EPROTO;
    v->ack = ack;
    v->flags = offset_flags & 0xfffu;
    if (!get_be16(&p->c, &v->window) || !get_be16(&p->c, &checksum) || !get_be16(&p->c, &v->urgent))
        return 0;
    v->have |= WIRE_TCP;
    finish_tcp(p, l4, header_bytes, checksum);
    return 0;
}

/* RFC 768. A length of 0 is a packet too long for the field (RFC 2675 4, or offloaded). */
static int parse_udp(struct parse *p)
{
    struct wire_view *v = p->v;
    struct cursor l4 = p->c;
    uint16_t length, checksum;

    if (p->unread < UDP_HEADER_BYTES && !p->partial)
        return -RS_EPROTO;
    if (!parse_ports(p) || !get_be16(&p->c, &length) || !get_be16(&p->c, &checksum))
        return 0;
    uint32_t bytes = length == 0 ? p->unread : length;
    if (bytes < UDP_HEADER_BYTES || bytes > p->unread) {
        if (!p->partial)
            return -RS_EPROTO;
        bytes = p->unread > UDP_HEADER_BYTES ? p->unread : UDP_HEADER_BYTES;
    }
    v->have |= WIRE_UDP | (checksum == 0 ? WIRE_UDP_NO_CKSUM : 0);
    set_payload(p, bytes - UDP_HEADER_BYTES);
    if (checksum != 0)
        v->l4_cksum = judge(p, l4, bytes, pseudo_sum(p, bytes), checksum);
    else if ((v->have & WIRE_IP6) && !p->quoted)
        v->l4_cksum = WIRE_CKSUM_BAD; /* RFC 8200 8.1 */
    return 0;
}

/* RFC 4884 4: where an error carries extensions, the length of the quote before them. 0: none. */
static uint32_t quote_limit(const struct wire_view *v)
{
    if (v->have & WIRE_IP6)
        return v->icmp_type == 1 || v->icmp_type == 3 ? (v->icmp_info >> 24) * 8 : 0;
    return v->icmp_type == 3 || v->icmp_type == 11 || v->icmp_type == 12
               ? (v->icmp_info >> 16 & 0xffu) * 4
               : 0;
}

/* RFC 792, RFC 4443 2.1. */
static int parse_icmp(struct parse *p)
{
    struct wire_view *v = p->v;
    struct cursor l4 = p->c;
    uint32_t n = p->unread, info;
    uint8_t type, code;
    uint16_t checksum;

    if (n < ICMP_HEADER_BYTES && !p->partial)
        return -RS_EPROTO;
    if (!get_u8(&p->c, &type) || !get_u8(&p->c, &code) || !get_be16(&p->c, &checksum) ||
        !get_be32(&p->c, &info))
        return 0;
    v->icmp_type = type;
    v->icmp_code = code;
    v->icmp_info = info;
    v->have |= WIRE_ICMP;
    set_payload(p, n > ICMP_HEADER_BYTES ? n - ICMP_HEADER_BYTES : 0);
    v->l4_cksum = judge(p, l4, n, v->have & WIRE_IP6 ? pseudo_sum(p, n) : 0, checksum);
    if (wire_is_icmp_error(v) && v->payload_captured > 0) {
        uint32_t limit = quote_limit(v);
        v->quote = v->payload;
        v->quote_bytes = limit > 0 && limit < v->payload_captured ? limit : v->payload_captured;
        v->have |= WIRE_QUOTE;
    }
    return 0;
}

int parse_transport(struct parse *p)
{
    switch (p->v->proto) {
    case IP_PROTO_TCP:
        return parse_tcp(p);
    case IP_PROTO_UDP:
        return parse_udp(p);
    case IP_PROTO_ICMP:
        return p->v->have & WIRE_IP4 ? parse_icmp(p) : 0;
    case IP_PROTO_ICMPV6:
        return p->v->have & WIRE_IP6 ? parse_icmp(p) : 0;
    default:
        return 0;
    }
}
