/* SPDX-License-Identifier: GPL-3.0-or-later
 * Link layers, by libpcap's DLT number: where the IP packet starts. */
#ifndef RS_WIRE_LINK_H
#define RS_WIRE_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_LINK_NULL     0 /* BSD loopback, host-order family */
#define WIRE_LINK_ETHERNET 1
#define WIRE_LINK_RAW      12  /* DLT_RAW on Linux */
#define WIRE_LINK_RAW_FILE 101 /* LINKTYPE_RAW in files */
#define WIRE_LINK_LOOP     108
#define WIRE_LINK_SLL      113
#define WIRE_LINK_IPV4     228
#define WIRE_LINK_IPV6     229
#define WIRE_LINK_SLL2     276

#define WIRE_ETHER_ARP 0x0806u

/* Packet types of Linux cooked captures (LINKTYPE_LINUX_SLL). */
enum wire_link_packet {
    WIRE_LINK_TO_US,
    WIRE_LINK_BROADCAST,
    WIRE_LINK_MULTICAST,
    WIRE_LINK_TO_OTHERS,
    WIRE_LINK_FROM_US
};
#define WIRE_ARPHRD_ETHER 1u
#define WIRE_ARPHRD_NONE  0xfffeu

struct wire_link_view {
    uint32_t ip_offset; /* where the network layer starts */
    uint16_t ethertype; /* 0x0800, 0x86dd, 0x0806 ... after up to two VLAN tags; for raw links by
                           the version */
    const uint8_t *src_mac; /* 6 bytes, or NULL when the link has none */
    /* Linux cooked captures only; 0 elsewhere. */
    bool is_cooked;
    uint16_t packet_type; /* of enum wire_link_packet, or what else the capture says */
    uint16_t hardware;    /* WIRE_ARPHRD_: what the interface was */
};

bool wire_link_known(int link);
/* 0, -RS_ETRUNC, or -RS_EPROTO (unknown link type, or not a frame that carries a network layer). */
int wire_link_parse(struct wire_link_view *out, int link, const uint8_t *bytes, size_t captured);

#endif
