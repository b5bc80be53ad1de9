/* SPDX-License-Identifier: GPL-3.0-or-later
 * The printer, and the recipe reader of these tests: what one writes the other reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "unit/recipe.h"
#include "wire/print.h"

static void what_it_prints_can_be_read_back(void **state)
{
    static const char *const rows[] = {
        "S 0:0(0) win 64240 <mss 1460,sackOK,TS val 1 ecr 0,wscale 7> [EW] ttl 64",
        "S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK> [E] [ect0] ttl 57",
        "P. 1:101(100) ack 1 win 502 <TS val 4294967295 ecr 7> [ect1] ttl 64 dscp 46",
        ". 1:1(0) ack 101 win 0 ttl 64",
        "F. 101:101(0) ack 1 win 502 [ce] ttl 255",
        "R 1:1(0) win 0 ttl 64 bad-cksum",
        "SFRP.U 0:5(5) ack 1 win 1 urg 9 [EWe321] ttl 1",
        "none 0:0(0) win 1 ttl 64",
        "S 0:0(0) win 1 <sack 2,opt-254> [e] ttl 64",
        ". 4294967295:0(1) ack 4294967295 win 1 ttl 64",
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct recipe r;
        assert_string_equal(recipe_of(recipe(&r, rows[i], 1000, 2000), 1000, 2000), rows[i]);
        assert_string_equal(recipe_of_segment(&r.seg, 1000, 2000), rows[i]);
    }
}

static void a_recipe_in_full(void **state)
{
    struct recipe r;
    (void)state;
    recipe(&r, "SEW. 3:7(4) ack -1 <nop,mss 536> [ce] [e1] win 9", 0xffffffffu, 10);
    assert_int_equal(r.seg.seq, 2);
    assert_int_equal(r.seg.ack, 9);
    assert_int_equal(r.seg.flags, TCP_SYN | TCP_ACK | TCP_ECE | TCP_CWR | TCP_AE | TCP_R1);
    assert_int_equal(r.seg.cls, SEG_SYN);
    assert_int_equal(r.seg.ecn, IP_ECN_CE);
    assert_int_equal(r.seg.window, 9);
    assert_memory_equal(r.view.payload, "cdef", 4);
    assert_int_equal(r.seg.options_bytes, 8);
    assert_memory_equal(r.view.options, "\1\2\4\2\x18\0\0\0", 8);
}

static void classes_by_the_first_that_fits(void **state)
{
    static const struct {
        const char *recipe;
        enum seg_class cls;
        const char *name;
    } rows[] = {
        {"SR 0:1(1)", SEG_RST, "rst"},   {"SF 0:1(1)", SEG_SYN, "syn"},
        {"S. 0:0(0)", SEG_SYN, "syn"},   {"F. 0:1(1)", SEG_DATA, "data"},
        {"F. 0:0(0)", SEG_FIN, "fin"},   {". 0:0(0)", SEG_ACK, "ack"},
        {"P. 0:1(1)", SEG_DATA, "data"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct recipe r;
        recipe(&r, rows[i].recipe, 0, 0);
        assert_int_equal(r.seg.cls, rows[i].cls);
        assert_string_equal(seg_class_name(r.seg.cls), rows[i].name);
    }
    assert_string_equal(seg_class_name(SEG_UDP), "udp");
    assert_string_equal(seg_class_name(SEG_N), "?");
}

static void print_hex(const char *hex, enum wire_mode mode, enum wire_print how, const char *want)
{
    uint8_t bytes[256];
    char text[400];
    struct wire_view v;
    wire_parse(&v, bytes, recipe_hex(hex, bytes, sizeof bytes), mode);
    size_t n = wire_print(text, sizeof text, &v, how, 0, 0);
    assert_string_equal(text, want);
    assert_int_equal(n, strlen(want));
}

#define IP6_ADDR "20010db800000000000000000000000120010db8000100000000000000000002"

static void everything_else_in_words(void **state)
{
    (void)state;
    print_hex("45b80021524e40004011fc41c0000201c6336407 ee480035000de14768656c6c6f",
              WIRE_PARSE_PACKET, WIRE_PRINT_ADDRESSES,
              "192.0.2.1:61000 > 198.51.100.7:53: udp (5) ttl 64 dscp 46 bad-ip-cksum");
    print_hex("600c742b000d1140" IP6_ADDR "ee480035000d720e68656c6c", WIRE_PARSE_PACKET,
              WIRE_PRINT_ADDRESSES,
              "[2001:db8::1]:61000 > [2001:db8:1::2]:53: udp (5) ttl 64 truncated");
    print_hex("60000000000c2c40" IP6_ADDR "060000080000000100000000", WIRE_PARSE_PACKET,
              WIRE_PRINT_ADDRESSES, "2001:db8::1 > 2001:db8:1::2: tcp ttl 64 fragment exthdr");
    print_hex("6000000000003b40" IP6_ADDR, WIRE_PARSE_PACKET, WIRE_PRINT_SHORT,
              "proto 59 (40) ttl 64");
    print_hex("45c0003800000000400134f3cb007101c0000201 0b01 f4fe 00000000"
              "4500003c31ae400001060000c0000201c6336407 ee480050 00000005",
              WIRE_PARSE_PACKET, WIRE_PRINT_SHORT,
              "icmp 11/1 info 0x00000000 ttl 64 dscp 48 bad-ip-cksum bad-cksum quoting "
              "192.0.2.1:61000 > 198.51.100.7:80: tcp seq 5 ttl 1 truncated");
    print_hex("60000000 0009 3a40" IP6_ADDR "0100 0000 00000000 50", WIRE_PARSE_PACKET,
              WIRE_PRINT_SHORT, "icmp6 1/0 info 0x00000000 ttl 64 bad-cksum quoting not IP");
    print_hex("50", WIRE_PARSE_PACKET, WIRE_PRINT_SHORT, "not IP");
    print_hex("4500003040000000400600 00c0000201c6336407 00010002000000000000000070020000 00000000"
              "03000000 00000000",
              WIRE_PARSE_QUOTE, WIRE_PRINT_SHORT, "S 0:0(0) win 0 <malformed> ttl 64");
}

/* As snprintf: the length that it wanted, and never a byte past `cap`. */
static void any_room_will_do(void **state)
{
    struct recipe r;
    char full[200];
    (void)state;
    recipe(&r, "S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 1 ecr 2,wscale 7> [E] [ect0]", 0,
           0);
    size_t n = wire_print(full, sizeof full, &r.view, WIRE_PRINT_SHORT, 0, 0);
    for (size_t cap = 0; cap <= n + 1; cap++) {
        char *exact = malloc(cap); /* so that the sanitizer sees any byte written past the end */
        assert_int_equal(wire_print(exact, cap, &r.view, WIRE_PRINT_SHORT, 0, 0), n);
        if (cap > 0) {
            assert_int_equal(exact[cap - 1], 0);
            assert_memory_equal(exact, full, cap - 1);
        }
        free(exact);
    }
    assert_int_equal(wire_print(NULL, 0, &r.view, WIRE_PRINT_SHORT, 0, 0), n);
}

static void names(void **state)
{
    char out[16];
    (void)state;
    assert_string_equal(wire_ecn_name(IP_ECN_NOT), "not_ect");
    assert_string_equal(wire_ecn_name(IP_ECN_ECT1), "ect1"); /* RFC 3168 5: 01, the low bit */
    assert_string_equal(wire_ecn_name(IP_ECN_ECT0), "ect0");
    assert_string_equal(wire_ecn_name(IP_ECN_CE), "ce");
    assert_string_equal(wire_flags_format(0, out), "none");
    assert_string_equal(wire_flags_format(TCP_SYN | TCP_ACK | TCP_ECE | TCP_CWR, out), "S.EW");
    assert_string_equal(wire_flags_format(TCP_AE, out), "e");
    assert_string_equal(wire_flags_format(0xfffu, out), "SFRP.UEWe321");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_prints_can_be_read_back),
        cmocka_unit_test(a_recipe_in_full),
        cmocka_unit_test(classes_by_the_first_that_fits),
        cmocka_unit_test(everything_else_in_words),
        cmocka_unit_test(any_room_will_do),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
