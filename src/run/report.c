/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the engine says: records, and lines of the arm log. */
#include "run/engine_int.h"
#include "run/record.h"

static void give(struct engine *e)
{
    const char *text;
    size_t n;
    if (record_end(&e->record, &text, &n) == 0)
        e->ops.record(e->ops.ctx, text, n);
    else
        e->counters.records_lost++, notice_once(e, 2, "no memory for a record: it is lost");
}

static void give_log(struct engine *e)
{
    const char *text;
    size_t n;
    if (record_end(&e->record, &text, &n) == 0)
        e->ops.arm_log(e->ops.ctx, text, n);
    else
        notice_once(e, 3,
                    "no memory for a line of the arm log: the capture cannot be classified "
                    "as the run was");
}

static struct record_facts facts_of(const struct engine *e, const struct target *t)
{
    return (struct record_facts){.plugin = e->config.plugin->name,
                                 .line = t->line,
                                 .text = t->text,
                                 .bytes = t->raw_bytes,
                                 .is_json = true,
                                 .sip = t->sip,
                                 .dip = t->dip,
                                 .dport = t->dport,
                                 .from = t->from,
                                 .to = t->to,
                                 .vantage = e->config.vantage,
                                 .problem = t->problem,
                                 .flows = e->config.output_flows,
                                 .attempts = t->n_held,
                                 .rounds = t->round,
                                 .confirm = e->config.confirm > 0};
}

void report_target(struct engine *e, struct target *t)
{
    struct evidence evidence;
    struct verdict verdict;
    struct record_facts facts = facts_of(e, t);
    target_evidence(e, t, &evidence);
    cond_evaluate(e->table, &evidence, &verdict);
    trace_verdict(e, t, &verdict);
    if (e->ops.arm_log != NULL) {
        arm_log_target(&e->record, &facts);
        give_log(e);
    }
    if (record_measured(&e->record, &facts, &evidence, &verdict, e->arm_names))
        e->counters.incomplete++;
    give(e);
}

void report_refused(struct engine *e,
                    const struct job *job,
                    const char *condition,
                    const char *problem)
{
    rs_wall now = e->ops.wall(e->ops.ctx);
    struct record_facts facts = {.plugin = e->config.plugin->name,
                                 .line = job->line,
                                 .text = job->raw,
                                 .bytes = job->raw_bytes,
                                 .is_json = job->raw_is_json,
                                 .dip = job->dip,
                                 .dport = job->dp,
                                 .from = now,
                                 .to = now,
                                 .vantage = e->config.vantage,
                                 .problem = problem,
                                 .refusal = condition};
    if (e->ops.arm_log != NULL) {
        arm_log_target(&e->record, &facts);
        give_log(e);
    }
    record_refusal(&e->record, &facts);
    give(e);
}

void report_attempt(struct engine *e, const struct target *t, const struct arm_log *log)
{
    if (e->ops.arm_log == NULL)
        return;
    struct record_facts facts = facts_of(e, t);
    arm_log_attempt(&e->record, &facts, e->arm_names[log->arm], log);
    give_log(e);
}
