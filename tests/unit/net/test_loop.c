/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/loop.h"

struct seen {
    struct loop *loop;
    char order[64];
    int pipe[2];
    int id;
    unsigned reads, wakes, turns, stop_after;
    rs_mono woken_at;
};

static void note(struct seen *s, char what)
{
    size_t n = strlen(s->order);
    if (n + 1 < sizeof s->order)
        s->order[n] = what;
}

static void readable(void *ctx)
{
    struct seen *s = ctx;
    char byte;
    assert_int_equal(read(s->pipe[0], &byte, 1), 1);
    s->reads++;
    note(s, 'r');
}

static void wake(void *ctx)
{
    struct seen *s = ctx;
    s->wakes++;
    s->woken_at = clock_mono();
    note(s, 'w');
}

static void turn(void *ctx)
{
    struct seen *s = ctx;
    note(s, 't');
    if (++s->turns == s->stop_after)
        loop_stop(s->loop);
}

static void caught(void *ctx, int signo)
{
    struct seen *s = ctx;
    assert_int_equal(signo, SIGUSR1);
    note(s, 's');
}

static int set_up(void **state)
{
    static struct seen s;
    struct rs_err err;
    memset(&s, 0, sizeof s);
    s.loop = loop_new(&err);
    assert_non_null(s.loop);
    assert_int_equal(pipe(s.pipe), 0);
    s.id = loop_watch(s.loop, s.pipe[0], readable, &s);
    assert_true(s.id >= 0);
    loop_on_wake(s.loop, wake, &s);
    loop_on_turn(s.loop, turn, &s);
    s.stop_after = 1;
    *state = &s;
    return 0;
}

static int tear_down(void **state)
{
    struct seen *s = *state;
    loop_free(s->loop);
    close(s->pipe[0]);
    close(s->pipe[1]);
    return 0;
}

static void readers_then_wake_then_turn(void **state)
{
    struct seen *s = *state;
    assert_int_equal(write(s->pipe[1], "x", 1), 1);
    loop_wake_at(s->loop, (rs_mono){0});
    loop_run(s->loop);
    assert_string_equal(s->order, "rwt");
}

static void timer_is_never_early_and_not_a_millisecond_late(void **state)
{
    struct seen *s = *state;
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 20; i++) {
        rs_mono at = rs_mono_add(clock_mono(), 300 * RS_US);
        s->turns = 0;
        loop_wake_at(s->loop, at);
        loop_run(s->loop);
        assert_int_equal(s->wakes, i + 1);
        assert_true(s->woken_at.ns >= at.ns);
        uint64_t late = rs_mono_diff(s->woken_at, at);
        best = late < best ? late : best;
    }
    assert_true(best < RS_MS); /* the best of 20: the machine may be busy */
}

static void the_timer_moves_and_goes(void **state)
{
    struct seen *s = *state;
    rs_mono now = clock_mono();
    loop_wake_at(s->loop, rs_mono_add(now, 2 * RS_MS));
    loop_wake_at(s->loop, rs_mono_add(now, 20 * RS_MS));
    loop_run(s->loop);
    assert_true(s->woken_at.ns >= now.ns + 20 * RS_MS);
    loop_wake_at(s->loop, rs_mono_add(clock_mono(), RS_MS));
    loop_wake_at(s->loop, RS_NEVER);
    assert_int_equal(write(s->pipe[1], "x", 1), 1);
    s->turns = 0;
    loop_run(s->loop);
    assert_int_equal(s->wakes, 1);
}

static void paused_readers_wait(void **state)
{
    struct seen *s = *state;
    assert_int_equal(write(s->pipe[1], "x", 1), 1);
    loop_pause(s->loop, s->id);
    loop_wake_at(s->loop, clock_mono());
    loop_run(s->loop);
    assert_int_equal(s->reads, 0);
    loop_resume(s->loop, s->id);
    s->turns = 0;
    loop_run(s->loop);
    assert_int_equal(s->reads, 1);
    loop_unwatch(s->loop, s->id);
    loop_unwatch(s->loop, s->id);
    loop_unwatch(s->loop, 12345);
    assert_int_equal(loop_watch(s->loop, s->pipe[0], readable, s), s->id); /* ids are used again */
}

static void signals_arrive_in_the_loop(void **state)
{
    struct seen *s = *state;
    assert_int_equal(loop_signal(s->loop, SIGUSR1, caught, s), 0);
    assert_int_equal(loop_signal(s->loop, 0, caught, s), -RS_EINVAL);
    raise(SIGUSR1);
    loop_run(s->loop);
    assert_non_null(strchr(s->order, 's'));
}

static void count_only(void *ctx)
{
    ++*(unsigned *)ctx;
}

static void plain_files_are_readable(void **state)
{
    struct seen *s = *state;
    unsigned reads = 0;
    int fd = open("/proc/self/exe", O_RDONLY);
    assert_true(fd >= 0);
    int id = loop_watch(s->loop, fd, count_only, &reads);
    loop_run(s->loop);
    assert_true(reads >= 1);
    loop_unwatch(s->loop, id);
    close(fd);
}

static void many_watches(void **state)
{
    struct seen *s = *state;
    unsigned reads = 0;
    int ids[40];
    assert_int_equal(write(s->pipe[1], "x", 1), 1);
    loop_unwatch(s->loop, s->id);
    for (int i = 0; i < 40; i++)
        assert_true((ids[i] = loop_watch(s->loop, s->pipe[0], count_only, &reads)) >= 0);
    loop_run(s->loop);
    assert_int_equal(reads, 40);
    for (int i = 0; i < 40; i += 2)
        loop_unwatch(s->loop, ids[i]);
    reads = 0;
    s->turns = 0;
    loop_run(s->loop);
    assert_int_equal(reads, 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(readers_then_wake_then_turn, set_up, tear_down),
        cmocka_unit_test_setup_teardown(timer_is_never_early_and_not_a_millisecond_late, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_timer_moves_and_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(paused_readers_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(signals_arrive_in_the_loop, set_up, tear_down),
        cmocka_unit_test_setup_teardown(plain_files_are_readable, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_watches, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("net/loop", tests, NULL, NULL);
}
