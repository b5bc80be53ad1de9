/* SPDX-License-Identifier: GPL-3.0-or-later
 * Packets in: which connection they belong to, whether they are to be believed (law 5), and what
 * this host itself emits about our ports (law 3). Packets out come here, too, once the kernel took
 * them: the observer sees what was sent. */
#include <stdio.h>
#include <string.h>

#include "run/engine_int.h"

static struct conn *find(struct engine *e, const struct wire_tuple *tuple, enum flow_dir want)
{
    enum flow_dir dir;
    struct flow *f = flow_table_find(&e->flows, tuple, &dir);
    return f != NULL && dir == want ? conn_of(e, f->owner) : NULL;
}

/* What was sent and received, in the order in which it was looked at: with the arm log, all that a
 * verdict is made of (law 2). */
static void tap(struct engine *e, const uint8_t *ip, size_t n, rs_wall at, enum engine_way way)
{
    if (e->ops.tap == NULL)
        return;
    e->packets++;
    e->ops.tap(e->ops.ctx, ip, n, at, way);
}

static void icmp_error(struct engine *e, const struct received *r, rs_wall at)
{
    struct conn *c = find(e, &r->tuple, FLOW_FWD);
    if (c == NULL) {
        e->counters.unmatched++;
        return;
    }
    if (flow_received(&c->held->a.flow, r, at) != BELIEVED) {
        e->counters.unbelievable++;
        return;
    }
    struct arm_log *log = &c->held->a.log;
    trace_packet(e, c->target, log, &r->view, "in ", at, c);
    if (c->ended)
        return;
    c->icmp_seen = true;
    log->icmp_type = r->view.icmp_type;
    log->icmp_code = r->view.icmp_code;
    /* RFC 9293 3.9.2.2 lets TCP end on hard errors; we go on trying: an answer would be better
     * evidence. */
}

void notice_once(struct engine *e, unsigned bit, const char *text)
{
    if (e->notices & (UINT64_C(1) << bit))
        return;
    e->notices |= UINT64_C(1) << bit;
    if (e->ops.notice != NULL)
        e->ops.notice(e->ops.ctx, text);
}

/* Law 3: this host answered for us. The attempt says nothing about the path any more. */
static void host_emitted(struct engine *e, const uint8_t *ip, size_t n, rs_wall at, rs_mono now)
{
    struct received r;
    received_parse(&r, ip, n);
    bool icmp = r.kind == RECEIVED_ERROR; /* quotes what came in: the flow in reverse */
    if (!icmp && (r.kind != RECEIVED_SEGMENT || !(r.view.flags & TCP_RST)))
        return;
    const struct wire_tuple tuple = r.tuple;
    const struct wire_view *v = &r.view;
    struct conn *c = find(e, &tuple, icmp ? FLOW_REV : FLOW_FWD);
    if (c == NULL || c->ended)
        return;
    if (!icmp && c->held->a.flow.tcp_rst_fwd)
        return; /* our own, seen because the injector does not bypass the taps */
    e->counters.host_rejects++;
    tap(e, ip, n, at, WAY_HOST);
    trace_packet(e, c->target, &c->held->a.log, v, "host", at, c);
    notice_once(e, icmp,
                icmp ? "this host itself sends ICMP errors about our connections: a firewall here "
                       "rejects replies to packets "
                       "that it did not see leave. These targets become measure.incomplete. Try -X "
                       "(send through the host's "
                       "IP layer), or let the firewall drop instead of reject for our source ports."
                     : "this host itself sends RSTs on our connections: a firewall here rejects "
                       "replies to packets that it did "
                       "not see leave. These targets become measure.incomplete. Try -X (send "
                       "through the host's IP layer), "
                       "or let the firewall drop instead of reject for our source ports.");
    conn_stop(e, c, OUTCOME_HOST_REJECTED,
              icmp ? "this host sent an ICMP error" : "this host sent an RST", now);
}

static void segment(struct engine *e, const struct received *r, rs_wall at, rs_mono now)
{
    struct conn *c = find(e, &r->tuple, FLOW_REV);
    if (c == NULL) {
        e->counters.unmatched++;
        if (r->view.l4_cksum != WIRE_CKSUM_BAD)
            stray_segment(e, &r->view, now);
        return;
    }
    trace_packet(e, c->target, &c->held->a.log, &r->view, "in ", at, c);
    conn_segment(e, c, r, at, now);
}

void engine_packet(
    struct engine *e, const uint8_t *ip, size_t n, rs_wall at, bool outgoing, rs_mono now)
{
    if (outgoing) {
        host_emitted(e, ip, n, at, now);
        return;
    }
    struct received r;
    pace_seen(e, at);
    e->counters.packets_received++;
    e->counters.bytes_received += n;
    tap(e, ip, n, at, WAY_RECEIVED);
    received_parse(&r, ip, n);
    switch (r.kind) {
    case RECEIVED_MALFORMED:
        e->counters.malformed++;
        break;
    case RECEIVED_FRAGMENT:
        e->counters.fragments++;
        break;
    case RECEIVED_OTHER:
        e->counters.unmatched++;
        break;
    case RECEIVED_SEGMENT:
        segment(e, &r, at, now);
        break;
    case RECEIVED_ERROR:
        icmp_error(e, &r, at);
        break;
    }
}

void engine_sent(struct engine *e, const uint8_t *ip, size_t n, rs_wall at, int error)
{
    struct wire_view v;
    if (wire_parse(&v, ip, n, WIRE_PARSE_PACKET) != 0)
        return;
    struct wire_tuple tuple = wire_view_tuple(&v);
    struct conn *c = find(e, &tuple, FLOW_FWD);
    if (error != 0) {
        e->counters.send_errors++;
        if (c == NULL)
            return;
        trace_note(e, c->target, &c->held->a.log, "not sent: %s", strerror(error));
        c->send_errno = error;
        if ((v.flags & TCP_SYN) && c->held->a.log.sent.ns == 0)
            conn_stop(e, c, OUTCOME_NOT_SENT, strerror(error), (rs_mono){0});
        return;
    }
    e->counters.packets_sent++;
    e->counters.bytes_sent += n;
    tap(e, ip, n, at, WAY_SENT);
    if (c == NULL)
        return;
    struct arm_log *log = &c->held->a.log;
    if (log->sent.ns == 0)
        log->sent = at;
    flow_sent(&c->held->a.flow, &v, at);
    trace_packet(e, c->target, log, &v, "out", at, c);
}
