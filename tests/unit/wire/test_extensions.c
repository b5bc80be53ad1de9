/* SPDX-License-Identifier: GPL-3.0-or-later
 * IPv4 options, IPv6 extension headers, fragments: what stands between IP and the transport. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "unit/recipe.h"
#include "wire/view.h"

#define IP6_ADDR "20010db800000000000000000000000120010db8000100000000000000000002"
#define TCP6     "ee48005054dff37200000000a0c2fd20ff7a0000020405a00402080a266391f1000000000103030a"
#define TCP4     "ee480050d850fa5d00000000a0c2faf009f50000020405b40402080a100984ca000000000103030a"
#define IP4_ADDR "c0000201c6336407"

#define WHOLE_TCP (WIRE_PORTS | WIRE_TCP_SEQ | WIRE_TCP)

struct row {
    const char *name, *clause;
    const char *first;      /* next header of the IPv6 header, two digits */
    const char *extensions; /* all of them */
    const char *transport;
    int rc;
    uint32_t have;
    uint8_t proto, l4_cksum;
};

#define HOP_TO(next)          next "00010400000000"
#define DEST_TO(next)         next "01010c000000000000000000000000"
#define FRAG_TO(next, offset) next "00" offset "00000001"

static const struct row rows6[] = {
    {"hop-by-hop", "RFC 8200 4.3", "00", HOP_TO("06"), TCP6, 0, WIRE_IP6 | WIRE_EXTHDR | WHOLE_TCP,
     6, WIRE_CKSUM_GOOD},
    {"destination options", "RFC 8200 4.6", "3c", "06000104 00000000", TCP6, 0,
     WIRE_IP6 | WIRE_EXTHDR | WHOLE_TCP, 6, WIRE_CKSUM_GOOD},
    {"hop-by-hop, routing, options, AH", "RFC 8200 4.1, RFC 4302 2", "00",
     HOP_TO("2b") "3c00040000000000"
                  "33000104 00000000"
                  "06020000 00000001 00000001 aabbccdd",
     TCP6, 0, WIRE_IP6 | WIRE_EXTHDR | WHOLE_TCP, 6, WIRE_CKSUM_GOOD},
    {"routing with segments left", "RFC 8200 4.4, 8.1", "2b",
     "06020401 00000000 20010db8000100000000000000000003", TCP6, 0,
     WIRE_IP6 | WIRE_EXTHDR | WHOLE_TCP, 6, WIRE_CKSUM_UNKNOWN},
    {"first fragment", "RFC 8200 4.5", "2c", FRAG_TO("06", "0001"), TCP6, 0,
     WIRE_IP6 | WIRE_EXTHDR | WIRE_FRAGMENT | WHOLE_TCP, 6, WIRE_CKSUM_UNKNOWN},
    {"later fragment", "RFC 8200 4.5", "2c", FRAG_TO("06", "0008"), TCP6, 0,
     WIRE_IP6 | WIRE_EXTHDR | WIRE_FRAGMENT, 6, WIRE_CKSUM_UNKNOWN},
    {"last fragment", "RFC 8200 4.5", "2c", FRAG_TO("06", "fff8"), TCP6, 0,
     WIRE_IP6 | WIRE_EXTHDR | WIRE_FRAGMENT, 6, WIRE_CKSUM_UNKNOWN},
    {"atomic fragment", "RFC 6946 4", "2c", FRAG_TO("06", "0000"), TCP6, 0,
     WIRE_IP6 | WIRE_EXTHDR | WHOLE_TCP, 6, WIRE_CKSUM_GOOD},
    {"reserved bits of a fragment header", "RFC 8200 4.5", "2c", FRAG_TO("06", "0006"), TCP6, 0,
     WIRE_IP6 | WIRE_EXTHDR | WHOLE_TCP, 6, WIRE_CKSUM_GOOD},
    {"first fragment cuts TCP", "RFC 8200 4.5", "2c", FRAG_TO("06", "0001"), "ee48005054dff372", 0,
     WIRE_IP6 | WIRE_EXTHDR | WIRE_FRAGMENT | WIRE_PORTS | WIRE_TCP_SEQ, 6, WIRE_CKSUM_UNKNOWN},
    {"first fragment of long UDP", "RFC 8200 4.5", "2c", FRAG_TO("11", "0001"),
     "ee48003505dc720e68656c6c6f", 0,
     WIRE_IP6 | WIRE_EXTHDR | WIRE_FRAGMENT | WIRE_PORTS | WIRE_UDP, 17, WIRE_CKSUM_UNKNOWN},
    {"no next header", "RFC 8200 4.7", "3b", "", TCP6, 0, WIRE_IP6, 59, WIRE_CKSUM_UNKNOWN},
    {"ESP", "RFC 4303 2", "32", "", TCP6, 0, WIRE_IP6, 50, WIRE_CKSUM_UNKNOWN},
    {"extension past the packet", "RFC 8200 4.3", "00", "0609010400000000", TCP6, -RS_EPROTO,
     WIRE_IP6 | WIRE_EXTHDR, 0, WIRE_CKSUM_UNKNOWN},
    {"AH past the packet", "RFC 4302 2.2", "33", "06ff000000000001", TCP6, -RS_EPROTO,
     WIRE_IP6 | WIRE_EXTHDR, 51, WIRE_CKSUM_UNKNOWN},
    {"half a fragment header", "RFC 8200 4.5", "2c", "06000001", "", -RS_EPROTO,
     WIRE_IP6 | WIRE_EXTHDR | WIRE_FRAGMENT, 44, WIRE_CKSUM_UNKNOWN},
    {"one byte of an extension", "RFC 8200 4.6", "3c", "06", "", -RS_EPROTO, WIRE_IP6 | WIRE_EXTHDR,
     60, WIRE_CKSUM_UNKNOWN},
    {"one byte of AH", "RFC 4302 2.2", "33", "06", "", -RS_EPROTO, WIRE_IP6 | WIRE_EXTHDR, 51,
     WIRE_CKSUM_UNKNOWN},
    {"eight extensions", "RFC 8200 4.1", "3c",
     HOP_TO("3c") HOP_TO("3c") HOP_TO("3c") HOP_TO("3c") HOP_TO("3c") HOP_TO("3c") HOP_TO("3c")
         HOP_TO("06"),
     TCP6, 0, WIRE_IP6 | WIRE_EXTHDR | WHOLE_TCP, 6, WIRE_CKSUM_GOOD},
    {"nine extensions", "RFC 8200 4.1", "3c",
     HOP_TO("3c") HOP_TO("3c") HOP_TO("3c") HOP_TO("3c") HOP_TO("3c") HOP_TO("3c") HOP_TO("3c")
         HOP_TO("3c") HOP_TO("06"),
     TCP6, 0, WIRE_IP6 | WIRE_EXTHDR, 60, WIRE_CKSUM_UNKNOWN},
    {"ICMP for IPv4 in IPv6", "RFC 8200 8.1", "01", "", "0800000000000000", 0, WIRE_IP6, 1,
     WIRE_CKSUM_UNKNOWN},
};

static struct wire_view v;

static int parse(const char *hex, size_t cut, enum wire_mode mode)
{
    uint8_t bytes[2048], *exact;
    size_t n = recipe_hex(hex, bytes, sizeof bytes);
    n = cut < n ? cut : n;
    exact = malloc(n); /* so that the sanitizer sees any byte read past the end */
    memcpy(exact, bytes, n);
    int rc = wire_parse(&v, exact, n, mode);
    free(exact);
    return rc;
}

static void ip6_text(char *out, size_t cap, const struct row *r)
{
    uint8_t bytes[2048];
    char body[1024];
    snprintf(body, sizeof body, "%s%s", r->extensions, r->transport);
    size_t n = recipe_hex(body, bytes, sizeof bytes);
    snprintf(out, cap, "60000000%04zx%s40" IP6_ADDR "%s", n, r->first, body);
}

static void ipv6_chains(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows6 / sizeof rows6[0]; i++) {
        const struct row *r = &rows6[i];
        char hex[2048];
        ip6_text(hex, sizeof hex, r);
        int rc = parse(hex, SIZE_MAX, WIRE_PARSE_PACKET);
        if (rc != r->rc || v.have != r->have || v.proto != r->proto || v.l4_cksum != r->l4_cksum)
            fail_msg("%s (%s): rc %d have %03x proto %u cksum %u", r->name, r->clause, rc, v.have,
                     v.proto, v.l4_cksum);
    }
}

/* A capture may end anywhere, and so may a quote: that is no contradiction. */
static void ipv6_chains_cut_anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows6 / sizeof rows6[0]; i++) {
        char hex[2048];
        ip6_text(hex, sizeof hex, &rows6[i]);
        for (size_t cut = 1; cut < strlen(hex) / 2; cut++) {
            int rc = parse(hex, cut, WIRE_PARSE_QUOTE);
            assert_int_equal(rc, cut < 40 ? -RS_ETRUNC : 0);
            assert_int_equal(v.l4_cksum, WIRE_CKSUM_UNKNOWN);
            rc = parse(hex, cut, WIRE_PARSE_PACKET);
            if (rc != 0 && cut >= 40 && rows6[i].rc == 0)
                fail_msg("%s cut to %zu: %d", rows6[i].name, cut, rc);
        }
    }
}

struct row4 {
    const char *name, *clause, *hex;
    int rc;
    uint32_t have;
    uint8_t ip_flags, l4_cksum;
    uint32_t payload_bytes;
};

static const struct row4 rows4[] = {
    {"router alert", "RFC 2113 2.1", "46000040 00000000 40060000" IP4_ADDR "94040000" TCP4, 0,
     WIRE_IP4 | WIRE_EXTHDR | WHOLE_TCP, 0, WIRE_CKSUM_GOOD, 0},
    {"loose source route", "RFC 791 3.1, RFC 1122 4.1.3.4",
     "47000044 00000000 40060000" IP4_ADDR "01830704c6336409" TCP4, 0,
     WIRE_IP4 | WIRE_EXTHDR | WHOLE_TCP, 0, WIRE_CKSUM_UNKNOWN, 0},
    {"strict source route", "RFC 791 3.1",
     "47000044 00000000 40060000" IP4_ADDR "890704c633640900" TCP4, 0,
     WIRE_IP4 | WIRE_EXTHDR | WHOLE_TCP, 0, WIRE_CKSUM_UNKNOWN, 0},
    {"options behind the end", "RFC 791 3.1",
     "47000044 00000000 40060000" IP4_ADDR "0083070400000000" TCP4, 0,
     WIRE_IP4 | WIRE_EXTHDR | WHOLE_TCP, 0, WIRE_CKSUM_GOOD, 0},
    {"options of length 0 and past the end", "RFC 791 3.1",
     "47000044 00000000 40060000" IP4_ADDR "0144000083ff0000" TCP4, 0,
     WIRE_IP4 | WIRE_EXTHDR | WHOLE_TCP, 0, WIRE_CKSUM_GOOD, 0},
    {"first fragment", "RFC 791 3.2", "4500003c 00002000 40060000" IP4_ADDR TCP4, 0,
     WIRE_IP4 | WIRE_FRAGMENT | WHOLE_TCP, 1, WIRE_CKSUM_UNKNOWN, 0},
    {"later fragment", "RFC 791 3.2", "4500003c 00000001 40060000" IP4_ADDR TCP4, 0,
     WIRE_IP4 | WIRE_FRAGMENT, 0, WIRE_CKSUM_UNKNOWN, 0},
    {"first fragment of 8 bytes", "RFC 1858 3",
     "4500001c 00002000 40060000" IP4_ADDR "ee480050d850fa5d", 0,
     WIRE_IP4 | WIRE_FRAGMENT | WIRE_PORTS | WIRE_TCP_SEQ, 1, WIRE_CKSUM_UNKNOWN, 0},
    {"first fragment of 8 bytes, padded", "RFC 1858 3",
     "4500001c 00002000 40060000" IP4_ADDR "ee480050d850fa5d eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee", 0,
     WIRE_IP4 | WIRE_FRAGMENT | WIRE_PORTS | WIRE_TCP_SEQ, 1, WIRE_CKSUM_UNKNOWN, 0},
    {"first fragment of long UDP", "RFC 791 3.2",
     "45000021 00002000 40110000" IP4_ADDR "ee48003505dce14768656c6c6f", 0,
     WIRE_IP4 | WIRE_FRAGMENT | WIRE_PORTS | WIRE_UDP, 1, WIRE_CKSUM_UNKNOWN, 5},
    {"all three flags", "RFC 791 3.1", "4500003c 0000e000 40060000" IP4_ADDR TCP4, 0,
     WIRE_IP4 | WIRE_FRAGMENT | WHOLE_TCP, 7, WIRE_CKSUM_UNKNOWN, 0},
    {"evil bit and DF", "RFC 3514, RFC 791 3.1", "4500003c 0000c000 40060000" IP4_ADDR TCP4, 0,
     WIRE_IP4 | WHOLE_TCP, 6, WIRE_CKSUM_GOOD, 0},
    {"AH in IPv4", "RFC 4302 3.1",
     "4500004c 00000000 40330000" IP4_ADDR "06020000 00000001 00000001 aabbccdd" TCP4, 0,
     WIRE_IP4 | WIRE_EXTHDR | WHOLE_TCP, 0, WIRE_CKSUM_GOOD, 0},
    {"IPv6 headers mean nothing in IPv4", "RFC 791 3.1", "4500003c 00000000 403c0000" IP4_ADDR TCP4,
     0, WIRE_IP4, 0, WIRE_CKSUM_UNKNOWN, 0},
};

static void ipv4_options_and_fragments(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows4 / sizeof rows4[0]; i++) {
        const struct row4 *r = &rows4[i];
        int rc = parse(r->hex, SIZE_MAX, WIRE_PARSE_PACKET);
        if (rc != r->rc || v.have != r->have || v.ip_flags != r->ip_flags ||
            v.l4_cksum != r->l4_cksum || v.payload_bytes != r->payload_bytes)
            fail_msg("%s (%s): rc %d have %03x flags %u cksum %u payload %u", r->name, r->clause,
                     rc, v.have, v.ip_flags, v.l4_cksum, v.payload_bytes);
        for (size_t cut = 1; cut < strlen(r->hex) / 2; cut++)
            parse(r->hex, cut, WIRE_PARSE_PACKET);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ipv6_chains),
        cmocka_unit_test(ipv6_chains_cut_anywhere),
        cmocka_unit_test(ipv4_options_and_fragments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
