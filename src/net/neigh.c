/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net/neigh_int.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FIRST_SLOTS 64

int neigh_init(struct neigh *n)
{
    memset(n, 0, sizeof *n);
    if (getrandom(&n->key, sizeof n->key, GRND_NONBLOCK) != (ssize_t)sizeof n->key)
        n->key = (struct rs_key){1, 2}; /* early boot: neighbours are few then */
    n->slots = calloc(FIRST_SLOTS, sizeof *n->slots);
    n->n_slots = n->slots != NULL ? FIRST_SLOTS : 0;
    return n->slots != NULL ? 0 : -RS_ENOMEM;
}

void neigh_free(struct neigh *n)
{
    free(n->slots);
    memset(n, 0, sizeof *n);
}

/* The entry of `addr`, or the free slot where it belongs. */
static struct neigh_entry *slot_of(const struct neigh *n, const struct wire_addr *addr)
{
    size_t at = rs_siphash(&n->key, addr, sizeof *addr) & (n->n_slots - 1);
    while (n->slots[at].addr.family != 0 && !wire_addr_equal(&n->slots[at].addr, addr))
        at = (at + 1) & (n->n_slots - 1);
    return &n->slots[at];
}

static struct neigh_entry *find(const struct neigh *n, const struct wire_addr *addr)
{
    struct neigh_entry *e = slot_of(n, addr);
    return e->addr.family != 0 ? e : NULL;
}

static bool is_stale(const struct neigh_entry *e, rs_mono now)
{
    return !e->kernel_has && rs_mono_reached(e->ours_until, now) &&
           (e->asked_at.ns == UINT64_MAX ||
            rs_mono_reached(rs_mono_add(e->asked_at, NEIGH_HOLD), now));
}

/* Makes room: drops what nobody needs any more, and doubles the table if it is still half full. */
static int make_room(struct neigh *n, rs_mono now)
{
    struct neigh old = *n;
    size_t kept = 0;
    for (size_t i = 0; i < old.n_slots; i++)
        kept += old.slots[i].addr.family != 0 && !is_stale(&old.slots[i], now);
    if (kept >= NEIGH_LIMIT)
        return -RS_ENOMEM;
    if (kept * 4 >= n->n_slots)
        n->n_slots *= 2;
    n->slots = calloc(n->n_slots, sizeof *n->slots);
    if (n->slots == NULL) {
        *n = old;
        return -RS_ENOMEM;
    }
    n->used = kept;
    for (size_t i = 0; i < old.n_slots; i++) {
        if (old.slots[i].addr.family != 0 && !is_stale(&old.slots[i], now))
            *slot_of(n, &old.slots[i].addr) = old.slots[i];
    }
    free(old.slots);
    return 0;
}

static struct neigh_entry *find_or_add(struct neigh *n, const struct wire_addr *addr, rs_mono now)
{
    struct neigh_entry *e = slot_of(n, addr);
    if (e->addr.family != 0)
        return e;
    if ((n->used + 1) * 2 > n->n_slots) {
        if (make_room(n, now) < 0)
            return NULL;
        e = slot_of(n, addr);
    }
    *e = (struct neigh_entry){.addr = *addr, .asked_at = RS_NEVER};
    n->used++;
    return e;
}

static bool may_ask(const struct neigh_entry *e, rs_mono now, uint64_t gap)
{
    return e->asked_at.ns == UINT64_MAX || rs_mono_reached(rs_mono_add(e->asked_at, gap), now);
}

static void count_ask(struct neigh_entry *e, rs_mono now, bool *ask)
{
    e->asks = (uint8_t)(e->asks < NEIGH_ASKS ? e->asks + 1 : NEIGH_ASKS);
    e->asked_at = now;
    *ask = true;
}

/* Our packets pass the kernel's neighbour code by, so nothing but we would notice that an old entry
 * has become wrong: known neighbours are asked again as long as they are used. */
static void check_known(struct neigh_entry *e, rs_mono now, bool *ask)
{
    bool fresh = e->kernel_sure || e->ours_until.ns > rs_mono_add(now, NEIGH_RENEW).ns;
    if (!fresh && may_ask(e, now, NEIGH_RENEW_GAP))
        count_ask(e, now, ask);
}

enum neigh_answer neigh_resolve(
    struct neigh *n, const struct wire_addr *addr, rs_mono now, uint8_t mac[6], bool *ask)
{
    *ask = false;
    struct neigh_entry *e = find_or_add(n, addr, now);
    if (e == NULL)
        return NEIGH_FULL;
    if (e->kernel_has || !rs_mono_reached(e->ours_until, now)) {
        memcpy(mac, e->mac, sizeof e->mac);
        check_known(e, now, ask);
        return NEIGH_KNOWN;
    }
    if (e->ours_until.ns != 0) { /* just ran out: start over */
        e->ours_until.ns = 0;
        e->asks = 0;
    }
    if (!may_ask(e, now, NEIGH_ASK_GAP))
        return NEIGH_WAITING;
    if (e->asks >= NEIGH_ASKS) {
        if (!may_ask(e, now, NEIGH_ASK_GAP + NEIGH_ABSENT))
            return NEIGH_GONE;
        e->asks = 0;
    }
    count_ask(e, now, ask);
    return NEIGH_WAITING;
}

void neigh_seen(struct neigh *n, const struct wire_addr *addr, const uint8_t mac[6], rs_mono now)
{
    struct neigh_entry *e = find(n, addr);
    if (e == NULL)
        return;
    memcpy(e->mac, mac, sizeof e->mac);
    e->ours_until = rs_mono_add(now, NEIGH_HOLD);
    e->asks = 0;
}

void neigh_kernel(
    struct neigh *n, const struct wire_addr *addr, const uint8_t *mac, bool sure, rs_mono now)
{
    struct neigh_entry *e = mac != NULL ? find_or_add(n, addr, now) : find(n, addr);
    if (e == NULL)
        return;
    if (mac == NULL) {
        if (e->kernel_has)
            e->asks = 0;
        e->kernel_has = e->kernel_sure = false;
        return;
    }
    /* An entry that only grows old is no news: it must not undo a later answer of our own. */
    if (!e->kernel_has || memcmp(e->kernel_mac, mac, sizeof e->kernel_mac) != 0 ||
        (sure && !e->kernel_sure))
        memcpy(e->mac, mac, sizeof e->mac);
    memcpy(e->kernel_mac, mac, sizeof e->kernel_mac);
    e->kernel_has = true;
    e->kernel_sure = sure;
}

void neigh_forget_kernel(struct neigh *n)
{
    for (size_t i = 0; i < n->n_slots; i++)
        n->slots[i].kernel_has = n->slots[i].kernel_sure = false;
}
