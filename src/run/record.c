/* SPDX-License-Identifier: GPL-3.0-or-later
 * From a target's attempts to its record and to lines of the arm log. Keys and types are
 * PATHspider's where it has them. */
#include <stdio.h>
#include <string.h>

#include "run/engine_int.h"
#include "run/flow_text.h"
#include "wire/print.h"

/* Every member that we append: an input key of the same name is renamed in_KEY. */
static const char *const our_keys[] = {"sip",          "line",    "vantage",    "path",
                                       "time",         "problem", "conditions", "flow_results",
                                       "missed_flows", NULL};

/* PATHspider's codes: 0 ok, 1 failed, 2 timeout, 3 skipped. */
static uint64_t spdr_state(enum outcome o)
{
    if (o == OUTCOME_EXCHANGED)
        return 0;
    if (o == OUTCOME_TIMEOUT || o == OUTCOME_HS_THEN_STALL)
        return 2;
    return outcome_is_evidence(o) ? 1 : 3;
}

static void attempt_members(struct engine *e, struct record *r, const struct arm_log *log)
{
    record_str(r, "arm", e->arm_names[log->arm]);
    record_uint(r, "round", log->round);
    record_uint(r, "order", log->batch_order);
    record_uint(r, "sp", log->tuple.sport);
    record_str(r, "outcome", outcome_name((enum outcome)log->outcome));
    record_uint(r, "syns", log->syns_sent);
    record_uint(r, "answered_try", log->answered_try);
    if (log->icmp_type >= 0) {
        record_int(r, "icmp_type", log->icmp_type);
        record_int(r, "icmp_code", log->icmp_code);
    }
    if (log->why[0] != '\0')
        record_str(r, "why", log->why);
}

static void flow_result(struct engine *e,
                        struct record *r,
                        const struct target *t,
                        const struct evidence *evidence,
                        unsigned arm)
{
    const struct attempt *a = cond_representative(evidence, arm);
    bool observed = a != NULL;
    for (unsigned i = 0; a == NULL && i < evidence->n; i++)
        if (evidence->attempt[i]->log.arm == arm)
            a = evidence->attempt[i];
    record_open_object(r, NULL);
    record_uint(r, "config", arm);
    record_str(r, "arm", e->arm_names[arm]);
    record_bool(r, "observed", observed);
    record_uint(r, "spdr_state", a == NULL ? 3 : spdr_state((enum outcome)a->log.outcome));
    flow_text_address(r, "sip", &t->hop.src);
    flow_text_address(r, "dip", &t->dip);
    record_uint(r, "sp", a == NULL ? 0 : a->log.tuple.sport);
    record_uint(r, "dp", t->dport);
    record_uint(r, "proto", IP_PROTO_TCP);
    if (a != NULL) {
        record_uint(r, "exchange_status", a->log.exchange_status);
        record_uint(r, "body_bytes", a->log.body_bytes);
        flow_text_members(r, &a->flow);
    }
    record_open_array(r, "attempts");
    for (unsigned i = 0; i < evidence->n; i++) {
        if (evidence->attempt[i]->log.arm != arm)
            continue;
        record_open_object(r, NULL);
        attempt_members(e, r, &evidence->attempt[i]->log);
        record_close(r);
    }
    record_close(r);
    record_close(r);
}

static void flow_results(struct engine *e,
                         struct record *r,
                         const struct target *t,
                         const struct evidence *evidence)
{
    unsigned missed = 0;
    record_open_array(r, "flow_results");
    for (unsigned arm = 0; arm < evidence->n_arms; arm++) {
        flow_result(e, r, t, evidence, arm);
        missed += cond_representative(evidence, arm) == NULL;
    }
    record_close(r);
    record_uint(r, "missed_flows", missed);
}

static void give(struct engine *e)
{
    const char *text;
    size_t n;
    if (record_end(&e->record, &text, &n) == 0)
        e->ops.record(e->ops.ctx, text, n);
    else
        e->counters.records_lost++, notice_once(e, 2, "no memory for a record: it is lost");
}

static void measured_members(struct engine *e, struct record *r, const struct target *t)
{
    char text[WIRE_ADDR_TEXT];
    flow_text_address(r, "sip", &t->hop.src);
    record_uint(r, "line", t->line);
    if (e->config.vantage != NULL)
        record_str(r, "vantage", e->config.vantage);
    record_open_array(r, "path"); /* at least two elements, or PATHspider's archive refuses it */
    record_str(r, NULL, wire_addr_format(&t->hop.src, text));
    record_str(r, NULL, "*");
    record_str(r, NULL, wire_addr_format(&t->dip, text));
    record_close(r);
    record_open_object(r, "time");
    record_time(r, "from", t->from.ns != 0 ? t->from : t->to); /* it may never have begun */
    record_time(r, "to", t->to);
    record_close(r);
}

static const char *why_incomplete(const struct target *t)
{
    if (t->problem != NULL)
        return t->problem;
    for (const struct held *h = t->first; h != NULL; h = h->next) {
        enum outcome o = (enum outcome)h->a.log.outcome;
        if (o == OUTCOME_NOT_CAPTURED)
            return "the capture lost packets: lower -r or -w";
        if (!outcome_is_evidence(o) && h->a.log.why[0] != '\0')
            return h->a.log.why;
    }
    return NULL;
}

void record_target(struct engine *e, struct target *t)
{
    struct record *r = &e->record;
    struct evidence evidence;
    struct verdict verdict;
    target_evidence(e, t, &evidence);
    cond_evaluate(e->table, &evidence, &verdict);
    trace_verdict(e, t, &verdict);
    bool incomplete = false;
    record_begin(r, &(struct record_input){t->text, t->raw_bytes, true}, our_keys);
    measured_members(e, r, t);
    record_open_array(r, "conditions");
    for (unsigned i = 0; i < verdict.n; i++) {
        record_str(r, NULL, verdict.text[i]);
        incomplete = incomplete || strncmp(verdict.text[i], "measure.incomplete", 18) == 0;
    }
    record_close(r);
    if (incomplete) {
        e->counters.incomplete++;
        const char *why = why_incomplete(t);
        if (why != NULL)
            record_str(r, "problem", why);
    }
    if (e->config.output_flows)
        flow_results(e, r, t, &evidence);
    give(e);
}

void record_refused(struct engine *e,
                    const struct job *job,
                    const char *condition,
                    const char *problem)
{
    struct record *r = &e->record;
    record_begin(r, &(struct record_input){job->raw, job->raw_bytes, job->raw_is_json}, our_keys);
    record_uint(r, "line", job->line);
    if (e->config.vantage != NULL)
        record_str(r, "vantage", e->config.vantage);
    rs_wall now = e->ops.wall(e->ops.ctx);
    record_open_object(r, "time");
    record_time(r, "from", now);
    record_time(r, "to", now);
    record_close(r);
    record_str(r, "problem", problem);
    record_open_array(r, "conditions");
    record_str(r, NULL, condition);
    record_close(r);
    give(e);
}

void record_arm_log(struct engine *e, const struct target *t, const struct arm_log *log)
{
    if (e->ops.arm_log == NULL)
        return;
    struct record *r = &e->record;
    record_begin(r, NULL, NULL);
    record_uint(r, "line", log->line);
    record_strn(r, "input", t->text, t->raw_bytes);
    attempt_members(e, r, log);
    record_uint(r, "port", log->port);
    record_uint(r, "rerun", log->rerun);
    flow_text_address(r, "sip", &log->tuple.src);
    flow_text_address(r, "dip", &log->tuple.dst);
    record_uint(r, "dp", log->tuple.dport);
    record_uint(r, "proto", log->tuple.proto);
    record_time(r, "planned", log->planned);
    record_time(r, "sent", log->sent);
    record_time(r, "deadline", log->deadline);
    record_time(r, "ended", log->ended);
    record_uint(r, "drops_from", log->drops_from);
    record_uint(r, "drops_to", log->drops_to);
    record_bool(r, "exchange_complete", log->exchange_complete);
    record_uint(r, "exchange_status", log->exchange_status);
    record_uint(r, "body_bytes", log->body_bytes);
    record_uint(r, "confirm", e->config.confirm); /* how sure a verdict must be rests on it */
    record_open_array(r, "events");
    for (uint64_t bit = 1; bit <= log->tcp_events && bit <= UINT32_MAX; bit <<= 1)
        if (log->tcp_events & bit)
            record_str(r, NULL, tcp_event_name((enum tcp_event)bit));
    record_close(r);
    const char *text;
    size_t n;
    if (record_end(r, &text, &n) == 0)
        e->ops.arm_log(e->ops.ctx, text, n);
}
