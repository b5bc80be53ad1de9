/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/arm_log_read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/objects.h"

static int find_arm(const struct plugin *p, const char *name)
{
    for (size_t i = 0; i < p->n_arms; i++)
        if (strcmp(p->arms[i].name, name) == 0)
            return (int)i;
    return -1;
}

static void read_attempt(struct objects *o, const struct plugin *plugin, struct arm_log *log)
{
    size_t n;
    memset(log, 0, sizeof *log);
    log->line = object_uint(o, "line", UINT64_MAX);
    int arm = find_arm(plugin, object_str(o, "arm", NULL));
    if (arm < 0)
        object_wrong(o, "arm", "the name of an arm of this plugin");
    log->arm = (uint8_t)(arm < 0 ? 0 : arm);
    enum outcome outcome = outcome_find(object_str(o, "outcome", NULL));
    if (outcome == OUTCOME_N)
        object_wrong(o, "outcome", "an outcome, such as \"exchanged\"");
    log->outcome = (uint8_t)outcome;
    log->round = (uint8_t)object_uint(o, "round", UINT8_MAX);
    log->number = (uint8_t)object_uint(o, "attempt", COND_ATTEMPTS - 1);
    log->batch_order = (uint16_t)object_uint(o, "order", UINT16_MAX);
    log->port = (uint8_t)object_uint(o, "port", UINT8_MAX);
    log->rerun = (uint8_t)object_uint(o, "rerun", UINT8_MAX);
    log->syns_sent = (uint8_t)object_uint(o, "syns", UINT8_MAX);
    log->answered_try = (uint8_t)object_uint(o, "answered_try", UINT8_MAX);
    log->icmp_type = log->icmp_code = -1;
    if (object_has(o, "icmp_type")) {
        log->icmp_type = (int16_t)object_int(o, "icmp_type", 0, UINT8_MAX);
        log->icmp_code = (int16_t)object_int(o, "icmp_code", 0, UINT8_MAX);
    }
    if (object_has(o, "why")) {
        const char *why = object_str(o, "why", &n);
        snprintf(log->why, sizeof log->why, "%.*s", (int)n, why);
    }
    log->tuple.src = object_addr(o, "sip");
    log->tuple.dst = object_addr(o, "dip");
    log->tuple.sport = (uint16_t)object_uint(o, "sp", UINT16_MAX);
    log->tuple.dport = (uint16_t)object_uint(o, "dp", UINT16_MAX);
    log->tuple.proto = (uint8_t)object_uint(o, "proto", UINT8_MAX);
    log->packets_from = object_uint(o, "packets_from", UINT64_MAX);
    log->packets_to = object_uint(o, "packets_to", UINT64_MAX);
    if (log->packets_to < log->packets_from)
        object_wrong(o, "packets_to", "no less than packets_from");
    log->packets = (uint32_t)object_uint(o, "packets", UINT32_MAX);
    log->exchange_complete = object_bool(o, "exchange_complete");
    log->exchange_status = (uint16_t)object_uint(o, "exchange_status", UINT16_MAX);
    log->body_bytes = (uint32_t)object_uint(o, "body_bytes", UINT32_MAX);
    log->drops_from = (uint32_t)object_uint(o, "drops_from", UINT32_MAX);
    log->drops_to = (uint32_t)object_uint(o, "drops_to", UINT32_MAX);
    log->planned = object_time(o, "planned");
    log->ended = object_time(o, "ended");
}

static char *copy(const char *s, size_t n)
{
    char *to = malloc(n + 1);
    if (to == NULL)
        return NULL;
    memcpy(to, s, n);
    to[n] = '\0';
    return to;
}

static char *optional(struct objects *o, const char *key)
{
    size_t n;
    if (!object_has(o, key))
        return NULL;
    const char *s = object_str(o, key, &n);
    return copy(s, n);
}

static void read_target(struct objects *o, struct logged_target *t)
{
    size_t n;
    memset(t, 0, sizeof *t);
    struct record_facts *f = &t->facts;
    f->line = object_uint(o, "line", UINT64_MAX);
    f->is_json = object_has(o, "input");
    if (f->is_json) {
        const char *text = object_json(o, "input", &n);
        t->text = copy(text, n);
    } else {
        t->text = object_hex(o, "input_hex", &n);
    }
    f->bytes = n;
    const char *kind = object_str(o, "target", NULL);
    bool refused = strcmp(kind, "refused") == 0;
    if (!refused && strcmp(kind, "measured") != 0)
        object_wrong(o, "target", "\"measured\" or \"refused\"");
    if (refused && (t->refusal = optional(o, "condition")) == NULL)
        object_wrong(o, "condition", "the condition that was said");
    f->sip = object_addr(o, "sip");
    f->dip = object_addr(o, "dip");
    f->dport = (uint16_t)object_uint(o, "dp", UINT16_MAX);
    f->from = object_time(o, "from");
    f->to = object_time(o, "to");
    f->flows = object_bool(o, "flows");
    f->confirm = object_bool(o, "confirm");
    f->attempts = (uint8_t)object_uint(o, "attempts", COND_ATTEMPTS);
    f->rounds = (uint8_t)object_uint(o, "rounds", UINT8_MAX);
    t->vantage = optional(o, "vantage");
    t->problem = optional(o, "problem");
    f->text = t->text;
    f->vantage = t->vantage;
    f->problem = t->problem;
    f->refusal = t->refusal;
}

static void free_target(struct logged_target *t)
{
    free(t->text);
    free(t->vantage);
    free(t->problem);
    free(t->refusal);
}

/* Room for one more of `bytes` each in a list that has n; powers of two. */
static bool grow(void *list, size_t n, size_t bytes)
{
    void *at;
    memcpy(&at, list, sizeof at);
    if (n != 0 && (n < 16 || (n & (n - 1)) != 0))
        return true;
    void *more = realloc(at, (n < 16 ? 16 : n * 2) * bytes);
    if (more == NULL)
        return false;
    memcpy(list, &more, sizeof more);
    return true;
}

/* A log of another plugin is none at all: its arms mean something else. */
static int check_plugin(struct objects *o,
                        const char *path,
                        const struct plugin *p,
                        struct rs_err *err)
{
    const char *name = object_str(o, "plugin", NULL);
    if (object_problem(o) != NULL || strcmp(name, p->name) == 0)
        return 0;
    return rs_fail(err, RS_EINVAL, "%.120s is the log of plugin '%.40s', not of '%s'", path, name,
                   p->name);
}

static int take_line(struct logged_run *run, struct objects *o, const struct plugin *plugin)
{
    if (object_has(o, "target")) {
        if (!grow(&run->targets, run->n_targets, sizeof *run->targets))
            return -RS_ENOMEM;
        struct logged_target *t = &run->targets[run->n_targets];
        read_target(o, t);
        if (object_problem(o) != NULL)
            free_target(t);
        else
            run->n_targets++;
        return 0;
    }
    if (!grow(&run->attempts, run->n_attempts, sizeof *run->attempts))
        return -RS_ENOMEM;
    read_attempt(o, plugin, &run->attempts[run->n_attempts]);
    if (object_problem(o) == NULL)
        run->n_attempts++;
    return 0;
}

static int by_line(const void *a, const void *b)
{
    const struct arm_log *x = a, *y = b;
    if (x->line != y->line)
        return x->line < y->line ? -1 : 1;
    return (int)x->number - (int)y->number;
}

static size_t first_of(const struct logged_run *run, uint64_t line)
{
    size_t low = 0, high = run->n_attempts;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (run->attempts[middle].line < line)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void join(struct logged_run *run)
{
    size_t claimed = 0;
    if (run->n_attempts > 1)
        qsort(run->attempts, run->n_attempts, sizeof *run->attempts, by_line);
    for (size_t i = 0; i < run->n_targets; i++) {
        struct logged_target *t = &run->targets[i];
        t->first = first_of(run, t->facts.line);
        t->is_whole = true;
        for (; t->first + t->n < run->n_attempts &&
               run->attempts[t->first + t->n].line == t->facts.line;
             t->n++)
            if (run->attempts[t->first + t->n].number != t->n)
                t->is_whole = false;
        t->is_whole = t->is_whole && t->n == t->facts.attempts;
        claimed += t->n;
    }
    run->unclaimed = run->n_attempts > claimed ? run->n_attempts - claimed : 0;
}

int arm_log_read(struct logged_run *run,
                 const char *path,
                 const struct plugin *plugin,
                 void (*wrong)(void *ctx, const char *text),
                 void *ctx,
                 struct rs_err *err)
{
    struct objects *o;
    struct rs_err line, first;
    size_t bad = 0;
    memset(run, 0, sizeof *run);
    int rc = objects_open(&o, path, err);
    if (rc != 0)
        return rc;
    while ((rc = objects_next(o, &line)) != -RS_EEND) {
        if (rc == -RS_EINVAL) {
            if (bad++ == 0)
                first = line;
            wrong(ctx, line.text);
            continue;
        }
        if (rc != 0) {
            *err = line;
            break;
        }
        if ((rc = check_plugin(o, path, plugin, err)) != 0)
            break;
        if (take_line(run, o, plugin) != 0) {
            rc = rs_fail(err, RS_ENOMEM, "no memory for the arm log %.160s", path);
            break;
        }
        if (object_problem(o) != NULL) {
            if (bad++ == 0)
                snprintf(first.text, sizeof first.text, "%s", object_problem(o));
            wrong(ctx, object_problem(o));
        }
    }
    objects_close(o);
    rc = rc == -RS_EEND ? 0 : rc;
    if (rc == 0 && bad > 0 && run->n_attempts + run->n_targets == 0)
        rc = rs_fail(err, RS_EINVAL, "this is no arm log: %.200s", first.text);
    if (rc == 0)
        join(run);
    else
        arm_log_free(run);
    return rc;
}

void arm_log_free(struct logged_run *run)
{
    for (size_t i = 0; i < run->n_targets; i++)
        free_target(&run->targets[i]);
    free(run->targets);
    free(run->attempts);
    memset(run, 0, sizeof *run);
}
