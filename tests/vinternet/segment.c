/* SPDX-License-Identifier: GPL-3.0-or-later
 * TCP segments on their way out of a host and through the boxes before it. */
#include "vinternet.h"

#include <string.h>

#define OUR_SCALE  7
#define OUR_WINDOW 64256u

/* As this client's path shall see it: the codepoint after the boxes, or none: the packet is gone.
 */
static bool through_boxes(const struct class *class, uint8_t *tos)
{
    uint8_t cp = class->reverse[*tos & 3];

    *tos = (uint8_t)((*tos & 0xfc) | (cp & 3));
    return cp != LOST_CP;
}

uint32_t segment_clock(const struct flow *f)
{
    return now_ms + f->hash;
}

static uint8_t *put_timestamps(uint8_t *at, const struct flow *f)
{
    at[0] = 8;
    at[1] = 10;
    return put32(put32(at + 2, segment_clock(f)), f->ts_recent);
}

/* Head is filled but for the offset and the checksum; room for options is up to `end`. */
static void finish(const struct flow *f,
                   uint8_t *frame,
                   uint8_t *tcp,
                   uint8_t *end,
                   const uint8_t *payload,
                   size_t len,
                   uint8_t tos,
                   uint8_t ttl)
{
    size_t head = (size_t)(end - tcp), total = head + len;
    uint16_t check;

    tcp[12] = (uint8_t)(tcp[12] | head / 4 << 4);
    if (len)
        memcpy(end, payload, len);
    ip_header(frame, f->v6, f->mac, f->mine, f->theirs, 6, tos, ttl, total);
    check = fold(pseudo(f->mine, f->theirs, f->v6 ? 16 : 4, 6, total) + sum(tcp, total));
    memcpy(tcp + 16, &check, 2);
    link_send((size_t)(end - frame) + len, f->class->delay_ms);
}

static uint8_t *put_head(
    uint8_t *tcp, const struct flow *f, uint16_t flags, uint32_t seq, uint32_t ack, uint16_t window)
{
    put16(tcp, f->my_port);
    put16(tcp + 2, f->their_port);
    put32(tcp + 4, seq);
    put32(tcp + 8, ack);
    put16(tcp + 12, flags);
    put16(tcp + 14, window);
    memset(tcp + 16, 0, 4);
    return tcp + 20;
}

void segment_send(struct flow *f,
                  uint16_t flags,
                  uint32_t seq,
                  const uint8_t *payload,
                  size_t len,
                  enum codepoint cp)
{
    uint8_t *frame = link_frame(), *tcp = frame + ETH_BYTES + (f->v6 ? 40 : 20), *at;
    uint8_t tos = (uint8_t)(f->tos | cp);

    if (!through_boxes(f->class, &tos))
        return;
    if ((f->bits & (F_LATCHED | F_ECN)) == (F_LATCHED | F_ECN))
        flags |= ECE;
    at = put_head(tcp, f, flags, seq, f->rcv_nxt, OUR_WINDOW >> OUR_SCALE);
    if (f->bits & F_TS) {
        at[0] = at[1] = 1;
        at = put_timestamps(at + 2, f);
    }
    finish(f, frame, tcp, at, payload, len, tos, HOST_TTL);
}

/* The options are those of Linux, in its order. */
void segment_synack(struct flow *f)
{
    uint8_t *frame = link_frame(), *tcp = frame + ETH_BYTES + (f->v6 ? 40 : 20), *at;
    uint16_t flags = (uint16_t)(SYN | ACK | (f->syn_flags & (CWR | ECE)));
    uint8_t tos = f->tos;

    if (!through_boxes(f->class, &tos))
        return;
    if ((flags & (ECE | CWR)) == ECE)
        flags |= f->class->synack_set;
    at = put_head(tcp, f, flags, f->iss, f->rcv_nxt, OUR_WINDOW);
    at[0] = 2;
    at[1] = 4;
    at = put16(at + 2, f->v6 ? 1440 : 1460);
    if (f->bits & F_TS) {
        at[0] = f->bits & F_SACK ? 4 : 1;
        at[1] = f->bits & F_SACK ? 2 : 1;
        at = put_timestamps(at + 2, f);
    } else if (f->bits & F_SACK) {
        at = put32(at, 0x01010402);
    }
    if (f->scale)
        at = put32(at, 0x01030300 | OUR_SCALE);
    counters.synack++;
    finish(f, frame, tcp, at, NULL, 0, tos, f->class->bits & C_SYNACK_TTL ? NEAR_TTL : HOST_TTL);
}

void segment_reset(const struct packet *p, const struct class *class, uint8_t ttl)
{
    uint8_t *frame = link_frame(), *tcp = frame + ETH_BYTES + (p->v6 ? 40 : 20);
    uint8_t tos = p->tos & 0xfc;
    uint32_t end = p->seq + p->len + (p->flags & SYN ? 1 : 0) + (p->flags & FIN ? 1 : 0);
    uint16_t check;

    if (!through_boxes(class, &tos))
        return;
    counters.resets++;
    put16(tcp, p->dport);
    put16(tcp + 2, p->sport);
    put32(tcp + 4, p->flags & ACK ? p->ack : 0);
    put32(tcp + 8, p->flags & ACK ? 0 : end);
    put16(tcp + 12, (uint16_t)(0x5000 | RST | (p->flags & ACK ? 0 : ACK)));
    memset(tcp + 14, 0, 6);
    ip_header(frame, p->v6, p->frame + 6, p->dst, p->src, 6, tos, ttl, 20);
    check = fold(pseudo(p->dst, p->src, p->v6 ? 16 : 4, 6, 20) + sum(tcp, 20));
    memcpy(tcp + 16, &check, 2);
    link_send((size_t)(tcp + 20 - frame), class->delay_ms);
}
