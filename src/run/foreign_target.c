/* SPDX-License-Identifier: GPL-3.0-or-later
 * From connections to outcomes, and from the connections of one client to one address and port to
 * the record of a target. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/foreign_int.h"

#define SILENCE  (3 * (int64_t)RS_SEC)  /* after that long, no answer is no answer */
#define PATIENCE (10 * (int64_t)RS_SEC) /* a server may take its time to answer; --timeout */

static enum outcome unknown(struct connection *k, const char *why)
{
    snprintf(k->a.log.why, sizeof k->a.log.why, "%s", why);
    return OUTCOME_NOT_CAPTURED;
}

static enum outcome without_handshake(const struct foreign *g,
                                      struct connection *k,
                                      int64_t silence)
{
    const struct flow *f = &k->a.flow;
    if (k->client_acked)
        return unknown(k, "the answer to its SYN is not in the capture");
    if (g->answers == 0) /* of nobody: the capture may have one direction only */
        return unknown(k, "nothing in the capture comes back");
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
    int64_t silence = g->last.ns - (f->tcp_syn_count_rev > 0 ? k->last.ns : k->last_syn.ns);
    enum outcome o;
    if (k->acked_unseen)
        o = unknown(k, "packets are missing in the capture");
    else if (k->other_syn)
        o = unknown(k, "its SYN was sent again with other flags");
    else if (f->tcp_syn_count_rev == 0)
        o = without_handshake(g, k, silence);
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

static void gather(
    struct foreign *g, struct connection **of, size_t n, struct evidence *e, unsigned *strange)
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
    unsigned rounds = per_arm[0];
    for (unsigned arm = 0; arm < e->n_arms; arm++)
        rounds = per_arm[arm] < rounds ? per_arm[arm] : rounds;
    e->rounds_done = rounds > 0 ? rounds - 1 : 0;
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
    unsigned strange = 0;
    char input[160], address[WIRE_ADDR_TEXT], missing[200];
    const struct wire_tuple *t = &of[0]->a.log.tuple;
    memset(&e, 0, sizeof e);
    gather(g, of, n, &e, &strange);
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
void foreign_targets(struct foreign *g)
{
    size_t n = 0, groups = 0;
    struct connection **list = malloc((g->n + 1) * sizeof *list);
    struct group *group = malloc((g->n + 1) * sizeof *group);
    if (list == NULL || group == NULL) {
        g->c->failed = rs_fail(g->c->err, RS_ENOMEM, "no memory for %zu connections", g->n);
        free(group);
        free(list);
        return;
    }
    for (struct connection *k = g->first; k != NULL; k = k->next) {
        k->a.log.line = n; /* its place in the capture; the record does not say it */
        list[n++] = k;
    }
    if (n > 1)
        qsort(list, n, sizeof *list, by_appearance);
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || by_target(&list[i - 1], &list[i]) != 0)
            group[groups++] = (struct group){&list[i], 0};
        group[groups - 1].n++;
    }
    if (groups > 1)
        qsort(group, groups, sizeof *group, by_first);
    for (size_t i = 0; i < groups && g->c->failed == 0; i++)
        one_target(g, group[i].of, group[i].n);
    free(group);
    free(list);
}
