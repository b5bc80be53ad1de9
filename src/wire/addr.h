/* SPDX-License-Identifier: GPL-3.0-or-later
 * Addresses and 5-tuples as plain bytes: comparable with memcmp, hashable as they lie. */
#ifndef RS_WIRE_ADDR_H
#define RS_WIRE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WIRE_ADDR_TEXT 46 /* bytes that any address needs as text, with the NUL */

struct wire_addr {
    uint8_t family;    /* 4, 6, or 0 for none */
    uint8_t bytes[16]; /* network order; an IPv4 address fills the first four, the rest is 0 */
};

/* Ports in host order. All bytes are defined (no padding), so that the struct can be hashed. */
struct wire_tuple {
    struct wire_addr src, dst;
    uint8_t proto; /* IP protocol number */
    uint8_t pad;   /* always 0 */
    uint16_t sport, dport;
};

_Static_assert(sizeof(struct wire_tuple) == 40, "wire_tuple must have no hidden padding");

/* Reads an IPv4 or IPv6 literal (no zone, no brackets, no name). 0 or -RS_EINVAL. */
int wire_addr_parse(const char *text, struct wire_addr *out);
/* Writes at most WIRE_ADDR_TEXT bytes; "-" for family 0. Returns `text`. */
char *wire_addr_format(const struct wire_addr *a, char text[WIRE_ADDR_TEXT]);
/* The network that limits are for: the IPv4 /24 or IPv6 /48 that it lies in, the rest 0. */
struct wire_addr wire_addr_network(const struct wire_addr *a);
bool wire_addr_equal(const struct wire_addr *a, const struct wire_addr *b);
/* The same flow seen from the other side. */
struct wire_tuple wire_tuple_swap(const struct wire_tuple *t);

#endif
