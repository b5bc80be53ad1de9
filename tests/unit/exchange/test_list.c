/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "exchange/exchange.h"

static void every_exchange_is_found_by_name(void **state)
{
    size_t n = 0;
    (void)state;
    for (const struct exchange *const *at = exchange_list(); *at != NULL; at++, n++) {
        assert_ptr_equal(exchange_find((*at)->name), *at);
        assert_true((*at)->request && (*at)->input && (*at)->end && (*at)->result);
        assert_int_not_equal((*at)->default_port, 0);
    }
    assert_int_equal(n, 2);
    assert_ptr_equal(exchange_find("tcp"), &exchange_tcp);
    assert_ptr_equal(exchange_find("http"), &exchange_http);
    assert_null(exchange_find("htt"));
    assert_null(exchange_find(""));
}

static void tcp_says_nothing_and_counts_what_it_hears(void **state)
{
    _Alignas(8) uint8_t block[EXCHANGE_STATE_BYTES] = {0};
    struct exchange_target t = {.domain = "a\nb"};
    struct exchange_result r;
    size_t n = 9;
    (void)state;
    assert_int_equal(exchange_tcp.request(&t, NULL, 0, &n), 0);
    assert_int_equal(n, 0);
    assert_int_equal(exchange_tcp.input(block, (const uint8_t *)"220 hello", 9), EXCHANGE_DONE);
    assert_int_equal(exchange_tcp.input(block, (const uint8_t *)"x", 1), EXCHANGE_DONE);
    assert_int_equal(exchange_tcp.end(block), EXCHANGE_DONE);
    exchange_tcp.result(block, &r);
    assert_true(r.complete);
    assert_int_equal(r.status, 0);
    assert_int_equal(r.body_bytes, 10);
    assert_string_equal(r.error, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_exchange_is_found_by_name),
        cmocka_unit_test(tcp_says_nothing_and_counts_what_it_hears),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
