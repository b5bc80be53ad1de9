/* SPDX-License-Identifier: GPL-3.0-or-later
 * The steps interpreter: each kind of step by itself. Scripts against a whole peer are in
 * tests/sim/test_feedback.c. */
#include "unit/tcpstate/play.h"

#include "tcpstate/step.h"

#define REQUEST 300u

struct stage { /* a machine, a script, and what left in the last turn */
    struct tcp m;
    struct tcp_out out;
    struct script script;
    struct slab pool;
    rs_mono now;
    bool over;
    char sent[TCP_OUT_SEGMENTS][200];
    unsigned n_sent;
};

/* Ends the turn: script, then output. */
static void turn(struct stage *t)
{
    t->over = script_run(&t->script, &t->m, play_request, REQUEST, t->now, &t->out);
    tcp_output(&t->m, t->now, &t->out);
    t->n_sent = t->out.n_segments;
    for (unsigned i = 0; i < t->n_sent; i++) {
        snprintf(t->sent[i], sizeof t->sent[i], "%s",
                 recipe_of_segment(&t->out.segment[i], 100, 200));
        play_cut(t->sent[i], " ttl ", " bad");
        play_cut(t->sent[i], " win 64240", " ");
    }
    tcp_out_clear(&t->out);
}

static void arrive(struct stage *t, const char *text)
{
    struct recipe r;
    tcp_input(&t->m, recipe(&r, text, 200, 100), t->now, &t->out);
    turn(t);
}

static void pass(struct stage *t, uint64_t ms)
{
    t->now = rs_mono_add(t->now, ms * RS_MS);
    if (rs_mono_reached(tcp_next_expiry(&t->m), t->now))
        tcp_expire(&t->m, t->now, &t->out);
    turn(t);
}

static void sent(const struct stage *t, const char *expected)
{
    assert_int_equal(t->n_sent, 1);
    assert_string_equal(t->sent[0], expected);
}

static void begin(struct stage *t, const struct step *steps, uint16_t n)
{
    struct tcp_config c = {.iss = 100, .reasm = &t->pool};
    for (size_t i = 0; i < REQUEST; i++)
        play_request[i] = (uint8_t)('a' + i % 26);
    memset(t, 0, sizeof *t);
    slab_init(&t->pool, TCP_REASM_BLOCK, 8);
    t->now = (rs_mono){RS_SEC};
    tcp_init(&t->m, &c);
    script_init(&t->script, steps, n);
    tcp_open(&t->m, t->now);
    turn(t);
}

static void established(struct stage *t, const struct step *steps, uint16_t n)
{
    begin(t, steps, n);
    arrive(t, "S. 0:0(0) ack 1");
}

static void end(struct stage *t)
{
    tcp_release(&t->m);
    assert_int_equal(t->pool.used, 0);
    slab_free(&t->pool);
}

/* Macros, because clang-format 14 dies of arrays whose rows differ in length. */
#define WAIT(EVENTS, MS)                                                                           \
    {                                                                                              \
        .kind = STEP_WAIT, .events = (EVENTS), .timeout_ms = (MS)                                  \
    }
#define WRITE(N)                                                                                   \
    {                                                                                              \
        .kind = STEP_WRITE, .bytes = (N)                                                           \
    }
#define WINDOW(N)                                                                                  \
    {                                                                                              \
        .kind = STEP_WINDOW, .value = (N)                                                          \
    }
#define SILENT(MS)                                                                                 \
    {                                                                                              \
        .kind = STEP_SILENT, .timeout_ms = (MS)                                                    \
    }
#define SEGMENT(FLAGS, AT, N)                                                                      \
    {                                                                                              \
        .kind = STEP_SEGMENT, .flags = (FLAGS), .value = (AT), .bytes = (N)                        \
    }
#define PLAIN(KIND)                                                                                \
    {                                                                                              \
        .kind = (KIND)                                                                             \
    }
#define STEPS(steps) (steps), (uint16_t)(sizeof(steps) / sizeof *(steps))

static void write_wait_write_close(void **state)
{
    (void)state;
    const struct step steps[] = {WAIT(TCP_EV_ESTABLISHED, 0),
                                 WRITE(100),
                                 WAIT(TCP_EV_ACKED, 0),
                                 WRITE(0),
                                 WAIT(TCP_EV_ACKED | TCP_EV_DELIVERED, 0),
                                 PLAIN(STEP_CLOSE)};
    struct stage t;
    established(&t, STEPS(steps));
    sent(&t, "P. 1:101(100) ack 1");
    arrive(&t, ". 1:1(0) ack 101");
    sent(&t, "P. 101:301(200) ack 1");
    arrive(&t, ". 1:1(0) ack 301"); /* one of two */
    assert_int_equal(t.n_sent, 0);
    arrive(&t, "P. 1:11(10) ack 301");
    sent(&t, "F. 301:301(0) ack 11");
    assert_true(t.over);
    end(&t);
}

static void a_wait_does_not_see_what_was_before_it(void **state)
{
    (void)state;
    const struct step steps[] = {WAIT(TCP_EV_ESTABLISHED, 0), WAIT(TCP_EV_ESTABLISHED, 0),
                                 WRITE(0)};
    struct stage t;
    established(&t, STEPS(steps));
    assert_int_equal(t.script.at, 1);
    assert_false(t.over);
    end(&t);
}

static void a_wait_ends_by_its_timeout(void **state)
{
    (void)state;
    const struct step steps[] = {WAIT(TCP_EV_ESTABLISHED, 0), WAIT(TCP_EV_PEER_FIN, 500),
                                 WRITE(10)};
    struct stage t;
    established(&t, STEPS(steps));
    assert_true(script_next_expiry(&t.script).ns == t.now.ns + 500 * RS_MS);
    pass(&t, 499);
    assert_int_equal(t.n_sent, 0);
    assert_false(t.script.timed_out);
    pass(&t, 1);
    sent(&t, "P. 1:11(10) ack 1");
    assert_true(t.script.timed_out);
    assert_true(t.over);
    assert_true(script_next_expiry(&t.script).ns == RS_NEVER.ns);
    end(&t);
}

static void a_pause_is_no_timeout(void **state)
{
    (void)state;
    const struct step steps[] = {WAIT(0, 5)};
    struct stage t;
    begin(&t, STEPS(steps));
    assert_false(t.over);
    pass(&t, 5);
    assert_true(t.over);
    assert_false(t.script.timed_out);
    end(&t);
}

static void held_acks_wait_for_release(void **state)
{
    (void)state;
    const struct step steps[] = {PLAIN(STEP_HOLD_ACK), WAIT(TCP_EV_ESTABLISHED, 0),
                                 WAIT(TCP_EV_PEER_FIN, 100), PLAIN(STEP_RELEASE_ACK)};
    struct stage t;
    established(&t, STEPS(steps));
    assert_int_equal(t.n_sent, 0);
    arrive(&t, "P. 1:11(10) ack 1");
    pass(&t, 50); /* the delayed ACK, too */
    assert_int_equal(t.n_sent, 0);
    pass(&t, 50);
    sent(&t, ". 1:1(0) ack 11");
    end(&t);
}

static void held_acks_still_ride_on_data(void **state)
{
    (void)state;
    const struct step steps[] = {PLAIN(STEP_HOLD_ACK), WAIT(TCP_EV_DELIVERED, 0), WRITE(5)};
    struct stage t;
    established(&t, STEPS(steps));
    arrive(&t, "P. 1:11(10) ack 1");
    sent(&t, "P. 1:6(5) ack 11");
    end(&t);
}

static void the_window_is_announced_at_once(void **state)
{
    (void)state;
    const struct step steps[] = {WAIT(TCP_EV_ESTABLISHED, 0), WINDOW(0), WAIT(0, 10), WINDOW(5000)};
    struct stage t;
    established(&t, STEPS(steps));
    sent(&t, ". 1:1(0) ack 1 win 0");
    pass(&t, 10);
    sent(&t, ". 1:1(0) ack 1 win 5000");
    end(&t);
}

static void a_retracted_window_still_takes_what_was_promised(void **state)
{
    (void)state;
    const struct step steps[] = {WAIT(TCP_EV_ESTABLISHED, 0), WINDOW(0), WAIT(TCP_EV_DELIVERED, 0),
                                 WRITE(5)};
    struct stage t;
    established(&t, STEPS(steps));
    sent(&t, ". 1:1(0) ack 1 win 0");
    arrive(&t, "P. 1:101(100) ack 1");
    sent(&t, "P. 1:6(5) ack 101 win 0");
    end(&t);
}

static void a_crafted_segment_without_ack_pays_no_ack(void **state)
{
    (void)state;
    const struct step steps[] = {WAIT(TCP_EV_ESTABLISHED, 0), SEGMENT(TCP_FIN, 400, 50)};
    struct stage t;
    established(&t, STEPS(steps));
    assert_int_equal(t.n_sent, 2);
    assert_string_equal(t.sent[0], "F 401:401(0)"); /* beyond the request: no text */
    assert_string_equal(t.sent[1], ". 1:1(0) ack 1");
    end(&t);
}

static void more_than_fits_asks_for_another_call(void **state)
{
    (void)state;
    const struct step steps[] = {WAIT(TCP_EV_ESTABLISHED, 0), SEGMENT(TCP_ACK, 0, 0),
                                 SEGMENT(TCP_ACK, 0, 0), WRITE(0)};
    struct stage t;
    struct recipe r;
    begin(&t, STEPS(steps));
    tcp_input(&t.m, recipe(&r, "S. 0:0(0) ack 1 <mss 48>", 200, 100), t.now, &t.out);
    script_run(&t.script, &t.m, play_request, REQUEST, t.now, &t.out);
    tcp_output(&t.m, t.now, &t.out);
    assert_int_equal(t.out.n_segments, TCP_OUT_SEGMENTS);
    assert_true(t.out.more);
    tcp_out_clear(&t.out);
    tcp_output(&t.m, t.now, &t.out);
    assert_int_equal(t.out.n_segments, 1);
    assert_false(t.out.more);
    end(&t);
}

static void a_crafted_segment_beside_the_stream(void **state)
{
    (void)state;
    const struct step steps[] = {WAIT(TCP_EV_ESTABLISHED, 0),
                                 SEGMENT(TCP_ACK | TCP_CWR, 0, 0),
                                 WAIT(0, 10),
                                 SEGMENT(TCP_RST, 7, 0),
                                 WAIT(0, 10),
                                 SEGMENT(TCP_ACK | TCP_URG, 290, 50)};
    struct stage t;
    established(&t, STEPS(steps));
    sent(&t, ". 1:1(0) ack 1 [W]"); /* instead of the handshake's ACK */
    pass(&t, 10);
    sent(&t, "R 8:8(0)");
    pass(&t, 10);
    sent(&t, ".U 291:301(10) ack 1 urg 0"); /* no further than the request goes */
    assert_int_equal(tcp_state(&t.m), TCP_ESTABLISHED);
    end(&t);
}

static void crafted_data_in_order_is_part_of_the_stream(void **state)
{
    (void)state;
    const struct step steps[] = {WAIT(TCP_EV_ESTABLISHED, 0), SEGMENT(TCP_ACK | TCP_PSH, 0, 50),
                                 WAIT(TCP_EV_ACKED, 0), WRITE(20)};
    struct stage t;
    established(&t, STEPS(steps));
    sent(&t, "P. 1:51(50) ack 1");
    pass(&t, 200);
    sent(&t, "P. 1:51(50) ack 1"); /* it is retransmitted */
    arrive(&t, ". 1:1(0) ack 51");
    sent(&t, "P. 51:71(20) ack 1");
    end(&t);
}

static void silence_stops_timers_and_answers(void **state)
{
    (void)state;
    const struct step steps[] = {WAIT(TCP_EV_ESTABLISHED, 0), WRITE(10), WAIT(0, 10), SILENT(1000),
                                 WAIT(TCP_EV_PEER_FIN, 0)};
    struct stage t;
    established(&t, STEPS(steps));
    sent(&t, "P. 1:11(10) ack 1");
    pass(&t, 10);
    assert_true(tcp_next_expiry(&t.m).ns == RS_NEVER.ns);
    tcp_expire(&t.m, rs_mono_add(t.now, RS_SEC), &t.out); /* asked all the same */
    assert_int_equal(t.out.events, 0);
    arrive(&t, "P. 1:101(100) ack 1");
    arrive(&t, "P. 101:201(100) ack 1");
    assert_int_equal(t.n_sent, 0);
    pass(&t, 999);
    assert_int_equal(t.n_sent, 0);
    pass(&t, 1);
    sent(&t, ". 11:11(0) ack 201");
    pass(&t, 1);
    sent(&t, "P. 1:11(10) ack 201"); /* its time had come meanwhile */
    end(&t);
}

static void abort_ends_the_script(void **state)
{
    (void)state;
    const struct step steps[] = {WAIT(TCP_EV_ESTABLISHED, 0), PLAIN(STEP_ABORT),
                                 WAIT(TCP_EV_ACKED, 0)};
    struct stage t;
    established(&t, STEPS(steps));
    sent(&t, "R. 1:1(0) ack 1 win 0");
    assert_true(t.over);
    end(&t);
}

static void a_script_ends_with_its_connection(void **state)
{
    (void)state;
    const struct step steps[] = {WAIT(TCP_EV_ACKED, 0)};
    struct stage t;
    begin(&t, STEPS(steps));
    arrive(&t, "R. 0:0(0) ack 1");
    assert_true(t.over);
    end(&t);
}

int main(void)
{
    const struct CMUnitTest extra[] = {
        cmocka_unit_test(write_wait_write_close),
        cmocka_unit_test(a_wait_does_not_see_what_was_before_it),
        cmocka_unit_test(a_wait_ends_by_its_timeout),
        cmocka_unit_test(a_pause_is_no_timeout),
        cmocka_unit_test(held_acks_wait_for_release),
        cmocka_unit_test(held_acks_still_ride_on_data),
        cmocka_unit_test(the_window_is_announced_at_once),
        cmocka_unit_test(a_retracted_window_still_takes_what_was_promised),
        cmocka_unit_test(a_crafted_segment_without_ack_pays_no_ack),
        cmocka_unit_test(more_than_fits_asks_for_another_call),
        cmocka_unit_test(a_crafted_segment_beside_the_stream),
        cmocka_unit_test(crafted_data_in_order_is_part_of_the_stream),
        cmocka_unit_test(silence_stops_timers_and_answers),
        cmocka_unit_test(abort_ends_the_script),
        cmocka_unit_test(a_script_ends_with_its_connection),
    };
    return play_main(NULL, 0, extra, sizeof extra / sizeof *extra);
}
