/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "unit/recipe.h"
#include "wire/link.h"

#define DST "020000000002"
#define SRC "020000000001"

struct row {
    const char *name;
    int link;
    const char *hex;
    int rc;
    uint32_t ip_offset;
    uint16_t ethertype;
    int mac_at; /* -1: none */
};

static const struct row rows[] = {
    {"Ethernet, IPv4", WIRE_LINK_ETHERNET, DST SRC "0800 45", 0, 14, 0x0800, 6},
    {"Ethernet, IPv6", WIRE_LINK_ETHERNET, DST SRC "86dd 60", 0, 14, 0x86dd, 6},
    {"Ethernet, ARP", WIRE_LINK_ETHERNET, DST SRC "0806 0001", 0, 14, 0x0806, 6},
    {"802.1Q", WIRE_LINK_ETHERNET, DST SRC "8100 0064 0800 45", 0, 18, 0x0800, 6},
    {"802.1ad", WIRE_LINK_ETHERNET, DST SRC "88a8 0064 8100 0065 86dd 60", 0, 22, 0x86dd, 6},
    {"three tags", WIRE_LINK_ETHERNET, DST SRC "8100 0001 8100 0002 8100 0003 0800 45", -RS_EPROTO,
     0, 0, 6},
    {"802.3 length", WIRE_LINK_ETHERNET, DST SRC "0026 4242 03", -RS_EPROTO, 0, 0, 6},
    {"tag cut off", WIRE_LINK_ETHERNET, DST SRC "8100 0064 08", -RS_ETRUNC, 0, 0, 6},
    {"Ethernet cut off", WIRE_LINK_ETHERNET, DST SRC "08", -RS_ETRUNC, 0, 0, -1},
    {"nothing", WIRE_LINK_ETHERNET, "", -RS_ETRUNC, 0, 0, -1},
    {"SLL", WIRE_LINK_SLL, "0000 0001 0006 020000000001 0000 0800 45", 0, 16, 0x0800, 6},
    {"SLL, tunnel without MAC", WIRE_LINK_SLL, "0000 fffe 0000 0000000000000000 86dd 60", 0, 16,
     0x86dd, -1},
    {"SLL, address of 8 bytes", WIRE_LINK_SLL, "0000 0001 0008 0200000000010000 0800 45", 0, 16,
     0x0800, -1},
    {"SLL2, address of 8 bytes", WIRE_LINK_SLL2,
     "0800 0000 00000002 0001 00 08 0200000000010000 45", 0, 20, 0x0800, -1},
    {"SLL, 802.1Q", WIRE_LINK_SLL, "0000 0001 0006 020000000001 0000 8100 0064 0800 45", 0, 20,
     0x0800, 6},
    {"SLL, 802.2", WIRE_LINK_SLL, "0000 0001 0006 020000000001 0000 0004 42", -RS_EPROTO, 0, 0, 6},
    {"SLL cut off", WIRE_LINK_SLL, "0000 0001 0006 020000000001 0000 08", -RS_ETRUNC, 0, 0, -1},
    {"SLL2", WIRE_LINK_SLL2, "0800 0000 00000002 0001 00 06 020000000001 0000 45", 0, 20, 0x0800,
     12},
    {"SLL2, loopback", WIRE_LINK_SLL2, "86dd 0000 00000001 0304 00 06 000000000000 0000 60", 0, 20,
     0x86dd, -1},
    {"SLL2 cut off", WIRE_LINK_SLL2, "0800 0000 00000002 0001 00 06 020000000001 00", -RS_ETRUNC, 0,
     0, -1},
    {"NULL, little-endian", WIRE_LINK_NULL, "02000000 45", 0, 4, 0x0800, -1},
    {"NULL, big-endian", WIRE_LINK_NULL, "00000002 45", 0, 4, 0x0800, -1},
    {"NULL, Darwin", WIRE_LINK_NULL, "1e000000 60", 0, 4, 0x86dd, -1},
    {"NULL, FreeBSD", WIRE_LINK_NULL, "1c000000 60", 0, 4, 0x86dd, -1},
    {"NULL, OpenBSD", WIRE_LINK_NULL, "18000000 60", 0, 4, 0x86dd, -1},
    {"NULL, AppleTalk", WIRE_LINK_NULL, "10000000 60", -RS_EPROTO, 0, 0, -1},
    {"LOOP", WIRE_LINK_LOOP, "00000018 60", 0, 4, 0x86dd, -1},
    {"LOOP in the wrong order", WIRE_LINK_LOOP, "18000000 60", -RS_EPROTO, 0, 0, -1},
    {"LOOP cut off", WIRE_LINK_LOOP, "000000", -RS_ETRUNC, 0, 0, -1},
    {"raw, IPv4", WIRE_LINK_RAW, "45", 0, 0, 0x0800, -1},
    {"raw, IPv6", WIRE_LINK_RAW_FILE, "60", 0, 0, 0x86dd, -1},
    {"raw, neither", WIRE_LINK_RAW, "55", -RS_EPROTO, 0, 0, -1},
    {"raw, nothing", WIRE_LINK_RAW, "", -RS_ETRUNC, 0, 0, -1},
    {"IPv4", WIRE_LINK_IPV4, "45", 0, 0, 0x0800, -1},
    {"IPv6", WIRE_LINK_IPV6, "60", 0, 0, 0x86dd, -1},
    {"802.11", 105, DST SRC "0800 45", -RS_EPROTO, 0, 0, -1},
};

static void finds_the_network_layer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        uint8_t bytes[64];
        struct wire_link_view v;
        size_t n = recipe_hex(r->hex, bytes, sizeof bytes);
        uint8_t *exact = malloc(n); /* so that the sanitizer sees any byte read past the end */
        if (n > 0)
            memcpy(exact, bytes, n);
        int rc = wire_link_parse(&v, r->link, exact, n);
        if (rc != r->rc ||
            (rc == 0 && (v.ip_offset != r->ip_offset || v.ethertype != r->ethertype)))
            fail_msg("%s: rc %d, offset %u, type %04x", r->name, rc, v.ip_offset, v.ethertype);
        if (v.src_mac != (r->mac_at < 0 ? NULL : exact + r->mac_at))
            fail_msg("%s: MAC at %td", r->name, v.src_mac - exact);
        free(exact);
    }
}

/* Whether the host received or sent a frame, and what the interface was, is in cooked headers. */
static void cooked_headers_say_the_way(void **state)
{
    (void)state;
    static const struct {
        int link;
        const char *hex;
        bool is_cooked;
        uint16_t packet_type, hardware;
    } ways[] = {
        {WIRE_LINK_SLL, "0000 0001 0006 020000000001 0000 0800 45", true, WIRE_LINK_TO_US, 1},
        {WIRE_LINK_SLL, "0004 fffe 0000 0000000000000000 86dd 60", true, WIRE_LINK_FROM_US,
         WIRE_ARPHRD_NONE},
        {WIRE_LINK_SLL2, "0800 0000 00000002 0001 03 06 020000000001 0000 45", true,
         WIRE_LINK_TO_OTHERS, WIRE_ARPHRD_ETHER},
        {WIRE_LINK_SLL2, "0800 0000 00000002 0304 04 06 000000000000 0000 45", true,
         WIRE_LINK_FROM_US, 0x304},
        {WIRE_LINK_ETHERNET, DST SRC "0800 45", false, 0, 0},
        {WIRE_LINK_RAW, "45", false, 0, 0},
    };
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        uint8_t bytes[64];
        struct wire_link_view v;
        size_t n = recipe_hex(ways[i].hex, bytes, sizeof bytes);
        assert_int_equal(wire_link_parse(&v, ways[i].link, bytes, n), 0);
        assert_int_equal(v.is_cooked, ways[i].is_cooked);
        assert_int_equal(v.packet_type, ways[i].packet_type);
        assert_int_equal(v.hardware, ways[i].hardware);
    }
}

static void knows_its_links(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_int_equal(wire_link_known(rows[i].link), rows[i].link != 105);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_network_layer),
        cmocka_unit_test(cooked_headers_say_the_way),
        cmocka_unit_test(knows_its_links),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
