/* SPDX-License-Identifier: GPL-3.0-or-later
 * Expectations of fixtures: reading them, differences in words, writing them anew. */
#include "unit/base/run.h"

#include <sys/stat.h>

#include "io/expect.h"
#include "unit/io/files.h"

#define HEADER "{\"about\":\"a test\",\"run\":[\"classify\",\"ecn\"]}\n"
#define FLOWS  "{\"about\":\"a test\",\"run\":[\"observe\",\"basic\",\"tcp\"]}\n"
#define ONE    "{\"dip\":\"192.0.2.1\",\"dp\":80,\"conditions\":[\"a.b\",\"a.c\"]}\n"

static struct rs_err err;
static char said[4096]; /* all differences, a line each, without the file's name */

static void say(void *ctx, const char *line)
{
    const char *name = strstr(line, "/x.expect:");
    assert_non_null(name);
    assert_null(ctx);
    strcat(strcat(said, name + 10), "\n");
}

static struct expect *open_text(const char *text)
{
    struct expect *e;
    int rc = expect_open(&e, files_make("x.expect", text, strlen(text)), &err);
    if (rc != 0)
        fail_msg("%s", err.text);
    return e;
}

/* Compares; each of the actual records is a line. */
static unsigned compare(struct expect *e, const char *actual)
{
    while (*actual != '\0') {
        size_t n = strcspn(actual, "\n") + 1;
        assert_int_equal(expect_actual(e, actual, n, &err), 0);
        actual += n;
    }
    said[0] = '\0';
    return expect_compare(e, say, NULL);
}

static void check(const char *expected, const char *actual, const char *differences)
{
    struct expect *e = open_text(expected);
    unsigned n = compare(e, actual), lines = 0;
    assert_string_equal(said, differences);
    for (const char *p = differences; *p != '\0'; p++)
        lines += *p == '\n';
    assert_int_equal(n, lines);
    expect_free(e);
}

static void file(char *got, size_t cap)
{
    FILE *f = fopen(files_path("x.expect"), "r");
    assert_non_null(f);
    got[fread(got, 1, cap - 1, f)] = '\0';
    fclose(f);
}

static void says_what_to_run(void **state)
{
    (void)state;
    unsigned n;
    struct expect *e = open_text(FLOWS);
    const char *const *run = expect_run(e, &n);
    assert_int_equal(n, 3);
    assert_string_equal(run[0], "observe");
    assert_string_equal(run[2], "tcp");
    assert_string_equal(expect_about(e), "a test");
    expect_free(e);
}

static void only_what_is_named_is_compared(void **state)
{
    (void)state;
    check(HEADER ONE,
          "{\"dip\":\"192.0.2.1\",\"dp\":80,\"line\":7,\"conditions\":[\"a.c\",\"a.b\"]}\n", "");
    check(FLOWS "{\"sip\":\"192.0.2.2\",\"dip\":\"192.0.2.1\",\"x\":null}\n",
          "{\"sip\":\"192.0.2.2\",\"dip\":\"192.0.2.1\",\"sp\":5,\"x\":null,\"y\":1}\n", "");
}

static void conditions_are_a_set(void **state)
{
    (void)state;
    check(HEADER ONE, "{\"dip\":\"192.0.2.1\",\"dp\":80,\"conditions\":[\"a.d\",\"a.b\",\"e\"]}\n",
          "2: 192.0.2.1:80: conditions: missing a.c, extra a.d, extra e\n");
    check(HEADER ONE,
          "{\"dip\":\"192.0.2.1\",\"dp\":80,\"conditions\":[\"a.c\",\"a.b\",\"a.b\"]}\n",
          "2: 192.0.2.1:80: conditions: some are named or said twice\n");
    check(HEADER ONE, "{\"dip\":\"192.0.2.1\",\"dp\":80}\n",
          "2: 192.0.2.1:80: conditions: expected [\"a.b\",\"a.c\"], but the record has no such "
          "member\n");
}

static void fields_must_be_equal(void **state)
{
    (void)state;
    check(FLOWS "{\"sip\":\"2001:db8::2\",\"sp\":5,\"dip\":\"2001:db8::1\",\"dp\":53,\"proto\":17,"
                "\"a\":true,\"b\":1,\"c\":null,\"d\":\"x\"}\n",
          "{\"sip\":\"2001:db8::2\",\"sp\":5,\"dip\":\"2001:db8::1\",\"dp\":53,\"proto\":17,"
          "\"a\":false,\"b\":1,\"c\":0}\n",
          "2: flow [2001:db8::2]:5 > [2001:db8::1]:53 proto 17: a: expected true, got false\n"
          "2: flow [2001:db8::2]:5 > [2001:db8::1]:53 proto 17: c: expected null, got 0\n"
          "2: flow [2001:db8::2]:5 > [2001:db8::1]:53 proto 17: d: expected \"x\", but the record "
          "has no such member\n");
}

static void a_difference_is_one_line(void **state)
{
    (void)state;
    check(FLOWS "{\"dip\":\"a\\nb\",\"c\\r\\u001bd\":1}\n", "{\"dip\":\"a\\nb\"}\n",
          "2: flow any > a?b: c??d: expected 1, but the record has no such member\n");
}

static void too_many_and_too_few(void **state)
{
    (void)state;
    check(HEADER ONE, "", "2: 192.0.2.1:80: expected a record, got none\n");
    check(HEADER, "{\"dip\":\"192.0.2.1\",\"dp\":80,\"conditions\":[\"x\"]}\n",
          " 192.0.2.1:80: a record that is not expected: [\"x\"]\n");
    check(HEADER ONE, "{\"dip\":\"192.0.2.1\",\"dp\":81,\"conditions\":[\"a.b\",\"a.c\"]}\n",
          "2: 192.0.2.1:80: expected a record, got none\n"
          " 192.0.2.1:81: a record that is not expected: [\"a.b\",\"a.c\"]\n");
}

static void records_of_one_place_come_in_order(void **state)
{
    (void)state;
    check(HEADER "{\"dip\":\"192.0.2.1\",\"x\":1}\n{\"dip\":\"192.0.2.1\",\"x\":2}\n",
          "{\"dip\":\"192.0.2.1\",\"x\":1}\n{\"dip\":\"192.0.2.1\",\"x\":2}\n", "");
    check(FLOWS "{\"dip\":\"192.0.2.1\",\"sp\":2,\"x\":1}\n{\"dip\":\"192.0.2.1\",\"sp\":1}\n",
          "{\"dip\":\"192.0.2.1\",\"sp\":1}\n{\"dip\":\"192.0.2.1\",\"sp\":2,\"x\":1}\n", "");
}

static void update(const char *before, const char *actual, const char *after)
{
    char got[4096];
    struct expect *e = open_text(before);
    compare(e, actual);
    assert_int_equal(expect_write(e, &err), 0);
    expect_free(e);
    file(got, sizeof got);
    assert_string_equal(got, after);
}

static void update_leaves_what_is_right(void **state)
{
    (void)state;
    static const char odd[] = HEADER "{ \"dp\" : 80, \"dip\":\"192.0.2.1\" , \"x\": 1e0 }\n";
    update(odd, "{\"dip\":\"192.0.2.1\",\"dp\":80,\"x\":1.0,\"y\":2}\n", odd);
}

static void update_keeps_the_members_that_were_named(void **state)
{
    (void)state;
    update(HEADER "{\"dip\":\"192.0.2.1\",\"x\":1,\"conditions\":[\"b\",\"a\"],\"gone\":1}\n" ONE,
           "{\"dip\":\"192.0.2.1\",\"dp\":9,\"conditions\":[\"a\",\"b\"],\"x\":[0.1,null]}\n",
           HEADER "{\"dip\":\"192.0.2.1\",\"x\":[0.1,null],\"conditions\":[\"b\",\"a\"]}\n");
}

static void update_of_a_new_record(void **state)
{
    (void)state;
    update(HEADER, "{\"line\":1,\"dip\":\"192.0.2.1\",\"dp\":9,\"conditions\":[\"a\"],\"x\":1}\n",
           HEADER "{\"dip\":\"192.0.2.1\",\"dp\":9,\"conditions\":[\"a\"]}\n");
    update(FLOWS, "{\"sip\":\"192.0.2.2\",\"dip\":\"192.0.2.1\",\"x\":1,\"y\":null}\n",
           FLOWS "{\"sip\":\"192.0.2.2\",\"dip\":\"192.0.2.1\",\"x\":1,\"y\":null}\n");
}

/* The file stays whole until there is another. */
static void update_that_cannot_be_written(void **state)
{
    (void)state;
    char got[4096], beside[220];
    static const char before[] = HEADER ONE;
    struct expect *e = open_text(before);
    snprintf(beside, sizeof beside, "%s.new", files_path("x.expect"));
    assert_int_equal(mkdir(beside, 0755), 0);
    compare(e, "{\"dip\":\"192.0.2.1\",\"dp\":80,\"conditions\":[\"other\"]}\n");
    assert_true(expect_write(e, &err) < 0);
    assert_non_null(strstr(err.text, "x.expect"));
    expect_free(e);
    file(got, sizeof got);
    assert_string_equal(got, before);
}

static void a_new_file(void **state)
{
    (void)state;
    char got[300];
    struct expect *e;
    assert_int_equal(expect_new(&e, files_path("x.expect"), " observe basic  tcp", &err), 0);
    assert_int_equal(expect_write(e, &err), 0);
    expect_free(e);
    file(got, sizeof got);
    assert_string_equal(got, "{\"about\":\"say here what this capture shows\","
                             "\"run\":[\"observe\",\"basic\",\"tcp\"]}\n");
    assert_int_equal(expect_new(&e, files_path("x.expect"), "observe", &err), -RS_EINVAL);
    assert_int_equal(expect_new(&e, files_path("x.expect"), "measure ecn", &err), -RS_EINVAL);
    assert_string_equal(err.text,
                        "'measure ecn' cannot be run: classify PLUGIN or observe CHAIN...");
}

static void refuse(const char *text, const char *problem)
{
    struct expect *e;
    const char *path = files_make("x.expect", text, strlen(text));
    err.text[0] = '\0';
    assert_int_equal(expect_open(&e, path, &err), -RS_EINVAL);
    assert_null(e);
    if (strstr(err.text, problem) == NULL)
        fail_msg("'%s' is not in '%s'", problem, err.text);
}

static void bad_files(void **state)
{
    (void)state;
    refuse("", "x.expect:1: the first line is {\"about\"");
    refuse("{\"about\":\"x\"}\n", "x.expect:1: the first line is {\"about\"");
    refuse("{\"run\":[\"classify\",\"ecn\"]}\n", "x.expect:1: the first line is");
    refuse("{\"about\":\"x\",\"run\":[\"classify\"]}\n", "x.expect:1: the first line is");
    refuse("{\"about\":\"x\",\"run\":[\"classify\",\"ecn\",\"x\"]}\n", "x.expect:1: the first");
    refuse("{\"about\":\"x\",\"run\":[\"observe\",1]}\n", "x.expect:1: the first line is");
    refuse("{\"about\":\"x\",\"run\":[\"classify\",\"ecn\"],\"runs\":1}\n",
           "x.expect:1: there is no member 'runs': the first line is");
    refuse(HEADER "\n", "x.expect:2: no JSON object: ");
    refuse(HEADER "{\"dip\":\"192.0.2.1\",}\n", "x.expect:2: no JSON object: ");
    refuse(HEADER "{\"dip\":\"192.0.2.1\",\"dip\":\"192.0.2.1\"}\n",
           "x.expect:2: no JSON object: ");
    refuse(HEADER ONE "[1]\n", "x.expect:3: no JSON object: a line is");
    refuse(HEADER "{\"dp\":80}\n", "x.expect:2: the member dip is missing");
    refuse(HEADER "{\"dip\":\"192.0.2.1\",\"conditions\":\"x\"}\n",
           "x.expect:2: conditions is no list");
    struct expect *e;
    assert_int_equal(expect_open(&e, files_path("none.expect"), &err), -RS_ENOENT);
    e = open_text(HEADER);
    assert_int_equal(expect_actual(e, "[1]", 3, &err), -RS_EINVAL);
    assert_int_equal(expect_actual(e, "{", 1, &err), -RS_EINVAL);
    expect_free(e);
    expect_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(says_what_to_run, files_begin, files_end),
        cmocka_unit_test_setup_teardown(only_what_is_named_is_compared, files_begin, files_end),
        cmocka_unit_test_setup_teardown(conditions_are_a_set, files_begin, files_end),
        cmocka_unit_test_setup_teardown(fields_must_be_equal, files_begin, files_end),
        cmocka_unit_test_setup_teardown(a_difference_is_one_line, files_begin, files_end),
        cmocka_unit_test_setup_teardown(too_many_and_too_few, files_begin, files_end),
        cmocka_unit_test_setup_teardown(records_of_one_place_come_in_order, files_begin, files_end),
        cmocka_unit_test_setup_teardown(update_leaves_what_is_right, files_begin, files_end),
        cmocka_unit_test_setup_teardown(update_keeps_the_members_that_were_named, files_begin,
                                        files_end),
        cmocka_unit_test_setup_teardown(update_of_a_new_record, files_begin, files_end),
        cmocka_unit_test_setup_teardown(update_that_cannot_be_written, files_begin, files_end),
        cmocka_unit_test_setup_teardown(a_new_file, files_begin, files_end),
        cmocka_unit_test_setup_teardown(bad_files, files_begin, files_end),
    };
    return UNIT_RUN(tests);
}
