/* SPDX-License-Identifier: GPL-3.0-or-later
 * CE -> ECE -> CWR as an experiment would run it: steps write the request piece by piece, rules put
 * CE on one piece and CWR on a later one, the verdict comes from the packets seen. Then the same
 * loop in the other direction, where our machine is the receiver, and our answer to ECE. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/world.h"

#define PIECE   100u
#define CE_AT   2u /* ordinals of data segments */
#define CWR_AT  5u
#define N_PIECE 7u

enum feedback { FEEDBACK_OK, FEEDBACK_NEVER, FEEDBACK_ONE_SHOT, FEEDBACK_STUCK, FEEDBACK_SPURIOUS };

/* WRITE, then WAIT until it is acknowledged, N_PIECE times; CLOSE. */
static struct step script[2 * N_PIECE + 2];

static void script_make(void)
{
    script[0] = (struct step){.kind = STEP_WAIT, .events = TCP_EV_ESTABLISHED};
    for (unsigned i = 0; i < N_PIECE; i++) {
        script[2 * i + 1] = (struct step){.kind = STEP_WRITE, .bytes = PIECE};
        script[2 * i + 2] =
            (struct step){.kind = STEP_WAIT, .events = TCP_EV_ACKED, .timeout_ms = 5000};
    }
    script[2 * N_PIECE + 1] = (struct step){.kind = STEP_CLOSE};
}

/* CWR stays off until the piece that is to carry it: our own machine would answer the echo. */
#define ON_DATA(FROM, TO)                                                                          \
    {                                                                                              \
        .classes = RULE_CLASS(SEG_DATA), .ordinal_from = (FROM), .ordinal_to = (TO)                \
    }
static const struct rule rules[] = {
    {ON_DATA(CE_AT, CE_AT), {.have = CHANGE_ECN, .ecn = IP_ECN_CE}},
    {ON_DATA(CE_AT, CWR_AT - 1), {.flags_clear = TCP_CWR}},
    {ON_DATA(CWR_AT, CWR_AT), {.flags_set = TCP_CWR}},
};

static struct world *run(enum peer_ecn ecn, link_box box)
{
    struct world_config c = {.seed = 1, .pool_blocks = 8};
    script_make();
    c.tcp = (struct tcp_config){.iss = UINT32_MAX - 300, .ecn = true, .timestamps = true};
    c.link = (struct link_config){.delay_ns = 20 * RS_MS, .box = box};
    c.peer = (struct peer_config){.ecn = ecn,
                                  .iss = 77,
                                  .request_bytes = N_PIECE * PIECE,
                                  .response_bytes = 10,
                                  .mss = 1460,
                                  .window = 29200,
                                  .timestamps = true,
                                  .waits_for_close = true};
    c.steps = script;
    c.n_steps = sizeof script / sizeof *script;
    c.rules = rules;
    c.n_rules = sizeof rules / sizeof *rules;
    struct world *w = world_new(&c);
    world_run(w, 60 * RS_SEC);
    if (!world_orderly(w) || w->script.timed_out)
        world_dump(w);
    assert_true(world_orderly(w));
    assert_false(w->script.timed_out);
    return w;
}

/* What left is what the arm says: one CE, one CWR, ECT(0) on the other pieces, in this order. */
static void check_arm(const struct world *w)
{
    unsigned piece = 0;
    for (unsigned i = 0; i < w->n_trace; i++) {
        const struct seen *s = &w->trace[i];
        if (!s->out || s->cls != SEG_DATA)
            continue;
        piece++;
        assert_int_equal(s->tries, 1);
        assert_int_equal(s->bytes, PIECE);
        assert_int_equal(s->ecn, piece == CE_AT ? IP_ECN_CE : IP_ECN_ECT0);
        if (piece <= CWR_AT)
            assert_int_equal((s->flags & TCP_CWR) != 0, piece == CWR_AT);
    }
    assert_int_equal(piece, N_PIECE);
}

/* Section by section: acknowledging what came before the mark; the mark and the two pieces behind
 * it; CWR and later. */
static enum feedback judge(const struct world *w)
{
    const uint32_t mark = 1 + PIECE * (CE_AT - 1), cwr = 1 + PIECE * (CWR_AT - 1);
    unsigned control = 0, echoed = 0, silent = 0, stuck = 0, cleared = 0;
    for (unsigned i = 0; i < w->n_trace; i++) {
        const struct seen *s = &w->trace[i];
        bool ece = (s->flags & TCP_ECE) != 0;
        if (s->out || (s->flags & TCP_SYN) != 0)
            continue;
        if (s->ack <= mark && ece)
            return FEEDBACK_SPURIOUS;
        if (s->ack <= mark)
            control++;
        else if (s->ack <= cwr)
            *(ece ? &echoed : &silent) += 1;
        else
            *(ece ? &stuck : &cleared) += 1;
    }
    assert_true(control > 0);
    assert_true(echoed + silent >= CWR_AT - CE_AT);
    if (echoed == 0)
        return FEEDBACK_NEVER;
    if (silent > 0)
        return FEEDBACK_ONE_SHOT;
    return stuck > 0 || cleared == 0 ? FEEDBACK_STUCK : FEEDBACK_OK;
}

static void check(enum peer_ecn ecn, link_box box, bool negotiated, enum feedback expected)
{
    struct world *w = run(ecn, box);
    assert_int_equal(tcp_ecn_negotiated(&w->m), negotiated);
    if (negotiated)
        check_arm(w);
    if (judge(w) != expected)
        world_dump(w);
    assert_int_equal(judge(w), expected);
    world_free(w);
}

static void echo_until_cwr(void **state) /* 7.1, 7.2 and 7.3 of a right server */
{
    (void)state;
    check(PEER_LINUX, NULL, true, FEEDBACK_OK);
}

static void never_an_echo(void **state) /* 7.1 */
{
    (void)state;
    check(PEER_NO_ECHO, NULL, true, FEEDBACK_NEVER);
    check(PEER_LINUX, box_bleach_ecn, true, FEEDBACK_NEVER); /* 7.8: the same from here */
}

static void one_shot_echo(void **state) /* 7.2 */
{
    (void)state;
    check(PEER_ONE_SHOT, NULL, true, FEEDBACK_ONE_SHOT);
}

static void stuck_echo(void **state) /* 7.3 */
{
    (void)state;
    check(PEER_STUCK, NULL, true, FEEDBACK_STUCK);
}

static void no_echo_without_negotiation(void **state) /* 7.9 */
{
    (void)state;
    check(PEER_ECN_OFF, NULL, false, FEEDBACK_NEVER);
    check(PEER_REFLECTS, NULL, false, FEEDBACK_NEVER);
}

static struct world_config download(void)
{
    struct world_config c = {.seed = 1, .pool_blocks = 8};
    c.tcp = (struct tcp_config){.iss = 9, .ecn = true, .timestamps = true};
    c.link = (struct link_config){.delay_ns = 20 * RS_MS};
    c.peer = (struct peer_config){.iss = UINT32_MAX - 3000,
                                  .request_bytes = 6000,
                                  .response_bytes = 100000,
                                  .mss = 1460,
                                  .window = 29200,
                                  .timestamps = true};
    return c;
}

/* RFC 3168 6.1.3 for our machine: ECE on all that leaves from the mark to the server's CWR. */
static void our_echo(void **state)
{
    (void)state;
    struct world_config c = download();
    c.link.box = box_ce_on_data;
    c.link.ce_data = 3;
    c.link.ce_way = TO_CLIENT;
    struct world *w = world_new(&c);
    world_run(w, 60 * RS_SEC);
    assert_true(world_orderly(w));
    bool marked = false, cleared = false;
    unsigned with = 0, after = 0;
    for (unsigned i = 0; i < w->n_trace; i++) {
        const struct seen *s = &w->trace[i];
        if (!s->out) {
            marked = marked || s->ecn == IP_ECN_CE;
            cleared = cleared || (marked && (s->flags & TCP_CWR) != 0);
        } else if (s->cls != SEG_SYN) {
            assert_int_equal((s->flags & TCP_ECE) != 0, marked && !cleared);
            with += marked && !cleared;
            after += cleared;
        }
    }
    assert_true(with > 2 && after > 2);
    assert_int_equal(w->events & (TCP_EV_CE | TCP_EV_CWR), TCP_EV_CE | TCP_EV_CWR);
    world_free(w);
}

/* RFC 3168 6.1.2 for our machine: one CWR, on the first new data after the echo. */
static void our_reaction(void **state)
{
    (void)state;
    struct world_config c = download();
    c.peer.request_bytes = 40000;
    c.link.box = box_ce_on_data;
    c.link.ce_data = 2;
    c.link.ce_way = TO_SERVER;
    struct world *w = world_new(&c);
    world_run(w, 60 * RS_SEC);
    assert_true(world_orderly(w));
    bool told = false;
    unsigned cwr = 0;
    for (unsigned i = 0; i < w->n_trace; i++) {
        const struct seen *s = &w->trace[i];
        if (!s->out)
            told = told || (s->cls != SEG_SYN && (s->flags & TCP_ECE) != 0);
        else if (s->cls == SEG_DATA && (s->flags & TCP_CWR) != 0 && ++cwr == 1)
            assert_true(told && s->tries == 1);
    }
    assert_int_equal(cwr, 1);
    assert_true((w->events & TCP_EV_ECE) != 0);
    world_free(w);
}

/* The answers to a SYN, as measured on Linux 6.18: (AE,CWR,ECE) by codepoint and reserved bit. */
static uint16_t synack_of(uint16_t syn_flags, uint8_t codepoint, enum peer_ecn ecn)
{
    const struct rule twist = {.when.classes = RULE_CLASS(SEG_SYN),
                               .change.have = CHANGE_ECN,
                               .change.ecn = codepoint,
                               .change.flags_clear = TCP_ECE | TCP_CWR,
                               .change.flags_set = syn_flags};
    struct world_config c = download();
    c.peer.ecn = ecn;
    c.rules = &twist;
    c.n_rules = 1;
    struct world *w = world_new(&c);
    world_run(w, RS_SEC);
    assert_true(w->n_trace > 1 && w->trace[1].cls == SEG_SYN && !w->trace[1].out);
    assert_int_equal(w->trace[0].flags, TCP_SYN | syn_flags);
    assert_int_equal(w->trace[1].ecn, IP_ECN_NOT);
    uint16_t flags = w->trace[1].flags & (TCP_AE | TCP_CWR | TCP_ECE);
    world_free(w);
    return flags;
}

static void golden_synacks(void **state)
{
    (void)state;
    const uint16_t ask = TCP_CWR | TCP_ECE;
    const uint16_t plain[] = {0, TCP_ECE, TCP_CWR, TCP_AE, TCP_AE | TCP_ECE, TCP_AE | TCP_CWR};
    for (uint8_t cp = 0; cp < 4; cp++) {
        for (unsigned i = 0; i < sizeof plain / sizeof *plain; i++)
            assert_int_equal(synack_of(plain[i], cp, PEER_LINUX), 0);
        assert_int_equal(synack_of(ask, cp, PEER_LINUX), cp == IP_ECN_NOT ? TCP_ECE : 0);
        assert_int_equal(synack_of(TCP_AE | ask, cp, PEER_LINUX), TCP_ECE);
        assert_int_equal(synack_of(TCP_R1 | ask, cp, PEER_LINUX), TCP_ECE);
        assert_int_equal(synack_of(TCP_R2 | ask, cp, PEER_LINUX), TCP_ECE);
        assert_int_equal(synack_of(TCP_R3 | ask, cp, PEER_LINUX), TCP_ECE);
        assert_int_equal(synack_of(ask, cp, PEER_ECN_OFF), 0);
    }
    assert_int_equal(synack_of(ask, IP_ECN_NOT, PEER_REFLECTS), ask);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_until_cwr),
        cmocka_unit_test(never_an_echo),
        cmocka_unit_test(one_shot_echo),
        cmocka_unit_test(stuck_echo),
        cmocka_unit_test(no_echo_without_negotiation),
        cmocka_unit_test(our_echo),
        cmocka_unit_test(our_reaction),
        cmocka_unit_test(golden_synacks),
    };
    return cmocka_run_group_tests_name("sim/feedback", tests, NULL, NULL);
}
