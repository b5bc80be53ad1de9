/* SPDX-License-Identifier: GPL-3.0-or-later
 * Segments in words, for tests:
 *
 *     S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 1 ecr 2,nop,wscale 7> [E] [ect0] ttl 64
 *
 * What wire_print writes can be read back. Order: flags, sequence range, then any of the rest.
 *   flags     S F R P . U, also E W e 3 2 1 (ECE, CWR, AE, reserved), or "none"
 *   range     FIRST:END(BYTES), relative to seq_base; may be negative
 *   ack N     relative to ack_base; sets the ACK field, "." sets the flag
 *   win N     default 65535      urg N      ttl N    default 64      dscp N
 *   <...>     options in this order, padded with zeros: mss N, wscale N, sackOK, TS val N ecr N,
 *             nop, eol, sack N (blocks of zeros), opt-K (no body), hex BYTES (as they are)
 *   [EWe321]  more flags         [not_ect] [ect0] [ect1] [ce]      bad-cksum
 *
 * Payload: the byte at stream offset i (relative sequence number less 1) is 'a' + i % 26, so that
 * tests can see what arrived where. */
#ifndef RS_TESTS_UNIT_RECIPE_H
#define RS_TESTS_UNIT_RECIPE_H

#include "wire/segment.h"
#include "wire/view.h"

#define RECIPE_PAYLOAD_MOST 4096

struct recipe { /* points into itself: do not copy */
    struct wire_segment seg;
    struct wire_view view; /* of IPv4, without addresses and ports */
    uint8_t payload[RECIPE_PAYLOAD_MOST];
};

/* Fills all of `r`; returns &r->view. A recipe that cannot be read ends the program with a message:
 * it is the test that is wrong. */
const struct wire_view *recipe(struct recipe *r,
                               const char *text,
                               uint32_t seq_base,
                               uint32_t ack_base);

/* wire_print (short) into one of a few static buffers, for messages and comparisons. */
const char *recipe_of(const struct wire_view *v, uint32_t seq_base, uint32_t ack_base);
/* The same for a segment that is to be sent. */
const char *recipe_of_segment(const struct wire_segment *s, uint32_t seq_base, uint32_t ack_base);

/* Bytes from hexadecimal text; spaces are passed over. Returns how many; a wrong text ends the
 * program. */
size_t recipe_hex(const char *hex, uint8_t *out, size_t cap);

#endif
