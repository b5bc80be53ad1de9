/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the chains draw from packets, given in words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "observe/flow.h"
#include "observe/table.h"
#include "unit/recipe.h"

static struct flow f;
static int64_t clock_ns;

static int fresh(void **state)
{
    (void)state;
    struct wire_tuple t = {.src = {.family = 4},
                           .dst = {.family = 4},
                           .proto = IP_PROTO_TCP,
                           .sport = 61000,
                           .dport = 80};
    flow_init(&f, &t, CHAINS_ALL);
    clock_ns = 1000000000;
    return 0;
}

static void see(enum flow_dir dir, const char *words)
{
    struct recipe r;
    clock_ns += 1000000;
    flow_packet(&f, recipe(&r, words, 1000, 1000), dir, (rs_wall){clock_ns});
}

static void handshake(const char *synack)
{
    see(FLOW_FWD, "S 0:0(0) win 64240 [EW]");
    see(FLOW_REV, synack);
    see(FLOW_FWD, ". 1:1(0) ack 1");
}

static void null_until_seen(void **state)
{
    (void)state;
    int64_t v;
    assert_false(flow_value(&f, flow_field_find("tcp_synflags_rev"), &v));
    assert_false(flow_value(&f, flow_field_find("icmp_type"), &v));
    assert_true(flow_value(&f, flow_field_find("pkt_fwd"), &v));
    assert_int_equal(v, 0);
    assert_null(flow_field_find("no_such_field"));
}

/* RFC 3168 6.1.1: what the SYN and the SYN/ACK said. */
static void syn_flags_first_one_counts(void **state)
{
    (void)state;
    handshake("S. 0:0(0) ack 1 [E] ttl 57");
    see(FLOW_REV, "S. 0:0(0) ack 1 ttl 57");
    assert_int_equal(f.tcp_synflags_fwd, 0xc2);
    assert_int_equal(f.tcp_synflags_rev, 0x52);
    assert_int_equal(f.ecn_syn_bits, 3);
    assert_int_equal(f.ecn_synack_bits, 1);
    assert_int_equal(f.tcp_syn_count_rev, 2);
    assert_true(f.tcp_synack_varies);
    assert_true(f.tcp_connected);
    assert_int_equal(f.tcp_synack_ttl, 57);
    assert_int_equal(f.tcp_rtt_handshake_us, 1000);
}

/* RFC 9293 3.10.7.3: an RST that answers a wrong acknowledgement carries its number, which anybody
 * may have made up. What follows is new data all the same. */
static void rst_moves_no_sequence(void **state)
{
    (void)state;
    see(FLOW_FWD, "S 0:0(0) win 64240");
    see(FLOW_FWD, "R 70000:70000(0)");
    see(FLOW_REV, "S. 0:0(0) ack 1");
    see(FLOW_FWD, ". 1:101(100) ack 1");
    assert_int_equal(f.tcp_newdata_fwd, 1);
    assert_int_equal(f.tcp_rtx_fwd, 0);
}

/* RFC 9768 3.1: the AE bit is not in PATHspider's eight. */
static void ae_bit(void **state)
{
    (void)state;
    handshake("S. 0:0(0) ack 1 [Ee]");
    assert_int_equal(f.tcp_ae_syn_rev, 1);
    assert_int_equal(f.ecn_synack_bits, 5);
    assert_int_equal(f.tcp_synflags_rev, 0x52);
}

/* RFC 6298 3 (Karn). */
static void no_rtt_after_a_retransmitted_syn(void **state)
{
    (void)state;
    see(FLOW_FWD, "S 0:0(0)");
    see(FLOW_FWD, "S 0:0(0)");
    see(FLOW_REV, "S. 0:0(0) ack 1");
    assert_true(f.tcp_rtt_handshake_us < 0);
}

static void fin_and_rst_by_direction(void **state)
{
    (void)state;
    see(FLOW_FWD, "F. 1:1(0) ack 1");
    assert_true(f.tcp_fin_fwd);
    assert_false(f.tcp_fin_rev); /* PATHspider has these two exchanged */
    see(FLOW_REV, "R 1:1(0) ttl 44");
    assert_true(f.tcp_rst_rev);
    assert_false(f.tcp_rst_fwd);
    assert_int_equal(f.tcp_rst_ttl, 44);
}

/* RFC 3168 6.1.4 and 6.1.5: new data, retransmissions, pure ACKs, FIN and RST are told apart. */
static void marks_by_kind(void **state)
{
    (void)state;
    handshake("S. 0:0(0) ack 1 [E]");
    see(FLOW_REV, "P. 1:101(100) ack 1 <TS val 5 ecr 1> [ect0]");
    see(FLOW_REV, "P. 1:101(100) ack 1 <TS val 9 ecr 1> [ce]");    /* newer: a retransmission */
    see(FLOW_REV, "P. 1:101(100) ack 1 <TS val 5 ecr 1> [ect0]");  /* the path's duplicate */
    see(FLOW_REV, "P. 51:151(100) ack 1 <TS val 9 ecr 1> [ect1]"); /* half new: new data */
    see(FLOW_REV, ". 151:151(0) ack 1 [ect0]");
    see(FLOW_REV, "F. 151:151(0) ack 1 [ect0]");
    see(FLOW_REV, "P. 151:161(10) ack 1");
    assert_int_equal(f.tcp_newdata_rev, 3);
    assert_int_equal(f.ecn_newdata_ect0_rev, 1);
    assert_int_equal(f.ecn_newdata_ect1_rev, 1);
    assert_int_equal(f.ecn_newdata_ce_rev, 0);
    assert_int_equal(f.tcp_rtx_rev, 1);
    assert_int_equal(f.ecn_rtx_marked_rev, 1);
    assert_int_equal(f.tcp_old_rev, 1);
    assert_int_equal(f.ecn_ack_marked_rev, 1);
    assert_int_equal(f.ecn_fin_marked_rev, 1);
    assert_true(f.ecn_ce_data_rev); /* PATHspider's meaning: any packet without SYN */
    assert_false(f.ecn_ect0_syn_rev);
}

/* Reordering alone must not look like a sender that marks its retransmissions. */
static void reordered_data_is_no_retransmission(void **state)
{
    (void)state;
    handshake("S. 0:0(0) ack 1 [E]");
    see(FLOW_REV, "P. 101:201(100) ack 1 <TS val 5 ecr 1> [ect0]");
    see(FLOW_REV, "P. 1:101(100) ack 1 <TS val 5 ecr 1> [ect0]");
    assert_int_equal(f.tcp_rtx_rev, 0);
    assert_int_equal(f.tcp_old_rev, 1);
    assert_int_equal(f.ecn_rtx_marked_rev, 0);
    see(FLOW_REV, "P. 1:101(100) ack 1 [ect0]"); /* without a time stamp nobody knows */
    assert_int_equal(f.tcp_rtx_rev, 1);
    assert_int_equal(f.ecn_rtx_marked_rev, 0);
}

static void a_marked_syn_is_not_data(void **state)
{
    (void)state;
    handshake("S. 0:0(0) ack 1 [E] [ect0]");
    assert_true(f.ecn_ect0_syn_rev);
    assert_false(f.ecn_ect0_data_rev);
    assert_int_equal(f.ecn_synack_cp, IP_ECN_ECT0);
}

/* It is counted in reverse, as PATHspider does; its marks and TTL are those of another packet. */
static void the_marks_of_an_icmp_error_are_not_the_flows(void **state)
{
    (void)state;
    struct wire_view error = {.have = WIRE_IP4 | WIRE_ICMP | WIRE_QUOTE,
                              .proto = IP_PROTO_ICMP,
                              .tos = 0xc2,
                              .ttl = 9,
                              .ip_bytes = 56,
                              .icmp_type = 3,
                              .icmp_code = 13};
    flow_icmp_error(&f, &error, FLOW_REV, (rs_wall){5});
    assert_int_equal(f.pkt_rev, 1);
    assert_int_equal(f.oct_rev, 56);
    assert_int_equal(f.ttl_min_rev, -1);
    assert_false(f.ecn_ect0_data_rev);
    assert_int_equal(f.icmp_errors, 1);
    assert_int_equal(f.icmp_code, 13);
    assert_true(f.icmp_unreachable);
}

static void time_exceeded_is_not_unreachable(void **state)
{
    (void)state;
    struct wire_view error = {
        .have = WIRE_IP6 | WIRE_ICMP | WIRE_QUOTE, .proto = IP_PROTO_ICMPV6, .icmp_type = 3};
    flow_icmp_error(&f, &error, FLOW_REV, (rs_wall){5});
    assert_false(f.icmp_unreachable);
    error.icmp_type = 1; /* RFC 4443 3.1 */
    flow_icmp_error(&f, &error, FLOW_REV, (rs_wall){6});
    assert_true(f.icmp_unreachable);
}

/* ECT data that is acknowledged only after its Not-ECT retransmission. */
static void marked_data_lost(void **state)
{
    (void)state;
    handshake("S. 0:0(0) ack 1 [E]");
    see(FLOW_FWD, "P. 1:101(100) ack 1 [ect0]");
    see(FLOW_FWD, "P. 1:101(100) ack 1");
    assert_int_equal(f.ecn_ect_lost_fwd, 0);
    see(FLOW_REV, ". 1:1(0) ack 101");
    assert_int_equal(f.ecn_ect_lost_fwd, 1);
}

/* RFC 3522 (Eifel): the answer was slow, the first sending was not lost. */
static void marked_data_slow(void **state)
{
    (void)state;
    handshake("S. 0:0(0) ack 1 [E]");
    see(FLOW_FWD, "P. 1:101(100) ack 1 <TS val 10 ecr 1> [ect0]");
    see(FLOW_FWD, "P. 1:101(100) ack 1 <TS val 210 ecr 1>");
    see(FLOW_REV, ". 1:1(0) ack 101 <TS val 9 ecr 10>");
    assert_int_equal(f.ecn_ect_lost_fwd, 0);
    assert_int_equal(f.tcp_rtx_fwd, 1);
}

/* The FIN came before the data that it follows: the data are new all the same. */
static void a_fin_does_not_hide_data(void **state)
{
    (void)state;
    handshake("S. 0:0(0) ack 1 [E]");
    see(FLOW_REV, "F. 101:101(0) ack 1 <TS val 5 ecr 1>");
    see(FLOW_REV, "P. 1:101(100) ack 1 <TS val 5 ecr 1> [ect0]");
    assert_int_equal(f.tcp_newdata_rev, 1);
    assert_int_equal(f.ecn_newdata_ect0_rev, 1);
}

/* Nor does a pure ACK that stands behind it. */
static void an_ack_does_not_hide_data(void **state)
{
    (void)state;
    handshake("S. 0:0(0) ack 1 [E]");
    see(FLOW_REV, ". 102:102(0) ack 1 <TS val 5 ecr 1>");
    see(FLOW_REV, "P. 1:101(100) ack 1 <TS val 9 ecr 1> [ect0]");
    assert_int_equal(f.tcp_newdata_rev, 1);
    assert_int_equal(f.tcp_rtx_rev, 0);
}

static void ladder_of_synacks(void **state)
{
    (void)state;
    handshake("S. 0:0(0) ack 1 [E]");
    assert_int_equal(f.ecn_synack_ladder, 1);
    see(FLOW_REV, "S. 0:0(0) ack 1");
    assert_int_equal(f.ecn_synack_ladder, 1 | 0 << 3 | 1 << 12);
    for (int i = 0; i < 4; i++)
        see(FLOW_REV, "S. 0:0(0) ack 1 [EWe]");
    assert_int_equal(f.ecn_synack_ladder, 1 | 0 << 3 | 7 << 6 | 7 << 9 | 3 << 12);
}

static void marked_data_arrived(void **state)
{
    (void)state;
    handshake("S. 0:0(0) ack 1 [E]");
    see(FLOW_FWD, "P. 1:101(100) ack 1 [ect0]");
    see(FLOW_REV, ". 1:1(0) ack 101");
    see(FLOW_FWD, "P. 1:101(100) ack 1");
    see(FLOW_REV, ". 1:1(0) ack 101");
    assert_int_equal(f.ecn_ect_lost_fwd, 0);
}

static void sequence_numbers_wrap(void **state)
{
    (void)state;
    struct recipe r;
    flow_packet(&f, recipe(&r, "P. 1:101(100) ack 1", UINT32_MAX - 50, 0), FLOW_REV, (rs_wall){1});
    flow_packet(&f, recipe(&r, "P. 101:201(100) ack 1", UINT32_MAX - 50, 0), FLOW_REV,
                (rs_wall){2});
    flow_packet(&f, recipe(&r, "P. 1:101(100) ack 1", UINT32_MAX - 50, 0), FLOW_REV, (rs_wall){3});
    assert_int_equal(f.tcp_newdata_rev, 2);
    assert_int_equal(f.tcp_rtx_rev, 1);
}

static void table_finds_both_directions(void **state)
{
    (void)state;
    struct flow_table t;
    static struct flow flows[3000]; /* so many that it has to grow */
    enum flow_dir dir;
    assert_int_equal(flow_table_init(&t, 16, (struct rs_key){1, 2}), 0);
    for (unsigned i = 0; i < 3000; i++) {
        struct wire_tuple tuple = {.src = {4, {192, 0, 2, 1}},
                                   .dst = {4, {198, 18, (uint8_t)(i >> 8), (uint8_t)i}},
                                   .proto = 6,
                                   .sport = 61000,
                                   .dport = 80};
        flow_init(&flows[i], &tuple, CHAINS_ALL);
        flow_table_add(&t, &flows[i]);
    }
    assert_int_equal(t.buckets, 8192);
    for (unsigned i = 0; i < 3000; i++) {
        struct wire_tuple back = wire_tuple_swap(&flows[i].tuple);
        assert_ptr_equal(flow_table_find(&t, &flows[i].tuple, &dir), &flows[i]);
        assert_int_equal(dir, FLOW_FWD);
        assert_ptr_equal(flow_table_find(&t, &back, &dir), &flows[i]);
        assert_int_equal(dir, FLOW_REV);
    }
    flow_table_remove(&t, &flows[7]);
    assert_null(flow_table_find(&t, &flows[7].tuple, &dir));
    assert_int_equal(t.n, 2999);
    flow_table_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(null_until_seen, fresh),
        cmocka_unit_test_setup(syn_flags_first_one_counts, fresh),
        cmocka_unit_test_setup(ae_bit, fresh),
        cmocka_unit_test_setup(no_rtt_after_a_retransmitted_syn, fresh),
        cmocka_unit_test_setup(fin_and_rst_by_direction, fresh),
        cmocka_unit_test_setup(rst_moves_no_sequence, fresh),
        cmocka_unit_test_setup(marks_by_kind, fresh),
        cmocka_unit_test_setup(reordered_data_is_no_retransmission, fresh),
        cmocka_unit_test_setup(a_marked_syn_is_not_data, fresh),
        cmocka_unit_test_setup(the_marks_of_an_icmp_error_are_not_the_flows, fresh),
        cmocka_unit_test_setup(time_exceeded_is_not_unreachable, fresh),
        cmocka_unit_test_setup(marked_data_lost, fresh),
        cmocka_unit_test_setup(marked_data_slow, fresh),
        cmocka_unit_test_setup(a_fin_does_not_hide_data, fresh),
        cmocka_unit_test_setup(an_ack_does_not_hide_data, fresh),
        cmocka_unit_test_setup(ladder_of_synacks, fresh),
        cmocka_unit_test_setup(marked_data_arrived, fresh),
        cmocka_unit_test_setup(sequence_numbers_wrap, fresh),
        cmocka_unit_test_setup(table_finds_both_directions, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
