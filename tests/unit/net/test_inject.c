/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit/net/netns.h"

#include <errno.h>

#include "net/iface.h"
#include "net/inject.h"

struct seen {
    unsigned reports, failed;
    int last_error;
    uint8_t last[2048];
    size_t last_bytes;
    int64_t at_ns;
};

static struct iface iface;
static struct inject *in;
static struct seen seen;
static struct rs_err err;
static int far_end = -1;

static void on_sent(void *ctx, const uint8_t *ip, size_t n, rs_wall at, int error)
{
    struct seen *s = ctx;
    s->reports++;
    s->failed += error != 0;
    s->last_error = error;
    s->last_bytes = n;
    s->at_ns = at.ns;
    memcpy(s->last, ip, n < sizeof s->last ? n : sizeof s->last);
}

static void open_injector(const char *name, enum inject_kind kind, bool visible)
{
    if (iface_open(&iface, name, &err) < 0)
        fail_msg("%s", err.text);
    struct inject_config config = {
        .iface = &iface, .kind = kind, .visible = visible, .sent = on_sent, .ctx = &seen};
    memset(&seen, 0, sizeof seen);
    if (inject_open(&in, &config, &err) < 0)
        fail_msg("%s", err.text);
    while (far_end >= 0) {
        uint8_t drop[2048];
        if (tap_next(far_end, drop, sizeof drop, 0) == 0)
            break;
    }
}

static int set_up(void **state)
{
    enter_veth(state);
    if (!netns_ready)
        return 0;
    sh("ip neigh add 198.51.100.9 lladdr 02:00:00:00:00:02 dev near0 && "
       "ip neigh add 2001:db8::9 lladdr 02:00:00:00:00:02 dev near0 && "
       "ip route add 198.51.100.0/24 dev near0");
    far_end = tap_open("far0");
    return 0;
}

static int close_injector(void **state)
{
    (void)state;
    inject_free(in);
    in = NULL;
    return 0;
}

/* What was queued is the next IP packet of this length at the far end, with these addresses. */
static void assert_arrives(const uint8_t *packet, size_t n, bool exact)
{
    uint8_t got[2048];
    size_t g;
    while ((g = tap_next(far_end, got, sizeof got, 500)) > 0) {
        if (g < n + 14 || memcmp(got + 14, packet, 1) != 0 || got[12] == 0x08 + 0x06)
            continue;
        bool v6 = packet[0] >> 4 == 6;
        if (memcmp(got + 14 + (v6 ? 8 : 12), packet + (v6 ? 8 : 12), v6 ? 32 : 8) != 0)
            continue;
        assert_memory_equal(got, far_mac, 6);
        assert_memory_equal(got + 6, near_mac, 6);
        assert_int_equal(got[12] << 8 | got[13], v6 ? 0x86dd : 0x0800);
        assert_int_equal(g, n + 14);
        if (exact)
            assert_memory_equal(got + 14, packet, n);
        return;
    }
    fail_msg("nothing arrived");
}

static const struct packet_words syn4 = {.src = "192.0.2.1",
                                         .dst = "198.51.100.9",
                                         .proto = 6,
                                         .sport = 61000,
                                         .dport = 80,
                                         .flags = 0xc2};
static const struct packet_words syn6 = {.src = "2001:db8::1",
                                         .dst = "2001:db8::9",
                                         .proto = 6,
                                         .sport = 61000,
                                         .dport = 80,
                                         .flags = 0xc2};

/* Both families, all in one batch, bit by bit: TOS, IP id 0 and bad checksums included. */
static void frames_arrive_as_they_are(void **state)
{
    uint8_t packet[256];
    (void)state;
    NEEDS_NETNS();
    for (int visible = 0; visible < 2; visible++) {
        open_injector("near0", INJECT_PACKET, visible);
        size_t n = packet_make(packet, &syn4);
        packet[1] = 0xff;
        packet[4] = packet[5] = packet[10] = 0;
        assert_int_equal(inject_queue(in, packet, n, far_mac), 0);
        assert_int_equal(inject_waiting(in), 1);
        assert_int_equal(seen.reports, 0);
        assert_int_equal(inject_flush(in), 0);
        assert_int_equal(seen.reports, 1);
        assert_int_equal(seen.failed, 0);
        assert_true(seen.at_ns > 0);
        assert_int_equal(seen.last_bytes, n);
        assert_memory_equal(seen.last, packet, n);
        assert_arrives(packet, n, true);
        n = packet_make(packet, &syn6);
        assert_int_equal(inject_queue(in, packet, n, far_mac), 0);
        assert_int_equal(inject_flush(in), 0);
        assert_arrives(packet, n, true);
        assert_int_equal(inject_stats(in)->packets, 2);
        inject_free(in);
        in = NULL;
    }
}

static void a_batch_leaves_in_order_and_by_itself(void **state)
{
    struct packet_words w = syn4;
    uint8_t packet[256], got[2048];
    (void)state;
    NEEDS_NETNS();
    open_injector("near0", INJECT_PACKET, false);
    for (unsigned i = 0; i < 1000; i++) {
        w.sport = (uint16_t)(50000 + i);
        size_t n = packet_make(packet, &w);
        assert_int_equal(inject_queue(in, packet, n, far_mac), 0);
        assert_int_equal(seen.reports, (i + 1) / 64 * 64);
    }
    assert_int_equal(inject_flush(in), 0);
    assert_int_equal(seen.reports, 1000);
    assert_int_equal(inject_stats(in)->packets, 1000);
    assert_int_equal(inject_stats(in)->bytes, 40000);
    for (unsigned i = 0; i < 1000; i++) {
        size_t n = tap_next(far_end, got, sizeof got, 500);
        if (n != 54 || got[12] != 8 || got[14 + 9] != 6) {
            i--;
            assert_true(n > 0);
            continue;
        }
        assert_int_equal(got[34] << 8 | got[35], 50000 + i);
    }
}

static void what_cannot_be_sent_is_refused(void **state)
{
    static uint8_t big[3000] = {0x45};
    (void)state;
    NEEDS_NETNS();
    open_injector("near0", INJECT_PACKET, false);
    assert_int_equal(inject_queue(in, big, 1501, far_mac), -RS_EINVAL);
    assert_int_equal(inject_queue(in, big, 19, far_mac), -RS_EINVAL);
    assert_int_equal(inject_queue(in, big, 0, far_mac), -RS_EINVAL);
    assert_int_equal(inject_queue(in, big, 40, NULL), -RS_EINVAL);
    assert_int_equal(inject_frame(in, big, 13), -RS_EINVAL);
    assert_int_equal(inject_queue(in, big, 1500, far_mac), 0);
    big[0] = 0x25;
    assert_int_equal(inject_queue(in, big, 40, far_mac), -RS_EINVAL);
    assert_int_equal(inject_flush(in), 0);
    assert_int_equal(seen.reports, 1);
    big[0] = 0x45;
}

static void frames_go_out_unreported(void **state)
{
    uint8_t frame[42] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x08, 0x06, 0, 1},
            got[2048];
    size_t n;
    (void)state;
    NEEDS_NETNS();
    open_injector("near0", INJECT_PACKET, false);
    assert_int_equal(inject_frame(in, frame, sizeof frame), 0);
    assert_int_equal(inject_flush(in), 0);
    assert_int_equal(seen.reports, 0);
    while ((n = tap_next(far_end, got, sizeof got, 500)) > 0 && memcmp(got, frame, 16) != 0)
        ;
    assert_int_equal(n, sizeof frame);
}

/* One packet that the device is too small for (its MTU shrank): its own error, the others go. */
static void one_bad_packet_harms_no_other(void **state)
{
    uint8_t packet[2048];
    struct packet_words big = syn4;
    (void)state;
    NEEDS_NETNS();
    open_injector("near0", INJECT_PACKET, false);
    sh("ip link set near0 mtu 1300");
    big.payload = 1400;
    inject_queue(in, packet, packet_make(packet, &syn4), far_mac);
    inject_queue(in, packet, packet_make(packet, &big), far_mac);
    inject_queue(in, packet, packet_make(packet, &syn4), far_mac);
    assert_int_equal(inject_flush(in), 0);
    assert_int_equal(seen.reports, 3);
    assert_int_equal(seen.failed, 1);
    assert_int_equal(inject_stats(in)->packets, 2);
    assert_int_equal(inject_stats(in)->errors, 1);
    inject_queue(in, packet, packet_make(packet, &big), far_mac);
    inject_flush(in);
    assert_int_equal(seen.last_error, EMSGSIZE);
    sh("ip link set near0 mtu 1500");
}

static void an_interface_that_is_down_says_so_for_each(void **state)
{
    uint8_t packet[256];
    size_t n = 0;
    (void)state;
    NEEDS_NETNS();
    open_injector("near0", INJECT_PACKET, false);
    n = packet_make(packet, &syn4);
    sh("ip link set near0 down");
    for (int i = 0; i < 3; i++)
        inject_queue(in, packet, n, far_mac);
    assert_int_equal(inject_flush(in), 0);
    assert_int_equal(seen.failed, 3);
    assert_int_equal(seen.last_error, ENETDOWN);
    sh("ip link set near0 up && ip route replace 198.51.100.0/24 dev near0");
    sh("ip neigh replace 198.51.100.9 lladdr 02:00:00:00:00:02 dev near0 && "
       "ip addr replace 2001:db8::1/64 dev near0 nodad && "
       "ip neigh replace 2001:db8::9 lladdr 02:00:00:00:00:02 dev near0");
    inject_queue(in, packet, n, far_mac); /* and works again when it is back */
    assert_int_equal(inject_flush(in), 0);
    assert_int_equal(seen.failed, 3);
}

/* Without carrier the driver answers ENOBUFS for ever: pressure is told, packets wait, and after a
 * fifth of a second they are given up. */
static void pressure_waits_then_gives_up(void **state)
{
    uint8_t packet[256];
    size_t n = 0;
    (void)state;
    NEEDS_NETNS();
    open_injector("near0", INJECT_PACKET, false);
    n = packet_make(packet, &syn4);
    sh("ip link set far0 down");
    for (int i = 0; i < 10; i++)
        assert_int_equal(inject_queue(in, packet, n, far_mac), 0);
    assert_int_equal(inject_flush(in), -RS_EAGAIN);
    assert_int_equal(seen.reports, 0);
    assert_int_equal(inject_waiting(in), 10);
    assert_true(inject_pressure(in) > 0);
    assert_int_equal(inject_pressure(in), 0);
    for (int i = 0; i < 246; i++)
        assert_int_equal(inject_queue(in, packet, n, far_mac), 0);
    assert_int_equal(inject_queue(in, packet, n, far_mac), -RS_EAGAIN); /* full */
    assert_int_equal(inject_stats(in)->would_block, 1);
    sleep_ms(210);
    assert_int_equal(inject_flush(in), 0);
    assert_int_equal(seen.failed, 256);
    assert_int_equal(seen.last_error, ENOBUFS);
    sh("ip link set far0 up");
    close(far_end);
    far_end = tap_open("far0");
    sleep_ms(10);
    inject_queue(in, packet, n, far_mac);
    assert_int_equal(inject_flush(in), 0);
    assert_int_equal(seen.failed, 256);
}

/* Through the host's routing, no MAC given; the kernel fills in what it always does. */
static void the_ip_kind_arrives_through_the_routes(void **state)
{
    uint8_t packet[256];
    (void)state;
    NEEDS_NETNS();
    open_injector("near0", INJECT_IP, false);
    size_t n = packet_make(packet, &syn4);
    assert_int_equal(inject_queue(in, packet, n, NULL), 0);
    size_t n6 = packet_make(packet, &syn6);
    assert_int_equal(inject_queue(in, packet, n6, NULL), 0);
    packet_make(packet, &syn4);
    assert_int_equal(inject_queue(in, packet, n, NULL), 0);
    assert_int_equal(inject_frame(in, packet, n), -RS_EINVAL);
    assert_int_equal(inject_flush(in), 0);
    assert_int_equal(seen.reports, 3);
    assert_int_equal(seen.failed, 0);
    assert_arrives(packet, n, true);
    packet_make(packet, &syn6);
    assert_arrives(packet, n6, true);
    packet_make(packet, &syn4);
    assert_arrives(packet, n, true);
}

static void the_ip_kind_reports_what_has_no_route(void **state)
{
    struct packet_words w = syn4;
    uint8_t packet[256];
    (void)state;
    NEEDS_NETNS();
    open_injector("near0", INJECT_IP, false);
    w.dst = "203.0.113.1";
    inject_queue(in, packet, packet_make(packet, &w), NULL);
    inject_queue(in, packet, packet_make(packet, &syn4), NULL);
    assert_int_equal(inject_flush(in), 0);
    assert_int_equal(seen.reports, 2);
    assert_int_equal(seen.failed, 1);
}

static void tun_gets_packets_without_a_header(void **state)
{
    static const enum inject_kind kinds[2] = {INJECT_PACKET, INJECT_IP};
    uint8_t packet[256], got[2048];
    struct packet_words w = syn4;
    (void)state;
    NEEDS_NETNS();
    int tun = tun_open("tun7");
    if (tun < 0)
        skip();
    sh("ip link set tun7 up && ip addr add 10.7.0.1/24 dev tun7 && "
       "ip addr add 2001:db8:7::1/64 dev tun7 nodad");
    for (int i = 0; i < 4; i++) {
        w = i & 1 ? syn6 : syn4;
        w.src = i & 1 ? "2001:db8:7::1" : "10.7.0.1";
        w.dst = i & 1 ? "2001:db8:7::9" : "10.7.0.9";
        open_injector("tun7", kinds[i / 2], false);
        size_t n = packet_make(packet, &w), g;
        assert_int_equal(inject_queue(in, packet, n, NULL), 0);
        assert_int_equal(inject_flush(in), 0);
        assert_int_equal(seen.failed, 0);
        struct pollfd p = {.fd = tun, .events = POLLIN};
        do {
            assert_int_equal(poll(&p, 1, 500), 1);
            g = (size_t)read(tun, got, sizeof got);
        } while (g != n || memcmp(got, packet, 1) != 0);
        assert_memory_equal(got, packet, n);
        assert_int_equal(inject_frame(in, packet, n), -RS_EINVAL);
        inject_free(in);
        in = NULL;
    }
    close(tun);
}

/* In a child without CAP_NET_RAW: the text must say how to get it. */
static void a_missing_privilege_is_explained(void **state)
{
    (void)state;
    NEEDS_NETNS();
    if (iface_open(&iface, "near0", &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(seteuid(65534), 0);
    for (int kind = INJECT_PACKET; kind <= INJECT_IP; kind++) {
        struct inject_config config = {.iface = &iface, .kind = (enum inject_kind)kind};
        int result = inject_open(&in, &config, &err);
        assert_int_equal(result, -RS_EPERM);
        assert_null(in);
        assert_non_null(strstr(err.text, "setcap cap_net_raw+ep"));
        assert_non_null(strstr(err.text, "--cap-add NET_RAW"));
    }
    assert_int_equal(seteuid(0), 0);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, NULL, close_injector)
    const struct CMUnitTest tests[] = {
        T(frames_arrive_as_they_are),
        T(a_batch_leaves_in_order_and_by_itself),
        T(what_cannot_be_sent_is_refused),
        T(frames_go_out_unreported),
        T(one_bad_packet_harms_no_other),
        T(an_interface_that_is_down_says_so_for_each),
        T(pressure_waits_then_gives_up),
        T(the_ip_kind_arrives_through_the_routes),
        T(the_ip_kind_reports_what_has_no_route),
        T(tun_gets_packets_without_a_header),
        T(a_missing_privilege_is_explained),
    };
    return cmocka_run_group_tests_name("net/inject", tests, set_up, NULL);
}
