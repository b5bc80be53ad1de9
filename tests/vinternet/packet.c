/* SPDX-License-Identifier: GPL-3.0-or-later
 * Frames taken apart, checksums, IP headers put together. */
#include "vinternet.h"

#include <string.h>

uint16_t get16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | get16(at + 2);
}

uint8_t *put16(uint8_t *to, uint16_t v)
{
    to[0] = (uint8_t)(v >> 8);
    to[1] = (uint8_t)v;
    return to + 2;
}

uint8_t *put32(uint8_t *to, uint32_t v)
{
    return put16(put16(to, (uint16_t)(v >> 16)), (uint16_t)v);
}

uint64_t sum(const void *at, size_t len)
{
    const uint8_t *b = at;
    uint64_t s = 0;
    uint32_t word;
    uint16_t half = 0;

    for (; len >= 4; b += 4, len -= 4) {
        memcpy(&word, b, 4);
        s += word;
    }
    if (len >= 2) {
        memcpy(&half, b, 2);
        s += half;
        b += 2;
        len -= 2;
    }
    if (len) { /* an odd byte is the first of two */
        half = 0;
        memcpy(&half, b, 1);
        s += half;
    }
    return s;
}

uint16_t fold(uint64_t s)
{
    s = (s & 0xffffffff) + (s >> 32);
    s = (s & 0xffff) + (s >> 16);
    s = (s & 0xffff) + (s >> 16);
    s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

uint64_t pseudo(const uint8_t *src, const uint8_t *dst, size_t addr_len, uint8_t proto, size_t len)
{
    uint8_t rest[8] = {0};

    put32(rest, (uint32_t)len);
    rest[7] = proto;
    return sum(src, addr_len) + sum(dst, addr_len) + sum(rest, sizeof rest);
}

bool packet_parse(struct packet *p, const uint8_t *frame, uint32_t len)
{
    uint16_t type;
    uint32_t head;

    if (len < ETH_BYTES + 20)
        return false;
    type = get16(frame + 12);
    p->frame = frame;
    p->ip = frame + ETH_BYTES;
    len -= ETH_BYTES;
    if (type == 0x0800) {
        head = (uint32_t)(p->ip[0] & 15) * 4;
        p->ip_len = get16(p->ip + 2);
        /* No fragments: a prober has no need of them. */
        if (p->ip[0] >> 4 != 4 || head < 20 || p->ip_len < head || p->ip_len > len ||
            (get16(p->ip + 6) & 0x3fff))
            return false;
        p->v6 = false;
        p->tos = p->ip[1];
        p->ttl = p->ip[8];
        p->proto = p->ip[9];
        p->src = p->ip + 12;
        p->dst = p->ip + 16;
    } else if (type == 0x86dd && len >= 40) {
        head = 40;
        p->ip_len = 40u + get16(p->ip + 4);
        if (p->ip[0] >> 4 != 6 || p->ip_len > len)
            return false;
        p->v6 = true;
        p->tos = (uint8_t)(p->ip[0] << 4 | p->ip[1] >> 4);
        p->ttl = p->ip[7];
        p->proto = p->ip[6];
        p->src = p->ip + 8;
        p->dst = p->ip + 24;
    } else {
        return false;
    }
    p->body = p->ip + head;
    p->body_len = p->ip_len - head;
    return true;
}

static void parse_options(struct packet *p, const uint8_t *at, const uint8_t *end)
{
    while (at < end && *at != 0) {
        size_t len;

        if (*at == 1) {
            at++;
            continue;
        }
        if (end - at < 2 || at[1] < 2 || at[1] > end - at)
            return;
        len = at[1];
        if (at[0] == 2 && len == 4) {
            p->mss = get16(at + 2);
        } else if (at[0] == 3 && len == 3) {
            p->has_scale = true;
            p->scale = at[2] > 14 ? 14 : at[2];
        } else if (at[0] == 4 && len == 2) {
            p->has_sack = true;
        } else if (at[0] == 8 && len == 10) {
            p->has_ts = true;
            p->tsval = get32(at + 2);
            p->tsecr = get32(at + 6);
        }
        at += len;
    }
}

bool packet_parse_tcp(struct packet *p, bool check)
{
    const uint8_t *t = p->body;
    uint32_t head;

    if (p->body_len < 20)
        return false;
    head = (uint32_t)(t[12] >> 4) * 4;
    if (head < 20 || head > p->body_len)
        return false;
    if (check && fold(pseudo(p->src, p->dst, p->v6 ? 16 : 4, p->proto, p->body_len) +
                      sum(t, p->body_len)) != 0) {
        counters.bad_checksum++;
        return false;
    }
    p->sport = get16(t);
    p->dport = get16(t + 2);
    p->seq = get32(t + 4);
    p->ack = get32(t + 8);
    p->flags = get16(t + 12) & 0xfff;
    p->window = get16(t + 14);
    p->payload = t + head;
    p->len = p->body_len - head;
    p->has_ts = p->has_sack = p->has_scale = false;
    p->scale = 0;
    p->mss = 0;
    parse_options(p, t + 20, t + head);
    return true;
}

uint8_t *ip_header(uint8_t *frame,
                   bool v6,
                   const uint8_t *mac_to,
                   const uint8_t *from,
                   const uint8_t *to,
                   uint8_t proto,
                   uint8_t tos,
                   uint8_t ttl,
                   size_t body_len)
{
    static uint16_t id;
    uint8_t *ip = frame + ETH_BYTES;
    uint16_t check;

    memcpy(frame, mac_to, 6);
    memcpy(frame + 6, link_mac, 6);
    put16(frame + 12, v6 ? 0x86dd : 0x0800);
    if (v6) {
        put32(ip, 6u << 28 | (uint32_t)tos << 20);
        put16(ip + 4, (uint16_t)body_len);
        ip[6] = proto;
        ip[7] = ttl;
        memcpy(ip + 8, from, 16);
        memcpy(ip + 24, to, 16);
        return ip + 40;
    }
    ip[0] = 0x45;
    ip[1] = tos;
    put16(ip + 2, (uint16_t)(20 + body_len));
    put16(ip + 4, ++id);
    put16(ip + 6, 0x4000); /* DF */
    ip[8] = ttl;
    ip[9] = proto;
    ip[10] = ip[11] = 0;
    memcpy(ip + 12, from, 4);
    memcpy(ip + 16, to, 4);
    check = fold(sum(ip, 20));
    memcpy(ip + 10, &check, 2);
    return ip + 20;
}
