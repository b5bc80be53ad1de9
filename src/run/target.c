/* SPDX-License-Identifier: GPL-3.0-or-later
 * One target from its first SYN to its record: the first round with all arms at once, reruns of
 * spoilt attempts, rounds of confirmation one arm after the other, and the verdict. */
#include <stdlib.h>
#include <string.h>

#include "run/engine_int.h"

static size_t addr_slot(const struct engine *e, const struct wire_addr *a)
{
    return (size_t)rs_siphash(&e->config.secret, a, sizeof *a) & (e->addr_buckets - 1);
}

struct target *target_find(const struct engine *e, const struct wire_addr *a)
{
    for (struct target *t = e->addr_bucket[addr_slot(e, a)]; t != NULL; t = t->addr_next)
        if (wire_addr_equal(&t->dip, a))
            return t;
    return NULL;
}

static void hold_addr(struct engine *e, struct target *t)
{
    struct target **slot = &e->addr_bucket[addr_slot(e, &t->dip)];
    t->addr_next = *slot;
    *slot = t;
    t->addr_held = true;
}

/* The address is free: the next target that waits for it goes on, and the others wait for that one.
 */
static void release_addr(struct engine *e, struct target *t)
{
    struct target **at = &e->addr_bucket[addr_slot(e, &t->dip)];
    while (*at != t)
        at = &(*at)->addr_next;
    *at = t->addr_next;
    t->addr_held = false;
    if (list_empty(&t->waiters))
        return;
    struct target *next = LIST_ENTRY(t->waiters.next, struct target, link);
    list_remove(&next->link);
    while (!list_empty(&t->waiters)) {
        struct list *w = t->waiters.next;
        list_remove(w);
        list_append(&next->waiters, w);
    }
    target_ready(e, next);
}

/* The first time, the target takes its address, or waits until it is free: at most one target, so
 * at most the plugin's parallel arms, towards one address at once (law 8). */
void target_ready(struct engine *e, struct target *t)
{
    if (!t->addr_held) {
        struct target *other = target_find(e, &t->dip);
        if (other != NULL) {
            list_append(&other->waiters, &t->link);
            return;
        }
        hold_addr(e, t);
    }
    /* What waited for its network's share has its moment now: behind all others it would leave
     * together with those that come after it. */
    bool first = t->from.ns != 0 || (t->admitted && !e->draining);
    list_append(first ? &e->begun : &e->ready, &t->link);
}

static void wait_until(struct engine *e, struct target *t, rs_mono at)
{
    wheel_arm(&e->wheel, &t->timer.wheel, at);
}

void target_problem(struct target *t, const char *text)
{
    size_t n = strlen(text) + 1;
    if (t->problem == NULL && (t->problem = malloc(n)) != NULL)
        memcpy(t->problem, text, n);
}

static void plan_first_round(struct engine *e, struct target *t)
{
    const struct plugin *p = e->config.plugin;
    unsigned n = 0;
    for (unsigned i = 0; i < p->n_arms; i++)
        if (p->arms[i].after == NULL)
            t->plan[n++] =
                (struct plan_step){.arm = (uint8_t)i, .port = e->config.same_flow ? 0 : (uint8_t)i};
    if (e->config.order == ORDER_RANDOM)
        for (unsigned i = n; i > 1; i--) {
            unsigned j = (unsigned)rs_rand_below(&e->rand, i);
            struct plan_step swap = t->plan[i - 1];
            t->plan[i - 1] = t->plan[j];
            t->plan[j] = swap;
        }
    if (e->config.order == ORDER_BA)
        for (unsigned i = 0; i < n / 2; i++) {
            struct plan_step swap = t->plan[i];
            t->plan[i] = t->plan[n - 1 - i];
            t->plan[n - 1 - i] = swap;
        }
    for (unsigned i = 0; i < p->n_arms; i++)
        if (p->arms[i].after != NULL)
            t->plan[n++] = (struct plan_step){.arm = (uint8_t)i, .port = (uint8_t)i};
    t->plan_n = (uint8_t)n;
    t->plan_at = 0;
    t->parallel = !e->config.same_flow;
}

/* A, X, A one after the other for each arm X that disagrees; in odd rounds with A's and X's ports
 * exchanged. */
static void plan_confirmation(struct engine *e, struct target *t, uint32_t arms)
{
    bool exchanged = t->round % 2 == 1 && !e->config.same_flow;
    unsigned n = 0;
    for (uint8_t x = 1; x < e->config.plugin->n_arms; x++) {
        if (!(arms & (1u << x)))
            continue;
        uint8_t a_port = exchanged ? x : 0, x_port = exchanged || e->config.same_flow ? 0 : x;
        t->plan[n++] = (struct plan_step){.arm = 0, .port = a_port};
        t->plan[n++] = (struct plan_step){.arm = x, .port = x_port};
        t->plan[n++] = (struct plan_step){.arm = 0, .port = a_port};
    }
    t->plan_n = (uint8_t)n;
    t->plan_at = 0;
    t->parallel = false;
}

static void take_ports(struct engine *e, struct target *t)
{
    for (unsigned i = 0; i < e->config.plugin->n_arms; i++)
        t->ports[i] = e->config.ports[e->port_cursor++ % e->config.n_ports];
}

static bool route(struct engine *e, struct target *t, rs_mono now)
{
    struct rs_err err = {""};
    struct hop hop = {.src = {0}};
    int rc = e->ops.route(e->ops.ctx, &t->dip, now, &hop, &err);
    if (rc == -RS_EAGAIN) {
        if (t->running == 0 && t->first == NULL) /* nothing was sent: it has not begun */
            t->from = (rs_wall){0};
        wait_until(e, t, rs_mono_add(now, NEIGHBOUR_RETRY));
        return false;
    }
    t->sip = hop.src;
    memcpy(t->mac, hop.mac, sizeof t->mac);
    if (rc != 0) {
        target_problem(t, err.text);
        trace_note(e, t, NULL, "not sent: %s", err.text);
        while (t->plan_at < t->plan_n)
            conn_never(e, t, &t->plan[t->plan_at++], err.text);
        target_finish(e, t);
        return false;
    }
    return true;
}

static void launch_step(struct engine *e, struct target *t, unsigned order, rs_mono now)
{
    struct plan_step step = t->plan[t->plan_at++];
    if (conn_start(e, t, &step, order, now) != 0)
        target_problem(t, "no memory for another connection");
}

/* How many arms leave at the next launch. */
static unsigned arms_next(const struct engine *e, const struct target *t)
{
    const struct plugin *p = e->config.plugin;
    unsigned n = 0;
    if (t->from.ns != 0 || e->config.same_flow)
        return 1;
    for (size_t i = 0; i < p->n_arms; i++)
        n += p->arms[i].after == NULL;
    return n;
}

/* Whether its network's share (--prefix-rate) lets it go now; if not, it comes back when it does.
 */
static bool admitted(struct engine *e, struct target *t, rs_mono now)
{
    if (t->admitted)
        return true;
    t->admitted = true;
    rs_mono at = pace_prefix_slot(e, &t->dip, arms_next(e, t), now);
    if (rs_mono_reached(at, now))
        return true;
    wait_until(e, t, at);
    return false;
}

bool target_launch(struct engine *e, struct target *t, rs_mono now)
{
    if (!admitted(e, t, now))
        return false;
    bool begins = t->from.ns == 0;
    if (begins) {
        t->from = e->ops.wall(e->ops.ctx);
        take_ports(e, t);
        plan_first_round(e, t);
    }
    if (!route(e, t, now))
        return false;
    e->counters.targets_started += begins;
    t->admitted = false;
    unsigned order = 0;
    do {
        launch_step(e, t, order++, now);
    } while (t->parallel && t->plan_at < t->plan_n &&
             e->config.plugin->arms[t->plan[t->plan_at].arm].after == NULL);
    t->parallel = false;
    if (t->running == 0)
        target_finish(e, t);
    return true;
}

void target_evidence(const struct engine *e, const struct target *t, struct evidence *out)
{
    memset(out, 0, sizeof *out);
    for (const struct held *h = t->first; h != NULL && out->n < COND_ATTEMPTS; h = h->next)
        out->attempt[out->n++] = &h->a;
    out->n_arms = (unsigned)e->config.plugin->n_arms;
    out->confirm_wanted = e->config.confirm > 0;
    out->rounds_done = t->round;
}

/* A spoilt attempt (not captured, not sent) is made again, alone and later; in time order it stands
 * where it was made. */
static bool plan_rerun(const struct engine *e, struct target *t, const struct arm_log *log)
{
    bool spoilt = log->outcome == OUTCOME_NOT_CAPTURED || log->outcome == OUTCOME_NOT_SENT;
    if (!spoilt || t->reruns >= RERUNS_OF_TARGET || log->rerun >= RERUNS_MOST ||
        t->plan_n == e->plan_most)
        return false;
    t->plan[t->plan_n++] =
        (struct plan_step){.arm = log->arm, .port = log->port, .rerun = (uint8_t)(log->rerun + 1)};
    t->reruns++;
    return true;
}

static bool plan_next_round(struct engine *e, struct target *t, rs_mono now)
{
    struct evidence evidence;
    uint32_t arms;
    if (t->round >= e->config.confirm || e->draining)
        return false;
    target_evidence(e, t, &evidence);
    if (!cond_wants_confirmation(e->table, &evidence, &arms))
        return false;
    t->round++;
    e->counters.confirmations++;
    plan_confirmation(e, t, arms);
    trace_note(e, t, NULL, "confirmation round %u: arms one after the other", t->round);
    wait_until(e, t, rs_mono_add(now, e->config.confirm_delay_ns));
    return true;
}

void target_attempt_over(struct engine *e, struct target *t, const struct arm_log *log, rs_mono now)
{
    if (t->stopping) { /* the run is being stopped: nothing new begins */
        if (t->running == 0)
            target_finish(e, t);
        return;
    }
    bool rerun = plan_rerun(e, t, log);
    if (t->running > 0)
        return;
    if (t->plan_at < t->plan_n)
        wait_until(e, t, rs_mono_add(now, rerun ? RERUN_DELAY : e->config.gap_ns));
    else if (!plan_next_round(e, t, now))
        target_finish(e, t);
}

void target_finish(struct engine *e, struct target *t)
{
    t->to = e->ops.wall(e->ops.ctx);
    report_target(e, t);
    e->counters.targets_done++;
    target_free(e, t);
}

void target_free(struct engine *e, struct target *t)
{
    list_remove(&t->link);
    wheel_arm(&e->wheel, &t->timer.wheel, RS_NEVER);
    if (t->addr_held)
        release_addr(e, t);
    while (t->first != NULL) {
        struct held *next = t->first->next;
        slab_put(&e->helds, t->first);
        t->first = next;
    }
    free(t->text);
    e->request_bytes -= t->request != NULL ? t->request_bytes : 0;
    free(t->request);
    free(t->problem);
    slab_put(&e->targets, t);
    e->in_flight--;
}
