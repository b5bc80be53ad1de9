/* SPDX-License-Identifier: GPL-3.0-or-later
 * The chains that read a mark of the packet: dscp, evilbit, udp. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/observe/chain_rows.h"

static void dscp(void **state)
{
    static const struct chain_row rows[] = {
        {"RFC 2474 3, by direction and class",
         "> S 0:0(0) dscp 46 [ect1] | < S. 0:0(0) ack 1 dscp 8 [ce] | > P. 1:2(1) ack 1 dscp 1 "
         "| < P. 1:2(1) ack 1 dscp 63",
         "dscp_mark_syn_fwd=46 dscp_mark_syn_rev=8 dscp_mark_data_fwd=1 dscp_mark_data_rev=63"},
        {"nothing seen", "> S 0:0(0)",
         "dscp_mark_syn_fwd=0 dscp_mark_syn_rev=null dscp_mark_data_fwd=null "
         "dscp_mark_data_rev=null"},
        {"TCP without payload is no data",
         "> . 1:1(0) ack 1 dscp 5 | > F. 1:1(0) ack 1 dscp 5 | < R 1:1(0) dscp 5",
         "dscp_mark_data_fwd=null dscp_mark_data_rev=null"},
        {"data of a SYN is not data", "> S 0:10(10) dscp 5",
         "dscp_mark_syn_fwd=5 dscp_mark_data_fwd=null"},
        {"the first one counts, 0 too",
         "> S 0:0(0) | > S 0:0(0) dscp 5 | > P. 1:2(1) ack 1 | > P. 2:3(1) ack 1 dscp 5",
         "dscp_mark_syn_fwd=0 dscp_mark_data_fwd=0"},
        {"what is not TCP is data", "> udp ; dscp 46 | < other ; dscp 48",
         "dscp_mark_data_fwd=46 dscp_mark_data_rev=48"},
        {"IPv6 (RFC 8200 7)", "> S 0:0(0) dscp 46 ; ip6", "dscp_mark_syn_fwd=46"},
        {"the mark of an ICMP error is not the flow's", "> S 0:0(0) | < udp ; dscp 48 icmp",
         "dscp_mark_data_rev=null"},
        {"TCP of which too little is there", "> S 0:0(0) dscp 46 ; headless",
         "dscp_mark_syn_fwd=null dscp_mark_data_fwd=null"},
    };
    (void)state;
    ROWS_RUN(rows, CHAIN_DSCP);
}

static void evilbit(void **state)
{
    static const struct chain_row rows[] = {
        {"RFC 3514 2, by direction and class",
         "> S 0:0(0) ; evil | < S. 0:0(0) ack 1 | > P. 1:2(1) ack 1 | < P. 1:2(1) ack 1 ; evil",
         "evilbit_syn_fwd=true evilbit_syn_rev=false evilbit_data_fwd=false "
         "evilbit_data_rev=true"},
        {"nothing seen", "< . 1:1(0) ack 1 ; evil",
         "evilbit_syn_fwd=null evilbit_syn_rev=null evilbit_data_fwd=null evilbit_data_rev=null"},
        {"the first one counts", "> S 0:0(0) ; evil | > S 0:0(0) | < udp | < udp ; evil",
         "evilbit_syn_fwd=true evilbit_data_rev=false"},
        {"IPv6 has no such bit", "> S 0:0(0) ; ip6 | > udp ; ip6",
         "evilbit_syn_fwd=null evilbit_data_fwd=null"},
        {"the bit of an ICMP error is not the flow's", "> udp | < udp ; evil icmp",
         "evilbit_data_fwd=false evilbit_data_rev=null"},
    };
    (void)state;
    ROWS_RUN(rows, CHAIN_EVILBIT);
}

static void udp(void **state)
{
    static const struct chain_row rows[] = {
        {"RFC 768: no checksum", "> udp ; no-cksum | < udp",
         "udp_zero_checksum_fwd=true udp_zero_checksum_rev=false"},
        {"the last one counts", "> udp ; no-cksum | > udp | < udp | < udp ; no-cksum",
         "udp_zero_checksum_fwd=false udp_zero_checksum_rev=true"},
        {"RFC 6936: IPv6 tunnels", "> udp ; no-cksum ip6", "udp_zero_checksum_fwd=true"},
        {"not UDP", "> S 0:0(0) | < other",
         "udp_zero_checksum_fwd=null udp_zero_checksum_rev=null"},
    };
    (void)state;
    ROWS_RUN(rows, CHAIN_UDP);
}

/* RFC 768: from the bytes of a packet. */
static void the_parser_tells_a_checksum_of_0(void **state)
{
    uint8_t bytes[32];
    struct wire_view v;
    size_t n = recipe_hex("4500001c00000000401100007f0000017f000001 1000003500080000", bytes, 32);
    (void)state;
    assert_int_equal(wire_parse(&v, bytes, n, WIRE_PARSE_PACKET), 0);
    assert_true(v.have & WIRE_UDP_NO_CKSUM);
    bytes[27] = 1;
    assert_int_equal(wire_parse(&v, bytes, n, WIRE_PARSE_PACKET), 0);
    assert_false(v.have & WIRE_UDP_NO_CKSUM);
    bytes[27] = 0;
    assert_int_equal(wire_parse(&v, bytes, 27, WIRE_PARSE_PACKET), 0); /* the field is cut off */
    assert_false(v.have & (WIRE_UDP | WIRE_UDP_NO_CKSUM));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dscp),
        cmocka_unit_test(evilbit),
        cmocka_unit_test(udp),
        cmocka_unit_test(the_parser_tells_a_checksum_of_0),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
