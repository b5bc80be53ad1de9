/* SPDX-License-Identifier: GPL-3.0-or-later
 * The arm log there and back, and lines of it that are wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "run/arm_log_read.h"
#include "unit/io/files.h"

static const struct arm arms[] = {{.name = "plain"}, {.name = "ecn"}};
static const struct plugin plugin = {.name = "ecn", .arms = arms, .n_arms = 2};
static char log_text[65536];
static char told[1000];

static void add(struct record *r)
{
    const char *text;
    size_t n;
    assert_int_equal(record_end(r, &text, &n), 0);
    snprintf(log_text + strlen(log_text), sizeof log_text - strlen(log_text), "%.*s", (int)n, text);
}

static struct arm_log an_attempt(uint64_t line, uint8_t number)
{
    struct arm_log log = {.line = line,
                          .arm = number % 2,
                          .number = number,
                          .round = number / 2,
                          .port = 1,
                          .outcome = OUTCOME_ICMP,
                          .syns_sent = 3,
                          .answered_try = 2,
                          .rerun = 1,
                          .exchange_complete = number == 0,
                          .exchange_status = 301,
                          .batch_order = 1,
                          .icmp_type = 3,
                          .icmp_code = 13,
                          .body_bytes = 8192,
                          .drops_from = 4,
                          .drops_to = 5,
                          .packets_from = 100,
                          .packets_to = UINT32_MAX + UINT64_C(7),
                          .packets = 19,
                          .planned = {1700000000123456000},
                          .ended = {1700000001000001000},
                          .tuple = {.proto = 6, .sport = 61000, .dport = 443}};
    snprintf(log.why, sizeof log.why, "because \"so\"");
    assert_int_equal(wire_addr_parse("2001:db8::1", &log.tuple.src), 0);
    assert_int_equal(wire_addr_parse("2001:db8::2", &log.tuple.dst), 0);
    return log;
}

static struct record_facts a_target(uint64_t line)
{
    static const char text[] = "{ \"dip\": \"::1\", \"x\":\"\\u0000\\n\" }";
    return (struct record_facts){.plugin = "ecn",
                                 .line = line,
                                 .text = text,
                                 .bytes = sizeof text - 1,
                                 .is_json = true,
                                 .dport = 80,
                                 .from = {1700000000000001000},
                                 .to = {1700000009999999000},
                                 .vantage = "h\xc3\xa9r\xc3\xa9",
                                 .attempts = 2,
                                 .rounds = 2,
                                 .confirm = true,
                                 .flows = true};
}

static void on_wrong(void *ctx, const char *text)
{
    (void)ctx;
    snprintf(told + strlen(told), sizeof told - strlen(told), "%s\n", text);
}

static void read_back(struct logged_run *run)
{
    struct rs_err err;
    const char *path = files_make("log", log_text, strlen(log_text));
    told[0] = '\0';
    assert_int_equal(arm_log_read(run, path, &plugin, on_wrong, NULL, &err), 0);
}

static void there_and_back(void **state)
{
    (void)state;
    struct record r;
    struct logged_run run;
    struct record_facts facts = a_target(7), other = a_target(9);
    struct arm_log second = an_attempt(7, 1), first = an_attempt(7, 0), lost = an_attempt(8, 0);
    record_init(&r);
    log_text[0] = '\0';
    arm_log_attempt(&r, &facts, "ecn", &second), add(&r); /* in the order in which they end */
    arm_log_attempt(&r, &facts, "plain", &first), add(&r);
    arm_log_attempt(&r, &facts, "plain", &lost), add(&r);
    arm_log_target(&r, &facts), add(&r);
    other.is_json = false;
    other.text = "no JSON \xff\0";
    other.bytes = 10;
    other.refusal = "measure.invalid_input";
    other.problem = "line 9: no JSON";
    arm_log_target(&r, &other), add(&r);
    record_free(&r);
    read_back(&run);
    assert_string_equal(told, "");
    assert_int_equal(run.n_attempts, 3);
    assert_int_equal(run.unclaimed, 1);
    assert_int_equal(run.n_targets, 2);
    assert_int_equal(run.targets[0].n, 2);
    assert_true(run.targets[0].is_whole);
    const struct arm_log *a = &run.attempts[run.targets[0].first];
    first.sent = first.deadline = a->sent; /* not read back */
    second.sent = second.deadline = a->sent;
    assert_memory_equal(&a[0], &first, sizeof first);
    assert_memory_equal(&a[1], &second, sizeof second);
    const struct record_facts *f = &run.targets[0].facts;
    assert_int_equal(f->bytes, facts.bytes);
    assert_memory_equal(f->text, facts.text, facts.bytes);
    assert_true(f->is_json && f->confirm && f->flows && f->refusal == NULL && f->problem == NULL);
    assert_string_equal(f->vantage, facts.vantage);
    assert_int_equal(f->from.ns, facts.from.ns);
    assert_int_equal(f->to.ns, facts.to.ns);
    f = &run.targets[1].facts;
    assert_false(f->is_json);
    assert_int_equal(f->bytes, 10);
    assert_memory_equal(f->text, other.text, 10);
    assert_string_equal(f->refusal, other.refusal);
    assert_string_equal(f->problem, other.problem);
    arm_log_free(&run);
}

static const struct wrong {
    const char *from, *to, *told;
} wrongs[] = {
    {"\"arm\":\"plain\"", "\"arm\":\"purple\"", "wrong \"arm\": expected the name of an arm"},
    {"\"outcome\":\"icmp\"", "\"outcome\":\"well\"", "wrong \"outcome\": expected an outcome"},
    {"\"sp\":61000", "\"sp\":65536", "wrong \"sp\": expected a whole number from 0 to 65535"},
    {"\"sp\":61000,", "", "there is no \"sp\""},
    {"\"sip\":\"2001:db8::1\"", "\"sip\":\"here\"", "wrong \"sip\": expected an address"},
    {"\"planned\":\"2023-11-14 ", "\"planned\":\"yesterday ", "wrong \"planned\": expected a time"},
    {"\"exchange_complete\":true", "\"exchange_complete\":1", "expected true or false"},
    {"\"attempt\":0", "\"attempt\":4800", "wrong \"attempt\""},
    {"\"packets_from\":100", "\"packets_from\":99999999999", "no less than packets_from"},
    {"{\"plugin\"", "{\"plugin", "log:1: no JSON"},
    {"{\"plugin\":\"ecn\",", "[{\"x\":7},", "log:1: no JSON"},
    {"\"plugin\":\"ecn\",", "", "there is no \"plugin\""},
};

static void wrong_lines_are_told_and_the_rest_is_read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrongs / sizeof wrongs[0]; i++) {
        struct record r;
        struct logged_run run;
        struct record_facts facts = a_target(7);
        struct arm_log first = an_attempt(7, 0), second = an_attempt(7, 1);
        char good[8192];
        record_init(&r);
        log_text[0] = '\0';
        arm_log_attempt(&r, &facts, "plain", &first), add(&r);
        char *at = strstr(log_text, wrongs[i].from);
        assert_non_null(at);
        snprintf(good, sizeof good, "%s", at + strlen(wrongs[i].from));
        sprintf(at, "%s%s", wrongs[i].to, good);
        arm_log_attempt(&r, &facts, "ecn", &second), add(&r);
        arm_log_target(&r, &facts), add(&r);
        record_free(&r);
        read_back(&run);
        if (strstr(told, wrongs[i].told) == NULL || strstr(told, "/log:1: ") == NULL)
            fail_msg("row %zu: %s", i, told);
        assert_int_equal(run.n_attempts, 1);
        assert_int_equal(run.n_targets, 1);
        assert_int_equal(run.targets[0].n, 1);
        assert_false(run.targets[0].is_whole);
        arm_log_free(&run);
    }
}

static void a_log_that_lacks_an_attempt(void **state)
{
    (void)state;
    static const struct {
        uint8_t numbers[3];
        bool is_whole;
    } rows[] = {{{0, 1, 2}, true}, {{2, 0, 1}, true}, {{0, 2, 3}, false}, {{0, 1, 1}, false}};
    struct record_facts facts = a_target(7);
    facts.attempts = 3;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (unsigned n = 2; n <= 3; n++) {
            struct record r;
            struct logged_run run;
            record_init(&r);
            log_text[0] = '\0';
            for (unsigned k = 0; k < n; k++) {
                struct arm_log log = an_attempt(7, rows[i].numbers[k]);
                arm_log_attempt(&r, &facts, "plain", &log), add(&r);
            }
            arm_log_target(&r, &facts), add(&r);
            record_free(&r);
            read_back(&run);
            assert_string_equal(told, "");
            assert_int_equal(run.targets[0].is_whole, rows[i].is_whole && n == 3);
            arm_log_free(&run);
        }
}

static void a_missing_log_is_told(void **state)
{
    (void)state;
    struct logged_run run;
    struct rs_err err;
    assert_int_equal(arm_log_read(&run, "/nonexistent/log", &plugin, on_wrong, NULL, &err),
                     -RS_ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent/log"));
}

static void what_cannot_be_read_is_told(void **state)
{
    (void)state;
    struct logged_run run;
    struct rs_err err;
    assert_int_equal(arm_log_read(&run, "/", &plugin, on_wrong, NULL, &err), -RS_ESYS);
    assert_non_null(strstr(err.text, "directory"));
}

static void what_is_no_log_of_this_plugin(void **state)
{
    (void)state;
    struct logged_run run;
    struct rs_err err;
    static const struct {
        const char *text, *told;
    } logs[] = {{"[1]\n{}\n", "no arm log: "},
                {"\x7f"
                 "ELF",
                 "no arm log: "},
                {"{\"plugin\":\"dscp\"}\n", "log of plugin 'dscp', not of 'ecn'"}};
    for (size_t i = 0; i < sizeof logs / sizeof logs[0]; i++) {
        const char *path = files_make("log", logs[i].text, strlen(logs[i].text));
        told[0] = '\0';
        assert_int_equal(arm_log_read(&run, path, &plugin, on_wrong, NULL, &err), -RS_EINVAL);
        if (strstr(err.text, logs[i].told) == NULL)
            fail_msg("row %zu: %s", i, err.text);
    }
    const char *path = files_make("log", "", 0);
    assert_int_equal(arm_log_read(&run, path, &plugin, on_wrong, NULL, &err), 0);
    arm_log_free(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(wrong_lines_are_told_and_the_rest_is_read),
        cmocka_unit_test(a_log_that_lacks_an_attempt),
        cmocka_unit_test(a_missing_log_is_told),
        cmocka_unit_test(what_is_no_log_of_this_plugin),
        cmocka_unit_test(what_cannot_be_read_is_told),
    };
    return cmocka_run_group_tests(tests, files_begin, files_end);
}
