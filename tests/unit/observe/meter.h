/* SPDX-License-Identifier: GPL-3.0-or-later
 * A flow with chain meter, for the tests of it: packets in words, at a time in milliseconds. */
#ifndef RS_TESTS_UNIT_OBSERVE_METER_H
#define RS_TESTS_UNIT_OBSERVE_METER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "observe/flow.h"
#include "unit/recipe.h"

static struct flow f;
static uint32_t base_fwd, base_rev;

static void fresh_flow(uint8_t proto)
{
    struct wire_tuple t = {
        .src = {.family = 4}, .dst = {.family = 4}, .proto = proto, .sport = 61000, .dport = 80};
    flow_init(&f, &t, CHAIN_BIT(CHAIN_METER));
}

static int fresh(void **state)
{
    (void)state;
    fresh_flow(IP_PROTO_TCP);
    base_fwd = 1000;
    base_rev = 5000;
    return 0;
}

static void see(int ms, enum flow_dir dir, const char *words)
{
    struct recipe r;
    bool fwd = dir == FLOW_FWD;
    const struct wire_view *v =
        recipe(&r, words, fwd ? base_fwd : base_rev, fwd ? base_rev : base_fwd);
    flow_packet(&f, v, dir, (rs_wall){1000000000 + ms * INT64_C(1000000)});
}

#define FWD(ms, words) see(ms, FLOW_FWD, words)
#define REV(ms, words) see(ms, FLOW_REV, words)

/* Seen in the middle of the path: 4 ms to one side and back, 10 ms to the other. */
static void handshake(const char *syn_options, const char *synack_options)
{
    char words[120];
    snprintf(words, sizeof words, "S 0:0(0) win 60000 %s", syn_options);
    FWD(0, words);
    snprintf(words, sizeof words, "S. 0:0(0) ack 1 win 50000 %s", synack_options);
    REV(10, words);
    FWD(14, ". 1:1(0) ack 1 win 500");
}

#define CASE(name) cmocka_unit_test_setup(name, fresh)

#endif
