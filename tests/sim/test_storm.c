/* SPDX-License-Identifier: GPL-3.0-or-later
 * Forged segments from off the path: whoever cannot see the connection cannot change it. The same
 * exchange runs alone and in a storm; state, bytes and what we send of our own accord are equal,
 * and the answers to the forgeries are few. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/world.h"

#define FORGED 10000u

typedef void (*forge_fn)(struct rs_rand *r, struct wire_segment *s);

static uint32_t blind(struct rs_rand *r)
{
    return (uint32_t)rs_rand_next(r);
}

static void forge_rst(struct rs_rand *r, struct wire_segment *s)
{
    s->flags = rs_rand_below(r, 2) == 0 ? TCP_RST : TCP_RST | TCP_ACK;
}

static void forge_synack(struct rs_rand *r, struct wire_segment *s)
{
    s->flags = TCP_SYN | TCP_ACK | (rs_rand_below(r, 2) == 0 ? TCP_ECE : 0u);
}

static void forge_syn(struct rs_rand *r, struct wire_segment *s)
{
    (void)r;
    s->flags = TCP_SYN;
}

static void forge_data(struct rs_rand *r, struct wire_segment *s)
{
    static const uint8_t bytes[64] = "HTTP/1.1 666 Forged\r\n\r\n";
    s->flags = TCP_ACK | TCP_PSH;
    s->payload = bytes;
    s->payload_bytes = 1 + (uint32_t)rs_rand_below(r, sizeof bytes);
    s->ecn = IP_ECN_CE;
}

static void forge_ack(struct rs_rand *r, struct wire_segment *s)
{
    (void)r;
    s->flags = TCP_ACK | TCP_ECE | TCP_CWR;
}

static void forge_fin(struct rs_rand *r, struct wire_segment *s)
{
    (void)r;
    s->flags = TCP_ACK | TCP_FIN;
}

static void forge_any(struct rs_rand *r, struct wire_segment *s)
{
    static const forge_fn kinds[] = {forge_rst,  forge_synack, forge_syn,
                                     forge_data, forge_ack,    forge_fin};
    kinds[rs_rand_below(r, 6)](r, s);
    s->flags ^= (uint16_t)(rs_rand_below(r, 16) == 0 ? 1u << rs_rand_below(r, 12) : 0u);
    s->options_bytes = (uint8_t)(4 * rs_rand_below(r, 11));
    for (unsigned i = 0; i < s->options_bytes; i++)
        s->options[i] = (uint8_t)rs_rand_next(r);
}

static struct world *run(forge_fn forge, uint64_t seed, bool dead_server)
{
    struct world_config c = {.seed = seed, .pool_blocks = 8};
    c.tcp = (struct tcp_config){.iss = (uint32_t)seed * 2654435761u,
                                .ecn = true,
                                .timestamps = true,
                                .sack_permitted = true};
    c.link = (struct link_config){.delay_ns = 50 * RS_MS, .loss = dead_server ? 1000 : 0};
    c.peer = (struct peer_config){.iss = (uint32_t)seed * 40503u,
                                  .request_bytes = 3000,
                                  .response_bytes = 50000,
                                  .mss = 1460,
                                  .window = 2000,
                                  .timestamps = true,
                                  .waits_for_close = true};
    struct world *w = world_new(&c);
    struct rs_rand r;
    rs_rand_seed(&r, seed);
    for (unsigned i = 0; forge != NULL && i < FORGED; i++) { /* from before the SYN/ACK on */
        struct wire_segment s = {.seq = blind(&r), .ack = blind(&r), .window = 0};
        forge(&r, &s);
        s.cls = seg_classify(s.flags, s.payload_bytes);
        link_forge(&w->link, TO_CLIENT, &s, rs_mono_add(w->now, i * 100 * RS_US));
    }
    world_run(w, 60 * RS_SEC);
    return w;
}

/* Counts segments of ours by class. */
static void tally(const struct world *w, unsigned by_class[SEG_N], unsigned *again)
{
    for (unsigned i = 0; i < w->n_trace; i++) {
        if (!w->trace[i].out)
            continue;
        by_class[w->trace[i].cls]++;
        *again += w->trace[i].tries > 1;
    }
}

static void compare(forge_fn forge, uint64_t seed)
{
    struct world *calm = run(NULL, seed, false), *storm = run(forge, seed, false);
    unsigned a[SEG_N] = {0}, b[SEG_N] = {0}, again_a = 0, again_b = 0;
    const uint32_t quiet = TCP_EV_CHALLENGED | TCP_EV_BAD_SYNACK;
    tally(calm, a, &again_a);
    tally(storm, b, &again_b);
    assert_true(world_orderly(calm));
    bool equal = (storm->events & TCP_EV_CLOSED) != 0 && peer_done(&storm->peer) &&
                 !storm->wrong_bytes && storm->got == calm->got &&
                 (storm->events & ~quiet) == calm->events && a[SEG_SYN] == b[SEG_SYN] &&
                 a[SEG_DATA] == b[SEG_DATA] && a[SEG_FIN] == b[SEG_FIN] && again_a == again_b;
    if (!equal)
        world_dump(storm);
    assert_true(equal);
    /* RFC 5961 10: ten at once, then two a second from each budget. */
    assert_true(b[SEG_RST] <= 12);
    assert_true(b[SEG_ACK] <= a[SEG_ACK] + 2 * 14);
    world_free(calm);
    world_free(storm);
}

static void storms_change_nothing(void **state)
{
    (void)state;
    const forge_fn storms[] = {forge_rst, forge_synack, forge_syn, forge_data,
                               forge_ack, forge_fin,    forge_any};
    for (unsigned i = 0; i < sizeof storms / sizeof *storms; i++)
        for (uint64_t seed = 1; seed <= 5; seed++)
            compare(storms[i], seed);
}

/* Nobody answers but the forger: three SYNs, and a timeout as ever. */
static void a_storm_is_no_answer(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct world *w = run(forge_any, seed, true);
        unsigned n[SEG_N] = {0}, again = 0;
        tally(w, n, &again);
        assert_int_equal(n[SEG_SYN], 3);
        assert_int_equal(n[SEG_ACK] + n[SEG_DATA] + n[SEG_FIN], 0);
        assert_true(n[SEG_RST] <= 12);
        assert_int_equal(w->events & ~(uint32_t)TCP_EV_BAD_SYNACK,
                         TCP_EV_SYN_TIMEOUT | TCP_EV_RETRANSMITTED);
        world_free(w);
    }
}

/* Guesses inside the window, which only luck or sight gives: RST and SYN are challenged, and the
 * exchange still ends right (RFC 5961 3.2, 4.2). */
static void lucky_resets_are_challenged(void **state)
{
    (void)state;
    struct world *w = run(NULL, 3, false);
    world_free(w);
    struct world_config c = {.seed = 1, .pool_blocks = 8};
    c.tcp.iss = 1;
    c.link.delay_ns = 50 * RS_MS;
    c.peer = (struct peer_config){
        .iss = 1000, .request_bytes = 10, .response_bytes = 50000, .mss = 1460, .window = 20000};
    w = world_new(&c);
    for (unsigned i = 0; i < 100; i++) {
        struct wire_segment s = {.cls = SEG_RST, .flags = TCP_RST};
        s.seq = 1001 + 50000 + i; /* ahead of RCV.NXT, in the window */
        link_forge(&w->link, TO_CLIENT, &s, rs_mono_add(w->now, 110 * RS_MS + i * RS_MS));
    }
    world_run(w, 60 * RS_SEC);
    assert_true(peer_done(&w->peer) && (w->events & TCP_EV_CLOSED) != 0);
    assert_true((w->events & TCP_EV_CHALLENGED) != 0 && (w->events & TCP_EV_RESET) == 0);
    assert_int_equal(w->got, 50000);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(storms_change_nothing),
        cmocka_unit_test(a_storm_is_no_answer),
        cmocka_unit_test(lucky_resets_are_challenged),
    };
    return cmocka_run_group_tests_name("sim/storm", tests, NULL, NULL);
}
