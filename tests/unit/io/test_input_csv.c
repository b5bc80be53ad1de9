/* SPDX-License-Identifier: GPL-3.0-or-later
 * CSV: PATHspider's columns, told apart by their number, made into a JSON object. */
#include "unit/base/run.h"

#include "io/input.h"
#include "unit/io/files.h"

static struct input *in;
static struct job job;

static void open_text(const char *text)
{
    struct rs_err err;
    assert_int_equal(input_open(&in, files_make("in.csv", text, strlen(text)), INPUT_CSV, &err), 0);
}

static void expect_end(void)
{
    assert_int_equal(input_next(in, &job), -RS_EEND);
    input_free(in);
}

static void expect_raw(const char *raw)
{
    char *got = strndup(job.raw, job.raw_bytes);
    assert_string_equal(got, raw);
    free(got);
}

static void check_good(
    const char *line, const char *json, const char *dip, unsigned dp, const char *domain)
{
    char text[WIRE_ADDR_TEXT];
    open_text(line);
    assert_int_equal(input_next(in, &job), 0);
    assert_string_equal(job.problem, "");
    assert_true(job.raw_is_json);
    expect_raw(json);
    assert_string_equal(wire_addr_format(&job.dip, text), dip);
    assert_int_equal(job.dp, dp);
    assert_int_equal(job.domain == NULL, domain == NULL);
    if (domain != NULL)
        assert_string_equal(job.domain, domain);
    expect_end();
}

static void check_problem(const char *line, bool is_json, const char *raw, const char *problem)
{
    open_text(line);
    assert_int_equal(input_next(in, &job), 0);
    assert_int_equal(job.raw_is_json, is_json);
    expect_raw(raw);
    if (strncmp(job.problem, problem, strlen(problem)) != 0)
        assert_string_equal(job.problem, problem);
    expect_end();
}

static void the_column_forms(void **state)
{
    (void)state;
    check_good(
        "192.0.2.1,80,example.org,17\n",
        "{\"dip\": \"192.0.2.1\", \"dp\": 80, \"domain\": \"example.org\", \"rank\": \"17\"}",
        "192.0.2.1", 80, "example.org");
    check_good("2001:db8::1,443,example.org",
               "{\"dip\": \"2001:db8::1\", \"dp\": 443, \"domain\": \"example.org\"}",
               "2001:db8::1", 443, "example.org");
    check_good("192.0.2.1,80", "{\"dip\": \"192.0.2.1\", \"dp\": 80}", "192.0.2.1", 80, NULL);
    check_good("192.0.2.1\r\n", "{\"dip\": \"192.0.2.1\"}", "192.0.2.1", 0, NULL);
}

static void blank_columns_are_not_given(void **state)
{
    (void)state;
    check_good("192.0.2.1,,,", "{\"dip\": \"192.0.2.1\"}", "192.0.2.1", 0, NULL);
    check_good("192.0.2.1,,\"\",3", "{\"dip\": \"192.0.2.1\", \"rank\": \"3\"}", "192.0.2.1", 0,
               NULL);
}

static void quoted_fields(void **state)
{
    (void)state;
    check_good("\"192.0.2.1\",\"0080\",\"example.org\",\"a,\"\"b\"\"\\\"",
               "{\"dip\": \"192.0.2.1\", \"dp\": 80, \"domain\": \"example.org\", \"rank\": "
               "\"a,\\\"b\\\"\\\\\"}",
               "192.0.2.1", 80, "example.org");
}

static void a_header_is_skipped_once(void **state)
{
    (void)state;
    open_text("\ndip,dp,domain,rank\n192.0.2.1,80,a,1\ndip,dp,domain,rank\n");
    assert_int_equal(input_next(in, &job), 0);
    assert_int_equal(job.line, 3);
    assert_string_equal(job.problem, "");
    assert_int_equal(input_next(in, &job), 0);
    assert_int_equal(job.line, 4);
    assert_non_null(strstr(job.problem, "line 4: dip \"dip\" is a name"));
    expect_end();
}

static void check_rank_domain(const char *text, const char *line)
{
    open_text(text);
    assert_int_equal(input_next(in, &job), -RS_EPROTO);
    assert_int_equal(input_next(in, &job), -RS_EPROTO); /* final */
    assert_non_null(
        strstr(input_error(in), "the columns are rank,domain, which have no address yet"));
    assert_non_null(strstr(input_error(in), line));
    input_free(in);
}

static void rank_domain_is_an_error_of_the_file(void **state)
{
    (void)state;
    check_rank_domain("1,example.org\n2,example.com\n", "line 1: ");
    check_rank_domain("\nRank,Domain\n1,example.org\n", "line 2: ");
    check_rank_domain("\"1\",\"example.org\"", "line 1: ");
}

static void rank_domain_among_others_is_a_problem_of_the_line(void **state)
{
    (void)state;
    open_text("192.0.2.1,80,a\n1,example.org\n192.0.2.2,80,b\n");
    assert_int_equal(input_next(in, &job), 0);
    assert_int_equal(input_next(in, &job), 0);
    assert_non_null(
        strstr(job.problem, "line 2: looks like rank,domain, which has no address yet"));
    expect_raw("{\"dip\": \"1\", \"dp\": \"example.org\"}");
    assert_int_equal(input_next(in, &job), 0);
    assert_string_equal(job.problem, "");
    expect_end();
}

static void problems(void **state)
{
    (void)state;
    check_problem("example.org,80,x", true,
                  "{\"dip\": \"example.org\", \"dp\": 80, \"domain\": \"x\"}",
                  "line 1: dip \"example.org\" is a name");
    check_problem(",80,x", true, "{\"dp\": 80, \"domain\": \"x\"}",
                  "line 1: dip is empty; expected");
    check_problem("192.0.2.1,0,x", true, "{\"dip\": \"192.0.2.1\", \"dp\": 0, \"domain\": \"x\"}",
                  "line 1: dp 0 is not a port");
    check_problem("192.0.2.1,http,x", true,
                  "{\"dip\": \"192.0.2.1\", \"dp\": \"http\", \"domain\": \"x\"}",
                  "line 1: dp http is not a port");
    check_problem("192.0.2.1,80,a b", true,
                  "{\"dip\": \"192.0.2.1\", \"dp\": 80, \"domain\": \"a b\"}",
                  "line 1: domain holds a blank");
    check_problem("1,2,3,4,5", false, "1,2,3,4,5", "line 1: 5 columns; expected dip,dp,domain or");
    check_problem("192.0.2.1,80,\"a", false, "192.0.2.1,80,\"a",
                  "line 1: malformed CSV: a quoted field that is not closed on its line");
    check_problem("192.0.2.1,80,\"a\"b", false, "192.0.2.1,80,\"a\"b",
                  "line 1: malformed CSV: something between a closing quote and the comma");
    check_problem("192.0.2.1,8\"0\"", false, "192.0.2.1,8\"0\"",
                  "line 1: malformed CSV: a quote inside");
    check_problem("192.0.2.1,80,\xff", false, "192.0.2.1,80,\xff",
                  "line 1: holds bytes that are not text");
    check_problem("{\"dip\":\"192.0.2.1\"}", false, "{\"dip\":\"192.0.2.1\"}",
                  "line 1: malformed CSV: a quote");
}

static void a_long_number_stays_text(void **state)
{
    (void)state;
    check_problem("192.0.2.1,99999999999999999999,x", true,
                  "{\"dip\": \"192.0.2.1\", \"dp\": \"99999999999999999999\", \"domain\": \"x\"}",
                  "line 1: dp 99999999999999999999 is not a port");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_column_forms),
        cmocka_unit_test(blank_columns_are_not_given),
        cmocka_unit_test(quoted_fields),
        cmocka_unit_test(a_header_is_skipped_once),
        cmocka_unit_test(rank_domain_is_an_error_of_the_file),
        cmocka_unit_test(rank_domain_among_others_is_a_problem_of_the_line),
        cmocka_unit_test(problems),
        cmocka_unit_test(a_long_number_stays_text),
    };
    unit_filter();
    return cmocka_run_group_tests(tests, files_begin, files_end);
}
