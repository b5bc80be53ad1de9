/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "unit/recipe.h"
#include "wire/cksum.h"

static void example_of_the_rfc(void **state)
{
    const uint8_t bytes[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    (void)state;
    assert_int_equal(wire_sum_fold(wire_sum(0, bytes, 8)), 0xddf2); /* RFC 1071 3 */
    /* RFC 1071 2(A): in any groups */
    assert_int_equal(wire_sum_fold(wire_sum(wire_sum(0, bytes, 2), bytes + 2, 6)), 0xddf2);
    assert_int_equal(wire_sum_fold(wire_sum(wire_sum(0, bytes, 6), bytes + 6, 2)), 0xddf2);
}

static void odd_byte_is_padded_on_its_right(void **state)
{
    const uint8_t bytes[] = {1, 2, 3, 4, 5};
    (void)state;
    assert_int_equal(wire_sum_fold(wire_sum(0, bytes, 1)), 0x0100);
    assert_int_equal(wire_sum_fold(wire_sum(0, bytes, 3)), 0x0402);
    assert_int_equal(wire_sum_fold(wire_sum(0, bytes, 5)), 0x0906);
    assert_int_equal(wire_sum_fold(wire_sum(0, NULL, 0)), 0);
}

/* Packets merged by offloading are larger than any 32-bit sum of 16-bit words allows. */
static void large_sums_do_not_overflow(void **state)
{
    size_t n = 600000;
    uint8_t *bytes = malloc(n);
    (void)state;
    memset(bytes, 0xff, n);
    assert_int_equal(wire_sum_fold(wire_sum(0xffffffffu, bytes, n)), 0xffff);
    bytes[1] = 0xfe; /* one less */
    assert_int_equal(wire_sum_fold(wire_sum(0, bytes, n)), 0xfffe);
    free(bytes);
}

/* RFC 1071 4.1, which adds 16 bits at a time. Any length, any address, with a carry and without. */
static void all_lengths_as_in_the_rfc(void **state)
{
    uint8_t bytes[320];
    (void)state;
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i < 160 ? 251 - 7 * i : 0xff);
    for (size_t start = 0; start < 9; start++) {
        for (size_t n = 0; n <= sizeof bytes - start; n++) {
            uint32_t sum = 0x1234;
            for (size_t i = 0; i < n; i++)
                sum += (uint32_t)bytes[start + i] << (i % 2 == 0 ? 8 : 0);
            if (wire_sum_fold(wire_sum(0x1234, bytes + start, n)) != wire_sum_fold(sum))
                fail_msg("%zu bytes from %zu", n, start);
        }
    }
}

/* Headers from a Linux kernel; the whole with its checksum sums to ffff. */
static void pseudo_headers_of_both_families(void **state)
{
    static const struct {
        const char *src, *dst, *l4, *clause;
        uint8_t proto;
    } rows[] = {
        {"192.0.2.1", "198.51.100.7",
         "ee480050 d850fa5d 00000000 a0c2faf0 09f50000 020405b4 0402080a 100984ca 00000000 "
         "0103030a",
         "RFC 9293 3.1", 6},
        {"2001:db8::1", "2001:db8:1::2",
         "ee480050 54dff372 00000000 a0c2fd20 ff7a0000 020405a0 0402080a 266391f1 00000000 "
         "0103030a",
         "RFC 8200 8.1", 6},
        {"192.0.2.1", "198.51.100.7", "ee480035000de14768656c6c6f", "RFC 768", 17},
        {"2001:db8::1", "2001:db8:1::2", "ee480035000d720e68656c6c6f", "RFC 8200 8.1", 17},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_addr src, dst;
        uint8_t l4[64];
        size_t n = recipe_hex(rows[i].l4, l4, sizeof l4);
        wire_addr_parse(rows[i].src, &src);
        wire_addr_parse(rows[i].dst, &dst);
        uint32_t sum = wire_sum_pseudo(&src, &dst, rows[i].proto, (uint32_t)n);
        assert_int_equal(wire_sum_fold(wire_sum(sum, l4, n)), 0xffff);
        /* the length is part of it, and may be over 16 bits */
        assert_int_not_equal(wire_sum_pseudo(&src, &dst, rows[i].proto, (uint32_t)n + 0x20000),
                             sum);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(example_of_the_rfc),
        cmocka_unit_test(odd_byte_is_padded_on_its_right),
        cmocka_unit_test(large_sums_do_not_overflow),
        cmocka_unit_test(all_lengths_as_in_the_rfc),
        cmocka_unit_test(pseudo_headers_of_both_families),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
