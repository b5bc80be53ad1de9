/* SPDX-License-Identifier: GPL-3.0-or-later
 * One libnet context and the way its bytes are taken out; shared by craft.c and neighbour.c. */
#ifndef RS_CRAFT_CRAFT_INT_H
#define RS_CRAFT_CRAFT_INT_H

#include <libnet.h>

#include "craft/craft.h"

/* A context keeps one shape of packet: its blocks are made once and then rewritten in place through
 * their tags. */
struct shape {
    libnet_t *l;
    libnet_ptag_t options, transport, network, link;
};

enum { SHAPE_TCP4, SHAPE_TCP6, SHAPE_UDP4, SHAPE_UDP6, SHAPE_ARP, SHAPE_NDP, SHAPE_N };

struct craft {
    struct shape shape[SHAPE_N];
};

/* After a failed build the chain of blocks may be half a packet: start it anew. Returns -RS_ESYS
 * with libnet's own text. */
int shape_fail(struct shape *s, struct rs_err *err);
/* Copies the finished packet out. 0, -RS_ENOMEM, -RS_ESYS. */
int shape_take(struct shape *s, uint8_t *out, size_t cap, size_t *n, struct rs_err *err);
struct libnet_in6_addr craft_in6(const struct wire_addr *a);

#endif
