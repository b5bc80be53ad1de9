/* SPDX-License-Identifier: GPL-3.0-or-later
 * ICMP and ICMPv6 errors and what they quote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "unit/recipe.h"
#include "wire/view.h"

#define QUOTED_SYN "4500003c31ae400001060000c0000201c6336407 ee480050d850fa5d"
#define ROUTER4    "cb007101c0000201"
#define ADDR6      "20010db8000200000000000000000001 20010db8000000000000000000000001"
#define QUOTED6    "600ce22200280601 20010db8000000000000000000000001 20010db8000100000000000000000002"

static struct wire_view v, q;
static uint8_t *exact;

static int parse(const char *hex)
{
    uint8_t bytes[2048];
    size_t n = recipe_hex(hex, bytes, sizeof bytes);
    free(exact);
    exact = malloc(n); /* so that the sanitizer sees any byte read past the end */
    memcpy(exact, bytes, n);
    return wire_parse(&v, exact, n, WIRE_PARSE_PACKET);
}

/* RFC 792: the IP header and 8 bytes. */
static void eight_bytes_of_tcp(void **state)
{
    (void)state;
    assert_int_equal(parse("45c00038 00000000 40010000" ROUTER4 "0b00 8f8a 00000000" QUOTED_SYN),
                     0);
    assert_int_equal(v.have, WIRE_IP4 | WIRE_ICMP | WIRE_QUOTE);
    assert_int_equal(v.icmp_type, 11);
    assert_int_equal(v.icmp_code, 0);
    assert_int_equal(v.l4_cksum, WIRE_CKSUM_GOOD);
    assert_int_equal(v.tos, 0xc0);
    assert_true(wire_is_icmp_error(&v));
    assert_int_equal(v.quote_bytes, 28);

    assert_int_equal(wire_parse(&q, v.quote, v.quote_bytes, WIRE_PARSE_QUOTE), 0);
    assert_int_equal(q.have, WIRE_IP4 | WIRE_PORTS | WIRE_TCP_SEQ | WIRE_TRUNCATED);
    assert_int_equal(q.sport, 61000);
    assert_int_equal(q.dport, 80);
    assert_int_equal(q.seq, 0xd850fa5d);
    assert_int_equal(q.ttl, 1);
    assert_int_equal(q.ip_bytes, 60);
    assert_int_equal(q.ip_cksum, WIRE_CKSUM_UNKNOWN); /* routers quote it before or after TTL - 1 */
    assert_int_equal(q.l4_cksum, WIRE_CKSUM_UNKNOWN);
}

/* RFC 4443 2.4 (c): as much as fits. */
static void whole_segments_of_ipv6(void **state)
{
    (void)state;
    assert_int_equal(parse("60000000 0058 3a40" ADDR6 "0104 0000 00000000" QUOTED6
                           "ee48005054dff372 00000000 51c2fd20 ff7a0000"
                           "020405a0 0402080a 266391f1 00000000 0103030a"),
                     0);
    assert_int_equal(v.have, WIRE_IP6 | WIRE_ICMP | WIRE_QUOTE);
    assert_int_equal(v.icmp_type, 1);
    assert_int_equal(v.icmp_code, 4);
    assert_int_equal(v.l4_cksum, WIRE_CKSUM_BAD); /* 0 in the field */
    assert_true(wire_is_icmp_error(&v));
    assert_int_equal(wire_parse(&q, v.quote, v.quote_bytes, WIRE_PARSE_QUOTE), 0);
    assert_int_equal(q.have, WIRE_IP6 | WIRE_PORTS | WIRE_TCP_SEQ | WIRE_TCP);
    assert_int_equal(q.flags, TCP_AE | TCP_SYN | TCP_ECE | TCP_CWR);
    assert_int_equal(q.flow_label, 0xce222);
    assert_int_equal(q.options_bytes, 0);
    assert_int_equal(q.payload_captured, 20);
}

/* RFC 4884 4: the length of the quote in 32-bit (IPv4) or 64-bit (IPv6) words; what follows are
 * extensions. */
static void extensions_are_not_quote(void **state)
{
    (void)state;
    assert_int_equal(parse("45c00044 00000000 40010000" ROUTER4 "0b00 0000 00070000" QUOTED_SYN
                           "20000000 00080101 000ea140"),
                     0);
    assert_int_equal(v.quote_bytes, 28);
    assert_int_equal(v.payload_bytes, 40);
    assert_int_equal(parse("60000000 0040 3a40" ADDR6 "0300 0000 06000000" QUOTED6
                           "ee48005054dff372 20000000 00000000"),
                     0);
    assert_int_equal(v.quote_bytes, 48);
    /* RFC 792: in a redirect that byte belongs to the gateway's address */
    assert_int_equal(parse("45c00038 00000000 40010000" ROUTER4 "0501 0000 cb007102" QUOTED_SYN),
                     0);
    assert_int_equal(v.quote_bytes, 28);
    assert_int_equal(v.icmp_info, 0xcb007102);
    /* RFC 4443 3.2: in packet too big, to the MTU */
    assert_int_equal(
        parse("60000000 0038 3a40" ADDR6 "0200 0000 00000500" QUOTED6 "ee48005054dff372"), 0);
    assert_int_equal(v.icmp_info, 1280);
    assert_int_equal(v.quote_bytes, 48);
    /* a length past the end limits nothing */
    assert_int_equal(parse("45c00038 00000000 40010000" ROUTER4 "0300 0000 00ff0000" QUOTED_SYN),
                     0);
    assert_int_equal(v.quote_bytes, 28);
}

static void which_types_are_errors(void **state)
{
    static const uint8_t errors4[] = {3, 4, 5, 11, 12}; /* RFC 792 */
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        struct wire_view e = {.have = WIRE_IP4 | WIRE_ICMP, .icmp_type = (uint8_t)type};
        assert_int_equal(wire_is_icmp_error(&e), memchr(errors4, (int)type, 5) != NULL);
        e.have = WIRE_IP6 | WIRE_ICMP;
        assert_int_equal(wire_is_icmp_error(&e), type < 128); /* RFC 4443 2.1 */
        e.have = WIRE_IP6;
        assert_false(wire_is_icmp_error(&e));
    }
    assert_int_equal(parse("4500001c 00000000 40010000" ROUTER4 "0800 f7fe 00000001"), 0);
    assert_int_equal(v.have, WIRE_IP4 | WIRE_ICMP); /* an echo quotes nothing */
    assert_int_equal(v.icmp_info, 1);
    /* RFC 4443 2.3: with the pseudo-header; a neighbour solicitation */
    assert_int_equal(parse("60000000 0020 3a ff"
                           "20010db8000000000000000000000001 ff0200000000000000000001ffbbccdd"
                           "8700 d6f8 00000000 20010db80000000000000000aabbccdd 0101 020000000001"),
                     0);
    assert_int_equal(v.have, WIRE_IP6 | WIRE_ICMP);
    assert_int_equal(v.l4_cksum, WIRE_CKSUM_GOOD);
    assert_int_equal(parse("4500001b 00000000 40010000" ROUTER4 "0800f7ff000000"), -RS_EPROTO);
}

/* What routers do to the packets that they quote. */
static void spoilt_quotes_still_tell(void **state)
{
    static const struct {
        const char *name, *hex;
    } rows[] = {
        {"length without the header", "450000280000400001060000c0000201c6336407"},
        {"length in host order", "45003c000000400001060000c0000201c6336407"},
        {"length 0", "450000000000400001060000c0000201c6336407"},
        {"length under the header", "450000100000400001060000c0000201c6336407"},
        {"options", "460000400000400001060000c0000201c633640794040000"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t bytes[64];
        size_t n = recipe_hex(rows[i].hex, bytes, sizeof bytes);
        n += recipe_hex("ee480050d850fa5d 0000", bytes + n, sizeof bytes - n);
        if (wire_parse(&q, bytes, n, WIRE_PARSE_QUOTE) != 0 || !(q.have & WIRE_TCP_SEQ) ||
            q.seq != 0xd850fa5d || q.have & WIRE_TCP)
            fail_msg("%s: have %x seq %x", rows[i].name, q.have, q.seq);
    }
}

/* A data offset that lies takes away what lies behind it, not what was read before. */
static void spoilt_transport_in_a_quote(void **state)
{
    uint8_t bytes[64];
    size_t n = recipe_hex("450000280000400001060000c0000201c6336407"
                          "ee480050d850fa5d0000000010c2faf009f50000",
                          bytes, sizeof bytes);
    (void)state;
    assert_int_equal(wire_parse(&q, bytes, n, WIRE_PARSE_QUOTE), 0);
    assert_int_equal(q.have, WIRE_IP4 | WIRE_PORTS | WIRE_TCP_SEQ);
    assert_int_equal(wire_parse(&q, bytes, n, WIRE_PARSE_PACKET), -RS_EPROTO);
    bytes[32] = 0xf0; /* options past the end of the quote */
    assert_int_equal(wire_parse(&q, bytes, n, WIRE_PARSE_QUOTE), 0);
    assert_true(q.have & WIRE_TCP);
    assert_int_equal(q.payload_bytes, 0);
    assert_int_equal(q.options_bytes, 0);
    bytes[9] = 17; /* UDP: length 0050 is read from a port, and does not fit */
    assert_int_equal(wire_parse(&q, bytes, n, WIRE_PARSE_QUOTE), 0);
    assert_int_equal(q.have, WIRE_IP4 | WIRE_PORTS | WIRE_UDP);
    assert_int_equal(q.payload_bytes, 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_bytes_of_tcp),       cmocka_unit_test(whole_segments_of_ipv6),
        cmocka_unit_test(extensions_are_not_quote), cmocka_unit_test(which_types_are_errors),
        cmocka_unit_test(spoilt_quotes_still_tell), cmocka_unit_test(spoilt_transport_in_a_quote),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(exact);
    return failed;
}
