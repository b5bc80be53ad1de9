/* SPDX-License-Identifier: GPL-3.0-or-later
 * What becomes of the input text in a record: every byte stays, colliding keys get a new name. */
#include "unit/base/run.h"

#include "io/record.h"

static const char *const keys[] = {"sip", "time", "line", "conditions", NULL};
static struct record r;

static void check_bytes(const char *raw, size_t raw_bytes, bool is_json, const char *expected)
{
    const char *text;
    size_t n;
    /* An exact copy on the heap: reading beyond it is seen by the sanitizer. */
    char *exact = malloc(raw_bytes + 1);
    memcpy(exact, raw, raw_bytes);
    char *tight = realloc(exact, raw_bytes > 0 ? raw_bytes : 1);
    struct record_input in = {tight, raw_bytes, is_json};
    record_begin(&r, &in, keys);
    record_uint(&r, "line", 1);
    assert_int_equal(record_end(&r, &text, &n), 0);
    char *got = strndup(text, n - 1);
    assert_string_equal(got, expected);
    free(got);
    free(tight);
    record_free(&r);
}

static void check(const char *raw, const char *expected)
{
    check_bytes(raw, strlen(raw), true, expected);
}

static void bytes_survive(void **state)
{
    (void)state;
    check("{\"dip\":\"192.0.2.1\",\"x\":0.1}", "{\"dip\":\"192.0.2.1\",\"x\":0.1,\"line\":1}");
    check("{ \"n\" : 18446744073709551615 ,\t\"e\":1.50E+2}",
          "{ \"n\" : 18446744073709551615 ,\t\"e\":1.50E+2,\"line\":1}");
    check("{\"a\":1,\"a\":2}", "{\"a\":1,\"a\":2,\"line\":1}");
    check("{\"\\u0061\\/\":\"\\u00e9\\ud83d\\ude00\"}",
          "{\"\\u0061\\/\":\"\\u00e9\\ud83d\\ude00\",\"line\":1}");
    check("{\"k\":[{\"sip\":1},\"}\",\"\\\"]\"] }",
          "{\"k\":[{\"sip\":1},\"}\",\"\\\"]\"] ,\"line\":1}");
}

static void empty_objects_need_no_comma(void **state)
{
    (void)state;
    check("{}", "{\"line\":1}");
    check("{ \t}", "{ \t\"line\":1}");
}

static void colliding_keys_are_renamed(void **state)
{
    (void)state;
    check("{\"sip\":\"x\",\"dip\":\"y\"}", "{\"in_sip\":\"x\",\"dip\":\"y\",\"line\":1}");
    check("{ \"a\":1, \"time\" :{\"time\":2} }",
          "{ \"a\":1, \"in_time\" :{\"time\":2} ,\"line\":1}");
    check("{\"time\":1,\"sip\":2,\"line\":3}",
          "{\"in_time\":1,\"in_sip\":2,\"in_line\":3,\"line\":1}");
}

static void near_misses_stay(void **state)
{
    (void)state;
    check("{\"Sip\":1,\"sip \":2,\"si\":3,\"sips\":4,\"\":5}",
          "{\"Sip\":1,\"sip \":2,\"si\":3,\"sips\":4,\"\":5,\"line\":1}");
    check("{\"si\\\\p\":1,\"sip\\u0000\":2,\"s\\u00edp\":3}",
          "{\"si\\\\p\":1,\"sip\\u0000\":2,\"s\\u00edp\":3,\"line\":1}");
    check("{\"a\":\"sip\",\"b\":[\"sip\"]}", "{\"a\":\"sip\",\"b\":[\"sip\"],\"line\":1}");
}

static void escaped_keys_collide_too(void **state)
{
    (void)state;
    check("{\"s\\u0069p\":1}", "{\"in_s\\u0069p\":1,\"line\":1}");
    check("{\"\\u0073\\u0049p\":1}", "{\"\\u0073\\u0049p\":1,\"line\":1}");
    check("{\"lin\\u0065\":1,\"line\":2}", "{\"in_lin\\u0065\":1,\"in_line\":2,\"line\":1}");
}

static void the_new_name_is_free(void **state)
{
    (void)state;
    check("{\"sip\":1,\"in_sip\":2}", "{\"in_in_sip\":1,\"in_sip\":2,\"line\":1}");
    check("{\"in_s\\u0069p\":1,\"sip\":2}", "{\"in_s\\u0069p\":1,\"in_in_sip\":2,\"line\":1}");
    check("{\"in_sip\":1,\"in_in_sip\":2,\"sip\":3}",
          "{\"in_sip\":1,\"in_in_sip\":2,\"in_in_in_sip\":3,\"line\":1}");
    check("{\"in_in_sip\":2,\"sip\":3}", "{\"in_in_sip\":2,\"in_sip\":3,\"line\":1}");
    check("{\"in_sip\":1}", "{\"in_sip\":1,\"line\":1}");
}

static void duplicates_of_a_colliding_key_stay_duplicates(void **state)
{
    (void)state;
    check("{\"sip\":1,\"sip\":2}", "{\"in_sip\":1,\"in_sip\":2,\"line\":1}");
}

/* A line made to be slow: every key collides, or every new name is taken. */
static void hostile_keys_are_bounded(void **state)
{
    (void)state;
    size_t n = 0, most = 1 << 20;
    char *raw = malloc(most);
    raw[n++] = '{';
    while (n + 20 < most)
        n += (size_t)sprintf(raw + n, "\"sip\":1,");
    raw[n - 1] = '}';
    struct record_input in = {raw, n, true};
    const char *text;
    size_t got;
    record_begin(&r, &in, keys);
    record_uint(&r, "line", 1);
    assert_int_equal(record_end(&r, &text, &got), 0);
    assert_true(got > n + 3 * 100000);
    n = 1;
    for (int depth = 0; depth < 70; depth++) {
        raw[n++] = '"';
        for (int i = 0; i < depth; i++, n += 3)
            memcpy(raw + n, "in_", 3);
        n += (size_t)sprintf(raw + n, "sip\":1,");
    }
    raw[n - 1] = '}';
    in.raw_bytes = n;
    record_begin(&r, &in, keys);
    assert_int_equal(record_end(&r, &text, &got), 0);
    assert_int_equal(got, n + 70 * 3 + 1);
    free(raw);
    record_free(&r);
}

static void other_text_becomes_in_raw(void **state)
{
    (void)state;
    check_bytes("plain \"text\"", 12, false, "{\"in_raw\":\"plain \\\"text\\\"\",\"line\":1}");
    check_bytes("", 0, false, "{\"in_raw\":\"\",\"line\":1}");
    check_bytes(
        "a\0\xff\xc3\xa9", 5, false,
        "{\"in_raw\":\"a\\u0000\\u00ff\xc3\xa9\",\"in_raw_note\":\"1 bytes that are not UTF-8, "
        "written as \\\\u0080 to \\\\u00ff\",\"line\":1}");
}

static void long_text_is_cut_between_characters(void **state)
{
    (void)state;
    static char raw[RECORD_RAW_BYTES + 100];
    memset(raw, 'x', sizeof raw);
    memcpy(raw + RECORD_RAW_BYTES - 1, "\xc3\xa9", 2);
    struct record_input in = {raw, sizeof raw, false};
    const char *text;
    size_t n;
    record_begin(&r, &in, NULL);
    record_end(&r, &text, &n);
    char *got = strndup(text, n);
    char *note = strstr(got, "\",\"in_raw_note\":");
    assert_non_null(note);
    assert_int_equal(note - got, strlen("{\"in_raw\":\"") + RECORD_RAW_BYTES - 1);
    assert_string_equal(note, "\",\"in_raw_note\":\"the first 4095 bytes of 4196\"}\n");
    free(got);
    record_free(&r);
}

/* Whatever is called an object without being one: no byte is read beyond, and it goes to in_raw. */
static void a_false_object_is_taken_as_text(void **state)
{
    (void)state;
    check("{", "{\"in_raw\":\"{\",\"line\":1}");
    check("}", "{\"in_raw\":\"}\",\"line\":1}");
    check("", "{\"in_raw\":\"\",\"line\":1}");
    check("{\"a}", "{\"in_raw\":\"{\\\"a}\",\"line\":1}");
    check("{\"a\\}", "{\"in_raw\":\"{\\\"a\\\\}\",\"line\":1}");
    check("{\"a\":[}", "{\"in_raw\":\"{\\\"a\\\":[}\",\"line\":1}");
    check("{\"a\":]}", "{\"in_raw\":\"{\\\"a\\\":]}\",\"line\":1}");
    check("{\"a\":1}}", "{\"in_raw\":\"{\\\"a\\\":1}}\",\"line\":1}");
    check("{x}", "{\"in_raw\":\"{x}\",\"line\":1}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_survive),
        cmocka_unit_test(empty_objects_need_no_comma),
        cmocka_unit_test(colliding_keys_are_renamed),
        cmocka_unit_test(near_misses_stay),
        cmocka_unit_test(escaped_keys_collide_too),
        cmocka_unit_test(the_new_name_is_free),
        cmocka_unit_test(duplicates_of_a_colliding_key_stay_duplicates),
        cmocka_unit_test(hostile_keys_are_bounded),
        cmocka_unit_test(other_text_becomes_in_raw),
        cmocka_unit_test(long_text_is_cut_between_characters),
        cmocka_unit_test(a_false_object_is_taken_as_text),
    };
    return UNIT_RUN(tests);
}
