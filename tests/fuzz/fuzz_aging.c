/* SPDX-License-Identifier: GPL-3.0-or-later
 * The flow table of the passive observer. The first five bytes configure it; what follows are
 * packets, at any times. It holds no more flows than it may, every packet is in one flow and every
 * flow comes out once, with a reason that its times bear out. In batches it is all the same. */
#include <string.h>

#include "base/hash.h"
#include "fuzz/packets.h"
#include "observe/aging.h"

struct world {
    struct aging aging;
    uint64_t given, ended, counted; /* packets given; flows that came out, packets in them */
    uint64_t digest;                /* of all that came out, in order */
    int64_t now;                    /* the highest time yet; of a batch, its end */
    bool flushing;
};

static void note(struct world *w, const struct flow *f, enum flow_end why)
{
    static const struct rs_key key = {1, 2};
    uint64_t facts[] = {w->digest, (uint64_t)why, rs_siphash(&key, &f->tuple, sizeof f->tuple), 0};
    for (unsigned i = 0; i < flow_fields_n; i++) {
        int64_t value = -1;
        flow_value(f, &flow_fields[i], &value);
        facts[3] = facts[3] * 31 + (uint64_t)value;
    }
    w->digest = rs_siphash(&key, facts, sizeof facts);
}

static void on_ended(void *ctx, const struct flow *f, enum flow_end why)
{
    struct world *w = ctx;
    const struct aging_config *c = &w->aging.config;
    w->ended++;
    note(w, f, why);
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

struct batch {
    struct aging_item items[AGING_BATCH];
    uint8_t *bytes[AGING_BATCH];
    size_t n;
};

static void give(struct world *w, struct batch *b)
{
    if (b->n == 1)
        aging_packet(&w->aging, &b->items[0].view, b->items[0].at);
    else
        aging_packets(&w->aging, b->items, b->n);
    w->given += b->n;
    for (size_t i = 0; i < b->n; i++)
        free(b->bytes[i]);
    b->n = 0;
    check(w);
}

/* What does not parse lets time pass. Returns the digest. */
static uint64_t run(struct aging_config c, const uint8_t *script, size_t n, size_t batch)
{
    struct world w = {.now = INT64_MIN};
    struct batch b = {.n = 0};
    struct maker m;
    struct packet p;
    c.ctx = &w;
    CHECK(aging_init(&w.aging, &c) == 0);
    maker_init(&m, script, n);
    while (make_packet(&m, &p)) {
        bool good = wire_parse(&b.items[b.n].view, p.bytes, p.n, WIRE_PARSE_PACKET) == 0;
        if (good) {
            b.items[b.n].at = p.at;
            b.bytes[b.n++] = p.bytes;
        } else {
            free(p.bytes);
        }
        if (p.at.ns > w.now)
            w.now = p.at.ns;
        if (b.n == batch || (!good && b.n > 0))
            give(&w, &b);
        if (!good)
            aging_advance(&w.aging, p.at);
    }
    if (b.n > 0)
        give(&w, &b);
    w.flushing = true;
    aging_flush(&w.aging);
    check(&w);
    CHECK(aging_open(&w.aging) == 0 && w.aging.stats.lost == 0 && w.counted == w.given);
    aging_free(&w.aging);
    return w.digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t spans[8] = {1,           RS_MS,         RS_SEC,     5 * RS_SEC,
                                      30 * RS_SEC, 3600 * RS_SEC, UINT64_MAX, 3 * RS_SEC};
    if (size < 5)
        return 0;
    const struct aging_config c = {.chains = (((uint32_t)data[0] << 8 | data[1]) & CHAINS_ALL) |
                                             CHAIN_BIT(CHAIN_BASIC),
                                   .flows_most = 1 + (data[2] & 7u),
                                   .idle_ns = spans[data[3] & 7u],
                                   .close_ns = spans[data[3] >> 3 & 7u],
                                   .active_ns = data[4] & 8 ? spans[data[4] & 7u] : 0,
                                   .key = {1, 2},
                                   .ended = on_ended};
    uint64_t one_by_one = run(c, data + 5, size - 5, 1);
    CHECK(run(c, data + 5, size - 5, 2 + data[2] / 8 % (AGING_BATCH - 1)) == one_by_one);
    return 0;
}
