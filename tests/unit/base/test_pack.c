/* SPDX-License-Identifier: GPL-3.0-or-later
 * What is packed comes back, whatever differs, and takes a bitmap and the words that differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/pack.h"

#define MOST 300u

static void check(const uint32_t *block, const uint32_t *base, size_t words, size_t differ)
{
    uint32_t packed[PACK_MOST(MOST) + 1], back[MOST + 1];
    memset(packed, 0xee, sizeof packed);
    memset(back, 0xdd, sizeof back);
    size_t n = pack_words(block, base, words, packed);
    assert_int_equal(n, (words + 31) / 32 + differ);
    assert_int_equal(packed[n], 0xeeeeeeee); /* nothing behind what it says */
    unpack_words(packed, base, words, back);
    assert_memory_equal(back, block, words * sizeof *block);
    assert_int_equal(back[words], 0xdddddddd);
}

static void equal_blocks(void **state)
{
    uint32_t a[MOST];
    (void)state;
    memset(a, 0x5a, sizeof a);
    for (size_t words = 0; words <= 70; words++)
        check(a, a, words, 0);
}

static void each_single_word(void **state)
{
    uint32_t a[MOST] = {0}, b[MOST] = {0};
    (void)state;
    for (size_t i = 0; i < MOST; i++) {
        a[i] = (uint32_t)i + 1;
        check(a, b, MOST, 1);
        check(b, a, MOST, 1); /* a word that became 0 */
        a[i] = 0;
    }
}

static void all_words(void **state)
{
    uint32_t a[MOST], b[MOST];
    (void)state;
    memset(a, 1, sizeof a);
    memset(b, 2, sizeof b);
    for (size_t words = 0; words <= MOST; words += 7)
        check(a, b, words, words);
    assert_int_equal(PACK_MOST(32u), 33);
    assert_int_equal(PACK_MOST(33u), 35);
}

static void at_random(void **state)
{
    struct rs_rand r;
    (void)state;
    rs_rand_seed(&r, 4);
    for (unsigned round = 0; round < 2000; round++) {
        uint32_t a[MOST], b[MOST];
        size_t words = (size_t)rs_rand_below(&r, MOST + 1), differ = 0;
        uint64_t share = rs_rand_below(&r, 9);
        for (size_t i = 0; i < words; i++) {
            b[i] = (uint32_t)rs_rand_next(&r);
            a[i] = rs_rand_below(&r, 8) < share ? (uint32_t)rs_rand_next(&r) : b[i];
            differ += a[i] != b[i];
        }
        check(a, b, words, differ);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(equal_blocks),
                                       cmocka_unit_test(each_single_word),
                                       cmocka_unit_test(all_words), cmocka_unit_test(at_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
