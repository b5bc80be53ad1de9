/* SPDX-License-Identifier: GPL-3.0-or-later
 * The flow meter with more holes open than it knows one by one: nothing that came is called lost,
 * and what fills a hole is told apart all the same. */
#include "unit/observe/meter.h"

#define SEGMENTS 600
#define HOLES    40
#define SEGMENT  10 /* bytes */
#define SPREAD   60 /* at most so many others overtake a segment */

/* Segment n of the server's, from 0. */
static void segment_at(int64_t us, unsigned n, const char *options)
{
    struct recipe r;
    char words[80];
    unsigned from = 1 + n * SEGMENT;
    snprintf(words, sizeof words, "P. %u:%u(%d) ack 1 %s", from, from + SEGMENT, SEGMENT, options);
    const struct wire_view *v = recipe(&r, words, base_rev, base_fwd);
    flow_packet(&f, v, FLOW_REV, (rs_wall){1000000000 + us * 1000});
}

static void ack_at(int ms, unsigned segments)
{
    char words[40];
    snprintf(words, sizeof words, ". 1:1(0) ack %u", 1 + segments * SEGMENT);
    FWD(ms, words);
}

/* Every other segment, from 0 on. */
static void open_holes(int64_t us, int64_t apart_us, const char *options)
{
    for (unsigned i = 0; i <= HOLES; i++)
        segment_at(us + i * apart_us, 2 * i, options);
    assert_int_equal(f.meter_lost_oct_rev, HOLES * SEGMENT);
    assert_int_equal(f.meter_jump_rev, HOLES);
}

/* Small steps of a fixed sequence (Numerical Recipes). */
static uint32_t draw(uint32_t *seed, uint32_t below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

static void holes_are_filled_upwards(void **state)
{
    (void)state;
    handshake("", "");
    open_holes(20000, 10, "");
    for (unsigned i = 0; i < HOLES; i++) {
        segment_at(34500 + i * 10, 2 * i + 1, "");
        assert_int_equal(f.meter_lost_oct_rev, (HOLES - 1 - i) * SEGMENT);
    }
    assert_int_equal(f.meter_rtx_rev, HOLES);
    assert_int_equal(f.meter_reorder_rev, 0);
}

static void holes_are_filled_downwards(void **state)
{
    (void)state;
    handshake("", "");
    open_holes(20000, 10, "");
    for (unsigned i = HOLES; i-- > 0;) {
        segment_at(21000, 2 * i + 1, "");
        assert_int_equal(f.meter_lost_oct_rev, i * SEGMENT);
    }
    assert_int_equal(f.meter_reorder_rev, HOLES);
    assert_int_equal(f.meter_rtx_rev, 0);
}

static uint32_t missing_below(const bool *came, unsigned highest)
{
    uint32_t bytes = 0;
    for (unsigned i = 0; i < highest; i++)
        bytes += came[i] ? 0 : SEGMENT;
    return bytes;
}

/* All segments come, overtaken by others; some come twice if wanted. */
static void any_order(bool twice, bool acked, uint32_t seed)
{
    bool came[SEGMENTS] = {false};
    uint32_t due[SEGMENTS];
    unsigned highest = 0, in_order = 0;
    for (unsigned i = 0; i < SEGMENTS; i++)
        due[i] = i + draw(&seed, SPREAD);
    for (unsigned at = 0; at < SEGMENTS + SPREAD; at++) {
        for (unsigned i = 0; i < SEGMENTS; i++) {
            if (due[i] != at)
                continue;
            segment_at(20000 + at, i, "");
            came[i] = true;
            highest = i > highest ? i : highest;
        }
        unsigned again = draw(&seed, SEGMENTS);
        if (twice && came[again])
            segment_at(20000 + at, again, "");
        while (in_order < SEGMENTS && came[in_order])
            in_order++;
        if (acked)
            ack_at(20, in_order);
        uint32_t missing = missing_below(came, highest);
        assert_true(f.meter_lost_oct_rev <= missing);
        if (!twice)
            assert_int_equal(f.meter_lost_oct_rev, missing);
    }
    assert_int_equal(in_order, SEGMENTS);
    assert_int_equal(f.meter_lost_oct_rev, 0);
}

static void what_came_is_not_lost(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 40; seed++) {
        fresh(NULL);
        base_rev = UINT32_MAX - seed * 300; /* numbers wrap */
        handshake("", "");
        any_order(seed % 4 >= 2, seed % 2, seed);
    }
}

static void what_never_comes_stays_lost(void **state)
{
    (void)state;
    handshake("", "");
    open_holes(20000, 10, "");
    for (unsigned i = 0; i < HOLES; i += 4)
        segment_at(35000, 2 * i + 1, "");
    assert_int_equal(f.meter_lost_oct_rev, HOLES * SEGMENT * 3 / 4);
    assert_int_equal(f.meter_rtx_rev, HOLES / 4);
}

/* Bytes that come twice may stand for missing ones between older holes, but not for one of the
 * newest, and not for more than are missing. */
static void what_comes_twice(void **state)
{
    (void)state;
    handshake("", "");
    open_holes(20000, 10, "");
    for (unsigned i = HOLES - 3; i <= HOLES; i++)
        segment_at(35000, 2 * i, "");
    assert_int_equal(f.meter_lost_oct_rev, HOLES * SEGMENT);
    assert_int_equal(f.meter_rtx_rev, 4);
    REV(36, "P. 41:44(3) ack 1");
    for (unsigned n = 0; n < 4 * HOLES; n++)
        segment_at(36000, 2 + n % (HOLES), "");
    assert_true(f.meter_lost_oct_rev < HOLES * SEGMENT);
    assert_true(f.meter_lost_oct_rev >= METER_GAPS * SEGMENT);
    for (unsigned i = 0; i < HOLES; i++)
        segment_at(37000, 2 * i + 1, "");
    assert_int_equal(f.meter_lost_oct_rev, 0);
}

/* Of an old hole that is filled from below on, the lower part is known to be there. */
static void a_wide_old_hole(void **state)
{
    (void)state;
    handshake("", "");
    segment_at(20000, 0, "");
    for (unsigned i = 0; i <= HOLES; i++)
        segment_at(20000, 10 + 2 * i, "");
    for (unsigned twice = 0; twice < 2; twice++)
        for (unsigned i = 1; i < 5; i++)
            segment_at(35000, i, "");
    assert_int_equal(f.meter_lost_oct_rev, (HOLES + 9 - 4) * SEGMENT);
    assert_int_equal(f.meter_rtx_rev, 8);
}

/* The receiver has it: the capture missed it, and what is sent again is something else. */
static void acknowledged_holes_are_not_filled(void **state)
{
    (void)state;
    handshake("", "");
    open_holes(20000, 10, "");
    ack_at(30, 2 * HOLES + 1);
    segment_at(31000, 2 * HOLES + 2, ""); /* the oldest that are known make room */
    for (unsigned i = 0; i <= HOLES; i++)
        segment_at(63000, 2 * i, "");
    assert_int_equal(f.meter_lost_oct_rev, (HOLES + 1) * SEGMENT);
    assert_int_equal(f.meter_rtx_rev, HOLES + 1);
}

/* Four segments are left between the older holes, two of them missing. */
static void most_holes_are_acknowledged(void **state)
{
    (void)state;
    handshake("", "");
    open_holes(20000, 10, "");
    unsigned old = HOLES + 1 - METER_GAPS;
    ack_at(30, 2 * old - 4);
    segment_at(31000, 2 * HOLES + 2, "");
    for (unsigned i = 0; i < HOLES; i++)
        segment_at(63000, 2 * old - 2, "");
    assert_in_range(f.meter_lost_oct_rev, (HOLES + 1 - 4) * SEGMENT, (HOLES + 1 - 2) * SEGMENT);
}

/* Nor does an RTT wait for them. */
static void rtt_beside_a_hole_in_the_capture(void **state)
{
    (void)state;
    handshake("", "");
    segment_at(20000, 0, "");
    segment_at(20000, 2, "");
    ack_at(30, 3);
    segment_at(40000, 3, "");
    ack_at(47, 4);
    assert_int_equal(f.meter_rtt_last_us, 17000);
}

static void a_split_among_full_gaps(void **state)
{
    (void)state;
    for (unsigned wide = 0; wide < METER_GAPS; wide++) {
        unsigned n = 0;
        fresh(NULL);
        handshake("", "");
        for (unsigned i = 0; i <= METER_GAPS; i++) { /* gaps of three segments */
            segment_at(20000, n, "");
            n += 4;
        }
        assert_int_equal(f.meter_lost_oct_rev, METER_GAPS * 3 * SEGMENT);
        for (unsigned i = 0; i < METER_GAPS; i++) /* the middle ones, from `wide` on */
            segment_at(21000, 4 * ((i + wide) % METER_GAPS) + 2, "");
        assert_int_equal(f.meter_lost_oct_rev, METER_GAPS * 2 * SEGMENT);
        for (unsigned i = 0; i < METER_GAPS; i++) {
            segment_at(22000, 4 * i + 3, "");
            segment_at(22000, 4 * i + 1, "");
        }
        assert_int_equal(f.meter_lost_oct_rev, 0);
        assert_int_equal(f.meter_reorder_rev, METER_GAPS * 3);
    }
}

/* Two bursts with a pause between: holes of the first are filled by what was sent again, while
 * those of the second are filled by what was overtaken. */
static void a_pause_between_old_holes(void **state)
{
    (void)state;
    handshake("", "");
    for (unsigned i = 0; i < 2 * HOLES; i++) /* most holes lie in the first burst */
        segment_at(i < HOLES + 20 ? 20000 : 34000, 2 * i, "");
    for (unsigned i = 0; i < HOLES + 19; i++)
        segment_at(35000, 2 * i + 1, "");
    assert_int_equal(f.meter_reorder_rev, 0);
    assert_int_equal(f.meter_rtx_rev, HOLES + 19);
    for (unsigned i = HOLES + 19; i < 2 * HOLES - 1; i++)
        segment_at(36000, 2 * i + 1, "");
    assert_int_equal(f.meter_lost_oct_rev, 0);
    assert_int_equal(f.meter_rtx_rev, HOLES + 19);
    assert_int_equal(f.meter_reorder_rev, HOLES - 20);
}

/* The longest pause is over, its holes filled; then there is another. */
static void a_shorter_pause_later(void **state)
{
    (void)state;
    handshake("", "");
    for (unsigned i = 0; i < 30; i++)
        segment_at(i < 10 ? 20000 : 28000, 2 * i, "");
    for (unsigned i = 0; i < 13; i++)
        segment_at(33000, 2 * i + 1, "");
    ack_at(33, 27);
    for (unsigned i = 30; i < 50; i++)
        segment_at(34000, 2 * i, "");
    uint32_t reorder = f.meter_reorder_rev, rtx = f.meter_rtx_rev;
    for (unsigned i = 13; i < 29; i++)
        segment_at(39000, 2 * i + 1, "");
    assert_int_equal(f.meter_rtx_rev, rtx + 16);
    for (unsigned i = 29; i < 49; i++)
        segment_at(40000, 2 * i + 1, "");
    assert_int_equal(f.meter_reorder_rev, reorder + 20);
    assert_int_equal(f.meter_lost_oct_rev, 0);
}

/* A hole each half millisecond, filled so many of them later. */
static void fill_steadily(unsigned later)
{
    fresh(NULL);
    handshake("", "");
    for (unsigned i = 0; i < 4 * HOLES + later; i++) {
        if (i <= 4 * HOLES)
            segment_at(20000 + i * 500, 2 * i, "");
        if (i > later)
            segment_at(20000 + i * 500, 2 * (i - later) - 1, "");
        if (i > later + 8 && i % 2 == 0) /* 4 ms to the receiver and back */
            ack_at(20 + (int)i / 2, 2 * (i - 8 - later) + 1);
    }
}

static void old_holes_have_their_time(void **state)
{
    (void)state;
    fill_steadily(18); /* three quarters of 14 ms are 21, and time is known roughly */
    assert_int_equal(f.meter_reorder_rev, 4 * HOLES - 1);
    fill_steadily(24);
    assert_int_equal(f.meter_rtx_rev, 4 * HOLES - 1);
}

static void time_stamps_of_old_holes(void **state)
{
    (void)state;
    handshake("", "");
    open_holes(20000, 10, "<TS val 7 ecr 1>");
    segment_at(90000, 1, "<TS val 6 ecr 1>");
    segment_at(90000, 5, "<TS val 6 ecr 1>");
    assert_int_equal(f.meter_reorder_rev, 2);
    segment_at(21000, 3, "<TS val 8 ecr 1>");
    assert_int_equal(f.meter_rtx_rev, 1);
    segment_at(21000, 7, "<TS val 7 ecr 1>"); /* the same tick: by time */
    assert_int_equal(f.meter_reorder_rev, 3);
}

static void see_gigabytes(uint32_t *seq, uint32_t gigabytes)
{
    struct recipe r;
    struct wire_view v = *recipe(&r, "P. 1:2(1) ack 1", base_rev, base_fwd);
    v.payload_bytes = 60000;
    for (uint32_t i = 0; i < gigabytes * 17896; i++, *seq += 60000) {
        v.seq = base_rev + *seq;
        flow_packet(&f, &v, FLOW_REV, (rs_wall){INT64_C(1050000000)});
    }
}

/* Once around all numbers: what lies there now is not what was missing then. */
static void holes_of_long_ago(void **state)
{
    (void)state;
    handshake("", "");
    open_holes(20000, 10, "");
    uint32_t seq = 1 + (2 * HOLES + 1) * SEGMENT;
    see_gigabytes(&seq, 4);
    uint32_t rtx = f.meter_rtx_rev;
    for (unsigned i = 0; i <= 2 * HOLES; i++)
        segment_at(60000, i, "");
    assert_int_equal(f.meter_lost_oct_rev, HOLES * SEGMENT);
    assert_int_equal(f.meter_rtx_rev, rtx + 2 * HOLES + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(holes_are_filled_upwards),
        CASE(holes_are_filled_downwards),
        CASE(what_came_is_not_lost),
        CASE(what_never_comes_stays_lost),
        CASE(what_comes_twice),
        CASE(a_wide_old_hole),
        CASE(acknowledged_holes_are_not_filled),
        CASE(most_holes_are_acknowledged),
        CASE(rtt_beside_a_hole_in_the_capture),
        CASE(a_split_among_full_gaps),
        CASE(a_pause_between_old_holes),
        CASE(a_shorter_pause_later),
        CASE(old_holes_have_their_time),
        CASE(time_stamps_of_old_holes),
        CASE(holes_of_long_ago),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
