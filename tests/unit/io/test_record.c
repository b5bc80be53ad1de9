/* SPDX-License-Identifier: GPL-3.0-or-later
 * The members that we append: text, numbers, times, nesting. */
#include "unit/base/run.h"

#include <math.h>

#include "base/err.h"
#include "io/record.h"

static struct record r;

static int setup(void **state)
{
    (void)state;
    record_init(&r);
    record_begin(&r, NULL, NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    record_free(&r);
    return 0;
}

static void expect(const char *json)
{
    const char *text;
    size_t n;
    assert_int_equal(record_end(&r, &text, &n), 0);
    assert_true(n > 0 && text[n - 1] == '\n');
    char *copy = strndup(text, n - 1);
    assert_string_equal(copy, json);
    free(copy);
}

static void nothing_but_braces(void **state)
{
    (void)state;
    expect("{}");
}

static void every_type(void **state)
{
    (void)state;
    record_str(&r, "s", "x");
    record_strn(&r, "n", "abcdef", 3);
    record_uint(&r, "u", UINT64_MAX);
    record_uint(&r, "zero", 0);
    record_int(&r, "i", INT64_MIN);
    record_int(&r, "p", 7);
    record_int(&r, "m", -7);
    record_bool(&r, "t", true);
    record_bool(&r, "f", false);
    record_null(&r, "z");
    record_str(&r, "nothing", NULL);
    record_json(&r, "j", "[1, 2]", 6);
    expect("{\"s\":\"x\",\"n\":\"abc\",\"u\":18446744073709551615,\"zero\":0,"
           "\"i\":-9223372036854775808,\"p\":7,\"m\":-7,\"t\":true,\"f\":false,\"z\":null,"
           "\"nothing\":null,"
           "\"j\":[1, 2]}");
}

static void reals_keep_their_value(void **state)
{
    (void)state;
    record_real(&r, "a", 0.1);
    record_real(&r, "b", 1.0 / 3);
    record_real(&r, "c", 1000);
    record_real(&r, "d", (double)INFINITY);
    record_real(&r, "e", (double)NAN);
    expect("{\"a\":0.1,\"b\":0.33333333333333331,\"c\":1000,\"d\":null,\"e\":null}");
}

static void nesting_and_commas(void **state)
{
    (void)state;
    record_open_array(&r, "a");
    record_close(&r);
    record_open_array(&r, "b");
    record_str(&r, NULL, "x");
    record_open_object(&r, NULL);
    record_uint(&r, "k", 1);
    record_open_object(&r, "o");
    record_close(&r);
    record_close(&r);
    record_uint(&r, NULL, 2);
    record_close(&r);
    record_open_array(&r, "again");
    record_uint(&r, NULL, 4);
    record_close(&r);
    record_uint(&r, "c", 3);
    expect("{\"a\":[],\"b\":[\"x\",{\"k\":1,\"o\":{}},2],\"again\":[4],\"c\":3}");
}

static void deep_nesting_to_the_bound(void **state)
{
    (void)state;
    for (int i = 1; i < RECORD_DEPTH; i++)
        record_open_object(&r, "o");
    record_uint(&r, "a", 1);
    record_uint(&r, "b", 2);
    for (int i = 1; i < RECORD_DEPTH; i++)
        record_close(&r);
    record_uint(&r, "after", 1);
    const char *text;
    size_t n;
    assert_int_equal(record_end(&r, &text, &n), 0);
    assert_non_null(strstr(text, "{\"a\":1,\"b\":2}}}"));
    assert_non_null(strstr(text, "}},\"after\":1}\n"));
}

static void strings_are_escaped(void **state)
{
    (void)state;
    record_str(&r, "a", "q\" b\\ \b\t\n\f\r \x01\x1f\x7f /");
    record_strn(&r, "nul", "a\0b", 3);
    expect("{\"a\":\"q\\\" b\\\\ \\b\\t\\n\\f\\r \\u0001\\u001f\x7f /\",\"nul\":\"a\\u0000b\"}");
}

static void utf8_passes_and_what_is_none_is_escaped(void **state)
{
    (void)state;
    record_str(&r, "ok", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xef\xbf\xbf \xf4\x8f\xbf\xbf");
    record_str(&r, "lone", "\x80 \xff");
    record_str(&r, "overlong", "\xc0\xaf \xe0\x80\x80");
    record_str(&r, "surrogate", "\xed\xa0\x80");
    record_str(&r, "beyond", "\xf4\x90\x80\x80");
    record_str(&r, "cut", "\xe2\x82");
    expect("{\"ok\":\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \xef\xbf\xbf \xf4\x8f\xbf\xbf\","
           "\"lone\":\"\\u0080 \\u00ff\",\"overlong\":\"\\u00c0\\u00af \\u00e0\\u0080\\u0080\","
           "\"surrogate\":\"\\u00ed\\u00a0\\u0080\",\"beyond\":\"\\u00f4\\u0090\\u0080\\u0080\","
           "\"cut\":\"\\u00e2\\u0082\"}");
}

static void times(void **state)
{
    (void)state;
    record_time(&r, "unknown", (rs_wall){0});
    record_time(&r, "first", (rs_wall){1});
    record_time(&r, "leap", (rs_wall){INT64_C(1709208000123456789)});
    record_time(&r, "century", (rs_wall){INT64_C(951782400000000000)});
    record_time(&r, "no_leap", (rs_wall){INT64_C(4107542400000000000)});
    record_time(&r, "last", (rs_wall){INT64_C(1735689599999999999)});
    record_time(&r, "before", (rs_wall){-1});
    record_time(&r, "min", (rs_wall){INT64_MIN});
    record_time(&r, "max", (rs_wall){INT64_MAX});
    expect("{\"unknown\":null,\"first\":\"1970-01-01 00:00:00.000000\","
           "\"leap\":\"2024-02-29 12:00:00.123456\",\"century\":\"2000-02-29 00:00:00.000000\","
           "\"no_leap\":\"2100-03-01 00:00:00.000000\",\"last\":\"2024-12-31 "
           "23:59:59.999999\",\"before\":\"1969-12-31 23:59:59.999999\","
           "\"min\":\"1677-09-21 00:12:43.145224\",\"max\":\"2262-04-11 23:47:16.854775\"}");
}

static void the_buffer_is_used_again(void **state)
{
    (void)state;
    record_str(&r, "long", "................................................");
    const char *text;
    size_t n;
    record_end(&r, &text, &n);
    record_begin(&r, NULL, NULL);
    record_uint(&r, "k", 1);
    expect("{\"k\":1}");
}

static void grows_with_what_is_written(void **state)
{
    (void)state;
    record_open_array(&r, "a");
    for (unsigned i = 0; i < 100000; i++)
        record_uint(&r, NULL, i % 10);
    record_close(&r);
    const char *text;
    size_t n;
    assert_int_equal(record_end(&r, &text, &n), 0);
    assert_int_equal(n, strlen("{\"a\":[]}\n") + 2 * 100000 - 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(nothing_but_braces),
        CASE(every_type),
        CASE(reals_keep_their_value),
        CASE(nesting_and_commas),
        CASE(deep_nesting_to_the_bound),
        CASE(strings_are_escaped),
        CASE(utf8_passes_and_what_is_none_is_escaped),
        CASE(times),
        CASE(the_buffer_is_used_again),
        CASE(grows_with_what_is_written),
    };
    return UNIT_RUN(tests);
}
