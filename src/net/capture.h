/* SPDX-License-Identifier: GPL-3.0-or-later
 * Live capture (libpcap, by blocks: no immediate mode, 1 ms), never promiscuous, kernel stamps in
 * nanoseconds. Only what concerns us passes the filter:
 *   in:  TCP and UDP to our ports; IPv4 fragments other than first ones and IPv6 packets with
 *        extension headers, whatever they carry (their ports cannot be found by the filter); ICMP
 *        and ICMPv6 errors; ARP replies; neighbour advertisements.
 *   out: what the host itself emits about our ports: RST from them, ICMP and ICMPv6 errors (their
 *        quote is to be judged by the reader).
 *
 * Direction is known, not guessed: two handles, one with "inbound" and one with "outbound" in its
 * filter, which libpcap turns into a test of the kernel's own packet type. One handle cannot say
 * it: Ethernet captures carry no direction, the cooked link types that do exist only for `any`, and
 * addresses can be forged. The handles are read one after the other, so order between the two
 * directions is by `at`, not by arrival.
 *
 * Our own packets are not seen with INJECT_PACKET unless `visible`. With `visible` or INJECT_IP our
 * own RSTs come by as outgoing: the reader must know them from what it sent. */
#ifndef RS_NET_CAPTURE_H
#define RS_NET_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "net/iface.h"
#include "wire/addr.h"

struct capture;

struct capture_config {
    const struct iface *iface; /* copied */
    uint16_t port_from, port_to;
    bool quoted_ports;   /* of ICMP errors only those that quote one of these ports: other captures
                            have   the others. An IPv6 quote with extension headers is everybody's. */
    size_t buffer_bytes; /* of the inbound ring; 0: 32 MiB. Blocks are 256 KiB, and one block is
                            used up each millisecond in which anything comes. */
};

struct capture_packet {
    const uint8_t *link_bytes; /* the frame, as captured; see capture_link */
    uint32_t link_captured;    /* bytes at link_bytes */
    const uint8_t *ip;         /* its network layer (IP or ARP) */
    uint32_t ip_captured;      /* bytes at ip */
    uint16_t ethertype;        /* 0x0800, 0x86dd, WIRE_ETHER_ARP */
    rs_wall at;                /* the kernel's stamp */
    bool outgoing;             /* the host itself sent it */
    const uint8_t *src_mac;    /* 6 bytes, or NULL */
};

struct capture_stats {
    uint64_t received;       /* passed the filter, both directions */
    uint64_t kernel_dropped; /* lost since our ring was full, both directions */
    uint64_t iface_dropped;  /* lost by the interface, since capture_open */
};

/* 0, -RS_EPERM (the text says how to get CAP_NET_RAW), -RS_EINVAL (ports), -RS_ENOMEM, -RS_ESYS. */
int capture_open(struct capture **out, const struct capture_config *config, struct rs_err *err);
void capture_free(struct capture *c);

/* Readable when packets wait. It is an epoll descriptor over both handles: only poll it. */
int capture_fd(const struct capture *c);
/* The WIRE_LINK_ number of link_bytes. */
int capture_link(const struct capture *c);

/* Gives up to about `budget` packets to `packet` and returns how many it took from the kernel, 0
 * when none wait, or -RS_ESYS (the interface went away). Frames that carry no network layer count
 * but are not given. All pointers in a capture_packet are valid during the call only. */
int capture_read(struct capture *c,
                 void (*packet)(void *ctx, const struct capture_packet *p),
                 void *ctx,
                 int budget);

/* Totals since capture_open. 0 or -RS_ESYS. */
int capture_stats(struct capture *c, struct capture_stats *out);

/* True if `p` is an inbound ARP reply or neighbour advertisement; then says whose MAC it is. */
bool capture_neighbour(const struct capture_packet *p, struct wire_addr *addr, uint8_t mac[6]);

#endif
