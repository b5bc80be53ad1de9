/* SPDX-License-Identifier: GPL-3.0-or-later
 * The observer's flow table: which packet belongs to which flow, when and why flows end. */
#include "unit/base/run.h"

#include "observe/aging.h"
#include "unit/recipe.h"

#define S      INT64_C(1000000000)
#define CHAINS (CHAIN_BIT(CHAIN_BASIC) | CHAIN_BIT(CHAIN_TCP) | CHAIN_BIT(CHAIN_ICMP))

static struct aging a;
static int64_t now; /* seconds that the helpers stamp packets with */

static struct ended {
    uint16_t sport;
    enum flow_end why;
    uint64_t packets, forward;
    uint8_t proto;
    bool unreachable;
    uint32_t bad;
} ended[64];
static unsigned n_ended;

static void on_ended(void *ctx, const struct flow *f, enum flow_end why)
{
    assert_ptr_equal(ctx, &a);
    assert_true(n_ended < 64);
    ended[n_ended++] = (struct ended){.sport = f->tuple.sport,
                                      .why = why,
                                      .packets = f->pkt_fwd + f->pkt_rev,
                                      .forward = f->pkt_fwd,
                                      .proto = f->tuple.proto,
                                      .unreachable = f->icmp_unreachable,
                                      .bad = f->bad_checksum_rev};
}

static void table(size_t most, uint64_t active)
{
    struct aging_config config = {.chains = CHAINS,
                                  .flows_most = most,
                                  .idle_ns = 30 * RS_SEC,
                                  .close_ns = 5 * RS_SEC,
                                  .active_ns = active,
                                  .key = {1, 2},
                                  .ended = on_ended,
                                  .ctx = &a};
    n_ended = 0;
    now = 1000;
    assert_int_equal(aging_init(&a, &config), 0);
}

static int end_table(void **state)
{
    (void)state;
    aging_free(&a);
    return 0;
}

static struct aging_item batch[AGING_BATCH];
static size_t n_batch;
static bool in_batch; /* packets go there */

static void give(uint8_t proto, uint16_t sport, uint16_t dport, const struct wire_view *like)
{
    struct wire_view v = *like;
    bool out = dport < 1024; /* 192.0.2.1 is the client */
    v.proto = proto;
    v.sport = sport;
    v.dport = dport;
    v.src = (struct wire_addr){4, {192, 0, 2, out ? 1 : 2}};
    v.dst = (struct wire_addr){4, {192, 0, 2, out ? 2 : 1}};
    if (in_batch)
        batch[n_batch++] = (struct aging_item){v, {now * S}};
    else
        aging_packet(&a, &v, (rs_wall){now * S});
}

/* A TCP segment of connection `port`; `out`: of the client. */
static void tcp(uint16_t port, bool out, const char *words)
{
    struct recipe r;
    recipe(&r, words, 1000, 1000);
    if (out)
        give(IP_PROTO_TCP, port, 80, &r.view);
    else
        give(IP_PROTO_TCP, 80, port, &r.view);
}

static void udp(uint16_t port)
{
    const struct wire_view v = {.have = WIRE_IP4 | WIRE_PORTS | WIRE_UDP, .ip_bytes = 100};
    give(IP_PROTO_UDP, port, 53, &v);
}

static void expect(unsigned i, uint16_t sport, enum flow_end why, uint64_t packets)
{
    if (i >= n_ended)
        fail_msg("only %u flows have ended", n_ended);
    if (ended[i].sport != sport || ended[i].why != why || ended[i].packets != packets)
        fail_msg("flow %u: port %u, %s, %llu packets", i, ended[i].sport,
                 flow_end_name(ended[i].why), (unsigned long long)ended[i].packets);
}

static void finish(uint16_t port)
{
    tcp(port, true, "S 0:0(0)");
    tcp(port, false, "S. 0:0(0) ack 1");
    tcp(port, true, ". 1:1(0) ack 1");
    tcp(port, true, "F. 1:1(0) ack 1");
    tcp(port, false, "F. 1:1(0) ack 2");
    tcp(port, true, ". 2:2(0) ack 2");
}

static void idle_flows_end_after_30_seconds(void **state)
{
    (void)state;
    table(100, 0);
    udp(2001);
    now = 1010;
    udp(2002);
    now = 1029;
    udp(2001); /* heard of again */
    aging_advance(&a, (rs_wall){1040 * S - 1});
    assert_int_equal(n_ended, 0);
    aging_advance(&a, (rs_wall){1040 * S});
    assert_int_equal(n_ended, 1);
    expect(0, 2002, FLOW_END_IDLE, 1);
    now = 1059;
    udp(2001); /* its own packet finds it idle: a new flow */
    expect(1, 2001, FLOW_END_IDLE, 2);
    assert_int_equal(aging_open(&a), 1);
}

static void both_fins_acknowledged_and_five_seconds(void **state)
{
    (void)state;
    table(100, 0);
    finish(2001);
    now = 1004;
    tcp(2001, false, "F. 1:1(0) ack 2"); /* what comes late belongs to it, and delays nothing */
    aging_advance(&a, (rs_wall){1005 * S - 1});
    assert_int_equal(n_ended, 0);
    aging_advance(&a, (rs_wall){1005 * S});
    expect(0, 2001, FLOW_END_CLOSED, 7);
}

static void a_fin_is_not_closed_by_an_older_ack(void **state)
{
    (void)state;
    table(100, 0);
    tcp(2001, true, "F. 1:1(0) ack 1");
    tcp(2001, false, "F. 1:1(0) ack 1"); /* does not acknowledge the FIN */
    tcp(2001, true, ". 2:2(0) ack 2");
    aging_advance(&a, (rs_wall){1029 * S});
    assert_int_equal(n_ended, 0);
    aging_advance(&a, (rs_wall){1030 * S});
    expect(0, 2001, FLOW_END_IDLE, 3);
}

static void an_rst_closes(void **state)
{
    (void)state;
    table(100, 0);
    tcp(2001, true, "S 0:0(0)");
    tcp(2001, false, "R. 0:0(0) ack 1");
    aging_advance(&a, (rs_wall){1005 * S});
    expect(0, 2001, FLOW_END_CLOSED, 2);
}

static void a_damaged_rst_closes_nothing(void **state)
{
    (void)state;
    table(100, 0);
    tcp(2001, true, "S 0:0(0)");
    tcp(2001, false, "R. 0:0(0) ack 1 bad-cksum");
    aging_advance(&a, (rs_wall){1005 * S});
    assert_int_equal(n_ended, 0);
    aging_flush(&a);
    expect(0, 2001, FLOW_END_END, 2);
    assert_int_equal(ended[0].bad, 1);
    assert_int_equal(a.stats.bad_checksum, 1);
}

/* A source port that is used again at once. */
static void a_new_syn_opens_a_closing_flow_again(void **state)
{
    (void)state;
    table(100, 0);
    finish(2001);
    tcp(2001, true, "S 0:0(0)"); /* sent again: the same number */
    assert_int_equal(n_ended, 0);
    tcp(2001, true, "S 777:777(0)");
    assert_int_equal(n_ended, 1);
    expect(0, 2001, FLOW_END_CLOSED, 7);
    assert_int_equal(aging_open(&a), 1);
    tcp(2001, true, "S 888:888(0)"); /* of a flow that is open: it stays one */
    assert_int_equal(n_ended, 1);
}

/* Whoever answers a SYN is the server, whether the SYN was seen or not. */
static void a_synack_that_comes_first_goes_in_reverse(void **state)
{
    (void)state;
    table(100, 0);
    tcp(2001, false, "SE. 0:0(0) ack 1");
    tcp(2001, true, "S 0:0(0)"); /* it was overtaken */
    tcp(2001, true, ". 1:1(0) ack 1");
    tcp(2002, false, "S. 0:0(0) ack 1 bad-cksum");
    tcp(2003, false, "S 0:0(0)"); /* everything else: the first packet goes forward */
    tcp(2004, false, ". 1:1(0) ack 1");
    tcp(2005, false, "SR. 1:1(0) ack 1"); /* this is no answer */
    aging_flush(&a);
    assert_int_equal(n_ended, 5);
    expect(0, 80, FLOW_END_CLOSED, 1); /* by its RST */
    expect(1, 2001, FLOW_END_END, 3);
    assert_int_equal(ended[1].forward, 2);
    expect(2, 2002, FLOW_END_END, 1);
    assert_int_equal(ended[2].forward, 0);
    expect(3, 80, FLOW_END_END, 1);
    expect(4, 80, FLOW_END_END, 1);
    assert_int_equal(ended[4].forward, 1);
}

/* A port that is used again, of which the capture has only the answer. */
static void a_synack_of_a_new_connection_behind_a_closed_one(void **state)
{
    (void)state;
    table(100, 0);
    finish(2001);
    now += 6;
    tcp(2001, false, "S. 500:500(0) ack 1");
    tcp(2001, true, ". 1:1(0) ack 501");
    aging_flush(&a);
    expect(0, 2001, FLOW_END_CLOSED, 6);
    expect(1, 2001, FLOW_END_END, 2);
    assert_int_equal(ended[1].forward, 1);
}

static void the_active_timeout_cuts(void **state)
{
    (void)state;
    table(100, 60 * RS_SEC);
    for (; now < 1060; now += 10)
        udp(2001);
    assert_int_equal(n_ended, 0);
    udp(2001);
    expect(0, 2001, FLOW_END_ACTIVE, 6);
    assert_int_equal(aging_open(&a), 1);
    aging_flush(&a);
    expect(1, 2001, FLOW_END_END, 1);
}

static void a_full_table_gives_up_the_one_longest_unheard_of(void **state)
{
    (void)state;
    table(3, 0);
    udp(2001);
    udp(2002);
    udp(2003);
    udp(2001);
    udp(2004);
    assert_int_equal(n_ended, 1);
    expect(0, 2002, FLOW_END_EVICTED, 1);
    finish(2003 + 1000); /* in the place of 2003; closing now */
    expect(1, 2003, FLOW_END_EVICTED, 1);
    udp(2005);
    expect(2, 3003, FLOW_END_CLOSED, 6);
    assert_int_equal(aging_open(&a), 3);
    assert_int_equal(a.stats.ended[FLOW_END_EVICTED], 2);
    assert_int_equal(a.stats.open_most, 3);
    aging_flush(&a);
    assert_int_equal(aging_open(&a), 0);
    assert_int_equal(n_ended, 6);
    expect(3, 2001, FLOW_END_END, 2);
}

static void time_that_goes_backwards_ages_nothing(void **state)
{
    (void)state;
    table(100, 0);
    udp(2001);
    now = 900;
    udp(2002);
    now = INT64_MIN / S;
    udp(2003);
    assert_int_equal(a.stats.backwards, 2);
    assert_int_equal(n_ended, 0);
    now = 1029;
    udp(2004);
    assert_int_equal(n_ended, 0); /* they came at 1000, whatever their stamps said */
    aging_advance(&a, (rs_wall){1030 * S});
    assert_int_equal(n_ended, 3);
    now = INT64_MAX / S;
    udp(2005);
    assert_int_equal(n_ended, 4);
    aging_advance(&a, (rs_wall){INT64_MIN + 1});
    assert_int_equal(n_ended, 4);
}

static void other_protocols_have_no_ports(void **state)
{
    (void)state;
    table(100, 0);
    const struct wire_view v = {.have = WIRE_IP4, .ip_bytes = 60};
    give(112, 0, 0, &v);
    give(112, 0, 0, &v);
    give(88, 0, 0, &v);
    const struct wire_view fragment = {.have = WIRE_IP4 | WIRE_FRAGMENT, .ip_bytes = 60};
    udp(2001);
    give(IP_PROTO_UDP, 0, 0, &fragment);
    aging_flush(&a);
    assert_int_equal(n_ended, 4);
    expect(0, 0, FLOW_END_END, 2);
    assert_int_equal(ended[0].proto, 112);
    expect(1, 0, FLOW_END_END, 1);
    expect(2, 2001, FLOW_END_END, 1);
    expect(3, 0, FLOW_END_END, 1);
    assert_int_equal(a.stats.fragments, 1);
}

/* ICMP unreachable from a router, quoting `hex`. */
static void icmp_error(const char *hex)
{
    uint8_t quote[64];
    struct wire_view v = {.have = WIRE_IP4 | WIRE_ICMP | WIRE_QUOTE,
                          .proto = IP_PROTO_ICMP,
                          .icmp_type = 3,
                          .icmp_code = 1,
                          .ip_bytes = 56,
                          .src = {4, {203, 0, 113, 1}},
                          .dst = {4, {192, 0, 2, 1}},
                          .quote = quote};
    v.quote_bytes = (uint32_t)recipe_hex(hex, quote, sizeof quote);
    aging_packet(&a, &v, (rs_wall){now * S});
}

#define QUOTE_HEAD "45000028 00000000 40060000 c0000201 c0000202 "

static void icmp_errors_belong_to_what_they_quote(void **state)
{
    (void)state;
    table(100, 0);
    tcp(2001, true, "S 0:0(0)");
    now = 1029;
    icmp_error(QUOTE_HEAD "07d1 0050 00000000"); /* 2001 -> 80: keeps its flow alive */
    icmp_error(QUOTE_HEAD "07d2 0050 00000000"); /* 2002 -> 80: nobody's */
    icmp_error("4500");                          /* not even a quote */
    assert_int_equal(a.stats.icmp_errors, 1);
    aging_advance(&a, (rs_wall){1058 * S});
    assert_int_equal(n_ended, 0);
    aging_flush(&a);
    assert_int_equal(n_ended, 2);
    expect(0, 2001, FLOW_END_END, 2);
    assert_true(ended[0].unreachable);
    expect(1, 0, FLOW_END_END, 2);
    assert_int_equal(ended[1].proto, IP_PROTO_ICMP);
    assert_false(ended[1].unreachable);
}

/* Many flows, in and out of a small table, by every way: nothing is lost, nothing is given twice.
 */
static void many_flows_are_each_given_once(void **state)
{
    (void)state;
    struct rs_rand r;
    rs_rand_seed(&r, 7);
    table(37, 20 * RS_SEC);
    for (int i = 0; i < 20000; i++) {
        n_ended = 0;
        now += (int64_t)rs_rand_below(&r, 3) - (i % 7 == 0 ? 2 : 0);
        now += i % 1000 == 500 ? 100 : 0; /* silence: all are idle */
        uint16_t port = (uint16_t)(2000 + rs_rand_below(&r, 60));
        if (rs_rand_below(&r, 40) == 0)
            tcp(port, rs_rand_below(&r, 2) != 0, "R 1:1(0)");
        else if (rs_rand_below(&r, 20) != 0)
            udp(port);
        else
            finish(port);
        assert_true(aging_open(&a) <= 37);
        assert_int_equal(aging_open(&a), a.slab.used);
    }
    n_ended = 0;
    aging_flush(&a);
    uint64_t all = 0;
    for (int why = 0; why < FLOW_END_N; why++)
        all += a.stats.ended[why];
    assert_int_equal(all, a.stats.flows);
    assert_int_equal(a.stats.lost, 0);
    for (int why = FLOW_END_IDLE; why < FLOW_END_N; why++)
        if (a.stats.ended[why] == 0)
            fail_msg("no flow ended as %s", flow_end_name((enum flow_end)why));
}

/* One that changes the table under the packets behind it: flows begin, end, and are evicted. */
static void sixteen_packets(void)
{
    table(2, 0);
    udp(2001);
    finish(2002);
    udp(2001);
    udp(2003); /* takes the place of the closed one */
    udp(2004); /* of 2001 */
    udp(2001); /* of 2003 */
    now += 31;
    udp(2001); /* anew: it was idle */
    tcp(2005, true, "S 0:0(0)");
    tcp(2005, false, "R. 0:0(0) ack 1");
    now += 1;
    tcp(2005, true, "S 7:7(0)"); /* opens it again */
    tcp(2005, false, "S. 0:0(0) ack 8");
}

static void a_batch_is_its_packets_in_turn(void **state)
{
    (void)state;
    sixteen_packets();
    aging_flush(&a);
    struct ended one_by_one[64];
    unsigned n = n_ended;
    assert_int_equal(n, 8);
    memcpy(one_by_one, ended, sizeof one_by_one);
    aging_free(&a);
    in_batch = true;
    sixteen_packets();
    in_batch = false;
    assert_int_equal(n_batch, AGING_BATCH);
    aging_packets(&a, batch, n_batch);
    aging_packets(&a, batch, 0);
    aging_flush(&a);
    assert_int_equal(n_ended, n);
    for (unsigned i = 0; i < n; i++)
        expect(i, one_by_one[i].sport, one_by_one[i].why, one_by_one[i].packets);
}

static void reasons_have_names(void **state)
{
    (void)state;
    assert_string_equal(flow_end_name(FLOW_END_IDLE), "idle");
    assert_string_equal(flow_end_name(FLOW_END_EVICTED), "evicted");
    assert_string_equal(flow_end_name(FLOW_END_N), "?");
}

#define CASE(name) cmocka_unit_test_teardown(name, end_table)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(idle_flows_end_after_30_seconds),
        CASE(both_fins_acknowledged_and_five_seconds),
        CASE(a_fin_is_not_closed_by_an_older_ack),
        CASE(an_rst_closes),
        CASE(a_damaged_rst_closes_nothing),
        CASE(a_new_syn_opens_a_closing_flow_again),
        CASE(a_synack_that_comes_first_goes_in_reverse),
        CASE(a_synack_of_a_new_connection_behind_a_closed_one),
        CASE(the_active_timeout_cuts),
        CASE(a_full_table_gives_up_the_one_longest_unheard_of),
        CASE(time_that_goes_backwards_ages_nothing),
        CASE(other_protocols_have_no_ports),
        CASE(icmp_errors_belong_to_what_they_quote),
        CASE(many_flows_are_each_given_once),
        CASE(a_batch_is_its_packets_in_turn),
        cmocka_unit_test(reasons_have_names),
    };
    return UNIT_RUN(tests);
}
