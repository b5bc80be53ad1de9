/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the two halves of the parser share: view.c walks the network layer, transport.c what it
 * carries. */
#ifndef RS_WIRE_VIEW_INT_H
#define RS_WIRE_VIEW_INT_H

#include "base/cursor.h"
#include "wire/view.h"

struct parse {
    struct wire_view *v;
    struct cursor c;   /* captured bytes of the packet, from the next header on; padding cut off */
    uint32_t unread;   /* bytes of the packet from the next header on, by the IP header */
    bool quoted;       /* WIRE_PARSE_QUOTE */
    bool partial;      /* a quote or a first fragment: transport lengths may point past its end */
    bool other_header; /* the pseudo-header is not made of src and dst: source routing is under way
                          (RFC 8200 8.1, RFC 1122 4.1.3.4) */
};

/* Passes over `n` bytes of header. 0; 1 when the capture ends first; -RS_EPROTO when the packet
 * itself does. */
int parse_skip(struct parse *p, uint32_t n);
/* Parses what v->proto names; as wire_parse. */
int parse_transport(struct parse *p);

#endif
