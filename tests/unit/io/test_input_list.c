/* SPDX-License-Identifier: GPL-3.0-or-later
 * Plain lists: what an entry gives, how targets are numbered, and how a list is told from NDJSON.
 */
#include "unit/base/run.h"

#include "io/input.h"
#include "unit/io/files.h"

static struct input *in;
static struct job job;

static void open_as(enum input_format format, const char *bytes, size_t n)
{
    struct rs_err err;
    assert_int_equal(input_open(&in, files_make("list", bytes, n), format, &err), 0);
}

static void open_list(const char *text)
{
    open_as(INPUT_LIST, text, strlen(text));
}

static void open_auto(const char *text)
{
    open_as(INPUT_AUTO, text, strlen(text));
}

static void expect_end(void)
{
    assert_int_equal(input_next(in, &job), -RS_EEND);
    assert_int_equal(input_next(in, &job), -RS_EEND);
    input_free(in);
}

static void expect_target(uint64_t line, const char *dip)
{
    char want[100], got[WIRE_ADDR_TEXT];
    snprintf(want, sizeof want, "{\"dip\":\"%s\"}", dip);
    assert_int_equal(input_next(in, &job), 0);
    assert_string_equal(job.problem, "");
    assert_string_equal(wire_addr_format(&job.dip, got), dip);
    assert_int_equal(job.line, line);
    assert_true(job.raw_is_json);
    assert_int_equal(job.raw_bytes, strlen(want));
    assert_memory_equal(job.raw, want, strlen(want));
    assert_int_equal(job.dp, 0);
    assert_null(job.domain);
}

/* The text is the line as it stands, and the problem begins so. */
static void expect_problem(uint64_t line, const char *raw, const char *problem)
{
    assert_int_equal(input_next(in, &job), 0);
    if (strncmp(job.problem, problem, strlen(problem)) != 0)
        assert_string_equal(job.problem, problem);
    assert_int_equal(job.line, line);
    assert_int_equal(job.dip.family, 0);
    assert_false(job.raw_is_json);
    assert_int_equal(job.raw_bytes, strlen(raw));
    assert_memory_equal(job.raw, raw, strlen(raw));
}

static void check_problem(const char *line, const char *problem)
{
    open_list(line);
    expect_problem(1, line, problem);
    expect_end();
}

static void addresses_comments_and_blank_lines(void **state)
{
    (void)state;
    open_list("# a list\n\n192.0.2.7\r\n \t2001:db8::1  # why\n#\n\n  # x\n192.0.2.9#y\n192.0.2.8");
    expect_target(1, "192.0.2.7");
    assert_int_equal(job.text_line, 3);
    expect_target(2, "2001:db8::1");
    assert_int_equal(job.text_line, 4);
    expect_target(3, "192.0.2.9");
    expect_target(4, "192.0.2.8"); /* no newline at the end */
    assert_int_equal(job.text_line, 9);
    expect_end();
}

static void prefixes_of_each_edge(void **state)
{
    (void)state;
    open_list("192.0.2.1/32\n192.0.2.2/31\n192.0.2.255/30\n2001:db8::fffe/126\n2001:db8::9/128\n");
    expect_target(1, "192.0.2.1");
    expect_target(2, "192.0.2.2");
    expect_target(3, "192.0.2.3");
    for (unsigned i = 0; i < 4; i++) { /* bits behind the prefix are cut off, as ZMap does */
        char dip[20];
        snprintf(dip, sizeof dip, "192.0.2.%u", 252 + i);
        expect_target(4 + i, dip);
        assert_int_equal(job.text_line, 3);
    }
    expect_target(8, "2001:db8::fffc");
    expect_target(9, "2001:db8::fffd");
    expect_target(10, "2001:db8::fffe");
    expect_target(11, "2001:db8::ffff");
    expect_target(12, "2001:db8::9");
    expect_end();
}

static void ranges_and_carries(void **state)
{
    (void)state;
    open_list("192.0.1.254-192.0.2.1\n2001:db8::ffff - 2001:db8::1:0\n");
    expect_target(1, "192.0.1.254");
    expect_target(2, "192.0.1.255");
    expect_target(3, "192.0.2.0"); /* network and broadcast addresses are targets */
    expect_target(4, "192.0.2.1");
    expect_target(5, "2001:db8::ffff");
    expect_target(6, "2001:db8::1:0");
    expect_end();
}

/* A /8 in the memory of one target; all of it, and nothing twice. */
static void a_wide_prefix_is_walked(void **state)
{
    (void)state;
    open_list("10.0.0.0/8\n192.0.2.1\n");
    for (uint32_t i = 0; i < 1u << 24; i++) {
        assert_int_equal(input_next(in, &job), 0);
        uint32_t at =
            (uint32_t)job.dip.bytes[1] << 16 | (uint32_t)job.dip.bytes[2] << 8 | job.dip.bytes[3];
        if (job.line != i + 1 || at != i || job.dip.bytes[0] != 10)
            fail_msg("target %u is another", i);
    }
    expect_target((1u << 24) + 1, "192.0.2.1");
    expect_end();
}

static void too_wide_without_a_limit(void **state)
{
    (void)state;
    check_problem("0.0.0.0/0", "line 1: \"0.0.0.0/0\" is every IPv4 address; expected narrower");
    check_problem("2001:db8::/95", "line 1: \"2001:db8::/95\" has more than 2^32 addresses; "
                                   "expected an IPv6 prefix of /96 or longer (or -n N");
    check_problem("::/0", "line 1: \"::/0\" has more than 2^32");
    check_problem("2001:db8::-2001:db8::1:0:0", "line 1: \"2001:db8::-2001:db8::1:0:0\" has more");
    open_list("2001:db8::1:0:0/96\n"); /* just narrow enough; and a range across the boundary */
    expect_target(1, "2001:db8::1:0:0");
    input_free(in);
    open_list("2001:db8::ffff:ffff-2001:db8::1:0:0\n");
    expect_target(1, "2001:db8::ffff:ffff");
    expect_target(2, "2001:db8::1:0:0");
    expect_end();
}

static void too_wide_with_a_limit(void **state)
{
    (void)state;
    open_list("2001:db8::/32\n");
    input_any_width(in);
    expect_target(1, "2001:db8::");
    expect_target(2, "2001:db8::1");
    input_free(in);
    open_list("128.0.0.0/0\n");
    input_any_width(in);
    assert_int_equal(input_next(in, &job), 0);
    assert_string_equal(job.problem, "line 1: dip 0.0.0.0 is the unspecified address; expected the "
                                     "address of one host");
    assert_true(job.raw_is_json);
    expect_target(2, "0.0.0.1");
    input_free(in);
}

static void addresses_that_are_no_host(void **state)
{
    (void)state;
    open_list("255.255.255.254/31\n224.0.0.0/31\n");
    expect_target(1, "255.255.255.254");
    for (unsigned i = 2; i < 5; i++) {
        assert_int_equal(input_next(in, &job), 0);
        assert_int_equal(job.line, i);
        assert_true(job.raw_is_json);
        assert_int_equal(job.dip.family, 0);
        assert_non_null(strstr(job.problem, i == 2 ? "line 1: dip 255.255.255.255 is the broadcast"
                                                   : "line 2: dip 224.0.0."));
    }
    expect_end();
}

static void problems(void **state)
{
    (void)state;
    check_problem("192.0.2.0/33", "line 1: \"192.0.2.0/33\" has no valid prefix length; expected 0 "
                                  "to 32 behind the slash");
    check_problem("2001:db8::/129", "line 1: \"2001:db8::/129\" has no valid prefix length; "
                                    "expected 0 to 128");
    check_problem("192.0.2.0/", "line 1: \"192.0.2.0/\" has no valid prefix length");
    check_problem("192.0.2.0/-1", "line 1: \"192.0.2.0/-1\" cannot be read");
    check_problem("192.0.2.0/+8", "line 1: \"192.0.2.0/+8\" has no valid");
    check_problem("192.0.2.0/8/8", "line 1: \"192.0.2.0/8/8\" has no valid");
    check_problem("192.0.2.0/99999999999", "line 1: \"192.0.2.0/99999999999\" has no valid");
    check_problem("/24", "line 1: \"/24\" cannot be read");
    check_problem("192.0.2", "line 1: \"192.0.2\" cannot be read; expected an address, a prefix");
    check_problem("192.0.2.256", "line 1: \"192.0.2.256\" cannot be read");
    check_problem("[2001:db8::1]", "line 1: \"[2001:db8::1]\" cannot be read");
    check_problem("fe80::1%eth0", "line 1: \"fe80::1%eth0\" cannot be read");
    check_problem("www.example.org", "line 1: \"www.example.org\" is a name; expected");
    check_problem("192.0.2.1 192.0.2.2", "line 1: \"192.0.2.1 192.0.2.2\" is more than one word");
    check_problem("192.0.2.1 host", "line 1: \"192.0.2.1 host\" is more than one word; expected");
    check_problem("192.0.2.1,80", "line 1: \"192.0.2.1,80\" cannot be read");
    check_problem("192.0.2.9-192.0.2.1", "line 1: \"192.0.2.9-192.0.2.1\" runs backwards");
    check_problem("192.0.2.9-2001:db8::1", "line 1: \"192.0.2.9-2001:db8::1\" mixes");
    check_problem("{\"dip\":\"192.0.2.1\"}", "line 1: \"{\"dip\":\"192.0.2.1\"}\" cannot be read");
    char line[400];
    memset(line, '1', sizeof line - 1);
    line[sizeof line - 1] = '\0';
    check_problem(line, "line 1: \"111111111111111111111111111111111111111111111111111111111111\" "
                        "is too long; expected one address");
}

static void bytes_that_are_no_text(void **state)
{
    (void)state;
    open_as(INPUT_LIST, "192.0.2.1\0\n\xff\xfe\n192.0.2.2", 23);
    assert_int_equal(input_next(in, &job), 0);
    assert_non_null(strstr(job.problem, "line 1: \"192.0.2.1"));
    assert_non_null(strstr(job.problem, "NUL bytes"));
    assert_int_equal(input_next(in, &job), 0);
    assert_non_null(strstr(job.problem, "line 2: \"??\" cannot be read"));
    expect_target(3, "192.0.2.2");
    expect_end();
}

/* Numbers are those of targets, problems name the line of the text. */
static void a_problem_takes_one_number(void **state)
{
    (void)state;
    open_list("192.0.2.0/31\n\nnonsense # and why\n# c\n192.0.2.4\n");
    expect_target(1, "192.0.2.0");
    expect_target(2, "192.0.2.1");
    expect_problem(3, "nonsense # and why", "line 3: \"nonsense\" is a name");
    assert_int_equal(job.text_line, 3);
    expect_target(4, "192.0.2.4");
    expect_end();
}

static void a_line_too_long_takes_one_number(void **state)
{
    (void)state;
    size_t n = INPUT_LINE_BYTES + 10;
    char *text = malloc(n + 100);
    memcpy(text, "192.0.2.0/31\n", 13);
    memset(text + 13, 'x', n);
    strcpy(text + 13 + n, "\n192.0.2.9");
    open_list(text);
    expect_target(1, "192.0.2.0");
    expect_target(2, "192.0.2.1");
    assert_int_equal(input_next(in, &job), 0);
    assert_int_equal(job.line, 3);
    assert_non_null(strstr(job.problem, "line 2: longer than"));
    expect_target(4, "192.0.2.9");
    expect_end();
    free(text);
}

static void the_first_target_tells_the_form(void **state)
{
    (void)state;
    open_auto("\xef\xbb\xbf# list\n\n 192.0.2.0/31\n192.0.2.5\n");
    expect_target(1, "192.0.2.0");
    expect_target(2, "192.0.2.1");
    expect_target(3, "192.0.2.5");
    expect_end();
    open_auto("# jobs\n{\"dip\":\"192.0.2.1\"}\n192.0.2.9\n# no comment here\n");
    expect_target(2, "192.0.2.1");
    expect_problem(3, "192.0.2.9", "line 3: not a JSON object");
    expect_problem(4, "# no comment here", "line 4: not a JSON object");
    expect_end();
    open_auto("# nothing\n\n");
    expect_end();
}

static void a_slip_in_front_decides_nothing(void **state)
{
    (void)state;
    static const char neither[] = "neither a JSON object nor an address or prefix; expected one "
                                  "such as {\"dip\": \"192.0.2.1\", \"dp\": 80} or 192.0.2.0/24 "
                                  "(for CSV give --csv-input)";
    char first[300];
    snprintf(first, sizeof first, "line 2: %s", neither);
    open_auto("\n192.0.2.256\nx\n192.0.2.0/31\nx\n");
    expect_problem(2, "192.0.2.256", first);
    assert_string_equal(job.problem, first);
    expect_problem(3, "x", "line 3: neither");
    expect_target(4, "192.0.2.0");
    expect_target(5, "192.0.2.1");
    expect_problem(6, "x", "line 5: \"x\" is a name");
    expect_end();
    open_auto("dip,dp\n{\"dip\":\"192.0.2.1\"}");
    expect_problem(1, "dip,dp", "line 1: neither");
    expect_target(2, "192.0.2.1");
    expect_end();
}

/* The entry is being walked while the pipe has nothing new. */
static void a_pipe_that_comes_in_pieces(void **state)
{
    (void)state;
    struct rs_err err;
    char path[40];
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    assert_int_equal(write(ends[1], "192.0.2.0/31\n192.0", 18), 18);
    assert_int_equal(input_open(&in, path, INPUT_AUTO, &err), 0);
    expect_target(1, "192.0.2.0");
    expect_target(2, "192.0.2.1");
    assert_int_equal(input_next(in, &job), -RS_EAGAIN);
    assert_int_equal(write(ends[1], ".2.9", 4), 4);
    assert_int_equal(input_next(in, &job), -RS_EAGAIN);
    close(ends[1]);
    expect_target(3, "192.0.2.9");
    expect_end();
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_comments_and_blank_lines),
        cmocka_unit_test(prefixes_of_each_edge),
        cmocka_unit_test(ranges_and_carries),
        cmocka_unit_test(a_wide_prefix_is_walked),
        cmocka_unit_test(too_wide_without_a_limit),
        cmocka_unit_test(too_wide_with_a_limit),
        cmocka_unit_test(addresses_that_are_no_host),
        cmocka_unit_test(problems),
        cmocka_unit_test(bytes_that_are_no_text),
        cmocka_unit_test(a_problem_takes_one_number),
        cmocka_unit_test(a_line_too_long_takes_one_number),
        cmocka_unit_test(the_first_target_tells_the_form),
        cmocka_unit_test(a_slip_in_front_decides_nothing),
        cmocka_unit_test(a_pipe_that_comes_in_pieces),
    };
    unit_filter();
    return cmocka_run_group_tests(tests, files_begin, files_end);
}
