/* SPDX-License-Identifier: GPL-3.0-or-later
 * Records as run/record.c writes them, and the same input again: each line is known by its record.
 */
#include "unit/base/run.h"

#include "run/record.h"
#include "run/resume.h"
#include "unit/io/files.h"

static struct rs_err err;

static const struct {
    const char *raw;
    bool is_json;
} lines[] = {
    {"{\"dip\":\"192.0.2.1\"}", true},
    {"{\"dip\":\"192.0.2.1\",\"line\":4,\"sip\":\"x\",\"conditions\":[\"\"]}", true},
    {"{ }", true},
    {"garbage \"line\":1}", false},
    {"{\"sip\":null,\"in_sip\":1}", true},
    {"{\"line\":{\"line\":2}}", true},
};
#define N_LINES (sizeof lines / sizeof lines[0])

static void write_record(FILE *f, size_t i, bool measured, bool flows)
{
    const char *text;
    size_t n;
    struct record r;
    record_init(&r);
    struct record_facts facts = {.plugin = "ecn",
                                 .line = i + 1,
                                 .text = lines[i].raw,
                                 .bytes = strlen(lines[i].raw),
                                 .is_json = lines[i].is_json,
                                 .dip = {4, {192, 0, 2, 1}},
                                 .sip = {flows ? 6 : 0, {0x20, 1}},
                                 .vantage = "\"line\":9",
                                 .to = {1},
                                 .refusal = "measure.blocked",
                                 .problem = "x",
                                 .flows = flows};
    struct evidence evidence = {.n_arms = 2};
    struct verdict verdict = {0};
    const char *const arms[] = {"plain", "ecn"};
    if (measured)
        record_measured(&r, &facts, &evidence, &verdict, arms);
    else
        record_refusal(&r, &facts);
    assert_int_equal(record_end(&r, &text, &n), 0);
    assert_int_equal(fwrite(text, 1, n, f), n);
    record_free(&r);
}

static int skips(struct resume *r, size_t i)
{
    struct job job = {.line = i + 1,
                      .raw = lines[i].raw,
                      .raw_bytes = strlen(lines[i].raw),
                      .raw_is_json = lines[i].is_json};
    return resume_skips(r, &job, &err);
}

static void every_kind_of_record_is_known_again(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < 3; kind++) {
        struct resume r = {0};
        FILE *f = fopen(files_path("out"), "w");
        for (size_t i = N_LINES; i-- > 0;)
            if (i != 2)
                write_record(f, i, kind > 0, kind > 1);
        fclose(f);
        assert_int_equal(resume_open(&r, files_path("out"), &err), 0);
        for (size_t i = 0; i < N_LINES; i++)
            assert_int_equal(skips(&r, i), i != 2);
        assert_int_equal(resume_input_ended(&r, &err), 0);
        assert_true(r.skipped == N_LINES - 1);
        resume_close(&r);
    }
}

static void another_input(void **state)
{
    (void)state;
    struct resume r = {0};
    FILE *f = fopen(files_path("out"), "w");
    for (size_t i = 0; i < 3; i++)
        write_record(f, i, true, false);
    fclose(f);
    assert_int_equal(resume_open(&r, files_path("out"), &err), 0);
    struct job job = {.line = 1, .raw = lines[1].raw, .raw_bytes = 5};
    assert_int_equal(resume_skips(&r, &job, &err), 1); /* told with the last of its 64 lines */
    assert_int_equal(skips(&r, 1), 1);
    assert_int_equal(skips(&r, 2), -RS_EINVAL);
    assert_non_null(strstr(err.text, "out is not the output of this input: it differs at line 3"));
    resume_close(&r);
    assert_int_equal(resume_open(&r, files_path("out"), &err), 0);
    assert_int_equal(skips(&r, 0), 1);
    assert_int_equal(resume_input_ended(&r, &err), -RS_EINVAL);
    assert_non_null(strstr(err.text, "records of lines that are not in it"));
    resume_close(&r);
}

static void without_resume_nothing_is_done(void **state)
{
    (void)state;
    struct resume r = {0};
    assert_int_equal(skips(&r, 0), 0);
    assert_int_equal(resume_input_ended(&r, &err), 0);
    resume_close(&r);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, files_begin, files_end)
    const struct CMUnitTest tests[] = {
        CASE(every_kind_of_record_is_known_again),
        CASE(another_input),
        CASE(without_resume_nothing_is_done),
    };
    return UNIT_RUN(tests);
}
