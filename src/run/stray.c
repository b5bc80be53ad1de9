/* SPDX-License-Identifier: GPL-3.0-or-later
 * Segments on our ports that belong to no connection any more. The guard keeps the kernel quiet, so
 * what RFC 9293 3.10.7.1 asks of a closed port falls to us: without it, a peer whose last segment
 * was lost would repeat itself for minutes. Only ports that the guard holds are answered, and only
 * so many times a second: strangers may send anything here. */
#include <string.h>

#include "run/engine_int.h"
#include "wire/options.h"

#define STRAYS_A_SECOND 200.0

static bool our_port(const struct engine *e, uint16_t port)
{
    return (e->our_ports[port / 8] & (1u << (port % 8))) != 0;
}

static bool may_answer(struct engine *e, rs_mono now)
{
    e->stray_tokens += (double)rs_mono_diff(now, e->stray_at) * STRAYS_A_SECOND / 1e9;
    if (e->stray_tokens > STRAYS_A_SECOND)
        e->stray_tokens = STRAYS_A_SECOND;
    e->stray_at = now;
    if (e->stray_tokens < 1)
        return false;
    e->stray_tokens -= 1;
    return true;
}

void stray_segment(struct engine *e, const struct wire_view *v, rs_mono now)
{
    bool fin = (v->flags & TCP_FIN) != 0;
    bool draws_rst = (v->flags & TCP_SYN) || v->payload_bytes > 0;
    if ((v->flags & TCP_RST) || !(v->flags & TCP_ACK) || !(fin || draws_rst) ||
        !our_port(e, v->dport))
        return;
    struct wire_tuple tuple = {
        .src = v->dst, .dst = v->src, .proto = IP_PROTO_TCP, .sport = v->dport, .dport = v->sport};
    struct wire_segment s = {.cls = fin ? SEG_ACK : SEG_RST,
                             .ordinal = 1,
                             .tries = 1,
                             .seq = v->ack,
                             .flags = fin ? TCP_ACK : TCP_RST,
                             .ttl = CONN_TTL,
                             .ip_flags = 2,
                             .ip_id = e->ip_id++,
                             .flow_label = flow_label_for(e, &v->src)};
    struct wire_options theirs, ours = {.have = OPT_TIMESTAMP};
    wire_options_parse(&theirs, v->options, v->options_bytes);
    if (fin) { /* as from TIME-WAIT (RFC 9293 3.10.7.4, step 8): acknowledge it once more */
        s.ack = v->seq + v->payload_bytes + 1;
        s.window = 501;
        ours.tsval = tsval_offset(e, &v->src) + (uint32_t)(now.ns / RS_MS);
        ours.tsecr = theirs.tsval;
        if (theirs.have & OPT_TIMESTAMP)
            s.options_bytes = (uint8_t)wire_options_write(&ours, false, s.options);
    }
    uint8_t packet[128];
    size_t n;
    struct hop hop;
    if (!may_answer(e, now) || e->ops.route(e->ops.ctx, &v->src, now, &hop, NULL) != 0 ||
        craft_packet(e->craft, &tuple, &s, packet, sizeof packet, &n, NULL) != 0)
        return;
    if (e->ops.send(e->ops.ctx, packet, n, hop.mac) == 0)
        e->counters.strays_answered++;
    pace_stray(e, &v->src);
}
