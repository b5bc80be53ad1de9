/* SPDX-License-Identifier: GPL-3.0-or-later
 * The flows of which something is under way, and their timers. A pool of fixed size whose free
 * members are a stack, so that the few in use stay in the cache; chains by hash; a wheel of lists,
 * so that setting, stopping and expiring cost the same however many there are. */
#include "vinternet.h"

#include <stdlib.h>
#include <string.h>

#define NONE    UINT32_MAX
#define N_SLOTS 2048u /* a power of two */
#define SLOT_MS 8u

static struct flow *pool;
static uint32_t *heads, n_heads, free_first = NONE, slots[N_SLOTS], tick;
static size_t in_use;

bool flow_init(unsigned log2_flows)
{
    uint32_t n = UINT32_C(1) << log2_flows;

    pool = calloc(n, sizeof *pool);
    heads = malloc(n * sizeof *heads);
    if (!pool || !heads)
        return false;
    n_heads = n;
    for (uint32_t i = 0; i < n; i++)
        heads[i] = NONE;
    for (uint32_t i = n; i-- > 0;) {
        pool[i].next = free_first;
        free_first = i;
    }
    for (unsigned i = 0; i < N_SLOTS; i++)
        slots[i] = NONE;
    tick = now_ms / SLOT_MS;
    return true;
}

static uint64_t mix(uint64_t h, uint64_t v)
{
    h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
    return h ^ h >> 29;
}

static uint64_t mix_bytes(uint64_t h, const uint8_t *at)
{
    uint64_t v;

    memcpy(&v, at, sizeof v);
    return mix(h, v);
}

uint32_t flow_hash(const struct packet *p)
{
    uint64_t h = mix(UINT64_C(0x2545f4914f6cdd1d), (uint64_t)p->sport << 16 | p->dport);

    if (p->v6) {
        h = mix_bytes(mix_bytes(h, p->src), p->src + 8);
        h = mix_bytes(mix_bytes(h, p->dst), p->dst + 8);
    } else {
        h = mix_bytes(h, p->src); /* source and destination */
    }
    return (uint32_t)(mix(h, h >> 32) >> 16);
}

struct flow *flow_find(const struct packet *p, uint32_t hash)
{
    size_t n = p->v6 ? 16 : 4;

    for (uint32_t i = heads[hash & (n_heads - 1)]; i != NONE; i = pool[i].next) {
        struct flow *f = &pool[i];

        if (f->hash == hash && f->their_port == p->sport && f->my_port == p->dport &&
            f->v6 == p->v6 && !memcmp(f->theirs, p->src, n) && !memcmp(f->mine, p->dst, n))
            return f;
    }
    return NULL;
}

static void stop_timer(struct flow *f)
{
    if (f->slot == NONE)
        return;
    if (f->earlier == NONE)
        slots[f->slot] = f->later;
    else
        pool[f->earlier].later = f->later;
    if (f->later != NONE)
        pool[f->later].earlier = f->earlier;
    f->slot = NONE;
}

void flow_timer(struct flow *f, uint32_t after_ms)
{
    uint32_t ticks = after_ms / SLOT_MS + 1, i = (uint32_t)(f - pool);

    if (ticks >= N_SLOTS)
        ticks = N_SLOTS - 1;
    stop_timer(f);
    f->slot = (tick + ticks) & (N_SLOTS - 1);
    f->earlier = NONE;
    f->later = slots[f->slot];
    if (f->later != NONE)
        pool[f->later].earlier = i;
    slots[f->slot] = i;
}

void flow_expire(void (*expired)(struct flow *flow))
{
    uint32_t until = now_ms / SLOT_MS;

    while (tick != until) {
        uint32_t *slot = &slots[++tick & (N_SLOTS - 1)];

        while (*slot != NONE) {
            struct flow *f = &pool[*slot];

            stop_timer(f);
            expired(f);
        }
    }
}

struct flow *flow_keep(const struct flow *flow)
{
    uint32_t i = free_first, *head = &heads[flow->hash & (n_heads - 1)];
    struct flow *f;

    if (i == NONE) {
        counters.table_full++;
        return NULL;
    }
    f = &pool[i];
    free_first = f->next;
    *f = *flow;
    f->bits |= F_KEPT;
    f->slot = NONE;
    f->next = *head;
    *head = i;
    in_use++;
    return f;
}

void flow_forget(struct flow *f)
{
    uint32_t i = (uint32_t)(f - pool), *at = &heads[f->hash & (n_heads - 1)];

    stop_timer(f);
    while (*at != i)
        at = &pool[*at].next;
    *at = f->next;
    f->next = free_first;
    f->bits = 0;
    free_first = i;
    in_use--;
}

size_t flow_count(void)
{
    return in_use;
}
