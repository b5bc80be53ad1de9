/* SPDX-License-Identifier: GPL-3.0-or-later
 * The wheel against its promises: never early, late by at most a tick of wheel_pop's calls, none
 * lost, however far the timers or long the sleeps. */
#include "unit/base/run.h"

#include "base/hash.h"
#include "base/wheel.h"

#define TURN ((uint64_t)WHEEL_SLOTS * WHEEL_TICK)

static struct wheel wheel; /* 128 KiB: not for the stack */

static rs_mono at(uint64_t ns)
{
    return (rs_mono){ns};
}

static unsigned due(uint64_t now)
{
    unsigned n = 0;
    while (wheel_pop(&wheel, at(now)) != NULL)
        n++;
    return n;
}

static void one_timer(uint64_t start, uint64_t deadline, struct wheel_timer *t)
{
    wheel_init(&wheel, at(start));
    wheel_timer_init(t);
    wheel_arm(&wheel, t, at(deadline));
}

static void never_early_even_within_a_tick(void **state)
{
    (void)state;
    struct wheel_timer t;
    one_timer(0, 5 * RS_MS + 500, &t);
    assert_null(wheel_pop(&wheel, at(5 * RS_MS)));
    assert_null(wheel_pop(&wheel, at(5 * RS_MS + 499)));
    assert_ptr_equal(wheel_pop(&wheel, at(5 * RS_MS + 500)), &t);
    assert_null(wheel_pop(&wheel, at(9 * RS_MS)));
    assert_true(t.at.ns == UINT64_MAX);
    assert_int_equal(wheel.armed, 0);
}

static void earlier_ticks_come_first(void **state)
{
    (void)state;
    struct wheel_timer t[4];
    const uint64_t deadline[4] = {30 * RS_MS, 10 * RS_MS, 20 * RS_MS, 5 * RS_MS};
    wheel_init(&wheel, at(0));
    for (int i = 0; i < 4; i++) {
        wheel_timer_init(&t[i]);
        wheel_arm(&wheel, &t[i], at(deadline[i]));
    }
    assert_ptr_equal(wheel_pop(&wheel, at(50 * RS_MS)), &t[3]);
    assert_ptr_equal(wheel_pop(&wheel, at(50 * RS_MS)), &t[1]);
    assert_ptr_equal(wheel_pop(&wheel, at(50 * RS_MS)), &t[2]);
    assert_ptr_equal(wheel_pop(&wheel, at(50 * RS_MS)), &t[0]);
    assert_null(wheel_pop(&wheel, at(50 * RS_MS)));
}

static void a_deadline_in_the_past_is_due_at_once(void **state)
{
    (void)state;
    struct wheel_timer t;
    wheel_init(&wheel, at(100 * RS_SEC));
    assert_int_equal(due(100 * RS_SEC), 0);
    wheel_timer_init(&t);
    wheel_arm(&wheel, &t, at(3 * RS_SEC));
    assert_ptr_equal(wheel_pop(&wheel, at(100 * RS_SEC)), &t);
}

static void far_timers_wait_further_turns(void **state)
{
    (void)state;
    struct wheel_timer t;
    uint64_t deadline = 3 * TURN + 7 * RS_MS;
    one_timer(0, deadline, &t);
    for (uint64_t now = 0; now < deadline; now += 50 * RS_MS)
        assert_int_equal(due(now), 0);
    assert_int_equal(due(deadline), 1);
}

static void nothing_is_lost_in_a_long_sleep(void **state)
{
    (void)state;
    enum { N = 500 };
    static struct wheel_timer t[N];
    wheel_init(&wheel, at(0));
    for (unsigned i = 0; i < N; i++) {
        wheel_timer_init(&t[i]);
        wheel_arm(&wheel, &t[i], at((uint64_t)i * 97 * RS_MS)); /* up to 48 s: six turns */
    }
    assert_int_equal(due(10 * TURN), N);
    assert_int_equal(wheel.armed, 0);
}

static void a_long_sleep_wakes_only_what_is_due(void **state)
{
    (void)state;
    struct wheel_timer t[2];
    one_timer(0, 2 * TURN, &t[0]);
    wheel_timer_init(&t[1]);
    wheel_arm(&wheel, &t[1], at(20 * TURN + 5 * RS_MS));
    assert_ptr_equal(wheel_pop(&wheel, at(20 * TURN)), &t[0]);
    assert_null(wheel_pop(&wheel, at(20 * TURN)));
    assert_ptr_equal(wheel_pop(&wheel, at(20 * TURN + 5 * RS_MS)), &t[1]);
}

static void idle_wheel_catches_up(void **state)
{
    (void)state;
    struct wheel_timer t;
    wheel_init(&wheel, at(0));
    assert_int_equal(due(1000 * TURN), 0);
    wheel_timer_init(&t);
    wheel_arm(&wheel, &t, at(1000 * TURN + RS_MS));
    assert_int_equal(due(1000 * TURN), 0);
    assert_int_equal(due(1000 * TURN + RS_MS), 1);
}

static void moved_and_cancelled(void **state)
{
    (void)state;
    struct wheel_timer t;
    one_timer(0, 10 * RS_MS, &t);
    wheel_arm(&wheel, &t, at(40 * RS_MS)); /* later */
    assert_int_equal(due(39 * RS_MS), 0);
    wheel_arm(&wheel, &t, at(40 * RS_MS + 900)); /* within the tick */
    assert_int_equal(due(40 * RS_MS), 0);
    wheel_arm(&wheel, &t, RS_NEVER);
    assert_int_equal(wheel.armed, 0);
    assert_int_equal(due(100 * RS_MS), 0);
    wheel_arm(&wheel, &t, RS_NEVER); /* cancelling twice is fine */
    assert_int_equal(wheel.armed, 0);
    wheel_arm(&wheel, &t, at(101 * RS_MS)); /* and it can be armed again */
    assert_int_equal(due(101 * RS_MS), 1);
}

static void a_timer_far_past_is_moved_within_its_tick(void **state)
{
    (void)state;
    struct wheel_timer t;
    wheel_init(&wheel, at(50 * RS_MS));
    wheel_timer_init(&t);
    wheel_arm(&wheel, &t, at(RS_MS)); /* in the past: waits in the slot of now */
    wheel_arm(&wheel, &t, at(RS_MS + 5));
    assert_int_equal(due(50 * RS_MS), 1);
}

/* Random deadlines, moves and sleeps against a plain array. */
static void agrees_with_a_plain_array(void **state)
{
    (void)state;
    enum { N = 200 };
    static struct wheel_timer t[N];
    static uint64_t deadline[N];
    struct rs_rand r;
    rs_rand_seed(&r, 1);
    uint64_t now = 0;
    wheel_init(&wheel, at(now));
    for (unsigned i = 0; i < N; i++) {
        wheel_timer_init(&t[i]);
        deadline[i] = UINT64_MAX;
    }
    for (int step = 0; step < 4000; step++) {
        unsigned i = (unsigned)rs_rand_below(&r, N);
        deadline[i] = rs_rand_below(&r, 10) == 0 ? UINT64_MAX : now + rs_rand_below(&r, 3 * TURN);
        wheel_arm(&wheel, &t[i], at(deadline[i]));
        now += rs_rand_below(&r, step % 100 == 0 ? 2 * TURN : 40 * RS_MS);
        struct wheel_timer *fired;
        while ((fired = wheel_pop(&wheel, at(now))) != NULL) {
            assert_true(deadline[fired - t] <= now);
            deadline[fired - t] = UINT64_MAX;
        }
        for (unsigned k = 0; k < N; k++)
            assert_true(deadline[k] > now);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(never_early_even_within_a_tick),
        cmocka_unit_test(earlier_ticks_come_first),
        cmocka_unit_test(a_deadline_in_the_past_is_due_at_once),
        cmocka_unit_test(far_timers_wait_further_turns),
        cmocka_unit_test(nothing_is_lost_in_a_long_sleep),
        cmocka_unit_test(a_long_sleep_wakes_only_what_is_due),
        cmocka_unit_test(idle_wheel_catches_up),
        cmocka_unit_test(moved_and_cancelled),
        cmocka_unit_test(a_timer_far_past_is_moved_within_its_tick),
        cmocka_unit_test(agrees_with_a_plain_array),
    };
    return UNIT_RUN(tests);
}
