/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where the flows of an observer go. A format is one file with one function that fills this in, and
 * a row in observe.c. */
#ifndef RS_RUN_OBSERVE_INT_H
#define RS_RUN_OBSERVE_INT_H

#include "net/trace.h"
#include "observe/aging.h"
#include "run/observe.h"

struct observe_writer {
    void *ctx;
    /* One flow that has ended. 0, or -RS_E*: it is lost, and no more is given. */
    int (*flow)(void *ctx, const struct flow *f, enum flow_end why, struct rs_err *err);
    /* Nothing is to be held back any more; at least once a second. As above. */
    int (*flush)(void *ctx, struct rs_err *err);
    /* Writes the rest and frees. 0, or -RS_E*: not all of it has arrived. */
    int (*close)(void *ctx, struct rs_err *err);
    uint64_t (*bytes)(void *ctx); /* that have been written */
};

int observe_open_ndjson(struct observe_writer *w,
                        const struct observe_options *o,
                        struct rs_err *err);
int observe_open_ipfix(struct observe_writer *w,
                       const struct observe_options *o,
                       struct rs_err *err);

__attribute__((format(printf, 3, 4))) void observe_say(const struct observe_ui *ui,
                                                       void (*to)(void *ctx, const char *text),
                                                       const char *format,
                                                       ...);

struct observe_facts { /* in the end */
    const struct aging_stats *aging;
    struct trace_stats trace;
    const char *kind; /* of trace */
    uint64_t damaged; /* packets that could not be parsed */
    uint64_t flows_most;
    size_t flow_bytes;
};
/* Gives notices of what is not as it should be, and the counters as details. */
void observe_tell(const struct observe_ui *ui, const struct observe_facts *f);

#endif
