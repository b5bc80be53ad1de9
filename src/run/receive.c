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
    return f != NULL && dir == want ? f->owner : NULL;
}

/* RFC 5927 4: an ICMP error counts only if it quotes a segment of ours that is still
 * unacknowledged. */
static void icmp_error(struct engine *e, const struct wire_view *v, rs_wall at)
{
    struct wire_view quote;
    if (!(v->have & WIRE_QUOTE) ||
        wire_parse(&quote, v->quote, v->quote_bytes, WIRE_PARSE_QUOTE) != 0 ||
        !(quote.have & WIRE_PORTS)) {
        e->counters.malformed++;
        return;
    }
    struct wire_tuple tuple = wire_view_tuple(&quote);
    struct conn *c = find(e, &tuple, FLOW_FWD);
    if (c == NULL) {
        e->counters.unmatched++;
        return;
    }
    if (c->ended || !(quote.have & WIRE_TCP_SEQ) || !tcp_quote_plausible(&c->tcp, quote.seq)) {
        e->counters.unbelievable++;
        return;
    }
    struct arm_log *log = &c->held->a.log;
    trace_packet(e, c->target, log, v, "in ", at, c);
    flow_icmp_error(&c->held->a.flow, v, at);
    c->icmp_seen = true;
    log->icmp_type = v->icmp_type;
    log->icmp_code = v->icmp_code;
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
static void host_emitted(struct engine *e, const struct wire_view *v, rs_wall at, rs_mono now)
{
    struct wire_view quote;
    struct wire_tuple tuple;
    bool icmp = wire_is_icmp_error(v);
    if (icmp) { /* quotes what came in: the flow in reverse */
        if (!(v->have & WIRE_QUOTE) ||
            wire_parse(&quote, v->quote, v->quote_bytes, WIRE_PARSE_QUOTE) != 0 ||
            !(quote.have & WIRE_PORTS))
            return;
        tuple = wire_view_tuple(&quote);
    } else {
        if (!(v->have & WIRE_TCP) || !(v->flags & TCP_RST))
            return;
        tuple = wire_view_tuple(v);
    }
    struct conn *c = find(e, &tuple, icmp ? FLOW_REV : FLOW_FWD);
    if (c == NULL || c->ended)
        return;
    if (!icmp && c->held->a.flow.tcp_rst_fwd)
        return; /* our own, seen because the injector does not bypass the taps */
    e->counters.host_rejects++;
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

void engine_packet(
    struct engine *e, const uint8_t *ip, size_t n, rs_wall at, bool outgoing, rs_mono now)
{
    struct wire_view v;
    int rc = wire_parse(&v, ip, n, WIRE_PARSE_PACKET);
    if (outgoing) {
        if (rc == 0)
            host_emitted(e, &v, at, now);
        return;
    }
    e->counters.packets_received++;
    e->counters.bytes_received += n;
    if (rc != 0) {
        e->counters.malformed++;
        return;
    }
    if (v.have & WIRE_FRAGMENT) { /* without its other parts it proves nothing and carries no whole
                                     segment */
        e->counters.fragments++;
        return;
    }
    if (wire_is_icmp_error(&v)) {
        icmp_error(e, &v, at);
        return;
    }
    if (!(v.have & WIRE_TCP)) {
        e->counters.unmatched++;
        return;
    }
    struct wire_tuple tuple = wire_view_tuple(&v);
    struct conn *c = find(e, &tuple, FLOW_REV);
    if (c == NULL) {
        e->counters.unmatched++;
        if (v.l4_cksum != WIRE_CKSUM_BAD)
            stray_segment(e, &v, now);
        return;
    }
    trace_packet(e, c->target, &c->held->a.log, &v, "in ", at, c);
    if (v.l4_cksum == WIRE_CKSUM_BAD || v.ip_cksum == WIRE_CKSUM_BAD) {
        e->counters.bad_checksum++;
        c->held->a.flow.bad_checksum_rev++;
        return;
    }
    conn_segment(e, c, &v, at, now);
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
    if (c == NULL)
        return;
    struct arm_log *log = &c->held->a.log;
    if (log->sent.ns == 0)
        log->sent = at;
    flow_packet(&c->held->a.flow, &v, FLOW_FWD, at);
    trace_packet(e, c->target, log, &v, "out", at, c);
}
