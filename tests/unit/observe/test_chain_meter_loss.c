/* SPDX-License-Identifier: GPL-3.0-or-later
 * The flow meter: loss, reordering and retransmissions, told apart at one point of the path. */
#include "unit/observe/meter.h"

static void loss_that_stays(void **state)
{
    (void)state;
    handshake("", "");
    REV(20, "P. 1:101(100) ack 1");
    REV(21, "P. 201:301(100) ack 1");
    assert_int_equal(f.meter_lost_oct_rev, 100);
    assert_int_equal(f.meter_jump_rev, 1);
    assert_int_equal(f.meter_lost_oct_fwd, 0);
    REV(22, "P. 301:401(100) ack 1");
    assert_int_equal(f.meter_jump_rev, 1);
    assert_int_equal(f.meter_rtx_rev, 0);
    assert_int_equal(f.meter_reorder_rev, 0);
}

/* The first sending was lost before this point; what comes late is the second. */
static void loss_that_is_made_good(void **state)
{
    (void)state;
    handshake("", "");
    REV(20, "P. 1:101(100) ack 1");
    REV(21, "P. 201:301(100) ack 1");
    REV(36, "P. 101:201(100) ack 1"); /* later than the smallest RTT, 14 ms */
    assert_int_equal(f.meter_lost_oct_rev, 0);
    assert_int_equal(f.meter_rtx_rev, 1);
    assert_int_equal(f.meter_reorder_rev, 0);
}

static void reordering_by_time(void **state)
{
    (void)state;
    handshake("", "");
    REV(20, "P. 1:101(100) ack 1");
    REV(21, "P. 201:301(100) ack 1");
    REV(31, "P. 101:151(50) ack 1"); /* sooner than anything lost could have come again */
    assert_int_equal(f.meter_rtx_rev, 0);
    assert_int_equal(f.meter_reorder_rev, 1);
    REV(32, "P. 151:201(50) ack 1"); /* three quarters of 14 ms */
    assert_int_equal(f.meter_lost_oct_rev, 0);
    assert_int_equal(f.meter_rtx_rev, 1);
    assert_int_equal(f.meter_reorder_rev, 1);
    fresh(NULL); /* without a handshake: 3 ms */
    REV(20, "P. 1:101(100) ack 1");
    REV(21, "P. 201:301(100) ack 1");
    REV(23, "P. 151:201(50) ack 1");
    REV(25, "P. 101:151(50) ack 1");
    assert_int_equal(f.meter_reorder_rev, 1);
    assert_int_equal(f.meter_rtx_rev, 1);
}

/* Not since the newest: a lossy path opens gaps all the time. */
static void each_gap_has_its_time(void **state)
{
    (void)state;
    handshake("", "");
    REV(20, "P. 1:101(100) ack 1");
    REV(21, "P. 201:301(100) ack 1");
    REV(34, "P. 401:501(100) ack 1");
    REV(36, "P. 101:201(100) ack 1"); /* 15 ms after its gap, 2 after the other */
    assert_int_equal(f.meter_reorder_rev, 0);
    assert_int_equal(f.meter_rtx_rev, 1);
    REV(37, "P. 301:401(100) ack 1");
    assert_int_equal(f.meter_reorder_rev, 1);
    assert_int_equal(f.meter_rtx_rev, 1);
}

/* Whatever the times are: the time stamp tells which was sent first. */
static void reordering_by_time_stamp(void **state)
{
    (void)state;
    handshake("", "");
    REV(20, "P. 1:101(100) ack 1 <TS val 7 ecr 1>");
    REV(21, "P. 201:301(100) ack 1 <TS val 8 ecr 1>");
    REV(21, "P. 301:401(100) ack 1 <TS val 30 ecr 1>"); /* not right above the gap */
    REV(90, "P. 101:151(50) ack 1 <TS val 7 ecr 1>");
    assert_int_equal(f.meter_reorder_rev, 1);
    REV(90, "P. 401:501(100) ack 1 <TS val 30 ecr 1>");
    REV(91, "P. 601:701(100) ack 1 <TS val 31 ecr 1>");
    REV(91, "P. 501:601(100) ack 1 <TS val 32 ecr 1>");
    assert_int_equal(f.meter_rtx_rev, 1);
    REV(92, "P. 151:201(50) ack 1 <TS val 9 ecr 1>");
    assert_int_equal(f.meter_reorder_rev, 1);
    assert_int_equal(f.meter_rtx_rev, 2);
    assert_int_equal(f.meter_lost_oct_rev, 0);
}

/* The clock of time stamps is slow: sent in the same tick, as two of a burst or a retransmission
 * beside new data. So the time decides. */
static void the_same_time_stamp(void **state)
{
    (void)state;
    handshake("", "");
    REV(20, "P. 1:101(100) ack 1 <TS val 7 ecr 1>");
    REV(21, "P. 201:301(100) ack 1 <TS val 7 ecr 1>");
    REV(22, "P. 101:151(50) ack 1 <TS val 7 ecr 1>");
    assert_int_equal(f.meter_reorder_rev, 1);
    REV(36, "P. 151:201(50) ack 1 <TS val 7 ecr 1>");
    assert_int_equal(f.meter_reorder_rev, 1);
    assert_int_equal(f.meter_rtx_rev, 1);
}

static void retransmissions(void **state)
{
    (void)state;
    handshake("", "");
    FWD(20, "P. 1:101(100) ack 1");
    FWD(21, "P. 101:201(100) ack 1");
    FWD(40, "P. 1:101(100) ack 1");   /* whole */
    FWD(41, "P. 151:251(100) ack 1"); /* half of it: QoF's rule */
    assert_int_equal(f.meter_rtx_fwd, 2);
    assert_int_equal(f.meter_lost_oct_fwd, 0);
    assert_int_equal(f.meter_jump_fwd, 0);
    FWD(42, ". 1:1(0) ack 1"); /* no payload, nothing sent again */
    assert_int_equal(f.meter_rtx_fwd, 2);
}

/* Fills a gap and repeats what lies beside it. */
static void half_in_a_gap(void **state)
{
    (void)state;
    handshake("", "");
    REV(20, "P. 1:101(100) ack 1");
    REV(21, "P. 201:301(100) ack 1");
    REV(22, "P. 51:251(200) ack 1");
    assert_int_equal(f.meter_lost_oct_rev, 0);
    assert_int_equal(f.meter_rtx_rev, 1);
    assert_int_equal(f.meter_reorder_rev, 0);
}

static void a_gap_is_split(void **state)
{
    (void)state;
    handshake("", "");
    REV(20, "P. 1:101(100) ack 1");
    REV(21, "P. 401:501(100) ack 1");
    REV(22, "P. 201:301(100) ack 1");
    assert_int_equal(f.meter_lost_oct_rev, 200);
    REV(23, "P. 101:201(100) ack 1");
    REV(24, "P. 301:401(100) ack 1");
    assert_int_equal(f.meter_lost_oct_rev, 0);
    assert_int_equal(f.meter_jump_rev, 1);
    assert_int_equal(f.meter_reorder_rev, 3);
    REV(25, "P. 201:301(100) ack 1");
    assert_int_equal(f.meter_rtx_rev, 1);
}

static void numbers_wrap(void **state)
{
    (void)state;
    base_rev = UINT32_MAX - 150;
    base_fwd = UINT32_MAX - 20;
    handshake("", "");
    REV(20, "P. 1:101(100) ack 1");
    REV(21, "P. 201:301(100) ack 1");
    REV(22, "P. 101:201(100) ack 1");
    REV(50, "P. 101:201(100) ack 1");
    assert_int_equal(f.meter_lost_oct_rev, 0);
    assert_int_equal(f.meter_reorder_rev, 1);
    assert_int_equal(f.meter_rtx_rev, 1);
    FWD(52, ". 1:1(0) ack 101 win 500");
    FWD(53, ". 1:1(0) ack 301 win 500");
    assert_int_equal(f.meter_dupack_fwd, 0);
    assert_int_equal(f.meter_rtt_min_us, 14000);
}

/* A number from nowhere (another connection's, an attacker's) is no loss of gigabytes. */
static void a_wild_number(void **state)
{
    (void)state;
    handshake("", "");
    REV(20, "P. 1:101(100) ack 1");
    REV(21, "P. 1000000001:1000000101(100) ack 1");
    assert_int_equal(f.meter_lost_oct_rev, 0);
    assert_int_equal(f.meter_jump_rev, 1);
    REV(22, "P. 101:201(100) ack 1");
    assert_int_equal(f.meter_lost_oct_rev, 0);
    assert_int_equal(f.meter_rtx_rev, 0);
}

static void see_much(uint32_t seq, uint32_t bytes)
{
    struct recipe r;
    struct wire_view v = *recipe(&r, "P. 1:2(1) ack 1", base_rev, base_fwd);
    v.seq = base_rev + seq;
    v.payload_bytes = bytes;
    flow_packet(&f, &v, FLOW_REV, (rs_wall){INT64_C(1050000000)});
}

/* Half of all numbers on, "before" and "behind" a gap that stayed change places. */
static void a_gap_two_gigabytes_ago(void **state)
{
    (void)state;
    handshake("", "");
    REV(20, "P. 1:101(100) ack 1");
    REV(21, "P. 4101:4201(100) ack 1");
    assert_int_equal(f.meter_lost_oct_rev, 4000);
    for (uint32_t seq = 4201; seq < 0x80010000u; seq += 60000)
        see_much(seq, 60000);
    assert_int_equal(f.meter_lost_oct_rev, 4000);
    see_much(101 + 0x7fffffffu, 60000);
    assert_int_equal(f.meter_lost_oct_rev, 4000);
    assert_int_equal(f.meter_rtx_rev, 1);
}

static void an_rst_moves_nothing(void **state)
{
    (void)state;
    handshake("", "");
    REV(20, "R. 70001:70101(100) ack 900");
    REV(21, "P. 1:101(100) ack 1");
    assert_int_equal(f.meter_lost_oct_rev, 0);
    assert_int_equal(f.meter_jump_rev, 0);
    assert_int_equal(f.meter_dupack_rev, 0);
}

/* The ports are used again. What was lost before stays lost, and is not filled by the new one. */
static void syn_of_another_connection(void **state)
{
    (void)state;
    handshake("", "");
    REV(20, "P. 1:101(100) ack 1");
    REV(21, "P. 201:301(100) ack 1");
    base_rev += 100000;
    FWD(1000, "S 100000:100000(0)");
    REV(1010, "S. 0:0(0) ack 100001");
    REV(1020, "P. 1:101(100) ack 1");
    assert_int_equal(f.meter_jump_rev, 1);
    assert_int_equal(f.meter_lost_oct_rev, 100);
    assert_int_equal(f.meter_rtx_rev, 0);
}

static void two_gaps_are_filled_at_once(void **state)
{
    (void)state;
    handshake("", "");
    REV(20, "P. 1:101(100) ack 1");
    REV(21, "P. 201:301(100) ack 1");
    REV(22, "P. 401:501(100) ack 1");
    REV(23, "P. 101:401(300) ack 1");
    assert_int_equal(f.meter_lost_oct_rev, 0);
    assert_int_equal(f.meter_rtx_rev, 1);
}

/* Only one of the two has a time stamp: the times decide. */
static void one_time_stamp_tells_nothing(void **state)
{
    (void)state;
    handshake("", "");
    REV(20, "P. 1:101(100) ack 1 <TS val 7 ecr 1>");
    REV(21, "P. 201:301(100) ack 1");
    REV(22, "P. 101:201(100) ack 1 <TS val 7 ecr 1>");
    assert_int_equal(f.meter_reorder_rev, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(loss_that_stays),
        CASE(loss_that_is_made_good),
        CASE(reordering_by_time),
        CASE(each_gap_has_its_time),
        CASE(reordering_by_time_stamp),
        CASE(the_same_time_stamp),
        CASE(retransmissions),
        CASE(half_in_a_gap),
        CASE(a_gap_is_split),
        CASE(numbers_wrap),
        CASE(a_wild_number),
        CASE(a_gap_two_gigabytes_ago),
        CASE(an_rst_moves_nothing),
        CASE(syn_of_another_connection),
        CASE(two_gaps_are_filled_at_once),
        CASE(one_time_stamp_tells_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
