/* SPDX-License-Identifier: GPL-3.0-or-later
 * Expected against actual records, and differences that can be read. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/expect_int.h"

#define LINE_BYTES 2048

static const char *const verdict_place[] = {"dip", "dp", NULL};
static const char *const flow_place[] = {"sip", "sp", "dip", "dp", "proto", NULL};

int expect_actual(struct expect *e, const char *text, size_t n, struct rs_err *err)
{
    json_t *value = json_loadb(text, n, 0, NULL);
    struct actual *more = realloc(e->actual, (e->actual_n + 1) * sizeof *more);
    if (more != NULL)
        e->actual = more;
    if (!json_is_object(value) || more == NULL) {
        json_decref(value);
        return more == NULL ? rs_fail(err, RS_ENOMEM, "no memory for a record")
                            : rs_fail(err, RS_EINVAL, "a record is no JSON object: '%.80s'", text);
    }
    e->actual[e->actual_n++] = (struct actual){.value = value};
    return 0;
}

static bool has(const json_t *list, const json_t *item)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (json_equal(json_array_get(list, i), item))
            return true;
    return false;
}

static bool all_in(const json_t *list, const json_t *others)
{
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!has(others, json_array_get(list, i)))
            return false;
    return true;
}

bool expect_same(const char *key, const json_t *wanted, const json_t *got)
{
    if (strcmp(key, "conditions") == 0 && json_is_array(got))
        return json_array_size(wanted) == json_array_size(got) && all_in(wanted, got) &&
               all_in(got, wanted);
    return json_equal(wanted, got);
}

struct text { /* a line in the making; what does not fit is left out */
    char at[LINE_BYTES];
    size_t n;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->at + t->n, sizeof t->at - t->n, format, args);
    va_end(args);
    if (n > 0)
        t->n = t->n + (size_t)n < sizeof t->at ? t->n + (size_t)n : sizeof t->at - 1;
}

/* Keys and texts may hold anything: a difference stays one line. */
static void tell(struct text *t, expect_say say, void *ctx)
{
    for (char *p = t->at; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == '\x7f')
            *p = '?';
    say(ctx, t->at);
}

static void add_value(struct text *t, const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    add(t, "%s", text != NULL ? text : "(no memory)");
    free(text);
}

static void add_end(struct text *t, const json_t *record, const char *address, const char *port)
{
    const char *a = json_string_value(json_object_get(record, address));
    const json_t *p = json_object_get(record, port);
    add(t, a != NULL && strchr(a, ':') != NULL ? "[%s]" : "%s", a != NULL ? a : "any");
    if (json_is_integer(p))
        add(t, ":%lld", (long long)json_integer_value(p));
}

/* "flow 192.0.2.1:40001 > 198.51.100.80:80: " or "198.51.100.80:80: " */
static void add_place(struct text *t, const struct expect *e, const json_t *record)
{
    if (e->of_flows) {
        add(t, "flow ");
        add_end(t, record, "sip", "sp");
        add(t, " > ");
    }
    add_end(t, record, "dip", "dp");
    const json_t *proto = json_object_get(record, "proto");
    if (e->of_flows && json_is_integer(proto) && json_integer_value(proto) != 6)
        add(t, " proto %lld", (long long)json_integer_value(proto));
    add(t, ": ");
}

static void add_absent(struct text *t, const char *word, const json_t *list, const json_t *others)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *one = json_array_get(list, i);
        if (has(others, one))
            continue;
        add(t, "%s%s ", t->at[t->n - 1] == ' ' ? "" : ", ", word);
        add(t, "%s", json_is_string(one) ? json_string_value(one) : "(no text)");
    }
}

static void add_difference(struct text *t, const char *key, const json_t *wanted, const json_t *got)
{
    add(t, "%s: ", key);
    if (strcmp(key, "conditions") == 0 && json_is_array(got)) {
        add_absent(t, "missing", wanted, got);
        add_absent(t, "extra", got, wanted);
        if (all_in(wanted, got) && all_in(got, wanted))
            add(t, "some are named or said twice");
        return;
    }
    add(t, "expected ");
    add_value(t, wanted);
    if (got == NULL) {
        add(t, ", but the record has no such member");
        return;
    }
    add(t, ", got ");
    add_value(t, got);
}

static bool fits(const struct expect *e, const json_t *wanted, const json_t *actual)
{
    for (const char *const *key = e->of_flows ? flow_place : verdict_place; *key != NULL; key++) {
        const json_t *value = json_object_get(wanted, *key);
        if (value != NULL && !json_equal(value, json_object_get(actual, *key)))
            return false;
    }
    return true;
}

static void compare_record(struct expect *e, struct wanted *w, expect_say say, void *ctx)
{
    const char *key;
    json_t *value;
    json_object_foreach(w->value, key, value)
    {
        const json_t *got = json_object_get(w->match->value, key);
        if (got != NULL && expect_same(key, value, got))
            continue;
        struct text t = {.n = 0};
        add(&t, "%s:%u: ", e->path, w->line);
        add_place(&t, e, w->value);
        add_difference(&t, key, value, got);
        tell(&t, say, ctx);
        w->differences++;
    }
}

static void find(struct expect *e, struct wanted *w)
{
    for (size_t i = 0; i < e->actual_n; i++) {
        struct actual *a = &e->actual[i];
        if (a->matched || !fits(e, w->value, a->value))
            continue;
        a->matched = true;
        w->match = a;
        return;
    }
}

unsigned expect_compare(struct expect *e, expect_say say, void *ctx)
{
    unsigned differences = 0;
    for (size_t i = 0; i < e->wanted_n; i++) {
        struct wanted *w = &e->wanted[i];
        find(e, w);
        if (w->match != NULL) {
            compare_record(e, w, say, ctx);
            differences += w->differences;
            continue;
        }
        struct text t = {.n = 0};
        add(&t, "%s:%u: ", e->path, w->line);
        add_place(&t, e, w->value);
        add(&t, "expected a record, got none");
        tell(&t, say, ctx);
        differences++;
    }
    for (size_t i = 0; i < e->actual_n; i++) {
        if (e->actual[i].matched)
            continue;
        struct text t = {.n = 0};
        add(&t, "%s: ", e->path);
        add_place(&t, e, e->actual[i].value);
        add(&t, "a record that is not expected");
        const json_t *conditions = json_object_get(e->actual[i].value, "conditions");
        if (conditions != NULL) {
            add(&t, ": ");
            add_value(&t, conditions);
        }
        tell(&t, say, ctx);
        differences++;
    }
    return differences;
}
