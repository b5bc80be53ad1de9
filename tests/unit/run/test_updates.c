/* SPDX-License-Identifier: GPL-3.0-or-later
 * The status CSV: header and lines have the same number of fields (ZMap's have not), and the
 * columns say what they are called. */
#include "unit/base/run.h"

#include "run/updates.h"

#define FIELDS_MOST 64

struct row {
    char text[UPDATES_LINE_BYTES];
    char *field[FIELDS_MOST];
    size_t n;
};

static struct row header, line;
static struct updates u;
static struct engine_counters counters;
static struct measure_progress p;

static void split(struct row *r, size_t bytes)
{
    assert_true(bytes > 0 && bytes < UPDATES_LINE_BYTES && r->text[bytes - 1] == '\n');
    r->text[bytes - 1] = '\0';
    assert_null(strchr(r->text, '\n'));
    r->n = 0;
    for (char *at = r->text; at != NULL && r->n < FIELDS_MOST; r->n++)
        r->field[r->n] = strsep(&at, ",");
}

static void next(double elapsed)
{
    p.elapsed = elapsed;
    split(&line, updates_line(&u, &p, (rs_wall){INT64_C(1700000000123456789)}, line.text));
    assert_int_equal(line.n, header.n);
}

static const char *value(const char *column)
{
    for (size_t i = 0; i < header.n; i++)
        if (strcmp(header.field[i], column) == 0)
            return line.field[i];
    fail_msg("no column %s", column);
    return NULL;
}

static int begin(void **state)
{
    (void)state;
    memset(&u, 0, sizeof u);
    memset(&counters, 0, sizeof counters);
    p = (struct measure_progress){.counters = &counters};
    split(&header, updates_header(header.text));
    return 0;
}

static void as_many_fields_as_names(void **state)
{
    (void)state;
    assert_int_equal(header.n, 5 + 3 * UPDATES_COUNTERS);
    for (size_t i = 0; i < header.n; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(header.field[i], header.field[j]);
    next(0);
    /* The longest there can be. */
    memset(&counters, 0xff, sizeof counters);
    p.records = p.kernel_dropped = p.iface_dropped = p.lines = p.resumed = p.sendto_retries =
        UINT64_MAX;
    p.in_flight = 4000000;
    memset(&u, 0, sizeof u);
    next(1e-9);
}

static void totals_last_second_and_average(void **state)
{
    (void)state;
    p.lines = 12, p.resumed = 2, p.records = 10, p.in_flight = 3;
    counters.packets_sent = 100;
    next(1);
    assert_string_equal(value("real-time"), "2023-11-14 22:13:20.123456");
    assert_string_equal(value("time-elapsed"), "1.000");
    assert_string_equal(value("lines-read"), "12");
    assert_string_equal(value("lines-resumed"), "2");
    assert_string_equal(value("in-flight"), "3");
    assert_string_equal(value("records-total"), "10");
    assert_string_equal(value("sent-total"), "100");
    assert_string_equal(value("sent-last-one-sec"), "100");
    counters.packets_sent = 160;
    next(2);
    assert_string_equal(value("sent-total"), "160");
    assert_string_equal(value("sent-last-one-sec"), "60");
    assert_string_equal(value("sent-avg-per-sec"), "80");
    counters.packets_sent = 260; /* a turn that took long */
    next(4);
    assert_string_equal(value("sent-last-one-sec"), "50");
    assert_string_equal(value("sent-avg-per-sec"), "65");
    counters.packets_sent = 263; /* the end, a moment later */
    next(4.01);
    assert_string_equal(value("sent-last-one-sec"), "3");
}

static void every_counter_has_its_column(void **state)
{
    (void)state;
    const struct {
        const char *name;
        uint64_t *counter;
    } columns[] = {
        {"records-total", &p.records},
        {"sent-total", &counters.packets_sent},
        {"sent-bytes-total", &counters.bytes_sent},
        {"recv-total", &counters.packets_received},
        {"recv-bytes-total", &counters.bytes_received},
        {"pcap-drop-total", &p.kernel_dropped},
        {"iface-drop-total", &p.iface_dropped},
        {"sendto-fail-total", &counters.send_errors},
        {"sendto-retry-total", &p.sendto_retries},
        {"retransmitted-total", &counters.syn_retransmissions},
        {"retransmitted-total", &counters.data_retransmissions},
        {"retransmitted-total", &counters.fin_retransmissions},
        {"unmatched-total", &counters.unmatched},
    };
    for (size_t i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        *columns[i].counter = 7;
        next(1);
        for (size_t k = 5; k < header.n; k += 3)
            assert_string_equal(line.field[k],
                                strcmp(header.field[k], columns[i].name) == 0 ? "7" : "0");
        *columns[i].counter = 0;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(as_many_fields_as_names, begin),
        cmocka_unit_test_setup(totals_last_second_and_average, begin),
        cmocka_unit_test_setup(every_counter_has_its_column, begin),
    };
    return UNIT_RUN(tests);
}
