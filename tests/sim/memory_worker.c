/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/memory_worker.h"

#include <stdlib.h>
#include <string.h>

#include "net/clock.h"

#define PORTS 1000u

struct memory_worker {
    struct servers servers;
    uint16_t ports[PORTS];
};

static void *open_worker(
    void *ctx, unsigned number, unsigned of, const struct worker_ops *ops, struct rs_err *err)
{
    const struct memory_options *o = ctx;
    struct memory_worker *w = malloc(sizeof *w);
    struct engine_ops engine_ops;
    if (w == NULL)
        abort();
    servers_init(&w->servers, &engine_ops, clock_mono());
    w->servers.delay_ns = o->delay_ns;
    w->servers.silence = o->silence;
    w->servers.on_record = ops->record;
    w->servers.ctx = ops->ctx;
    for (unsigned i = 0; i < PORTS; i++)
        w->ports[i] = (uint16_t)(61000 + number * PORTS + i);
    struct engine_config config = {.plugin = plugin_find("ecn"),
                                   .exchange = exchange_find("http"),
                                   .ports = w->ports,
                                   .n_ports = PORTS,
                                   .targets_most = o->in_flight / of,
                                   .rate = 10000000,
                                   .timeout_ns = 10 * RS_SEC,
                                   .confirm = 2,
                                   .confirm_delay_ns = 3 * RS_SEC,
                                   .seed = number,
                                   .secret = {1, 2},
                                   .user_agent = "rawspider/memory"};
    if (engine_new(&w->servers.engine, &config, &engine_ops, clock_mono(), err) != 0) {
        free(w);
        return NULL;
    }
    return w;
}

static int watch(void *worker, struct loop *loop, struct rs_err *err)
{
    (void)worker, (void)loop, (void)err;
    return 0;
}

static struct engine *engine(void *worker)
{
    struct memory_worker *w = worker;
    return w->servers.engine;
}

static rs_mono turn(void *worker, rs_mono now)
{
    struct memory_worker *w = worker;
    return servers_turn(&w->servers, now);
}

static void counts(void *worker, struct worker_counts *out)
{
    struct memory_worker *w = worker;
    memset(out, 0, sizeof *out);
    out->engine = *engine_counters(w->servers.engine);
    out->in_flight = engine_in_flight(w->servers.engine);
    out->capture.kernel_dropped = w->servers.lost;
}

static void close_worker(void *worker)
{
    struct memory_worker *w = worker;
    engine_free(w->servers.engine);
    free(w);
}

const struct worker_kind worker_of_memory = {.open = open_worker,
                                             .watch = watch,
                                             .engine = engine,
                                             .turn = turn,
                                             .counts = counts,
                                             .close = close_worker};
