/* SPDX-License-Identifier: GPL-3.0-or-later
 * The flow table: 5-tuple -> flow, in either direction. Flows belong to the caller (a slab,
 * usually); the table only links them. The hash is keyed, since strangers choose the tuples. */
#ifndef RS_OBSERVE_TABLE_H
#define RS_OBSERVE_TABLE_H

#include <stddef.h>

#include "base/hash.h"
#include "observe/flow.h"

struct flow_table {
    struct flow **bucket;
    size_t buckets; /* a power of two */
    size_t n, full; /* flows; so many that it grows: twice the buckets keep the lists short */
    struct rs_key key;
};

/* Makes a table for `expected` flows; it grows when there are more, since buckets that nobody needs
 * are so many cache misses. 0 or -RS_ENOMEM. */
int flow_table_init(struct flow_table *t, size_t expected, struct rs_key key);
void flow_table_free(struct flow_table *t); /* the flows themselves are the caller's */
/* A flow with that tuple must not be in the table. */
void flow_table_add(struct flow_table *t, struct flow *f);
void flow_table_remove(struct flow_table *t, struct flow *f);
/* `to` takes the place of `f`; its tuple is the same. */
void flow_table_replace(struct flow_table *t, struct flow *f, struct flow *to);
/* Finds the flow of a packet with this tuple and says which way the packet goes; NULL if there is
 * none. */
struct flow *flow_table_find(const struct flow_table *t,
                             const struct wire_tuple *packet,
                             enum flow_dir *dir);

/* The same in steps, for who has many packets to look up: the hash, which is that of both
 * directions and lasts as long as the table, is also where the flow will be found. */
uint64_t flow_table_hash(const struct flow_table *t, const struct wire_tuple *packet);
struct flow *flow_table_find_hashed(const struct flow_table *t,
                                    const struct wire_tuple *packet,
                                    uint64_t hash,
                                    enum flow_dir *dir);

static inline struct flow **flow_table_place(const struct flow_table *t, uint64_t hash)
{
    return &t->bucket[hash & (t->buckets - 1)];
}

#endif
