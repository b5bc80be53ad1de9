/* SPDX-License-Identifier: GPL-3.0-or-later
 * One worker: an engine, and all that it needs of the network for itself: source ports and their
 * guard, capture, injector, routes. What belongs to a worker is touched by the thread that runs its
 * loop and by no other; what it has to say goes out by worker_ops. */
#ifndef RS_RUN_WORKER_H
#define RS_RUN_WORKER_H

#include "net/capture.h"
#include "net/guard.h"
#include "net/iface.h"
#include "net/loop.h"
#include "run/measure.h"

struct worker_ops { /* called on the worker's thread */
    void *ctx;
    void (*record)(void *ctx, const char *text, size_t n);
    void (*notice)(void *ctx, const char *text);
    void (*trace)(void *ctx, const char *line);
    void (*fail)(void *ctx, const char *text);   /* it cannot go on */
    void (*packet)(void *ctx, const char *line); /* of a dry run; may be NULL */
    /* As in struct engine_ops: NULL, not wanted. */
    void (*arm_log)(void *ctx, const char *text, size_t n);
    void (*tap)(void *ctx, const uint8_t *ip, size_t n, rs_wall at, enum engine_way way);
};

struct worker_counts {
    struct engine_counters engine;
    struct capture_stats capture;
    uint64_t sendto_retries;
    uint64_t table_bytes;
    uint64_t ports, ports_taken;
    uint64_t in_flight;
    uint64_t unplaced; /* jobs that there was no memory for */
};

/* What a crew drives: the network's worker, or another in a simulation. `number` of `of` workers,
 * from 0. */
struct worker_kind {
    /* NULL on failure, with the text in `err`. */
    void *(*open)(
        void *ctx, unsigned number, unsigned of, const struct worker_ops *ops, struct rs_err *err);
    int (*watch)(void *worker, struct loop *loop, struct rs_err *err);
    struct engine *(*engine)(void *worker);
    /* One turn; returns when the next is due. */
    rs_mono (*turn)(void *worker, rs_mono now);
    void (*counts)(void *worker, struct worker_counts *out);
    void (*close)(void *worker);
};

/* `ctx` is a const struct measure_options. */
extern const struct worker_kind worker_of_network;

struct worker;
const struct iface *worker_iface(const struct worker *w);
enum guard_method worker_guard_method(const struct worker *w);

/* The same for every worker of a run, and for every run on this host until it boots again, so that
 * a server in TIME-WAIT from the run before accepts our sequence numbers (RFC 6528); unknown
 * outside it. */
struct rs_key worker_secret(void);

#endif
