/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit/base/run.h"

#include "base/slab.h"

static void limit_is_a_bound_and_refusals_are_counted(void **state)
{
    (void)state;
    struct slab s;
    slab_init(&s, 40, 3);
    void *a = slab_get(&s), *b = slab_get(&s), *c = slab_get(&s);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_null(slab_get(&s));
    assert_null(slab_get(&s));
    assert_true(s.refused == 2);
    assert_int_equal(s.used, 3);
    slab_put(&s, b);
    assert_ptr_equal(slab_get(&s), b);
    assert_null(slab_get(&s));
    slab_free(&s);
}

static void limit_zero_gives_nothing(void **state)
{
    (void)state;
    struct slab s;
    slab_init(&s, 16, 0);
    assert_null(slab_get(&s));
    slab_free(&s);
}

static void blocks_are_zeroed_again(void **state)
{
    (void)state;
    struct slab s;
    slab_init(&s, 100, 1);
    unsigned char *block = slab_get(&s);
    memset(block, 0xee, 100);
    slab_put(&s, block);
    block = slab_get(&s);
    for (int i = 0; i < 100; i++)
        assert_int_equal(block[i], 0);
    slab_free(&s);
}

static void blocks_are_aligned_and_apart(void **state)
{
    (void)state;
    enum { N = 1000, BYTES = 24 };
    static unsigned char *block[N];
    struct slab s;
    slab_init(&s, BYTES, N);
    assert_int_equal(s.block_bytes, 32);
    for (int i = 0; i < N; i++) {
        block[i] = slab_get(&s);
        assert_non_null(block[i]);
        assert_int_equal((uintptr_t)block[i] % 16, 0);
        memset(block[i], i & 0xff, BYTES);
    }
    for (int i = 0; i < N; i++) /* nobody wrote into another's */
        for (int k = 0; k < BYTES; k++)
            assert_int_equal(block[i][k], i & 0xff);
    slab_free(&s);
}

static void memory_is_made_as_needed_and_used_again(void **state)
{
    (void)state;
    struct slab s;
    slab_init(&s, 64, 1000000);
    assert_int_equal(s.made, 0);
    for (int i = 0; i < 5000; i++)
        slab_put(&s, slab_get(&s));
    assert_in_range(s.made, 1, 1000);
    assert_int_equal(s.used, 0);
    slab_free(&s);
    assert_int_equal(s.made, 0);
    assert_non_null(slab_get(&s)); /* usable after slab_free */
    slab_free(&s);
}

static void null_is_ignored(void **state)
{
    (void)state;
    struct slab s;
    slab_init(&s, 16, 1);
    slab_put(&s, NULL);
    assert_int_equal(s.used, 0);
    slab_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limit_is_a_bound_and_refusals_are_counted),
        cmocka_unit_test(limit_zero_gives_nothing),
        cmocka_unit_test(blocks_are_zeroed_again),
        cmocka_unit_test(blocks_are_aligned_and_apart),
        cmocka_unit_test(memory_is_made_as_needed_and_used_again),
        cmocka_unit_test(null_is_ignored),
    };
    return UNIT_RUN(tests);
}
