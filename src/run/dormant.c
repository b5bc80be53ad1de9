/* SPDX-License-Identifier: GPL-3.0-or-later
 * Connections that nothing happens to for a while are put to sleep: what the machine, the log entry
 * and the flow record hold is packed as what differs from another connection of the same arm in the
 * same state, and the two large blocks go back to their pools. A packet, the timer or the end of
 * the run wakes them. Dark targets and long paths are what fills the memory of a fast run: of a
 * million connections in flight nearly all wait for an answer.
 *
 * Nobody keeps a pointer to a connection over a turn: who has an owner of a flow or a timer asks
 * conn_of(). Both begin with a struct timer, which says what it is. */
#include <stdlib.h>
#include <string.h>

#include "base/pack.h"
#include "run/engine_int.h"

#define IDLE_AHEAD     (100 * RS_MS) /* its next timer must be so far away */
#define A_TURN         2048u         /* so that a turn is never long */
#define AWAKE_MOST     16384u        /* more, and those that wait longest sleep at once */
#define CLASS_BYTES    64u           /* not fewer: who outgrows one leaves a hole in it */
#define CONN_PACKED    (sizeof(struct conn) - offsetof(struct conn, tcp))
#define FLOW_HEAD      offsetof(struct flow, chains)
#define PROTOTYPE_KEYS (COND_ARMS * 2u * DORMANT_STATES)

struct dormant { /* behind it: the head of the flow (FLOW_HEAD bytes), then the packed words */
    struct timer timer; /* TIMER_DORMANT; first, as in struct conn */
    struct target *target;
    uint16_t size_class, prototype;
    bool relative; /* its times are packed as what has passed since two of them */
    uint8_t pad[3];
};

_Static_assert(offsetof(struct conn, timer) == 0 && offsetof(struct dormant, timer) == 0,
               "the owner of a flow is known by its timer");
_Static_assert(sizeof(struct dormant) % 8 == 0 && FLOW_HEAD % 8 == 0, "alignment");
_Static_assert(CONN_PACKED % 4 == 0 && offsetof(struct attempt, flow) % 4 == 0, "whole words");

static struct flow *flow_head(struct dormant *d)
{
    return (struct flow *)(void *)(d + 1);
}

static uint32_t *packed_words(struct dormant *d)
{
    return (uint32_t *)(void *)((char *)(d + 1) + FLOW_HEAD);
}

static size_t flow_tail(const struct engine *e)
{
    return e->flow_bytes - FLOW_HEAD;
}

static size_t block_words(const struct engine *e)
{
    return (CONN_PACKED + offsetof(struct attempt, flow) + flow_tail(e)) / 4;
}

/* One place for all that is packed. What the target or the flow's head says again is left out. */
static void gather(const struct engine *e, const struct conn *c, uint32_t *block)
{
    char *at = (char *)block;
    const struct attempt *a = &c->held->a;
    struct arm_log log = a->log;
    log.line = 0;
    log.deadline.ns = 0;
    memset(&log.tuple, 0, sizeof log.tuple);
    memcpy(at, &c->tcp, CONN_PACKED);
    memcpy(at + CONN_PACKED, &log, sizeof log);
    memcpy(at + CONN_PACKED + offsetof(struct attempt, flow), (const char *)&a->flow + FLOW_HEAD,
           flow_tail(e));
}

static void scatter(const struct engine *e, const uint32_t *block, struct conn *c)
{
    const char *at = (const char *)block;
    struct attempt *a = &c->held->a;
    memcpy(&c->tcp, at, CONN_PACKED);
    memcpy(&a->log, at + CONN_PACKED, sizeof a->log);
    memcpy((char *)&a->flow + FLOW_HEAD, at + CONN_PACKED + offsetof(struct attempt, flow),
           flow_tail(e));
    a->log.line = c->target->line;
    a->log.tuple = a->flow.tuple;
    a->log.deadline.ns = a->log.planned.ns + (int64_t)e->config.timeout_ns;
}

#define OF_CONN(m) (offsetof(struct conn, m) - offsetof(struct conn, tcp))
#define OF_LOG(m)  (CONN_PACKED + offsetof(struct arm_log, m))
#define OF_FLOW(m)                                                                                 \
    (CONN_PACKED + offsetof(struct attempt, flow) + offsetof(struct flow, m) - FLOW_HEAD)

/* Where in the block times lie that are mostly as long after the base as in other connections. */
static const struct times {
    size_t base, at[8];
    unsigned n;
    uint64_t none; /* this value means no time */
} times[] = {
    {OF_CONN(tcp.opened_at),
     {OF_CONN(tcp.retransmit_at), OF_CONN(tcp.ack_at), OF_CONN(tcp.timed_at),
      OF_CONN(tcp.refilled_at), OF_CONN(deadline), OF_CONN(close_at)},
     6,
     UINT64_MAX},
    {OF_FLOW(pkt_first), {OF_LOG(planned), OF_LOG(sent), OF_FLOW(syn_at), OF_FLOW(pkt_last)}, 4, 0},
};

static uint64_t get_time(const uint32_t *block, size_t at)
{
    uint64_t v;
    memcpy(&v, (const char *)block + at, sizeof v);
    return v;
}

/* A difference of one is added, so that none of them is the value for no time; if one would be all
 * the same, they stay as they are, and this says so. */
static bool make_relative(uint32_t *block)
{
    for (unsigned g = 0; g < 2; g++)
        for (unsigned i = 0; i < times[g].n; i++) {
            uint64_t v = get_time(block, times[g].at[i]);
            if (v != times[g].none && v - get_time(block, times[g].base) + 1 == times[g].none)
                return false;
        }
    for (unsigned g = 0; g < 2; g++)
        for (unsigned i = 0; i < times[g].n; i++) {
            uint64_t v = get_time(block, times[g].at[i]);
            v = v == times[g].none ? v : v - get_time(block, times[g].base) + 1;
            memcpy((char *)block + times[g].at[i], &v, sizeof v);
        }
    return true;
}

static void make_absolute(uint32_t *block)
{
    for (unsigned g = 0; g < 2; g++)
        for (unsigned i = 0; i < times[g].n; i++) {
            uint64_t v = get_time(block, times[g].at[i]);
            v = v == times[g].none ? v : v + get_time(block, times[g].base) - 1;
            memcpy((char *)block + times[g].at[i], &v, sizeof v);
        }
}

int dormant_init(struct engine *e, size_t conns)
{
    size_t most = sizeof(struct dormant) + FLOW_HEAD + 4 * PACK_MOST(block_words(e));
    e->dormant_classes = (unsigned)(most / CLASS_BYTES + 1);
    e->dormants = calloc(e->dormant_classes, sizeof *e->dormants);
    e->prototypes = calloc(PROTOTYPE_KEYS, sizeof *e->prototypes);
    e->scratch = malloc(4 * (block_words(e) + PACK_MOST(block_words(e))));
    list_init(&e->idle);
    if (e->dormants == NULL || e->prototypes == NULL || e->scratch == NULL)
        return -RS_ENOMEM;
    for (unsigned i = 0; i < e->dormant_classes; i++)
        slab_init(&e->dormants[i], (i + 1) * CLASS_BYTES, conns);
    return 0;
}

void dormant_free(struct engine *e)
{
    for (unsigned i = 0; e->dormants != NULL && i < e->dormant_classes; i++)
        slab_free(&e->dormants[i]);
    for (unsigned i = 0; e->prototypes != NULL && i < PROTOTYPE_KEYS; i++)
        free(e->prototypes[i]);
    free(e->dormants);
    free(e->prototypes);
    free(e->scratch);
}

/* The connection that others of its kind are compared with: the first that went to sleep. Any would
 * do, it only has to be alike. */
static const uint32_t *prototype_for(struct engine *e,
                                     const struct conn *c,
                                     const uint32_t *block,
                                     uint16_t *key)
{
    enum tcp_state s = tcp_state(&c->tcp);
    unsigned state = s == TCP_SYN_SENT ? 0 : s == TCP_ESTABLISHED ? 1 : 2;
    unsigned family = c->held->a.flow.tuple.src.family == 6;
    *key = (uint16_t)((c->held->a.log.arm * 2u + family) * DORMANT_STATES + state);
    uint32_t **p = &e->prototypes[*key];
    if (*p == NULL && (*p = malloc(4 * block_words(e))) != NULL)
        memcpy(*p, block, 4 * block_words(e));
    return *p;
}

/* In time order, which is that of their numbers: one that wakes had its place. */
void held_insert(struct target *t, struct held *h)
{
    struct held **at = &t->first;
    while (*at != NULL && (*at)->a.log.number < h->a.log.number)
        at = &(*at)->next;
    h->next = *at;
    *at = h;
}

static void held_take_out(struct target *t, const struct held *h)
{
    struct held **at = &t->first;
    while (*at != h)
        at = &(*at)->next;
    *at = h->next;
}

/* Out of engine.idle. False when there is no memory for it: it stays awake, and there. */
static bool put_to_sleep(struct engine *e, struct conn *c)
{
    size_t words = block_words(e);
    uint32_t *packed = e->scratch + words;
    conn_spares_request(e, c, false);
    uint16_t key;
    gather(e, c, e->scratch);
    bool relative = make_relative(e->scratch);
    const uint32_t *prototype = prototype_for(e, c, e->scratch, &key);
    if (prototype == NULL)
        return false;
    size_t n = pack_words(e->scratch, prototype, words, packed);
    size_t bytes = sizeof(struct dormant) + FLOW_HEAD + 4 * n;
    unsigned size_class = (unsigned)((bytes - 1) / CLASS_BYTES);
    struct dormant *d = slab_get(&e->dormants[size_class]);
    if (d == NULL)
        return false;
    struct flow *f = &c->held->a.flow;
    wheel_timer_init(&d->timer.wheel);
    d->timer.owner = TIMER_DORMANT;
    d->target = c->target;
    d->size_class = (uint16_t)size_class;
    d->prototype = key;
    d->relative = relative;
    memcpy(flow_head(d), f, FLOW_HEAD);
    memcpy(packed_words(d), packed, 4 * n);
    flow_head(d)->owner = &d->timer;
    flow_table_replace(&e->flows, f, flow_head(d));
    rs_mono at = c->timer.wheel.at;
    list_remove(&c->link);
    wheel_arm(&e->wheel, &c->timer.wheel, RS_NEVER);
    wheel_arm(&e->wheel, &d->timer.wheel, at);
    held_take_out(c->target, c->held);
    slab_put(&e->helds, c->held);
    slab_put(&e->conns, c);
    e->counters.dormant++;
    return true;
}

static struct conn *wake(struct engine *e, struct dormant *d)
{
    struct conn *c = slab_get(&e->conns);
    struct held *h = c == NULL ? NULL : slab_get(&e->helds);
    if (h == NULL) {
        slab_put(&e->conns, c);
        return NULL;
    }
    c->target = d->target;
    c->held = h;
    wheel_timer_init(&c->timer.wheel);
    c->timer.owner = TIMER_CONN;
    c->idle_since = e->turn_at; /* what woke it may be nothing that it takes notice of */
    list_append(&e->idle, &c->link);
    memcpy(&h->a.flow, flow_head(d), FLOW_HEAD);
    unpack_words(packed_words(d), e->prototypes[d->prototype], block_words(e), e->scratch);
    if (d->relative)
        make_absolute(e->scratch);
    scatter(e, e->scratch, c);
    h->a.flow.owner = &c->timer;
    flow_table_replace(&e->flows, flow_head(d), &h->a.flow);
    rs_mono at = d->timer.wheel.at;
    wheel_arm(&e->wheel, &d->timer.wheel, RS_NEVER);
    wheel_arm(&e->wheel, &c->timer.wheel, at);
    held_insert(c->target, h);
    slab_put(&e->dormants[d->size_class], d);
    e->counters.dormant--;
    return c;
}

struct conn *conn_of(struct engine *e, struct timer *owner)
{
    if (owner->owner == TIMER_CONN)
        return LIST_ENTRY(owner, struct conn, timer);
    return wake(e, LIST_ENTRY(owner, struct dormant, timer));
}

void dormant_abandon(struct engine *e, struct timer *owner)
{
    struct dormant *d = LIST_ENTRY(owner, struct dormant, timer);
    wheel_arm(&e->wheel, &d->timer.wheel, RS_NEVER);
    flow_table_remove(&e->flows, flow_head(d));
    d->target->running--;
    slab_put(&e->dormants[d->size_class], d);
    e->counters.dormant--;
}

void conn_idles(struct engine *e, struct conn *c, rs_mono now)
{
    list_remove(&c->link);
    c->dirty = false;
    c->idle_since = now;
    list_append(&e->idle, &c->link);
}

void dormant_turn(struct engine *e, rs_mono now)
{
    if (e->config.dormancy_ns == UINT64_MAX)
        return;
    for (unsigned n = 0; n < A_TURN && !list_empty(&e->idle); n++) {
        struct conn *c = LIST_ENTRY(e->idle.next, struct conn, link);
        bool crowded = e->conns.used > AWAKE_MOST;
        if (!crowded && !rs_mono_reached(rs_mono_add(c->idle_since, e->config.dormancy_ns), now))
            return;
        bool soon = rs_mono_reached(c->timer.wheel.at, rs_mono_add(now, IDLE_AHEAD));
        if ((soon && !crowded) || !put_to_sleep(e, c))
            conn_idles(e, c, now);
    }
}
