/* SPDX-License-Identifier: GPL-3.0-or-later
 * Conditions from a capture. With the arm log of a run beside it, the records of that run, byte for
 * byte: a verdict is a function of packets and log (design law 2). Without one, arms are known by
 * their SYN from the plugin's description of them, flows are paired by client and target, and what
 * packets alone cannot tell is said to be incomplete. */
#ifndef RS_RUN_CLASSIFY_H
#define RS_RUN_CLASSIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "plugins/plugin.h"

struct classify_options {
    const struct plugin *plugin;
    const char *file;  /* a capture, or "-" */
    const char *log;   /* NULL: FILE.arms.ndjson if there is one, FILE without .gz and the
                        like; "none": without a log */
    bool output_flows; /* also where the log does not say so */
};

/* What classifying gives. record and notice are borrowed texts. */
struct classify_sink {
    void *ctx;
    /* Capture and log could be opened: now is the time to open, and so empty, what is written to.
     * 0, or -RS_E* with the text in err. NULL: nothing to do. */
    int (*ready)(void *ctx, struct rs_err *err);
    /* One record, with its newline. 0, or -RS_E* with the text in err: ends the run. */
    int (*record)(void *ctx, const char *text, size_t n, struct rs_err *err);
    /* What a record's conditions rest on, before record(); NULL: not wanted. */
    void (*verdict)(void *ctx,
                    const struct cond_table *t,
                    const struct evidence *e,
                    const struct verdict *v);
    void (*notice)(void *ctx, const char *text);
};

struct classify_result {
    uint64_t packets, records;
    bool damaged; /* something could not be read: records may be missing or incomplete */
};

/* Whether writing to `output` would empty the capture or its log. */
bool classify_would_empty(const struct classify_options *o, const char *output);

/* 0, or -RS_E*: nothing could be read, or the sink failed. */
int classify_run(const struct classify_options *o,
                 const struct classify_sink *sink,
                 struct classify_result *result,
                 struct rs_err *err);

#endif
