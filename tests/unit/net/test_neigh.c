/* SPDX-License-Identifier: GPL-3.0-or-later
 * The neighbour table on its own: no network, time is an argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "net/neigh_int.h"

static const uint8_t mac_a[6] = {2, 0, 0, 0, 0, 0xa}, mac_b[6] = {2, 0, 0, 0, 0, 0xb};
static struct neigh table;
static bool asked;
static uint8_t got[6];

static int set_up(void **state)
{
    (void)state;
    return neigh_init(&table);
}

static int tear_down(void **state)
{
    (void)state;
    neigh_free(&table);
    return 0;
}

static struct wire_addr number(uint32_t n)
{
    struct wire_addr a = {.family = 4, .bytes = {10}};
    a.bytes[1] = (uint8_t)(n >> 16);
    a.bytes[2] = (uint8_t)(n >> 8);
    a.bytes[3] = (uint8_t)n;
    return a;
}

static rs_mono at_ms(uint64_t ms)
{
    return (rs_mono){(1000000 + ms) * RS_MS};
}

static enum neigh_answer resolve(uint32_t n, uint64_t ms)
{
    struct wire_addr a = number(n);
    return neigh_resolve(&table, &a, at_ms(ms), got, &asked);
}

static void seen(uint32_t n, const uint8_t *mac, uint64_t ms)
{
    struct wire_addr a = number(n);
    neigh_seen(&table, &a, mac, at_ms(ms));
}

static void kernel(uint32_t n, const uint8_t *mac, bool sure)
{
    struct wire_addr a = number(n);
    neigh_kernel(&table, &a, mac, sure, at_ms(0));
}

#define EXPECT(n, ms, answer, ask)                                                                 \
    do {                                                                                           \
        assert_int_equal(resolve(n, ms), answer);                                                  \
        assert_int_equal(asked, ask);                                                              \
    } while (0)

static void three_requests_a_second_apart_then_gone(void **state)
{
    (void)state;
    EXPECT(1, 0, NEIGH_WAITING, true);
    EXPECT(1, 0, NEIGH_WAITING, false); /* the second arm of the same target */
    EXPECT(1, 999, NEIGH_WAITING, false);
    EXPECT(1, 1000, NEIGH_WAITING, true);
    EXPECT(1, 2000, NEIGH_WAITING, true);
    EXPECT(1, 2999, NEIGH_WAITING, false); /* the third request has its second, too */
    EXPECT(1, 3000, NEIGH_GONE, false);
    EXPECT(1, 12999, NEIGH_GONE, false);
    EXPECT(1, 13000, NEIGH_WAITING, true); /* forgotten after ten seconds */
    seen(1, mac_a, 13100);
    EXPECT(1, 13200, NEIGH_KNOWN, false);
    assert_memory_equal(got, mac_a, 6);
}

static void our_answers_are_renewed_before_they_expire(void **state)
{
    (void)state;
    EXPECT(1, 0, NEIGH_WAITING, true);
    seen(1, mac_a, 0);
    EXPECT(1, 499, NEIGH_KNOWN, false);
    EXPECT(1, 500, NEIGH_KNOWN, true);
    EXPECT(1, 999, NEIGH_KNOWN, false);
    EXPECT(1, 1000, NEIGH_KNOWN, true);
    EXPECT(1, 4000, NEIGH_KNOWN, true);
    seen(1, mac_b, 4001); /* the gateway was replaced */
    EXPECT(1, 4002, NEIGH_KNOWN, false);
    assert_memory_equal(got, mac_b, 6);
    EXPECT(1, 64001, NEIGH_WAITING, true); /* nobody asked for a minute: it has expired */
    EXPECT(1, 65001, NEIGH_WAITING, true);
    EXPECT(1, 66001, NEIGH_WAITING, true);
    EXPECT(1, 67001, NEIGH_GONE, false);
}

static void unasked_answers_count_for_nothing(void **state)
{
    (void)state;
    seen(7, mac_a, 0);
    assert_int_equal(table.used, 0);
    EXPECT(7, 1, NEIGH_WAITING, true);
}

static void the_kernel_knows_and_the_latest_news_wins(void **state)
{
    (void)state;
    kernel(1, mac_a, true);
    EXPECT(1, 0, NEIGH_KNOWN, false);
    assert_memory_equal(got, mac_a, 6);
    kernel(1, mac_a, false); /* now stale: still used, but asked for */
    EXPECT(1, 10, NEIGH_KNOWN, true);
    EXPECT(1, 20, NEIGH_KNOWN, false);
    seen(1, mac_b, 30);
    EXPECT(1, 40, NEIGH_KNOWN, false);
    assert_memory_equal(got, mac_b, 6);
    kernel(1, mac_a, false); /* its old entry again: no news */
    EXPECT(1, 50, NEIGH_KNOWN, false);
    assert_memory_equal(got, mac_b, 6);
    kernel(1, mac_a, true); /* confirmed: news */
    EXPECT(1, 60, NEIGH_KNOWN, false);
    assert_memory_equal(got, mac_a, 6);
    kernel(1, NULL, false); /* failed; our own answer still holds */
    EXPECT(1, 70, NEIGH_KNOWN, false);
    EXPECT(1, 60030, NEIGH_WAITING, true);
}

static void a_kernel_entry_that_goes_is_asked_for(void **state)
{
    (void)state;
    kernel(1, mac_a, true);
    EXPECT(1, 0, NEIGH_KNOWN, false);
    kernel(1, NULL, false);
    EXPECT(1, 1, NEIGH_WAITING, true);
    kernel(2, mac_a, true);
    neigh_forget_kernel(&table);
    EXPECT(2, 1, NEIGH_WAITING, true);
    kernel(3, NULL, false); /* nothing known of it: nothing to forget, nothing made */
    assert_int_equal(table.used, 2);
}

static void a_big_link_grows_to_the_limit_and_is_cleared_of_the_old(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < NEIGH_LIMIT; i++)
        EXPECT(i, 0, NEIGH_WAITING, true);
    seen(77, mac_a, 1);
    uint32_t n = NEIGH_LIMIT;
    while (resolve(n, 1) != NEIGH_FULL && n < NEIGH_LIMIT * 3)
        n++;
    assert_true(n < NEIGH_LIMIT * 3);
    EXPECT(77, 2, NEIGH_KNOWN, false);
    EXPECT(n, 59000, NEIGH_FULL, false);
    EXPECT(n, 60100, NEIGH_WAITING, true); /* a minute later the unanswered ones make room */
    assert_true(table.used < NEIGH_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(three_requests_a_second_apart_then_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(our_answers_are_renewed_before_they_expire, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(unasked_answers_count_for_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_kernel_knows_and_the_latest_news_wins, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_kernel_entry_that_goes_is_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_big_link_grows_to_the_limit_and_is_cleared_of_the_old,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests_name("net/neigh", tests, NULL, NULL);
}
