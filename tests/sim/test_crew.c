/* SPDX-License-Identifier: GPL-3.0-or-later
 * A crew of one, of two, of three: the same set of records; each job one, whether it is measured,
 * refused or turned away; draining, stopping and giving up in the middle lose none. Meant for the
 * thread sanitizer, too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/clock.h"
#include "run/crew.h"
#include "sim/memory_worker.h"

enum ending { TO_THE_END, DRAIN, STOP, QUIT };

struct play {
    /* how */
    unsigned threads, targets;
    enum ending ending;
    uint64_t delay_ns;
    enum servers_silence silence;
    /* state */
    struct crew *crew;
    struct loop *loop;
    unsigned given;
    rs_mono until;
    bool ended, failed;
    bool pauses; /* half is given, and the rest some time after all of it is done */
    rs_mono idle_since;
    /* what came: by line */
    char **record;
    unsigned records, doubled;
    struct worker_counts counts;
};

/* All of a record but its times and what depends on them. */
static void on_record(void *ctx, const char *text, size_t n)
{
    struct play *p = ctx;
    char *copy = strndup(text, n), *from = strstr(copy, "\"time\":{"), *to;
    unsigned line = (unsigned)strtoul(strstr(copy, "\"line\":") + 7, NULL, 10);
    assert_true(line >= 1 && line <= p->targets);
    assert_non_null(from);
    to = strchr(from, '}');
    memmove(from, to, strlen(to) + 1);
    p->records++;
    p->doubled += p->record[line] != NULL;
    free(p->record[line]);
    p->record[line] = copy;
}

static void on_text(void *ctx, const char *text)
{
    (void)ctx, (void)text;
}

static void on_fail(void *ctx, const char *text)
{
    struct play *p = ctx;
    print_error("%s\n", text);
    p->failed = true;
}

static void give(struct play *p)
{
    unsigned i = p->given++;
    char raw[64];
    struct reader_job r = {.job = {.line = i + 1, .raw = raw, .raw_is_json = true, .dp = 80}};
    r.job.domain = i % 3 == 0 ? "a.example" : NULL;
    if (i % 2 == 0) /* some address comes twice, and must go to one worker */
        r.job.dip = (struct wire_addr){4, {10, 0, (uint8_t)(i >> 8 & 3), (uint8_t)i}};
    else
        r.job.dip = (struct wire_addr){6, {0xfd, [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i}};
    r.job.raw_bytes = (size_t)snprintf(raw, sizeof raw, "{\"n\":%u}", i);
    if (i % 50 == 7) {
        r.refusal = "measure.blocked";
        r.problem = "it is blocked";
    }
    assert_int_equal(crew_give(p->crew, &r), 0);
}

static void on_turn(void *ctx)
{
    struct play *p = ctx;
    rs_mono now = clock_mono();
    bool over = p->ended || p->given == p->targets;
    bool waits = p->pauses && p->given == p->targets / 2;
    if (waits && !crew_idle(p->crew))
        p->idle_since = now;
    waits = waits && !rs_mono_reached(rs_mono_add(p->idle_since, 100 * RS_MS), now);
    for (unsigned n = 0; n < 64 && !over && !waits && p->given < p->targets; n++) {
        if (!crew_has_room(p->crew) || (n > 0 && p->pauses && p->given == p->targets / 2))
            break;
        give(p);
    }
    rs_mono next = crew_turn(p->crew, now);
    if (p->ending != TO_THE_END && !p->ended && p->given >= 250) {
        p->ended = true;
        p->targets = p->given; /* no more are given */
        p->until = rs_mono_add(now, 20 * RS_MS);
        if (p->ending == DRAIN)
            crew_drain(p->crew);
    }
    if (p->ended && rs_mono_reached(p->until, now)) {
        p->until = RS_NEVER;
        if (p->ending == QUIT)
            crew_quit(p->crew, now);
        else
            crew_stop(p->crew, now);
    }
    if (crew_rests(p->crew, now, over)) {
        crew_counts(p->crew, &p->counts);
        loop_stop(p->loop);
        return;
    }
    loop_wake_at(p->loop, rs_mono_min(next, rs_mono_add(now, RS_MS)));
}

static void on_wake(void *ctx)
{
    (void)ctx;
}

static void run(struct play *p)
{
    struct rs_err err = {""};
    struct memory_options memory = {
        .in_flight = 300, .delay_ns = p->delay_ns, .silence = p->silence};
    struct crew_config config = {
        .kind = &worker_of_memory,
        .kind_ctx = &memory,
        .threads = p->threads,
        .in_flight = memory.in_flight,
        .secret = {3, 4},
        .ops = {
            .ctx = p, .record = on_record, .notice = on_text, .trace = on_text, .fail = on_fail}};
    unsigned targets = p->targets;
    p->until = RS_NEVER;
    p->record = calloc(targets + 1, sizeof *p->record);
    p->loop = loop_new(&err);
    assert_non_null(p->loop);
    assert_int_equal(crew_open(&p->crew, &config, &err), 0);
    assert_int_equal(crew_start(p->crew, p->loop, &err), 0);
    loop_on_turn(p->loop, on_turn, p);
    loop_on_wake(p->loop, on_wake, p);
    loop_wake_at(p->loop, clock_mono());
    loop_run(p->loop);
    crew_free(p->crew);
    loop_free(p->loop);
    assert_false(p->failed);
    assert_int_equal(p->doubled, 0);
    assert_int_equal(p->records, p->targets); /* each that was given, once */
}

static void forget(struct play *p)
{
    for (unsigned i = 0; i <= p->targets; i++)
        free(p->record[i]);
    free(p->record);
}

static void the_same_records(void **state)
{
    struct play one = {.threads = 1, .targets = 6000};
    (void)state;
    run(&one);
    assert_int_equal(one.counts.engine.exchanges, 2 * (6000 - 6000 / 50));
    for (unsigned threads = 2; threads <= 3; threads++) {
        struct play many = {.threads = threads, .targets = 6000};
        run(&many);
        for (unsigned i = 1; i <= 6000; i++)
            assert_string_equal(one.record[i], many.record[i]);
        assert_int_equal(one.counts.engine.exchanges, many.counts.engine.exchanges);
        assert_int_equal(one.counts.engine.packets_sent, many.counts.engine.packets_sent);
        assert_int_equal(many.counts.in_flight, 0);
        forget(&many);
    }
    forget(&one);
}

/* Idle is not over: the input was only slow. */
static void a_pause(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 2; threads++) {
        struct play p = {.threads = threads, .targets = 500, .pauses = true};
        run(&p);
        forget(&p);
    }
}

static void ended_in_the_middle(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 2; threads++)
        for (enum ending e = DRAIN; e <= QUIT; e++) {
            struct play p = {.threads = threads,
                             .targets = 1000,
                             .ending = e,
                             .silence = SERVERS_NO_RESPONSE,
                             .delay_ns = RS_MS};
            unsigned stopped = 0;
            run(&p);
            for (unsigned i = 1; i <= p.targets; i++)
                stopped += strstr(p.record[i], "the run was stopped") != NULL;
            assert_true(stopped > 0);
            forget(&p);
        }
}

/* Given up without a word more, as when the output fails. */
static void left_alone(void **state)
{
    struct rs_err err;
    struct memory_options memory = {.in_flight = 100, .silence = SERVERS_NO_SYNACK};
    struct play p = {.threads = 2, .targets = 200};
    struct crew_config config = {
        .kind = &worker_of_memory,
        .kind_ctx = &memory,
        .threads = 2,
        .in_flight = 100,
        .ops = {
            .ctx = &p, .record = on_record, .notice = on_text, .trace = on_text, .fail = on_fail}};
    (void)state;
    p.loop = loop_new(&err);
    assert_int_equal(crew_open(&p.crew, &config, &err), 0);
    assert_int_equal(crew_start(p.crew, p.loop, &err), 0);
    while (p.given < p.targets && crew_has_room(p.crew))
        give(&p);
    crew_turn(p.crew, clock_mono());
    crew_free(p.crew); /* must not wait for answers, and must not hang */
    loop_free(p.loop);
}

static void who_has_what(void **state)
{
    struct rs_key key = {5, 6};
    unsigned of[4] = {0};
    (void)state;
    for (unsigned i = 0; i < 4000; i++) {
        struct wire_addr a = {4, {10, 1, (uint8_t)(i >> 8), (uint8_t)i}};
        struct wire_addr b = {4, {10, 1, (uint8_t)(i >> 8), (uint8_t)(i + 1)}};
        of[crew_worker_of(&key, &a, false, 4)]++;
        assert_int_equal(crew_worker_of(&key, &a, true, 4), crew_worker_of(&key, &b, true, 4));
        assert_int_equal(crew_worker_of(&key, &a, false, 1), 0);
        struct wire_addr c = {6, {0xfd, 0, 0, 0, 0, (uint8_t)i, [15] = 1}}, d = c;
        d.bytes[7] = 9;
        assert_int_equal(crew_worker_of(&key, &c, true, 4), crew_worker_of(&key, &d, true, 4));
    }
    for (unsigned i = 0; i < 4; i++)
        assert_in_range(of[i], 850, 1150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_records), cmocka_unit_test(a_pause),
        cmocka_unit_test(ended_in_the_middle), cmocka_unit_test(left_alone),
        cmocka_unit_test(who_has_what)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
