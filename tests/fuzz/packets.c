/* SPDX-License-Identifier: GPL-3.0-or-later
 * An operation is one byte (its low three bits what, then direction, family, host and port) with
 * its arguments behind it. */
#include "fuzz/packets.h"

#include <string.h>

#include "base/cursor.h"
#include "wire/cksum.h"
#include "wire/view.h"

enum { OP_UDP = 4, OP_ERROR, OP_OTHER, OP_RAW };                        /* below: TCP */
enum { BIT_REVERSE = 8, BIT_IP6 = 16, HOST_SHIFT = 5, PORT_SHIFT = 6 }; /* of the operation */

enum { /* of the byte that says how */
       HOW_FRAGMENT = 1,
       HOW_LATER_FRAGMENT = 2,
       HOW_EVIL = 4,
       HOW_BAD_CHECKSUM = 8,
       HOW_CUT = 16,
       HOW_PAYLOAD = 32, /* two bits: none, zeros, of the script, more than was captured */
       HOW_AE = 128
};

#define PACKET_BYTES 1024u /* captured at most */

struct making {
    uint8_t bytes[PACKET_BYTES];
    size_t n, l4; /* l4: where the transport header starts */
    size_t more;  /* bytes that the packet had and the capture has not */
    uint8_t proto, how;
    bool ip6;
};

static uint8_t next(struct maker *m)
{
    return next_byte(&m->script);
}

static unsigned next16(struct maker *m)
{
    unsigned high = next(m);
    return high << 8 | next(m);
}

void maker_init(struct maker *m, const uint8_t *script, size_t n)
{
    *m = (struct maker){.script = {script, n},
                        .now = INT64_C(1700000000) * (int64_t)RS_SEC,
                        .next = {0xffffff00u, 0x7ffffff0u},
                        .clock = 0xfffffff0u};
}

/* Mostly a little later, now and then long after, before, or at an end of time. */
static rs_wall tick(struct maker *m)
{
    static const int64_t unit[8] = {
        1000, 100000, 10000000, (int64_t)RS_SEC, 60 * (int64_t)RS_SEC, -1000, -(int64_t)RS_SEC, 0};
    uint8_t code = next(m);
    int64_t step = (code & 31) * unit[code >> 5];
    if (code >> 5 == 7)
        m->now = code & 16 ? -TIME_MOST : code & 8 ? TIME_MOST : m->now;
    else if ((step > 0 && m->now > TIME_MOST - step) || (step < 0 && m->now < -TIME_MOST - step))
        m->now = step > 0 ? TIME_MOST : -TIME_MOST;
    else
        m->now += step;
    return (rs_wall){m->now};
}

/* A number near the one that is due, or anywhere. */
static uint32_t near_number(struct maker *m, uint32_t due)
{
    uint8_t code = next(m);
    switch (code >> 6) {
    case 0:
        return due + (code & 63);
    case 1:
        return due - (code & 63);
    case 2:
        return due + (uint32_t)(code & 63) * 1000u;
    default:
        return due + ((uint32_t)code << 24) + next(m);
    }
}

static void put(struct making *p, const void *bytes, size_t n)
{
    CHECK(n <= sizeof p->bytes - p->n);
    memcpy(p->bytes + p->n, bytes, n);
    p->n += n;
}

static void put_zeros(struct making *p, size_t n)
{
    CHECK(n <= sizeof p->bytes - p->n);
    memset(p->bytes + p->n, 0, n);
    p->n += n;
}

static void begin_ip(struct maker *m, struct making *p, uint8_t op, uint8_t proto)
{
    bool reverse = (op & BIT_REVERSE) != 0;
    uint8_t end[2] = {1, (uint8_t)(2 + (op >> HOST_SHIFT & 1))};
    p->ip6 = (op & BIT_IP6) != 0;
    p->proto = proto;
    uint8_t tos = next(m), ttl = next(m);
    p->how = next(m);
    put_zeros(p, p->ip6 ? 40 : 20);
    if (p->ip6) {
        p->bytes[0] = (uint8_t)(0x60 | tos >> 4);
        p->bytes[1] = (uint8_t)(tos << 4);
        p->bytes[7] = ttl;
        p->bytes[6] = proto;
        p->bytes[8] = p->bytes[24] = 0x20;
        p->bytes[23] = end[reverse];
        p->bytes[39] = end[!reverse];
        if (p->how & (HOW_FRAGMENT | HOW_LATER_FRAGMENT)) {
            uint8_t header[8] = {proto, 0, 0, 1, 0, 0, 0, 9};
            header[3] = p->how & HOW_LATER_FRAGMENT ? 8 : 1;
            p->bytes[6] = 44;
            put(p, header, sizeof header);
        }
    } else {
        p->bytes[0] = 0x45;
        p->bytes[1] = tos;
        p->bytes[6] =
            (uint8_t)((p->how & HOW_EVIL ? 0x80 : 0) | (p->how & HOW_FRAGMENT ? 0x20 : 0));
        p->bytes[7] = p->how & HOW_LATER_FRAGMENT ? 3 : 0;
        p->bytes[8] = ttl;
        p->bytes[9] = proto;
        p->bytes[12] = p->bytes[16] = 10;
        p->bytes[15] = end[reverse];
        p->bytes[19] = end[!reverse];
    }
    p->l4 = p->n;
}

static void put_ports(struct making *p, uint8_t op)
{
    unsigned client = 40000u + (op >> PORT_SHIFT), server = 53;
    bool reverse = (op & BIT_REVERSE) != 0;
    put_be16(p->bytes + p->l4, (uint16_t)(reverse ? server : client));
    put_be16(p->bytes + p->l4 + 2, (uint16_t)(reverse ? client : server));
}

static void put_payload(struct maker *m, struct making *p)
{
    unsigned kind = p->how / HOW_PAYLOAD & 3;
    size_t n = kind == 0 ? 0 : next(m);
    if (kind == 1)
        put_zeros(p, n);
    for (size_t i = 0; kind == 2 && i < n; i++)
        put(p, &(uint8_t){next(m)}, 1);
    if (kind == 3)
        p->more = n * 255;
}

static void put_options(struct maker *m, struct making *p, bool syn)
{
    uint8_t what = next(m);
    uint8_t stamps[12] = {1, 1, 8, 10};
    put_be32(stamps + 4, m->clock += what >> 4);
    put_be32(stamps + 8, m->clock - (what >> 2 & 3));
    if (what & 1)
        put(p, stamps, sizeof stamps);
    if ((what & 2) && syn)
        put(p, "\x02\x04\x05\xb4\x04\x02\x03\x03\x07\x22\x02\x01", 12);
    else if (what & 2)
        for (unsigned i = next(m) % 25; i > 0; i--)
            put(p, &(uint8_t){next(m)}, 1);
    while ((p->n - p->l4) % 4 != 0)
        put(p, "\1", 1);
    p->bytes[p->l4 + 12] = (uint8_t)((p->n - p->l4) / 4 << 4);
}

static void put_tcp(struct maker *m, struct making *p, uint8_t op)
{
    unsigned dir = (op & BIT_REVERSE) != 0;
    uint8_t flags = next(m);
    put_zeros(p, 20);
    put_ports(p, op);
    uint32_t seq = near_number(m, m->next[dir]);
    put_be32(p->bytes + p->l4 + 4, seq);
    put_be32(p->bytes + p->l4 + 8, near_number(m, m->next[!dir]));
    put_be16(p->bytes + p->l4 + 14, (uint16_t)(next(m) * 257u));
    put_options(m, p, (flags & TCP_SYN) != 0);
    p->bytes[p->l4 + 12] |= (p->how & HOW_AE) != 0;
    p->bytes[p->l4 + 13] = flags;
    size_t before = p->n;
    put_payload(m, p);
    m->next[dir] = seq + (uint32_t)(p->n - before + p->more) + ((flags & (TCP_SYN | TCP_FIN)) != 0);
}

static void put_udp(struct maker *m, struct making *p, uint8_t op)
{
    put_zeros(p, 8);
    put_ports(p, op);
    put_payload(m, p);
    put_be16(p->bytes + p->l4 + 4, (uint16_t)(p->n - p->l4 + p->more));
}

static void put_error(struct maker *m, struct making *p)
{
    uint8_t header[8] = {next(m), next(m)};
    size_t quoted = next(m);
    put(p, header, sizeof header);
    put(p, m->last, quoted < m->last_n ? quoted : m->last_n);
}

static void put_other(struct maker *m, struct making *p)
{
    for (unsigned n = next(m) % 32; n > 0; n--)
        put(p, &(uint8_t){next(m)}, 1);
}

static struct wire_addr address(const struct making *p, unsigned at4, unsigned at6)
{
    struct wire_addr a;
    memset(&a, 0, sizeof a);
    a.family = p->ip6 ? 6 : 4;
    memcpy(a.bytes, p->bytes + (p->ip6 ? at6 : at4), p->ip6 ? 16 : 4);
    return a;
}

/* Lengths and checksums: right, but for a transport checksum that the script wants wrong. */
static void finish(struct making *p)
{
    size_t l4 = p->n - p->l4, total = p->n + p->more;
    if (p->ip6) {
        put_be16(p->bytes + 4, (uint16_t)(total - 40));
    } else {
        put_be16(p->bytes + 2, (uint16_t)total);
        put_be16(p->bytes + 10, (uint16_t)~wire_sum_fold(wire_sum(0, p->bytes, 20)));
    }
    unsigned at = p->proto == IP_PROTO_TCP                                   ? 16
                  : p->proto == IP_PROTO_UDP                                 ? 6
                  : p->proto == IP_PROTO_ICMP || p->proto == IP_PROTO_ICMPV6 ? 2
                                                                             : 0;
    if (at == 0 || p->more > 0 || at + 2 > l4)
        return;
    struct wire_addr src = address(p, 12, 8), dst = address(p, 16, 24);
    uint32_t sum =
        p->proto == IP_PROTO_ICMP ? 0 : wire_sum_pseudo(&src, &dst, p->proto, (uint32_t)l4);
    uint16_t right = (uint16_t)~wire_sum_fold(wire_sum(sum, p->bytes + p->l4, l4));
    put_be16(p->bytes + p->l4 + at, p->how & HOW_BAD_CHECKSUM ? (uint16_t)(right + 1) : right);
    if (p->proto == IP_PROTO_UDP && (p->how & HOW_AE))
        put_be16(p->bytes + p->l4 + at, 0);
}

static void give(struct maker *m, struct packet *out, const uint8_t *bytes, size_t n)
{
    out->n = n;
    out->bytes = malloc(n > 0 ? n : 1);
    CHECK(out->bytes != NULL);
    memcpy(out->bytes, bytes, n);
    m->last_n = n < sizeof m->last ? n : sizeof m->last;
    memcpy(m->last, bytes, m->last_n);
}

bool make_packet(struct maker *m, struct packet *out)
{
    if (m->script.left == 0)
        return false;
    uint8_t op = next(m);
    out->at = tick(m);
    out->reverse = (op & BIT_REVERSE) != 0;
    out->other_way = op >> PORT_SHIFT == 3;
    if ((op & 7) == OP_RAW) {
        size_t n = next16(m);
        n = n < m->script.left ? n : m->script.left;
        give(m, out, m->script.at, n);
        m->script.at += n;
        m->script.left -= n;
        return true;
    }
    static const uint8_t protocols[4] = {
        [OP_UDP & 3] = IP_PROTO_UDP, [OP_ERROR & 3] = IP_PROTO_ICMP, [OP_OTHER & 3] = 132};
    struct making p = {.n = 0};
    uint8_t proto = (op & 7) < OP_UDP ? IP_PROTO_TCP : protocols[op & 3];
    begin_ip(m, &p, op, proto == IP_PROTO_ICMP && (op & BIT_IP6) ? IP_PROTO_ICMPV6 : proto);
    if (proto == IP_PROTO_TCP)
        put_tcp(m, &p, op);
    else if (proto == IP_PROTO_UDP)
        put_udp(m, &p, op);
    else if (proto == IP_PROTO_ICMP)
        put_error(m, &p);
    else
        put_other(m, &p);
    finish(&p);
    size_t n = p.n;
    if (p.how & HOW_CUT)
        n = (size_t)next(m) < n ? n - next(m) % n : n;
    give(m, out, p.bytes, n);
    return true;
}
