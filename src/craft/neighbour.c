/* SPDX-License-Identifier: GPL-3.0-or-later
 * Asking for a link-layer address: ARP (RFC 826) and neighbour solicitation (RFC 4861 4.3). */
#include <string.h>

#include "base/cursor.h"
#include "craft/craft_int.h"
#include "wire/cksum.h"
#include "wire/view.h"

#define SOLICIT_BYTES   32u /* header, target, one option */
#define NDP_HOP_LIMIT   255 /* RFC 4861 7.1.1: proves that no router touched it */
#define OPTION_SRC_LINK 1u  /* RFC 4861 4.6.1 */

static int arp(struct shape *s,
               const uint8_t mac[6],
               const struct wire_addr *us,
               const struct wire_addr *them)
{
    static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, unknown[6];
    s->network = libnet_build_arp(ARPHRD_ETHER, ETHERTYPE_IP, 6, 4, ARPOP_REQUEST, mac, us->bytes,
                                  unknown, them->bytes, NULL, 0, s->l, s->network);
    if (s->network == -1)
        return -1;
    s->link = libnet_build_ethernet(broadcast, mac, ETHERTYPE_ARP, NULL, 0, s->l, s->link);
    return s->link;
}

/* The body goes in as payload of the IPv6 header: libnet 1.1.6 cannot rewrite a solicitation in
 * place, and does not sum what it builds for one. */
static int ndp(struct shape *s,
               const uint8_t mac[6],
               const struct wire_addr *us,
               const struct wire_addr *them)
{
    uint8_t icmp[SOLICIT_BYTES] = {135 /* neighbour solicitation */};
    uint8_t group_mac[6] = {0x33, 0x33, 0xff};
    struct wire_addr group = {6, {0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff}};

    memcpy(group.bytes + 13, them->bytes + 13, 3); /* RFC 4291 2.7.1 */
    memcpy(group_mac + 3, them->bytes + 13, 3);    /* RFC 2464 7 */
    memcpy(icmp + 8, them->bytes, 16);
    icmp[24] = OPTION_SRC_LINK;
    icmp[25] = 1; /* in units of 8 bytes */
    memcpy(icmp + 26, mac, 6);
    uint32_t sum = wire_sum_pseudo(us, &group, IP_PROTO_ICMPV6, sizeof icmp);
    put_be16(icmp + 2, (uint16_t)~wire_sum_fold(wire_sum(sum, icmp, sizeof icmp)));

    s->network = libnet_build_ipv6(0, 0, sizeof icmp, IP_PROTO_ICMPV6, NDP_HOP_LIMIT, craft_in6(us),
                                   craft_in6(&group), icmp, sizeof icmp, s->l, s->network);
    if (s->network == -1)
        return -1;
    s->link = libnet_build_ethernet(group_mac, mac, ETHERTYPE_IPV6, NULL, 0, s->l, s->link);
    return s->link;
}

int craft_neighbour_request(struct craft *c,
                            const uint8_t our_mac[6],
                            const struct wire_addr *our_addr,
                            const struct wire_addr *target,
                            uint8_t *out,
                            size_t cap,
                            size_t *n,
                            struct rs_err *err)
{
    bool ip4 = target->family == 4;
    struct shape *s = &c->shape[ip4 ? SHAPE_ARP : SHAPE_NDP];

    if (our_addr->family != target->family || (!ip4 && target->family != 6))
        return rs_fail(err, RS_EINVAL, "our address and the neighbour's differ in family");
    if ((ip4 ? arp(s, our_mac, our_addr, target) : ndp(s, our_mac, our_addr, target)) == -1)
        return shape_fail(s, err);
    return shape_take(s, out, cap, n, err);
}
