/* SPDX-License-Identifier: GPL-3.0-or-later
 * Making and driving the engine: jobs in, packets in, the turn. */
#include "run/engine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/engine_int.h"

#define REQUEST_BYTES 1400u /* one segment: a request must not straddle two */
#define TIMERS_A_TURN 1024u
#define STARTS_A_TURN 64u /* so that reading the capture is never starved */
#define DORMANCY      (100 * RS_MS)
#define WAKE_RETRY    (100 * RS_MS)

/* What the arm's rules make of a SYN decides what the machine negotiates (RFC 3168 6.1.1). */
static bool is_ecn_setup(const struct arm *a)
{
    struct wire_segment syn = {
        .cls = SEG_SYN, .ordinal = 1, .tries = 1, .state = TCP_SYN_SENT, .flags = TCP_SYN};
    rules_apply(a->rules, a->n_rules, &syn);
    return (syn.flags & (TCP_AE | TCP_CWR | TCP_ECE)) == (TCP_CWR | TCP_ECE);
}

static int check(const struct engine_config *config, struct rs_err *err)
{
    const struct plugin *p = config->plugin;
    if (p->size != sizeof(struct plugin))
        return rs_fail(err, RS_EINVAL, "plugin %s was built for another version", p->name);
    if (p->n_arms < 2 || p->n_arms > COND_ARMS)
        return rs_fail(err, RS_EINVAL, "plugin %s: 2 to %d arms are needed, it has %zu", p->name,
                       COND_ARMS, p->n_arms);
    if (config->n_ports < p->n_arms)
        return rs_fail(err, RS_EINVAL, "%u source ports are too few: plugin %s has %zu arms",
                       config->n_ports, p->name, p->n_arms);
    for (size_t i = 0; i < p->n_arms; i++)
        if (p->arms[i].exchange != NULL && strcmp(p->arms[i].exchange, config->exchange->name) != 0)
            return rs_fail(err, RS_EINVAL,
                           "plugin %s: arm %s wants mode %s, the others %s: one mode for all arms "
                           "is supported",
                           p->name, p->arms[i].name, p->arms[i].exchange, config->exchange->name);
    return 0;
}

int engine_new(struct engine **out,
               const struct engine_config *config,
               const struct engine_ops *ops,
               rs_mono now,
               struct rs_err *err)
{
    int rc = check(config, err);
    if (rc != 0)
        return rc;
    struct engine *e = calloc(1, sizeof *e);
    if (e == NULL)
        return rs_fail(err, RS_ENOMEM, "no memory for the engine");
    e->config = *config;
    e->ops = *ops;
    const struct plugin *p = config->plugin;
    for (size_t i = 0; i < p->n_arms; i++) {
        e->arm_names[i] = p->arms[i].name;
        e->ecn_arm[i] = is_ecn_setup(&p->arms[i]);
    }
    size_t conns = (size_t)config->targets_most * p->n_arms;
    unsigned arms = (unsigned)p->n_arms, round = arms > 3 * (arms - 1) ? arms : 3 * (arms - 1);
    if (e->config.dormancy_ns == 0)
        e->config.dormancy_ns = DORMANCY;
    flow_init(&e->flow_model, &(struct wire_tuple){.pad = 0}, p->chains);
    e->flow_bytes = flow_bytes(p->chains | CHAINS_JUDGED);
    e->plan_most = round + RERUNS_OF_TARGET;
    slab_init(&e->targets, sizeof(struct target) + e->plan_most * sizeof(struct plan_step),
              config->targets_most);
    slab_init(&e->conns, sizeof(struct conn), conns);
    slab_init(&e->helds, offsetof(struct held, a) + attempt_bytes(config->plugin->chains),
              (size_t)config->targets_most * COND_ATTEMPTS);
    slab_init(&e->reasm, TCP_REASM_BLOCK, conns < 16384 ? conns : 16384);
    e->addr_buckets = 1024;
    while (e->addr_buckets < config->targets_most)
        e->addr_buckets *= 2;
    e->addr_bucket = calloc(e->addr_buckets, sizeof *e->addr_bucket);
    list_init(&e->begun);
    list_init(&e->ready);
    list_init(&e->dirty);
    list_init(&e->ended);
    record_init(&e->record);
    rs_rand_seed(&e->rand, config->seed);
    e->port_cursor = (unsigned)rs_rand_below(&e->rand, config->n_ports);
    e->ip_id = (uint16_t)rs_rand_next(&e->rand);
    for (unsigned i = 0; i < config->n_ports; i++)
        e->our_ports[config->ports[i] / 8] |= (uint8_t)(1u << (config->ports[i] % 8));
    wheel_init(&e->wheel, now);
    pace_init(e, now);
    e->craft = craft_new(err);
    if (e->craft == NULL)
        rc = -RS_ESYS;
    else if (e->addr_bucket == NULL || dormant_init(e, conns) != 0 || pace_prefix_init(e) != 0 ||
             flow_table_init(&e->flows, conns, config->secret) != 0)
        rc = rs_fail(err, RS_ENOMEM, "no memory for tables of %u targets", config->targets_most);
    else
        rc = cond_table_new(&e->table, p->conditions, p->n_conditions, e->arm_names,
                            (unsigned)p->n_arms, err);
    if (rc != 0) {
        engine_free(e);
        return rc;
    }
    *out = e;
    return 0;
}

void engine_free(struct engine *e)
{
    if (e == NULL)
        return;
    craft_free(e->craft);
    cond_table_free(e->table);
    flow_table_free(&e->flows);
    free(e->addr_bucket);
    pace_prefix_free(e);
    record_free(&e->record);
    slab_free(&e->targets);
    slab_free(&e->conns);
    slab_free(&e->helds);
    slab_free(&e->reasm);
    dormant_free(e);
    free(e);
}

bool engine_has_room(const struct engine *e)
{
    return e->in_flight < e->config.targets_most;
}

static int write_request(
    const struct engine *e, const struct target *t, const char *domain, uint8_t *out, size_t *n)
{
    char literal[WIRE_ADDR_TEXT], bracketed[WIRE_ADDR_TEXT + 2] = "";
    if (domain == NULL) { /* only then it is asked for */
        wire_addr_format(&t->dip, literal);
        snprintf(bracketed, sizeof bracketed, t->dip.family == 6 ? "[%s]" : "%s", literal);
    }
    struct exchange_target to = {.domain = domain,
                                 .address = bracketed,
                                 .port = t->dport,
                                 .user_agent = e->config.user_agent};
    *n = 0;
    return e->config.exchange->request(&to, out, REQUEST_BYTES, n);
}

/* Text and domain of a job, in the target's own memory. The request is only tried: most targets of
 * a long list never get as far as needing it. */
static int fill(struct engine *e, struct target *t, const struct job *job)
{
    uint8_t request[REQUEST_BYTES];
    size_t n, domain_bytes = job->domain == NULL ? 0 : strlen(job->domain) + 1;
    t->dport = job->dp != 0 ? job->dp : e->config.exchange->default_port;
    int rc = write_request(e, t, job->domain, request, &n);
    if (rc != 0)
        return rc;
    t->text = malloc(job->raw_bytes + domain_bytes + 1);
    if (t->text == NULL)
        return -RS_ENOMEM;
    memcpy(t->text, job->raw, job->raw_bytes);
    if (domain_bytes > 0)
        memcpy(t->text + job->raw_bytes, job->domain, domain_bytes);
    t->has_domain = domain_bytes > 0;
    t->raw_bytes = (uint32_t)job->raw_bytes;
    t->request_bytes = (uint16_t)n;
    return 0;
}

const uint8_t *target_request(struct engine *e, struct target *t)
{
    uint8_t request[REQUEST_BYTES];
    size_t n;
    if (t->request != NULL ||
        write_request(e, t, t->has_domain ? t->text + t->raw_bytes : NULL, request, &n) != 0 ||
        (t->request = malloc(n + 1)) == NULL)
        return t->request;
    memcpy(t->request, request, n);
    e->request_bytes += n;
    return t->request;
}

static struct target *make_target(struct engine *e, const struct job *job)
{
    struct target *t = slab_get(&e->targets);
    if (t == NULL)
        return NULL;
    list_init(&t->link);
    list_init(&t->waiters);
    wheel_timer_init(&t->timer.wheel);
    t->timer.owner = TIMER_TARGET;
    t->line = job->line;
    t->dip = job->dip;
    t->flow_label = job->dip.family == 6 ? flow_label_for(e, &job->dip) : 0;
    t->traced = e->config.trace.family != 0 && wire_addr_equal(&e->config.trace, &job->dip);
    e->in_flight++;
    return t;
}

int engine_add(struct engine *e, const struct job *job)
{
    if (!engine_has_room(e))
        return -RS_EAGAIN;
    struct target *t = make_target(e, job);
    if (t == NULL)
        return -RS_ENOMEM;
    int rc = fill(e, t, job);
    if (rc != 0) {
        target_free(e, t);
        if (rc == -RS_ENOMEM)
            return rc;
        engine_refuse(e, job, "measure.invalid_input", "the domain does not fit into a request");
        return 0;
    }
    target_ready(e, t);
    return 0;
}

void engine_refuse(struct engine *e,
                   const struct job *job,
                   const char *condition,
                   const char *problem)
{
    report_refused(e, job, condition, problem);
}

void engine_turn_away(struct engine *e, const struct job *job, const char *why)
{
    struct target t = {.line = job->line, .dip = job->dip};
    if (fill(e, &t, job) == 0) {
        target_problem(&t, why);
        t.to = e->ops.wall(e->ops.ctx);
        report_target(e, &t);
    } else {
        engine_refuse(e, job, "measure.incomplete", why);
    }
    e->counters.turned_away++;
    free(t.text);
    free(t.request);
    free(t.problem);
}

int engine_dryrun(struct engine *e, const struct job *job, rs_mono now, struct rs_err *err)
{
    struct hop hop;
    int rc = e->ops.route(e->ops.ctx, &job->dip, now, &hop, err);
    if (rc != 0)
        return rc;
    struct target t = {.dip = job->dip, .sip = hop.src, .flow_label = flow_label_for(e, &job->dip)};
    for (unsigned arm = 0; arm < e->config.plugin->n_arms; arm++) {
        struct wire_tuple tuple = {.src = hop.src,
                                   .dst = job->dip,
                                   .proto = IP_PROTO_TCP,
                                   .sport = e->config.ports[e->port_cursor++ % e->config.n_ports],
                                   .dport =
                                       job->dp != 0 ? job->dp : e->config.exchange->default_port};
        struct tcp_config config = conn_tcp_config(e, &tuple, arm, now);
        struct tcp m;
        uint8_t packet[2048];
        size_t n;
        tcp_init(&m, &config);
        tcp_out_clear(&e->out);
        tcp_open(&m, now);
        tcp_output(&m, now, &e->out);
        for (unsigned i = 0; i < e->out.n_segments && rc == 0; i++) {
            conn_prepare_segment(e, &t, arm, e->ip_id++, &e->out.segment[i]);
            rc = craft_packet(e->craft, &tuple, &e->out.segment[i], packet, sizeof packet, &n, err);
            if (rc == 0)
                rc = e->ops.send(e->ops.ctx, packet, n, hop.mac);
        }
        tcp_release(&m);
    }
    return rc;
}

void engine_close(struct engine *e, const char *why)
{
    e->closed = why;
}

void engine_drain(struct engine *e)
{
    engine_close(e, "the run was stopped");
    e->draining = true;
}

/* What has not begun when the run is to end. */
static void turn_away(struct engine *e)
{
    for (struct list *at = e->begun.next, *next; at != &e->begun; at = next) {
        next = at->next;
        if (LIST_ENTRY(at, struct target, link)->from.ns == 0) {
            list_remove(at);
            list_append(&e->ready, at);
        }
    }
    while (!list_empty(&e->ready)) {
        struct target *t = LIST_ENTRY(e->ready.next, struct target, link);
        list_remove(&t->link);
        target_problem(t, e->closed);
        target_finish(e, t);
        e->counters.turned_away++;
    }
}

/* Those that wait for a neighbour's address or for their network's share are in no list: their turn
 * would come, but that may be hours from now. */
static void call_the_waiting(struct engine *e)
{
    for (size_t i = 0; i < e->addr_buckets; i++)
        for (struct target *t = e->addr_bucket[i]; t != NULL; t = t->addr_next)
            if (t->from.ns == 0 && t->running == 0 && list_empty(&t->link)) {
                wheel_arm(&e->wheel, &t->timer.wheel, RS_NEVER);
                list_append(&e->ready, &t->link);
            }
}

static void start_ready(struct engine *e, rs_mono now)
{
    unsigned starts = 0;
    if (e->closed != NULL && !e->called) {
        e->called = true;
        call_the_waiting(e);
    }
    if (e->closed != NULL)
        turn_away(e);
    while (starts++ < STARTS_A_TURN && pace_allows(e, now)) {
        struct list *from = list_empty(&e->begun) ? &e->ready : &e->begun;
        if (list_empty(from))
            return;
        struct target *t = LIST_ENTRY(from->next, struct target, link);
        list_remove(&t->link);
        target_launch(e, t, now);
    }
}

/* So many a turn: each may wake a connection, and what ended is settled only at the end of a turn.
 * True: there may be more. */
static bool run_timers(struct engine *e, rs_mono now)
{
    struct wheel_timer *w = NULL;
    for (unsigned n = 0; n < TIMERS_A_TURN && (w = wheel_pop(&e->wheel, now)) != NULL; n++) {
        struct timer *timer = LIST_ENTRY(w, struct timer, wheel);
        struct conn *c = timer->owner == TIMER_TARGET ? NULL : conn_of(e, timer);
        if (c != NULL)
            conn_expire(e, c, now);
        else if (timer->owner == TIMER_TARGET)
            target_ready(e, LIST_ENTRY(timer, struct target, timer));
        else /* no memory: later there may be */
            wheel_arm(&e->wheel, &timer->wheel, rs_mono_add(now, WAKE_RETRY));
    }
    return w != NULL;
}

static void settle(struct engine *e, rs_mono now)
{
    /* Only what ended before the flush: its last packets have reached the flow records. */
    while (!list_empty(&e->ended)) {
        struct conn *c = LIST_ENTRY(e->ended.next, struct conn, link);
        list_remove(&c->link);
        conn_settle(e, c, now);
    }
}

static void answer(struct engine *e, rs_mono now)
{
    while (!list_empty(&e->dirty)) {
        tcp_out_clear(&e->out);
        conn_emit(e, LIST_ENTRY(e->dirty.next, struct conn, link), now);
    }
}

rs_mono engine_turn(struct engine *e, rs_mono now)
{
    e->turn_at = now;
    pace_refill(e, now);
    answer(e, now);
    bool more = run_timers(e, now);
    start_ready(e, now);
    if (e->ops.flush(e->ops.ctx) == 0) { /* else packets wait that would wake who sent them */
        settle(e, now);
        dormant_turn(e, now);
    }
    if (e->in_flight == 0)
        return RS_NEVER;
    if (more)
        return now;
    rs_mono next =
        e->wheel.armed > 0 || !list_empty(&e->ended) ? rs_mono_add(now, WHEEL_TICK) : RS_NEVER;
    bool waits = !list_empty(&e->ready) || !list_empty(&e->begun);
    return waits ? rs_mono_min(next, pace_next(e, now)) : next;
}

bool engine_idle(const struct engine *e)
{
    return e->in_flight == 0;
}

unsigned engine_in_flight(const struct engine *e)
{
    return e->in_flight;
}

bool engine_untidy(const struct engine *e)
{
    return e->untidy;
}

void engine_outage(struct engine *e)
{
    e->outages++; /* connections, which may be many and asleep, compare it when they are over */
}

/* The first target at or behind bucket *at, which moves on: finishing one may put a waiter in its
 * bucket, never before. */
static struct target *any_target(struct engine *e, size_t *at)
{
    while (*at < e->addr_buckets && e->addr_bucket[*at] == NULL)
        ++*at;
    return *at < e->addr_buckets ? e->addr_bucket[*at] : NULL;
}

static void stop_bucket(struct engine *e, size_t i, rs_mono now)
{
    for (struct flow *f = e->flows.bucket[i], *next; f != NULL; f = next) {
        struct conn *c = conn_of(e, f->owner);
        if (c == NULL) {
            next = f->table_next;
            dormant_abandon(e, f->owner);
            continue;
        }
        c->target->stopping = true;
        conn_stop(e, c, OUTCOME_STOPPED, "the run was stopped", now);
        next = c->held->a.flow.table_next; /* sending may have woken a neighbour in the list */
    }
}

void engine_stop(struct engine *e, rs_mono now)
{
    for (size_t i = 0; i < e->flows.buckets; i++) {
        stop_bucket(e, i, now);
        if (i % 256 == 255) { /* what was woken for it goes back before more is */
            e->ops.flush(e->ops.ctx);
            settle(e, now);
        }
    }
    e->ops.flush(e->ops.ctx);
    settle(e, now);
    struct target *t; /* what is left waits for its turn, its address, a neighbour or a round */
    size_t bucket = 0;
    while ((t = any_target(e, &bucket)) != NULL) {
        target_problem(t, "the run was stopped");
        t->stopping = true;
        target_finish(e, t);
    }
}

const struct engine_counters *engine_counters(const struct engine *e)
{
    return &e->counters;
}

static size_t slab_bytes(const struct slab *s)
{
    return s->made * s->block_bytes;
}

size_t engine_table_bytes(const struct engine *e)
{
    size_t n = slab_bytes(&e->targets) + slab_bytes(&e->conns) + slab_bytes(&e->helds) +
               slab_bytes(&e->reasm) + e->addr_buckets * sizeof *e->addr_bucket +
               e->flows.buckets * sizeof *e->flows.bucket + e->request_bytes;
    for (unsigned i = 0; i < e->dormant_classes; i++)
        n += slab_bytes(&e->dormants[i]);
    return n;
}
