/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <string.h>

#include "base/err.h"
#include "wire/addr.h"

static void text_there_and_back(void **state)
{
    static const struct {
        const char *in, *out; /* out NULL: the same */
        uint8_t family;
    } rows[] = {
        {"192.0.2.1", NULL, 4},
        {"0.0.0.0", NULL, 4},
        {"255.255.255.255", NULL, 4},
        {"2001:db8::1", NULL, 6},
        {"2001:DB8:0:0:0:0:0:1", "2001:db8::1", 6}, /* RFC 5952 4.1, 4.3 */
        {"2001:db8:0:1:1:1:1:1", NULL, 6},          /* RFC 5952 4.2.2 */
        {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1", 6}, /* RFC 5952 4.2.3 */
        {"::ffff:192.0.2.1", NULL, 6},              /* RFC 4291 2.5.5.2 */
        {"::", NULL, 6},
        {"fe80::ffff:ffff:ffff:ffff", NULL, 6},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_addr a;
        char text[WIRE_ADDR_TEXT];
        assert_int_equal(wire_addr_parse(rows[i].in, &a), 0);
        assert_int_equal(a.family, rows[i].family);
        assert_string_equal(wire_addr_format(&a, text),
                            rows[i].out != NULL ? rows[i].out : rows[i].in);
    }
}

/* Against libc, which is slower: all patterns of zero groups, and groups of every length. */
static void as_libc_formats(void **state)
{
    static const uint16_t groups[] = {0x1, 0x12, 0x123, 0x1234, 0xffff, 0xa0, 0xf00, 0x8000};
    (void)state;
    for (unsigned pattern = 0; pattern < 256; pattern++)
        for (unsigned shift = 0; shift < 8; shift++) {
            struct wire_addr a = {.family = 6};
            char ours[WIRE_ADDR_TEXT], libc[WIRE_ADDR_TEXT];
            for (unsigned i = 0; i < 8; i++) {
                uint16_t g = pattern & 1u << i ? groups[(i + shift) % 8] : 0;
                a.bytes[2 * i] = (uint8_t)(g >> 8);
                a.bytes[2 * i + 1] = (uint8_t)g;
            }
            assert_non_null(inet_ntop(AF_INET6, a.bytes, libc, sizeof libc));
            assert_string_equal(wire_addr_format(&a, ours), libc);
            a.family = 4; /* the first four bytes are all that is looked at */
            assert_non_null(inet_ntop(AF_INET, a.bytes, libc, sizeof libc));
            assert_string_equal(wire_addr_format(&a, ours), libc);
        }
}

static void the_network_of_an_address(void **state)
{
    static const char *const rows[][2] = {{"198.18.7.255", "198.18.7.0"},
                                          {"198.18.7.0", "198.18.7.0"},
                                          {"2001:db8:12:3456::1", "2001:db8:12::"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_addr a, expected;
        assert_int_equal(wire_addr_parse(rows[i][0], &a), 0);
        assert_int_equal(wire_addr_parse(rows[i][1], &expected), 0);
        struct wire_addr network = wire_addr_network(&a);
        assert_true(wire_addr_equal(&network, &expected));
    }
}

static void refuses_what_is_no_address(void **state)
{
    static const char *const rows[] = {"",
                                       "example.org",
                                       "192.0.2",
                                       "192.0.2.256",
                                       "192.0.2.1 ",
                                       "[2001:db8::1]",
                                       "fe80::1%eth0",
                                       "2001:db8:::1",
                                       "1:2:3:4:5:6:7:8:9",
                                       "-"};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct wire_addr a = {9, {9}};
        assert_int_equal(wire_addr_parse(rows[i], &a), -RS_EINVAL);
        assert_int_equal(a.family, 9); /* left alone */
    }
}

static void compares_and_swaps(void **state)
{
    struct wire_addr a, b;
    char text[WIRE_ADDR_TEXT];
    (void)state;
    wire_addr_parse("1.2.3.4", &a);
    wire_addr_parse("102:304::", &b); /* the same first bytes */
    assert_false(wire_addr_equal(&a, &b));
    struct wire_tuple t = {.src = a, .dst = b, .proto = 6, .sport = 1, .dport = 2};
    struct wire_tuple s = wire_tuple_swap(&t), back = wire_tuple_swap(&s);
    assert_true(wire_addr_equal(&s.src, &b) && s.sport == 2 && s.dport == 1 && s.proto == 6);
    assert_memory_equal(&back, &t, sizeof t);
    assert_string_equal(wire_addr_format(&(struct wire_addr){0}, text), "-");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_there_and_back),       cmocka_unit_test(as_libc_formats),
        cmocka_unit_test(the_network_of_an_address), cmocka_unit_test(refuses_what_is_no_address),
        cmocka_unit_test(compares_and_swaps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
