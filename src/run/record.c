/* SPDX-License-Identifier: GPL-3.0-or-later
 * Keys and types are PATHspider's where it has them. */
#include "run/record.h"

#include <string.h>

#include "run/flow_text.h"

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

void record_attempt(struct record *r, const char *arm_name, const struct arm_log *log)
{
    record_str(r, "arm", arm_name);
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

static void attempts(struct record *r, const struct evidence *e, unsigned arm, const char *arm_name)
{
    record_open_array(r, "attempts");
    for (unsigned i = 0; i < e->n; i++) {
        if (e->attempt[i]->log.arm != arm)
            continue;
        record_open_object(r, NULL);
        record_attempt(r, arm_name, &e->attempt[i]->log);
        record_close(r);
    }
    record_close(r);
}

static void flow_result(struct record *r,
                        const struct record_facts *facts,
                        const struct evidence *e,
                        unsigned arm,
                        const char *arm_name)
{
    const struct attempt *a = cond_representative(e, arm);
    bool observed = a != NULL;
    for (unsigned i = 0; a == NULL && i < e->n; i++)
        if (e->attempt[i]->log.arm == arm)
            a = e->attempt[i];
    record_open_object(r, NULL);
    record_uint(r, "config", arm);
    record_str(r, "arm", arm_name);
    record_bool(r, "observed", observed);
    record_uint(r, "spdr_state", a == NULL ? 3 : spdr_state((enum outcome)a->log.outcome));
    flow_text_address(r, "sip", &facts->sip);
    flow_text_address(r, "dip", &facts->dip);
    record_uint(r, "sp", a == NULL ? 0 : a->log.tuple.sport);
    record_uint(r, "dp", facts->dport);
    record_uint(r, "proto", IP_PROTO_TCP);
    if (a != NULL) {
        record_uint(r, "exchange_status", a->log.exchange_status);
        record_uint(r, "body_bytes", a->log.body_bytes);
        flow_text_members(r, &a->flow);
    }
    attempts(r, e, arm, arm_name);
    record_close(r);
}

static void flow_results(struct record *r,
                         const struct record_facts *facts,
                         const struct evidence *e,
                         const char *const *arm_names)
{
    unsigned missed = 0;
    record_open_array(r, "flow_results");
    for (unsigned arm = 0; arm < e->n_arms; arm++) {
        flow_result(r, facts, e, arm, arm_names[arm]);
        missed += cond_representative(e, arm) == NULL;
    }
    record_close(r);
    record_uint(r, "missed_flows", missed);
}

static void line_and_vantage(struct record *r, const struct record_facts *facts)
{
    if (facts->line != 0)
        record_uint(r, "line", facts->line);
    if (facts->vantage != NULL)
        record_str(r, "vantage", facts->vantage);
}

static void time_members(struct record *r, const struct record_facts *facts)
{
    record_open_object(r, "time");
    record_time(r, "from",
                facts->from.ns != 0 ? facts->from : facts->to); /* may never have begun */
    record_time(r, "to", facts->to);
    record_close(r);
}

void record_of_input(struct record *r, const char *text, size_t bytes, bool is_json)
{
    record_begin(r, &(struct record_input){text, bytes, is_json}, our_keys);
}

static void begin(struct record *r, const struct record_facts *facts)
{
    record_of_input(r, facts->text, facts->bytes, facts->is_json);
}

static const char *why_incomplete(const struct record_facts *facts, const struct evidence *e)
{
    if (facts->problem != NULL)
        return facts->problem;
    for (unsigned i = 0; i < e->n; i++) {
        const struct arm_log *log = &e->attempt[i]->log;
        enum outcome o = (enum outcome)log->outcome;
        if (o == OUTCOME_NOT_CAPTURED && log->why[0] == '\0')
            return "the capture lost packets: lower -r or -w";
        if (!outcome_is_evidence(o) && log->why[0] != '\0')
            return log->why;
    }
    return NULL;
}

bool record_measured(struct record *r,
                     const struct record_facts *facts,
                     const struct evidence *evidence,
                     const struct verdict *verdict,
                     const char *const *arm_names)
{
    char text[WIRE_ADDR_TEXT], sip[WIRE_ADDR_TEXT];
    bool incomplete = false;
    begin(r, facts);
    wire_addr_format(&facts->sip, sip);
    if (facts->sip.family == 0)
        record_null(r, "sip");
    else
        record_str(r, "sip", sip);
    line_and_vantage(r, facts);
    record_open_array(r, "path"); /* at least two elements, or PATHspider's archive refuses it */
    record_str(r, NULL, sip);
    record_str(r, NULL, "*");
    record_str(r, NULL, wire_addr_format(&facts->dip, text));
    record_close(r);
    time_members(r, facts);
    record_open_array(r, "conditions");
    for (unsigned i = 0; i < verdict->n; i++) {
        record_str(r, NULL, verdict->text[i]);
        incomplete = incomplete || strncmp(verdict->text[i], "measure.incomplete", 18) == 0;
    }
    record_close(r);
    const char *why = incomplete ? why_incomplete(facts, evidence) : NULL;
    if (why != NULL)
        record_str(r, "problem", why);
    if (facts->flows)
        flow_results(r, facts, evidence, arm_names);
    return incomplete;
}

void record_refusal(struct record *r, const struct record_facts *facts)
{
    begin(r, facts);
    line_and_vantage(r, facts);
    time_members(r, facts);
    record_str(r, "problem", facts->problem);
    record_open_array(r, "conditions");
    record_str(r, NULL, facts->refusal);
    record_close(r);
}
