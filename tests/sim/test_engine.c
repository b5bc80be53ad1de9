/* SPDX-License-Identifier: GPL-3.0-or-later
 * The engine without a network: a server that answers each packet by itself, virtual time, and a
 * host and a capture that misbehave on demand. What a verdict may rest on (design law 3), one input
 * line and one record (law 4), retries, rounds of confirmation, reruns, stopping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "craft/craft.h"
#include "run/engine.h"
#include "wire/options.h"

extern const struct plugin plugin_ecn;

struct waiting { /* a packet on its way to the engine */
    struct waiting *next;
    rs_mono at;
    bool outgoing;
    size_t n;
    uint8_t bytes[1500];
};

static struct {
    /* what goes wrong */
    unsigned drop_syns; /* of each connection, by try */
    bool drop_ecn_syn, refuse_ecn_syn, drop_port, lose_capture, host_rst, forge, keeps_open;
    int send_error, later_send_error; /* of every packet; of all but the first of each port */
    unsigned captures_to_lose;
    uint16_t bad_port_parity;
    /* what happened */
    struct engine *e;
    struct craft *craft;
    struct waiting *queue;
    rs_mono now;
    uint64_t drops;
    unsigned records, syns, notices, sent;
    char last[4096], notice[512];
    uint16_t first_port;
    unsigned syns_of_port[65536];
    bool tried_port[65536];
} w;

static int route(
    void *ctx, const struct wire_addr *dst, rs_mono now, struct hop *out, struct rs_err *err)
{
    (void)ctx, (void)dst, (void)now, (void)err;
    *out = (struct hop){.src = {4, {192, 0, 2, 2}}, .next_hop = {4, {192, 0, 2, 1}}};
    return 0;
}

static void arrive(const uint8_t *bytes, size_t n, uint64_t delay, bool outgoing)
{
    struct waiting *p = calloc(1, sizeof *p), **at = &w.queue;
    memcpy(p->bytes, bytes, n);
    p->n = n;
    p->at = rs_mono_add(w.now, delay);
    p->outgoing = outgoing;
    while (*at != NULL && (*at)->at.ns <= p->at.ns)
        at = &(*at)->next;
    p->next = *at;
    *at = p;
}

static void reply(const struct wire_view *v,
                  uint16_t flags,
                  uint32_t seq,
                  uint32_t ack,
                  const char *payload,
                  uint8_t ecn)
{
    struct wire_tuple t = wire_view_tuple(v);
    t = wire_tuple_swap(&t);
    struct wire_segment s = {.cls = SEG_ACK,
                             .seq = seq,
                             .ack = ack,
                             .flags = flags,
                             .window = 65000,
                             .ttl = 60,
                             .ecn = ecn,
                             .payload = (const uint8_t *)payload,
                             .payload_bytes = payload == NULL ? 0 : (uint32_t)strlen(payload)};
    uint8_t packet[1500];
    size_t n;
    assert_int_equal(craft_packet(w.craft, &t, &s, packet, sizeof packet, &n, NULL), 0);
    if (w.lose_capture &&
        w.captures_to_lose > 0) { /* the kernel dropped it from the ring, and counted */
        w.captures_to_lose--;
        w.drops++;
        return;
    }
    arrive(packet, n, 5 * RS_MS, false);
}

#define SERVER_ISS 7000u

/* What an on-looker who saw nothing of the connection might send. */
static void forge(const struct wire_view *v)
{
    reply(v, TCP_RST | TCP_ACK, 0, v->seq + 77, NULL, 0);
    reply(v, TCP_SYN | TCP_ACK | TCP_ECE | TCP_CWR, 99, v->seq + 77, NULL, IP_ECN_CE);
    reply(v, TCP_ACK, 4242, v->seq + 77777, "HTTP/1.1 500 No\r\n\r\n", IP_ECN_CE);
}

static void serve_syn(const struct wire_view *v)
{
    bool ecn = (v->flags & TCP_ECE) != 0;
    w.syns++;
    if (++w.syns_of_port[v->sport] <= w.drop_syns || (ecn && w.drop_ecn_syn))
        return;
    if (w.drop_port && v->sport % 2 == w.bad_port_parity)
        return;
    if (ecn && w.refuse_ecn_syn)
        reply(v, TCP_RST | TCP_ACK, 0, v->seq + 1, NULL, 0);
    else
        reply(v, (uint16_t)(TCP_SYN | TCP_ACK | (ecn ? TCP_ECE : 0)), SERVER_ISS, v->seq + 1, NULL,
              0);
    if (w.host_rst) { /* this host's firewall rejects the SYN/ACK */
        struct wire_tuple t = wire_view_tuple(v);
        struct wire_segment s = {.cls = SEG_RST, .seq = v->seq + 1, .flags = TCP_RST, .ttl = 64};
        uint8_t packet[128];
        size_t n;
        assert_int_equal(craft_packet(w.craft, &t, &s, packet, sizeof packet, &n, NULL), 0);
        arrive(packet, n, 6 * RS_MS, true);
    }
}

static void serve(const struct wire_view *v)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
    if (w.forge)
        forge(v);
    if (v->flags & TCP_SYN)
        serve_syn(v);
    else if (v->payload_bytes > 0)
        reply(v, (uint16_t)(TCP_ACK | TCP_PSH | (w.keeps_open ? 0 : TCP_FIN)), SERVER_ISS + 1,
              v->seq + v->payload_bytes, answer, wire_ecn(v));
    else if ((v->flags & TCP_FIN) && w.keeps_open)
        reply(v, TCP_ACK | TCP_FIN, SERVER_ISS + 1 + (uint32_t)strlen(answer), v->seq + 1, NULL, 0);
    else if (v->flags & TCP_FIN)
        reply(v, TCP_ACK, SERVER_ISS + 2 + (uint32_t)strlen(answer), v->seq + 1, NULL, 0);
}

static int take(void *ctx, const uint8_t *ip, size_t n, const uint8_t mac[6])
{
    struct wire_view v;
    (void)ctx, (void)mac;
    assert_int_equal(wire_parse(&v, ip, n, WIRE_PARSE_PACKET), 0);
    assert_int_equal(v.l4_cksum, WIRE_CKSUM_GOOD);
    int error = w.send_error != 0 ? w.send_error : w.tried_port[v.sport] ? w.later_send_error : 0;
    w.tried_port[v.sport] = true;
    engine_sent(w.e, ip, n, (rs_wall){(int64_t)w.now.ns + 1}, error);
    w.sent++;
    if (error == 0)
        serve(&v);
    return 0;
}

static int flush(void *ctx)
{
    (void)ctx;
    return 0;
}

static void record(void *ctx, const char *text, size_t n)
{
    (void)ctx;
    w.records++;
    snprintf(w.last, sizeof w.last, "%.*s", (int)n, text);
}

static uint64_t drops(void *ctx, bool exact)
{
    (void)ctx, (void)exact;
    return w.drops;
}

static rs_wall wall(void *ctx)
{
    (void)ctx;
    return (rs_wall){(int64_t)w.now.ns + 1};
}

static void notice(void *ctx, const char *text)
{
    (void)ctx;
    w.notices++;
    snprintf(w.notice, sizeof w.notice, "%s", text);
}

static uint16_t ports[] = {61000, 61001};

static int start(void **state)
{
    (void)state;
    memset(&w, 0, sizeof w);
    w.now = (rs_mono){1000 * RS_SEC};
    w.craft = craft_new(NULL);
    struct engine_config config = {.plugin = &plugin_ecn,
                                   .exchange = &exchange_http,
                                   .ports = ports,
                                   .n_ports = 2,
                                   .targets_most = 4,
                                   .rate = 1000,
                                   .timeout_ns = 10 * RS_SEC,
                                   .confirm = 2,
                                   .confirm_delay_ns = 3 * RS_SEC,
                                   .seed = 1,
                                   .user_agent = "t"};
    struct engine_ops ops = {.route = route,
                             .send = take,
                             .flush = flush,
                             .record = record,
                             .drops = drops,
                             .wall = wall,
                             .notice = notice};
    return engine_new(&w.e, &config, &ops, w.now, NULL);
}

static int end(void **state)
{
    (void)state;
    engine_free(w.e);
    craft_free(w.craft);
    while (w.queue != NULL) {
        struct waiting *next = w.queue->next;
        free(w.queue);
        w.queue = next;
    }
    return 0;
}

static void add(uint64_t line, uint8_t last_byte)
{
    static const char raw[] = "{\"dip\":\"198.18.0.1\"}";
    struct job job = {.line = line,
                      .raw = raw,
                      .raw_bytes = sizeof raw - 1,
                      .raw_is_json = true,
                      .dip = {4, {198, 18, 0, last_byte}},
                      .dp = 80,
                      .domain = "example.org"};
    assert_int_equal(engine_add(w.e, &job), 0);
}

/* Virtual time goes from event to event. Returns the seconds that passed. */
static double run(double most)
{
    rs_mono from = w.now, until = rs_mono_add(w.now, (uint64_t)(most * 1e9));
    while (!engine_idle(w.e) && w.now.ns < until.ns) {
        while (w.queue != NULL && rs_mono_reached(w.queue->at, w.now)) {
            struct waiting *p = w.queue;
            w.queue = p->next;
            engine_packet(w.e, p->bytes, p->n, (rs_wall){(int64_t)p->at.ns + 1}, p->outgoing,
                          w.now);
            free(p);
        }
        rs_mono next = engine_turn(w.e, w.now);
        if (engine_idle(w.e))
            break;
        if (w.queue != NULL)
            next = rs_mono_min(next, w.queue->at);
        w.now = next.ns > w.now.ns ? rs_mono_min(next, until) : rs_mono_add(w.now, 1000);
    }
    return (double)(w.now.ns - from.ns) / 1e9;
}

#define SAYS(word)     assert_non_null(strstr(w.last, word))
#define DOES_NOT(word) assert_null(strstr(w.last, word))

static void a_clean_target(void **state)
{
    (void)state;
    add(1, 1);
    assert_true(run(60) < 1);
    SAYS("\"ecn.connectivity.works\",\"ecn.negotiation.succeeded\",\"ecn.ipmark.ect0.seen\"");
    assert_int_equal(w.records, 1);
    assert_int_equal(w.sent, 6); /* SYN, request, FIN for each arm: no more packets than needed */
    assert_int_equal(engine_counters(w.e)->exchanges, 2);
    assert_false(engine_untidy(w.e)); /* nothing can come late: the run may end at once */
}

/* A server that ignores Connection: close is not waited for, and no connection is left open. */
static void a_server_that_keeps_open(void **state)
{
    (void)state;
    w.keeps_open = true;
    add(1, 1);
    assert_true(run(60) < 1);
    SAYS("ecn.connectivity.works");
    assert_int_equal(w.records, 1);
    assert_true(engine_untidy(w.e)); /* we closed first: TIME-WAIT is ours */
}

/* RFC 6298 5.7: SYNs at 0, 1 and 3 s, the same flags each time. */
static void lost_syns_are_sent_again(void **state)
{
    (void)state;
    w.drop_syns = 2;
    add(1, 1);
    double seconds = run(60);
    assert_true(seconds > 3 && seconds < 3.5);
    SAYS("ecn.connectivity.works");
    SAYS("ecn.connectivity.retries:2");
    SAYS("ecn.negotiation.succeeded");
    assert_int_equal(w.syns, 6);
}

static void broken_only_after_two_rounds(void **state)
{
    (void)state;
    w.drop_ecn_syn = true;
    add(1, 1);
    double seconds = run(100);
    SAYS("ecn.connectivity.broken\"");
    SAYS("ecn.connectivity.broken.how:syn_drop");
    assert_int_equal(engine_counters(w.e)->confirmations, 2);
    assert_true(seconds > 23 && seconds < 26); /* 6 + 3 + 6 + 3 + 6 */
    assert_int_equal(w.syns, 5 + 3 * 3); /* baseline: 1 and 2 and 2; ECN: 3 tries, three times */
}

static void a_path_per_port_is_not_broken(void **state)
{
    (void)state;
    w.drop_port = true;
    add(1, 1);
    run(200);
    SAYS("ecn.connectivity.transient");
    SAYS("path.multipath_suspected");
    DOES_NOT("broken");
}

/* Law 3: a reply that the capture lost is measured again and is never called offline. */
static void a_lost_capture_is_made_good(void **state)
{
    (void)state;
    w.lose_capture = true;
    w.captures_to_lose = 6; /* all tries of both arms */
    w.drop_syns = 0;
    add(1, 1);
    run(200);
    SAYS("ecn.connectivity.works");
    DOES_NOT("offline");
    assert_true(engine_counters(w.e)->not_captured >= 1);
}

static void a_capture_lost_for_good_is_incomplete(void **state)
{
    (void)state;
    w.lose_capture = true;
    w.captures_to_lose = 100000;
    add(1, 1);
    run(200);
    SAYS("measure.incomplete:plain");
    SAYS("measure.incomplete:ecn");
    SAYS("the capture lost packets");
    DOES_NOT("ecn.connectivity");
}

/* Law 3: silence while the interface was away is none of the path's. */
static void an_outage_spoils_what_is_under_way(void **state)
{
    (void)state;
    w.drop_syns = 3; /* all tries of both arms */
    add(1, 1);
    run(1.5);
    engine_outage(w.e);
    run(200);
    SAYS("ecn.connectivity.works");
    DOES_NOT("retries");
    assert_int_equal(engine_counters(w.e)->not_captured, 2);
    assert_int_equal(engine_counters(w.e)->confirmations, 0);
}

static void a_host_that_rejects_is_told(void **state)
{
    (void)state;
    w.host_rst = true;
    add(1, 1);
    add(2, 2);
    /* The exchange is slower than the host's RST here. */
    run(60);
    assert_int_equal(w.records, 2);
    assert_int_equal(w.notices, 1); /* once, not for each target */
    assert_non_null(strstr(w.notice, "-X"));
    SAYS("measure.incomplete:");
    DOES_NOT("ecn.connectivity");
}

static void what_was_not_sent_is_incomplete(void **state)
{
    (void)state;
    w.send_error = 100; /* ENETDOWN */
    add(1, 1);
    run(60);
    SAYS("measure.incomplete:plain");
    SAYS("Network is down");
    assert_int_equal(w.records, 1);
}

/* Law 3: the first SYN left and was lost, the others never left: that is not silence. */
static void retransmissions_that_did_not_leave(void **state)
{
    (void)state;
    w.drop_syns = 1;
    w.later_send_error = 100;
    add(1, 1);
    run(100);
    DOES_NOT("offline");
    SAYS("measure.incomplete:plain");
    SAYS("Network is down");
}

/* Law 5: forged RST, SYN/ACK and data change nothing. */
static void forgeries_change_nothing(void **state)
{
    (void)state;
    w.forge = true;
    add(1, 1);
    run(60);
    SAYS("\"ecn.connectivity.works\",\"ecn.negotiation.succeeded\",\"ecn.ipmark.ect0.seen\",\"ecn."
         "ipmark.ect1.not_seen\",\"ecn.ipmark.ce.not_seen\"");
    assert_true(engine_counters(w.e)->unbelievable > 0);
}

static void a_refused_ecn_syn(void **state)
{
    (void)state;
    w.refuse_ecn_syn = true;
    add(1, 1);
    run(60);
    SAYS("ecn.connectivity.broken\"");
    SAYS("ecn.connectivity.broken.how:syn_rst");
}

/* Law 8: one target at a time for an address; law 4: each line its record. */
static void the_same_address_waits(void **state)
{
    (void)state;
    add(1, 1);
    add(2, 1);
    add(3, 1);
    engine_turn(w.e, w.now);
    assert_int_equal(w.syns, 2);
    run(60);
    assert_int_equal(w.records, 3);
    assert_int_equal(engine_counters(w.e)->exchanges, 6);
}

static void stopped_runs_lose_no_line(void **state)
{
    (void)state;
    w.drop_syns = 100;
    for (uint8_t i = 1; i <= 4; i++)
        add(i, i % 2); /* two of them wait for an address */
    run(1.5);
    engine_drain(w.e);
    run(0.1);
    engine_stop(w.e, w.now);
    assert_int_equal(w.records, 4);
    assert_true(engine_idle(w.e));
    SAYS("measure.incomplete:");
    DOES_NOT("offline");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_clean_target, start, end),
        cmocka_unit_test_setup_teardown(a_server_that_keeps_open, start, end),
        cmocka_unit_test_setup_teardown(lost_syns_are_sent_again, start, end),
        cmocka_unit_test_setup_teardown(broken_only_after_two_rounds, start, end),
        cmocka_unit_test_setup_teardown(a_path_per_port_is_not_broken, start, end),
        cmocka_unit_test_setup_teardown(a_lost_capture_is_made_good, start, end),
        cmocka_unit_test_setup_teardown(a_capture_lost_for_good_is_incomplete, start, end),
        cmocka_unit_test_setup_teardown(an_outage_spoils_what_is_under_way, start, end),
        cmocka_unit_test_setup_teardown(a_host_that_rejects_is_told, start, end),
        cmocka_unit_test_setup_teardown(what_was_not_sent_is_incomplete, start, end),
        cmocka_unit_test_setup_teardown(retransmissions_that_did_not_leave, start, end),
        cmocka_unit_test_setup_teardown(forgeries_change_nothing, start, end),
        cmocka_unit_test_setup_teardown(a_refused_ecn_syn, start, end),
        cmocka_unit_test_setup_teardown(the_same_address_waits, start, end),
        cmocka_unit_test_setup_teardown(stopped_runs_lose_no_line, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
