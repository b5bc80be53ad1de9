/* SPDX-License-Identifier: GPL-3.0-or-later
 * The two halves of a worker: opening it, and running it. */
#ifndef RS_RUN_WORKER_INT_H
#define RS_RUN_WORKER_INT_H

#include "craft/craft.h"
#include "net/inject.h"
#include "net/route.h"
#include "run/outage.h"
#include "run/worker.h"

struct worker {
    const struct measure_options *o;
    struct worker_ops ops;
    struct iface iface;
    struct capture *capture;
    struct guard *guard;
    struct inject *inject;
    struct router *router;
    struct craft *craft; /* for ARP and NDP */
    struct engine *engine;
    struct outage outage;
    uint64_t outages; /* router_outages, as far as the engine was told */
    struct capture_stats drops;
    rs_mono drops_at, look_at;
    rs_mono now; /* see tick() */
    rs_wall wall;
    unsigned since_tick;
    bool ticks;
    char agent[256]; /* User-Agent */
};

/* worker_open.c */
void *worker_open(
    void *options, unsigned number, unsigned of, const struct worker_ops *ops, struct rs_err *err);
void worker_close(void *worker);

/* worker.c */
struct engine_ops worker_engine_ops(struct worker *w);

#endif
