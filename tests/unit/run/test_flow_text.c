/* SPDX-License-Identifier: GPL-3.0-or-later
 * The generated writer against the table of fields, member by member. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "run/flow_text.h"

static void value_by_table(struct record *r, const struct flow *f, const struct flow_field *field)
{
    int64_t v;
    bool there = flow_value(f, field, &v);
    if (field->kind == FLOW_KIND_STAMP)
        record_time(r, field->name, (rs_wall){v});
    else if (!there)
        record_null(r, field->name);
    else if (field->kind == FLOW_KIND_FLAG || field->kind == FLOW_KIND_MAYBEFLAG)
        record_bool(r, field->name, v != 0);
    else
        record_int(r, field->name, v);
}

static void compare(const struct flow *f)
{
    struct record made, wanted;
    const char *a, *b;
    size_t n, m;
    record_init(&made);
    record_init(&wanted);
    record_begin(&made, NULL, NULL);
    record_begin(&wanted, NULL, NULL);
    flow_text_address(&made, "dip", &f->tuple.dst);
    record_str(&wanted, "dip", "192.0.2.1");
    flow_text_members(&made, f);
    for (unsigned i = 0; i < flow_fields_n; i++)
        if (f->chains & CHAIN_BIT(flow_fields[i].chain))
            value_by_table(&wanted, f, &flow_fields[i]);
    assert_int_equal(record_end(&made, &a, &n), 0);
    assert_int_equal(record_end(&wanted, &b, &m), 0);
    assert_int_equal(n, m);
    assert_memory_equal(a, b, n);
    record_free(&made);
    record_free(&wanted);
}

/* Counts stay below 2^63, where the table's int64_t ends. */
static void fill(struct flow *f, struct rs_rand *rand)
{
    for (unsigned i = 0; i < flow_fields_n; i++) {
        char *at = (char *)f + flow_fields[i].offset;
        unsigned shift = (unsigned)rs_rand_below(rand, 63) + 1;
        uint64_t v = (rs_rand_below(rand, UINT64_MAX) >> shift) & INT64_MAX;
        if (flow_fields[i].is_signed && flow_fields[i].kind != FLOW_KIND_STAMP && shift % 4 == 0)
            v = UINT64_MAX; /* null */
        memcpy(at, &v, flow_fields[i].bytes);
    }
}

static void every_field_every_chain(void **state)
{
    (void)state;
    static struct flow f;
    struct wire_tuple tuple = {.proto = IP_PROTO_TCP};
    assert_int_equal(wire_addr_parse("192.0.2.1", &tuple.dst), 0);
    for (unsigned c = 0; c < CHAIN_N; c++) {
        flow_init(&f, &tuple, CHAIN_BIT(c));
        compare(&f);
    }
    struct rs_rand rand;
    rs_rand_seed(&rand, 7);
    for (unsigned i = 0; i < 2000; i++) {
        flow_init(&f, &tuple, CHAINS_ALL);
        fill(&f, &rand);
        compare(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_field_every_chain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
