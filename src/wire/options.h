/* SPDX-License-Identifier: GPL-3.0-or-later
 * TCP options (RFC 9293 3.1, RFC 7323, RFC 2018, RFC 7413): the reader that survives anything, and
 * the writer for our SYN. */
#ifndef RS_WIRE_OPTIONS_H
#define RS_WIRE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TCPOPT_END       0u
#define TCPOPT_NOP       1u
#define TCPOPT_MSS       2u
#define TCPOPT_WSCALE    3u
#define TCPOPT_SACK_OK   4u
#define TCPOPT_SACK      5u
#define TCPOPT_TIMESTAMP 8u
#define TCPOPT_FASTOPEN  34u
#define TCPOPT_EXP1      254u /* RFC 6994: an experiment's own number follows the length */
#define TCPOPT_EXP2      255u

enum wire_option_have {
    OPT_MSS = 1 << 0,
    OPT_WSCALE = 1 << 1,
    OPT_SACK_OK = 1 << 2,
    OPT_TIMESTAMP = 1 << 3,
    OPT_SACK = 1 << 4,
    OPT_MALFORMED = 1 << 5, /* a length of 0 or 1, or past the end: the walk stopped there */
    OPT_FASTOPEN = 1 << 6
};

struct wire_options {
    uint32_t have;      /* of enum wire_option_have; the first of repeated options counts */
    uint16_t mss;       /* bytes */
    uint8_t mss_length; /* of the first MSS option, as it says, right or wrong; 0 without one */
    uint8_t wscale;     /* as sent; RFC 7323 2.3 caps it at 14, the caller applies the cap */
    uint32_t tsval, tsecr;
    uint8_t sack_blocks;
    uint8_t tfo_kind;         /* TCPOPT_FASTOPEN, _EXP1 or _EXP2 */
    uint8_t tfo_cookie_bytes; /* as sent; 0 asks for a cookie (RFC 7413 4.1.1) */
    uint8_t kinds[20];        /* kinds in order, NOP and END left out, the first 20 */
    uint8_t n_kinds;
};

/* Never fails: what cannot be understood is OPT_MALFORMED. */
void wire_options_parse(struct wire_options *out, const uint8_t *bytes, size_t n);

/* Writes a Linux-like option list padded to a multiple of 4: on a SYN `MSS, SACK-permitted,
 * timestamps, NOP, window scale`, on other segments `NOP, NOP, timestamps`; only those in
 * `o->have`. Returns the bytes written (<= 40). */
size_t wire_options_write(const struct wire_options *o, bool syn, uint8_t out[40]);

#endif
