/* SPDX-License-Identifier: GPL-3.0-or-later
 * The Internet checksum. Sums are kept in 64 bits inside, so that packets merged by offloading (far
 * over 64 KiB) cannot overflow them. */
#include "wire/cksum.h"

#include <string.h>

#include "base/cursor.h"

static uint32_t narrow(uint64_t sum)
{
    while (sum > 0xffffffffu) /* RFC 1071 2(A): an end-around carry may be added at any time */
        sum = (sum & 0xffffffffu) + (sum >> 32);
    return (uint32_t)sum;
}

#define BLOCK 32u

static uint64_t word_at(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Sums whole blocks, the bulk of a payload: four sums that need not wait for each other, in this
 * machine's byte order, which swaps the bytes of the result and changes nothing else (RFC 1071
 * 2(B)). */
static uint16_t sum_blocks(struct cursor *c)
{
    uint64_t sum[4] = {0};
    const uint8_t *at;
    while (get_bytes(c, BLOCK, &at)) {
        sum[0] += word_at(at);
        sum[1] += word_at(at + 4);
        sum[2] += word_at(at + 8);
        sum[3] += word_at(at + 12);
        sum[0] += word_at(at + 16);
        sum[1] += word_at(at + 20);
        sum[2] += word_at(at + 24);
        sum[3] += word_at(at + 28);
    }
    uint16_t all = wire_sum_fold(narrow(sum[0] + sum[1] + sum[2] + sum[3]));
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap16(all) : all;
}

uint32_t wire_sum(uint32_t sum, const uint8_t *bytes, size_t n)
{
    struct cursor c = {bytes, n};
    uint64_t total = sum;
    uint32_t word;
    uint16_t half;
    uint8_t last;

    if (n >= 2 * BLOCK)
        total += sum_blocks(&c);
    while (get_be32(&c, &word)) /* RFC 1071 2(C): the width of the words does not matter */
        total += word;
    if (get_be16(&c, &half))
        total += half;
    if (get_u8(&c, &last)) /* RFC 1071 1: an odd byte is padded with zero on its right */
        total += (uint32_t)last << 8;
    return narrow(total);
}

uint16_t wire_sum_fold(uint32_t sum)
{
    sum = (sum & 0xffffu) + (sum >> 16);
    sum = (sum & 0xffffu) + (sum >> 16);
    return (uint16_t)sum;
}

uint32_t wire_sum_pseudo(const struct wire_addr *src,
                         const struct wire_addr *dst,
                         uint8_t proto,
                         uint32_t l4_bytes)
{
    size_t n = src->family == 4 ? 4 : 16;
    uint32_t sum = wire_sum(0, src->bytes, n);
    sum = wire_sum(sum, dst->bytes, n);
    return narrow((uint64_t)sum + proto + l4_bytes);
}
