/* SPDX-License-Identifier: GPL-3.0-or-later
 * Segment -> bytes of an IP packet, built by libnet without a socket and without privilege
 * (LIBNET_NONE, tags reused). The only folder that knows libnet. */
#ifndef RS_CRAFT_CRAFT_H
#define RS_CRAFT_CRAFT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "wire/addr.h"
#include "wire/segment.h"

struct craft;

/* NULL with a message in `err` when libnet cannot start. */
struct craft *craft_new(struct rs_err *err);
void craft_free(struct craft *c);

/* Writes one IPv4 or IPv6 packet (by tuple->src.family), TCP or UDP (by tuple->proto), with right
 * lengths and checksums (unless the segment asks for a wrong one), the AE and reserved bits of
 * `seg->flags` included. 0 and *n, -RS_EINVAL (families differ, options too long), -RS_ENOMEM
 * (`cap` too small), -RS_ESYS (libnet). */
int craft_packet(struct craft *c,
                 const struct wire_tuple *tuple,
                 const struct wire_segment *seg,
                 uint8_t *out,
                 size_t cap,
                 size_t *n,
                 struct rs_err *err);

/* A whole Ethernet frame that asks who has `target`: an ARP request, or an NDP neighbour
 * solicitation to the solicited-node group (RFC 826, RFC 4861 4.3). As craft_packet. */
int craft_neighbour_request(struct craft *c,
                            const uint8_t our_mac[6],
                            const struct wire_addr *our_addr,
                            const struct wire_addr *target,
                            uint8_t *out,
                            size_t cap,
                            size_t *n,
                            struct rs_err *err);

#endif
