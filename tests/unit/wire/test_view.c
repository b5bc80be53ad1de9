/* SPDX-License-Identifier: GPL-3.0-or-later
 * The parser on packets that a Linux kernel made, and on what can be done to them. */
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

#define IP4_SYN  "4500003c31ae400040061cd2c0000201c6336407"
#define TCP_SYN4 "ee480050d850fa5d00000000a0c2faf009f50000020405b40402080a100984ca000000000103030a"
#define IP6_ADDR "20010db800000000000000000000000120010db8000100000000000000000002"
#define IP6_SYN  "600ce22200280640" IP6_ADDR
#define TCP_SYN6 "ee48005054dff37200000000a0c2fd20ff7a0000020405a00402080a266391f1000000000103030a"
#define UDP4                                                                                       \
    "45000021524e40004011fc41c0000201c6336407"                                                     \
    "ee480035000de14768656c6c6f"
#define UDP6 "600c742b000d1140" IP6_ADDR "ee480035000d720e68656c6c6f"

static uint8_t *exact; /* exactly as long as the packet: the sanitizer sees a byte read past it */
static size_t exact_n;
static struct wire_view v;

static void load(const char *hex)
{
    uint8_t bytes[2048];
    exact_n = recipe_hex(hex, bytes, sizeof bytes);
    free(exact);
    exact = malloc(exact_n);
    memcpy(exact, bytes, exact_n);
}

static int parse(enum wire_mode mode)
{
    memset(&v, 0xa5, sizeof v);
    return wire_parse(&v, exact, exact_n, mode);
}

static int parse_hex(const char *hex)
{
    load(hex);
    return parse(WIRE_PARSE_PACKET);
}

/* The test's own arithmetic, not the one that is tested. */
static void fix_ip4_checksum(void)
{
    unsigned long sum = 0;
    exact[10] = exact[11] = 0;
    for (unsigned i = 0; i < (exact[0] & 15u) * 4; i += 2)
        sum += exact[i] * 256u + exact[i + 1];
    sum = 0xffff - (sum % 0xffff); /* one's complement arithmetic is arithmetic modulo ffff */
    exact[10] = (uint8_t)(sum >> 8);
    exact[11] = (uint8_t)sum;
}

static void kernel_syn_of_ipv4(void **state)
{
    (void)state;
    assert_int_equal(parse_hex(IP4_SYN TCP_SYN4), 0);
    assert_int_equal(v.have, WIRE_IP4 | WIRE_PORTS | WIRE_TCP_SEQ | WIRE_TCP);
    assert_memory_equal(v.src.bytes, "\300\0\2\1\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_memory_equal(v.dst.bytes, "\306\063\144\7\0\0\0\0\0\0\0\0\0\0\0\0", 16);
    assert_int_equal(v.src.family, 4);
    assert_int_equal(v.dst.family, 4);
    assert_int_equal(v.proto, 6);
    assert_int_equal(v.tos, 0);
    assert_int_equal(v.ttl, 64);
    assert_int_equal(v.ip_flags, 2);
    assert_int_equal(v.ip_id, 0x31ae);
    assert_int_equal(v.ip_bytes, 60);
    assert_int_equal(v.sport, 61000);
    assert_int_equal(v.dport, 80);
    assert_int_equal(v.seq, 0xd850fa5d);
    assert_int_equal(v.ack, 0);
    assert_int_equal(v.flags, TCP_SYN | TCP_ECE | TCP_CWR);
    assert_int_equal(v.window, 64240);
    assert_int_equal(v.urgent, 0);
    assert_int_equal(v.options_bytes, 20);
    assert_ptr_equal(v.options, exact + 40);
    assert_int_equal(v.ip_cksum, WIRE_CKSUM_GOOD);
    assert_int_equal(v.l4_cksum, WIRE_CKSUM_GOOD);
    assert_null(v.payload);
    assert_int_equal(v.payload_bytes, 0);
}

static void kernel_syn_of_ipv6(void **state)
{
    (void)state;
    assert_int_equal(parse_hex(IP6_SYN TCP_SYN6), 0);
    assert_int_equal(v.have, WIRE_IP6 | WIRE_PORTS | WIRE_TCP_SEQ | WIRE_TCP);
    assert_int_equal(v.src.family, 6);
    assert_memory_equal(v.src.bytes, exact + 8, 16);
    assert_memory_equal(v.dst.bytes, exact + 24, 16);
    assert_int_equal(v.flow_label, 0xce222);
    assert_int_equal(v.ttl, 64);
    assert_int_equal(v.ip_bytes, 80);
    assert_int_equal(v.seq, 0x54dff372);
    assert_int_equal(v.ip_cksum, WIRE_CKSUM_GOOD);
    assert_int_equal(v.l4_cksum, WIRE_CKSUM_GOOD);
}

static void kernel_udp(void **state)
{
    static const char *const hex[] = {UDP4, UDP6};
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(parse_hex(hex[i]), 0);
        assert_int_equal(v.have, (i == 0 ? WIRE_IP4 : WIRE_IP6) | WIRE_PORTS | WIRE_UDP);
        assert_int_equal(v.sport, 61000);
        assert_int_equal(v.dport, 53);
        assert_int_equal(v.payload_bytes, 5);
        assert_int_equal(v.payload_captured, 5);
        assert_memory_equal(v.payload, "hello", 5);
        assert_int_equal(v.l4_cksum, WIRE_CKSUM_GOOD);
    }
}

/* RFC 3168 5 (the codepoint), RFC 2474 3 (DSCP), RFC 791 3.1 and RFC 8200 3 (where they lie). */
static void every_ip_bit_in_its_place(void **state)
{
    (void)state;
    for (unsigned tos = 0; tos < 256; tos++) {
        load(IP4_SYN TCP_SYN4);
        exact[1] = (uint8_t)tos;
        assert_int_equal(parse(WIRE_PARSE_PACKET), 0);
        assert_int_equal(v.tos, tos);
        assert_int_equal(wire_ecn(&v), tos & 3);
        assert_int_equal(v.ip_cksum, tos == 0 ? WIRE_CKSUM_GOOD : WIRE_CKSUM_BAD);
        load(IP6_SYN TCP_SYN6);
        exact[0] = (uint8_t)(0x60 | tos >> 4);
        exact[1] = (uint8_t)(tos << 4 | 0xc);
        assert_int_equal(parse(WIRE_PARSE_PACKET), 0);
        assert_int_equal(v.tos, tos);
        assert_int_equal(v.flow_label, 0xce222);
    }
}

/* RFC 9293 3.1; AE and the bits beside it: RFC 9768 3.1. */
static void every_tcp_flag_in_its_place(void **state)
{
    (void)state;
    for (unsigned flags = 0; flags < 0x1000; flags++) {
        load(IP4_SYN TCP_SYN4);
        exact[32] = (uint8_t)(0xa0 | flags >> 8);
        exact[33] = (uint8_t)flags;
        assert_int_equal(parse(WIRE_PARSE_PACKET), 0);
        assert_int_equal(v.flags, flags);
    }
    load(IP4_SYN TCP_SYN4);
    exact[32] |= 1;
    parse(WIRE_PARSE_PACKET);
    assert_int_equal(v.flags, TCP_AE | TCP_SYN | TCP_ECE | TCP_CWR);
    assert_int_equal(v.l4_cksum, WIRE_CKSUM_BAD);
}

static void any_capture_length(void **state)
{
    static const char *const packets[] = {IP4_SYN TCP_SYN4, IP6_SYN TCP_SYN6, UDP4, UDP6};
    (void)state;
    for (int i = 0; i < 4; i++) {
        size_t header = i % 2 == 0 ? 20 : 40, full = strlen(packets[i]) / 2;
        for (size_t n = 0; n <= full; n++) {
            load(packets[i]);
            exact = realloc(exact, n > 0 ? n : 1);
            exact_n = n;
            int rc = parse(WIRE_PARSE_PACKET);
            assert_int_equal(rc, n < header ? -RS_ETRUNC : 0);
            assert_int_equal(!(v.have & WIRE_PORTS), n < header + 4);
            assert_int_equal(!(v.have & WIRE_TCP_SEQ), i > 1 || n < header + 8);
            assert_int_equal(!(v.have & WIRE_TCP), i > 1 || n < header + 20);
            assert_int_equal(!(v.have & WIRE_UDP), i < 2 || n < header + 8);
            assert_int_equal(!(v.have & WIRE_TRUNCATED), n == full || n < header);
            if (n >= header && n < full)
                assert_int_equal(v.l4_cksum, WIRE_CKSUM_UNKNOWN);
        }
    }
    assert_int_equal(wire_parse(&v, NULL, 0, WIRE_PARSE_PACKET), -RS_ETRUNC);
}

static void a_truncated_packet_knows_its_length(void **state)
{
    (void)state;
    load(UDP4);
    exact_n -= 3;
    assert_int_equal(parse(WIRE_PARSE_PACKET), 0);
    assert_int_equal(v.ip_bytes, 33);
    assert_int_equal(v.payload_bytes, 5);
    assert_int_equal(v.payload_captured, 2);
}

/* Ethernet frames are at least 60 bytes long: what follows the packet is not payload. */
static void padding_is_not_payload(void **state)
{
    (void)state;
    assert_int_equal(parse_hex(UDP4 "eeeeeeeeeeeeeeeeeeeeeeeeee"), 0);
    assert_int_equal(v.payload_bytes, 5);
    assert_int_equal(v.l4_cksum, WIRE_CKSUM_GOOD);
    assert_false(v.have & WIRE_TRUNCATED);
    /* RFC 8200 4.7: no next header, length 0 */
    assert_int_equal(parse_hex("6000000000003b40" IP6_ADDR "eeeeeeeeeeee"), 0);
    assert_int_equal(v.ip_bytes, 40);
    assert_int_equal(v.have, WIRE_IP6);
}

/* Super-packets before segmentation: IP length 0, TCP checksum left to hardware. */
static void offloaded_packets_are_whole(void **state)
{
    (void)state;
    load(IP4_SYN TCP_SYN4);
    exact[2] = exact[3] = 0;
    fix_ip4_checksum();
    assert_int_equal(parse(WIRE_PARSE_PACKET), 0);
    assert_int_equal(v.ip_bytes, 60);
    assert_int_equal(v.ip_cksum, WIRE_CKSUM_GOOD);
    assert_int_equal(v.l4_cksum, WIRE_CKSUM_GOOD);
    assert_false(v.have & WIRE_TRUNCATED);

    load(IP6_SYN TCP_SYN6 "616263");
    exact[4] = exact[5] = 0;
    assert_int_equal(parse(WIRE_PARSE_PACKET), 0);
    assert_int_equal(v.ip_bytes, 83);
    assert_int_equal(v.payload_bytes, 3);
}

/* c0000201 c6336407, protocol 6, 40 bytes: c000 + 0201 + c633 + 6407 + 6 + 28 = 1ec69 -> ec6a. */
static void unfinished_checksums_are_good(void **state)
{
    (void)state;
    load(IP4_SYN TCP_SYN4);
    exact[36] = 0xec;
    exact[37] = 0x6a;
    assert_int_equal(parse(WIRE_PARSE_PACKET), 0);
    assert_int_equal(v.l4_cksum, WIRE_CKSUM_PARTIAL);
    exact[37] ^= 1;
    assert_int_equal(parse(WIRE_PARSE_PACKET), 0);
    assert_int_equal(v.l4_cksum, WIRE_CKSUM_BAD);
}

static void udp_without_a_checksum(void **state)
{
    (void)state;
    load(UDP4);
    exact[26] = exact[27] = 0;
    assert_int_equal(parse(WIRE_PARSE_PACKET), 0);
    assert_int_equal(v.l4_cksum, WIRE_CKSUM_UNKNOWN); /* RFC 768: none was made */
    load(UDP6);
    exact[46] = exact[47] = 0;
    assert_int_equal(parse(WIRE_PARSE_PACKET), 0);
    assert_int_equal(v.l4_cksum, WIRE_CKSUM_BAD); /* RFC 8200 8.1 */
}

struct lie {
    const char *name, *clause;
    const char *hex;
    uint8_t at, byte;
    int rc;
};

static void headers_that_contradict_themselves(void **state)
{
    static const struct lie rows[] = {
        {"version 5", "RFC 791 3.1", IP4_SYN TCP_SYN4, 0, 0x55, -RS_EPROTO},
        {"header of 16 bytes", "RFC 791 3.1", IP4_SYN TCP_SYN4, 0, 0x44, -RS_EPROTO},
        {"header past the capture", "RFC 791 3.1", IP4_SYN, 0, 0x46, -RS_ETRUNC},
        {"total length under the header", "RFC 791 3.1", IP4_SYN TCP_SYN4, 3, 19, -RS_EPROTO},
        {"total length ends in TCP", "RFC 9293 3.1", IP4_SYN TCP_SYN4, 3, 39, -RS_EPROTO},
        {"data offset under 5", "RFC 9293 3.1", IP4_SYN TCP_SYN4, 32, 0x40, -RS_EPROTO},
        {"data offset past the segment", "RFC 9293 3.1", IP4_SYN TCP_SYN4, 32, 0xb0, -RS_EPROTO},
        {"UDP length under 8", "RFC 768", UDP4, 25, 7, -RS_EPROTO},
        {"UDP length past the packet", "RFC 768", UDP4, 25, 14, -RS_EPROTO},
        {"UDP length before its end", "RFC 768", UDP4, 25, 12, 0},
        {"UDP of 7 bytes", "RFC 768", UDP4, 3, 27, -RS_EPROTO},
        {"UDP length 0", "RFC 2675 4", UDP4, 25, 0, 0},
        {"unknown transport", "RFC 791 3.1", UDP4, 9, 132, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        load(rows[i].hex);
        exact[rows[i].at] = rows[i].byte;
        int rc = parse(WIRE_PARSE_PACKET);
        if (rc != rows[i].rc)
            fail_msg("%s (%s): %d", rows[i].name, rows[i].clause, rc);
        if (rc != 0 && v.have & (WIRE_TCP | WIRE_UDP))
            fail_msg("%s (%s): have %x", rows[i].name, rows[i].clause, v.have);
    }
    load(UDP4);
    exact[25] = 12;
    parse(WIRE_PARSE_PACKET);
    assert_int_equal(v.payload_bytes, 4); /* what the UDP length does not cover is no payload */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernel_syn_of_ipv4),
        cmocka_unit_test(kernel_syn_of_ipv6),
        cmocka_unit_test(kernel_udp),
        cmocka_unit_test(every_ip_bit_in_its_place),
        cmocka_unit_test(every_tcp_flag_in_its_place),
        cmocka_unit_test(any_capture_length),
        cmocka_unit_test(a_truncated_packet_knows_its_length),
        cmocka_unit_test(padding_is_not_payload),
        cmocka_unit_test(offloaded_packets_are_whole),
        cmocka_unit_test(unfinished_checksums_are_good),
        cmocka_unit_test(udp_without_a_checksum),
        cmocka_unit_test(headers_that_contradict_themselves),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(exact);
    return failed;
}
