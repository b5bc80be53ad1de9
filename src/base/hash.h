/* SPDX-License-Identifier: GPL-3.0-or-later
 * Keyed hashing (SipHash-2-4) for tables that strangers fill and for RFC 6528 sequence numbers, and
 * a seeded generator (xoshiro256**) for everything that must be repeatable by --seed. */
#ifndef RS_BASE_HASH_H
#define RS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

struct rs_key {
    uint64_t k0, k1;
};

uint64_t rs_siphash(const struct rs_key *key, const void *bytes, size_t n);

struct rs_rand {
    uint64_t s[4];
};

void rs_rand_seed(struct rs_rand *r, uint64_t seed);
uint64_t rs_rand_next(struct rs_rand *r);
/* Uniform in 0 .. bound-1, without modulo bias; bound 0 gives 0. */
uint64_t rs_rand_below(struct rs_rand *r, uint64_t bound);

#endif
