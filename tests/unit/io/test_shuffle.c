/* SPDX-License-Identifier: GPL-3.0-or-later
 * The window: each job once and whole, in an order that the seed repeats. */
#include "unit/base/run.h"

#include "io/shuffle.h"

static struct job job;

static struct shuffle *make(unsigned window, uint64_t seed)
{
    struct shuffle *s;
    struct rs_err err;
    assert_int_equal(shuffle_new(&s, window, seed, &err), 0);
    return s;
}

static void put(struct shuffle *s, uint64_t line)
{
    char raw[40], domain[20];
    snprintf(raw, sizeof raw, "{\"x\":%llu}", (unsigned long long)line);
    snprintf(domain, sizeof domain, "n%llu.test", (unsigned long long)line);
    struct job in = {.line = line,
                     .text_line = line + 1,
                     .raw = raw,
                     .raw_bytes = strlen(raw),
                     .raw_is_json = true,
                     .dip = {.family = 4, .bytes = {10, 0, 0, (uint8_t)line}},
                     .dp = (uint16_t)line,
                     .domain = line % 2 != 0 ? domain : NULL};
    assert_int_equal(shuffle_put(s, &in), 0);
}

/* What went in with this line comes out with it. */
static uint64_t take(struct shuffle *s)
{
    char raw[40], domain[20];
    memset(&job, 0xaa, sizeof job);
    shuffle_take(s, &job);
    snprintf(raw, sizeof raw, "{\"x\":%llu}", (unsigned long long)job.line);
    snprintf(domain, sizeof domain, "n%llu.test", (unsigned long long)job.line);
    assert_int_equal(job.raw_bytes, strlen(raw));
    assert_memory_equal(job.raw, raw, strlen(raw));
    assert_true(job.raw_is_json);
    assert_string_equal(job.problem, "");
    assert_int_equal(job.text_line, job.line + 1);
    assert_int_equal(job.dp, job.line);
    assert_int_equal(job.dip.bytes[3], job.line & 255);
    if (job.line % 2 != 0)
        assert_string_equal(job.domain, domain);
    else
        assert_null(job.domain);
    return job.line;
}

enum { N = 3000, WINDOW = 100 };

/* Full window, then one in for one out, then the rest. */
static void run(uint64_t seed, unsigned window, uint64_t *order)
{
    struct shuffle *s = make(window, seed);
    unsigned n = 0;
    for (uint64_t line = 1; line <= N; line++) {
        if (shuffle_is_full(s))
            order[n++] = take(s);
        put(s, line);
    }
    assert_int_equal(shuffle_count(s), window > 0 ? window : 1);
    while (shuffle_count(s) > 0)
        order[n++] = take(s);
    assert_int_equal(n, N);
    shuffle_free(s);
}

static void each_exactly_once(void **state)
{
    (void)state;
    static uint64_t order[N];
    static bool seen[N + 1];
    unsigned in_place = 0;
    run(1, WINDOW, order);
    for (unsigned i = 0; i < N; i++) {
        assert_false(seen[order[i]]);
        seen[order[i]] = true;
        assert_true(order[i] <= i + WINDOW); /* nothing is seen before it was read */
        in_place += order[i] == i + 1;
    }
    assert_true(in_place < N / 10);
}

static void the_seed_repeats_it(void **state)
{
    (void)state;
    static uint64_t a[N], b[N], c[N];
    run(7, WINDOW, a);
    run(7, WINDOW, b);
    run(8, WINDOW, c);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
}

static void a_window_of_one_keeps_the_order(void **state)
{
    (void)state;
    static uint64_t order[N];
    for (unsigned window = 0; window < 2; window++) {
        run(1, window, order);
        for (unsigned i = 0; i < N; i++)
            assert_int_equal(order[i], i + 1);
    }
}

/* A list sorted by address: neighbours come apart. At random, one in ten of the next ten taken is
 * of the same /24 when ten /24s are in the window; in order, all are. */
static void sorted_prefixes_are_spread(void **state)
{
    (void)state;
    static uint64_t order[N];
    unsigned same = 0;
    run(3, 1000, order);
    for (unsigned i = 1; i < N; i++)
        same += (order[i] - 1) / 100 == (order[i - 1] - 1) / 100;
    assert_true(same < N / 5);
}

static void text_fills_it_too(void **state)
{
    (void)state;
    struct shuffle *s = make(1000, 1);
    static char raw[INPUT_LINE_BYTES];
    struct job in = {.line = 1, .raw = raw, .raw_bytes = sizeof raw, .raw_is_json = true};
    unsigned n = 0;
    for (; !shuffle_is_full(s); n++)
        assert_int_equal(shuffle_put(s, &in), 0);
    assert_int_equal(n, SHUFFLE_TEXT_BYTES / sizeof raw);
    shuffle_take(s, &job);
    assert_false(shuffle_is_full(s));
    shuffle_free(s); /* with jobs in it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_exactly_once),
        cmocka_unit_test(the_seed_repeats_it),
        cmocka_unit_test(a_window_of_one_keeps_the_order),
        cmocka_unit_test(sorted_prefixes_are_spread),
        cmocka_unit_test(text_fills_it_too),
    };
    unit_filter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
