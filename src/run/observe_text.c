/* SPDX-License-Identifier: GPL-3.0-or-later
 * Flows as NDJSON. Records are collected to 64 KiB: a write of its own for each would take longer
 * than all the rest; but each write holds whole records only. */
#include <stdlib.h>
#include <string.h>

#include "io/output.h"
#include "run/flow_text.h"
#include "run/observe_int.h"

#define BLOCK_BYTES 65536u

struct ndjson {
    struct output *output;
    struct record record;
    size_t n; /* bytes in block */
    char block[BLOCK_BYTES];
};

static int flush(void *ctx, struct rs_err *err)
{
    struct ndjson *w = ctx;
    if (w->n == 0)
        return 0;
    int rc = output_write(w->output, w->block, w->n, err);
    w->n = 0;
    return rc;
}

static bool has_ports(const struct wire_tuple *t)
{
    return (t->proto == IP_PROTO_TCP || t->proto == IP_PROTO_UDP) &&
           (t->sport != 0 || t->dport != 0);
}

static int flow(void *ctx, const struct flow *f, enum flow_end why, struct rs_err *err)
{
    struct ndjson *w = ctx;
    struct record *r = &w->record;
    const char *text;
    size_t n;
    record_begin(r, NULL, NULL);
    flow_text_address(r, "sip", &f->tuple.src);
    flow_text_address(r, "dip", &f->tuple.dst);
    if (has_ports(&f->tuple)) {
        record_uint(r, "sp", f->tuple.sport);
        record_uint(r, "dp", f->tuple.dport);
    } else {
        record_null(r, "sp");
        record_null(r, "dp");
    }
    record_uint(r, "proto", f->tuple.proto);
    flow_text_members(r, f);
    record_str(r, "flow_end_reason", flow_end_name(why));
    if (record_end(r, &text, &n) != 0)
        return rs_fail(err, RS_ENOMEM, "no memory for a record");
    if (w->n + n > BLOCK_BYTES) {
        int rc = flush(w, err);
        if (rc != 0)
            return rc;
    }
    if (n > BLOCK_BYTES)
        return output_write(w->output, text, n, err);
    memcpy(w->block + w->n, text, n);
    w->n += n;
    return 0;
}

static int close_output(void *ctx, struct rs_err *err)
{
    struct ndjson *w = ctx;
    int rc = flush(w, err);
    int close_rc = output_close(w->output, rc == 0 ? err : NULL);
    record_free(&w->record);
    free(w);
    return rc != 0 ? rc : close_rc;
}

static uint64_t bytes(void *ctx)
{
    const struct ndjson *w = ctx;
    return output_bytes(w->output);
}

int observe_open_ndjson(struct observe_writer *w,
                        const struct observe_options *o,
                        struct rs_err *err)
{
    struct ndjson *n = calloc(1, sizeof *n);
    if (n == NULL)
        return rs_fail(err, RS_ENOMEM, "no memory for the output");
    int rc = output_open(&n->output, o->output, false, err);
    if (rc != 0) {
        free(n);
        return rc;
    }
    record_init(&n->record);
    *w = (struct observe_writer){
        .ctx = n, .flow = flow, .flush = flush, .close = close_output, .bytes = bytes};
    return 0;
}
