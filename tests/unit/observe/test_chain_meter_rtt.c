/* SPDX-License-Identifier: GPL-3.0-or-later
 * The flow meter: round-trip times, and when there is none to be had. */
#include "unit/observe/meter.h"

static void syn_again(void **state)
{
    (void)state;
    FWD(0, "S 0:0(0)");
    FWD(1000, "S 0:0(0)");
    REV(1010, "S. 0:0(0) ack 1");
    REV(2010, "S. 0:0(0) ack 1");
    FWD(2014, ". 1:1(0) ack 1");
    FWD(2015, "P. 1:11(10) ack 1");
    assert_int_equal(f.meter_rtx_fwd, 0); /* of payload: tcp_syn_count tells of SYNs */
    assert_int_equal(f.meter_jump_fwd, 0);
    assert_int_equal(f.meter_lost_oct_fwd, 0);
    assert_int_equal(f.meter_dupack_rev, 0);
    assert_true(f.meter_rtt_min_us < 0); /* RFC 6298 3 (Karn), both ways */
}

static void rtt_of_the_handshake(void **state)
{
    (void)state;
    FWD(0, "S 0:0(0)");
    REV(10, "S. 0:0(0) ack 1");
    assert_true(f.meter_rtt_min_us < 0); /* one side of this point only */
    FWD(14, ". 1:1(0) ack 1");
    assert_int_equal(f.meter_rtt_min_us, 14000);
    assert_int_equal(f.meter_rtt_last_us, 14000);
}

static void rtt_of_data(void **state)
{
    (void)state;
    handshake("", "");
    FWD(20, "P. 1:101(100) ack 1");
    FWD(21, "P. 101:201(100) ack 1"); /* one at a time: the first is timed */
    REV(28, ". 1:1(0) ack 101");      /* 8 + 4 */
    REV(32, ". 1:1(0) ack 201");
    assert_int_equal(f.meter_rtt_min_us, 12000);
    assert_int_equal(f.meter_rtt_last_us, 12000);
    FWD(40, "P. 201:301(100) ack 1");
    REV(70, ". 1:1(0) ack 250"); /* not all of it */
    REV(75, ". 1:1(0) ack 301"); /* 35 + 4 */
    REV(80, ". 1:1(0) ack 301");
    assert_int_equal(f.meter_rtt_min_us, 12000);
    assert_int_equal(f.meter_rtt_last_us, 39000);
}

static void no_rtt_by_what_was_sent_twice(void **state)
{
    (void)state;
    handshake("", "");
    FWD(20, "P. 1:101(100) ack 1");
    FWD(320, "P. 1:101(100) ack 1");
    REV(321, ". 1:1(0) ack 101");
    assert_int_equal(f.meter_rtt_min_us, 14000);
    assert_int_equal(f.meter_rtt_last_us, 14000);
    FWD(330, "P. 101:201(100) ack 1"); /* and on it goes */
    REV(337, ". 1:1(0) ack 201");
    assert_int_equal(f.meter_rtt_last_us, 11000);
}

/* What was lost below holds the acknowledgement of the timed segment up. */
static void no_rtt_behind_a_loss(void **state)
{
    (void)state;
    handshake("", "");
    FWD(20, "P. 1:101(100) ack 1");
    REV(30, ". 1:1(0) ack 101");
    FWD(31, "P. 201:301(100) ack 1"); /* 101..201 was lost before this point */
    FWD(350, "P. 101:201(100) ack 1");
    REV(360, ". 1:1(0) ack 301");
    assert_int_equal(f.meter_rtt_last_us, 14000);
}

/* RFC 7323 4.1: the echo says which of two was answered. */
static void rtt_told_by_the_time_stamp(void **state)
{
    (void)state;
    FWD(0, "S 0:0(0) <TS val 100 ecr 0>");
    FWD(1000, "S 0:0(0) <TS val 1100 ecr 0>");
    REV(1010, "S. 0:0(0) ack 1 <TS val 5 ecr 100>"); /* a slow answer to the first */
    FWD(1014, ". 1:1(0) ack 1 <TS val 1114 ecr 5>");
    assert_int_equal(f.meter_rtt_min_us, 1014000);
    FWD(2000, "P. 1:101(100) ack 1 <TS val 2100 ecr 5>");
    FWD(2300, "P. 1:101(100) ack 1 <TS val 2400 ecr 5>");
    REV(2310, ". 1:1(0) ack 101 <TS val 6 ecr 2400>"); /* the second */
    assert_int_equal(f.meter_rtt_last_us, 1014000);
    FWD(3000, "P. 101:201(100) ack 1 <TS val 3100 ecr 6>");
    FWD(3001, "P. 101:201(100) ack 1 <TS val 3100 ecr 6>"); /* a copy: nobody can tell */
    REV(3010, ". 1:1(0) ack 201 <TS val 7 ecr 3100>");
    assert_int_equal(f.meter_rtt_last_us, 1014000);
}

/* A side that only acknowledges is timed by its time stamps, for the minimum. */
static void rtt_of_pure_acks(void **state)
{
    (void)state;
    handshake("<TS val 100 ecr 0>", "<TS val 5 ecr 100>");
    REV(20, "P. 1:101(100) ack 1 <TS val 15 ecr 100>");
    FWD(24, ". 1:1(0) ack 101 <TS val 124 ecr 15>");
    FWD(25, ". 1:1(0) ack 101 <TS val 124 ecr 15>"); /* the same stamp: the first counts */
    REV(30, "P. 101:201(100) ack 1 <TS val 30 ecr 124>");
    assert_int_equal(f.meter_rtt_min_us, 10000); /* 6 + 4 */
    assert_int_equal(f.meter_rtt_last_us, 14000);
    FWD(34, ". 1:1(0) ack 201 <TS val 134 ecr 30>");
    REV(39, ". 201:201(0) ack 1 <TS val 39 ecr 133>"); /* not yet its answer */
    REV(90, "P. 201:301(100) ack 1 <TS val 90 ecr 134>");
    assert_int_equal(f.meter_rtt_min_us, 10000);
    FWD(94, ". 1:1(0) ack 301 <TS val 194 ecr 90>");
    FWD(95, ". 1:1(0) ack 301 <TS val 195 ecr 90>");
    REV(96, "P. 301:401(100) ack 1 <TS val 96 ecr 195>"); /* a newer one's: nothing is known */
    assert_int_equal(f.meter_rtt_min_us, 10000);
}

static void rtt_of_a_fin(void **state)
{
    (void)state;
    handshake("", "");
    FWD(20, "F. 1:1(0) ack 1");
    REV(26, ". 1:1(0) ack 2");
    assert_int_equal(f.meter_rtt_last_us, 10000);
}

static void a_clock_that_goes_back(void **state)
{
    (void)state;
    handshake("", "");
    FWD(5000, "P. 1:101(100) ack 1");
    REV(30, ". 1:1(0) ack 101");
    assert_int_equal(f.meter_rtt_min_us, 14000);
    assert_int_equal(f.meter_rtt_last_us, 14000);
}

static void an_old_ack_spoils_nothing(void **state)
{
    (void)state;
    handshake("", "");
    FWD(20, "P. 1:101(100) ack 1");
    FWD(21, ". 1:1(0) ack 1");
    REV(27, ". 1:1(0) ack 101");
    assert_int_equal(f.meter_rtt_last_us, 11000);
}

/* Sent again though it had arrived: whatever is said then is no answer to it. */
static void no_rtt_by_a_needless_retransmission(void **state)
{
    (void)state;
    handshake("", "");
    FWD(20, "P. 1:101(100) ack 1");
    REV(30, ". 1:1(0) ack 101");
    FWD(40, "P. 1:101(100) ack 1");
    REV(41, ". 1:1(0) ack 101");
    assert_int_equal(f.meter_rtt_min_us, 14000);
    FWD(50, "P. 201:301(100) ack 1"); /* nor while something is missing */
    REV(51, ". 1:1(0) ack 301");
    assert_int_equal(f.meter_rtt_min_us, 14000);
}

static void the_last_rtt_needs_both_sides(void **state)
{
    (void)state;
    REV(20, "P. 1:101(100) ack 1 <TS val 15 ecr 100>");
    FWD(24, ". 1:1(0) ack 101 <TS val 124 ecr 15>");
    REV(30, "P. 101:201(100) ack 1 <TS val 30 ecr 124>");
    assert_int_equal(f.meter_rtt_min_us, 10000);
    assert_true(f.meter_rtt_last_us < 0);
    fresh(NULL);
    FWD(20, "P. 1:101(100) ack 1 <TS val 15 ecr 100>");
    REV(24, ". 1:1(0) ack 101 <TS val 124 ecr 15>");
    FWD(30, "P. 101:201(100) ack 1 <TS val 30 ecr 124>");
    assert_int_equal(f.meter_rtt_min_us, 10000);
    assert_true(f.meter_rtt_last_us < 0);
}

static void a_stamp_is_timed_once(void **state)
{
    (void)state;
    handshake("<TS val 100 ecr 0>", "<TS val 5 ecr 100>");
    FWD(20, ". 1:1(0) ack 1 <TS val 120 ecr 5>");
    REV(29, "P. 1:11(10) ack 1 <TS val 29 ecr 120>"); /* 9 + 4 */
    FWD(33, ". 1:1(0) ack 11 <TS val 120 ecr 29>");   /* a slow clock: the same stamp */
    REV(34, "P. 11:21(10) ack 1 <TS val 34 ecr 120>");
    assert_int_equal(f.meter_rtt_min_us, 13000);
    FWD(40, ". 1:1(0) ack 21 <TS val 140 ecr 34>");
    REV(47, "P. 21:31(10) ack 1 <TS val 47 ecr 140>"); /* 7 + 4 */
    assert_int_equal(f.meter_rtt_min_us, 11000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(syn_again),
        CASE(rtt_of_the_handshake),
        CASE(rtt_of_data),
        CASE(no_rtt_by_what_was_sent_twice),
        CASE(no_rtt_behind_a_loss),
        CASE(rtt_told_by_the_time_stamp),
        CASE(rtt_of_pure_acks),
        CASE(rtt_of_a_fin),
        CASE(a_clock_that_goes_back),
        CASE(an_old_ack_spoils_nothing),
        CASE(no_rtt_by_a_needless_retransmission),
        CASE(the_last_rtt_needs_both_sides),
        CASE(a_stamp_is_timed_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
