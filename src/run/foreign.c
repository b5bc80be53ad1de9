/* SPDX-License-Identifier: GPL-3.0-or-later
 * A capture that something else made: tcpdump beside a run of PATHspider, say. There is no arm log,
 * so outcomes are read from the packets, and what they do not tell is not captured (law 3). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/arm_match.h"
#include "run/foreign_int.h"

#define AGAIN            (RS_SEC / 2) /* sooner, it is no retransmission (RFC 6298 2) but captured twice */
#define TWICE            RS_MS        /* copies of one packet, from two places, come within that */
#define LOSS_BYTES       (1u << 20) /* acknowledged beyond what was seen: the capture has a hole */
#define CONNECTIONS_MOST 1000000    /* about 600 bytes each; they are kept until all is read */

static struct connection *begin(struct foreign *g, const struct wire_view *syn, rs_wall at)
{
    struct wire_tuple tuple = wire_view_tuple(syn);
    const struct plugin *plugin = g->c->o->plugin;
    struct connection *k =
        calloc(1, offsetof(struct connection, a) + attempt_bytes(plugin->chains));
    if (k == NULL) {
        g->c->failed = rs_fail(g->c->err, RS_ENOMEM, "no memory for another connection");
        return NULL;
    }
    k->arm = arm_of_syn(plugin, syn);
    g->of_no_arm += k->arm < 0;
    classify_attempt_init(g->c, &k->a, &tuple);
    k->a.flow.owner = k;
    k->a.log.planned = k->a.log.sent = at;
    flow_table_add(&g->c->flows, &k->a.flow);
    *g->end = k;
    g->end = &k->next;
    g->n++;
    return k;
}

/* An interface that is captured twice, or one on both sides of a bridge, gives each packet twice.
 */
static bool is_copy(struct connection *k, const struct wire_view *v, enum flow_dir dir, rs_wall at)
{
    struct last_segment *last = &k->seen[dir];
    int64_t since = at.ns - last->at.ns;
    bool same = last->at.ns != 0 && since >= 0 && since < (int64_t)TWICE && last->seq == v->seq &&
                last->ack == v->ack && last->payload_bytes == v->payload_bytes &&
                last->flags == v->flags && last->ip_id == v->ip_id;
    *last = (struct last_segment){.seq = v->seq,
                                  .ack = v->ack,
                                  .payload_bytes = v->payload_bytes,
                                  .flags = v->flags,
                                  .ip_id = v->ip_id,
                                  .at = at};
    return same;
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

static void from_server(struct foreign *g,
                        struct connection *k,
                        const struct received *r,
                        rs_wall at)
{
    struct flow *f = &k->a.flow;
    if (r->kind == RECEIVED_SEGMENT)
        look_for_holes(k, &r->view);
    g->answers++;
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
        f = NULL;
        if (g->n == CONNECTIONS_MOST) {
            g->beyond++;
            return;
        }
        struct connection *k = begin(g, v, at);
        f = k == NULL ? NULL : &k->a.flow;
    }
    if (f == NULL) {
        g->without_syn++;
        return;
    }
    struct connection *k = f->owner;
    if (is_copy(k, v, dir, at)) {
        g->twice++;
        return;
    }
    k->last = at;
    if (dir == FLOW_FWD)
        from_client(g, k, v, at);
    else
        from_server(g, k, r, at);
}

static void on_packet(void *ctx, const struct trace_packet *p)
{
    struct foreign *g = ctx;
    struct received r;
    enum flow_dir dir;
    if (g->c->failed != 0)
        return;
    g->has_own_packets = g->has_own_packets || p->way == TRACE_SENT;
    if (p->at.ns > g->last.ns)
        g->last = p->at;
    received_parse(&r, p->ip, p->ip_captured);
    if (r.kind == RECEIVED_SEGMENT) {
        segment(g, &r, p->at);
    } else if (r.kind == RECEIVED_ERROR) {
        struct flow *f = flow_table_find(&g->c->flows, &r.tuple, &dir);
        if (f != NULL && dir == FLOW_FWD)
            from_server(g, f->owner, &r, p->at);
    }
}

static void tell(const struct foreign *g)
{
    struct classify *c = g->c;
    if (c->o->log == NULL)
        classify_notice(
            c, g->has_own_packets
                   ? "rawspider made this capture, but its arm log is not beside it: without "
                     "it the records are not those of the run (--log FILE, or --log none)"
                   : "there is no arm log beside it: arms are told by their SYNs, outcomes by "
                     "the packets (--log none: no need to say so)");
    if (g->n == 0)
        classify_notice(c, "no TCP connection with its SYN is in the capture");
    if (g->without_syn > 0)
        classify_notice(
            c,
            "%zu TCP segments belong to connections whose SYN is not in the capture, or "
            "comes after them: they are not classified",
            g->without_syn);
    if (g->of_no_arm > 0)
        classify_notice(c, "%zu connections open with a SYN of no arm of %s", g->of_no_arm,
                        c->o->plugin->name);
    if (g->twice > 0)
        classify_notice(c, "%zu packets are in the capture twice: their copies do not count",
                        g->twice);
    if (g->beyond > 0)
        classify_notice(c, "only the first %d connections are looked at; %zu are left out",
                        CONNECTIONS_MOST, g->beyond);
}

int classify_foreign(struct classify *c)
{
    struct foreign g = {.c = c};
    g.end = &g.first;
    int rc = classify_ready(c);
    if (rc != 0)
        return rc;
    classify_read(c, on_packet, &g);
    if (c->failed == 0)
        foreign_targets(&g);
    c->result->damaged = c->result->damaged || g.beyond > 0;
    tell(&g);
    for (struct connection *k = g.first, *next; k != NULL; k = next) {
        next = k->next;
        free(k);
    }
    return 0;
}
