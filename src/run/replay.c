/* SPDX-License-Identifier: GPL-3.0-or-later
 * A capture that `measure --pcap-out` wrote, with its arm log. The log says which packets of the
 * capture, by their number, may belong to an attempt: a flow stands in the table for as long as it
 * stood there in the run, so that reused ports and late segments change nothing. A target's record
 * is due, as in the run, when the last of its attempts is over. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/arm_log_read.h"
#include "run/classify_int.h"

#define WRONG_TOLD 10 /* wrong lines of a log that are told one by one */

struct replayed { /* one attempt of the log */
    struct attempt *a;
    bool over;
};

struct replay {
    struct classify *c;
    struct logged_run run;
    struct replayed *state;  /* as run.attempts */
    size_t *by_from, *by_to; /* indices of attempts in the order of packets_from, packets_to */
    size_t next_from, next_to, next_target;
    uint64_t packets, matched; /* those of some attempt */
    size_t wrong;              /* lines of the log */
    size_t misfits;            /* attempts that do not fit the capture, or the rest of the log */
};

static const struct arm_log *sorting; /* qsort has no context; set for the two calls only */

static int compare(uint64_t x, uint64_t y, size_t i, size_t j)
{
    if (x != y)
        return x < y ? -1 : 1;
    return i < j ? -1 : i > j;
}

static int by_from(const void *a, const void *b)
{
    size_t i = *(const size_t *)a, j = *(const size_t *)b;
    return compare(sorting[i].packets_from, sorting[j].packets_from, i, j);
}

static int by_to(const void *a, const void *b)
{
    size_t i = *(const size_t *)a, j = *(const size_t *)b;
    return compare(sorting[i].packets_to, sorting[j].packets_to, i, j);
}

static bool sort(struct replay *r)
{
    size_t n = r->run.n_attempts;
    r->state = calloc(n + 1, sizeof *r->state);
    r->by_from = malloc((n + 1) * sizeof *r->by_from);
    r->by_to = malloc((n + 1) * sizeof *r->by_to);
    if (r->state == NULL || r->by_from == NULL || r->by_to == NULL)
        return false;
    for (size_t i = 0; i < n; i++)
        r->by_from[i] = r->by_to[i] = i;
    sorting = r->run.attempts;
    if (n > 1) {
        qsort(r->by_from, n, sizeof *r->by_from, by_from);
        qsort(r->by_to, n, sizeof *r->by_to, by_to);
    }
    sorting = NULL;
    return true;
}

static struct attempt *make(struct replay *r, size_t i)
{
    struct attempt *a = classify_attempt(r->c, &r->run.attempts[i].tuple);
    if (a != NULL)
        a->log = r->run.attempts[i];
    r->state[i].a = a;
    return a;
}

static void end_attempt(struct replay *r, size_t i)
{
    struct replayed *s = &r->state[i];
    if (s->a != NULL)
        flow_table_remove(&r->c->flows, &s->a->flow);
    s->over = true;
}

/* What the log says and what the capture holds must fit: a verdict is not built on half of it. */
static void check(struct replay *r, const struct logged_target *t, size_t i, uint64_t packets)
{
    struct arm_log *log = &r->state[i].a->log;
    const char *why = NULL;
    if (!t->is_whole)
        why = "its log lacks an attempt, or has one twice";
    else if (log->packets_to > packets)
        why = "the capture ends before the attempt does";
    else if (r->state[i].a->flow.sight.packets != log->packets)
        why = "the capture has other packets than its log";
    if (why == NULL)
        return;
    r->c->result->damaged = true;
    r->misfits++;
    if (outcome_is_evidence((enum outcome)log->outcome)) {
        log->outcome = OUTCOME_NOT_CAPTURED;
        snprintf(log->why, sizeof log->why, "%s", why);
    }
}

static void target_due(struct replay *r, struct logged_target *t)
{
    struct evidence e;
    memset(&e, 0, sizeof e);
    t->facts.flows = t->facts.flows || r->c->o->output_flows;
    if (t->facts.refusal != NULL) {
        record_refusal(&r->c->record, &t->facts);
        classify_give(r->c);
        return;
    }
    for (size_t i = t->first; i < t->first + t->n; i++) {
        if (r->state[i].a == NULL && make(r, i) == NULL)
            return;
        check(r, t, i, r->packets);
        if (e.n < COND_ATTEMPTS)
            e.attempt[e.n++] = r->state[i].a;
    }
    e.n_arms = (unsigned)r->c->o->plugin->n_arms;
    e.confirm_wanted = t->facts.confirm;
    e.rounds_done = t->facts.rounds;
    classify_target(r->c, &t->facts, &e);
    for (size_t i = t->first; i < t->first + t->n; i++) {
        free(r->state[i].a);
        r->state[i].a = NULL;
    }
}

/* In the order of the run, as far as attempts are over; `all`: the rest, too. */
static void targets_due(struct replay *r, bool all)
{
    for (; r->next_target < r->run.n_targets && r->c->failed == 0; r->next_target++) {
        struct logged_target *t = &r->run.targets[r->next_target];
        for (size_t i = t->first; !all && i < t->first + t->n; i++)
            if (!r->state[i].over)
                return;
        target_due(r, t);
    }
}

/* Before packet `number`: attempts that were over by then go, those that had begun come. */
static void advance(struct replay *r, uint64_t number)
{
    const struct logged_run *run = &r->run;
    bool ended = false;
    for (; r->next_to < run->n_attempts; r->next_to++, ended = true) {
        size_t i = r->by_to[r->next_to];
        if (run->attempts[i].packets_to >= number)
            break;
        end_attempt(r, i);
    }
    for (; r->next_from < run->n_attempts; r->next_from++) {
        size_t i = r->by_from[r->next_from];
        if (run->attempts[i].packets_from >= number)
            break;
        if (!r->state[i].over && make(r, i) != NULL)
            flow_table_add(&r->c->flows, &r->state[i].a->flow);
    }
    if (ended)
        targets_due(r, false);
}

static void sent(struct replay *r, const struct trace_packet *p)
{
    struct wire_view v;
    enum flow_dir dir;
    if (wire_parse(&v, p->ip, p->ip_captured, WIRE_PARSE_PACKET) != 0)
        return;
    struct wire_tuple tuple = wire_view_tuple(&v);
    struct flow *f = flow_table_find(&r->c->flows, &tuple, &dir);
    if (f == NULL || dir != FLOW_FWD)
        return;
    r->matched++;
    flow_sent(f, &v, p->at);
}

static void received(struct replay *r, const struct trace_packet *p)
{
    struct received seen;
    enum flow_dir dir;
    received_parse(&seen, p->ip, p->ip_captured);
    if (seen.kind != RECEIVED_SEGMENT && seen.kind != RECEIVED_ERROR)
        return;
    struct flow *f = flow_table_find(&r->c->flows, &seen.tuple, &dir);
    if (f != NULL && dir == (seen.kind == RECEIVED_SEGMENT ? FLOW_REV : FLOW_FWD))
        flow_received(f, &seen, p->at);
}

static void on_packet(void *ctx, const struct trace_packet *p)
{
    struct replay *r = ctx;
    if (r->c->failed != 0)
        return;
    advance(r, ++r->packets);
    if (p->way == TRACE_SENT)
        sent(r, p);
    else if (p->way == TRACE_IN)
        received(r, p);
    /* What the host emitted is no packet of ours and no answer: the log says what came of it. */
}

static void on_wrong(void *ctx, const char *text)
{
    struct replay *r = ctx;
    r->c->result->damaged = true;
    if (++r->wrong <= WRONG_TOLD)
        classify_notice(r->c, "%s; the attempt or target is left out", text);
}

static void finish(struct replay *r)
{
    for (size_t i = 0; i < r->run.n_attempts; i++)
        if (!r->state[i].over)
            end_attempt(r, i);
    targets_due(r, true);
    if (r->run.n_attempts > 0 && r->packets > 0 && r->matched == 0)
        classify_notice(
            r->c, "no packet of the capture belongs to an attempt of the log: is it the log of "
                  "another run?");
    if (r->misfits > 0)
        classify_notice(r->c,
                        "%zu attempts do not fit the capture, or the rest of the log: their "
                        "targets are incomplete",
                        r->misfits);
    if (r->run.unclaimed > 0)
        classify_notice(r->c, "%zu attempts have no record: the run was ended before it was due",
                        r->run.unclaimed);
    for (size_t i = 0; i < r->run.n_attempts; i++)
        free(r->state[i].a);
}

int classify_replay(struct classify *c, const char *log_path)
{
    struct replay r = {.c = c};
    int rc = arm_log_read(&r.run, log_path, c->o->plugin, on_wrong, &r, c->err);
    if (rc == 0)
        rc = classify_ready(c);
    if (rc != 0) {
        arm_log_free(&r.run);
        return rc;
    }
    if (r.wrong > WRONG_TOLD)
        classify_notice(c, "%zu more lines of the log are wrong", r.wrong - WRONG_TOLD);
    if (sort(&r)) {
        classify_read(c, on_packet, &r);
        finish(&r);
    } else {
        rc = rs_fail(c->err, RS_ENOMEM, "no memory for %zu attempts", r.run.n_attempts);
    }
    free(r.state);
    free(r.by_from);
    free(r.by_to);
    arm_log_free(&r.run);
    return rc;
}
