/* SPDX-License-Identifier: GPL-3.0-or-later
 * The flows of an observer as IPFIX. */
#include "run/flow_ipfix.h"
#include "run/observe_int.h"

static int flow(void *ctx, const struct flow *f, enum flow_end why, struct rs_err *err)
{
    struct ipfix_flow record;
    unsigned kind = flow_ipfix(&record, f, why);
    return ipfix_write(ctx, &record, kind, err);
}

static int flush(void *ctx, struct rs_err *err)
{
    return ipfix_flush(ctx, err);
}

static int close_output(void *ctx, struct rs_err *err)
{
    return ipfix_close(ctx, err);
}

static uint64_t bytes(void *ctx)
{
    return ipfix_bytes(ctx);
}

int observe_open_ipfix(struct observe_writer *w,
                       const struct observe_options *o,
                       struct rs_err *err)
{
    struct ipfix *x;
    int rc = ipfix_open(&x, o->output, err);
    if (rc == 0)
        *w = (struct observe_writer){
            .ctx = x, .flow = flow, .flush = flush, .close = close_output, .bytes = bytes};
    return rc;
}
