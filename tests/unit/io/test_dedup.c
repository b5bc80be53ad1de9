/* SPDX-License-Identifier: GPL-3.0-or-later
 * What makes two targets equal, and that a full table never takes one for another. */
#include "unit/base/run.h"

#include "io/dedup.h"

static const struct rs_key key = {1, 2};

static struct dedup *make(size_t most)
{
    struct dedup *d;
    struct rs_err err;
    assert_int_equal(dedup_new(&d, most, &key, &err), 0);
    return d;
}

static uint64_t line_of(struct dedup *d,
                        const char *dip,
                        uint16_t dp,
                        const char *domain,
                        const char *mode,
                        uint64_t line)
{
    struct wire_addr a;
    assert_int_equal(wire_addr_parse(dip, &a), 0);
    return dedup_line(d, &(struct dedup_target){&a, dp, domain, mode}, line);
}

static void each_part_counts(void **state)
{
    (void)state;
    struct dedup *d = make(100);
    const struct {
        const char *dip;
        uint16_t dp;
        const char *domain, *mode;
    } different[] = {{"192.0.2.1", 80, "a.test", "http"},  {"192.0.2.2", 80, "a.test", "http"},
                     {"192.0.2.1", 81, "a.test", "http"},  {"192.0.2.1", 80, "b.test", "http"},
                     {"192.0.2.1", 80, "a.test", "tcp"},   {"192.0.2.1", 80, NULL, "http"},
                     {"192.0.2.1", 80, "a.test.", "http"}, {"::192.0.2.1", 80, "a.test", "http"},
                     {"c000:201::", 80, "a.test", "http"}, {"192.0.2.1", 20480, "a.test", "http"}};
    size_t n = sizeof different / sizeof different[0];
    for (unsigned turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < n; i++) /* the first time new, then the line of the first */
            assert_int_equal(line_of(d, different[i].dip, different[i].dp, different[i].domain,
                                     different[i].mode, 10 * (turn + 1) + i + 1),
                             turn == 0 ? 0 : 10 + i + 1);
    dedup_free(d);
}

static void case_does_not_count(void **state)
{
    (void)state;
    struct dedup *d = make(10);
    assert_int_equal(line_of(d, "2001:db8::a", 80, "WWW.Example.org", "http", 3), 0);
    assert_int_equal(line_of(d, "2001:DB8::A", 80, "www.eXAMPLE.ORG", "http", 4), 3);
    /* '@' and '`', '[' and '{' differ in the same bit as letters do */
    assert_int_equal(line_of(d, "2001:db8::a", 80, "@[", "http", 5), 0);
    assert_int_equal(line_of(d, "2001:db8::a", 80, "`{", "http", 6), 0);
    dedup_free(d);
}

static void the_longest_domain_counts_to_its_end(void **state)
{
    (void)state;
    struct dedup *d = make(10);
    char name[255];
    memset(name, 'a', 254);
    name[254] = '\0';
    assert_int_equal(line_of(d, "192.0.2.1", 80, name, "http", 1), 0);
    name[253] = 'b';
    assert_int_equal(line_of(d, "192.0.2.1", 80, name, "http", 2), 0);
    name[253] = 'A';
    assert_int_equal(line_of(d, "192.0.2.1", 80, name, "http", 3), 1);
    dedup_free(d);
}

static void many(struct dedup *d, unsigned from, unsigned to, uint64_t want_offset)
{
    for (unsigned i = from; i < to; i++) {
        struct wire_addr a = {.family = 4,
                              .bytes = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
        uint64_t line =
            dedup_line(d, &(struct dedup_target){&a, 80, NULL, "http"}, i + 1 + 1000000);
        if (line != (want_offset == 0 ? 0 : i + want_offset))
            fail_msg("target %u: line %llu", i, (unsigned long long)line);
    }
}

/* Full: what is in it is found, what is not is new each time. */
static void a_full_table_forgets_nothing_and_invents_nothing(void **state)
{
    (void)state;
    struct dedup *d = make(50000);
    many(d, 0, 49999, 0);
    assert_false(dedup_is_full(d));
    many(d, 49999, 50000, 0);
    assert_true(dedup_is_full(d));
    many(d, 50000, 150000, 0);
    many(d, 50000, 150000, 0);
    many(d, 0, 50000, 1000001);
    dedup_free(d);
}

static void a_table_for_one(void **state)
{
    (void)state;
    struct dedup *d = make(1);
    assert_int_equal(line_of(d, "192.0.2.1", 80, NULL, "http", 7), 0);
    assert_true(dedup_is_full(d));
    assert_int_equal(line_of(d, "192.0.2.2", 80, NULL, "http", 8), 0);
    assert_int_equal(line_of(d, "192.0.2.2", 80, NULL, "http", 9), 0);
    assert_int_equal(line_of(d, "192.0.2.1", 80, NULL, "http", 10), 7);
    dedup_free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_part_counts),
        cmocka_unit_test(case_does_not_count),
        cmocka_unit_test(the_longest_domain_counts_to_its_end),
        cmocka_unit_test(a_full_table_forgets_nothing_and_invents_nothing),
        cmocka_unit_test(a_table_for_one),
    };
    unit_filter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
