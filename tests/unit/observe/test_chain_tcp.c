/* SPDX-License-Identifier: GPL-3.0-or-later
 * The chains tcp, ecn and icmp where they follow PATHspider, and where they do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/observe/chain_rows.h"

static void tcp(void **state)
{
    static const struct chain_row rows[] = {
        {"RFC 9293 3.5: SYN, SYN/ACK, ACK", "> S 0:0(0) | < S. 0:0(0) ack 1 | > . 1:1(0) ack 1",
         "tcp_connected=true tcp_synflags_fwd=2 tcp_synflags_rev=18"},
        {"without the third step", "> S 0:0(0) | < S. 0:0(0) ack 1", "tcp_connected=false"},
        {"an RST is no third step", "> S 0:0(0) | < S. 0:0(0) ack 1 | > R. 1:1(0) ack 1",
         "tcp_connected=false tcp_rst_fwd=true"},
        {"nor is another SYN", "> S 0:0(0) | < S. 0:0(0) ack 1 | > S. 1:1(0) ack 1",
         "tcp_connected=false"},
        {"an ACK in reverse is not", "> S 0:0(0) | < S. 0:0(0) ack 1 | < . 1:1(0) ack 1",
         "tcp_connected=false"},
        {"the flags of the first SYN count",
         "> S 0:0(0) [EW] | > S 0:0(0) | < S. 0:0(0) ack 1 [E] | < S. 0:0(0) ack 1",
         "tcp_synflags_fwd=194 tcp_synflags_rev=82"},
        {"a FIN, by the way it went", "> F. 1:1(0) ack 1", "tcp_fin_fwd=true tcp_fin_rev=false"},
        {"an RST, by the way it went", "< R. 1:1(0) ack 1", "tcp_rst_fwd=false tcp_rst_rev=true"},
    };
    (void)state;
    ROWS_RUN(rows, CHAIN_TCP);
}

static void ecn(void **state)
{
    static const struct chain_row rows[] = {
        {"RFC 3168 5, by direction and class",
         "> S 0:0(0) [ect1] | < S. 0:0(0) ack 1 [ect0] | > . 1:1(0) ack 1 [ce] "
         "| < P. 1:2(1) ack 1 [ect0]",
         "ecn_ect1_syn_fwd=true ecn_ect0_syn_rev=true ecn_ce_data_fwd=true ecn_ect0_data_rev=true "
         "ecn_ect0_syn_fwd=false ecn_ce_syn_fwd=false ecn_ect0_data_fwd=false "
         "ecn_ect1_data_fwd=false ecn_ect1_syn_rev=false ecn_ce_syn_rev=false "
         "ecn_ect1_data_rev=false ecn_ce_data_rev=false"},
    };
    (void)state;
    ROWS_RUN(rows, CHAIN_ECN);
}

static void icmp(void **state)
{
    static const struct chain_row rows[] = {
        {"RFC 792: destination unreachable, about a packet forward", "> S 0:0(0) | < udp ; icmp",
         "icmp_unreachable=true icmp_errors=1 icmp_type=3 pkt_fwd=1 pkt_rev=1 oct_rev=28"},
        {"RFC 4443 3.1", "> S 0:0(0) | < udp ; ip6 icmp",
         "icmp_unreachable=true icmp_errors=1 icmp_type=1"},
        {"about a packet in reverse: it goes forward, and is not about the path there",
         "> S 0:0(0) | < S. 0:0(0) ack 1 | > udp ; icmp",
         "icmp_unreachable=false icmp_errors=0 icmp_type=null pkt_fwd=2 pkt_rev=1 oct_fwd=68"},
        {"none", "> S 0:0(0)", "icmp_unreachable=false icmp_errors=0"},
    };
    (void)state;
    ROWS_RUN(rows, CHAIN_ICMP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp),
        cmocka_unit_test(ecn),
        cmocka_unit_test(icmp),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
