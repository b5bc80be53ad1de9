/* SPDX-License-Identifier: GPL-3.0-or-later
 * The caller's side. */
#include "run/crew.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/clock.h"
#include "run/crew_int.h"

#define AHEAD   256u /* jobs that may wait for room at one worker while others still have some */
#define MOST    64u
#define TOLD_NS (2 * RS_SEC)

unsigned crew_worker_of(const struct rs_key *secret,
                        const struct wire_addr *dip,
                        bool by_network,
                        unsigned workers)
{
    struct wire_addr a = by_network ? wire_addr_network(dip) : *dip;
    return workers == 1 ? 0 : (unsigned)(rs_siphash(secret, &a, sizeof a) % workers);
}

static int open_hand(struct crew *c, unsigned i, struct rs_err *err)
{
    struct hand *h = &c->hands[i];
    struct worker_ops ops = c->config.ops;
    h->crew = c;
    if (c->n > 1) {
        int rc = mailbox_init(&h->to, err);
        if (rc == 0)
            rc = mailbox_init(&h->from, err);
        if (rc != 0)
            return rc;
        ops = crew_thread_ops(h);
    }
    h->worker = c->config.kind->open(c->config.kind_ctx, i, c->n, &ops, err);
    return h->worker == NULL ? -RS_ESYS : 0;
}

int crew_open(struct crew **out, const struct crew_config *config, struct rs_err *err)
{
    *out = NULL;
    if (config->threads == 0 || config->threads > MOST || config->in_flight < config->threads)
        return rs_fail(err, RS_EINVAL,
                       "%u threads: expected 1 to %u, and no more than targets in flight (-w)",
                       config->threads, MOST);
    struct crew *c = calloc(1, sizeof *c);
    if (c == NULL)
        return rs_fail(err, RS_ENOMEM, "no memory for the workers");
    c->config = *config;
    c->n = config->threads;
    c->hands = calloc(c->n, sizeof *c->hands);
    int rc = c->hands == NULL ? rs_fail(err, RS_ENOMEM, "no memory for the workers") : 0;
    for (unsigned i = 0; rc == 0 && i < c->n; i++)
        rc = open_hand(c, i, err);
    if (rc != 0) {
        crew_free(c);
        return rc;
    }
    *out = c;
    return 0;
}

/* Several workers see the same interface go down: once is enough. */
static void tell(struct crew *c, const char *text)
{
    rs_mono now = clock_mono();
    bool again =
        strncmp(c->told, text, sizeof c->told - 1) == 0 && rs_mono_diff(now, c->told_at) < TOLD_NS;
    snprintf(c->told, sizeof c->told, "%s", text);
    c->told_at = now;
    if (!again)
        c->config.ops.notice(c->config.ops.ctx, text);
}

static void open_letter(struct hand *h, const struct letter *l)
{
    const struct worker_ops *ops = &h->crew->config.ops;
    switch ((enum letter_kind)l->kind) {
    case LETTER_RECORD:
        h->recorded++;
        ops->record(ops->ctx, l->bytes, l->n);
        break;
    case LETTER_NOTICE:
        tell(h->crew, l->bytes);
        break;
    case LETTER_TRACE:
        ops->trace(ops->ctx, l->bytes);
        break;
    case LETTER_FAIL:
        ops->fail(ops->ctx, l->bytes);
        break;
    case LETTER_COUNTS:
        memcpy(&h->counts, l->bytes, sizeof h->counts);
        break;
    case LETTER_OVER:
        h->over = true;
        break;
    case LETTER_JOB:
        break;
    }
}

static void on_mail(void *ctx)
{
    struct hand *h = ctx;
    struct letter l;
    mailbox_take(&h->from);
    while (mailbox_next(&h->from, &l))
        open_letter(h, &l);
}

/* Signals are for the caller's loop alone. */
static int start_thread(struct hand *h, struct rs_err *err)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&h->thread, NULL, crew_thread, h);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0)
        return rs_fail_errno(err, error, "cannot start a thread");
    h->runs = true;
    return 0;
}

int crew_start(struct crew *c, struct loop *loop, struct rs_err *err)
{
    c->busy_until = clock_mono();
    if (c->n == 1)
        return c->config.kind->watch(c->hands[0].worker, loop, err);
    int rc = 0;
    for (unsigned i = 0; rc == 0 && i < c->n; i++) {
        struct hand *h = &c->hands[i];
        if (loop_watch(loop, h->from.fd, on_mail, h) < 0)
            rc = rs_fail(err, RS_ESYS, "the event loop cannot watch what it must");
        h->loop = rc == 0 ? loop_new(err) : NULL;
        if (rc == 0 && h->loop == NULL)
            rc = -RS_ESYS;
        if (rc == 0)
            rc = c->config.kind->watch(h->worker, h->loop, err);
        if (rc == 0)
            rc = start_thread(h, err);
    }
    return rc;
}

static void order(struct hand *h, unsigned bits)
{
    __atomic_or_fetch(&h->orders, bits, __ATOMIC_RELEASE);
    mailbox_wake(&h->to);
}

static void order_all(struct crew *c, unsigned bits)
{
    for (unsigned i = 0; i < c->n; i++)
        if (c->hands[i].runs)
            order(&c->hands[i], bits);
}

void crew_free(struct crew *c)
{
    if (c == NULL)
        return;
    order_all(c, ORDER_STOP | ORDER_QUIT);
    for (unsigned i = 0; c->hands != NULL && i < c->n; i++) {
        struct hand *h = &c->hands[i];
        if (h->runs)
            pthread_join(h->thread, NULL);
        if (h->worker != NULL)
            c->config.kind->close(h->worker);
        loop_free(h->loop);
        mailbox_free(&h->to);
        mailbox_free(&h->from);
    }
    free(c->hands);
    free(c);
}

static struct engine *own_engine(const struct crew *c)
{
    return c->config.kind->engine(c->hands[0].worker);
}

int crew_dryrun(struct crew *c, const struct job *job, rs_mono now, struct rs_err *err)
{
    return engine_dryrun(own_engine(c), job, now, err);
}

/* What a worker on a thread has been given and has not answered. */
static uint64_t owed(const struct hand *h)
{
    return h->given - h->recorded - h->counts.engine.records_lost;
}

bool crew_has_room(const struct crew *c)
{
    if (c->n == 1)
        return engine_has_room(own_engine(c));
    for (unsigned i = 0; i < c->n; i++)
        if (owed(&c->hands[i]) >= c->config.in_flight / c->n + AHEAD)
            return false;
    return true;
}

int crew_give(struct crew *c, const struct reader_job *job)
{
    if (c->n == 1)
        return crew_take_job(own_engine(c), job);
    struct hand *h =
        &c->hands[crew_worker_of(&c->config.secret, &job->job.dip, c->config.by_network, c->n)];
    int rc = crew_post_job(h, job);
    h->given += rc == 0;
    return rc;
}

rs_mono crew_turn(struct crew *c, rs_mono now)
{
    if (c->n == 1)
        return c->config.kind->turn(c->hands[0].worker, now);
    for (unsigned i = 0; i < c->n; i++)
        mailbox_post(&c->hands[i].to);
    return RS_NEVER; /* mail wakes */
}

bool crew_idle(const struct crew *c)
{
    if (c->n == 1)
        return engine_idle(own_engine(c));
    for (unsigned i = 0; i < c->n; i++)
        if (owed(&c->hands[i]) > 0)
            return false;
    return true;
}

void crew_close(struct crew *c, const char *why)
{
    if (c->n == 1)
        engine_close(own_engine(c), why);
    for (unsigned i = 0; i < c->n; i++)
        c->hands[i].why = why;
    order_all(c, ORDER_CLOSE);
}

void crew_drain(struct crew *c)
{
    if (c->n == 1)
        engine_drain(own_engine(c));
    order_all(c, ORDER_DRAIN);
}

void crew_stop(struct crew *c, rs_mono now)
{
    if (c->n == 1)
        engine_stop(own_engine(c), now);
    order_all(c, ORDER_STOP);
}

void crew_quit(struct crew *c, rs_mono now)
{
    crew_stop(c, now);
    order_all(c, ORDER_QUIT);
    c->quits = true;
}

bool crew_rests(struct crew *c, rs_mono now, bool last)
{
    if (!crew_idle(c) && !c->quits) {
        c->busy_until = now;
        return false;
    }
    if (!last)
        return false;
    if (c->n == 1)
        return c->quits || !engine_untidy(own_engine(c)) ||
               rs_mono_reached(rs_mono_add(c->busy_until, LINGER), now);
    bool rests = true;
    for (unsigned i = 0; i < c->n; i++) {
        struct hand *h = &c->hands[i];
        if (!h->ended)
            order(h, ORDER_END);
        h->ended = true;
        rests = rests && h->over;
    }
    return rests;
}

/* The interface's own counter is the same for all. What no filter can give to one worker
 * (fragments, IPv6 with extension headers) each of them receives and counts. */
static void add(struct worker_counts *sum, const struct worker_counts *one)
{
    uint64_t iface_dropped = sum->capture.iface_dropped > one->capture.iface_dropped
                                 ? sum->capture.iface_dropped
                                 : one->capture.iface_dropped;
    uint64_t *to = (uint64_t *)sum;
    const uint64_t *from = (const uint64_t *)one;
    for (size_t i = 0; i < sizeof *sum / sizeof *to; i++)
        to[i] += from[i];
    sum->capture.iface_dropped = iface_dropped;
}

_Static_assert(sizeof(struct worker_counts) % sizeof(uint64_t) == 0,
               "counts are summed as numbers");

void crew_counts(const struct crew *c, struct worker_counts *out)
{
    memset(out, 0, sizeof *out);
    if (c->n == 1)
        c->config.kind->counts(c->hands[0].worker, out);
    for (unsigned i = 0; c->n > 1 && i < c->n; i++)
        add(out, &c->hands[i].counts);
}

void *crew_first(const struct crew *c)
{
    return c->hands[0].worker;
}
