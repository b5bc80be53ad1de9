/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "observe/aging.h"

#include <string.h>

#include "base/err.h"
#include "observe/flow_int.h"

struct aged {
    struct list recency; /* in `recent` or `closing` */
    struct list birth;
    int64_t heard;       /* the time of the last packet; of a closing flow, when it closed */
    int64_t born;        /* the time of the first */
    uint32_t fin_end[2]; /* by direction: the number that acknowledges its FIN */
    uint32_t isn;        /* of the first SYN forward */
    uint8_t fin_seen;    /* bit 1 << direction */
    uint8_t fin_acked;
    bool isn_known;
    bool is_closing;
    struct flow flow; /* as much of it as its chains need */
};

const char *flow_end_name(enum flow_end why)
{
    static const char *const names[FLOW_END_N] = {[FLOW_END_IDLE] = "idle",
                                                  [FLOW_END_ACTIVE] = "active",
                                                  [FLOW_END_CLOSED] = "closed",
                                                  [FLOW_END_END] = "end",
                                                  [FLOW_END_EVICTED] = "evicted"};
    return why > 0 && why < FLOW_END_N ? names[why] : "?";
}

size_t aging_flow_bytes(uint32_t chains)
{
    return offsetof(struct aged, flow) + flow_bytes(chains);
}

int aging_init(struct aging *a, const struct aging_config *config)
{
    memset(a, 0, sizeof *a);
    a->config = *config;
    if (a->config.flows_most == 0)
        a->config.flows_most = 1;
    list_init(&a->recent);
    list_init(&a->closing);
    list_init(&a->born);
    a->now = INT64_MIN;
    slab_init(&a->slab, aging_flow_bytes(config->chains), a->config.flows_most);
    return flow_table_init(&a->table, 0, config->key);
}

void aging_free(struct aging *a)
{
    flow_table_free(&a->table);
    slab_free(&a->slab);
}

size_t aging_open(const struct aging *a)
{
    return a->table.n;
}

static struct aged *oldest(struct list *ring)
{
    return list_empty(ring) ? NULL : LIST_ENTRY(ring->next, struct aged, recency);
}

static void end(struct aging *a, struct aged *g, enum flow_end why)
{
    a->config.ended(a->config.ctx, &g->flow, why);
    a->stats.ended[why]++;
    list_remove(&g->recency);
    list_remove(&g->birth);
    flow_table_remove(&a->table, &g->flow);
    slab_put(&a->slab, g);
}

/* `now` is never before `from`: the unsigned difference is right for any pair of them. */
static bool is_over(int64_t from, uint64_t span, int64_t now)
{
    return (uint64_t)now - (uint64_t)from >= span;
}

static void age(struct aging *a, int64_t now)
{
    struct aged *g;
    if (now <= a->now)
        return;
    a->now = now;
    while ((g = oldest(&a->closing)) != NULL && is_over(g->heard, a->config.close_ns, now))
        end(a, g, FLOW_END_CLOSED);
    while ((g = oldest(&a->recent)) != NULL && is_over(g->heard, a->config.idle_ns, now))
        end(a, g, FLOW_END_IDLE);
    while (a->config.active_ns != 0 && !list_empty(&a->born)) {
        g = LIST_ENTRY(a->born.next, struct aged, birth);
        if (!is_over(g->born, a->config.active_ns, now))
            break;
        end(a, g, g->is_closing ? FLOW_END_CLOSED : FLOW_END_ACTIVE);
    }
}

void aging_advance(struct aging *a, rs_wall now)
{
    age(a, now.ns);
}

/* Closing flows go first: they have said what they had to say. */
static struct aged *make_room(struct aging *a)
{
    struct aged *g = oldest(&a->closing);
    if (g != NULL)
        end(a, g, FLOW_END_CLOSED);
    else if ((g = oldest(&a->recent)) != NULL)
        end(a, g, FLOW_END_EVICTED);
    return slab_get(&a->slab);
}

/* A SYN/ACK answers a SYN that was not seen: whoever sends it is the server. */
static enum flow_dir first_dir(const struct wire_view *v)
{
    const unsigned synack = TCP_SYN | TCP_ACK;
    return (v->have & WIRE_TCP) && (v->flags & (synack | TCP_RST)) == synack ? FLOW_REV : FLOW_FWD;
}

static struct aged *begin(struct aging *a, const struct wire_tuple *tuple)
{
    struct aged *g = slab_get(&a->slab);
    if (g == NULL)
        g = make_room(a);
    if (g == NULL)
        return NULL;
    flow_init(&g->flow, tuple, a->config.chains);
    list_append(&a->recent, &g->recency);
    list_init(&g->birth);
    if (a->config.active_ns != 0)
        list_append(&a->born, &g->birth);
    g->born = g->heard = a->now;
    flow_table_add(&a->table, &g->flow);
    a->stats.flows++;
    if (a->table.n > a->stats.open_most)
        a->stats.open_most = a->table.n;
    return g;
}

static struct aged *aged_of(struct flow *f)
{
    return f == NULL ? NULL : (struct aged *)(void *)((char *)f - offsetof(struct aged, flow));
}

static void heard(struct aging *a, struct aged *g)
{
    if (g->is_closing) /* its time runs from the close */
        return;
    g->heard = a->now;
    if (g->recency.next == &a->recent)
        return;
    list_remove(&g->recency);
    list_append(&a->recent, &g->recency);
}

static void close_flow(struct aging *a, struct aged *g)
{
    if (g->is_closing)
        return;
    g->is_closing = true;
    g->heard = a->now;
    list_remove(&g->recency);
    list_append(&a->closing, &g->recency);
}

/* Does this segment open the 5-tuple of a closing flow again? A retransmitted SYN has its number.
 */
static bool reopens(const struct aged *g, const struct wire_view *v, enum flow_dir dir)
{
    if (!g->is_closing || !(v->have & WIRE_TCP) || v->l4_cksum == WIRE_CKSUM_BAD ||
        (v->flags & (TCP_SYN | TCP_ACK | TCP_RST)) != TCP_SYN)
        return false;
    return dir == FLOW_REV || !g->isn_known || v->seq != g->isn;
}

static void follow_tcp(struct aging *a,
                       struct aged *g,
                       const struct wire_view *v,
                       enum flow_dir dir)
{
    uint8_t bit = (uint8_t)(1u << dir), other = (uint8_t)(1u << !dir);
    if (v->flags & TCP_RST) {
        close_flow(a, g);
        return;
    }
    if ((v->flags & TCP_SYN) && dir == FLOW_FWD && !g->isn_known) {
        g->isn = v->seq;
        g->isn_known = true;
    }
    if ((v->flags & TCP_FIN) && !(g->fin_seen & bit)) {
        g->fin_seen |= bit;
        g->fin_end[dir] = v->seq + v->payload_bytes + ((v->flags & TCP_SYN) != 0) + 1;
    }
    if ((v->flags & TCP_ACK) && (g->fin_seen & other) && !seq_after(g->fin_end[other >> 1], v->ack))
        g->fin_acked |= other;
    if (g->fin_acked == 3)
        close_flow(a, g);
}

/* The flow of the packet that an ICMP error quotes; NULL when that is not known. `dir` is the way
 * that the error goes: against the quoted packet. */
static struct aged *find_quoted(struct aging *a, const struct wire_view *error, enum flow_dir *dir)
{
    struct wire_view quote;
    if (!(error->have & WIRE_QUOTE) || !wire_is_icmp_error(error) ||
        wire_parse(&quote, error->quote, error->quote_bytes, WIRE_PARSE_QUOTE) != 0)
        return NULL;
    struct wire_tuple answer = wire_view_tuple(&quote);
    answer = wire_tuple_swap(&answer);
    return aged_of(flow_table_find(&a->table, &answer, dir));
}

/* A packet, and where its flow is to be found. */
struct looked_up {
    struct wire_tuple tuple;
    uint64_t hash;
};

static struct looked_up look_up(const struct aging *a, const struct wire_view *v)
{
    struct looked_up l = {.tuple = wire_view_tuple(v)};
    l.hash = flow_table_hash(&a->table, &l.tuple);
    return l;
}

static void give(struct aging *a, const struct wire_view *v, rs_wall at, const struct looked_up *l)
{
    enum flow_dir dir = FLOW_FWD;
    struct aged *g = aged_of(flow_table_find_hashed(&a->table, &l->tuple, l->hash, &dir));
    bool is_bad = v->l4_cksum == WIRE_CKSUM_BAD;
    if (g != NULL && reopens(g, v, dir)) {
        end(a, g, FLOW_END_CLOSED);
        g = NULL;
    }
    if (g != NULL) {
        heard(a, g);
    } else {
        dir = first_dir(v);
        struct wire_tuple forward = dir == FLOW_FWD ? l->tuple : wire_tuple_swap(&l->tuple);
        g = begin(a, &forward);
    }
    if (g == NULL) {
        a->stats.lost++;
        return;
    }
    flow_packet(&g->flow, v, dir, at);
    a->stats.bad_checksum += is_bad;
    if (is_bad && dir == FLOW_REV && (a->config.chains & CHAIN_BIT(CHAIN_BASIC)))
        g->flow.bad_checksum_rev++;
    if ((v->have & WIRE_TCP) && !is_bad)
        follow_tcp(a, g, v, dir);
}

static void take(struct aging *a, const struct wire_view *v, rs_wall at, const struct looked_up *l)
{
    a->stats.packets++;
    if (at.ns < a->now)
        a->stats.backwards++;
    age(a, at.ns);
    a->stats.fragments += (v->have & (WIRE_FRAGMENT | WIRE_PORTS)) == WIRE_FRAGMENT;
    enum flow_dir dir;
    struct aged *quoted = find_quoted(a, v, &dir);
    if (quoted == NULL) {
        give(a, v, at, l);
        return;
    }
    heard(a, quoted);
    flow_icmp_error(&quoted->flow, v, dir, at);
    a->stats.icmp_errors++;
}

void aging_packet(struct aging *a, const struct wire_view *v, rs_wall at)
{
    struct looked_up l = look_up(a, v);
    take(a, v, at, &l);
}

/* Flows are spread over more memory than caches hold, so each packet would wait for its own: for
 * the place in the table, for the flow, for its neighbours in the list. What is fetched is a guess:
 * first in its place may be another flow, and the packets before may change that. (Not in a
 * function of its own: gcc 12 finds no effect in it, and drops the call.) */
void aging_packets(struct aging *a, const struct aging_item *items, size_t n)
{
    struct looked_up l[AGING_BATCH];
    struct aged *g[AGING_BATCH];
    for (size_t i = 0; i < n; i++) {
        l[i] = look_up(a, &items[i].view);
        __builtin_prefetch(flow_table_place(&a->table, l[i].hash));
    }
    for (size_t i = 0; i < n; i++) {
        g[i] = aged_of(*flow_table_place(&a->table, l[i].hash));
        for (size_t at = 0; g[i] != NULL && at < a->slab.block_bytes; at += 64)
            __builtin_prefetch((const char *)g[i] + at, 1);
    }
    for (size_t i = 0; i < n; i++) {
        if (g[i] == NULL)
            continue;
        __builtin_prefetch(g[i]->recency.next, 1);
        __builtin_prefetch(g[i]->recency.prev, 1);
    }
    for (size_t i = 0; i < n; i++)
        take(a, &items[i].view, items[i].at, &l[i]);
}

void aging_flush(struct aging *a)
{
    struct aged *g;
    while ((g = oldest(&a->closing)) != NULL)
        end(a, g, FLOW_END_CLOSED);
    while ((g = oldest(&a->recent)) != NULL)
        end(a, g, FLOW_END_END);
}
