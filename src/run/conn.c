/* SPDX-License-Identifier: GPL-3.0-or-later
 * One attempt of one arm: the TCP machine, the exchange and the rules brought together, from its
 * first SYN to what came of it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/engine_int.h"

#define NEAR_BYTES 8u

static const struct arm *conn_arm(const struct engine *e, const struct conn *c)
{
    return &e->config.plugin->arms[c->held->a.log.arm];
}

const struct exchange *conn_exchange(const struct engine *e, const struct conn *c)
{
    const char *name = conn_arm(e, c)->exchange;
    return name == NULL ? e->config.exchange : exchange_find(name);
}

/* What the machine leaves open, then the arm's rules: the one place where arms differ (law 6). */
void conn_prepare_segment(const struct engine *e,
                          const struct target *t,
                          unsigned arm,
                          uint16_t ip_id,
                          struct wire_segment *s)
{
    const struct arm *a = &e->config.plugin->arms[arm];
    s->ttl = CONN_TTL;
    s->ip_flags = 2; /* DF */
    s->ip_id = ip_id;
    s->flow_label = t->flow_label;
    rules_apply(a->rules, a->n_rules, s);
}

/* What is sent again may have been lost because the gateway's address changed: ask anew. */
static void refresh_hop(struct engine *e, struct target *t, rs_mono now)
{
    struct hop hop;
    if (e->ops.route(e->ops.ctx, &t->dip, now, &hop, NULL) == 0 &&
        wire_addr_equal(&hop.src, &t->sip))
        memcpy(t->mac, hop.mac, sizeof t->mac);
}

static void count_again(struct engine_counters *counters, enum seg_class cls)
{
    counters->syn_retransmissions += cls == SEG_SYN;
    counters->data_retransmissions += cls == SEG_DATA;
    counters->fin_retransmissions += cls == SEG_FIN;
}

static void send_segments(struct engine *e, struct conn *c, rs_mono now)
{
    uint8_t packet[2048];
    struct rs_err err;
    for (unsigned i = 0; i < e->out.n_segments; i++) {
        struct wire_segment s = e->out.segment[i];
        size_t n;
        if (s.cls == SEG_DATA && s.tries > 1)
            pace_resent(e, c);
        if (s.tries > 1) {
            count_again(&e->counters, (enum seg_class)s.cls);
            refresh_hop(e, c->target, now);
        }
        conn_prepare_segment(e, c->target, c->held->a.log.arm, c->ip_id++, &s);
        int rc =
            craft_packet(e->craft, &c->held->a.flow.tuple, &s, packet, sizeof packet, &n, &err);
        if (rc == 0)
            rc = e->ops.send(e->ops.ctx, packet, n, c->target->mac);
        pace_packet(e, c);
        if (rc == -RS_EAGAIN)
            engine_pressure(e, now); /* at once: what this turn would start has no room either */
        if (rc != 0) {
            e->counters.send_errors++;
            trace_note(e, c->target, &c->held->a.log, "not sent: %s",
                       rc == -RS_EAGAIN ? "no room to send" : err.text);
            c->send_errno = ENOBUFS;
            if (s.cls == SEG_SYN && s.tries == 1)
                conn_stop(e, c, OUTCOME_NOT_SENT, "no room to send", now);
        }
    }
    e->out.n_segments = 0;
}

static void end(struct engine *e, struct conn *c)
{
    if (c->ended)
        return;
    c->ended = true;
    list_remove(&c->link);
    wheel_arm(&e->wheel, &c->timer.wheel, RS_NEVER);
    list_append(&e->ended, &c->link);
}

static void start_close(struct engine *e, struct conn *c, rs_mono now)
{
    if (c->closing)
        return;
    c->closing = true;
    c->close_at = RS_NEVER;
    c->deadline = rs_mono_min(c->deadline, rs_mono_add(now, CLOSE_WAIT_MOST));
    tcp_close(&c->tcp, now, &e->out);
}

static void exchange_ended(struct engine *e, struct conn *c, enum exchange_status s, rs_mono now)
{
    c->exchange_over = true;
    c->spoilt = c->outages != e->outages;
    c->exchange_done = s == EXCHANGE_DONE;
    if (c->exchange_done)
        e->counters.exchanges++;
    /* A side that closes second needs no TIME-WAIT, and its FIN carries the ACK of the other. */
    if (c->exchange_done && c->target->request_bytes > 0 && !(e->out.events & TCP_EV_PEER_FIN))
        c->close_at = rs_mono_add(now, PEER_CLOSE_WAIT);
    else
        start_close(e, c, now);
}

static void deliver(struct engine *e, struct conn *c, rs_mono now)
{
    const struct exchange *x = conn_exchange(e, c);
    for (unsigned i = 0; i < e->out.n_data; i++) {
        if (c->exchange_over) {
            c->late_bytes += e->out.data[i].n;
            continue;
        }
        enum exchange_status s =
            x->input(c->exchange_state, e->out.data[i].bytes, e->out.data[i].n);
        if (s != EXCHANGE_MORE)
            exchange_ended(e, c, s, now);
    }
    e->out.n_data = 0;
    if (c->late_bytes > LATE_BYTES_MOST && !tcp_over(&c->tcp)) {
        tcp_abort(&c->tcp, now, &e->out);
    }
}

/* The bytes of the request stay where they are until conn_spares_request. */
static const uint8_t *borrow_request(struct engine *e, struct conn *c)
{
    const uint8_t *bytes = target_request(e, c->target);
    if (bytes != NULL && !c->borrows) {
        c->borrows = true;
        c->target->borrowers++;
    }
    return bytes;
}

void conn_spares_request(struct engine *e, struct conn *c, bool over)
{
    struct target *t = c->target;
    if (c->borrows && (over || (c->script.n == 0 && tcp_all_acked(&c->tcp)))) {
        c->borrows = false;
        t->borrowers--;
    }
    if (t->borrowers == 0 && t->request != NULL && !over) {
        e->request_bytes -= t->request_bytes;
        free(t->request);
        t->request = NULL;
    }
}

static void write_request(struct engine *e, struct conn *c, rs_mono now)
{
    const uint8_t *bytes = borrow_request(e, c);
    if (bytes != NULL)
        tcp_write(&c->tcp, bytes, c->target->request_bytes, now);
    else
        conn_stop(e, c, OUTCOME_NOT_SENT, "no memory for the request", now);
}

static void established(struct engine *e, struct conn *c, rs_mono now)
{
    struct arm_log *log = &c->held->a.log;
    c->established = true;
    e->counters.established++;
    if (log->answered_try == 0)
        log->answered_try = (uint8_t)tcp_syns_sent(&c->tcp);
    if (log->answered_try > 1)
        e->counters.answered_late++;
    pace_answered(e, c, log->answered_try > 1, now);
    if (c->script.n > 0)
        return;
    if (c->target->request_bytes == 0)
        exchange_ended(e, c, EXCHANGE_DONE,
                       now); /* nothing to say: the handshake was the exchange */
    else
        write_request(e, c, now);
}

static void take_events(struct engine *e, struct conn *c, rs_mono now)
{
    uint32_t ev = e->out.events;
    struct arm_log *log = &c->held->a.log;
    log->tcp_events |= ev;
    if (ev & TCP_EV_REFUSED) {
        c->refused = true;
        log->answered_try = (uint8_t)tcp_syns_sent(&c->tcp);
        pace_answered(e, c, log->answered_try > 1, now);
    }
    c->reset = c->reset || (ev & TCP_EV_RESET);
    c->gave_up = c->gave_up || (ev & TCP_EV_GAVE_UP);
    if ((ev & TCP_EV_ESTABLISHED) && !c->established)
        established(e, c, now);
    if (e->out.n_data > 0)
        deliver(e, c, now);
    if ((ev & TCP_EV_PEER_FIN) && !c->exchange_over) {
        const struct exchange *x = conn_exchange(e, c);
        exchange_ended(e, c, x->end(c->exchange_state), now);
    } else if (ev & TCP_EV_PEER_FIN) {
        start_close(e, c, now);
    }
}

/* After any call into the machine: its events, and the script. */
static void react(struct engine *e, struct conn *c, enum tcp_state before, rs_mono now)
{
    uint32_t said = e->out.events;
    take_events(e, c, now);
    if (c->script.n > 0 && !c->closing)
        script_run(&c->script, &c->tcp, borrow_request(e, c), c->target->request_bytes, now,
                   &e->out);
    if (c->target->traced) {
        trace_events(e, c, said);
        trace_state(e, c, before);
    }
}

/* What to send, the next timer, the end. */
void conn_emit(struct engine *e, struct conn *c, rs_mono now)
{
    do {
        e->out.more = false;
        tcp_output(&c->tcp, now, &e->out);
        send_segments(e, c, now);
    } while (e->out.more);
    tcp_out_clear(&e->out);
    if (c->ended)
        return;
    if (tcp_over(&c->tcp)) {
        end(e, c);
        return;
    }
    rs_mono at = rs_mono_min(rs_mono_min(c->deadline, c->close_at), tcp_next_expiry(&c->tcp));
    wheel_arm(&e->wheel, &c->timer.wheel, rs_mono_min(at, script_next_expiry(&c->script)));
    conn_idles(e, c, now);
}

/* A place in the target's history for one more attempt; NULL when it is full. */
static struct held *take_held(struct engine *e, struct target *t)
{
    struct held *h = t->n_held == COND_ATTEMPTS ? NULL : slab_get(&e->helds);
    if (h == NULL)
        return NULL;
    h->a.log.number = t->n_held++;
    held_insert(t, h);
    return h;
}

static void init_log(struct engine *e,
                     const struct target *t,
                     struct arm_log *log,
                     const struct plan_step *step,
                     unsigned batch_order)
{
    log->line = t->line;
    log->arm = step->arm;
    log->port = step->port;
    log->rerun = step->rerun;
    log->round = t->round;
    log->batch_order = (uint16_t)batch_order;
    log->icmp_type = log->icmp_code = -1;
    log->packets_from = log->packets_to = e->packets;
    log->drops_from = (uint32_t)e->ops.drops(e->ops.ctx, false);
    log->planned = e->ops.wall(e->ops.ctx);
    log->deadline = (rs_wall){log->planned.ns + (int64_t)e->config.timeout_ns};
    log->tuple = (struct wire_tuple){.src = t->sip,
                                     .dst = t->dip,
                                     .proto = IP_PROTO_TCP,
                                     .sport = t->ports[step->port],
                                     .dport = t->dport};
}

/* A Linux client's, the same for every arm (law 6), but for what the arm's rules make of its SYN.
 */
struct tcp_config conn_tcp_config(struct engine *e,
                                  const struct wire_tuple *tuple,
                                  unsigned arm,
                                  rs_mono now)
{
    return (struct tcp_config){.iss = isn_for(e, tuple, now),
                               .ts_offset = tsval_offset(e, &tuple->dst),
                               .timestamps = true,
                               .sack_permitted = true,
                               .window_scale = true,
                               .mss = tuple->dst.family == 4 ? 1460 : 1440,
                               .wscale = 7,
                               .ecn = e->ecn_arm[arm],
                               .reasm = &e->reasm};
}

int conn_start(struct engine *e,
               struct target *t,
               const struct plan_step *step,
               unsigned batch_order,
               rs_mono now)
{
    struct conn *c = slab_get(&e->conns);
    struct held *h = c == NULL ? NULL : take_held(e, t);
    if (h == NULL) {
        slab_put(&e->conns, c);
        return -RS_ENOMEM;
    }
    t->running++;
    c->target = t;
    c->held = h;
    list_init(&c->link);
    wheel_timer_init(&c->timer.wheel);
    c->timer.owner = TIMER_CONN;
    init_log(e, t, &h->a.log, step, batch_order);
    flow_init_like(&h->a.flow, &e->flow_model, e->flow_bytes, &h->a.log.tuple);
    h->a.flow.owner = &c->timer;
    flow_table_add(&e->flows, &h->a.flow);
    const struct arm *arm = conn_arm(e, c);
    script_init(&c->script, arm->steps, (uint16_t)arm->n_steps);
    struct tcp_config config = conn_tcp_config(e, &h->a.log.tuple, step->arm, now);
    tcp_init(&c->tcp, &config);
    c->ip_id = e->ip_id = (uint16_t)(e->ip_id + 0x101u);
    c->outages = e->outages;
    c->deadline = rs_mono_add(now, e->config.timeout_ns);
    c->close_at = RS_NEVER;
    e->counters.connections++;
    pace_started(e, c);
    tcp_out_clear(&e->out);
    tcp_open(&c->tcp, now);
    react(e, c, TCP_CLOSED, now);
    conn_emit(e, c, now);
    return 0;
}

void conn_never(struct engine *e, struct target *t, const struct plan_step *step, const char *why)
{
    struct held *h = take_held(e, t);
    if (h == NULL)
        return;
    init_log(e, t, &h->a.log, step, 0);
    flow_init_like(&h->a.flow, &e->flow_model, e->flow_bytes, &h->a.log.tuple);
    h->a.log.outcome = OUTCOME_NOT_SENT;
    h->a.log.ended = h->a.log.planned;
    snprintf(h->a.log.why, sizeof h->a.log.why, "%.*s", (int)sizeof h->a.log.why - 1, why);
    report_attempt(e, t, &h->a.log);
}

/* Anybody can send a SYN/ACK that acknowledges some number (law 5); one that is off by next to
 * nothing was made by somebody who saw the SYN. */
static bool nearly_acks_syn(const struct conn *c, const struct wire_view *v)
{
    return v->ack - c->tcp.c.iss + NEAR_BYTES <= 2 * NEAR_BYTES;
}

void conn_segment(
    struct engine *e, struct conn *c, const struct received *r, rs_wall at, rs_mono now)
{
    const struct wire_view *v = &r->view;
    switch (flow_received(&c->held->a.flow, r, at)) {
    case BELIEVED:
        break;
    case UNBELIEVABLE:
        e->counters.unbelievable++;
        break;
    case BAD_CHECKSUM:
        e->counters.bad_checksum++;
        return;
    }
    if (c->ended) /* over, not yet settled: still evidence, nothing to do */
        return;
    enum tcp_state before = tcp_state(&c->tcp);
    tcp_out_clear(&e->out);
    tcp_input(&c->tcp, v, now, &e->out);
    if ((e->out.events & TCP_EV_BAD_SYNACK) && nearly_acks_syn(c, v))
        c->bad_synack = true;
    react(e, c, before, now);
    if (tcp_has_gap(&c->tcp)) {
        conn_emit(e, c, now);
    } else if (!c->dirty) { /* once for all segments of this turn: no more packets than needed */
        c->dirty = true;
        list_remove(&c->link);
        list_append(&e->dirty, &c->link);
    }
}

void conn_expire(struct engine *e, struct conn *c, rs_mono now)
{
    enum tcp_state before = tcp_state(&c->tcp);
    tcp_out_clear(&e->out);
    if (rs_mono_reached(c->deadline, now)) {
        trace_note(e, c->target, &c->held->a.log, "timer: deadline of the attempt");
        c->gave_up = c->gave_up || !c->exchange_over;
        tcp_abort(&c->tcp, now, &e->out);
    } else if (rs_mono_reached(c->close_at, now)) {
        start_close(e, c, now);
    } else if (rs_mono_reached(tcp_next_expiry(&c->tcp), now)) {
        trace_note(e, c->target, &c->held->a.log, "timer: tcp");
        tcp_expire(&c->tcp, now, &e->out);
    }
    react(e, c, before, now);
    conn_emit(e, c, now);
}

void conn_stop(struct engine *e, struct conn *c, enum outcome why, const char *text, rs_mono now)
{
    if (c->ended)
        return;
    struct arm_log *log = &c->held->a.log;
    log->outcome = (uint8_t)why;
    snprintf(log->why, sizeof log->why, "%s", text);
    end(e, c);
    if (why == OUTCOME_NOT_SENT)
        return; /* nothing is out there that must be closed */
    tcp_out_clear(&e->out);
    tcp_abort(&c->tcp, now, &e->out);
    tcp_output(&c->tcp, now, &e->out);
    send_segments(e, c, now);
    tcp_out_clear(&e->out);
}
