/* SPDX-License-Identifier: GPL-3.0-or-later
 * Opening everything a measurement needs, in the order in which mistakes are cheapest to tell, and
 * closing it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/clock.h"
#include "run/measure_int.h"

void measure_defaults(struct measure_options *o)
{
    memset(o, 0, sizeof *o);
    o->targets_most = 10000;
    o->rate = 1000;
    o->port_from = 61000; /* above Linux's ephemeral ports (60999) */
    o->port_to = 65535;
    o->confirm = 2;
    o->confirm_delay = 3;
    o->timeout = 10;
    o->gap = 1;
    o->order = ORDER_RANDOM;
    o->window = 10000;
    o->shards = 1;
    o->threads = 1;
}

static void tap(void *ctx, const uint8_t *ip, size_t n, rs_wall at, enum engine_way way)
{
    static const enum trace_way as[] = {
        [WAY_RECEIVED] = TRACE_IN, [WAY_SENT] = TRACE_SENT, [WAY_HOST] = TRACE_HOST};
    struct measure *m = ctx;
    pcapout_write(m->pcap, ip, n, at, as[way]); /* a failure is told when it is closed */
}

static void write_arm_log(void *ctx, const char *text, size_t n)
{
    struct measure *m = ctx;
    if (output_write(m->arm_log, text, n, m->err) != 0)
        measure_fail(m, m->err->text);
}

static void trace(void *ctx, const char *line)
{
    struct measure *m = ctx;
    m->ui->trace(m->ui->ctx, line);
}

static void notice(void *ctx, const char *text)
{
    struct measure *m = ctx;
    m->ui->notice(m->ui->ctx, text);
}

static void fail(void *ctx, const char *text)
{
    measure_fail(ctx, text);
}

static void packet(void *ctx, const char *line)
{
    struct measure *m = ctx;
    m->ui->packet(m->ui->ctx, line);
}

static int open_crew(struct measure *m)
{
    const struct measure_options *o = m->o;
    struct crew_config config = {.kind = &worker_of_network,
                                 .kind_ctx = (void *)(uintptr_t)o,
                                 .threads = o->dryrun ? 1 : o->threads,
                                 .in_flight = o->targets_most,
                                 .by_network = o->prefix_rate != 0,
                                 .secret = worker_secret(),
                                 .ops = {.ctx = m,
                                         .record = measure_record,
                                         .notice = notice,
                                         .trace = trace,
                                         .fail = fail,
                                         .packet = packet,
                                         .arm_log = m->arm_log != NULL ? write_arm_log : NULL,
                                         .tap = m->pcap != NULL ? tap : NULL}};
    return crew_open(&m->crew, &config, m->err);
}

/* What does not go together. */
static int check(const struct measure *m)
{
    const struct measure_options *o = m->o;
    if (o->threads > 1 && o->pcap_out != NULL)
        return rs_fail(
            m->err, RS_EINVAL,
            "--threads and --pcap-out do not go together: packets of several threads have "
            "no one order; leave one of them out");
    if (o->threads > 1 && o->rate != 0 && o->rate < o->threads)
        return rs_fail(m->err, RS_EINVAL, "%llu packets a second are too few for %u threads",
                       (unsigned long long)o->rate, o->threads);
    return 0;
}

static int open_input(struct measure *m)
{
    const struct measure_options *o = m->o;
    enum input_format format = o->csv_input ? INPUT_CSV : o->list_input ? INPUT_LIST : INPUT_AUTO;
    int rc = input_open(&m->input, o->input, format, m->err);
    if (rc == 0 && o->max_targets != 0)
        input_any_width(m->input);
    return rc;
}

static int open_reader(struct measure *m)
{
    const struct measure_options *o = m->o;
    struct reader_config config = {.input = m->input,
                                   .blocklist = m->blocklist,
                                   .resume = &m->resume,
                                   .targets_most = o->max_targets,
                                   .shards = o->shards,
                                   .shard = o->shard,
                                   .dedup_most = o->dedup_most,
                                   .window = o->window,
                                   .mode = o->exchange->name,
                                   .default_port = o->exchange->default_port,
                                   .secret = worker_secret(),
                                   .seed = o->has_seed ? o->seed : (uint64_t)clock_wall().ns,
                                   .ctx = m,
                                   .notice = notice};
    return reader_new(&m->reader, &config, m->err);
}

static int open_capture_file(struct measure *m)
{
    char *name;
    if (m->o->pcap_out == NULL)
        return 0;
    if (asprintf(&name, "%s.arms.ndjson", m->o->pcap_out) < 0)
        return rs_fail(m->err, RS_ENOMEM, "no memory for the name of the arm log");
    int rc = pcapout_open(&m->pcap, m->o->pcap_out, m->err);
    if (rc == 0)
        rc = output_open(&m->arm_log, name, false, m->err);
    free(name);
    return rc;
}

/* Opening them empties them: they must not be what is to be read, nor one another. */
static int spare_the_input(const struct measure *m)
{
    const struct measure_options *o = m->o;
    const char *outputs[] = {o->output, o->pcap_out, o->updates, o->metadata};
    for (unsigned i = 0; i < 4; i++) {
        if (output_would_empty(outputs[i], o->input))
            return rs_fail(m->err, RS_EINVAL, "writing to '%.120s' would empty the target list",
                           outputs[i]);
        for (unsigned j = 0; j < i; j++)
            if (output_is_same(outputs[i], outputs[j]))
                return rs_fail(m->err, RS_EINVAL, "'%.120s' is named for two outputs", outputs[i]);
    }
    return 0;
}

int measure_open(struct measure *m)
{
    m->input_watch = -1;
    if (spare_the_input(m) != 0 || check(m) != 0 || writer_check(m->o, m->err) != 0)
        return -RS_EINVAL;
    int rc = m->o->dryrun ? 0 : writer_open(m);
    if (rc == 0)
        rc = open_input(m);
    if (rc == 0)
        rc = blocklist_open(&m->blocklist, m->o->blocklist, m->err);
    if (rc == 0)
        rc = open_reader(m);
    if (rc == 0)
        rc = open_capture_file(m);
    if (rc == 0)
        rc = open_crew(m);
    return rc;
}

void measure_close(struct measure *m)
{
    crew_free(m->crew);
    reader_free(m->reader);
    blocklist_free(m->blocklist);
    input_free(m->input);
    resume_close(&m->resume);
    loop_free(m->loop);
}
