/* SPDX-License-Identifier: GPL-3.0-or-later
 * A capture that something else made: tcpdump beside a run of PATHspider, say. There is no arm log,
 * so outcomes are read from the packets, and what they do not tell is not captured (law 3). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/arm_match.h"
#include "run/classify_int.h"

#define SILENCE    (3 * (int64_t)RS_SEC)  /* after that long, no answer is no answer */
#define PATIENCE   (10 * (int64_t)RS_SEC) /* a server may take its time to answer; --timeout */
#define AGAIN      (RS_SEC / 2) /* sooner, it is no retransmission (RFC 6298 2) but captured twice */
#define LOSS_BYTES (1u << 20)   /* acknowledged beyond what was seen: the capture has a hole */

struct connection {
    struct connection *next; /* in the order of first appearance */
    int arm;
    rs_wall last_syn, last;
    uint8_t tries;        /* SYNs, but for those captured twice */
    bool other_syn;       /* sent again with flags of another arm, or of none */
    bool acked_unseen;    /* one side acknowledged what the capture does not have */
    bool client_acked;    /* an ACK of the client's without SYN */
    bool bad_synack;      /* a SYN/ACK that acknowledges nearly our SYN */
    uint8_t answered_try; /* tries when the first answer came */
    struct attempt a;     /* the last: only the plugin's chains are there */
};

struct foreign {
    struct classify *c;
    struct connection *first, **end;
    struct connection **list; /* the same, for sorting by target */
    size_t n, without_syn, of_no_arm;
};

static struct connection *owner(struct flow *f)
{
    return f->owner;
}

static struct connection *begin(struct foreign *g, const struct wire_view *syn, rs_wall at)
{
    struct wire_tuple tuple = wire_view_tuple(syn);
    uint32_t chains = g->c->o->plugin->chains;
    struct connection *k =
        calloc(1, offsetof(struct connection, a.flow) + flow_bytes(chains | CHAINS_JUDGED));
    if (k == NULL) {
        g->c->failed = rs_fail(g->c->err, RS_ENOMEM, "no memory for another connection");
        return NULL;
    }
    k->arm = arm_of_syn(g->c->o->plugin, syn);
    g->of_no_arm += k->arm < 0;
    flow_init(&k->a.flow, &tuple, chains);
    k->a.flow.owner = k;
    k->a.log.tuple = tuple;
    k->a.log.icmp_type = k->a.log.icmp_code = -1;
    k->a.log.planned = k->a.log.sent = at;
    flow_table_add(&g->c->flows, &k->a.flow);
    *g->end = k;
    g->end = &k->next;
    g->n++;
    return k;
}

/* The peer cannot have seen what nobody sent. */
static void look_for_holes(struct connection *k, const struct wire_view *v)
{
    const struct flow_sight *sight = &k->a.flow.sight;
    uint32_t beyond = v->ack - sight->sent_end;
    if ((v->flags & TCP_ACK) && beyond != 0 && beyond < LOSS_BYTES && sight->answered)
        k->acked_unseen = true;
    if ((v->flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK) && !sight->answered &&
        v->ack - sight->iss + 8 <= 16)
        k->bad_synack = true;
}

static void from_client(struct foreign *g,
                        struct connection *k,
                        const struct wire_view *v,
                        rs_wall at)
{
    if (v->flags & TCP_SYN) {
        if (k->tries == 0 || at.ns - k->last_syn.ns >= (int64_t)AGAIN) {
            k->last_syn = at;
            if (k->tries < UINT8_MAX)
                k->tries++;
        }
        /* Kernels give up ECN in later SYNs; what is answered then is no answer to this arm. */
        k->other_syn |= arm_of_syn(g->c->o->plugin, v) != k->arm;
    } else if ((v->flags & TCP_ACK) && !(v->flags & TCP_RST)) {
        k->client_acked = true;
    }
    uint32_t beyond = v->ack - k->a.flow.sight.peer_end;
    if ((v->flags & TCP_ACK) && k->a.flow.sight.answered && beyond != 0 && beyond < LOSS_BYTES)
        k->acked_unseen = true;
    flow_sent(&k->a.flow, v, at);
}

static void from_server(struct connection *k, const struct received *r, rs_wall at)
{
    struct flow *f = &k->a.flow;
    if (r->kind == RECEIVED_SEGMENT)
        look_for_holes(k, &r->view);
    if (flow_received(f, r, at) != BELIEVED)
        return;
    if (r->kind == RECEIVED_ERROR) {
        k->a.log.icmp_type = r->view.icmp_type;
        k->a.log.icmp_code = r->view.icmp_code;
    } else if (k->answered_try == 0) {
        k->answered_try = k->tries;
    }
}

/* A SYN with another number on the same ports is another connection. */
static bool opens(const struct flow *f, const struct wire_view *v)
{
    return (v->flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN &&
           (f == NULL || v->seq != f->sight.iss);
}

static void segment(struct foreign *g, const struct received *r, rs_wall at)
{
    enum flow_dir dir = FLOW_FWD;
    const struct wire_view *v = &r->view;
    struct flow *f = flow_table_find(&g->c->flows, &r->tuple, &dir);
    if (opens(f, v) && (f == NULL || dir == FLOW_FWD)) {
        if (f != NULL)
            flow_table_remove(&g->c->flows, f);
        struct connection *k = begin(g, v, at);
        f = k == NULL ? NULL : &k->a.flow;
    }
    if (f == NULL) {
        g->without_syn++;
        return;
    }
    owner(f)->last = at;
    if (dir == FLOW_FWD)
        from_client(g, owner(f), v, at);
    else
        from_server(owner(f), r, at);
}

static void on_packet(void *ctx, const struct trace_packet *p)
{
    struct foreign *g = ctx;
    struct received r;
    enum flow_dir dir;
    if (g->c->failed != 0)
        return;
    if (p->at.ns > g->c->last.ns)
        g->c->last = p->at;
    received_parse(&r, p->ip, p->ip_captured);
    if (r.kind == RECEIVED_SEGMENT) {
        segment(g, &r, p->at);
    } else if (r.kind == RECEIVED_ERROR) {
        struct flow *f = flow_table_find(&g->c->flows, &r.tuple, &dir);
        if (f != NULL && dir == FLOW_FWD)
            from_server(owner(f), &r, p->at);
    }
}

static enum outcome unknown(struct connection *k, const char *why)
{
    snprintf(k->a.log.why, sizeof k->a.log.why, "%s", why);
    return OUTCOME_NOT_CAPTURED;
}

static enum outcome without_handshake(struct connection *k, int64_t silence)
{
    const struct flow *f = &k->a.flow;
    if (k->client_acked)
        return unknown(k, "the answer to its SYN is not in the capture");
    if (f->tcp_rst_rev)
        return OUTCOME_RST;
    if (k->tries < 2 && silence < SILENCE && k->a.log.icmp_type < 0)
        return unknown(k, "the capture ends before an answer could come");
    if (k->a.log.icmp_type >= 0)
        return OUTCOME_ICMP;
    return k->bad_synack ? OUTCOME_BAD_SYNACK : OUTCOME_TIMEOUT;
}

static enum outcome after_handshake(struct connection *k, int64_t silence)
{
    const struct flow *f = &k->a.flow;
    bool answered = f->tcp_newdata_rev > 0, asked = f->tcp_newdata_fwd > 0;
    bool ended = f->tcp_fin_fwd || f->tcp_fin_rev;
    if (answered && (f->tcp_rst_rev || f->tcp_rst_fwd) && !ended)
        return unknown(k, "reset in mid-answer: whole or not, nobody knows");
    if (answered || (!asked && (ended || f->tcp_rst_fwd) && !f->tcp_rst_rev))
        return OUTCOME_EXCHANGED; /* without a question, the handshake was the exchange */
    if (f->tcp_rst_rev)
        return OUTCOME_HS_THEN_RST;
    if (f->tcp_fin_rev)
        return OUTCOME_SYNACK;
    if (f->tcp_rtx_fwd > 1 || f->tcp_rst_fwd || silence >= (asked ? PATIENCE : SILENCE))
        return asked ? OUTCOME_HS_THEN_STALL : OUTCOME_EXCHANGED;
    return unknown(k, "the capture ends in mid-exchange");
}

static void judge(struct foreign *g, struct connection *k)
{
    struct arm_log *log = &k->a.log;
    const struct flow *f = &k->a.flow;
    int64_t silence = g->c->last.ns - (f->tcp_syn_count_rev > 0 ? k->last.ns : k->last_syn.ns);
    enum outcome o;
    if (k->acked_unseen)
        o = unknown(k, "packets are missing in the capture");
    else if (k->other_syn)
        o = unknown(k, "its SYN was sent again with other flags");
    else if (f->tcp_syn_count_rev == 0)
        o = without_handshake(k, silence);
    else
        o = after_handshake(k, silence);
    log->outcome = (uint8_t)o;
    log->exchange_complete = o == OUTCOME_EXCHANGED;
    log->syns_sent = k->tries;
    log->answered_try = k->answered_try;
    log->ended = k->last;
    log->arm = (uint8_t)k->arm;
}

/* Same client, same target: connections that are compared. */
static int by_target(const void *a, const void *b)
{
    const struct wire_tuple *x = &(*(struct connection *const *)a)->a.log.tuple;
    const struct wire_tuple *y = &(*(struct connection *const *)b)->a.log.tuple;
    int order = memcmp(&x->dst, &y->dst, sizeof x->dst);
    if (order == 0)
        order = (int)x->dport - (int)y->dport;
    return order != 0 ? order : memcmp(&x->src, &y->src, sizeof x->src);
}

static int by_appearance(const void *a, const void *b)
{
    const struct connection *x = *(struct connection *const *)a,
                            *y = *(struct connection *const *)b;
    int order = by_target(a, b);
    if (order != 0)
        return order;
    if (x->a.log.planned.ns != y->a.log.planned.ns)
        return x->a.log.planned.ns < y->a.log.planned.ns ? -1 : 1;
    return (x->a.log.line > y->a.log.line) - (x->a.log.line < y->a.log.line);
}

/* Which port, 0 or 1, as in a run that exchanges them. Where there are more than two, nobody can
 * say that success follows the port. */
static void tell_ports(struct connection **of, size_t n)
{
    uint16_t first = 0, second = 0;
    for (size_t i = 0; i < n && first == 0; i++)
        if (of[i]->arm == 0)
            first = of[i]->a.log.tuple.sport;
    bool more = false;
    for (size_t i = 0; i < n; i++) {
        uint16_t port = of[i]->a.log.tuple.sport;
        of[i]->a.log.port = port != first;
        if (of[i]->arm < 0 || port == first)
            continue;
        more = more || (second != 0 && port != second);
        second = port;
    }
    for (size_t i = 0; more && i < n; i++)
        of[i]->a.log.port = 0;
}

static void gather(struct foreign *g,
                   struct connection **of,
                   size_t n,
                   struct evidence *e,
                   unsigned *rounds,
                   unsigned *strange)
{
    unsigned per_arm[COND_ARMS] = {0};
    e->n_arms = (unsigned)g->c->o->plugin->n_arms;
    for (size_t i = 0; i < n; i++) {
        struct connection *k = of[i];
        if (k->arm < 0) {
            ++*strange;
            continue;
        }
        if (e->n == COND_ATTEMPTS)
            continue;
        judge(g, k);
        k->a.log.number = (uint8_t)e->n;
        k->a.log.round = (uint8_t)per_arm[k->arm]++;
        e->attempt[e->n++] = &k->a;
    }
    tell_ports(of, n);
    *rounds = per_arm[0];
    for (unsigned arm = 0; arm < e->n_arms; arm++)
        *rounds = per_arm[arm] < *rounds ? per_arm[arm] : *rounds;
    e->rounds_done = *rounds > 0 ? *rounds - 1 : 0;
}

/* Why there is no statement, where no attempt says it. */
static const char *what_is_missing(const struct foreign *g,
                                   const struct evidence *e,
                                   unsigned strange,
                                   char text[200])
{
    for (unsigned arm = 0; arm < e->n_arms; arm++) {
        bool there = false;
        for (unsigned i = 0; i < e->n; i++)
            there = there || e->attempt[i]->log.arm == arm;
        if (there)
            continue;
        int n = snprintf(text, 200, "no connection of arm %s in the capture", g->c->arm_names[arm]);
        if (strange > 0)
            snprintf(text + n, 200 - (size_t)n, "; %u with a SYN that is none of the plugin's",
                     strange);
        return text;
    }
    return NULL;
}

static void one_target(struct foreign *g, struct connection **of, size_t n)
{
    struct evidence e;
    unsigned rounds, strange = 0;
    char input[160], address[WIRE_ADDR_TEXT], missing[200];
    const struct wire_tuple *t = &of[0]->a.log.tuple;
    memset(&e, 0, sizeof e);
    gather(g, of, n, &e, &rounds, &strange);
    if (n > COND_ATTEMPTS)
        classify_notice(g->c, "%s has %zu connections: the first %d are looked at",
                        wire_addr_format(&t->dst, address), n, COND_ATTEMPTS);
    int bytes = snprintf(input, sizeof input, "{\"dip\":\"%s\",\"dp\":%u}",
                         wire_addr_format(&t->dst, address), t->dport);
    struct record_facts facts = {.text = input,
                                 .bytes = (size_t)bytes,
                                 .is_json = true,
                                 .sip = t->src,
                                 .dip = t->dst,
                                 .dport = t->dport,
                                 .from = of[0]->a.log.planned,
                                 .to = of[0]->last,
                                 .problem = what_is_missing(g, &e, strange, missing),
                                 .flows = g->c->o->output_flows};
    for (size_t i = 0; i < n; i++)
        if (of[i]->last.ns > facts.to.ns)
            facts.to = of[i]->last;
    classify_target(g->c, &facts, &e);
}

struct group {
    struct connection **of;
    size_t n;
};

static int by_first(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    uint64_t i = (*x->of)->a.log.line, j = (*y->of)->a.log.line;
    return (i > j) - (i < j);
}

/* Targets in the order in which they appear in the capture. */
static void all_targets(struct foreign *g)
{
    size_t n = 0, groups = 0;
    g->list = malloc((g->n + 1) * sizeof *g->list);
    struct group *group = malloc((g->n + 1) * sizeof *group);
    if (g->list == NULL || group == NULL) {
        g->c->failed = rs_fail(g->c->err, RS_ENOMEM, "no memory for %zu connections", g->n);
        free(group);
        return;
    }
    for (struct connection *k = g->first; k != NULL; k = k->next) {
        k->a.log.line = n; /* its place in the capture; the record does not say it */
        g->list[n++] = k;
    }
    if (n > 1)
        qsort(g->list, n, sizeof *g->list, by_appearance);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || by_target(&g->list[i - 1], &g->list[i]) != 0)
            group[groups++] = (struct group){&g->list[i], 0};
        group[groups - 1].n++;
    }
    if (groups > 1)
        qsort(group, groups, sizeof *group, by_first);
    for (size_t i = 0; i < groups && g->c->failed == 0; i++)
        one_target(g, group[i].of, group[i].n);
    free(group);
}

int classify_foreign(struct classify *c)
{
    struct foreign g = {.c = c};
    g.end = &g.first;
    classify_read(c, on_packet, &g);
    if (c->failed == 0)
        all_targets(&g);
    if (g.without_syn > 0)
        classify_notice(
            c,
            "%zu TCP segments belong to connections whose SYN is not in the capture: they "
            "are not classified",
            g.without_syn);
    if (g.of_no_arm > 0)
        classify_notice(c, "%zu connections open with a SYN of no arm of %s", g.of_no_arm,
                        c->o->plugin->name);
    for (struct connection *k = g.first, *next; k != NULL; k = next) {
        next = k->next;
        free(k);
    }
    free(g.list);
    return 0;
}
