/* SPDX-License-Identifier: GPL-3.0-or-later
 * The flow meter, row by row: flags, codepoints, payload, options, windows, duplicate ACKs. */
#include "unit/observe/meter.h"

static void null_until_seen(void **state)
{
    (void)state;
    static const char *const names[] = {
        "meter_flags_first_fwd", "meter_flags_union_fwd", "meter_flags_syn_rev",
        "meter_mss_fwd",         "meter_rwin_min_fwd",    "meter_rwin_mean_rev",
        "meter_rwin_max_rev",    "meter_rtt_min_us",      "meter_rtt_last_us"};
    int64_t v;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_false(flow_value(&f, flow_field_find(names[i]), &v));
}

static void flags(void **state)
{
    (void)state;
    FWD(0, "S 0:0(0) [EWe]");
    assert_int_equal(f.meter_flags_first_fwd, 0x1c2);
    assert_int_equal(f.meter_flags_union_fwd, 0); /* as CERT has it: those behind the first */
    assert_int_equal(f.meter_flags_syn_fwd, 0x1c2);
    FWD(5, "S 0:0(0)"); /* no more ECN: the last SYN counts, as with QoF */
    assert_int_equal(f.meter_flags_syn_fwd, 0x02);
    REV(10, "S. 0:0(0) ack 1 [E]");
    FWD(11, "FP. 1:11(10) ack 1");
    REV(12, "R. 1:1(0) ack 1");
    assert_int_equal(f.meter_flags_first_fwd, 0x1c2);
    assert_int_equal(f.meter_flags_union_fwd, 0x1b);
    assert_int_equal(f.meter_flags_first_rev, 0x52);
    assert_int_equal(f.meter_flags_union_rev, 0x14);
    assert_int_equal(f.meter_flags_syn_rev, 0x52);
}

static void codepoints(void **state)
{
    (void)state;
    FWD(0, "S 0:0(0) [ect1]");
    REV(1, "S. 0:0(0) ack 1 [ce]");
    FWD(2, ". 1:1(0) ack 1");
    FWD(3, "P. 1:11(10) ack 1 [ect0]");
    FWD(4, "P. 11:21(10) ack 1 [ect0]");
    FWD(5, "P. 21:31(10) ack 1 [ce]");
    REV(6, ". 1:1(0) ack 31 [ect1]");
    assert_int_equal(f.meter_not_ect_fwd, 1);
    assert_int_equal(f.meter_ect1_fwd, 1);
    assert_int_equal(f.meter_ect0_fwd, 2);
    assert_int_equal(f.meter_ce_fwd, 1);
    assert_int_equal(f.meter_traits_fwd, 1 | 2 | 4 | 512);
    assert_int_equal(f.meter_not_ect_rev, 0);
    assert_int_equal(f.meter_ect1_rev, 1);
    assert_int_equal(f.meter_ect0_rev, 0);
    assert_int_equal(f.meter_ce_rev, 1);
    assert_int_equal(f.meter_traits_rev, 2 | 4 | 1024);
}

static void traits_of_options(void **state)
{
    (void)state;
    FWD(0, "S 0:0(0) <wscale 7>");
    REV(1, "S. 0:0(0) ack 1 <TS val 1 ecr 0>");
    FWD(2, ". 1:1(0) ack 1 <sack 1>");
    assert_int_equal(f.meter_traits_fwd, 64 | 32);
    assert_int_equal(f.meter_traits_rev, 16);
}

static void payload(void **state)
{
    (void)state;
    handshake("", "");
    FWD(20, "P. 1:101(100) ack 1");
    FWD(21, "P. 101:151(50) ack 1");
    FWD(40, "P. 101:151(50) ack 1"); /* sent again: it crossed the network again */
    assert_int_equal(f.meter_payload_pkt_fwd, 3);
    assert_int_equal(f.meter_payload_oct_fwd, 200);
    assert_int_equal(f.meter_payload_pkt_rev, 0);
    assert_int_equal(f.meter_mss_seen_fwd, 100);
    assert_int_equal(f.meter_mss_seen_rev, 0);
}

static void packets_without_tcp(void **state)
{
    (void)state;
    fresh_flow(IP_PROTO_UDP);
    struct wire_view udp = {.have = WIRE_IP4 | WIRE_PORTS | WIRE_UDP,
                            .proto = IP_PROTO_UDP,
                            .tos = 1,
                            .ttl = 64,
                            .payload_bytes = 30};
    flow_packet(&f, &udp, FLOW_FWD, (rs_wall){1});
    udp.payload_bytes = 0;
    udp.tos = 0;
    flow_packet(&f, &udp, FLOW_REV, (rs_wall){2});
    assert_int_equal(f.meter_payload_pkt_fwd, 1);
    assert_int_equal(f.meter_payload_oct_fwd, 30);
    assert_int_equal(f.meter_payload_pkt_rev, 0);
    assert_int_equal(f.meter_ect1_fwd, 1);
    assert_int_equal(f.meter_not_ect_rev, 1);
    assert_int_equal(f.meter_traits_fwd, 2);
    assert_true(f.meter_flags_first_fwd < 0 && f.meter_flags_union_fwd < 0);
    assert_true(f.meter_rwin_min_fwd < 0 && f.meter_mss_fwd < 0);
}

static void declared_mss(void **state)
{
    (void)state;
    handshake("<mss 1460>", "<mss 65535>");
    assert_int_equal(f.meter_mss_fwd, 1460);
    assert_int_equal(f.meter_mss_rev, 65535);
    FWD(20, ". 1:1(0) ack 1 <mss 9>"); /* RFC 9293 3.2: on SYNs only */
    assert_int_equal(f.meter_mss_fwd, 1460);
    FWD(30, "S 0:0(0) <mss 536>"); /* the last one, as with QoF */
    assert_int_equal(f.meter_mss_fwd, 536);
}

static void windows_are_scaled_if_both_agree(void **state)
{
    (void)state;
    handshake("<wscale 7>", "<wscale 15>");
    REV(20, ". 1:1(0) ack 1 win 2");
    assert_int_equal(f.meter_rwin_min_fwd, 60000); /* a SYN's own is never scaled */
    assert_int_equal(f.meter_rwin_max_fwd, 500 << 7);
    assert_int_equal(f.meter_rwin_mean_fwd, (60000 + (500 << 7)) / 2);
    assert_int_equal(f.meter_rwin_min_rev, 2 << 14); /* RFC 7323 2.3: 14 at most */
    FWD(21, "R 1:1(0) win 0");                       /* an RST's says nothing */
    assert_int_equal(f.meter_rwin_min_fwd, 60000);
    FWD(22, ". 1:1(0) ack 1 win 0");
    FWD(23, ". 1:1(0) ack 1 win 3");
    assert_int_equal(f.meter_rwin_min_fwd, 0);
}

static void windows_are_not_scaled_by_one_side(void **state)
{
    (void)state;
    handshake("<wscale 7>", "");
    assert_int_equal(f.meter_rwin_min_fwd, 500);
    fresh(NULL);
    FWD(0, ". 1:1(0) ack 1 win 500"); /* nor where the handshake was not seen */
    assert_int_equal(f.meter_rwin_max_fwd, 500);
}

static void duplicate_acks(void **state)
{
    (void)state;
    handshake("", "");
    REV(20, "P. 1:101(100) ack 1");
    FWD(21, ". 1:1(0) ack 101 win 500");
    FWD(22, ". 1:1(0) ack 101 win 500"); /* nothing is outstanding */
    assert_int_equal(f.meter_dupack_fwd, 0);
    REV(23, "P. 201:301(100) ack 1");
    FWD(24, ". 1:1(0) ack 101 win 500");
    FWD(25, ". 1:1(0) ack 101 win 501");            /* a window update */
    FWD(26, "P. 1:11(10) ack 101 win 501");         /* data */
    FWD(27, ". 11:11(0) ack 101 win 501");          /* the second one */
    FWD(28, "F. 11:11(0) ack 101 win 501");         /* a FIN */
    FWD(29, ". 11:11(0) ack 51 win 501");           /* an old one, overtaken */
    FWD(30, ". 11:11(0) ack 301 win 501 <sack 1>"); /* it moves on */
    assert_int_equal(f.meter_dupack_fwd, 2);
    assert_int_equal(f.meter_dupack_rev, 0);
}

/* RFC 9293 3.8.4: one byte before the next, with one byte of garbage or none, all acknowledged. */
static void keepalives(void **state)
{
    (void)state;
    handshake("", "");
    FWD(20, "P. 1:101(100) ack 1 win 500");
    REV(30, ". 1:1(0) ack 101");
    FWD(9000, ". 100:100(0) ack 1 win 500");
    REV(9010, ". 1:1(0) ack 101");
    FWD(18000, "P. 100:101(1) ack 1 win 500");
    REV(18010, ". 1:1(0) ack 101");
    assert_int_equal(f.meter_rtx_fwd, 0);
    assert_int_equal(f.meter_dupack_fwd, 0);
    assert_int_equal(f.meter_dupack_rev, 0);
    assert_int_equal(f.meter_rtt_last_us, 14000);
    FWD(18020, "P. 101:102(1) ack 1 win 500"); /* but this byte was not acknowledged */
    FWD(18320, "P. 101:102(1) ack 1 win 500");
    assert_int_equal(f.meter_rtx_fwd, 1);
}

/* A keepalive's number while data of the other side is outstanding. */
static void a_keepalive_is_no_duplicate_ack(void **state)
{
    (void)state;
    handshake("", "");
    FWD(20, "P. 1:101(100) ack 1 win 500");
    REV(30, "P. 1:101(100) ack 101");
    FWD(31, ". 100:100(0) ack 1 win 500");
    assert_int_equal(f.meter_dupack_fwd, 0);
    FWD(32, ". 101:101(0) ack 1 win 500");
    assert_int_equal(f.meter_dupack_fwd, 1);
}

/* RFC 9293 3.8.6.1 */
static void closed_window(void **state)
{
    (void)state;
    handshake("", "");
    FWD(20, "P. 1:101(100) ack 1 win 500");
    REV(30, ". 1:1(0) ack 101 win 0");
    FWD(230, "P. 101:102(1) ack 1 win 500"); /* one byte, to ask */
    REV(240, ". 1:1(0) ack 101 win 0");
    FWD(630, "P. 101:102(1) ack 1 win 500");
    REV(640, ". 1:1(0) ack 101 win 0");
    assert_int_equal(f.meter_rtx_fwd, 0);
    assert_int_equal(f.meter_dupack_rev, 0);
    assert_int_equal(f.meter_rwin_min_rev, 0);
    REV(700, ". 1:1(0) ack 102 win 50");
    FWD(701, "P. 101:201(100) ack 1 win 500"); /* RFC 9293 allows it: partly seen before */
    assert_int_equal(f.meter_rtx_fwd, 1);
}

/* Bytes a flow: said in the README. */
static void size_is_bounded(void **state)
{
    (void)state;
    size_t meter =
        flow_bytes(CHAIN_BIT(CHAIN_METER)) - flow_bytes(CHAINS_ALL & ~CHAIN_BIT(CHAIN_METER));
    assert_true(meter <= 600);
}

static void no_flags_are_flags_too(void **state)
{
    (void)state;
    FWD(0, "none 1:1(0)");
    FWD(1, "F 1:1(0)");
    assert_int_equal(f.meter_flags_first_fwd, 0);
    assert_int_equal(f.meter_flags_union_fwd, 1);
    assert_true(f.meter_flags_syn_fwd < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(null_until_seen),
        CASE(flags),
        CASE(codepoints),
        CASE(traits_of_options),
        CASE(payload),
        CASE(packets_without_tcp),
        CASE(declared_mss),
        CASE(windows_are_scaled_if_both_agree),
        CASE(windows_are_not_scaled_by_one_side),
        CASE(duplicate_acks),
        CASE(keepalives),
        CASE(a_keepalive_is_no_duplicate_ack),
        CASE(closed_window),
        CASE(size_is_bounded),
        CASE(no_flags_are_flags_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
