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

struct seen {                      /* in a span */
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

/* The most packets in any span: of all, of SYNs, or of those to the crowded network. */
enum which { ALL, SYNS, CROWDED };
static bool is_one(const struct crowd_sent *s, enum which which)
{
    return which == ALL || (which == SYNS ? s->syn : s->crowded);
}

static unsigned most_in(const struct crowd *w, enum which which, unsigned from, uint64_t span_ns)
{
    unsigned most = 0, n = 0, first = from;
    for (unsigned i = from; i < w->sent; i++) {
        n += is_one(&w->log[i], which);
        for (; rs_mono_diff(w->log[i].at, w->log[first].at) >= span_ns; first++)
            n -= is_one(&w->log[first], which);
        most = n > most ? n : most;
    }
    return most;
}

/* -r: every packet counts, SYNs leave evenly, and a sleep does not end in a burst. */
static void a_given_rate_holds(void **state)
{
    (void)state;
    struct crowd w;
    struct crowd_config c = {
        .path = {.delay_ns = 150 * RS_MS}, .rate = 1000, .targets_most = 5000, .family = 4};
    crowd_init(&w, &c);
    crowd_run(&w, 2);
    unsigned from = w.sent;
    struct seen s = watch(&w, 10);
    assert_true(s.packets > 980 && s.packets < 1020);
    assert_true(most_in(&w, ALL, from, RS_SEC) <= 1050);
    assert_true(most_in(&w, SYNS, from, 100 * RS_MS) <= 45);
    w.now = rs_mono_add(w.now, 5 * RS_SEC);
    uint64_t begun = engine_counters(w.e)->connections;
    crowd_run(&w, 0.003); /* once what came meanwhile has been looked at */
    assert_true(engine_counters(w.e)->connections - begun <= 6);
    crowd_free(&w);
}

static void it_settles_at_what_the_path_bears(void **state)
{
    (void)state;
    struct crowd w;
    crowd_init(&w, &bottleneck);
    watch(&w, 20);
    unsigned records = w.records, failed = w.records - w.works;
    print_message("at first %u of %u targets failed\n", failed, records);
    assert_true(failed <= records / 500); /* it has to find the place where loss begins */
    for (int i = 0; i < 3; i++) {
        struct seen s = watch(&w, 10);
        assert_true(s.packets > 0.8 * BEARS && s.packets < 1.04 * BEARS);
        assert_true(s.lost < 0.02);
    }
    unsigned later = w.records - w.works - failed;
    print_message("%u of %u targets failed, then %u of %u\n", failed, records, later,
                  w.records - records);
    assert_true(later <= (w.records - records) / 10000);
    assert_true(engine_counters(w.e)->pace_late_cuts > 0);
    crowd_free(&w);
}

static void silence_is_no_loss(void **state)
{
    (void)state;
    struct crowd w;
    struct crowd_config c = bottleneck;
    c.silent = 90;
    crowd_init(&w, &c);
    watch(&w, 20);
    for (int i = 0; i < 3; i++) {
        struct seen s = watch(&w, 10);
        assert_true(s.packets > 0.75 * BEARS && s.packets < 1.04 * BEARS);
        assert_true(s.lost < 0.05);
    }
    crowd_free(&w);
}

/* Nobody at all: nothing can be learnt, and nothing is in the way. */
static void a_silent_list_is_not_held_up(void **state)
{
    (void)state;
    struct crowd w;
    struct crowd_config c = {
        .path = {.delay_ns = 25 * RS_MS}, .targets_most = 200000, .family = 4, .silent = 100};
    crowd_init(&w, &c);
    crowd_run(&w, 5);
    assert_true(watch(&w, 1).packets > 8000);
    crowd_free(&w);
}

/* 2 % each way are 8 % of exchanges with something sent again: the path's own, and not ours. */
static void loss_of_the_path_is_borne(void **state)
{
    (void)state;
    struct crowd w;
    struct crowd_config c = bottleneck;
    c.path.loss = 20;
    crowd_init(&w, &c);
    watch(&w, 40);
    for (int i = 0; i < 3; i++) {
        struct seen s = watch(&w, 10);
        assert_true(s.packets > 0.6 * BEARS && s.packets < 1.08 * BEARS);
        assert_true(s.lost < 0.05);
    }
    crowd_free(&w);
}

/* A path that begins to lose while the run goes on: slower for a trial, and then as before. */
static void loss_that_comes_later_is_tried_and_borne(void **state)
{
    (void)state;
    struct crowd w;
    crowd_init(&w, &bottleneck);
    watch(&w, 30);
    uint64_t cuts = engine_counters(w.e)->pace_late_cuts;
    w.to.c.loss = w.from.c.loss = 30;
    watch(&w, 30);
    assert_true(engine_counters(w.e)->pace_late_cuts > cuts);
    assert_true(watch(&w, 20).packets > 0.6 * BEARS);
    crowd_free(&w);
}

static const struct crowd_config busy_road = {
    .path = {.delay_ns = 25 * RS_MS}, .targets_most = 500, .family = 4, .seed = 1};

static void push_back_slows_at_once(void **state)
{
    (void)state;
    struct crowd w;
    crowd_init(&w, &busy_road);
    crowd_run(&w, 3);
    struct seen before = watch(&w, 2);
    uint64_t rate = engine_counters(w.e)->pace_rate;
    unsigned syns = w.syns;
    engine_pressure(w.e, w.now);
    assert_true(engine_counters(w.e)->pace_rate <= rate * 71 / 100);
    assert_true(engine_turn(w.e, w.now).ns > w.now.ns);
    crowd_run(&w, 0.019);
    assert_int_equal(w.syns, syns);
    crowd_run(&w, 8);
    assert_true(watch(&w, 2).packets > 0.95 * before.packets);
    crowd_free(&w);
}

static void lost_captures_slow_at_once(void **state)
{
    (void)state;
    struct crowd w;
    crowd_init(&w, &busy_road);
    crowd_run(&w, 3);
    uint64_t rate = engine_counters(w.e)->pace_rate;
    w.drops = 1;
    crowd_run(&w, 0.11);
    assert_true(engine_counters(w.e)->pace_rate <= rate * 71 / 100);
    assert_int_equal(engine_counters(w.e)->pace_local_cuts, 1);
    crowd_run(&w, 1); /* one loss, one cut */
    assert_int_equal(engine_counters(w.e)->pace_local_cuts, 1);
    crowd_free(&w);
}

/* What has no room to leave is not begun in heaps, and is measured again. */
static void no_room_to_send_begins_little(void **state)
{
    (void)state;
    struct crowd w;
    struct crowd_config c = busy_road;
    c.targets_most = 5000;
    c.rate = 20000;
    crowd_init(&w, &c);
    crowd_run(&w, 1);
    uint64_t begun = engine_counters(w.e)->connections;
    w.no_room = true;
    crowd_run(&w, 0.03);
    assert_true(engine_counters(w.e)->connections - begun <= 4);
    w.no_room = false;
    crowd_run(&w, 10);
    assert_true(w.records > 10000);
    assert_int_equal(w.works, w.records);
    crowd_free(&w);
}

/* One network in the list wants more than its share; the others do not notice. */
static void a_network_has_its_share(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct crowd w;
        struct crowd_config c = {.path = {.delay_ns = 50 * RS_MS},
                                 .rate = 2000,
                                 .prefix_rate = 60,
                                 .targets_most = 5000,
                                 .family = i % 2 ? 6 : 4,
                                 .silent = i / 2 * 50,
                                 .crowded = 20};
        crowd_init(&w, &c);
        crowd_run(&w, 5);
        unsigned from = w.sent, there = 0;
        struct seen s = watch(&w, 15);
        for (unsigned k = from; k < w.sent; k++)
            there += w.log[k].crowded;
        assert_true(most_in(&w, CROWDED, 0, RS_SEC) <= 60 + 6);
        assert_true(there > 15 * 60 * 0.5);
        assert_true(s.packets > 1900 && s.packets < 2100);
        assert_true(engine_counters(w.e)->prefix_waits > 0);
        crowd_free(&w);
    }
}

/* One packet for the engine that lay in the capture for so long; then a turn. SYNs of the turn. */
static unsigned turn_after(struct crowd *w, uint64_t lain_ns)
{
    struct packet *p = NULL;
    while ((p = link_take(&w->from, w->now)) == NULL)
        crowd_run(w, 0.0001);
    unsigned syns = w->syns;
    engine_packet(w->e, p->payload, p->seg.payload_bytes,
                  (rs_wall){(int64_t)(w->now.ns - lain_ns) + 1}, false, w->now);
    free(p);
    engine_turn(w->e, w->now);
    return w->syns - syns;
}

static void a_loop_that_is_behind_begins_nothing(void **state)
{
    (void)state;
    struct crowd w;
    struct crowd_config c = {
        .path = {.delay_ns = 20 * RS_MS}, .rate = 1000000, .targets_most = 100000, .family = 4};
    crowd_init(&w, &c);
    crowd_run(&w, 0.05);
    w.now = rs_mono_add(w.now, 40 * RS_MS); /* and the queue is full */
    struct packet *p;
    while ((p = link_take(&w.to, w.now)) != NULL)
        free(p);
    assert_true(turn_after(&w, 9 * RS_MS) > 0);
    assert_int_equal(turn_after(&w, 11 * RS_MS), 0);
    assert_int_equal(turn_after(&w, 11 * RS_MS), 0);
    assert_int_equal(engine_counters(w.e)->pace_behind, 1);
    unsigned syns = w.syns;
    w.now = rs_mono_add(w.now, RS_MS);
    engine_turn(w.e, w.now); /* nothing waits any more */
    assert_true(w.syns > syns);
    crowd_free(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_given_rate_holds),
        cmocka_unit_test(it_settles_at_what_the_path_bears),
        cmocka_unit_test(silence_is_no_loss),
        cmocka_unit_test(a_silent_list_is_not_held_up),
        cmocka_unit_test(loss_of_the_path_is_borne),
        cmocka_unit_test(loss_that_comes_later_is_tried_and_borne),
        cmocka_unit_test(push_back_slows_at_once),
        cmocka_unit_test(lost_captures_slow_at_once),
        cmocka_unit_test(no_room_to_send_begins_little),
        cmocka_unit_test(a_network_has_its_share),
        cmocka_unit_test(a_loop_that_is_behind_begins_nothing),
    };
    return cmocka_run_group_tests_name("sim/pace", tests, NULL, NULL);
}
