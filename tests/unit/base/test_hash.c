/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit/base/run.h"

#include "base/hash.h"

/* Aumasson, Bernstein: "SipHash: a fast short-input PRF", appendix A (15 bytes), and the first rows
 * of the reference code's vectors: key 00 01 .. 0f, message 00 01 .. n-1. */
static const struct {
    size_t n;
    uint64_t hash;
} vectors[] = {
    {0, UINT64_C(0x726fdb47dd0e0e31)}, {1, UINT64_C(0x74f839c593dc67fd)},
    {2, UINT64_C(0x0d6c8009d9a94f5a)}, {3, UINT64_C(0x85676696d7fb7e2d)},
    {4, UINT64_C(0xcf2794e0277187b7)}, {5, UINT64_C(0x18765564cd99a68d)},
    {6, UINT64_C(0xcbc9466e58fee3ce)}, {7, UINT64_C(0xab0200f58b01d137)},
    {8, UINT64_C(0x93f5f5799a932462)}, {15, UINT64_C(0xa129ca6149be45e5)},
};

static const struct rs_key key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)};

static void siphash_reference_vectors(void **state)
{
    (void)state;
    uint8_t message[16];
    for (unsigned i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)i;
    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        assert_true(rs_siphash(&key, message, vectors[i].n) == vectors[i].hash);
}

static void siphash_reads_unaligned_bytes(void **state)
{
    (void)state;
    uint8_t message[17];
    for (unsigned i = 1; i < sizeof message; i++)
        message[i] = (uint8_t)(i - 1);
    assert_true(rs_siphash(&key, message + 1, 15) == UINT64_C(0xa129ca6149be45e5));
}

static void siphash_depends_on_both_key_halves(void **state)
{
    (void)state;
    struct rs_key a = key, b = key;
    a.k0 ^= 1;
    b.k1 ^= UINT64_C(1) << 63;
    uint64_t h = rs_siphash(&key, "abc", 3);
    assert_true(h != rs_siphash(&a, "abc", 3));
    assert_true(h != rs_siphash(&b, "abc", 3));
}

/* xoshiro256** itself: from state 1, 2, 3, 4 the authors' code gives these. */
static void generator_is_xoshiro(void **state)
{
    (void)state;
    struct rs_rand r = {{1, 2, 3, 4}};
    assert_true(rs_rand_next(&r) == 11520);
    assert_true(rs_rand_next(&r) == 0);
    assert_true(rs_rand_next(&r) == 1509978240);
    assert_true(rs_rand_next(&r) == UINT64_C(1215971899390074240));
}

/* splitmix64 of 0 begins with these (its authors' values). */
static void seed_goes_through_splitmix(void **state)
{
    (void)state;
    struct rs_rand r;
    rs_rand_seed(&r, 0);
    assert_true(r.s[0] == UINT64_C(0xe220a8397b1dcdaf));
    assert_true(r.s[1] == UINT64_C(0x6e789e6aa1b965f4));
    assert_true(r.s[2] == UINT64_C(0x06c45d188009454f));
}

static void same_seed_same_sequence(void **state)
{
    (void)state;
    struct rs_rand a, b, c;
    rs_rand_seed(&a, 42);
    rs_rand_seed(&b, 42);
    rs_rand_seed(&c, 43);
    int differs = 0;
    for (int i = 0; i < 100; i++) {
        uint64_t x = rs_rand_next(&a);
        assert_true(x == rs_rand_next(&b));
        differs += x != rs_rand_next(&c);
    }
    assert_int_equal(differs, 100);
}

static void below_stays_below_and_reaches_all(void **state)
{
    (void)state;
    struct rs_rand r;
    rs_rand_seed(&r, 7);
    unsigned seen[6] = {0};
    for (int i = 0; i < 60000; i++) {
        uint64_t x = rs_rand_below(&r, 6);
        assert_in_range(x, 0, 5);
        seen[x]++;
    }
    for (int i = 0; i < 6; i++) /* expected 10,000 each; 5 sigma is 457 */
        assert_in_range(seen[i], 9500, 10500);
    assert_true(rs_rand_below(&r, 1) == 0);
    assert_true(rs_rand_below(&r, 0) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_reference_vectors),
        cmocka_unit_test(siphash_reads_unaligned_bytes),
        cmocka_unit_test(siphash_depends_on_both_key_halves),
        cmocka_unit_test(generator_is_xoshiro),
        cmocka_unit_test(seed_goes_through_splitmix),
        cmocka_unit_test(same_seed_same_sequence),
        cmocka_unit_test(below_stays_below_and_reaches_all),
    };
    return UNIT_RUN(tests);
}
