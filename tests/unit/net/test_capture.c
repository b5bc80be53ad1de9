/* SPDX-License-Identifier: GPL-3.0-or-later
 * Each class of packets that the filter knows, once to hit and once to miss. Packets come in from
 * the far end; what the host itself emits is drawn from its own kernel. */
#include "unit/net/netns.h"

#include "net/capture.h"
#include "net/clock.h"
#include "net/iface.h"
#include "net/inject.h"
#include "wire/link.h"

static struct iface iface;
static struct capture *cap;
static struct rs_err err;
static int far_end;

struct got {
    unsigned n, outgoing;
    struct capture_packet last;
    uint8_t ip[512], mac[6];
    bool has_neighbour;
    struct wire_addr neighbour;
    uint8_t neighbour_mac[6];
    rs_wall first_at;
};
static struct got got;

static void on_packet(void *ctx, const struct capture_packet *p)
{
    struct got *g = ctx;
    if (g->n++ == 0)
        g->first_at = p->at;
    g->outgoing += p->outgoing;
    if (p->outgoing)
        return;
    g->last = *p;
    memcpy(g->ip, p->ip, p->ip_captured < sizeof g->ip ? p->ip_captured : sizeof g->ip);
    if (p->src_mac != NULL)
        memcpy(g->mac, p->src_mac, 6);
    assert_ptr_equal(p->ip + p->ip_captured, p->link_bytes + p->link_captured);
    if (capture_neighbour(p, &g->neighbour, g->neighbour_mac))
        g->has_neighbour = true;
}

static int set_up(void **state)
{
    enter_veth(state);
    if (!netns_ready)
        return 0;
    sh("ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:02 dev near0 && "
       "ip neigh add 2001:db8::9 lladdr 02:00:00:00:00:02 dev near0");
    /* a second peer: the kernel limits its ICMP errors for each destination */
    sh("ip neigh add 192.0.2.10 lladdr 02:00:00:00:00:02 dev near0 && "
       "ip neigh add 2001:db8::10 lladdr 02:00:00:00:00:02 dev near0");
    far_end = tap_open("far0");
    return 0;
}

static void open_capture(const char *name)
{
    if (iface_open(&iface, name, &err) < 0)
        fail_msg("%s", err.text);
    struct capture_config config = {
        .iface = &iface, .port_from = 61000, .port_to = 65535, .buffer_bytes = 16u << 20};
    if (capture_open(&cap, &config, &err) < 0)
        fail_msg("%s", err.text);
}

static int open_each(void **state)
{
    (void)state;
    if (netns_ready)
        open_capture("near0");
    return 0;
}

static int close_each(void **state)
{
    (void)state;
    capture_free(cap);
    cap = NULL;
    return 0;
}

/* Reads for up to `ms`, or until `want` packets of both directions, `want_in` of them inbound, were
 * given. */
static unsigned collect_both(unsigned want, unsigned want_in, int ms)
{
    rs_mono until = rs_mono_add(clock_mono(), (uint64_t)ms * RS_MS);
    memset(&got, 0, sizeof got);
    while ((got.n < want || got.n - got.outgoing < want_in) &&
           !rs_mono_reached(until, clock_mono())) {
        struct pollfd p = {.fd = capture_fd(cap), .events = POLLIN};
        poll(&p, 1, 5);
        assert_true(capture_read(cap, on_packet, &got, 64) >= 0);
    }
    return got.n;
}

static unsigned collect(unsigned want, int ms)
{
    return collect_both(want, 0, ms);
}

/* The kernel's own answers are left out of account. */
static unsigned collect_in(unsigned want, int ms)
{
    collect_both(0, want, ms);
    return got.n - got.outgoing;
}

static void send_in(const struct packet_words *w)
{
    uint8_t packet[2048];
    size_t n = packet_make(packet, w);
    send_frame(far_end, near_mac, far_mac, packet[0] >> 4 == 6 ? 0x86dd : 0x0800, packet, n);
}

#define V4 .src = "192.0.2.9", .dst = "192.0.2.1"
#define V6 .src = "2001:db8::9", .dst = "2001:db8::1"

static const struct {
    const char *name;
    struct packet_words w;
    bool hit;
} rows[] = {
    {"tcp4 to us", {V4, .proto = 6, .sport = 80, .dport = 61000, .flags = 0x12}, true},
    {"tcp4 to the last port", {V4, .proto = 6, .sport = 80, .dport = 65535, .flags = 4}, true},
    {"tcp4 to others", {V4, .proto = 6, .sport = 80, .dport = 60999, .flags = 4}, false},
    {"tcp4 from our ports", {V4, .proto = 6, .sport = 61000, .dport = 80, .flags = 4}, false},
    {"udp4 to us", {V4, .proto = 17, .sport = 53, .dport = 61000}, true},
    {"udp4 to others", {V4, .proto = 17, .sport = 53, .dport = 5353}, false},
    {"other protocol", {V4, .proto = 132, .sport = 80, .dport = 61000}, false},
    {"later fragment", {V4, .proto = 6, .dport = 5, .frag = 0x0010}, true},
    {"last fragment", {V4, .proto = 6, .dport = 5, .frag = 0x1fff}, true},
    {"first fragment", {V4, .proto = 6, .dport = 61000, .frag = 0x2000}, true},
    {"its other first one", {V4, .proto = 6, .dport = 5, .frag = 0x2000, .flags = 4}, false},
    {"don't fragment", {V4, .proto = 6, .dport = 5, .frag = 0x4000, .flags = 4}, false},
    {"icmp unreachable", {V4, .proto = 1, .type = 3, .payload = 28}, true},
    {"icmp time exceeded", {V4, .proto = 1, .type = 11, .payload = 28}, true},
    {"icmp parameter", {V4, .proto = 1, .type = 12, .payload = 28}, true},
    {"icmp echo reply", {V4, .proto = 1, .type = 0}, false},
    {"tcp6 to us", {V6, .proto = 6, .sport = 80, .dport = 61000, .flags = 0x12}, true},
    {"tcp6 to others", {V6, .proto = 6, .sport = 80, .dport = 443, .flags = 4}, false},
    {"udp6 to us", {V6, .proto = 17, .sport = 53, .dport = 65535}, true},
    {"udp6 to others", {V6, .proto = 17, .sport = 53, .dport = 5353}, false},
    {"tcp6 after options", {V6, .proto = 6, .dport = 61000, .ext = 60, .flags = 4}, true},
    {"tcp6 in a fragment", {V6, .proto = 6, .dport = 61000, .ext = 44, .frag = 1}, true},
    {"icmp6 unreachable", {V6, .proto = 58, .type = 1, .payload = 48}, true},
    {"icmp6 too big", {V6, .proto = 58, .type = 2, .payload = 48}, true},
    {"icmp6 echo reply", {V6, .proto = 58, .type = 129}, false},
    {"neighbour advert", {V6, .proto = 58, .type = 136, .payload = 16}, true},
    {"router advert", {V6, .proto = 58, .type = 134, .payload = 8}, false},
};

static void inbound_hits_and_misses(void **state)
{
    const struct packet_words last = {V4, .proto = 17, .sport = 9, .dport = 61009};
    (void)state;
    NEEDS_NETNS();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        send_in(&rows[i].w);
        send_in(&last); /* so that a miss need not be waited for */
        unsigned want = rows[i].hit ? 2 : 1, in = collect_in(want, 1000);
        if (in != want)
            fail_msg("%s: %u packets", rows[i].name, in);
    }
}

/* The very first packet after opening counts, and stamps are the kernel's nanoseconds. */
static void the_first_packet_is_not_lost(void **state)
{
    uint8_t packet[64];
    const struct packet_words w = {V4, .proto = 6, .sport = 80, .dport = 61000, .flags = 0x12};
    (void)state;
    NEEDS_NETNS();
    size_t n = packet_make(packet, &w);
    bool odd = false;
    for (int i = 0; i < 10; i++) {
        capture_free(cap);
        open_capture("near0");
        rs_wall before = clock_wall();
        send_in(&w);
        assert_int_equal(collect_in(1, 1000), 1);
        assert_true(got.last.at.ns >= before.ns);
        assert_true(got.last.at.ns <= clock_wall().ns);
        odd |= got.last.at.ns % 1000 != 0;
        assert_int_equal(got.last.ethertype, 0x0800);
        assert_int_equal(got.last.ip_captured, n);
        assert_memory_equal(got.ip, packet, n);
        assert_memory_equal(got.mac, far_mac, 6);
    }
    assert_true(odd);
    assert_int_equal(capture_link(cap), WIRE_LINK_ETHERNET);
}

/* A closed port of ours draws the kernel's RST: seen, and known as the host's own. */
static void the_hosts_own_resets_and_errors_are_outgoing(void **state)
{
    static const struct {
        const char *name;
        struct packet_words w;
        unsigned in, out;
    } draws[] = {
        {"rst4", {V4, .proto = 6, .sport = 80, .dport = 61000, .flags = 0x12}, 1, 1},
        {"rst6", {V6, .proto = 6, .sport = 80, .dport = 61000, .flags = 0x12}, 1, 1},
        {"unreachable4",
         {.src = "192.0.2.10", .dst = "192.0.2.1", .proto = 17, .sport = 53, .dport = 61000},
         1,
         1},
        {"unreachable6",
         {.src = "2001:db8::10", .dst = "2001:db8::1", .proto = 17, .sport = 53, .dport = 61000},
         1,
         1},
        {"other rst4", {V4, .proto = 6, .sport = 80, .dport = 5000, .flags = 0x12}, 0, 0},
        {"other rst6", {V6, .proto = 6, .sport = 80, .dport = 5000, .flags = 0x12}, 0, 0},
        {"echo4", {V4, .proto = 1, .type = 8}, 0, 0},
    };
    (void)state;
    NEEDS_NETNS();
    for (size_t i = 0; i < sizeof draws / sizeof draws[0]; i++) {
        send_in(&draws[i].w);
        collect(draws[i].in + draws[i].out, 1000);
        unsigned in = got.n - got.outgoing, out = got.outgoing;
        if (draws[i].in + draws[i].out == 0)
            collect(1, 30);
        if (in != draws[i].in || out != draws[i].out)
            fail_msg("%s: %u in, %u out", draws[i].name, in, out);
    }
}

/* What we inject is not captured, unless it is to be visible. An RST of our own then is. */
static void our_own_sends_are_seen_only_if_visible(void **state)
{
    uint8_t packet[256];
    const struct packet_words rst = {.src = "192.0.2.1",
                                     .dst = "192.0.2.9",
                                     .proto = 6,
                                     .sport = 61000,
                                     .dport = 80,
                                     .flags = 0x04};
    (void)state;
    NEEDS_NETNS();
    size_t n = packet_make(packet, &rst);
    for (int visible = 0; visible < 2; visible++) {
        struct inject *in;
        struct inject_config config = {.iface = &iface, .visible = visible};
        assert_int_equal(inject_open(&in, &config, &err), 0);
        assert_int_equal(inject_queue(in, packet, n, far_mac), 0);
        assert_int_equal(inject_flush(in), 0);
        collect(1, visible ? 1000 : 30);
        assert_int_equal(got.n, visible);
        assert_int_equal(got.outgoing, visible);
        inject_free(in);
    }
}

/* Addresses prove nothing: a packet that pretends to be the host's own comes in all the same. */
static void forged_addresses_do_not_change_the_direction(void **state)
{
    uint8_t packet[256];
    const struct packet_words w = {.src = "192.0.2.1",
                                   .dst = "192.0.2.1",
                                   .proto = 6,
                                   .sport = 61000,
                                   .dport = 61000,
                                   .flags = 0x04};
    (void)state;
    NEEDS_NETNS();
    size_t n = packet_make(packet, &w);
    send_frame(far_end, near_mac, near_mac, 0x0800, packet, n);
    collect(1, 1000);
    assert_int_equal(got.n, 1);
    assert_int_equal(got.outgoing, 0);
}

static void arp_replies_tell_the_neighbour(void **state)
{
    uint8_t arp[28] = {0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 0x77, 192, 0, 2, 9};
    (void)state;
    NEEDS_NETNS();
    send_frame(far_end, near_mac, far_mac, 0x0806, arp, sizeof arp);
    collect(1, 1000);
    assert_int_equal(got.n, 1);
    assert_int_equal(got.last.ethertype, WIRE_ETHER_ARP);
    assert_true(got.has_neighbour);
    assert_addr(&got.neighbour, "192.0.2.9");
    assert_int_equal(got.neighbour_mac[5], 0x77);
    arp[7] = 1; /* a request */
    send_frame(far_end, near_mac, far_mac, 0x0806, arp, sizeof arp);
    assert_int_equal(collect(1, 30), 0);
    memcpy(arp + 24, arp + 14, 4); /* for its own address: an announcement (RFC 5227 3) */
    arp[13] = 0x78;
    send_frame(far_end, near_mac, far_mac, 0x0806, arp, sizeof arp);
    assert_int_equal(collect(1, 1000), 1);
    assert_true(got.has_neighbour);
    assert_int_equal(got.neighbour_mac[5], 0x78);
    arp[7] = 2;
    arp[8] = 3; /* a group address as sender */
    send_frame(far_end, near_mac, far_mac, 0x0806, arp, sizeof arp);
    assert_int_equal(collect(1, 1000), 1);
    assert_false(got.has_neighbour);
}

static void short_frames_do_no_harm(void **state)
{
    uint8_t bytes[64] = {0x45};
    (void)state;
    NEEDS_NETNS();
    for (size_t n = 0; n < 60; n++) {
        send_frame(far_end, near_mac, far_mac, 0x0806, bytes, n);
        send_frame(far_end, near_mac, far_mac, 0x86dd, bytes, n);
        bytes[6] = 0x1f; /* a fragment */
        send_frame(far_end, near_mac, far_mac, 0x0800, bytes, n);
        bytes[6] = 0;
    }
    collect(1000, 50);
}

static void counters_and_a_flood(void **state)
{
    struct capture_stats stats;
    const struct packet_words w = {
        V4, .proto = 6, .sport = 80, .dport = 61000, .flags = 0x12, .payload = 1400};
    (void)state;
    NEEDS_NETNS();
    capture_free(cap);
    struct capture_config config = {
        .iface = &iface, .port_from = 61000, .port_to = 65535, .buffer_bytes = 1u << 20};
    assert_int_equal(capture_open(&cap, &config, &err), 0);
    for (int i = 0; i < 100; i++) {
        send_in(&w);
        if (i % 5 == 4) /* each millisecond may use up a block, of which there are four */
            collect_in(5, 1000);
    }
    assert_int_equal(capture_stats(cap, &stats), 0);
    assert_true(stats.received >= 100); /* the RSTs that the kernel sends come on top */
    assert_int_equal(stats.kernel_dropped, 0);
    for (int i = 0; i < 3000; i++)
        send_in(&w); /* more than the ring holds, nobody reads */
    assert_int_equal(capture_stats(cap, &stats), 0);
    assert_true(stats.kernel_dropped > 0);
    assert_true(stats.received > 100);
    uint64_t dropped = stats.kernel_dropped;
    assert_int_equal(capture_stats(cap, &stats), 0);
    assert_true(stats.kernel_dropped >= dropped); /* totals, not differences */
    assert_int_equal(stats.iface_dropped, 0);
    assert_true(collect(100000, 200) > 0);
}

/* The budget bounds one call; what is left keeps the descriptor readable. */
static void the_budget_holds(void **state)
{
    const struct packet_words w = {V4, .proto = 17, .sport = 80, .dport = 61000};
    (void)state;
    NEEDS_NETNS();
    for (int i = 0; i < 200; i++)
        send_in(&w);
    sleep_ms(20);
    unsigned total = 0;
    for (int turn = 0; total < 200 && turn < 200; turn++) {
        struct pollfd p = {.fd = capture_fd(cap), .events = POLLIN};
        assert_int_equal(poll(&p, 1, 1000), 1);
        memset(&got, 0, sizeof got);
        assert_true(capture_read(cap, on_packet, &got, 10) <= 20);
        assert_true(got.n <= 20);
        total += got.n - got.outgoing;
    }
    assert_int_equal(total, 200);
}

static void tun_is_captured_raw(void **state)
{
    uint8_t packet[64];
    const struct packet_words w = {.src = "10.7.0.9",
                                   .dst = "10.7.0.1",
                                   .proto = 6,
                                   .sport = 80,
                                   .dport = 61000,
                                   .flags = 0x12};
    const struct packet_words w6 = {.src = "2001:db8:7::9",
                                    .dst = "2001:db8:7::1",
                                    .proto = 6,
                                    .sport = 80,
                                    .dport = 61000,
                                    .flags = 0x12};
    (void)state;
    NEEDS_NETNS();
    int tun = tun_open("tun7");
    if (tun < 0)
        skip();
    sh("ip link set tun7 up && ip addr add 10.7.0.1/24 dev tun7 && "
       "ip addr add 2001:db8:7::1/64 dev tun7 nodad");
    capture_free(cap);
    open_capture("tun7");
    assert_int_equal(capture_link(cap), WIRE_LINK_RAW);
    size_t n = packet_make(packet, &w);
    assert_int_equal(write(tun, packet, n), n);
    collect(2, 1000);
    assert_int_equal(got.n, 2); /* it, and the kernel's RST */
    assert_int_equal(got.outgoing, 1);
    assert_null(got.last.src_mac);
    n = packet_make(packet, &w6);
    assert_int_equal(write(tun, packet, n), n);
    collect(2, 1000);
    assert_int_equal(got.n, 2);
    assert_int_equal(got.last.ethertype, 0x86dd);
    close(tun);
}

static void an_interface_that_goes_is_an_error_not_a_hang(void **state)
{
    (void)state;
    NEEDS_NETNS();
    sh("ip link add name a0 type veth peer name b0 && ip link set b0 up && ip link set a0 up && "
       "ip addr add 10.1.0.1/24 dev a0");
    capture_free(cap);
    open_capture("a0");
    sh("ip link del a0");
    int result = 0;
    for (int i = 0; i < 50 && result >= 0; i++) {
        sleep_ms(5);
        result = capture_read(cap, on_packet, &got, 10);
    }
    assert_int_equal(result, -RS_ESYS);
}

static void bad_arguments_and_missing_privilege(void **state)
{
    struct capture *none;
    struct capture_config config = {.iface = &iface, .port_from = 5, .port_to = 4};
    (void)state;
    NEEDS_NETNS();
    assert_int_equal(capture_open(&none, &config, &err), -RS_EINVAL);
    config.port_to = 6;
    assert_int_equal(seteuid(65534), 0);
    assert_int_equal(capture_open(&none, &config, &err), -RS_EPERM);
    assert_int_equal(seteuid(0), 0);
    assert_non_null(strstr(err.text, "setcap cap_net_raw+ep"));
    assert_null(none);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_each, close_each)
    const struct CMUnitTest tests[] = {
        T(inbound_hits_and_misses),
        T(the_first_packet_is_not_lost),
        T(the_hosts_own_resets_and_errors_are_outgoing),
        T(our_own_sends_are_seen_only_if_visible),
        T(forged_addresses_do_not_change_the_direction),
        T(arp_replies_tell_the_neighbour),
        T(short_frames_do_no_harm),
        T(counters_and_a_flood),
        T(the_budget_holds),
        T(tun_is_captured_raw),
        T(an_interface_that_goes_is_an_error_not_a_hang),
        T(bad_arguments_and_missing_privilege),
    };
    return cmocka_run_group_tests_name("net/capture", tests, set_up, NULL);
}
