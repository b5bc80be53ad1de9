/* SPDX-License-Identifier: GPL-3.0-or-later
 * The engine on a real interface: what comes in goes to it, what it sends leaves, and what this
 * host does meanwhile is followed. */
#include "run/worker.h"

#include <stdio.h>
#include <string.h>

#include "net/clock.h"
#include "run/worker_int.h"
#include "wire/link.h"
#include "wire/print.h"
#include "wire/view.h"

#define CAPTURE_BUDGET 2048
#define TICK_EVERY     64u /* packets; a clock read for each would be a tenth of what it costs */

/* The clocks, as good as read: some packets old at most. Between turns they are not followed. */
static void tick(struct worker *w)
{
    w->now = clock_mono();
    w->wall = clock_wall();
    w->since_tick = 0;
}

static void on_packet(void *ctx, const struct capture_packet *p)
{
    struct worker *w = ctx;
    struct wire_addr neighbour;
    uint8_t mac[6];
    if (++w->since_tick == TICK_EVERY)
        tick(w);
    rs_mono now = w->now;
    if (p->ethertype == WIRE_ETHER_ARP || (p->ethertype == 0x86dd && !p->outgoing)) {
        if (capture_neighbour(p, &neighbour, mac)) {
            router_neighbour_seen(w->router, &neighbour, mac, now);
            return;
        }
        if (p->ethertype == WIRE_ETHER_ARP)
            return;
    }
    engine_packet(w->engine, p->ip, p->ip_captured, p->at, p->outgoing, now);
}

static void on_capture(void *ctx)
{
    struct worker *w = ctx;
    tick(w);
    w->ticks = true;
    if (capture_read(w->capture, on_packet, w, CAPTURE_BUDGET) < 0)
        outage_look(&w->outage, router_changes(w->router), clock_mono());
    w->ticks = false;
}

/* The kernel's news of routes, addresses and links, and what they mean. */
static void take_news(struct worker *w)
{
    router_read(w->router);
    outage_news(&w->outage, router_changes(w->router), clock_mono());
    if (router_outages(w->router) != w->outages)
        engine_outage(w->engine);
    w->outages = router_outages(w->router);
}

static void on_router(void *ctx)
{
    take_news(ctx);
}

static int route(
    void *ctx, const struct wire_addr *dst, rs_mono now, struct hop *out, struct rs_err *err)
{
    struct worker *w = ctx;
    int rc = router_lookup(w->router, dst, now, out, err);
    outage_news(&w->outage, router_changes(w->router), now);
    bool waits = outage_holds(&w->outage, dst->family) || rc == -RS_ENOENT;
    if (waits && outage_may_pass(&w->outage, dst->family, now))
        return -RS_EAGAIN; /* its path was not at fault */
    if (rc == 0 && w->o->source.family == dst->family)
        out->src = w->o->source;
    return rc;
}

static int send_packet(void *ctx, const uint8_t *ip, size_t n, const uint8_t mac[6])
{
    struct worker *w = ctx;
    return inject_queue(w->inject, ip, n, mac);
}

/* In place of send_packet in a dry run. */
static int print_packet(void *ctx, const uint8_t *ip, size_t n, const uint8_t mac[6])
{
    struct worker *w = ctx;
    struct wire_view v;
    char line[512];
    (void)mac;
    if (wire_parse(&v, ip, n, WIRE_PARSE_PACKET) != 0)
        return -RS_EPROTO;
    wire_print(line, sizeof line, &v, WIRE_PRINT_ADDRESSES, 0, 0);
    w->ops.packet(w->ops.ctx, line);
    return 0;
}

static int flush(void *ctx)
{
    struct worker *w = ctx;
    int rc = inject_flush(w->inject);
    tick(w); /* what ends now ends after its last packet left */
    return rc;
}

static uint64_t drops(void *ctx, bool exact)
{
    struct worker *w = ctx;
    rs_mono now = w->ticks ? w->now : clock_mono();
    if (exact || rs_mono_diff(now, w->drops_at) > 100 * RS_MS) {
        capture_stats(w->capture, &w->drops);
        w->drops_at = now;
    }
    if (exact)
        take_news(w); /* is the interface still there? */
    /* Not what the interface drops: Linux counts there every frame of a protocol that nobody wants.
     */
    return w->drops.kernel_dropped;
}

static rs_wall wall(void *ctx)
{
    struct worker *w = ctx;
    return w->ticks ? w->wall : clock_wall();
}

static void record(void *ctx, const char *text, size_t n)
{
    struct worker *w = ctx;
    w->ops.record(w->ops.ctx, text, n);
}

static void arm_log(void *ctx, const char *text, size_t n)
{
    struct worker *w = ctx;
    w->ops.arm_log(w->ops.ctx, text, n);
}

static void tap(void *ctx, const uint8_t *ip, size_t n, rs_wall at, enum engine_way way)
{
    struct worker *w = ctx;
    w->ops.tap(w->ops.ctx, ip, n, at, way);
}

static void trace(void *ctx, const char *line)
{
    struct worker *w = ctx;
    w->ops.trace(w->ops.ctx, line);
}

static void notice(void *ctx, const char *text)
{
    struct worker *w = ctx;
    w->ops.notice(w->ops.ctx, text);
}

struct engine_ops worker_engine_ops(struct worker *w)
{
    return (struct engine_ops){.ctx = w,
                               .route = route,
                               .send = w->o->dryrun ? print_packet : send_packet,
                               .flush = flush,
                               .record = record,
                               .arm_log = w->ops.arm_log != NULL ? arm_log : NULL,
                               .tap = w->ops.tap != NULL ? tap : NULL,
                               .drops = drops,
                               .wall = wall,
                               .trace = trace,
                               .notice = notice};
}

static int watch(void *ctx, struct loop *loop, struct rs_err *err)
{
    struct worker *w = ctx;
    int rc = loop_watch(loop, capture_fd(w->capture), on_capture, w);
    if (rc >= 0)
        rc = loop_watch(loop, router_fd(w->router), on_router, w);
    w->look_at = clock_mono();
    return rc >= 0 ? 0 : rs_fail(err, RS_ESYS, "the event loop cannot watch what it must");
}

static struct engine *engine(void *ctx)
{
    struct worker *w = ctx;
    return w->engine;
}

/* Once a second: what nothing else would notice. */
static void look_around(struct worker *w, rs_mono now)
{
    uint64_t before = w->drops.kernel_dropped;
    capture_stats(w->capture, &w->drops);
    if (w->drops.kernel_dropped > before)
        engine_pressure(w->engine, now);
    outage_news(&w->outage, router_changes(w->router), now);
    w->look_at = rs_mono_add(now, RS_SEC);
}

static rs_mono turn(void *ctx, rs_mono now)
{
    struct worker *w = ctx;
    tick(w);
    w->ticks = true;
    rs_mono next = engine_turn(w->engine, now);
    w->ticks = false;
    if (inject_pressure(w->inject) > 0)
        engine_pressure(w->engine, now);
    if (inject_waiting(w->inject) > 0)
        next = rs_mono_min(next, rs_mono_add(now, RS_MS));
    if (rs_mono_reached(w->look_at, now))
        look_around(w, now);
    return rs_mono_min(next, w->look_at);
}

static void counts(void *ctx, struct worker_counts *out)
{
    struct worker *w = ctx;
    unsigned ports;
    guard_ports(w->guard, &ports);
    capture_stats(w->capture, &w->drops);
    *out = (struct worker_counts){.engine = *engine_counters(w->engine),
                                  .capture = w->drops,
                                  .sendto_retries = inject_stats(w->inject)->retries,
                                  .table_bytes = engine_table_bytes(w->engine),
                                  .ports = ports,
                                  .ports_taken = guard_taken(w->guard),
                                  .in_flight = engine_in_flight(w->engine)};
}

const struct worker_kind worker_of_network = {.open = worker_open,
                                              .watch = watch,
                                              .engine = engine,
                                              .turn = turn,
                                              .counts = counts,
                                              .close = worker_close};

const struct iface *worker_iface(const struct worker *w)
{
    return &w->iface;
}

enum guard_method worker_guard_method(const struct worker *w)
{
    return guard_method(w->guard);
}
