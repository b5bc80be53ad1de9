/* SPDX-License-Identifier: GPL-3.0-or-later
 * A path in memory between our machine ("client") and a server: delay, loss, reordering and
 * duplication from a seed, a bottleneck, boxes that change packets, forged packets. Time is
 * virtual. */
#ifndef RS_TESTS_SIM_LINK_H
#define RS_TESTS_SIM_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/time.h"
#include "wire/segment.h"
#include "wire/view.h"

#define LINK_PAYLOAD 1500

enum link_way { TO_SERVER, TO_CLIENT };

struct packet {
    struct packet *next;
    rs_mono at; /* arrival */
    enum link_way way;
    bool forged;
    struct wire_segment seg; /* payload points into `payload` */
    uint8_t payload[LINK_PAYLOAD];
};

struct link;
/* Changes a packet, or returns false to drop it. Called once a packet, before the impairments. */
typedef bool (*link_box)(struct link *l, struct packet *p);

struct link_config { /* shares in per mille, of each direction */
    unsigned loss, reorder, duplicate;
    uint64_t delay_ns;    /* one way */
    uint64_t jitter_ns;   /* of the reordered ones: up to so much more */
    unsigned bottleneck;  /* packets a second, each way; 0: none */
    unsigned queue;       /* packets that wait before it; what comes when it is full is dropped */
    link_box box;         /* may be NULL */
    unsigned ce_data;     /* for box_ce_on_data: the n-th data segment ... */
    enum link_way ce_way; /* ... this way */
};

struct link {
    struct link_config c;
    struct rs_rand rand;
    struct packet *head, *tail; /* by arrival */
    unsigned data_seen[2];
    rs_mono free_at[2]; /* the bottleneck */
    unsigned sent[2], lost[2], duplicated[2], reordered[2], overflowed[2];
};

void link_init(struct link *l, const struct link_config *c, uint64_t seed);
void link_free(struct link *l);
/* Copies the segment; it arrives after the impairments, or never. */
void link_send(struct link *l, enum link_way way, const struct wire_segment *seg, rs_mono now);
/* A forged segment: arrives for sure at `at`, meets no box. */
void link_forge(struct link *l, enum link_way way, const struct wire_segment *seg, rs_mono at);
rs_mono link_next(const struct link *l);
/* The next packet if it has arrived at `now`, the caller's to free; or NULL. */
struct packet *link_take(struct link *l, rs_mono now);
/* The view that a parser would make. */
void link_view(struct wire_view *v, const struct wire_segment *seg);

bool box_bleach_ecn(struct link *l, struct packet *p); /* both ways, every packet */
bool box_ce_on_data(struct link *l, struct packet *p); /* config: ce_data, ce_way */
bool box_drop_ect(struct link *l, struct packet *p);   /* to the server */

#endif
