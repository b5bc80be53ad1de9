/* SPDX-License-Identifier: GPL-3.0-or-later
 * Rules: which segments of an arm to change, and how. Pure data, so that a built-in plugin and an
 * experiment file can say the same things. All matching rules apply, in order; a later one wins
 * over an earlier one. */
#ifndef RS_CRAFT_RULE_H
#define RS_CRAFT_RULE_H

#include <stddef.h>
#include <stdint.h>

#include "wire/segment.h"

#define RULE_CLASS(c) (1u << (c))

enum rule_tries { RULE_ANY_TRY, RULE_FIRST_TRY, RULE_RETRANSMISSION };

struct segment_match {
    uint16_t classes;      /* bits of RULE_CLASS(SEG_*); 0 = every class */
    uint16_t ordinal_from; /* 0 = from the first */
    uint16_t ordinal_to;   /* 0 = without end */
    uint8_t tries;         /* enum rule_tries */
    uint16_t states;       /* bits of 1 << enum tcp_state; 0 = every state */
};

enum change_have {
    CHANGE_ECN = 1 << 0,
    CHANGE_DSCP = 1 << 1,
    CHANGE_TTL = 1 << 2,
    CHANGE_IP_FLAGS = 1 << 3,
    CHANGE_OPTIONS = 1 << 4, /* replace the TCP options (0 bytes: send none) */
    CHANGE_BAD_CHECKSUM = 1 << 5,
    CHANGE_PAYLOAD = 1 << 6, /* replace or add the payload, e.g. on the SYN */
    CHANGE_WINDOW = 1 << 7,
    CHANGE_ZERO_CHECKSUM = 1 << 8 /* UDP */
};

struct header_change {
    uint32_t have;
    uint8_t ecn, dscp, ttl, ip_flags;
    uint16_t flags_set, flags_clear; /* TCP, 12 bits; clear first, then set; need no CHANGE_ bit */
    uint16_t window;
    const uint8_t *options; /* borrowed; padded to a multiple of 4 by the writer of the rule */
    uint8_t options_bytes;  /* <= 40 */
    const uint8_t *payload; /* borrowed */
    uint16_t payload_bytes;
};

struct rule {
    struct segment_match when;
    struct header_change change;
};

/* Applies every rule that matches; `rules` may be NULL when n is 0. */
void rules_apply(const struct rule *rules, size_t n, struct wire_segment *seg);

#endif
