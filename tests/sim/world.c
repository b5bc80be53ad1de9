/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/print.h"

struct world *world_new(const struct world_config *c)
{
    struct world *w = calloc(1, sizeof *w);
    if (w == NULL)
        abort();
    slab_init(&w->pool, TCP_REASM_BLOCK, c->pool_blocks);
    link_init(&w->link, &c->link, c->seed);
    peer_init(&w->peer, &c->peer, &w->link);
    struct tcp_config tcp = c->tcp;
    tcp.reasm = &w->pool;
    tcp_init(&w->m, &tcp);
    w->iss = tcp.iss;
    w->request_bytes = c->peer.request_bytes;
    w->request = malloc(w->request_bytes + 1);
    if (w->request == NULL)
        abort();
    for (uint32_t i = 0; i < w->request_bytes; i++)
        w->request[i] = stream_byte(i);
    w->has_script = c->steps != NULL;
    script_init(&w->script, c->steps, c->n_steps);
    w->rules = c->rules;
    w->n_rules = c->n_rules;
    w->now = w->started = (rs_mono){1000 * RS_SEC};
    return w;
}

void world_free(struct world *w)
{
    tcp_release(&w->m);
    link_free(&w->link);
    slab_free(&w->pool);
    free(w->request);
    free(w);
}

static void record(struct world *w, const struct wire_segment *s, bool out)
{
    if (w->n_trace == WORLD_TRACE)
        return;
    w->trace[w->n_trace++] = (struct seen){.at = w->now,
                                           .out = out,
                                           .cls = s->cls,
                                           .tries = s->tries,
                                           .seq = s->seq - (out ? w->iss : w->peer.c.iss),
                                           .ack = s->ack - (out ? w->peer.c.iss : w->iss),
                                           .bytes = s->payload_bytes,
                                           .flags = s->flags,
                                           .ecn = s->ecn};
}

static void take_data(struct world *w)
{
    for (unsigned i = 0; i < w->out.n_data; i++)
        for (uint32_t k = 0; k < w->out.data[i].n; k++)
            if (w->out.data[i].bytes[k] != stream_byte(w->got++))
                w->wrong_bytes = true;
}

/* What run does with a plain exchange. */
static void plain_exchange(struct world *w)
{
    if ((w->out.events & TCP_EV_ESTABLISHED) != 0)
        tcp_write(&w->m, w->request, w->request_bytes, w->now);
    bool answered = w->got == w->peer.c.response_bytes;
    if ((w->out.events & TCP_EV_PEER_FIN) != 0 ||
        (answered && (w->out.events & (TCP_EV_DELIVERED | TCP_EV_ESTABLISHED)) != 0))
        tcp_close(&w->m, w->now, &w->out);
}

static void end_turn(struct world *w)
{
    bool more;
    take_data(w);
    if (w->has_script)
        script_run(&w->script, &w->m, w->request, w->request_bytes, w->now, &w->out);
    else
        plain_exchange(w);
    do {
        tcp_output(&w->m, w->now, &w->out);
        w->events |= w->out.events;
        for (unsigned i = 0; i < w->out.n_segments; i++) {
            struct wire_segment s = w->out.segment[i];
            rules_apply(w->rules, w->n_rules, &s);
            record(w, &s, true);
            link_send(&w->link, TO_SERVER, &s, w->now);
        }
        more = w->out.more;
        tcp_out_clear(&w->out);
    } while (more);
}

static void deliver(struct world *w)
{
    struct packet *p;
    while ((p = link_take(&w->link, w->now)) != NULL) {
        struct wire_view v;
        link_view(&v, &p->seg);
        if (p->way == TO_SERVER) {
            peer_input(&w->peer, &v, w->now);
        } else {
            if (!p->forged)
                record(w, &p->seg, false);
            tcp_input(&w->m, &v, w->now, &w->out);
            end_turn(w);
        }
        free(p);
    }
}

void world_run(struct world *w, uint64_t limit_ns)
{
    rs_mono limit = rs_mono_add(w->now, limit_ns);
    if (tcp_state(&w->m) == TCP_CLOSED && !tcp_over(&w->m)) {
        tcp_open(&w->m, w->now);
        end_turn(w);
    }
    while (true) {
        rs_mono machine = rs_mono_min(tcp_next_expiry(&w->m), script_next_expiry(&w->script));
        rs_mono next =
            rs_mono_min(rs_mono_min(machine, link_next(&w->link)), w->peer.retransmit_at);
        if (next.ns == RS_NEVER.ns || next.ns > limit.ns)
            return;
        if (next.ns > w->now.ns)
            w->now = next;
        deliver(w);
        peer_expire(&w->peer, w->now);
        if (rs_mono_reached(machine, w->now)) {
            if (rs_mono_reached(tcp_next_expiry(&w->m), w->now))
                tcp_expire(&w->m, w->now, &w->out);
            end_turn(w);
        }
    }
}

bool world_orderly(const struct world *w)
{
    for (unsigned i = 0; i < w->n_trace; i++)
        if ((w->trace[i].flags & TCP_RST) != 0)
            return false;
    return (w->events & TCP_EV_CLOSED) != 0 && tcp_over(&w->m) && peer_done(&w->peer) &&
           !w->wrong_bytes && w->got == w->peer.c.response_bytes;
}

void world_dump(const struct world *w)
{
    for (unsigned i = 0; i < w->n_trace; i++) {
        const struct seen *s = &w->trace[i];
        char flags[16];
        fprintf(stderr, "%9.3f %s %-4s %u:%u(%u) ack %u [%s]%s\n",
                (double)rs_mono_diff(s->at, w->started) / 1e9, s->out ? "out" : "in ",
                wire_flags_format(s->flags, flags), s->seq, s->seq + s->bytes, s->bytes, s->ack,
                wire_ecn_name(s->ecn), s->tries > 1 ? " again" : "");
    }
    fprintf(stderr, "state %s, events %x, got %u, peer state %d got %u fin %d\n",
            tcp_state_name(tcp_state(&w->m)), w->events, w->got, (int)w->peer.state, w->peer.got,
            w->peer.fin_seen);
}
