/* SPDX-License-Identifier: GPL-3.0-or-later
 * What classify.c shares with its two ways: replay.c with an arm log, foreign.c without. */
#ifndef RS_RUN_CLASSIFY_INT_H
#define RS_RUN_CLASSIFY_INT_H

#include "net/trace.h"
#include "observe/evidence.h"
#include "observe/table.h"
#include "run/classify.h"
#include "run/record.h"

struct classify {
    const struct classify_options *o;
    const struct classify_sink *sink;
    struct classify_result *result;
    struct rs_err *err;
    struct trace *trace;
    struct flow_table flows;
    struct cond_table *table;
    const char *arm_names[COND_ARMS];
    struct record record;
    int failed; /* of the sink, or of memory: -RS_E*; ends the reading */
};

/* `a` is zero, and has attempt_bytes() of the plugin's chains. */
void classify_attempt_init(const struct classify *c,
                           struct attempt *a,
                           const struct wire_tuple *tuple);
/* An attempt whose flow has room for the plugin's chains; NULL: no memory (c->failed is set). */
struct attempt *classify_attempt(struct classify *c, const struct wire_tuple *tuple);
/* Evaluates and gives the record of a target. */
void classify_target(struct classify *c,
                     const struct record_facts *facts,
                     const struct evidence *evidence);
/* Gives c->record, which has been written but for its end. */
void classify_give(struct classify *c);
__attribute__((format(printf, 2, 3))) void classify_notice(struct classify *c,
                                                           const char *format,
                                                           ...);
/* Reads all packets. What is wrong with the capture is told, and makes the result damaged. */
void classify_read(struct classify *c, trace_fn fn, void *ctx);

int classify_ready(struct classify *c);

/* replay.c */
int classify_replay(struct classify *c, const char *log_path);
/* foreign.c */
int classify_foreign(struct classify *c);

#endif
