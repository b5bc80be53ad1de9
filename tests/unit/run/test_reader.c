/* SPDX-License-Identifier: GPL-3.0-or-later
 * The reader: shards, limits, duplicates, the blocklist, and what it does when a pipe is slow or
 * the run is stopped. Input comes through a pipe. */
#include "unit/base/run.h"

#include <unistd.h>

#include "run/reader.h"

static int ends[2]; /* of the pipe; [1] is -1 when closed */
static struct input *in;
static struct reader *reader;
static struct reader_job next;
static char said[300];
static unsigned notices;

static void notice(void *ctx, const char *text)
{
    (void)ctx;
    snprintf(said, sizeof said, "%s", text);
    notices++;
}

static void give(const char *text)
{
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
}

static void end_input(void)
{
    close(ends[1]);
    ends[1] = -1;
}

static void begin(const struct reader_config *with, const char *text)
{
    struct rs_err err;
    char path[40];
    struct reader_config config = *with;
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    give(text);
    assert_int_equal(input_open(&in, path, INPUT_AUTO, &err), 0);
    config.input = in;
    config.mode = "http";
    config.default_port = 80;
    config.secret = (struct rs_key){1, 2};
    config.notice = notice;
    assert_int_equal(reader_new(&reader, &config, &err), 0);
    said[0] = '\0';
    notices = 0;
}

static void end(void)
{
    reader_free(reader);
    input_free(in);
    close(ends[0]);
    if (ends[1] >= 0)
        close(ends[1]);
}

static int read_next(void)
{
    int rc;
    while ((rc = reader_next(reader, &next)) == READER_MORE)
        continue;
    return rc;
}

static void expect_job(uint64_t line)
{
    assert_int_equal(read_next(), 0);
    assert_int_equal(next.job.line, line);
    assert_null(next.refusal);
    assert_null(next.problem);
}

static void expect_refused(uint64_t line, const char *condition, const char *problem)
{
    assert_int_equal(read_next(), 0);
    assert_int_equal(next.job.line, line);
    assert_string_equal(next.refusal, condition);
    if (strstr(next.problem, problem) == NULL)
        assert_string_equal(next.problem, problem);
}

static const struct reader_config in_order = {.window = 1};

static void shards_cover_all_once(void **state)
{
    (void)state;
    enum { SHARDS = 7, LINES = 4096 };
    static unsigned owner[LINES + 1];
    unsigned size[SHARDS] = {0};
    for (unsigned shard = 0; shard < SHARDS; shard++) {
        begin(&(struct reader_config){.shards = SHARDS, .shard = shard, .window = 50},
              "10.0.0.0/21\nnonsense\n10.1.0.0/21 # more\n"); /* 2048 + 1 + 2048 */
        end_input();
        while (read_next() == 0) {
            unsigned line = (unsigned)next.job.line;
            assert_in_range(line, 1, LINES + 1);
            assert_int_equal(next.refusal != NULL, line == 2049);
            if (line <= LINES) {
                assert_int_equal(owner[line], 0);
                owner[line] = shard + 1;
            }
            size[shard]++;
        }
        assert_int_equal(reader_counts(reader)->lines, size[shard]);
        end();
    }
    unsigned all = 0;
    for (unsigned shard = 0; shard < SHARDS; all += size[shard++])
        assert_in_range(size[shard], LINES / SHARDS * 8 / 10, LINES / SHARDS * 12 / 10);
    assert_int_equal(all, LINES + 1);
}

/* Runs of other versions must go together: these never change. */
static void the_rule_of_shards_stays(void **state)
{
    (void)state;
    static const unsigned of_two[] = {0, 1, 1, 1, 0, 1, 1, 1, 1, 0},
                          of_ten[] = {0, 7, 1, 1, 8, 1, 5, 9, 1, 2};
    for (unsigned i = 0; i < sizeof of_two / sizeof of_two[0]; i++) {
        assert_int_equal(reader_shard(i + 1, 2), of_two[i]);
        assert_int_equal(reader_shard(i + 1, 10), of_ten[i]);
        assert_int_equal(reader_shard(i + 1, 1), 0);
    }
}

/* IPv4 and IPv6 of one name in turn must not part by family. */
static void shards_take_both_of_what_alternates(void **state)
{
    (void)state;
    unsigned odd = 0;
    for (uint64_t line = 1; line <= 1000; line += 2)
        odd += reader_shard(line, 2);
    assert_in_range(odd, 200, 300);
}

static void the_limit_counts_lines_of_every_shard(void **state)
{
    (void)state;
    unsigned jobs = 0;
    for (unsigned shard = 0; shard < 2; shard++) {
        begin(&(struct reader_config){.shards = 2, .shard = shard, .targets_most = 100},
              "10.0.0.0/24\n");
        for (; read_next() == 0; jobs++)
            assert_in_range(next.job.line, 1, 100);
        assert_true(reader_was_limited(reader));
        end();
    }
    assert_int_equal(jobs, 100);
}

static void a_limit_that_is_just_reached(void **state)
{
    (void)state;
    begin(&(struct reader_config){.targets_most = 2, .window = 1}, "10.0.0.0/31\n");
    expect_job(1);
    assert_false(reader_has_enough(reader));
    expect_job(2);
    assert_int_equal(read_next(), -RS_EAGAIN);
    assert_true(reader_has_enough(reader));
    end_input();
    assert_int_equal(read_next(), -RS_EEND);
    assert_false(reader_was_limited(reader));
    end();
}

static void duplicates_name_the_first(void **state)
{
    (void)state;
    begin(&(struct reader_config){.window = 1, .dedup_most = 10},
          "{\"dip\":\"10.0.0.1\"}\n{\"dip\":\"10.0.0.1\",\"domain\":\"A.test\"}\n"
          "{\"dip\":\"10.0.0.1\",\"dp\":80}\n{\"dip\":\"10.0.0.1\",\"dp\":81}\n\n"
          "{\"dip\":\"10.0.0.1\",\"domain\":\"a.TEST\",\"dp\":\"80\"}\nx\nx\n");
    end_input();
    expect_job(1);
    expect_job(2);
    expect_refused(3, "measure.duplicate_of:1", "line 1");
    expect_job(4);
    expect_refused(6, "measure.duplicate_of:2", "line 2");
    expect_refused(7, "measure.invalid_input", "line 7: not a JSON object");
    expect_refused(8, "measure.invalid_input", "line 8: not a JSON object"); /* not a duplicate */
    assert_int_equal(read_next(), -RS_EEND);
    assert_int_equal(reader_counts(reader)->duplicates, 2);
    assert_int_equal(reader_counts(reader)->invalid, 2);
    assert_int_equal(reader_counts(reader)->lines, 7);
    assert_int_equal(notices, 0);
    end();
}

static void duplicates_are_measured_unless_asked(void **state)
{
    (void)state;
    begin(&in_order, "10.0.0.1\n10.0.0.1\n");
    expect_job(1);
    expect_job(2);
    end();
}

/* What is first is decided in the order of the input, although the window hands out another. */
static void duplicates_and_the_window(void **state)
{
    (void)state;
    begin(&(struct reader_config){.window = 600, .dedup_most = 1000},
          "10.0.0.0/24\n10.0.0.0/24\n10.0.0.0/24\n");
    end_input();
    unsigned measured = 0;
    while (read_next() == 0) {
        char want[40];
        uint64_t line = next.job.line;
        if (line <= 256) {
            assert_null(next.refusal);
            measured++;
            continue;
        }
        snprintf(want, sizeof want, "measure.duplicate_of:%u", (unsigned)((line - 1) % 256 + 1));
        assert_string_equal(next.refusal, want);
    }
    assert_int_equal(measured, 256);
    assert_int_equal(reader_counts(reader)->duplicates, 512);
    end();
}

/* N shards say what one run says: the first may be another shard's. */
static void duplicates_across_shards(void **state)
{
    (void)state;
    unsigned duplicates = 0, jobs = 0;
    for (unsigned shard = 0; shard < 3; shard++) {
        begin(&(struct reader_config){.shards = 3, .shard = shard, .dedup_most = 1000},
              "10.0.0.0/26\n10.0.0.0/26\n");
        end_input();
        while (read_next() == 0)
            *(next.refusal != NULL ? &duplicates : &jobs) += 1;
        end();
    }
    assert_int_equal(jobs, 64);
    assert_int_equal(duplicates, 64);
}

static void a_full_memory_of_duplicates_is_told_once(void **state)
{
    (void)state;
    begin(&(struct reader_config){.window = 1, .dedup_most = 2},
          "10.0.0.1\n10.0.0.2\n10.0.0.1\n10.0.0.3\n10.0.0.3\n10.0.0.4\n10.0.0.2\n");
    expect_job(1);
    expect_job(2);
    expect_refused(3, "measure.duplicate_of:1", "line 1");
    assert_int_equal(notices, 0); /* full, but nothing was lost by it yet */
    expect_job(4);
    expect_job(5); /* a duplicate, but nobody remembers */
    expect_job(6);
    expect_refused(7, "measure.duplicate_of:2", "line 2");
    assert_int_equal(notices, 1);
    assert_non_null(strstr(said, "--dedup: 2 targets are remembered"));
    assert_non_null(strstr(said, "line 4"));
    end();
}

static void blocked_ones_are_refused_and_not_remembered(void **state)
{
    (void)state;
    struct blocklist *list;
    struct rs_err err;
    assert_int_equal(blocklist_default(&list, &err), 0);
    begin(&(struct reader_config){.window = 1, .dedup_most = 1, .blocklist = list},
          "10.0.0.1\n10.0.0.1\n8.8.8.8\n8.8.8.8\n");
    expect_refused(1, "measure.blocked", "10.0.0.1 is on the blocklist: 10.0.0.0/8");
    expect_refused(2, "measure.blocked", "10.0.0.1 is on the blocklist");
    expect_job(3);
    expect_refused(4, "measure.duplicate_of:3", "");
    assert_int_equal(reader_counts(reader)->blocked, 2);
    end();
    blocklist_free(list);
}

static unsigned order_of(uint64_t seed, uint64_t *order)
{
    unsigned n = 0;
    begin(&(struct reader_config){.window = 64, .seed = seed}, "10.0.0.0/22\n");
    end_input();
    while (read_next() == 0)
        order[n++] = next.job.line;
    end();
    return n;
}

static void the_seed_repeats_the_order(void **state)
{
    (void)state;
    uint64_t a[1024], b[1024], c[1024];
    assert_int_equal(order_of(5, a), 1024);
    order_of(5, b);
    order_of(6, c);
    assert_memory_equal(a, b, sizeof a);
    assert_memory_not_equal(a, c, sizeof a);
}

/* Three lines have come, a thousand would fit: they are given, and then it says so. */
static void a_slow_pipe_is_not_waited_for(void **state)
{
    (void)state;
    bool seen[4] = {false};
    begin(&(struct reader_config){.window = 1000}, "10.0.0.1\n10.0.0.2\n10.0.0.3\n10.0");
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(read_next(), 0);
        assert_false(seen[next.job.line]);
        seen[next.job.line] = true;
    }
    assert_int_equal(read_next(), -RS_EAGAIN);
    give(".0.4\n");
    expect_job(4);
    end_input();
    assert_int_equal(read_next(), -RS_EEND);
    assert_int_equal(read_next(), -RS_EEND);
    end();
}

static void what_was_read_ahead_is_not_lost_when_stopped(void **state)
{
    (void)state;
    unsigned measured = 0, refused = 0;
    begin(&(struct reader_config){.window = 20}, "10.0.0.0/24\n");
    for (; measured < 5; measured++)
        assert_int_equal(read_next(), 0);
    assert_true(reader_has_more(reader));
    reader_stop(reader, "the run was stopped");
    for (; read_next() == 0; refused++) {
        assert_null(next.refusal);
        assert_string_equal(next.problem, "the run was stopped");
        assert_true(next.job.raw_bytes > 0);
    }
    assert_int_equal(measured + refused, reader_counts(reader)->lines);
    assert_int_equal(refused, 19);
    assert_int_equal(read_next(), -RS_EEND);
    end();
}

static void whether_there_is_more(void **state)
{
    (void)state;
    begin(&in_order, "10.0.0.1\n");
    expect_job(1);
    assert_true(reader_has_more(reader)); /* there may be: the pipe is open */
    end_input();
    assert_false(reader_has_more(reader));
    end();
    begin(&in_order, "10.0.0.1\n10.0.0.2\n");
    end_input();
    expect_job(1);
    assert_true(reader_has_more(reader));
    end();
    unsigned other = 1 - reader_shard(2, 2); /* to whom line 2 is nothing */
    begin(&(struct reader_config){.shards = 2, .shard = other, .window = 1}, "x\n10.0.0.2\n");
    end_input();
    if (reader_shard(1, 2) == other)
        assert_int_equal(read_next(), 0);
    assert_int_equal(reader_has_more(reader), false);
    end();
}

/* A long row of other shards' lines gives others their turn. */
static void reading_comes_in_pieces(void **state)
{
    (void)state;
    begin(&(struct reader_config){.shards = 60000, .shard = 1, .window = 1}, "10.0.0.0/20\n");
    unsigned pieces = 0;
    while (reader_next(reader, &next) == READER_MORE)
        pieces++;
    assert_in_range(pieces, 6, 20);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shards_cover_all_once),
        cmocka_unit_test(the_rule_of_shards_stays),
        cmocka_unit_test(shards_take_both_of_what_alternates),
        cmocka_unit_test(the_limit_counts_lines_of_every_shard),
        cmocka_unit_test(a_limit_that_is_just_reached),
        cmocka_unit_test(duplicates_name_the_first),
        cmocka_unit_test(duplicates_are_measured_unless_asked),
        cmocka_unit_test(duplicates_and_the_window),
        cmocka_unit_test(duplicates_across_shards),
        cmocka_unit_test(a_full_memory_of_duplicates_is_told_once),
        cmocka_unit_test(blocked_ones_are_refused_and_not_remembered),
        cmocka_unit_test(the_seed_repeats_the_order),
        cmocka_unit_test(a_slow_pipe_is_not_waited_for),
        cmocka_unit_test(what_was_read_ahead_is_not_lost_when_stopped),
        cmocka_unit_test(whether_there_is_more),
        cmocka_unit_test(reading_comes_in_pieces),
    };
    unit_filter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
