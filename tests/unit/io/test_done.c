/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which lines an output has: whatever the input's members are called, wherever the file was cut. */
#include "unit/base/run.h"

#include <sys/stat.h>

#include "io/done.h"
#include "io/record.h"
#include "unit/io/files.h"

static struct rs_err err;
static struct done *d;

static const char *const keys[] = {"sip", "line", "vantage", "time", "conditions", "problem", NULL};

/* As run/record.c writes them; borrowed until the next. */
static const char *record(struct record *r, const char *input, uint64_t line, bool measured)
{
    static char *kept;
    const char *text;
    size_t n;
    record_begin(r, &(struct record_input){input, strlen(input), input[0] == '{'}, keys);
    if (measured)
        record_str(r, "sip", "192.0.2.2");
    record_uint(r, "line", line);
    record_str(r, "vantage", "a \"line\":7, b");
    record_open_array(r, "conditions");
    record_str(r, NULL, "x.y.z");
    record_close(r);
    assert_int_equal(record_end(r, &text, &n), 0);
    free(kept);
    return kept = strndup(text, n);
}

static const char *const inputs[] = {
    "{\"dip\":\"192.0.2.1\"}",
    "{\"dip\":\"192.0.2.1\", \"line\":99, \"sip\":\"10.0.0.1\"}",
    "{\"line\":99}",
    "{\"sip\":\"10.0.0.1\"}",
    "{\"a\":{\"line\":5}}",
    "{\"a\":[{\"sip\":\"10.0.0.1\",\"line\":5}]}",
    "{\"a\":{\"sip\":\"10.0.0.1\"} }",
    "{\"a\":\",\\\"sip\\\":\\\"10.0.0.1\\\",\\\"line\\\":5\"}",
    "{\"\\u006cine\":99,\"in_line\":98}",
    "{\"a\":\"\\\\\",\"line\":5,\"b\":null}",
    "{\"a\":\"\\\"sip\\\":null\"}",
    "{ }",
    "{\t}",
    "{}",
    "no JSON, but \"sip\":\"1\",\"line\":5",
    "\"line\":5}",
};
#define N_INPUTS (sizeof inputs / sizeof inputs[0])

static void the_line_and_the_input_are_found(void **state)
{
    (void)state;
    struct record r, in;
    record_init(&r);
    record_init(&in);
    for (size_t i = 0; i < 2 * N_INPUTS; i++) {
        const char *input = inputs[i / 2], *text = record(&r, input, 1000 + i, i % 2 == 0);
        struct done_record found;
        record_begin(&in, &(struct record_input){input, strlen(input), input[0] == '{'}, keys);
        assert_true(done_parse(text, strlen(text) - 1, &found));
        assert_true(found.line == 1000 + i);
        assert_int_equal(found.input_bytes, in.text.n);
        assert_memory_equal(text, in.text.at, in.text.n);
        for (size_t cut = 0; cut < strlen(text) - 1; cut++) /* no front of one is one */
            assert_false(done_parse(text, cut, &found) && text[cut - 1] != '}');
    }
    record_free(&r);
    record_free(&in);
}

static void an_unknown_source_address(void **state)
{
    (void)state;
    struct done_record found;
    const char text[] = "{\"dip\":\"::1\",\"sip\":null,\"line\":3,\"conditions\":[]}";
    assert_true(done_parse(text, sizeof text - 1, &found));
    assert_int_equal(found.input_bytes, strlen("{\"dip\":\"::1\""));
}

static void what_is_no_record(void **state)
{
    (void)state;
    struct done_record found;
    const struct {
        const char *text;
        size_t n;
    } bad[] = {
        {"", 0},
        {"{", 1},
        {"{}", 2},
        {"{\"dip\":\"192.0.2.1\"}", 19},
        {"{\"line\":0}", 10},
        {"{\"line\":}", 9},
        {"{\"line\":-1}", 11},
        {"{\"line\":1.5}", 12},
        {"{\"line\":\"1\"}", 12},
        {"{\"line\":1", 9},
        {"\"line\":1}", 9},
        {"{\"line\":99999999999999999999}", 29},
        {"{\"line\":1099511627777}", 22},
        {"{\"line\":1,\"a\":\"\0\"}", 18},
        {"{x\"line\":1}", 11},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(done_parse(bad[i].text, bad[i].n, &found));
    assert_true(done_parse("{\"line\":1099511627776}", 22, &found));
}

/* -- the set --------------------------------------------------------------------------------- */

static void add(uint64_t line, const char *text)
{
    assert_int_equal(done_add(d, &(struct done_record){line, strlen(text)}, text), 0);
}

static int has(uint64_t line, const char *text)
{
    return done_has(d, line, text, strlen(text));
}

static void begin_set(void)
{
    d = done_new();
    add(3, "three");
    add(1, "one");
    add(63, "sixty-three");
    add(64, "sixty-four");
    add(70, "seventy");
    add(1000000, "million");
}

static void lines_are_skipped_in_order(void **state)
{
    (void)state;
    begin_set();
    assert_true(done_records(d) == 6);
    assert_int_equal(done_add(d, &(struct done_record){64, 1}, "x"), -RS_EINVAL);
    const uint64_t done[] = {1, 3, 63, 64, 70};
    const char *const text[] = {"one", "three", "sixty-three", "sixty-four", "seventy"};
    for (uint64_t line = 1, i = 0; line < 1000; line++) {
        bool is = i < 5 && done[i] == line;
        assert_int_equal(has(line, is ? text[i++] : "another"), is);
    }
    assert_int_equal(done_end(d), -RS_EINVAL); /* a million is still to come */
    assert_int_equal(has(1000000, "million"), 1);
    assert_int_equal(done_end(d), 0);
    done_free(d);
}

static void another_input_is_noticed(void **state)
{
    (void)state;
    begin_set();
    assert_int_equal(has(1, "one"), 1);
    assert_int_equal(has(3, "threE"), 1);
    assert_int_equal(has(63, "sixty-three"), -RS_EINVAL); /* the last that is done of its 64 */
    done_free(d);
    begin_set();
    assert_int_equal(has(1, "three"), 1); /* the right texts at the wrong lines */
    assert_int_equal(has(3, "one"), 1);
    assert_int_equal(has(63, "sixty-three"), -RS_EINVAL);
    done_free(d);
    begin_set();
    assert_int_equal(has(1, "one"), 1);
    assert_int_equal(has(3, "three"), 1);
    assert_int_equal(has(65, "x"), -RS_EINVAL); /* 63 is not in it: a blank line there */
    done_free(d);
    begin_set();
    assert_int_equal(has(1, "one"), 1);
    assert_int_equal(has(200, "x"), -RS_EINVAL);
    done_free(d);
    begin_set();
    has(1, "one"), has(3, "three"), has(63, "sixty-three");
    assert_int_equal(has(200, "x"), -RS_EINVAL); /* 64 and 70 were left out */
    assert_int_equal(done_end(d), -RS_EINVAL);
    done_free(d);
}

static void lines_far_apart_cost_little(void **state)
{
    (void)state;
    d = done_new();
    add(1, "a");
    add(DONE_LINE_MOST, "b");
    assert_int_equal(has(1, "a"), 1);
    assert_int_equal(has(DONE_LINE_MOST, "b"), 1);
    assert_int_equal(done_end(d), 0);
    done_free(d);
}

/* -- the file -------------------------------------------------------------------------------- */

#define FILE_LINES 6
static char whole[4000];
static size_t ends[FILE_LINES + 1]; /* of the first i records */

static void fill_file(void)
{
    struct record r;
    record_init(&r);
    whole[0] = '\0';
    for (size_t i = 0; i < FILE_LINES; i++) {
        strcat(whole, record(&r, inputs[i], i + 1, i % 2 == 0));
        ends[i + 1] = strlen(whole);
    }
    record_free(&r);
}

static size_t size_of(const char *path)
{
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    return (size_t)st.st_size;
}

static void expect_records(const char *path, size_t bytes, size_t cut)
{
    size_t records = 0;
    while (records < FILE_LINES && ends[records + 1] <= bytes)
        records++;
    assert_int_equal(done_read(&d, path, &err), 0);
    assert_true(done_records(d) == records);
    assert_true(done_cut(d) == cut);
    assert_int_equal(size_of(path), ends[records]);
    struct record in;
    record_init(&in);
    for (size_t i = 0; i < FILE_LINES; i++) {
        record_begin(&in, &(struct record_input){inputs[i], strlen(inputs[i]), true}, keys);
        assert_int_equal(done_has(d, i + 1, in.text.at, in.text.n), i < records);
    }
    record_free(&in);
    assert_int_equal(done_end(d), 0);
    done_free(d);
}

static size_t last_end(size_t bytes)
{
    size_t i = FILE_LINES;
    while (ends[i] > bytes)
        i--;
    return ends[i];
}

/* A kill, or a power loss after which the file is shorter. */
static void cut_anywhere(void **state)
{
    (void)state;
    fill_file();
    for (size_t n = 0; n <= ends[FILE_LINES]; n++)
        expect_records(files_make("f", whole, n), n, n - last_end(n));
}

/* A power loss after which blocks that were never written read as zeros. */
static void zeros_at_the_end(void **state)
{
    (void)state;
    static char bytes[sizeof whole + 300000];
    const size_t zeros[] = {1, 511, 4096, 300000};
    fill_file();
    for (size_t n = 0; n <= ends[FILE_LINES]; n++)
        for (size_t k = 0; k < (n % 97 == 0 ? 4u : 2u); k++) {
            memcpy(bytes, whole, n);
            memset(bytes + n, 0, zeros[k]);
            expect_records(files_make("f", bytes, n + zeros[k]), n, n + zeros[k] - last_end(n));
        }
}

/* Zeros in the midst of the last record, or of the last two: its newline was written. */
static void zeros_within_the_last_records(void **state)
{
    (void)state;
    char bytes[sizeof whole];
    fill_file();
    for (size_t at = ends[4]; at < ends[5]; at++) {
        memcpy(bytes, whole, sizeof whole);
        memset(bytes + at, 0, ends[6] - 1 - at);
        expect_records(files_make("f", bytes, ends[6]), at, ends[6] - ends[4]);
    }
}

static void expect_refusal(const char *bytes, size_t n, const char *says)
{
    const char *path = files_make("f", bytes, n);
    assert_int_equal(done_read(&d, path, &err), -RS_EINVAL);
    if (strstr(err.text, says) == NULL)
        fail_msg("said: %s", err.text);
    assert_null(d);
    assert_int_equal(size_of(path), n); /* untouched */
}

static void zeros_before_good_records(void **state)
{
    (void)state;
    char bytes[sizeof whole];
    fill_file();
    for (size_t at = ends[2]; at < ends[3]; at++) {
        memcpy(bytes, whole, sizeof whole);
        bytes[at] = '\0';
        expect_refusal(bytes, ends[6], "f, line 3: cannot be read (NUL bytes)");
    }
}

static void files_that_are_none_of_ours(void **state)
{
    (void)state;
    char bytes[2 * sizeof whole + 2];
    expect_refusal("notes\n", 6, "line 1: no record");
    expect_refusal("notes", 5, "line 1: not the torn end");
    expect_refusal("\x1f\x8b\x08\0\0\0\0\0\0\0", 10, "gzip-compressed");
    expect_refusal("{\"dip\":\"192.0.2.1\"}\n", 20, "line 1: no record");
    fill_file();
    snprintf(bytes, sizeof bytes, "%s\n", whole);
    expect_refusal(bytes, strlen(bytes), "line 7: no record"); /* a blank line */
    snprintf(bytes, sizeof bytes, "%s%.*s", whole, (int)ends[1], whole);
    expect_refusal(bytes, strlen(bytes), "line 7: a second record of input line 1");
    assert_int_equal(done_read(&d, files_folder, &err), -RS_EINVAL);
    assert_int_equal(done_read(&d, files_path("none"), &err), -RS_ENOENT);
}

/* Records longer than what is read at once. */
static void long_records(void **state)
{
    (void)state;
    enum { LONG = 700000 };
    struct record r;
    record_init(&r);
    char *input = malloc(LONG + 10);
    FILE *f = fopen(files_path("long"), "w");
    for (int i = 1; i <= 5; i++) {
        snprintf(input, LONG, "{\"a\":\"%0*d\"}", i % 2 ? LONG - 20 : 3, i);
        fputs(record(&r, input, (uint64_t)i, true), f);
    }
    fclose(f);
    size_t n = size_of(files_path("long"));
    assert_int_equal(truncate(files_path("long"), (off_t)n - 1), 0);
    assert_int_equal(done_read(&d, files_path("long"), &err), 0);
    assert_true(done_records(d) == 4 && done_cut(d) > LONG - 100);
    done_free(d);
    record_free(&r);
    free(input);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, files_begin, files_end)
    const struct CMUnitTest tests[] = {
        CASE(the_line_and_the_input_are_found),
        CASE(an_unknown_source_address),
        CASE(what_is_no_record),
        CASE(lines_are_skipped_in_order),
        CASE(another_input_is_noticed),
        CASE(lines_far_apart_cost_little),
        CASE(cut_anywhere),
        CASE(zeros_at_the_end),
        CASE(zeros_within_the_last_records),
        CASE(zeros_before_good_records),
        CASE(files_that_are_none_of_ours),
        CASE(long_records),
    };
    return UNIT_RUN(tests);
}
