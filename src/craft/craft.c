/* SPDX-License-Identifier: GPL-3.0-or-later
 * TCP and UDP over IPv4 and IPv6. libnet builds the packet and its checksums; what it cannot say
 * (reserved TCP bits, wrong checksums, the middle of a flow label) is patched in behind it. */
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "craft/craft_int.h"
#include "wire/cksum.h"
#include "wire/view.h"

#define IP4_BYTES      20u
#define IP6_BYTES      40u
#define TCP_BYTES      20u
#define UDP_BYTES      8u
#define TCP_CKSUM_AT   16u
#define UDP_CKSUM_AT   6u
#define IP_PACKET_MOST 65535u

struct craft *craft_new(struct rs_err *err)
{
    char text[LIBNET_ERRBUF_SIZE] = "";
    struct craft *c = calloc(1, sizeof *c);
    if (c == NULL) {
        rs_fail(err, RS_ENOMEM, "no memory for the packet builder");
        return NULL;
    }
    for (int i = 0; i < SHAPE_N; i++) {
        c->shape[i].l = libnet_init(LIBNET_NONE, NULL, text);
        if (c->shape[i].l == NULL) {
            rs_fail(err, RS_ESYS, "libnet: %s", text);
            craft_free(c);
            return NULL;
        }
    }
    return c;
}

void craft_free(struct craft *c)
{
    if (c == NULL)
        return;
    for (int i = 0; i < SHAPE_N; i++) {
        if (c->shape[i].l != NULL)
            libnet_destroy(c->shape[i].l);
    }
    free(c);
}

int shape_fail(struct shape *s, struct rs_err *err)
{
    int rc = rs_fail(err, RS_ESYS, "libnet: %s", libnet_geterror(s->l));
    libnet_clear_packet(s->l);
    *s = (struct shape){.l = s->l};
    return rc;
}

int shape_take(struct shape *s, uint8_t *out, size_t cap, size_t *n, struct rs_err *err)
{
    uint8_t *packet = NULL;
    uint32_t bytes = 0;
    /* Marked internal in libnet's header, but exported; libnet_adv_cull_packet refuses without a
     * link. The caller owns the bytes; LIBNET_NONE puts no alignment before them. */
    if (libnet_pblock_coalesce(s->l, &packet, &bytes) == -1)
        return shape_fail(s, err);
    if (bytes > cap) {
        free(packet);
        return rs_fail(err, RS_ENOMEM, "packet of %u bytes, room for %zu", bytes, cap);
    }
    memcpy(out, packet, bytes);
    *n = bytes;
    free(packet);
    return 0;
}

struct libnet_in6_addr craft_in6(const struct wire_addr *a)
{
    struct libnet_in6_addr in6;
    memcpy(&in6, a->bytes, 16);
    return in6;
}

static bool build_transport(struct shape *s,
                            const struct wire_tuple *t,
                            const struct wire_segment *seg,
                            uint32_t l4_bytes)
{
    static const uint8_t nothing[1];
    const uint8_t *payload = seg->payload_bytes > 0 ? seg->payload : NULL;

    if (t->proto == IP_PROTO_UDP) {
        s->transport = libnet_build_udp(t->sport, t->dport, (uint16_t)l4_bytes, 0, payload,
                                        seg->payload_bytes, s->l, s->transport);
        return s->transport != -1;
    }
    /* An options block always, of 0 bytes if need be: the chain keeps its shape. */
    s->options = libnet_build_tcp_options(seg->options_bytes > 0 ? seg->options : nothing,
                                          seg->options_bytes, s->l, s->options);
    if (s->options == -1)
        return false;
    s->transport = libnet_build_tcp(t->sport, t->dport, seg->seq, seg->ack, (uint8_t)seg->flags,
                                    seg->window, 0, seg->urgent, (uint16_t)l4_bytes, payload,
                                    seg->payload_bytes, s->l, s->transport);
    return s->transport != -1;
}

static bool build_network(struct shape *s,
                          const struct wire_tuple *t,
                          const struct wire_segment *seg,
                          uint32_t l4_bytes)
{
    uint8_t tos = (uint8_t)((unsigned)seg->dscp << 2 | (seg->ecn & 3u));
    if (t->src.family == 4) {
        uint32_t src, dst; /* libnet wants them as they lie in the packet */
        memcpy(&src, t->src.bytes, 4);
        memcpy(&dst, t->dst.bytes, 4);
        s->network = libnet_build_ipv4((uint16_t)(IP4_BYTES + l4_bytes), tos, seg->ip_id,
                                       (uint16_t)((seg->ip_flags & 7u) << 13), seg->ttl, t->proto,
                                       0, src, dst, NULL, 0, s->l, s->network);
    } else {
        s->network = libnet_build_ipv6(tos, seg->flow_label & 0xfffffu, (uint16_t)l4_bytes,
                                       t->proto, seg->ttl, craft_in6(&t->src), craft_in6(&t->dst),
                                       NULL, 0, s->l, s->network);
    }
    return s->network != -1;
}

/* What a checksum field must hold; `l4` has 0 in it. */
static uint16_t right_checksum(const struct wire_tuple *t, const uint8_t *l4, uint32_t l4_bytes)
{
    uint32_t pseudo = wire_sum_pseudo(&t->src, &t->dst, t->proto, l4_bytes);
    return (uint16_t)~wire_sum_fold(wire_sum(pseudo, l4, l4_bytes));
}

/* The bits that libnet writes as 0 (RFC 9293 3.1; AE: RFC 9768 3.1). */
static void patch_tcp_bits(const struct wire_tuple *t,
                           const struct wire_segment *seg,
                           uint8_t *l4,
                           uint32_t l4_bytes)
{
    if (!(seg->flags & (TCP_AE | TCP_R1 | TCP_R2 | TCP_R3)))
        return;
    l4[12] = (uint8_t)((l4[12] & 0xf0u) | (seg->flags >> 8 & 15u));
    put_be16(l4 + TCP_CKSUM_AT, 0);
    put_be16(l4 + TCP_CKSUM_AT, right_checksum(t, l4, l4_bytes));
}

static void patch_checksum(const struct wire_tuple *t, const struct wire_segment *seg, uint8_t *l4)
{
    bool udp = t->proto == IP_PROTO_UDP;
    uint8_t *field = l4 + (udp ? UDP_CKSUM_AT : TCP_CKSUM_AT);
    struct cursor c = {field, 2};
    uint16_t sum = 0;

    (void)get_be16(&c, &sum);
    if (udp && sum == 0) /* RFC 768: 0 means none, so a sum of 0 is sent as its other form */
        sum = 0xffffu;
    if (seg->bad_checksum) /* never 0, which UDP would take for none, nor 0's other form */
        sum = sum >= 0xfffeu ? 1 : (uint16_t)(sum + 1u);
    if (udp && seg->zero_checksum)
        sum = 0;
    put_be16(field, sum);
}

/* libnet 1.1.6 loses bits 8 to 15 of the label. No checksum covers it. */
static void patch_flow_label(const struct wire_segment *seg, uint8_t *packet)
{
    packet[1] = (uint8_t)((packet[1] & 0xf0u) | (seg->flow_label >> 16 & 15u));
    put_be16(packet + 2, (uint16_t)seg->flow_label);
}

static int check(const struct wire_tuple *t,
                 const struct wire_segment *seg,
                 size_t bytes,
                 struct rs_err *err)
{
    if (t->src.family != t->dst.family || (t->src.family != 4 && t->src.family != 6))
        return rs_fail(err, RS_EINVAL, "source and destination address differ in family");
    if (t->proto != IP_PROTO_TCP && t->proto != IP_PROTO_UDP)
        return rs_fail(err, RS_EINVAL, "cannot build IP protocol %u", t->proto);
    if (t->proto == IP_PROTO_TCP &&
        (seg->options_bytes > sizeof seg->options || seg->options_bytes % 4 != 0))
        return rs_fail(err, RS_EINVAL, "%u bytes of TCP options: want a multiple of 4 up to 40",
                       seg->options_bytes);
    if (seg->payload_bytes > IP_PACKET_MOST || bytes > IP_PACKET_MOST)
        return rs_fail(err, RS_EINVAL, "payload of %u bytes is too long", seg->payload_bytes);
    return 0;
}

int craft_packet(struct craft *c,
                 const struct wire_tuple *tuple,
                 const struct wire_segment *seg,
                 uint8_t *out,
                 size_t cap,
                 size_t *n,
                 struct rs_err *err)
{
    bool tcp = tuple->proto == IP_PROTO_TCP, ip4 = tuple->src.family == 4;
    uint32_t ip_bytes = ip4 ? IP4_BYTES : IP6_BYTES;
    uint32_t header_bytes = tcp ? TCP_BYTES + seg->options_bytes : UDP_BYTES;
    uint32_t l4_bytes = header_bytes + seg->payload_bytes;

    int rc = check(tuple, seg, (size_t)ip_bytes + header_bytes + seg->payload_bytes, err);
    if (rc != 0)
        return rc;
    struct shape *s =
        &c->shape[tcp ? (ip4 ? SHAPE_TCP4 : SHAPE_TCP6) : (ip4 ? SHAPE_UDP4 : SHAPE_UDP6)];
    if (!build_transport(s, tuple, seg, l4_bytes) || !build_network(s, tuple, seg, l4_bytes))
        return shape_fail(s, err);
    rc = shape_take(s, out, cap, n, err);
    if (rc != 0)
        return rc;
    if (tcp)
        patch_tcp_bits(tuple, seg, out + ip_bytes, l4_bytes);
    patch_checksum(tuple, seg, out + ip_bytes);
    if (!ip4)
        patch_flow_label(seg, out);
    return 0;
}
