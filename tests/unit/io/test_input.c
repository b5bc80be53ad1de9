/* SPDX-License-Identifier: GPL-3.0-or-later
 * NDJSON lines: what is taken out of them, and what is said about those that cannot be measured. */
#include "unit/base/run.h"

#include "io/blocklist.h"
#include "io/input.h"
#include "unit/io/files.h"

static struct input *in;
static struct job job;

static void open_bytes(const char *bytes, size_t n)
{
    struct rs_err err;
    assert_int_equal(input_open(&in, files_make("in", bytes, n), INPUT_NDJSON, &err), 0);
}

static void open_text(const char *text)
{
    open_bytes(text, strlen(text));
}

static void expect_end(void)
{
    assert_int_equal(input_next(in, &job), -RS_EEND);
    assert_int_equal(input_next(in, &job), -RS_EEND); /* stays so */
    input_free(in);
}

static void expect_raw(const char *raw)
{
    assert_int_equal(job.raw_bytes, strlen(raw));
    assert_memory_equal(job.raw, raw, strlen(raw));
}

/* One line, which is a JSON object, gives this problem (its beginning). */
static void check_problem(const char *line, const char *problem)
{
    open_text(line);
    assert_int_equal(input_next(in, &job), 0);
    assert_true(job.raw_is_json);
    expect_raw(line);
    if (strncmp(job.problem, problem, strlen(problem)) != 0)
        assert_string_equal(job.problem, problem);
    expect_end();
}

static void check_good(const char *line, const char *dip, unsigned dp, const char *domain)
{
    char text[WIRE_ADDR_TEXT];
    open_text(line);
    assert_int_equal(input_next(in, &job), 0);
    assert_string_equal(job.problem, "");
    assert_string_equal(wire_addr_format(&job.dip, text), dip);
    assert_int_equal(job.dp, dp);
    if (domain == NULL)
        assert_null(job.domain);
    else
        assert_string_equal(job.domain, domain);
    expect_raw(line);
    expect_end();
}

static void members_are_read(void **state)
{
    (void)state;
    check_good("{\"dip\":\"192.0.2.1\"}", "192.0.2.1", 0, NULL);
    check_good("{\"dip\": \"2001:db8::1\", \"dp\": 443, \"domain\": \"example.org\", \"rank\": 1}",
               "2001:db8::1", 443, "example.org");
    check_good("{\"dp\":\"80\",\"dip\":\"192.0.2.1\",\"domain\":null}", "192.0.2.1", 80, NULL);
    check_good("{\"dip\":\"192.0.2.1\",\"dp\":null,\"domain\":\"\"}", "192.0.2.1", 0, NULL);
    check_good("{\"dip\":\"192.0.2.1\",\"dp\":\"\"}", "192.0.2.1", 0, NULL);
    check_good("{\"dip\":\"192.0.2.1\",\"dp\":65535,\"domain\":\"b\\u00fccher.example\"}",
               "192.0.2.1", 65535,
               "b\xc3\xbc"
               "cher.example");
}

static void other_keys_may_hold_anything(void **state)
{
    (void)state;
    check_good("{\"dip\":\"192.0.2.1\",\"n\":18446744073709551615,\"x\":1e-400,\"z\":\"\\u0000\","
               "\"d\":1,\"d\":2,\"o\":{\"dip\":3,\"a\":[[[]]]}}",
               "192.0.2.1", 0, NULL);
    check_good("{\"dip\":\"192.0.2.9\",\"dip\":\"192.0.2.1\"}", "192.0.2.1", 0,
               NULL); /* the last */
}

static void lines_are_counted_and_blank_ones_skipped(void **state)
{
    (void)state;
    open_text("\n  \t\r\n{\"dip\":\"192.0.2.1\"}\r\n\n{\"dip\":\"192.0.2.2\"}");
    assert_int_equal(input_next(in, &job), 0);
    assert_int_equal(job.line, 3);
    expect_raw("{\"dip\":\"192.0.2.1\"}"); /* no CR */
    assert_int_equal(input_next(in, &job), 0);
    assert_int_equal(job.line, 5); /* no newline at the end of the file */
    assert_string_equal(job.problem, "");
    expect_end();
}

static void byte_order_mark_is_skipped(void **state)
{
    (void)state;
    open_text("\xef\xbb\xbf{\"dip\":\"192.0.2.1\"}\n");
    assert_int_equal(input_next(in, &job), 0);
    assert_string_equal(job.problem, "");
    expect_raw("{\"dip\":\"192.0.2.1\"}");
    expect_end();
}

static void blanks_around_the_object_are_dropped(void **state)
{
    (void)state;
    open_text("  {\"dip\":\"192.0.2.1\" }\t \n");
    assert_int_equal(input_next(in, &job), 0);
    assert_true(job.raw_is_json);
    expect_raw("{\"dip\":\"192.0.2.1\" }");
    expect_end();
}

static void empty_file_has_no_jobs(void **state)
{
    (void)state;
    open_text("");
    expect_end();
    open_text("\n\n");
    expect_end();
}

static void problems_with_dip(void **state)
{
    (void)state;
    check_problem("{}", "line 1: the object has no \"dip\"; expected");
    check_problem("{\"DIP\":\"192.0.2.1\"}", "line 1: the object has no \"dip\"");
    check_problem("{\"dip\":1}", "line 1: dip is a number; expected a string");
    check_problem("{\"dip\":null}", "line 1: dip is null; expected");
    check_problem("{\"dip\":[\"192.0.2.1\"]}", "line 1: dip is an array; expected");
    check_problem("{\"dip\":\"\"}", "line 1: dip is empty; expected");
    check_problem(
        "{\"dip\":\"www.example.org\"}",
        "line 1: dip \"www.example.org\" is a name; expected an IPv4 or IPv6 address such as "
        "192.0.2.1 or 2001:db8::1 (resolve names first)");
    check_problem("{\"dip\":\"b\\u00fccher\"}", "line 1: dip \"b\xc3\xbc"
                                                "cher\" is a name");
    check_problem("{\"dip\":\"192.0.2.0/24\"}", "line 1: dip \"192.0.2.0/24\" is a prefix");
    check_problem("{\"dip\":\"192.0.2.256\"}", "line 1: dip \"192.0.2.256\" cannot be read");
    check_problem("{\"dip\":\"[2001:db8::1]\"}", "line 1: dip \"[2001:db8::1]\" cannot be read");
    check_problem("{\"dip\":\"fe80::1%eth0\"}", "line 1: dip \"fe80::1%eth0\" cannot be read");
    check_problem("{\"dip\":\"192.0.2.1\\u0000\"}", "line 1: dip \"192.0.2.1\" cannot be read");
    check_problem("{\"dip\":\"1\\n2\"}", "line 1: dip \"1?2\" cannot be read");
}

static void addresses_that_are_no_host(void **state)
{
    (void)state;
    check_problem("{\"dip\":\"0.0.0.0\"}", "line 1: dip 0.0.0.0 is the unspecified address");
    check_problem("{\"dip\":\"::\"}", "line 1: dip :: is the unspecified address");
    check_problem("{\"dip\":\"224.0.0.1\"}", "line 1: dip 224.0.0.1 is a multicast address");
    check_problem("{\"dip\":\"239.255.255.255\"}", "line 1: dip 239.255.255.255 is a multicast");
    check_problem("{\"dip\":\"255.255.255.255\"}", "line 1: dip 255.255.255.255 is the broadcast");
    check_problem("{\"dip\":\"ff02::1\"}", "line 1: dip ff02::1 is a multicast address");
    check_good("{\"dip\":\"223.255.255.255\"}", "223.255.255.255", 0, NULL);
    check_good("{\"dip\":\"127.0.0.1\"}", "127.0.0.1", 0, NULL); /* for the blocklist to decide */
}

static void problems_with_dp(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "0",     "-1",        "65536",   "80.5",    "1e300",
        "\"0\"", "\"x\"",     "\"80 \"", "true",    "[80]",
        "{}",    "\"65536\"", "\"-1\"",  "\"+80\"", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char line[100];
        snprintf(line, sizeof line, "{\"dip\":\"192.0.2.1\",\"dp\":%s}", bad[i]);
        check_problem(line, "line 1: dp ");
        assert_non_null(strstr(job.problem, "expected a whole number from 1 to 65535"));
        assert_int_equal(job.dp, 0);
    }
}

static void problems_with_domain(void **state)
{
    (void)state;
    check_problem("{\"dip\":\"192.0.2.1\",\"domain\":1}", "line 1: domain is a number; expected");
    check_problem("{\"dip\":\"192.0.2.1\",\"domain\":\"a\\r\\nX: y\"}",
                  "line 1: domain holds a blank or control character (0x0d at byte 2)");
    check_problem("{\"dip\":\"192.0.2.1\",\"domain\":\"a b\"}", "line 1: domain holds a blank");
    check_problem("{\"dip\":\"192.0.2.1\",\"domain\":\"a\\u0000\"}", "line 1: domain holds");
    char line[400], name[300];
    memset(name, 'a', sizeof name);
    name[INPUT_DOMAIN_BYTES] = '\0';
    snprintf(line, sizeof line, "{\"dip\":\"192.0.2.1\",\"domain\":\"%s\"}", name);
    check_good(line, "192.0.2.1", 0, name);
    snprintf(line, sizeof line, "{\"dip\":\"192.0.2.1\",\"domain\":\"a%s\"}", name);
    check_problem(line, "line 1: domain has 255 bytes; expected at most 254");
    assert_null(job.domain);
}

static void check_no_json(const char *bytes, size_t n, const char *problem)
{
    open_bytes(bytes, n);
    assert_int_equal(input_next(in, &job), 0);
    assert_false(job.raw_is_json);
    assert_int_equal(job.raw_bytes, n);
    assert_memory_equal(job.raw, bytes, n);
    assert_int_equal(job.dip.family, 0);
    if (strncmp(job.problem, problem, strlen(problem)) != 0)
        assert_string_equal(job.problem, problem);
    expect_end();
}

static void what_is_no_object(void **state)
{
    (void)state;
    static const char *const plain[] = {"192.0.2.1", "[1]",   "42",
                                        "null",      "\"x\"", "192.0.2.1,80,a"};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        check_no_json(plain[i], strlen(plain[i]),
                      "line 1: not a JSON object; expected one JSON object");
    static const char *const broken[] = {"{",
                                         "{\"dip\":\"192.0.2.1\"",
                                         "{dip:1}",
                                         "{} {}",
                                         "{\"a\":01}",
                                         "{\"dip\":\"192.0.2.1\",}",
                                         "{'a':1}",
                                         "{\"a\":\"\t\"}",
                                         "{\"a\":\"\xff\"}",
                                         "{\"a\":1}x"};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++)
        check_no_json(broken[i], strlen(broken[i]), "line 1: malformed JSON at byte ");
}

static void binary_garbage(void **state)
{
    (void)state;
    check_no_json("\0\1\2\xff", 4, "line 1: holds NUL bytes, so it is not text");
    check_no_json("{\"a\":\"\0\"}", 9, "line 1: holds NUL bytes");
    check_no_json("\xff\xfe{\xff", 4, "line 1: not a JSON object");
}

/* Any bytes: one job a line that is not blank, and a text that people can read. */
static void random_bytes_never_break_it(void **state)
{
    (void)state;
    static char bytes[200000];
    uint32_t x = 1;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)((x = x * 1664525u + 1013904223u) >> 24);
    open_bytes(bytes, sizeof bytes);
    uint64_t line = 0;
    int code;
    while ((code = input_next(in, &job)) == 0) {
        assert_true(job.line > line);
        line = job.line;
        assert_true(job.problem[0] != '\0');
        for (const char *p = job.problem; *p != '\0'; p++)
            assert_true((unsigned char)*p >= 0x20);
    }
    assert_int_equal(code, -RS_EEND);
    assert_true(line > 500);
    input_free(in);
}

static void deep_nesting_is_a_problem_not_a_crash(void **state)
{
    (void)state;
    static char line[300000];
    memset(line, '[', sizeof line);
    memcpy(line, "{\"a\":", 5);
    check_no_json(line, sizeof line, "line 1: malformed JSON at byte ");
}

static void a_line_of_the_longest_length_is_measured(void **state)
{
    (void)state;
    char *text = malloc(INPUT_LINE_BYTES + 100);
    size_t n = (size_t)sprintf(text, "{\"dip\":\"192.0.2.1\",\"x\":\"");
    memset(text + n, 'x', INPUT_LINE_BYTES - n - 2);
    strcpy(text + INPUT_LINE_BYTES - 2, "\"}\r\n{\"dip\":\"192.0.2.2\"}\n");
    open_text(text);
    assert_int_equal(input_next(in, &job), 0);
    assert_string_equal(job.problem, "");
    assert_int_equal(job.raw_bytes, INPUT_LINE_BYTES);
    assert_int_equal(input_next(in, &job), 0);
    assert_string_equal(job.problem, "");
    assert_int_equal(job.line, 2);
    expect_end();
    free(text);
}

/* `excess` bytes too many, then a good line. */
static void check_too_long(size_t excess, const char *after)
{
    size_t n = INPUT_LINE_BYTES + excess;
    char *text = malloc(n + 100);
    memset(text, 'x', n);
    text[0] = '{';
    strcpy(text + n, after);
    open_bytes(text, n + strlen(after));
    assert_int_equal(input_next(in, &job), 0);
    assert_string_equal(job.problem,
                        "line 1: longer than 1048576 bytes; expected one target a line");
    assert_false(job.raw_is_json);
    assert_int_equal(job.raw_bytes, INPUT_CUT_BYTES);
    assert_memory_equal(job.raw, text, INPUT_CUT_BYTES);
    if (after[0] != '\0') {
        assert_int_equal(input_next(in, &job), 0);
        assert_int_equal(job.line, 2);
        assert_string_equal(job.problem, "");
    }
    expect_end();
    free(text);
}

static void longer_lines_are_one_problem_each(void **state)
{
    (void)state;
    static const size_t excess[] = {1, 2, 65535, 65536, 65537, 5000000};
    for (size_t i = 0; i < sizeof excess / sizeof excess[0]; i++) {
        check_too_long(excess[i], "\n{\"dip\":\"192.0.2.1\"}\n");
        check_too_long(excess[i], "");
    }
}

static void many_lines_across_buffer_ends(void **state)
{
    (void)state;
    enum { N = 20000 };
    char *text = malloc((size_t)N * 60);
    size_t n = 0;
    for (unsigned i = 0; i < N; i++)
        n += (size_t)sprintf(text + n, "{\"dip\":\"10.0.%u.%u\",\"x\":\"%.*s\"}\n", i >> 8, i & 255,
                             (int)(i % 17), "aaaaaaaaaaaaaaaaa");
    open_bytes(text, n);
    for (unsigned i = 0; i < N; i++) {
        char want[WIRE_ADDR_TEXT], got[WIRE_ADDR_TEXT];
        snprintf(want, sizeof want, "10.0.%u.%u", i >> 8, i & 255);
        assert_int_equal(input_next(in, &job), 0);
        assert_int_equal(job.line, i + 1);
        assert_string_equal(wire_addr_format(&job.dip, got), want);
    }
    expect_end();
    free(text);
}

/* Tests run from the top of the tree. */
static void the_example_targets_can_be_measured(void **state)
{
    (void)state;
    struct rs_err err;
    struct blocklist *blocked;
    unsigned jobs = 0;
    assert_int_equal(input_open(&in, "examples/webtest.ndjson", INPUT_NDJSON, &err), 0);
    assert_int_equal(blocklist_default(&blocked, &err), 0);
    for (; input_next(in, &job) == 0; jobs++) {
        assert_string_equal(job.problem, "");
        assert_int_equal(job.dp, 80);
        assert_non_null(job.domain);
        assert_null(blocklist_match(blocked, &job.dip));
    }
    assert_in_range(jobs, 6, 8);
    blocklist_free(blocked);
    input_free(in);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_are_read),
        cmocka_unit_test(other_keys_may_hold_anything),
        cmocka_unit_test(lines_are_counted_and_blank_ones_skipped),
        cmocka_unit_test(byte_order_mark_is_skipped),
        cmocka_unit_test(blanks_around_the_object_are_dropped),
        cmocka_unit_test(empty_file_has_no_jobs),
        cmocka_unit_test(problems_with_dip),
        cmocka_unit_test(addresses_that_are_no_host),
        cmocka_unit_test(problems_with_dp),
        cmocka_unit_test(problems_with_domain),
        cmocka_unit_test(what_is_no_object),
        cmocka_unit_test(binary_garbage),
        cmocka_unit_test(random_bytes_never_break_it),
        cmocka_unit_test(deep_nesting_is_a_problem_not_a_crash),
        cmocka_unit_test(a_line_of_the_longest_length_is_measured),
        cmocka_unit_test(longer_lines_are_one_problem_each),
        cmocka_unit_test(many_lines_across_buffer_ends),
        cmocka_unit_test(the_example_targets_can_be_measured),
    };
    unit_filter();
    return cmocka_run_group_tests(tests, files_begin, files_end);
}
