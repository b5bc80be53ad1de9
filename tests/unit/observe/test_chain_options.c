/* SPDX-License-Identifier: GPL-3.0-or-later
 * The chains that read TCP options: tcpopt, mss, tfo. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/observe/chain_rows.h"

static void tcpopt(void **state)
{
    static const struct chain_row rows[] = {
        {"nothing in reverse yet", "> S 0:0(0) <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>",
         "tcpopt_ts=null tcpopt_ws=null tcpopt_sack=null"},
        {"RFC 7323 2, 3.2, RFC 2018 2: all of them",
         "> S 0:0(0) | < S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 1 ecr 1,nop,wscale 7>",
         "tcpopt_ts=true tcpopt_ws=true tcpopt_sack=true"},
        {"one of them", "> S 0:0(0) | < S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK>",
         "tcpopt_ts=false tcpopt_ws=false tcpopt_sack=true"},
        {"no options at all", "< S. 0:0(0) ack 1",
         "tcpopt_ts=false tcpopt_ws=false tcpopt_sack=false"},
        {"any copy of the SYN/ACK",
         "< S. 0:0(0) ack 1 <sackOK> | < S. 0:0(0) ack 1 <nop,wscale 7> | < S. 0:0(0) ack 1",
         "tcpopt_ts=false tcpopt_ws=true tcpopt_sack=true"},
        {"later segments say nothing",
         "< S. 0:0(0) ack 1 | < . 1:1(0) ack 1 <nop,nop,TS val 1 ecr 1>", "tcpopt_ts=false"},
        {"RFC 9293 3.1: an option of a wrong length is none",
         "< S. 0:0(0) ack 1 <hex 030407010403000804>",
         "tcpopt_ts=false tcpopt_ws=false tcpopt_sack=false"},
        {"what the capture cut off may have held it",
         "< S. 0:0(0) ack 1 <mss 1460,sackOK,TS val 1 ecr 1,nop,wscale 7> ; cut-options 6",
         "tcpopt_ts=null tcpopt_ws=null tcpopt_sack=true"},
        {"UDP", "< udp", "tcpopt_ts=null tcpopt_ws=null tcpopt_sack=null"},
    };
    (void)state;
    ROWS_RUN(rows, CHAIN_TCPOPT);
}

static void mss(void **state)
{
    static const struct chain_row rows[] = {
        {"RFC 9293 3.2, by direction", "> S 0:0(0) <mss 1460> | < S. 0:0(0) ack 1 <mss 1380>",
         "mss_len_fwd=4 mss_value_fwd=1460 mss_len_rev=4 mss_value_rev=1380"},
        {"none", "> S 0:0(0) <sackOK> | < S. 0:0(0) ack 1",
         "mss_len_fwd=null mss_value_fwd=null mss_len_rev=null mss_value_rev=null"},
        {"0 and 65535 are values", "> S 0:0(0) <mss 0> | < S. 0:0(0) ack 1 <mss 65535>",
         "mss_value_fwd=0 mss_value_rev=65535"},
        {"the first SYN that has one counts",
         "> S 0:0(0) | > S 0:0(0) <mss 1460> | > S 0:0(0) <mss 536>",
         "mss_len_fwd=4 mss_value_fwd=1460"},
        {"the first of two counts", "> S 0:0(0) <mss 1400,mss 1200>", "mss_value_fwd=1400"},
        {"RFC 9293 3.2 MUST-65: in a SYN only", "> . 1:1(0) ack 1 <mss 1460>",
         "mss_len_fwd=null mss_value_fwd=null"},
        {"a wrong length is told, its value is not",
         "> S 0:0(0) <hex 020305> | < S. 0:0(0) ack 1 <hex 020800000514>",
         "mss_len_fwd=3 mss_value_fwd=null mss_len_rev=8 mss_value_rev=null"},
        {"all 40 bytes",
         "> S 0:0(0) <hex 0228000000000000000000000000000000000000"
         "0000000000000000000000000000000000000000>",
         "mss_len_fwd=40 mss_value_fwd=null"},
        {"cut off", "> S 0:0(0) <mss 1460> ; cut-options 3", "mss_len_fwd=null"},
        {"UDP", "> udp", "mss_len_fwd=null mss_value_fwd=null"},
    };
    (void)state;
    ROWS_RUN(rows, CHAIN_MSS);
}

#define NOTHING                                                                                    \
    "tfo_synkind=0 tfo_ackkind=0 tfo_synclen=0 tfo_ackclen=0 tfo_seq=0 tfo_dlen=0 tfo_ack=0"

static void tfo(void **state)
{
    static const struct chain_row rows[] = {
        {"no Fast Open", "> S 0:0(0) <mss 1460> | < S. 0:0(0) ack 1", NOTHING},
        {"RFC 7413 4.1.1: a cookie is asked for and given",
         "> S 0:0(0) <hex 2202> | < S. 0:0(0) ack 1 <hex 220a0102030405060708>",
         "tfo_synkind=34 tfo_synclen=0 tfo_seq=1000 tfo_dlen=0 tfo_ackkind=34 tfo_ackclen=8 "
         "tfo_ack=1001"},
        {"RFC 7413 4.2.2: the data is taken",
         "> S 0:39(39) <hex 220a0102030405060708> | < S. 0:0(0) ack 40",
         "tfo_synkind=34 tfo_synclen=8 tfo_dlen=39 tfo_seq=1000 tfo_ack=1040 tfo_ackkind=0 "
         "tfo_ackclen=0"},
        {"RFC 7413 4.2.2: the data is not taken",
         "> S 0:39(39) <hex 220a0102030405060708> | < S. 0:0(0) ack 1 <hex 22061a2b3c4d>",
         "tfo_dlen=39 tfo_ack=1001 tfo_ackkind=34 tfo_ackclen=4"},
        {"RFC 7413 appendix A.2: the experimental kind 254",
         "> S 0:0(0) <hex fe04f989> | < S. 0:0(0) ack 1 <hex fe0cf9890102030405060708>",
         "tfo_synkind=254 tfo_synclen=0 tfo_ackkind=254 tfo_ackclen=8"},
        {"RFC 6994: 255", "> S 0:0(0) <hex ff08f98901020304>", "tfo_synkind=255 tfo_synclen=4"},
        {"RFC 6994 3: another experiment", "> S 0:0(0) <hex fe04f990>", NOTHING},
        {"the cookie and the data are those of the first SYN that has one",
         "> S 0:0(0) | > S 0:10(10) <hex 22061a2b3c4d> | > S 0:20(20) <hex 2202> "
         "| > S 0:0(0) | < S. 0:0(0) ack 1",
         "tfo_synkind=34 tfo_synclen=4 tfo_dlen=10 tfo_ack=1001"},
        {"the first SYN/ACK counts",
         "> S 0:10(10) <hex 22061a2b3c4d> | < S. 0:0(0) ack 11 | < S. 0:0(0) ack 1 <hex 2202>",
         "tfo_ack=1011 tfo_ackkind=0"},
        {"a SYN/ACK behind a SYN without Fast Open says nothing",
         "> S 0:0(0) | < S. 0:0(0) ack 1 <hex 220a0102030405060708>", NOTHING},
        {"a SYN without ACK in reverse is no answer",
         "> S 0:0(0) <hex 2202> | < S 0:0(0) <hex 2202>", "tfo_ackkind=0 tfo_ack=0"},
        {"a SYN/ACK forward asks for nothing", "> S. 0:0(0) ack 1 <hex 2202>", NOTHING},
        {"nor does a SYN in reverse", "< S 0:0(0) <hex 2202> | < S. 0:0(0) ack 1", NOTHING},
        {"payload by the header, captured or not", "> S 0:39(39) <hex 220a0102030405060708> ; cut",
         "tfo_dlen=39"},
        {"UDP", "> udp ; payload 2202", NOTHING},
    };
    (void)state;
    ROWS_RUN(rows, CHAIN_TFO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcpopt),
        cmocka_unit_test(mss),
        cmocka_unit_test(tfo),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
