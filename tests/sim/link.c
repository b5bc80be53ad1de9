/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sim/link.h"

#include <stdlib.h>
#include <string.h>

void link_init(struct link *l, const struct link_config *c, uint64_t seed)
{
    memset(l, 0, sizeof *l);
    l->c = *c;
    rs_rand_seed(&l->rand, seed);
}

void link_free(struct link *l)
{
    while (l->head != NULL) {
        struct packet *p = l->head;
        l->head = p->next;
        free(p);
    }
}

static bool happens(struct link *l, unsigned per_mille)
{
    return rs_rand_below(&l->rand, 1000) < per_mille;
}

static void insert(struct link *l, struct packet *p)
{
    bool last = l->tail != NULL && l->tail->at.ns <= p->at.ns;
    struct packet **at = last ? &l->tail->next : &l->head;
    while (*at != NULL && (*at)->at.ns <= p->at.ns)
        at = &(*at)->next;
    p->next = *at;
    *at = p;
    if (p->next == NULL)
        l->tail = p;
}

static struct packet *copy(enum link_way way, const struct wire_segment *seg, rs_mono at)
{
    struct packet *p = calloc(1, sizeof *p);
    if (p == NULL || seg->payload_bytes > sizeof p->payload)
        abort();
    p->at = at;
    p->way = way;
    p->seg = *seg;
    if (seg->payload_bytes > 0)
        memcpy(p->payload, seg->payload, seg->payload_bytes);
    p->seg.payload = p->payload;
    return p;
}

/* Through the bottleneck: when the packet has left it, or never. */
static rs_mono squeeze(struct link *l, enum link_way way, rs_mono now)
{
    if (l->c.bottleneck == 0)
        return now;
    uint64_t each = RS_SEC / l->c.bottleneck;
    if (rs_mono_diff(l->free_at[way], now) >= l->c.queue * each) {
        l->overflowed[way]++;
        return RS_NEVER;
    }
    rs_mono start = l->free_at[way].ns > now.ns ? l->free_at[way] : now;
    return l->free_at[way] = rs_mono_add(start, each);
}

static void travel(struct link *l, const struct packet *p, rs_mono now)
{
    rs_mono left = squeeze(l, p->way, now);
    if (left.ns == RS_NEVER.ns)
        return;
    rs_mono at = rs_mono_add(left, l->c.delay_ns);
    if (happens(l, l->c.reorder)) {
        at = rs_mono_add(at, rs_rand_below(&l->rand, l->c.jitter_ns));
        l->reordered[p->way]++;
    }
    insert(l, copy(p->way, &p->seg, at));
}

void link_send(struct link *l, enum link_way way, const struct wire_segment *seg, rs_mono now)
{
    struct packet *p = copy(way, seg, now);
    if (seg->cls == SEG_DATA)
        l->data_seen[way]++;
    l->sent[way]++;
    if (l->c.box != NULL && !l->c.box(l, p)) {
        free(p);
        return;
    }
    if (happens(l, l->c.loss)) {
        l->lost[way]++;
        free(p);
        return;
    }
    travel(l, p, now);
    if (happens(l, l->c.duplicate)) {
        l->duplicated[way]++;
        travel(l, p, now);
    }
    free(p);
}

void link_forge(struct link *l, enum link_way way, const struct wire_segment *seg, rs_mono at)
{
    struct packet *p = copy(way, seg, at);
    p->forged = true;
    insert(l, p);
}

rs_mono link_next(const struct link *l)
{
    return l->head != NULL ? l->head->at : RS_NEVER;
}

struct packet *link_take(struct link *l, rs_mono now)
{
    struct packet *p = l->head;
    if (p == NULL || !rs_mono_reached(p->at, now))
        return NULL;
    l->head = p->next;
    if (l->head == NULL)
        l->tail = NULL;
    p->next = NULL;
    return p;
}

void link_view(struct wire_view *v, const struct wire_segment *seg)
{
    *v = (struct wire_view){.have = WIRE_IP4 | WIRE_PORTS | WIRE_TCP_SEQ | WIRE_TCP,
                            .proto = IP_PROTO_TCP,
                            .tos = (uint8_t)(seg->dscp << 2 | seg->ecn),
                            .ttl = 64,
                            .ip_bytes = 40u + seg->options_bytes + seg->payload_bytes,
                            .seq = seg->seq,
                            .ack = seg->ack,
                            .flags = seg->flags,
                            .window = seg->window,
                            .options = seg->options_bytes > 0 ? seg->options : NULL,
                            .options_bytes = seg->options_bytes,
                            .ip_cksum = WIRE_CKSUM_GOOD,
                            .l4_cksum = WIRE_CKSUM_GOOD,
                            .payload = seg->payload,
                            .payload_captured = seg->payload_bytes,
                            .payload_bytes = seg->payload_bytes};
}

bool box_bleach_ecn(struct link *l, struct packet *p)
{
    (void)l;
    p->seg.ecn = IP_ECN_NOT;
    return true;
}

bool box_ce_on_data(struct link *l, struct packet *p)
{
    if (p->way == l->c.ce_way && p->seg.cls == SEG_DATA && l->data_seen[p->way] == l->c.ce_data &&
        p->seg.ecn != IP_ECN_NOT)
        p->seg.ecn = IP_ECN_CE;
    return true;
}

bool box_drop_ect(struct link *l, struct packet *p)
{
    (void)l;
    return p->way != TO_SERVER || p->seg.ecn == IP_ECN_NOT;
}
