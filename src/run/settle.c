/* SPDX-License-Identifier: GPL-3.0-or-later
 * What came of an attempt: judged from what was seen of it, and from what this host may have lost,
 * once its last packets have left. */
#include <stdio.h>
#include <string.h>

#include "run/engine_int.h"

static enum outcome judge(const struct conn *c)
{
    if (c->established) {
        if (c->exchange_done)
            return OUTCOME_EXCHANGED;
        if (c->reset)
            return OUTCOME_HS_THEN_RST;
        return c->gave_up ? OUTCOME_HS_THEN_STALL : OUTCOME_SYNACK;
    }
    if (c->refused)
        return OUTCOME_RST;
    if (c->icmp_seen)
        return OUTCOME_ICMP;
    return c->bad_synack ? OUTCOME_BAD_SYNACK : OUTCOME_TIMEOUT;
}

/* Would an answer that the capture lost have made another outcome of it? */
static bool misses_a_reply(enum outcome o)
{
    return o == OUTCOME_TIMEOUT || o == OUTCOME_ICMP || o == OUTCOME_BAD_SYNACK ||
           o == OUTCOME_HS_THEN_STALL || o == OUTCOME_SYNACK;
}

/* Law 3: where a reply is missing, was it the path, or did this host lose the question or the
 * answer? */
static void look_for_losses_here(struct engine *e, const struct conn *c)
{
    struct arm_log *log = &c->held->a.log;
    bool missing = misses_a_reply((enum outcome)log->outcome);
    log->drops_to = (uint32_t)e->ops.drops(e->ops.ctx, missing);
    bool spoilt = c->exchange_over ? c->spoilt : c->outages != e->outages;
    if (spoilt && outcome_is_evidence((enum outcome)log->outcome)) {
        log->outcome = OUTCOME_NOT_CAPTURED;
        snprintf(log->why, sizeof log->why, "the interface or its address was away");
        e->counters.not_captured++;
    } else if (missing && log->drops_to != log->drops_from) {
        log->outcome = OUTCOME_NOT_CAPTURED;
        e->counters.not_captured++;
    } else if (missing && c->send_errno != 0) {
        log->outcome = OUTCOME_NOT_SENT;
        snprintf(log->why, sizeof log->why, "%s", strerror(c->send_errno));
    }
}

void conn_settle(struct engine *e, struct conn *c, rs_mono now)
{
    struct target *t = c->target;
    struct arm_log *log = &c->held->a.log;
    const struct exchange *x = conn_exchange(e, c);
    struct exchange_result result;
    memset(&result, 0, sizeof result);
    x->result(c->exchange_state, &result);
    log->exchange_complete = c->exchange_done;
    log->exchange_status = result.status;
    log->body_bytes = (uint32_t)result.body_bytes;
    log->syns_sent = (uint8_t)c->held->a.flow.tcp_syn_count_fwd; /* those that left */
    log->ended = e->ops.wall(e->ops.ctx);
    if (log->outcome == OUTCOME_NONE)
        log->outcome = (uint8_t)judge(c);
    look_for_losses_here(e, c);
    /* Where the peer closed first and our FIN is acknowledged, nothing can come any more. */
    e->untidy =
        e->untidy || !(log->tcp_events & TCP_EV_CLOSED) || tcp_state(&c->tcp) == TCP_TIME_WAIT;
    trace_note(e, t, log, "ended: %s", outcome_name((enum outcome)log->outcome));
    pace_ended(e, c);
    log->packets_to = e->packets;
    log->packets = c->held->a.flow.sight.packets;
    flow_table_remove(&e->flows, &c->held->a.flow);
    c->held->a.flow.owner = NULL;
    tcp_release(&c->tcp);
    conn_spares_request(e, c, true);
    report_attempt(e, t, log);
    slab_put(&e->conns, c);
    t->running--;
    target_attempt_over(e, t, log, now);
}
