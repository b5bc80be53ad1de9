/* SPDX-License-Identifier: GPL-3.0-or-later
 * ARP replies and announcements, and neighbour advertisements, among captured packets. */
#include <string.h>

#include "net/capture.h"
#include "wire/cksum.h"
#include "wire/link.h"
#include "wire/view.h"

#define ARP_BYTES         28u
#define IP6_BYTES         40u
#define ADVERT_BYTES      24u /* ICMPv6 header, flags, target (RFC 4861 4.4) */
#define ADVERT_TYPE       136u
#define OPTION_TARGET_MAC 2u /* RFC 4861 4.6.1 */

/* RFC 826: hardware 1 (Ethernet), protocol IPv4, lengths 6 and 4; operation 2, or 1 that asks for
 * the sender's own address: an announcement (RFC 5227 3). */
static bool from_arp(const uint8_t *arp, size_t n, struct wire_addr *addr, uint8_t mac[6])
{
    static const uint8_t head[7] = {0, 1, 8, 0, 6, 4, 0};
    if (n < ARP_BYTES || memcmp(arp, head, sizeof head) != 0)
        return false;
    if (arp[7] != 2 && !(arp[7] == 1 && memcmp(arp + 14, arp + 24, 4) == 0))
        return false;
    memcpy(mac, arp + 8, 6);
    addr->family = 4;
    memcpy(addr->bytes, arp + 14, 4);
    return true;
}

/* RFC 4861 7.1.2: hop limit 255, code 0, a good checksum, and no option of length 0. */
static bool is_valid_advert(const uint8_t *ip, size_t n, size_t *icmp_bytes)
{
    if (n < IP6_BYTES + ADVERT_BYTES || ip[6] != IP_PROTO_ICMPV6 || ip[7] != 255)
        return false;
    const uint8_t *icmp = ip + IP6_BYTES;
    size_t bytes = (size_t)ip[4] << 8 | ip[5];
    if (icmp[0] != ADVERT_TYPE || icmp[1] != 0 || bytes < ADVERT_BYTES || bytes > n - IP6_BYTES)
        return false;
    struct wire_addr src = {.family = 6}, dst = {.family = 6};
    memcpy(src.bytes, ip + 8, 16);
    memcpy(dst.bytes, ip + 24, 16);
    uint32_t sum = wire_sum_pseudo(&src, &dst, IP_PROTO_ICMPV6, (uint32_t)bytes);
    *icmp_bytes = bytes;
    return wire_sum_fold(wire_sum(sum, icmp, bytes)) == 0xffff;
}

/* Without the target's option (allowed in answers to unicast solicitations) the frame's sender is
 * the target. */
static bool from_advert(const struct capture_packet *p, struct wire_addr *addr, uint8_t mac[6])
{
    size_t n;
    if (!is_valid_advert(p->ip, p->ip_captured, &n))
        return false;
    const uint8_t *icmp = p->ip + IP6_BYTES, *found = p->src_mac;
    for (size_t at = ADVERT_BYTES; at + 8 <= n; at += (size_t)icmp[at + 1] * 8) {
        if (icmp[at + 1] == 0)
            return false;
        if (icmp[at] == OPTION_TARGET_MAC && icmp[at + 1] == 1)
            found = icmp + at + 2;
    }
    if (found == NULL)
        return false;
    memcpy(mac, found, 6);
    addr->family = 6;
    memcpy(addr->bytes, icmp + 8, 16);
    return true;
}

bool capture_neighbour(const struct capture_packet *p, struct wire_addr *addr, uint8_t mac[6])
{
    memset(addr, 0, sizeof *addr);
    if (p->outgoing)
        return false;
    bool found = p->ethertype == WIRE_ETHER_ARP ? from_arp(p->ip, p->ip_captured, addr, mac)
                                                : from_advert(p, addr, mac);
    return found && (mac[0] & 1) == 0; /* a group address is nobody's MAC */
}
