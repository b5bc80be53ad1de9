/* SPDX-License-Identifier: GPL-3.0-or-later
 * The network layer: IPv4 with options, IPv6 with extension headers, fragments. */
#include "wire/view.h"

#include <string.h>

#include "base/err.h"
#include "wire/cksum.h"
#include "wire/view_int.h"

#define IP4_HEADER_BYTES 20u
#define IP6_HEADER_BYTES 40u

/* RFC 8200 4.1: each extension header at most once, destination options twice; the chain of a
 * packet that does not keep to that ends here. */
#define EXTENSIONS_MOST 8

#define NEXT_HOP_BY_HOP 0u
#define NEXT_ROUTING    43u
#define NEXT_FRAGMENT   44u
#define NEXT_AH         51u
#define NEXT_NONE       59u
#define NEXT_DEST_OPTS  60u

#define IP4_LSRR 131u /* RFC 791 3.1, loose and strict source route */
#define IP4_SSRR 137u

int parse_skip(struct parse *p, uint32_t n)
{
    if (n > p->unread)
        return -RS_EPROTO;
    if (!cursor_skip(&p->c, n))
        return 1;
    p->unread -= n;
    return 0;
}

/* Fixes the packet's length: cuts padding behind it, notes a capture that ends before it. `length`
 * counts from the IP header's first byte, of which `header` are read. */
static void set_length(struct parse *p, uint32_t length, uint32_t header)
{
    p->v->ip_bytes = length;
    p->unread = length - header;
    if (p->c.left > p->unread)
        p->c.left = p->unread;
    else if (p->c.left < p->unread)
        p->v->have |= WIRE_TRUNCATED;
}

static bool ip4_source_routed(struct cursor options)
{
    uint8_t kind, length;
    while (get_u8(&options, &kind) && kind != 0) {
        if (kind == IP4_LSRR || kind == IP4_SSRR)
            return true;
        if (kind != 1 &&
            (!get_u8(&options, &length) || length < 2 || !cursor_skip(&options, length - 2u)))
            return false;
    }
    return false;
}

/* RFC 4302 2.2: the length counts 32-bit words less two. */
static int pass_ah(struct parse *p)
{
    struct cursor look = p->c;
    uint8_t next, words;
    if (!get_u8(&look, &next) || !get_u8(&look, &words))
        return p->unread < 2 ? -RS_EPROTO : 1;
    int rc = parse_skip(p, (words + 2u) * 4);
    if (rc == 0)
        p->v->proto = next;
    return rc;
}

/* RFC 8200 4.3, 4.4, 4.6: the length counts 8-byte units less one. */
static int pass_options(struct parse *p)
{
    struct cursor look = p->c;
    uint8_t next, units, routing_type, segments_left;
    if (!get_u8(&look, &next) || !get_u8(&look, &units))
        return p->unread < 2 ? -RS_EPROTO : 1;
    if (p->v->proto == NEXT_ROUTING && get_u8(&look, &routing_type) &&
        get_u8(&look, &segments_left) && segments_left > 0)
        p->other_header = true;
    int rc = parse_skip(p, (units + 1u) * 8);
    if (rc == 0)
        p->v->proto = next;
    return rc;
}

/* RFC 8200 4.5. Returns 1 behind the header of a fragment that is not the first, too. */
static int pass_fragment(struct parse *p)
{
    struct cursor look = p->c;
    uint8_t next, reserved;
    uint16_t offset;
    if (!get_u8(&look, &next) || !get_u8(&look, &reserved) || !get_be16(&look, &offset))
        return p->unread < 8 ? -RS_EPROTO : 1;
    if (offset & 0xfff9u) /* RFC 6946: offset 0 and no M flag is a whole packet */
        p->v->have |= WIRE_FRAGMENT;
    int rc = parse_skip(p, 8);
    if (rc != 0)
        return rc;
    p->v->proto = next;
    return offset & 0xfff8u ? 1 : 0;
}

static int pass_extension(struct parse *p)
{
    switch (p->v->proto) {
    case NEXT_FRAGMENT:
        return pass_fragment(p);
    case NEXT_AH:
        return pass_ah(p);
    default:
        return pass_options(p);
    }
}

static bool is_extension(uint8_t proto, bool ip6)
{
    if (proto == NEXT_AH)
        return true;
    return ip6 && (proto == NEXT_HOP_BY_HOP || proto == NEXT_ROUTING || proto == NEXT_FRAGMENT ||
                   proto == NEXT_DEST_OPTS);
}

/* Everything behind the IP header. */
static int parse_rest(struct parse *p)
{
    bool ip6 = p->v->have & WIRE_IP6;
    for (int n = 0; is_extension(p->v->proto, ip6); n++) {
        if (n == EXTENSIONS_MOST)
            return 0; /* proto stays an extension header's number: nobody takes it for TCP */
        p->v->have |= WIRE_EXTHDR;
        int rc = pass_extension(p);
        if (rc != 0)
            return rc > 0 || p->quoted ? 0 : rc;
    }
    p->partial = p->quoted || (p->v->have & WIRE_FRAGMENT);
    int rc = parse_transport(p);
    return p->quoted ? 0 : rc;
}

/* The options, and with them the length and the checksum. `words` is the header length field. */
static int finish_ip4(struct parse *p, const uint8_t *header, unsigned words, uint16_t total)
{
    uint32_t header_bytes = words * 4;
    struct cursor options = p->c;
    uint32_t length = total;

    if (words < 5)
        return -RS_EPROTO;
    if (p->c.left < header_bytes - IP4_HEADER_BYTES)
        return -RS_ETRUNC;
    /* 0 is a packet that the sending host has not cut into segments yet; routers that quote may
     * spoil the field (they subtract the header, or swap the bytes). */
    if (total == 0 || (p->quoted && total < header_bytes))
        length = (uint32_t)p->c.left + IP4_HEADER_BYTES;
    if (length < header_bytes)
        return -RS_EPROTO;
    if (header_bytes > IP4_HEADER_BYTES) {
        options.left = header_bytes - IP4_HEADER_BYTES;
        p->v->have |= WIRE_EXTHDR;
        p->other_header = ip4_source_routed(options);
        cursor_skip(&p->c, options.left);
    }
    if (!p->quoted)
        p->v->ip_cksum = wire_sum_fold(wire_sum(0, header, header_bytes)) == 0xffffu
                             ? WIRE_CKSUM_GOOD
                             : WIRE_CKSUM_BAD;
    set_length(p, length, header_bytes);
    return 0;
}

static int parse_ip4(struct parse *p)
{
    struct wire_view *v = p->v;
    const uint8_t *header = p->c.at, *src, *dst;
    uint8_t version_words;
    uint16_t total, fragment, checksum;

    if (p->c.left < IP4_HEADER_BYTES)
        return -RS_ETRUNC;
    if (!get_u8(&p->c, &version_words) || !get_u8(&p->c, &v->tos) || !get_be16(&p->c, &total) ||
        !get_be16(&p->c, &v->ip_id) || !get_be16(&p->c, &fragment) || !get_u8(&p->c, &v->ttl) ||
        !get_u8(&p->c, &v->proto) || !get_be16(&p->c, &checksum) || !get_bytes(&p->c, 4, &src) ||
        !get_bytes(&p->c, 4, &dst))
        return -RS_ETRUNC;
    v->have |= WIRE_IP4;
    v->ip_flags = (uint8_t)(fragment >> 13);
    v->src.family = v->dst.family = 4;
    memcpy(v->src.bytes, src, 4);
    memcpy(v->dst.bytes, dst, 4);
    if (fragment & 0x3fffu) /* MF, or an offset */
        v->have |= WIRE_FRAGMENT;

    int rc = finish_ip4(p, header, version_words & 15u, total);
    if (rc != 0 || fragment & 0x1fffu)
        return rc;
    return parse_rest(p);
}

static int parse_ip6(struct parse *p)
{
    struct wire_view *v = p->v;
    const uint8_t *src, *dst;
    uint32_t first, length;
    uint16_t payload;

    if (p->c.left < IP6_HEADER_BYTES)
        return -RS_ETRUNC;
    if (!get_be32(&p->c, &first) || !get_be16(&p->c, &payload) || !get_u8(&p->c, &v->proto) ||
        !get_u8(&p->c, &v->ttl) || !get_bytes(&p->c, 16, &src) || !get_bytes(&p->c, 16, &dst))
        return -RS_ETRUNC;
    v->have |= WIRE_IP6;
    v->tos = (uint8_t)(first >> 20);
    v->flow_label = first & 0xfffffu;
    v->src.family = v->dst.family = 6;
    memcpy(v->src.bytes, src, 16);
    memcpy(v->dst.bytes, dst, 16);
    v->ip_cksum = WIRE_CKSUM_GOOD; /* there is none */

    /* A length of 0 with something behind it is an offloaded packet or a jumbogram (RFC 2675 3). */
    length = IP6_HEADER_BYTES + payload;
    if (payload == 0 && v->proto != NEXT_NONE)
        length += (uint32_t)p->c.left;
    set_length(p, length, IP6_HEADER_BYTES);
    return parse_rest(p);
}

int wire_parse(struct wire_view *v, const uint8_t *bytes, size_t captured, enum wire_mode mode)
{
    struct parse p = {.v = v, .c = {bytes, captured}, .quoted = mode == WIRE_PARSE_QUOTE};
    struct cursor look = p.c;
    uint8_t first;

    memset(v, 0, sizeof *v);
    if (captured > INT32_MAX) /* no packet; keeps the 32-bit lengths of the view true */
        return -RS_EPROTO;
    if (!get_u8(&look, &first))
        return -RS_ETRUNC;
    switch (first >> 4) {
    case 4:
        return parse_ip4(&p);
    case 6:
        return parse_ip6(&p);
    default:
        return -RS_EPROTO;
    }
}

bool wire_is_icmp_error(const struct wire_view *v)
{
    if (!(v->have & WIRE_ICMP))
        return false;
    if (v->have & WIRE_IP6)
        return v->icmp_type < 128; /* RFC 4443 2.1 */
    switch (v->icmp_type) {
    case 3:  /* destination unreachable */
    case 4:  /* source quench */
    case 5:  /* redirect */
    case 11: /* time exceeded */
    case 12: /* parameter problem */
        return true;
    default:
        return false;
    }
}
