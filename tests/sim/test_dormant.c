/* SPDX-License-Identifier: GPL-3.0-or-later
 * Connections that wait are packed away, and nobody can tell: the same records as without, whatever
 * they wait for; stopping finds them all; and a waiting connection is small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/servers.h"

struct text {
    char *bytes;
    size_t n, room;
};

struct result {
    struct text records;
    uint64_t n, dormant_most;
    size_t table_bytes; /* when most were dormant */
};

struct scene {
    unsigned targets;
    uint64_t delay_ns, dormancy_ns;
    enum servers_silence silence;
    rs_mono stop_at; /* RS_NEVER: run to the end */
    bool flows;
};

static const uint16_t ports[] = {61000, 61001, 61002, 61003};
static const rs_mono begin = {1000 * RS_SEC};

static void keep(void *ctx, const char *bytes, size_t n)
{
    struct text *t = ctx;
    if (t->n + n > t->room) {
        t->room = 2 * (t->n + n);
        t->bytes = realloc(t->bytes, t->room);
        assert_non_null(t->bytes);
    }
    memcpy(t->bytes + t->n, bytes, n);
    t->n += n;
}

static void add(struct servers *c, unsigned i)
{
    char raw[64];
    struct job job = {.line = i + 1, .raw = raw, .raw_is_json = true, .dp = 80, .domain = "a.test"};
    if (i % 2 == 0)
        job.dip = (struct wire_addr){4, {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
    else
        job.dip = (struct wire_addr){
            6, {0xfd, [13] = (uint8_t)(i >> 16), [14] = (uint8_t)(i >> 8), [15] = (uint8_t)i}};
    job.raw_bytes = (size_t)snprintf(raw, sizeof raw, "{\"n\":%u}", i);
    assert_int_equal(engine_add(c->engine, &job), 0);
}

static struct result play(const struct scene *s)
{
    struct servers *c = malloc(sizeof *c);
    struct engine_ops ops;
    struct rs_err err;
    struct result r = {.records = {NULL, 0, 0}};
    rs_mono now = begin;
    assert_non_null(c);
    servers_init(c, &ops, now);
    struct engine_config config = {.plugin = plugin_find("ecn"),
                                   .exchange = exchange_find("http"),
                                   .ports = ports,
                                   .n_ports = 4,
                                   .targets_most = s->targets,
                                   .rate = 150000, /* packets a second: 50,000 arms */
                                   .timeout_ns = 10 * RS_SEC,
                                   .confirm = 2,
                                   .confirm_delay_ns = 3 * RS_SEC,
                                   .dormancy_ns = s->dormancy_ns,
                                   .seed = 1,
                                   .secret = {1, 2},
                                   .user_agent = "test",
                                   .output_flows = s->flows};
    assert_int_equal(engine_new(&c->engine, &config, &ops, now, &err), 0);
    c->delay_ns = s->delay_ns;
    c->silence = s->silence;
    c->on_record = keep;
    c->ctx = &r.records;
    for (unsigned i = 0; i < s->targets; i++)
        add(c, i);
    while (!engine_idle(c->engine) && now.ns < s->stop_at.ns) {
        rs_mono next = servers_turn(c, now);
        uint64_t dormant = engine_counters(c->engine)->dormant;
        if (dormant > r.dormant_most) {
            r.dormant_most = dormant;
            r.table_bytes = engine_table_bytes(c->engine);
        }
        now = next.ns > now.ns ? rs_mono_min(next, s->stop_at) : rs_mono_add(now, 10 * RS_US);
    }
    engine_stop(c->engine, now);
    assert_true(engine_idle(c->engine));
    assert_int_equal(engine_counters(c->engine)->dormant, 0);
    r.n = c->records;
    engine_free(c->engine);
    free(c);
    return r;
}

/* With and without packing away, the same bytes. */
static struct result same_records(struct scene s)
{
    s.flows = true;
    s.dormancy_ns = UINT64_MAX;
    struct result awake = play(&s);
    s.dormancy_ns = 0;
    struct result dormant = play(&s);
    assert_int_equal(awake.dormant_most, 0);
    assert_true(dormant.dormant_most > 0);
    assert_int_equal(awake.n, s.targets);
    assert_int_equal(dormant.n, s.targets);
    assert_int_equal(awake.records.n, dormant.records.n);
    assert_memory_equal(awake.records.bytes, dormant.records.bytes, awake.records.n);
    free(awake.records.bytes);
    return dormant;
}

static void answers_that_take_long(void **state)
{
    (void)state;
    struct result r =
        same_records((struct scene){.targets = 200, .delay_ns = 400 * RS_MS, .stop_at = RS_NEVER});
    assert_non_null(memmem(r.records.bytes, r.records.n, "ecn.ipmark.ect0.seen", 20));
    free(r.records.bytes);
}

/* The answer to the first SYN comes when the second has left. */
static void answers_behind_a_retransmission(void **state)
{
    (void)state;
    struct result r =
        same_records((struct scene){.targets = 200, .delay_ns = 1200 * RS_MS, .stop_at = RS_NEVER});
    assert_non_null(memmem(r.records.bytes, r.records.n, "ecn.connectivity.works", 22));
    free(r.records.bytes);
}

static void no_answer_at_all(void **state)
{
    (void)state;
    struct result r = same_records(
        (struct scene){.targets = 200, .silence = SERVERS_NO_SYNACK, .stop_at = RS_NEVER});
    assert_non_null(memmem(r.records.bytes, r.records.n, "ecn.connectivity.offline:timeout", 32));
    free(r.records.bytes);
}

static void no_response(void **state)
{
    (void)state;
    struct result r = same_records((struct scene){.targets = 200,
                                                  .delay_ns = 200 * RS_MS,
                                                  .silence = SERVERS_NO_RESPONSE,
                                                  .stop_at = RS_NEVER});
    assert_non_null(memmem(r.records.bytes, r.records.n, "ecn.connectivity.works", 22));
    free(r.records.bytes);
}

static void stopped_in_their_sleep(void **state)
{
    (void)state;
    struct result r = same_records((struct scene){.targets = 1000,
                                                  .silence = SERVERS_NO_SYNACK,
                                                  .stop_at = rs_mono_add(begin, 1500 * RS_MS)});
    assert_non_null(memmem(r.records.bytes, r.records.n, "the run was stopped", 19));
    free(r.records.bytes);
}

/* Tables for one more connection, all of which wait: of 16,384 targets against 4,096. */
static double bytes_each(struct scene s)
{
    s.stop_at = rs_mono_add(begin, 900 * RS_MS);
    s.targets = 4096;
    struct result few = play(&s);
    s.targets = 16384;
    struct result many = play(&s);
    free(few.records.bytes);
    free(many.records.bytes);
    assert_int_equal(few.dormant_most, 2 * 4096);
    assert_int_equal(many.dormant_most, 2 * 16384);
    return (double)(many.table_bytes - few.table_bytes) / (2 * 16384 - 2 * 4096);
}

static void a_waiting_connection_is_small(void **state)
{
    (void)state;
    double syn = bytes_each((struct scene){.silence = SERVERS_NO_SYNACK});
    double request =
        bytes_each((struct scene){.silence = SERVERS_NO_RESPONSE, .delay_ns = 5 * RS_MS});
    print_message("bytes a connection: SYN unanswered %.0f, request unanswered %.0f\n", syn,
                  request);
    assert_true(syn <= 512);
    assert_true(request <= 512);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_that_take_long), cmocka_unit_test(answers_behind_a_retransmission),
        cmocka_unit_test(no_answer_at_all),       cmocka_unit_test(no_response),
        cmocka_unit_test(stopped_in_their_sleep), cmocka_unit_test(a_waiting_connection_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
