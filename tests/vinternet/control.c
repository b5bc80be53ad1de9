/* SPDX-License-Identifier: GPL-3.0-or-later
 * What is not TCP: ARP and neighbour solicitations for every address, echoes, errors. */
#include "vinternet.h"

#include <string.h>

/* The router on the path that errors come from. */
static const uint8_t router4[4] = {100, 64, 0, 1};
static const uint8_t router6[16] = {0xfd, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1};

void control_arp(const uint8_t *frame, uint32_t len)
{
    static const uint8_t request[8] = {0, 1, 8, 0, 6, 4, 0, 1}, nobody[4];
    const uint8_t *arp = frame + ETH_BYTES;
    uint8_t *to;

    /* Whoever asks for its own address, or has none yet, wants to know that it is free. */
    if (len < ETH_BYTES + 28 || memcmp(arp, request, 8) || !memcmp(arp + 14, nobody, 4) ||
        !memcmp(arp + 14, arp + 24, 4))
        return;
    counters.arp++;
    to = link_frame();
    memcpy(to, frame + 6, 6);
    memcpy(to + 6, link_mac, 6);
    memcpy(to + 12, frame + 12, 2);
    to += ETH_BYTES;
    memcpy(to, request, 7);
    to[7] = 2;
    memcpy(to + 8, link_mac, 6);
    memcpy(to + 14, arp + 24, 4);
    memcpy(to + 18, arp + 8, 10);
    link_send(ETH_BYTES + 28, 0);
}

/* An ICMP message whose body stands in the frame from `icmp` on. */
static void send_icmp(const struct packet *p,
                      uint8_t *frame,
                      const uint8_t *from,
                      uint8_t tos,
                      uint8_t ttl,
                      size_t len,
                      uint32_t delay_ms)
{
    uint8_t proto = p->v6 ? 58 : 1;
    uint8_t *icmp = ip_header(frame, p->v6, p->frame + 6, from, p->src, proto, tos, ttl, len);
    uint16_t check;

    memset(icmp + 2, 0, 2);
    check = fold((p->v6 ? pseudo(from, p->src, 16, 58, len) : 0) + sum(icmp, len));
    memcpy(icmp + 2, &check, 2);
    link_send((size_t)(icmp - frame) + len, delay_ms);
}

static void solicited(const struct packet *p)
{
    static const uint8_t unspecified[16];
    uint8_t *frame, *icmp;

    if (p->body_len < 24 || !memcmp(p->src, unspecified, 16) || !memcmp(p->src, p->body + 8, 16))
        return;
    counters.ndp++;
    frame = link_frame();
    icmp = frame + ETH_BYTES + 40;
    memset(icmp, 0, 8);
    icmp[0] = 136;
    icmp[4] = 0x60; /* solicited, override */
    memcpy(icmp + 8, p->body + 8, 16);
    icmp[24] = 2;
    icmp[25] = 1;
    memcpy(icmp + 26, link_mac, 6);
    send_icmp(p, frame, p->body + 8, 0, 255, 32, 0);
}

static void echo(const struct packet *p, const struct class *class)
{
    uint8_t *frame = link_frame(), *icmp = frame + ETH_BYTES + (p->v6 ? 40 : 20);

    if (p->body_len < 8 || p->body_len > FRAME_BYTES - ETH_BYTES - 40)
        return;
    counters.icmp++;
    memcpy(icmp, p->body, p->body_len);
    icmp[0] = p->v6 ? 129 : 0;
    send_icmp(p, frame, p->dst, p->tos, HOST_TTL, p->body_len, class->delay_ms);
}

/* An error that quotes p as Linux does, with the marks that it gives the error itself. */
static void unreachable(const struct packet *p,
                        const struct class *class,
                        const uint8_t *from,
                        uint8_t ttl,
                        uint8_t code)
{
    uint8_t *frame = link_frame(), *icmp = frame + ETH_BYTES + (p->v6 ? 40 : 20);
    size_t quote = p->ip_len, most = p->v6 ? 1232 : 548;

    if (quote > most)
        quote = most;
    counters.icmp++;
    memset(icmp, 0, 8);
    icmp[0] = p->v6 ? 1 : 3;
    icmp[1] = code;
    memcpy(icmp + 8, p->ip, quote);
    send_icmp(p, frame, from, p->v6 ? 0 : (uint8_t)(0xc0 | (p->tos & 0x1e)), ttl, 8 + quote,
              class->delay_ms);
}

void control_prohibited(const struct packet *p, const struct class *class)
{
    unreachable(p, class, p->v6 ? router6 : router4, NEAR_TTL, p->v6 ? 1 : 13);
}

bool control_input(const struct packet *p)
{
    const struct class *class;

    if (p->proto == 6)
        return false;
    if (p->v6 && p->proto == 58 && p->body_len > 0 && p->body[0] == 135) {
        solicited(p);
        return true;
    }
    if (p->v6 ? p->dst[0] == 0xff : p->dst[0] >= 224)
        return true; /* multicast is nobody's here */
    class = class_of(p->dst, p->v6);
    if (class->all == PROHIBIT)
        control_prohibited(p, class);
    else if (class->all == DROP)
        return true;
    else if (p->proto == (p->v6 ? 58 : 1) && p->body_len > 0 && p->body[0] == (p->v6 ? 128 : 8))
        echo(p, class);
    else if (p->proto == 17)
        unreachable(p, class, p->dst, HOST_TTL, p->v6 ? 4 : 3);
    return true;
}
