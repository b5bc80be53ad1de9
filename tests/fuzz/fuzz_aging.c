/* SPDX-License-Identifier: GPL-3.0-or-later
 * The flow table of the passive observer. The first five bytes configure it; what follows are
 * packets, at any times. It holds no more flows than it may, every packet is in one flow and every
 * flow comes out once, with a reason that its times bear out. */
#include <string.h>

#include "fuzz/packets.h"
#include "observe/aging.h"

struct world {
    struct aging aging;
    uint64_t given, ended, counted; /* packets given; flows that came out, packets in them */
    int64_t now;                    /* the highest time yet */
    bool flushing;
};

static void on_ended(void *ctx, const struct flow *f, enum flow_end why)
{
    struct world *w = ctx;
    const struct aging_config *c = &w->aging.config;
    w->ended++;
    w->counted += f->pkt_fwd + f->pkt_rev;
    CHECK(f->pkt_fwd + f->pkt_rev > 0 && f->pkt_last <= w->now && f->chains == c->chains);
    CHECK(flow_end_name(why)[0] != '?');
    uint64_t unheard = (uint64_t)w->now - (uint64_t)f->pkt_last;
    uint64_t lasted = (uint64_t)w->now - (uint64_t)f->pkt_first;
    CHECK(w->flushing == (why == FLOW_END_END) || why == FLOW_END_CLOSED);
    CHECK(why != FLOW_END_IDLE || unheard >= c->idle_ns);
    CHECK(why != FLOW_END_ACTIVE || (c->active_ns != 0 && lasted >= c->active_ns));
    CHECK(why != FLOW_END_EVICTED || aging_open(&w->aging) == c->flows_most);
    if (w->aging.stats.backwards == 0 && why == FLOW_END_END)
        CHECK(unheard < c->idle_ns && (c->active_ns == 0 || lasted < c->active_ns));
}

static void check(const struct world *w)
{
    const struct aging *a = &w->aging;
    uint64_t ended = 0;
    for (unsigned why = 0; why < FLOW_END_N; why++)
        ended += a->stats.ended[why];
    CHECK(aging_open(a) <= a->config.flows_most && a->stats.open_most <= a->config.flows_most);
    CHECK(a->stats.flows == w->ended + aging_open(a) && ended == w->ended);
    CHECK(a->stats.packets == w->given && a->slab.used == aging_open(a));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t spans[8] = {1,           RS_MS,         RS_SEC,     5 * RS_SEC,
                                      30 * RS_SEC, 3600 * RS_SEC, UINT64_MAX, 3 * RS_SEC};
    struct world w = {.now = INT64_MIN};
    struct maker m;
    struct packet p;
    if (size < 5)
        return 0;
    struct aging_config c = {.chains = (((uint32_t)data[0] << 8 | data[1]) & CHAINS_ALL) |
                                       CHAIN_BIT(CHAIN_BASIC),
                             .flows_most = 1 + (data[2] & 7u),
                             .idle_ns = spans[data[3] & 7u],
                             .close_ns = spans[data[3] >> 3 & 7u],
                             .active_ns = data[4] & 8 ? spans[data[4] & 7u] : 0,
                             .key = {1, 2},
                             .ended = on_ended,
                             .ctx = &w};
    CHECK(aging_init(&w.aging, &c) == 0);
    maker_init(&m, data + 5, size - 5);
    while (make_packet(&m, &p)) {
        struct wire_view v;
        if (p.at.ns > w.now)
            w.now = p.at.ns;
        if (wire_parse(&v, p.bytes, p.n, WIRE_PARSE_PACKET) == 0) {
            w.given++;
            aging_packet(&w.aging, &v, p.at);
        } else {
            aging_advance(&w.aging, p.at);
        }
        free(p.bytes);
        check(&w);
    }
    w.flushing = true;
    aging_flush(&w.aging);
    check(&w);
    CHECK(aging_open(&w.aging) == 0 && w.aging.stats.lost == 0 && w.counted == w.given);
    aging_free(&w.aging);
    return 0;
}
