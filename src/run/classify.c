/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/classify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/output.h"
#include "run/classify_int.h"
#include "run/packets.h"

#define READ_BUDGET 4096
#define PATH_BYTES  4096

void classify_notice(struct classify *c, const char *format, ...)
{
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    c->sink->notice(c->sink->ctx, text);
}

void classify_attempt_init(const struct classify *c,
                           struct attempt *a,
                           const struct wire_tuple *tuple)
{
    flow_init(&a->flow, tuple, c->o->plugin->chains);
    a->log.tuple = *tuple;
    a->log.icmp_type = a->log.icmp_code = -1;
}

struct attempt *classify_attempt(struct classify *c, const struct wire_tuple *tuple)
{
    struct attempt *a = calloc(1, attempt_bytes(c->o->plugin->chains));
    if (a == NULL) {
        c->failed = rs_fail(c->err, RS_ENOMEM, "no memory for another connection");
        return NULL;
    }
    classify_attempt_init(c, a, tuple);
    return a;
}

void classify_give(struct classify *c)
{
    const char *text;
    size_t n;
    if (record_end(&c->record, &text, &n) != 0) {
        c->failed = rs_fail(c->err, RS_ENOMEM, "no memory for a record");
        return;
    }
    int rc = c->sink->record(c->sink->ctx, text, n, c->err);
    if (rc != 0)
        c->failed = rc;
    else
        c->result->records++;
}

void classify_target(struct classify *c,
                     const struct record_facts *facts,
                     const struct evidence *evidence)
{
    struct verdict verdict;
    cond_evaluate(c->table, evidence, &verdict);
    if (c->sink->verdict != NULL)
        c->sink->verdict(c->sink->ctx, c->table, evidence, &verdict);
    record_measured(&c->record, facts, evidence, &verdict, c->arm_names);
    classify_give(c);
}

void classify_read(struct classify *c, trace_fn fn, void *ctx)
{
    struct rs_err why = {""};
    struct trace_stats stats;
    int rc;
    do {
        rc = trace_read(c->trace, fn, ctx, READ_BUDGET, &why);
    } while (rc >= 0 && c->failed == 0);
    trace_stats(c->trace, &stats);
    c->result->packets = stats.packets;
    if (rc >= 0 || rc == -RS_EEND)
        return;
    c->result->damaged = true;
    if (stats.frames == 1)
        classify_notice(c, "%s; the frame before it was read", why.text);
    else
        classify_notice(c, "%s; the %llu frames before it were read", why.text,
                        (unsigned long long)stats.frames);
}

static bool is_there(char path[PATH_BYTES], size_t n, const char *file)
{
    int length = snprintf(path, PATH_BYTES, "%.*s.arms.ndjson", (int)n, file);
    return length < PATH_BYTES && access(path, F_OK) == 0;
}

/* Where the arm log is: beside the capture, which may have been compressed since. NULL: none. */
static const char *log_path(const struct classify_options *o, char path[PATH_BYTES])
{
    static const char *const compressed[] = {".gz", ".bz2", ".xz"};
    const char *file = o->file;
    size_t n = strlen(file);
    if (o->log != NULL)
        return strcmp(o->log, "none") == 0 ? NULL : o->log;
    if (n >= PATH_BYTES || is_there(path, n, file))
        return n < PATH_BYTES ? path : NULL;
    for (size_t i = 0; i < sizeof compressed / sizeof compressed[0]; i++) {
        size_t m = strlen(compressed[i]);
        if (n > m && strcmp(file + n - m, compressed[i]) == 0)
            return is_there(path, n - m, file) ? path : NULL;
    }
    return NULL;
}

bool classify_would_empty(const struct classify_options *o, const char *output)
{
    char path[PATH_BYTES];
    return output_would_empty(output, o->file) || output_would_empty(output, log_path(o, path));
}

int classify_ready(struct classify *c)
{
    return c->sink->ready != NULL ? c->sink->ready(c->sink->ctx, c->err) : 0;
}

static int prepare(struct classify *c)
{
    const struct plugin *p = c->o->plugin;
    static const struct rs_key key = {UINT64_C(0x7261777370696465), 1};
    for (size_t i = 0; i < p->n_arms && i < COND_ARMS; i++)
        c->arm_names[i] = p->arms[i].name;
    int rc = cond_table_new(&c->table, p->conditions, p->n_conditions, c->arm_names,
                            (unsigned)p->n_arms, c->err);
    if (rc != 0)
        return rc;
    if (flow_table_init(&c->flows, 0, key) != 0)
        return rs_fail(c->err, RS_ENOMEM, "no memory for the flow table");
    return packets_open_file(&c->trace, c->o->file, NULL, c->err);
}

int classify_run(const struct classify_options *o,
                 const struct classify_sink *sink,
                 struct classify_result *result,
                 struct rs_err *err)
{
    struct classify c = {.o = o, .sink = sink, .result = result, .err = err};
    char path[PATH_BYTES];
    memset(result, 0, sizeof *result);
    record_init(&c.record);
    int rc = prepare(&c);
    if (rc == 0) {
        const char *log = log_path(o, path);
        rc = log != NULL ? classify_replay(&c, log) : classify_foreign(&c);
    }
    if (rc == 0)
        rc = c.failed;
    trace_close(c.trace);
    flow_table_free(&c.flows);
    cond_table_free(c.table);
    record_free(&c.record);
    return rc;
}
