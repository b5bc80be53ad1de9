/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "observe/table.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

int flow_table_init(struct flow_table *t, size_t expected, struct rs_key key)
{
    memset(t, 0, sizeof *t);
    t->buckets = 1024;
    while (t->buckets < expected)
        t->buckets *= 2;
    t->full = expected > t->buckets / 2 ? expected : t->buckets / 2;
    t->key = key;
    t->bucket = calloc(t->buckets, sizeof *t->bucket);
    return t->bucket == NULL ? -RS_ENOMEM : 0;
}

void flow_table_free(struct flow_table *t)
{
    free(t->bucket);
    memset(t, 0, sizeof *t);
}

/* The same for both directions: the smaller end goes first. */
uint64_t flow_table_hash(const struct flow_table *t, const struct wire_tuple *packet)
{
    int order = memcmp(&packet->src, &packet->dst, sizeof packet->src);
    bool as_is = order < 0 || (order == 0 && packet->sport <= packet->dport);
    struct wire_tuple ordered = as_is ? *packet : wire_tuple_swap(packet);
    return rs_siphash(&t->key, &ordered, sizeof ordered);
}

/* Twice the buckets. Without memory for them the lists grow longer instead. */
static void grow(struct flow_table *t)
{
    struct flow_table larger = *t;
    larger.full = larger.buckets;
    larger.buckets *= 2;
    larger.bucket = calloc(larger.buckets, sizeof *larger.bucket);
    if (larger.bucket == NULL)
        return;
    for (size_t i = 0; i < t->buckets; i++) {
        for (struct flow *f = t->bucket[i], *next; f != NULL; f = next) {
            struct flow **to = flow_table_place(&larger, flow_table_hash(&larger, &f->tuple));
            next = f->table_next;
            f->table_next = *to;
            *to = f;
        }
    }
    free(t->bucket);
    *t = larger;
}

void flow_table_add(struct flow_table *t, struct flow *f)
{
    if (t->n >= t->full)
        grow(t);
    struct flow **at = flow_table_place(t, flow_table_hash(t, &f->tuple));
    f->table_next = *at;
    *at = f;
    t->n++;
}

void flow_table_remove(struct flow_table *t, struct flow *f)
{
    struct flow **at = flow_table_place(t, flow_table_hash(t, &f->tuple));
    while (*at != NULL && *at != f)
        at = &(*at)->table_next;
    if (*at == NULL)
        return;
    *at = f->table_next;
    f->table_next = NULL;
    t->n--;
}

void flow_table_replace(struct flow_table *t, struct flow *f, struct flow *to)
{
    struct flow **at = flow_table_place(t, flow_table_hash(t, &f->tuple));
    while (*at != f)
        at = &(*at)->table_next;
    to->table_next = f->table_next;
    *at = to;
}

struct flow *flow_table_find_hashed(const struct flow_table *t,
                                    const struct wire_tuple *packet,
                                    uint64_t hash,
                                    enum flow_dir *dir)
{
    struct wire_tuple swapped = wire_tuple_swap(packet);
    for (struct flow *f = *flow_table_place(t, hash); f != NULL; f = f->table_next) {
        if (memcmp(&f->tuple, packet, sizeof *packet) == 0) {
            *dir = FLOW_FWD;
            return f;
        }
        if (memcmp(&f->tuple, &swapped, sizeof swapped) == 0) {
            *dir = FLOW_REV;
            return f;
        }
    }
    return NULL;
}

struct flow *flow_table_find(const struct flow_table *t,
                             const struct wire_tuple *packet,
                             enum flow_dir *dir)
{
    return flow_table_find_hashed(t, packet, flow_table_hash(t, packet), dir);
}
