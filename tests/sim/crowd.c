/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/crowd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "craft/craft.h"

#define SERVER_ISS 7000u
#define SENT_MOST  3000000u

extern const struct plugin plugin_ecn;

static uint32_t number_of(const struct wire_addr *a)
{
    const uint8_t *b = a->family == 4 ? a->bytes : a->bytes + 2;
    return (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (a->family == 4 ? b[3] : a->bytes[15]);
}

/* Number n: 10.n.n.n, or 2001:dNN:NN::n; those below 256 share a /24 or a /48. */
static struct wire_addr address(const struct crowd *w, uint32_t n)
{
    struct wire_addr a = {4, {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n}};
    if (w->c.family == 6)
        a = (struct wire_addr){6, {0x20, 1, 0xd, (uint8_t)(n >> 16), (uint8_t)(n >> 8), 0}};
    if (w->c.family == 6)
        a.bytes[15] = (uint8_t)n;
    return a;
}

static int route(
    void *ctx, const struct wire_addr *dst, rs_mono now, struct hop *out, struct rs_err *err)
{
    (void)ctx, (void)now, (void)err;
    *out = (struct hop){.src = {4, {192, 0, 2, 2}}, .next_hop = {4, {192, 0, 2, 1}}};
    if (dst->family == 6)
        out->src = out->next_hop = (struct wire_addr){6, {0x20, 1, 0xf}};
    return 0;
}

/* The path carries whole packets as payload. */
static void carry(struct link *l, enum link_way way, const uint8_t *ip, size_t n, rs_mono now)
{
    struct wire_segment s = {.cls = SEG_DATA, .payload = ip, .payload_bytes = (uint32_t)n};
    link_send(l, way, &s, now);
}

static int take(void *ctx, const uint8_t *ip, size_t n, const uint8_t mac[6])
{
    struct crowd *w = ctx;
    struct wire_view v;
    (void)mac;
    if (w->no_room)
        return -RS_EAGAIN;
    if (wire_parse(&v, ip, n, WIRE_PARSE_PACKET) != 0)
        abort();
    struct wire_addr to = wire_view_tuple(&v).dst;
    if (w->sent == SENT_MOST)
        abort();
    w->log[w->sent++] = (struct crowd_sent){w->now, (v.flags & TCP_SYN) != 0, number_of(&to) < 256};
    w->syns += (v.flags & TCP_SYN) != 0;
    engine_sent(w->e, ip, n, (rs_wall){(int64_t)w->now.ns + 1}, 0);
    carry(&w->to, TO_SERVER, ip, n, w->now);
    return 0;
}

static void reply(struct crowd *w,
                  const struct wire_view *v,
                  uint16_t flags,
                  uint32_t seq,
                  uint32_t ack,
                  const char *payload)
{
    struct wire_tuple t = wire_view_tuple(v);
    t = wire_tuple_swap(&t);
    struct wire_segment s = {.cls = SEG_ACK,
                             .seq = seq,
                             .ack = ack,
                             .flags = flags,
                             .window = 65000,
                             .ttl = 60,
                             .payload = (const uint8_t *)payload,
                             .payload_bytes = payload == NULL ? 0 : (uint32_t)strlen(payload)};
    uint8_t packet[1400];
    size_t n;
    if (craft_packet(w->craft, &t, &s, packet, sizeof packet, &n, NULL) != 0)
        abort();
    carry(&w->from, TO_CLIENT, packet, n, w->now);
}

static void serve(struct crowd *w, const uint8_t *ip, size_t n)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    struct wire_view v;
    if (wire_parse(&v, ip, n, WIRE_PARSE_PACKET) != 0)
        abort();
    struct wire_addr here = wire_view_tuple(&v).dst;
    if (number_of(&here) * 2654435761u / 256 % 100 < w->c.silent)
        return;
    if (v.flags & TCP_SYN)
        reply(w, &v, TCP_SYN | TCP_ACK, SERVER_ISS, v.seq + 1, NULL);
    else if (v.payload_bytes > 0)
        reply(w, &v, TCP_ACK | TCP_PSH | TCP_FIN, SERVER_ISS + 1, v.seq + v.payload_bytes, answer);
    else if (v.flags & TCP_FIN)
        reply(w, &v, TCP_ACK, SERVER_ISS + 1 + (uint32_t)sizeof answer, v.seq + 1, NULL);
}

static int flush(void *ctx)
{
    (void)ctx;
    return 0;
}

static void record(void *ctx, const char *text, size_t n)
{
    struct crowd *w = ctx;
    static const char works[] = "ecn.connectivity.works";
    w->records++;
    w->works += memmem(text, n, works, sizeof works - 1) != NULL;
}

static uint64_t drops(void *ctx, bool exact)
{
    struct crowd *w = ctx;
    (void)exact;
    return w->drops;
}

static rs_wall wall(void *ctx)
{
    struct crowd *w = ctx;
    return (rs_wall){(int64_t)w->now.ns + 1};
}

void crowd_init(struct crowd *w, const struct crowd_config *c)
{
    static uint16_t ports[4096];
    for (unsigned i = 0; i < 4096; i++)
        ports[i] = (uint16_t)(61000 + i);
    memset(w, 0, sizeof *w);
    w->c = *c;
    w->now = w->started = (rs_mono){1000 * RS_SEC};
    w->craft = craft_new(NULL);
    w->log = calloc(SENT_MOST, sizeof *w->log);
    link_init(&w->to, &c->path, c->seed);
    link_init(&w->from, &c->path, c->seed + 1);
    struct engine_config config = {.plugin = &plugin_ecn,
                                   .exchange = &exchange_http,
                                   .ports = ports,
                                   .n_ports = 4096,
                                   .targets_most = c->targets_most,
                                   .rate = c->rate,
                                   .prefix_rate = c->prefix_rate,
                                   .timeout_ns = 10 * RS_SEC,
                                   .seed = c->seed,
                                   .user_agent = "t"};
    struct engine_ops ops = {.ctx = w,
                             .route = route,
                             .send = take,
                             .flush = flush,
                             .record = record,
                             .drops = drops,
                             .wall = wall};
    if (w->craft == NULL || w->log == NULL || engine_new(&w->e, &config, &ops, w->now, NULL) != 0)
        abort();
}

void crowd_free(struct crowd *w)
{
    engine_stop(w->e, w->now); /* what is in flight owns memory */
    engine_free(w->e);
    craft_free(w->craft);
    link_free(&w->to);
    link_free(&w->from);
    free(w->log);
}

static void feed(struct crowd *w)
{
    static const char raw[] = "{\"dip\":\"10.0.0.1\"}";
    while (engine_has_room(w->e)) {
        uint32_t n = w->fed++;
        bool crowded = n % 100 < w->c.crowded;
        /* Others: one in each /24 or /48. */
        uint32_t number = crowded ? n % 256 : (n % 60000 + 1) * 256 + n / 60000;
        struct job job = {.line = w->fed,
                          .raw = raw,
                          .raw_bytes = sizeof raw - 1,
                          .raw_is_json = true,
                          .dip = address(w, number),
                          .dp = 80,
                          .domain = "example.org"};
        if (engine_add(w->e, &job) != 0)
            abort();
    }
}

static void deliver(struct crowd *w)
{
    struct packet *p;
    while ((p = link_take(&w->to, w->now)) != NULL) {
        serve(w, p->payload, p->seg.payload_bytes);
        free(p);
    }
    while ((p = link_take(&w->from, w->now)) != NULL) {
        rs_wall at = {(int64_t)p->at.ns + 1};
        engine_packet(w->e, p->payload, p->seg.payload_bytes, at, false, w->now);
        free(p);
    }
}

void crowd_run(struct crowd *w, double seconds)
{
    rs_mono until = rs_mono_add(w->now, (uint64_t)(seconds * 1e9));
    while (w->now.ns < until.ns) {
        deliver(w);
        feed(w);
        rs_mono next = rs_mono_min(engine_turn(w->e, w->now), link_next(&w->to));
        next = rs_mono_min(next, link_next(&w->from));
        /* A turn takes its time, as on a machine. */
        rs_mono soonest = rs_mono_add(w->now, 20 * RS_US);
        w->now = rs_mono_min(next.ns > soonest.ns ? next : soonest, until);
    }
}
