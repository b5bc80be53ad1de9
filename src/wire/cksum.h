/* SPDX-License-Identifier: GPL-3.0-or-later
 * The Internet checksum (RFC 1071) and the pseudo-headers of RFC 9293 3.1 and RFC 8200 8.1. */
#ifndef RS_WIRE_CKSUM_H
#define RS_WIRE_CKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "wire/addr.h"

/* Adds bytes to a running one's complement sum (host arithmetic on big-endian words; pass even
 * lengths but at last). */
uint32_t wire_sum(uint32_t sum, const uint8_t *bytes, size_t n);
/* Folds a sum to 16 bits, not complemented. */
uint16_t wire_sum_fold(uint32_t sum);
/* Sum of the pseudo-header for addresses of one family. */
uint32_t wire_sum_pseudo(const struct wire_addr *src,
                         const struct wire_addr *dst,
                         uint8_t proto,
                         uint32_t l4_bytes);

#endif
