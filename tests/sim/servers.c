/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/servers.h"

#include <string.h>

#include "base/cursor.h"
#include "wire/cksum.h"
#include "wire/view.h"

static const char answer[] =
    "HTTP/1.1 200 OK\r\nServer: memory\r\nContent-Length: 200\r\nConnection: "
    "close\r\n\r\n";
#define BODY_BYTES 200u

static rs_wall wall(void *ctx)
{
    const struct servers *c = ctx;
    return (rs_wall){(int64_t)(c->now.ns + UINT64_C(1800000000) * RS_SEC)};
}

static int route(
    void *ctx, const struct wire_addr *dst, rs_mono now, struct hop *out, struct rs_err *err)
{
    (void)ctx, (void)now, (void)err;
    memset(out, 0, sizeof *out);
    out->src = (struct wire_addr){4, {192, 0, 2, 2}};
    if (dst->family == 6)
        out->src = (struct wire_addr){6, {0x20, 1, 0xd, 0xb8, [15] = 2}};
    out->next_hop = *dst;
    return 0;
}

static int take(void *ctx, const uint8_t *ip, size_t n, const uint8_t mac[6])
{
    struct servers *c = ctx;
    (void)mac;
    if (c->n_out == SERVERS_SLOTS || n > sizeof c->out[0].bytes)
        return -RS_EAGAIN;
    memcpy(c->out[c->n_out].bytes, ip, n);
    c->out[c->n_out++].n = (uint16_t)n;
    return 0;
}

/* The headers of the packet turned round; what is behind them is the caller's. */
static struct server_packet *turned(struct servers *c,
                                    const struct server_packet *p,
                                    unsigned ip_bytes)
{
    if (c->n_in == SERVERS_SLOTS) {
        c->lost++;
        return NULL;
    }
    struct server_packet *to = &c->in[(c->in_first + c->n_in++) & (SERVERS_SLOTS - 1)];
    to->at = rs_mono_add(c->now, c->delay_ns);
    unsigned at = ip_bytes == 20 ? 12 : 8, bytes = ip_bytes == 20 ? 4 : 16;
    memcpy(to->bytes, p->bytes, ip_bytes + 20u);
    memcpy(to->bytes + at, p->bytes + at + bytes, bytes);
    memcpy(to->bytes + at + bytes, p->bytes + at, bytes);
    memcpy(to->bytes + ip_bytes, p->bytes + ip_bytes + 2, 2);
    memcpy(to->bytes + ip_bytes + 2, p->bytes + ip_bytes, 2);
    return to;
}

static void finish(struct server_packet *to,
                   const struct wire_view *v,
                   uint32_t seq,
                   uint32_t ack,
                   unsigned flags,
                   unsigned payload,
                   unsigned ecn)
{
    bool ip4 = (v->have & WIRE_IP4) != 0;
    unsigned ip_bytes = ip4 ? 20 : 40, l4_bytes = 20 + payload;
    uint8_t *tcp = to->bytes + ip_bytes;
    struct wire_tuple t = wire_view_tuple(v);
    put_be32(tcp + 4, seq);
    put_be32(tcp + 8, ack);
    tcp[12] = 0x50;
    tcp[13] = (uint8_t)flags;
    put_be16(tcp + 14, 64000);
    put_be32(tcp + 16, 0);
    put_be16(tcp + 16, (uint16_t)~wire_sum_fold(
                           wire_sum(wire_sum_pseudo(&t.dst, &t.src, 6, l4_bytes), tcp, l4_bytes)));
    if (ip4) {
        to->bytes[1] = (uint8_t)ecn;
        put_be16(to->bytes + 2, (uint16_t)(20 + l4_bytes));
        to->bytes[8] = 60;
        put_be16(to->bytes + 10, 0);
        put_be16(to->bytes + 10, (uint16_t)~wire_sum_fold(wire_sum(0, to->bytes, 20)));
    } else {
        to->bytes[1] = (uint8_t)(ecn << 4);
        put_be16(to->bytes + 4, (uint16_t)l4_bytes);
        to->bytes[7] = 60;
    }
    to->n = (uint16_t)(ip_bytes + l4_bytes);
}

static void serve(struct servers *c, const struct server_packet *p)
{
    struct wire_view v;
    struct server_packet *to;
    if (wire_parse(&v, p->bytes, p->n, WIRE_PARSE_PACKET) != 0)
        return;
    unsigned ip_bytes = v.have & WIRE_IP4 ? 20 : 40;
    uint32_t iss = 1000000u * (1u + ((v.flags & TCP_ECE) != 0));
    if (c->silence == SERVERS_NO_SYNACK)
        return;
    if (v.flags & TCP_SYN) { /* the number says whether ECN was negotiated */
        if ((to = turned(c, p, ip_bytes)) != NULL)
            finish(to, &v, iss, v.seq + 1, TCP_SYN | TCP_ACK | (v.flags & TCP_CWR ? TCP_ECE : 0), 0,
                   0);
    } else if (v.payload_bytes > 0) {
        if ((to = turned(c, p, ip_bytes)) == NULL)
            return;
        if (c->silence == SERVERS_NO_RESPONSE) {
            finish(to, &v, v.ack, v.seq + v.payload_bytes, TCP_ACK, 0, 0);
            return;
        }
        uint8_t *body = to->bytes + ip_bytes + 20;
        memcpy(body, answer, sizeof answer - 1);
        memset(body + sizeof answer - 1, 'x', BODY_BYTES);
        finish(to, &v, v.ack, v.seq + v.payload_bytes, TCP_ACK | TCP_PSH | TCP_FIN,
               sizeof answer - 1 + BODY_BYTES, v.ack >= 2000000u ? 2 : 0);
    } else if (v.flags & TCP_FIN) {
        if ((to = turned(c, p, ip_bytes)) != NULL)
            finish(to, &v, v.ack, v.seq + 1, TCP_ACK, 0, 0);
    }
}

/* What was sent is told first, as an injector does, and then answered. */
static int flush(void *ctx)
{
    struct servers *c = ctx;
    rs_wall at = wall(c);
    for (unsigned i = 0; i < c->n_out; i++)
        engine_sent(c->engine, c->out[i].bytes, c->out[i].n, at, 0);
    for (unsigned i = 0; i < c->n_out; i++)
        serve(c, &c->out[i]);
    c->packets += c->n_out;
    c->n_out = 0;
    return 0;
}

static void record(void *ctx, const char *text, size_t n)
{
    static const char right[] =
        "\"conditions\":[\"ecn.connectivity.works\",\"ecn.negotiation.succeeded\","
        "\"ecn.ipmark.ect0.seen\",\"ecn.ipmark.ect1.not_seen\","
        "\"ecn.ipmark.ce.not_seen\"]";
    struct servers *c = ctx;
    c->records++;
    if (c->on_record != NULL)
        c->on_record(c->ctx, text, n);
    c->wrong += memmem(text, n, right, sizeof right - 1) == NULL;
}

static uint64_t drops(void *ctx, bool exact)
{
    struct servers *c = ctx;
    (void)exact;
    return c->lost;
}

void servers_init(struct servers *c, struct engine_ops *ops, rs_mono now)
{
    memset(c, 0, sizeof *c);
    c->now = now;
    *ops = (struct engine_ops){.ctx = c,
                               .route = route,
                               .send = take,
                               .flush = flush,
                               .record = record,
                               .drops = drops,
                               .wall = wall};
}

rs_mono servers_turn(struct servers *c, rs_mono now)
{
    c->now = now;
    while (c->n_in > 0 && rs_mono_reached(c->in[c->in_first].at, now)) {
        const struct server_packet *p = &c->in[c->in_first];
        engine_packet(c->engine, p->bytes, p->n, wall(c), false, now);
        c->in_first = (c->in_first + 1) & (SERVERS_SLOTS - 1);
        c->n_in--;
        c->packets++;
    }
    rs_mono next = engine_turn(c->engine, now);
    return c->n_in > 0 ? rs_mono_min(next, c->in[c->in_first].at) : next;
}
