/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the project wrote itself and reads back: members that are not what they should be. */
#include "unit/base/run.h"

#include "io/objects.h"
#include "unit/io/files.h"

static struct objects *o;

static void open_line(const char *line)
{
    struct rs_err err;
    assert_int_equal(objects_open(&o, files_make("x.ndjson", line, strlen(line)), &err), 0);
    assert_int_equal(objects_next(o, &err), 0);
}

static void done(const char *problem)
{
    if (problem == NULL)
        assert_null(object_problem(o));
    else
        assert_non_null(strstr(object_problem(o), problem));
    objects_close(o);
}

static void times(void **state)
{
    static const struct {
        const char *text;
        int64_t ns; /* 0: it is no time */
    } rows[] = {{"2026-11-22 22:14:55.678880", INT64_C(1795385695678880000)},
                {"1969-12-31 23:59:59.000001", -999999000},
                {"2261-12-31 23:59:59.999999", INT64_C(9214646399999999000)},
                {"2262-12-31 23:59:59.999999", 0}, /* rs_wall does not hold it */
                {"9999-12-31 23:59:59.999999", 0},
                {"0001-01-01 00:00:00.000000", 0},
                {"2026-11-22 22:14:55.-12345", 0},
                {"2026-11-22 22:14:55.67888", 0},
                {"2026-11-22 22:14:55.678880Z", 0},
                {"2026-11-22", 0},
                {"", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[100];
        snprintf(line, sizeof line, "{\"from\":\"%s\"}\n", rows[i].text);
        open_line(line);
        assert_int_equal(object_time(o, "from").ns, rows[i].ns);
        done(rows[i].ns == 0 ? "x.ndjson:1: wrong \"from\": expected a time as YYYY" : NULL);
    }
    open_line("{\"from\":null}\n");
    assert_int_equal(object_time(o, "from").ns, 0);
    done(NULL);
    (void)state;
}

/* A text that goes into a record as it is. */
static void objects_in_texts(void **state)
{
    static const struct {
        const char *member;
        bool good;
    } rows[] = {{"\"{\\\"n\\\":18446744073709551615, \\\"x\\\":\\\"\\\\u0000\\\"}\"", true},
                {"\"{}\"", true},
                {"\"{\\\"dip\\\"::1}\"", false},
                {"\"{}}\"", false},
                {"\"[{}]\"", false},
                {"\" {}\"", false},
                {"\"\"", false},
                {"{}", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[100];
        size_t n = 99;
        snprintf(line, sizeof line, "{\"input\":%s}\n", rows[i].member);
        open_line(line);
        const char *text = object_json(o, "input", &n);
        assert_int_equal(strlen(text), n);
        done(rows[i].good ? NULL : "wrong \"input\": expected ");
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(times, files_begin, files_end),
        cmocka_unit_test_setup_teardown(objects_in_texts, files_begin, files_end),
    };
    return UNIT_RUN(tests);
}
