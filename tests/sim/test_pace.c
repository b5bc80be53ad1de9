/* SPDX-License-Identifier: GPL-3.0-or-later
 * Pacing over paths in memory: what -r holds, what -r 0 finds, what --prefix-rate bounds, and what
 * stops new arms at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/crowd.h"

#define BEARS 5000u /* packets a second */

struct seen { /* in a span */
    double packets, records, lost; /* a second, a second, share of the packets to the servers */
};

static struct seen watch(struct crowd *w, double seconds)
{
    unsigned sent = w->sent, records = w->records, lost = w->to.overflowed[TO_SERVER];
    crowd_run(w, seconds);
    struct seen s = {(w->sent - sent) / seconds, (w->records - records) / seconds,
                     (double)(w->to.overflowed[TO_SERVER] - lost) / (w->sent - sent)};
    const struct engine_counters *c = engine_counters(w->e);
    print_message("%5.1f s: %6.0f packets/s, %5.0f records/s, lost %.2f %%; rate %llu, cuts %llu "
                  "late %llu here\n",
                  (double)rs_mono_diff(w->now, w->started) / 1e9, s.packets, s.records,
                  100 * s.lost, (unsigned long long)c->pace_rate,
                  (unsigned long long)c->pace_late_cuts, (unsigned long long)c->pace_local_cuts);
    return s;
}

static const struct crowd_config bottleneck = {
    .path = {.delay_ns = 25 * RS_MS, .bottleneck = BEARS, .queue = 100},
    .targets_most = 20000,
    .family = 4,
    .seed = 1};
__attribute__((unused)) static const struct crowd_config open_road = {
    .path = {.delay_ns = 25 * RS_MS}, .targets_most = 20000, .family = 4, .seed = 1};

static void it_settles_at_what_the_path_bears(void **state)
{
    (void)state;
    struct crowd w;
    crowd_init(&w, &bottleneck);
    watch(&w, 10);
    for (int i = 0; i < 3; i++) {
        struct seen s = watch(&w, 10);
        assert_true(s.packets > 0.75 * BEARS && s.packets <= BEARS);
        assert_true(s.lost < 0.005);
    }
    assert_true(w.works >= w.records * 0.9999);
    crowd_free(&w);
}

static void silence_is_no_loss(void **state)
{
    (void)state;
    struct crowd w;
    struct crowd_config c = bottleneck;
    c.silent = 90;
    crowd_init(&w, &c);
    watch(&w, 15);
    for (int i = 0; i < 2; i++) {
        struct seen s = watch(&w, 10);
        assert_true(s.packets > 0.7 * BEARS && s.packets <= BEARS);
        assert_true(s.lost < 0.01);
    }
    crowd_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_settles_at_what_the_path_bears),
        cmocka_unit_test(silence_is_no_loss),
    };
    return cmocka_run_group_tests_name("sim/pace", tests, NULL, NULL);
}
