/* SPDX-License-Identifier: GPL-3.0-or-later
 * Link layers (libpcap's link-type list; IEEE 802.1Q and 802.1ad tags). */
#include "wire/link.h"

#include <string.h>

#include "base/cursor.h"
#include "base/err.h"

#define ETHERTYPE_IP4  0x0800u
#define ETHERTYPE_IP6  0x86ddu
#define ETHERTYPE_VLAN 0x8100u
#define ETHERTYPE_QINQ 0x88a8u
#define ETHERTYPE_LEAST                                                                            \
    0x0600u /* smaller values are IEEE 802.3 lengths, or Linux's own numbers                       \
             */
#define VLAN_TAGS_MOST 2

bool wire_link_known(int link)
{
    switch (link) {
    case WIRE_LINK_NULL:
    case WIRE_LINK_ETHERNET:
    case WIRE_LINK_RAW:
    case WIRE_LINK_RAW_FILE:
    case WIRE_LINK_LOOP:
    case WIRE_LINK_SLL:
    case WIRE_LINK_IPV4:
    case WIRE_LINK_IPV6:
    case WIRE_LINK_SLL2:
        return true;
    default:
        return false;
    }
}

/* Passes over VLAN tags; `type` is the type before them. */
static int after_tags(struct wire_link_view *out, struct cursor *c, uint16_t type)
{
    for (int tags = 0; type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ; tags++) {
        if (tags == VLAN_TAGS_MOST)
            return -RS_EPROTO;
        if (!cursor_skip(c, 2) || !get_be16(c, &type))
            return -RS_ETRUNC;
    }
    if (type < ETHERTYPE_LEAST)
        return -RS_EPROTO;
    out->ethertype = type;
    return 0;
}

static int parse_ethernet(struct wire_link_view *out, struct cursor *c)
{
    const uint8_t *src;
    uint16_t type;
    if (!cursor_skip(c, 6) || !get_bytes(c, 6, &src) || !get_be16(c, &type))
        return -RS_ETRUNC;
    out->src_mac = src;
    return after_tags(out, c, type);
}

static void cooked(struct wire_link_view *out,
                   uint16_t packet_type,
                   uint16_t hardware,
                   uint16_t mac_bytes,
                   const uint8_t *mac)
{
    out->is_cooked = true;
    out->packet_type = packet_type;
    out->hardware = hardware;
    if (hardware == WIRE_ARPHRD_ETHER && mac_bytes == 6)
        out->src_mac = mac;
}

/* LINKTYPE_LINUX_SLL: packet type, ARPHRD, address length, address (8), protocol. */
static int parse_sll(struct wire_link_view *out, struct cursor *c)
{
    const uint8_t *mac;
    uint16_t packet_type, hardware, mac_bytes, type;
    if (!get_be16(c, &packet_type) || !get_be16(c, &hardware) || !get_be16(c, &mac_bytes) ||
        !get_bytes(c, 8, &mac) || !get_be16(c, &type))
        return -RS_ETRUNC;
    cooked(out, packet_type, hardware, mac_bytes, mac);
    return after_tags(out, c, type);
}

/* LINKTYPE_LINUX_SLL2: protocol, reserved (2), interface (4), ARPHRD, packet type (1), address
 * length (1), address (8). */
static int parse_sll2(struct wire_link_view *out, struct cursor *c)
{
    const uint8_t *mac;
    uint16_t hardware, type;
    uint8_t packet_type, mac_bytes;
    if (!get_be16(c, &type) || !cursor_skip(c, 6) || !get_be16(c, &hardware) ||
        !get_u8(c, &packet_type) || !get_u8(c, &mac_bytes) || !get_bytes(c, 8, &mac))
        return -RS_ETRUNC;
    cooked(out, packet_type, hardware, mac_bytes, mac);
    return after_tags(out, c, type);
}

/* LINKTYPE_NULL and LINKTYPE_LOOP: an address family, whose number for IPv6 depends on the system
 * that captured, and whose byte order, for NULL, too. */
static int parse_family(struct wire_link_view *out, struct cursor *c, bool network_order)
{
    uint32_t family;
    if (!get_be32(c, &family))
        return -RS_ETRUNC;
    if (!network_order && family > 0xffffu)
        family = __builtin_bswap32(family);
    switch (family) {
    case 2:
        out->ethertype = ETHERTYPE_IP4;
        return 0;
    case 10: /* Linux */
    case 24: /* NetBSD, OpenBSD */
    case 28: /* FreeBSD */
    case 30: /* Darwin */
        out->ethertype = ETHERTYPE_IP6;
        return 0;
    default:
        return -RS_EPROTO;
    }
}

static int parse_raw(struct wire_link_view *out, const struct cursor *c)
{
    struct cursor look = *c;
    uint8_t first;
    if (!get_u8(&look, &first))
        return -RS_ETRUNC;
    if (first >> 4 != 4 && first >> 4 != 6)
        return -RS_EPROTO;
    out->ethertype = first >> 4 == 4 ? ETHERTYPE_IP4 : ETHERTYPE_IP6;
    return 0;
}

static int dispatch(struct wire_link_view *out, int link, struct cursor *c)
{
    switch (link) {
    case WIRE_LINK_ETHERNET:
        return parse_ethernet(out, c);
    case WIRE_LINK_SLL:
        return parse_sll(out, c);
    case WIRE_LINK_SLL2:
        return parse_sll2(out, c);
    case WIRE_LINK_NULL:
        return parse_family(out, c, false);
    case WIRE_LINK_LOOP:
        return parse_family(out, c, true);
    default:
        return parse_raw(out, c);
    }
}

int wire_link_parse(struct wire_link_view *out, int link, const uint8_t *bytes, size_t captured)
{
    struct cursor c = {bytes, captured};
    memset(out, 0, sizeof *out);
    if (!wire_link_known(link))
        return -RS_EPROTO;
    int rc = dispatch(out, link, &c);
    out->ip_offset = (uint32_t)(captured - c.left);
    return rc;
}
