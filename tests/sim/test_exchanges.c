/* SPDX-License-Identifier: GPL-3.0-or-later
 * Thousands of exchanges over bad paths, each from its seed: every one ends with the right bytes
 * and two orderly closings. SIM_ROUNDS=N runs another number, SIM_SEED=N only that one, printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/world.h"

static struct world_config config_of(uint64_t seed)
{
    struct rs_rand r;
    rs_rand_seed(&r, seed ^ 0x5eed);
    struct world_config c = {.seed = seed};
    c.pool_blocks = rs_rand_below(&r, 8) == 0 ? 0 : 16;
    c.tcp = (struct tcp_config){.iss = (uint32_t)rs_rand_next(&r),
                                .ts_offset = (uint32_t)rs_rand_next(&r),
                                .timestamps = rs_rand_below(&r, 2) == 0,
                                .sack_permitted = true,
                                .window_scale = rs_rand_below(&r, 2) == 0,
                                .wscale = 7,
                                .ecn = rs_rand_below(&r, 2) == 0,
                                .rcv_window = rs_rand_below(&r, 4) == 0 ? 8000 : 0,
                                .syn_tries = 12,
                                .data_tries = 20};
    c.link = (struct link_config){.loss = 20 + (unsigned)rs_rand_below(&r, 81),
                                  .reorder = 100,
                                  .duplicate = 10,
                                  .delay_ns = (1 + rs_rand_below(&r, 50)) * RS_MS,
                                  .jitter_ns = 100 * RS_MS};
    c.peer = (struct peer_config){.ecn = rs_rand_below(&r, 4) == 0 ? PEER_ECN_OFF : PEER_LINUX,
                                  .iss = (uint32_t)rs_rand_next(&r),
                                  .request_bytes = (uint32_t)rs_rand_below(&r, 4000),
                                  .response_bytes = (uint32_t)rs_rand_below(&r, 40000),
                                  .mss = rs_rand_below(&r, 4) == 0 ? 536 : 1460,
                                  .window = rs_rand_below(&r, 4) == 0 ? 1000 : 29200,
                                  .timestamps = rs_rand_below(&r, 4) != 0,
                                  .wscale = rs_rand_below(&r, 2) == 0,
                                  .waits_for_close = rs_rand_below(&r, 2) == 0};
    if (seed % 3 == 0) /* wrap in the middle of the streams */
        c.tcp.iss = 0u - (uint32_t)rs_rand_below(&r, 4000);
    if (seed % 3 == 1)
        c.peer.iss = 0u - (uint32_t)rs_rand_below(&r, 40000);
    return c;
}

static unsigned lost, reordered, duplicated, sent;

static void one(uint64_t seed, bool print)
{
    struct world_config c = config_of(seed);
    struct world *w = world_new(&c);
    world_run(w, 3600 * RS_SEC);
    if (print || !world_orderly(w)) {
        fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        world_dump(w);
    }
    assert_true(world_orderly(w));
    for (unsigned k = 0; k < 2; k++) {
        lost += w->link.lost[k];
        reordered += w->link.reordered[k];
        duplicated += w->link.duplicated[k];
        sent += w->link.sent[k];
    }
    tcp_release(&w->m);
    assert_int_equal(w->pool.used, 0);
    world_free(w);
}

static void every_exchange_ends_in_order(void **state)
{
    (void)state;
    const char *rounds = getenv("SIM_ROUNDS"), *only = getenv("SIM_SEED");
    uint64_t n = rounds != NULL ? strtoull(rounds, NULL, 10) : 4000;
    if (only != NULL) {
        one(strtoull(only, NULL, 10), true);
        return;
    }
    for (uint64_t seed = 1; seed <= n; seed++)
        one(seed, false);
    printf("%u packets: %u lost, %u reordered, %u duplicated\n", sent, lost, reordered, duplicated);
    if (n >= 1000) { /* the path was as bad as it said */
        assert_in_range(lost * 1000ull / sent, 50, 70);
        assert_in_range(reordered * 1000ull / (sent - lost), 90, 110);
        assert_in_range(duplicated * 1000ull / (sent - lost), 8, 12);
    }
}

/* On a clean path: SYN, request, FIN and at most the ACKs between; nothing twice. */
static void a_clean_exchange_is_short(void **state)
{
    (void)state;
    struct world_config c = {.pool_blocks = 8};
    c.tcp = (struct tcp_config){.iss = 1, .timestamps = true, .ecn = true};
    c.link.delay_ns = 10 * RS_MS;
    c.peer = (struct peer_config){.request_bytes = 80,
                                  .response_bytes = 400,
                                  .mss = 1460,
                                  .window = 29200,
                                  .timestamps = true};
    struct world *w = world_new(&c);
    world_run(w, 60 * RS_SEC);
    unsigned out = 0;
    for (unsigned i = 0; i < w->n_trace; i++)
        out += w->trace[i].out;
    if (!world_orderly(w) || out != 3)
        world_dump(w);
    assert_true(world_orderly(w));
    assert_int_equal(out, 3);
    world_free(w);
}

/* A box that drops ECT after a good handshake: the Not-ECT retransmission gets through. */
static void an_ect_black_hole_is_survived(void **state)
{
    (void)state;
    struct world_config c = {.pool_blocks = 8};
    c.tcp = (struct tcp_config){.iss = 1, .ecn = true};
    c.link = (struct link_config){.delay_ns = 10 * RS_MS, .box = box_drop_ect};
    c.peer = (struct peer_config){
        .request_bytes = 80, .response_bytes = 4000, .mss = 1460, .window = 29200};
    struct world *w = world_new(&c);
    world_run(w, 60 * RS_SEC);
    if (!world_orderly(w))
        world_dump(w);
    assert_true(world_orderly(w));
    assert_true((w->events & TCP_EV_RETRANSMITTED) != 0);
    assert_true(tcp_ecn_negotiated(&w->m));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_clean_exchange_is_short),
        cmocka_unit_test(an_ect_black_hole_is_survived),
        cmocka_unit_test(every_exchange_ends_in_order),
    };
    return cmocka_run_group_tests_name("sim/exchanges", tests, NULL, NULL);
}
