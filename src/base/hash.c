/* SPDX-License-Identifier: GPL-3.0-or-later
 * SipHash-2-4 (Aumasson, Bernstein 2012) and xoshiro256** (Blackman, Vigna 2018), seeded through
 * splitmix64. */
#include "base/hash.h"

#include <string.h>

static uint64_t rotl(uint64_t x, unsigned b)
{
    return (x << b) | (x >> (64u - b));
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotl(v[1], 13) ^ v[0];
    v[0] = rotl(v[0], 32);
    v[2] += v[3];
    v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotl(v[1], 17) ^ v[2];
    v[2] = rotl(v[2], 32);
}

static uint64_t little_endian(const uint8_t *p, size_t n)
{
    uint64_t x = 0;
    if (n == 8) { /* the compiler makes one load of it */
        memcpy(&x, p, 8);
        return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? x : __builtin_bswap64(x);
    }
    for (size_t i = 0; i < n; i++)
        x |= (uint64_t)p[i] << (8u * i);
    return x;
}

uint64_t rs_siphash(const struct rs_key *key, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    uint64_t v[4] = {key->k0 ^ UINT64_C(0x736f6d6570736575), key->k1 ^ UINT64_C(0x646f72616e646f6d),
                     key->k0 ^ UINT64_C(0x6c7967656e657261),
                     key->k1 ^ UINT64_C(0x7465646279746573)};
    size_t left = n;
    for (; left >= 8; left -= 8, p += 8) {
        uint64_t m = little_endian(p, 8);
        v[3] ^= m;
        sip_round(v);
        sip_round(v);
        v[0] ^= m;
    }
    uint64_t last = little_endian(p, left) | (uint64_t)(n & 0xffu) << 56;
    v[3] ^= last;
    sip_round(v);
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xffu;
    for (int i = 0; i < 4; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void rs_rand_seed(struct rs_rand *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++) { /* splitmix64: never leaves the all-zero state to xoshiro */
        uint64_t z = (seed += UINT64_C(0x9e3779b97f4a7c15));
        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        r->s[i] = z ^ (z >> 31);
    }
}

uint64_t rs_rand_next(struct rs_rand *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t rs_rand_below(struct rs_rand *r, uint64_t bound)
{
    if (bound == 0)
        return 0;
    uint64_t floor = (0 - bound) % bound; /* 2^64 mod bound: what would favour small results */
    uint64_t x;
    do {
        x = rs_rand_next(r);
    } while (x < floor);
    return x % bound;
}
