/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit/net/netns.h"

#include "base/hash.h"
#include "net/clock.h"
#include "net/fib_int.h"
#include "net/iface.h"
#include "net/route.h"

static struct iface iface;
static struct router *router;
static struct rs_err err;
static struct hop hop;
static unsigned asks;
static struct wire_addr asked_from, asked_for;

static void on_ask(void *ctx, const struct wire_addr *ours, const struct wire_addr *next_hop)
{
    (void)ctx;
    asks++;
    asked_from = *ours;
    asked_for = *next_hop;
}

static void open_router(const char *name, const uint8_t *gateway_mac)
{
    if (iface_open(&iface, name, &err) < 0)
        fail_msg("%s", err.text);
    router = router_open(&iface, gateway_mac, &err);
    assert_non_null(router);
    router_on_ask(router, on_ask, NULL);
    asks = 0;
}

/* Each test finds near0 with its addresses and no other routes. */
static int set_up(void **state)
{
    if (!netns_ready)
        return 0;
    (void)state;
    sh("ip route flush table main && ip -6 route flush table main && ip neigh flush all && "
       "ip -6 neigh flush all");
    sh("ip addr flush dev near0 && ip addr add 192.0.2.1/24 dev near0 && "
       "ip addr add 2001:db8::1/64 dev near0 nodad");
    open_router("near0", NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    router_free(router);
    router = NULL;
    return 0;
}

static int lookup_at(const char *dst, rs_mono now)
{
    struct wire_addr a = addr(dst);
    err.text[0] = '\0';
    router_read(router);
    return router_lookup(router, &a, now, &hop, &err);
}

static int lookup(const char *dst)
{
    return lookup_at(dst, clock_mono());
}

static void assert_says(const char *part)
{
    if (strstr(err.text, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, err.text);
}

static void default_gateway_from_the_kernels_neighbours(void **state)
{
    (void)state;
    NEEDS_NETNS();
    sh("ip route add default via 192.0.2.9 && ip -6 route add default via 2001:db8::9");
    sh("ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:02 dev near0 nud reachable");
    sh("ip neigh add 2001:db8::9 lladdr 02:00:00:00:00:03 dev near0 nud permanent");
    assert_int_equal(lookup("198.51.100.7"), 0);
    assert_addr(&hop.next_hop, "192.0.2.9");
    assert_addr(&hop.src, "192.0.2.1");
    assert_memory_equal(hop.mac, far_mac, 6);
    assert_int_equal(asks, 1); /* used at once, and checked: it may be old */
    assert_addr(&asked_for, "192.0.2.9");
    assert_int_equal(lookup("2001:db8:1::7"), 0);
    assert_addr(&hop.next_hop, "2001:db8::9");
    assert_addr(&hop.src, "2001:db8::1");
    assert_int_equal(hop.mac[5], 3);
    assert_int_equal(asks, 1); /* what somebody fixed needs no check */
}

static void on_link_targets_are_asked_for_themselves(void **state)
{
    (void)state;
    NEEDS_NETNS();
    assert_int_equal(lookup("192.0.2.77"), -RS_EAGAIN);
    assert_int_equal(asks, 1);
    assert_addr(&asked_for, "192.0.2.77");
    assert_addr(&asked_from, "192.0.2.1");
    assert_int_equal(lookup("192.0.2.77"), -RS_EAGAIN);
    assert_int_equal(asks, 1); /* once a second */
    struct wire_addr a = addr("192.0.2.77");
    router_neighbour_seen(router, &a, far_mac, clock_mono());
    assert_int_equal(lookup("192.0.2.77"), 0);
    assert_addr(&hop.next_hop, "192.0.2.77");
    assert_memory_equal(hop.mac, far_mac, 6);
    assert_int_equal(lookup("2001:db8::77"), -RS_EAGAIN);
    assert_addr(&asked_for, "2001:db8::77");
    assert_addr(&asked_from, "2001:db8::1");
}

static void a_silent_neighbour_is_told_after_three(void **state)
{
    rs_mono now = clock_mono();
    (void)state;
    NEEDS_NETNS();
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(lookup_at("192.0.2.78", rs_mono_add(now, i * RS_SEC)), -RS_EAGAIN);
    assert_int_equal(lookup_at("192.0.2.78", rs_mono_add(now, 3 * RS_SEC)), -RS_ENOENT);
    assert_int_equal(asks, 3);
    assert_says("did not answer");
    assert_says("192.0.2.78");
}

static void without_a_route_the_text_says_so(void **state)
{
    (void)state;
    NEEDS_NETNS();
    assert_int_equal(lookup("198.51.100.7"), -RS_ENOENT);
    assert_says("198.51.100.7 has no route");
    assert_says("near0");
    assert_int_equal(lookup("2001:db8:1::7"), -RS_ENOENT);
    assert_says("no route");
    sh("ip route add unreachable 198.51.100.0/24 && ip route add blackhole 203.0.113.0/24");
    /* with an output interface the kernel passes over such routes: what is left is no route */
    assert_int_equal(lookup("198.51.100.7"), -RS_ENOENT);
    assert_int_equal(lookup("203.0.113.7"), -RS_ENOENT);
    sh("ip -6 route add unreachable 2001:db8:1::/48 && ip -6 route add blackhole 2001:db8:2::/48");
    assert_int_equal(lookup("2001:db8:1::7"), -RS_ENOENT);
    assert_int_equal(lookup("2001:db8:2::7"), -RS_ENOENT);
    assert_int_equal(lookup("192.0.2.1"), -RS_ENOENT);
    assert_says("this host");
    assert_int_equal(lookup("2001:db8::1"), -RS_ENOENT);
    assert_says("this host");
    assert_int_equal(lookup("127.0.0.1"), -RS_ENOENT);
    assert_says("this host");
    assert_int_equal(lookup("192.0.2.255"), -RS_ENOENT);
    assert_says("broadcast");
    assert_int_equal(lookup("255.255.255.255"), -RS_ENOENT);
    assert_int_equal(lookup("224.0.0.9"), -RS_ENOENT);
    assert_int_equal(lookup("ff02::1"), -RS_ENOENT);
    assert_int_equal(lookup("0.0.0.0"), -RS_ENOENT);
    assert_int_equal(lookup("::"), -RS_ENOENT);
    struct wire_addr nothing = {0};
    assert_int_equal(router_lookup(router, &nothing, clock_mono(), &hop, &err), -RS_ENOENT);
    assert_int_equal(asks, 0);
}

/* Special addresses must not give their answer to the class that they fall into, nor take it. */
static void special_addresses_do_not_spoil_the_default_route(void **state)
{
    (void)state;
    NEEDS_NETNS();
    sh("ip route add default via 192.0.2.9");
    sh("ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:02 dev near0");
    assert_int_equal(lookup("224.0.0.9"), -RS_ENOENT);
    assert_int_equal(lookup("255.255.255.255"), -RS_ENOENT);
    assert_int_equal(lookup("0.0.0.0"), -RS_ENOENT);
    assert_int_equal(lookup("8.8.8.8"), 0);
    assert_int_equal(lookup("224.0.0.9"), -RS_ENOENT);
}

static void no_source_address_of_the_family(void **state)
{
    (void)state;
    NEEDS_NETNS();
    sh("ip addr del 2001:db8::1/64 dev near0 && ip -6 route add default dev near0");
    sh("ip -6 addr show dev near0 scope global | grep -q inet6 && exit 1 || exit 0");
    assert_int_equal(lookup("2001:db8:1::7"), -RS_ENOENT);
    assert_says("no source address");
}

static void changes_are_followed(void **state)
{
    (void)state;
    NEEDS_NETNS();
    sh("ip route add default via 192.0.2.9");
    sh("ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:02 dev near0");
    assert_int_equal(lookup("198.51.100.7"), 0);
    assert_int_equal(hop.mac[5], 2);
    sh("ip neigh replace 192.0.2.9 lladdr 02:00:00:00:00:33 dev near0"); /* the gateway's MAC */
    assert_int_equal(lookup("198.51.100.7"), 0);
    assert_int_equal(hop.mac[5], 0x33);
    sh("ip neigh add 192.0.2.8 lladdr 02:00:00:00:00:44 dev near0");
    sh("ip route replace default via 192.0.2.8"); /* the gateway */
    assert_int_equal(lookup("198.51.100.7"), 0);
    assert_addr(&hop.next_hop, "192.0.2.8");
    assert_int_equal(hop.mac[5], 0x44);
    sh("ip route add 198.51.100.0/25 via 192.0.2.9"); /* a longer prefix */
    assert_int_equal(lookup("198.51.100.7"), 0);
    assert_addr(&hop.next_hop, "192.0.2.9");
    assert_int_equal(lookup("198.51.100.200"), 0);
    assert_addr(&hop.next_hop, "192.0.2.8");
    sh("ip addr add 192.0.2.100/24 dev near0 && ip route replace default via 192.0.2.8 "
       "src 192.0.2.100"); /* the source address */
    assert_int_equal(lookup("198.51.100.200"), 0);
    assert_addr(&hop.src, "192.0.2.100");
    sh("ip neigh del 192.0.2.8 dev near0");
    assert_int_equal(lookup("198.51.100.200"), -RS_EAGAIN);
    sh("ip route del default");
    assert_int_equal(lookup("198.51.100.200"), -RS_ENOENT);
    sh("ip link set near0 down"); /* takes IPv4 routes along without a word about them */
    assert_int_equal(lookup("198.51.100.7"), -RS_ENOENT);
    sh("ip link set near0 up");
}

static void policy_routing_is_honoured(void **state)
{
    (void)state;
    NEEDS_NETNS();
    sh("ip route add default via 192.0.2.9");
    sh("ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:02 dev near0 && "
       "ip neigh add 192.0.2.8 lladdr 02:00:00:00:00:44 dev near0");
    assert_int_equal(lookup("198.51.100.7"), 0);
    assert_addr(&hop.next_hop, "192.0.2.9");
    sh("ip route add default via 192.0.2.8 table 77 && ip rule add to 198.51.100.0/24 table 77");
    assert_int_equal(lookup("198.51.100.7"), 0);
    assert_addr(&hop.next_hop, "192.0.2.8");
    assert_int_equal(lookup("198.51.101.7"), 0);
    assert_addr(&hop.next_hop, "192.0.2.9");
    sh("ip rule del to 198.51.100.0/24 table 77 && ip route flush table 77");
    assert_int_equal(lookup("198.51.100.7"), 0);
    assert_addr(&hop.next_hop, "192.0.2.9");
}

static void other_interfaces_routes_are_not_ours(void **state)
{
    (void)state;
    NEEDS_NETNS();
    sh("ip link add name a0 type veth peer name b0 && ip link set b0 up && ip link set a0 up && "
       "ip addr add 10.1.0.1/24 dev a0");
    sh("ip route add 198.51.100.0/24 via 10.1.0.9");
    assert_int_equal(lookup("198.51.100.7"), -RS_ENOENT);
    assert_int_equal(lookup("10.1.0.1"), -RS_ENOENT);
    assert_says("this host");
    sh("ip route add default via 192.0.2.9");
    sh("ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:02 dev near0");
    assert_int_equal(lookup("198.51.100.7"), 0); /* what the kernel does with a bound socket */
    assert_addr(&hop.next_hop, "192.0.2.9");
    sh("ip link del a0");
}

static void a_gateway_of_the_other_family(void **state)
{
    (void)state;
    NEEDS_NETNS();
    sh("ip -4 route add 0.0.0.0/0 via inet6 2001:db8::9 dev near0");
    assert_int_equal(lookup("198.51.100.7"), -RS_EAGAIN);
    assert_addr(&asked_for, "2001:db8::9");
    assert_addr(&asked_from, "2001:db8::1");
    struct wire_addr a = addr("2001:db8::9");
    router_neighbour_seen(router, &a, far_mac, clock_mono());
    assert_int_equal(lookup("198.51.100.7"), 0);
    assert_addr(&hop.src, "192.0.2.1");
    assert_memory_equal(hop.mac, far_mac, 6);
}

static void a_forced_mac_is_for_gateways(void **state)
{
    static const uint8_t forced[6] = {2, 9, 9, 9, 9, 9};
    (void)state;
    NEEDS_NETNS();
    router_free(router);
    sh("ip route add default via 192.0.2.9");
    open_router("near0", forced);
    assert_int_equal(lookup("198.51.100.7"), 0);
    assert_memory_equal(hop.mac, forced, 6);
    assert_int_equal(lookup("192.0.2.77"), -RS_EAGAIN);
}

static void ipv6_source_by_destination(void **state)
{
    (void)state;
    NEEDS_NETNS();
    sh("ip -6 route add default via 2001:db8::9");
    sh("ip neigh add 2001:db8::9 lladdr 02:00:00:00:00:02 dev near0");
    assert_int_equal(lookup("2001:db8:1::7"), 0);
    assert_addr(&hop.src, "2001:db8::1");
    sh("ip addr add fd00:5::1/64 dev near0 nodad");
    assert_int_equal(lookup("fd00:6::7"), 0); /* RFC 6724 rule 6: the same label */
    assert_addr(&hop.src, "fd00:5::1");
    assert_int_equal(lookup("2001:db8:1::7"), 0);
    assert_addr(&hop.src, "2001:db8::1");
}

static void tun_needs_no_mac(void **state)
{
    (void)state;
    NEEDS_NETNS();
    int fd = tun_open("tun7");
    if (fd < 0)
        skip();
    sh("ip link set tun7 up && ip addr add 10.7.0.1/24 dev tun7 && ip route add default dev tun7");
    router_free(router);
    open_router("tun7", NULL);
    assert_int_equal(lookup("198.51.100.7"), 0);
    assert_addr(&hop.src, "10.7.0.1");
    assert_addr(&hop.next_hop, "198.51.100.7");
    assert_memory_equal(hop.mac, "\0\0\0\0\0\0", 6);
    close(fd);
}

static void loopback_targets_through_loopback(void **state)
{
    (void)state;
    NEEDS_NETNS();
    router_free(router);
    open_router("lo", NULL);
    assert_int_equal(lookup("127.0.0.2"), 0);
    assert_int_equal(asks, 0);
}

/* The cache's own view: many destinations, few questions; rules switch it off. */
static void a_scan_asks_the_kernel_little(void **state)
{
    struct fib f;
    struct fib_answer answer;
    rs_mono now = clock_mono();
    (void)state;
    NEEDS_NETNS();
    sh("ip route add default via 192.0.2.9 && ip route add 10.0.0.0/9 via 192.0.2.8");
    struct mnl_socket *s = netlink_open(0, &err);
    fib_init(&f, 4);
    for (uint32_t i = 0; i < 100000; i++) {
        struct wire_addr a = {.family = 4, .bytes = {(uint8_t)(i & 1 ? 10 : 45)}};
        memcpy(a.bytes + 1, &i, 3);
        assert_int_equal(fib_lookup(&f, s, iface.index, &a, now, &answer, &err), 0);
        bool low = a.bytes[0] == 10 && a.bytes[1] < 128;
        assert_int_equal(answer.kind, FIB_GATEWAY);
        assert_int_equal(answer.gateway.bytes[3], low ? 8 : 9);
    }
    assert_true(f.asked <= 2);
    print_message("100,000 lookups, %lu questions, %.2f us each\n", (unsigned long)f.asked,
                  (double)rs_mono_diff(clock_mono(), now) / 1e3 / 1e5);
    sh("ip rule add from 10.9.9.9 table 77");
    f.stale = true;
    struct wire_addr a = addr("45.0.0.1");
    fib_lookup(&f, s, iface.index, &a, rs_mono_add(now, RS_SEC), &answer, &err);
    fib_lookup(&f, s, iface.index, &a, rs_mono_add(now, RS_SEC), &answer, &err);
    assert_true(f.each);
    assert_int_equal(f.asked, 4);
    sh("ip rule del from 10.9.9.9 table 77");
    f.stale = true; /* but not before a tenth of a second has passed */
    fib_lookup(&f, s, iface.index, &a, rs_mono_add(now, RS_SEC), &answer, &err);
    assert_true(f.stale);
    fib_lookup(&f, s, iface.index, &a, rs_mono_add(now, 2 * RS_SEC), &answer, &err);
    assert_false(f.each);
    fib_free(&f);
    mnl_socket_close(s);
}

/* Random prefixes of all lengths against the kernel's own answer. */
static void classes_agree_with_the_kernel(void **state)
{
    struct fib cached, plain;
    struct fib_answer a, b;
    rs_mono now = clock_mono();
    struct rs_rand r;
    (void)state;
    NEEDS_NETNS();
    rs_rand_seed(&r, 5);
    FILE *batch = popen("ip -batch - -force 2>/dev/null", "w");
    for (int i = 0; i < 400; i++)
        fprintf(batch, "route add %u.%u.%u.%u/%u via 192.0.2.%u\n",
                40 + (unsigned)rs_rand_below(&r, 2), (unsigned)rs_rand_below(&r, 4) * 64,
                (unsigned)rs_rand_below(&r, 2) * 128, 0u, 8 + (unsigned)rs_rand_below(&r, 18),
                2 + (unsigned)rs_rand_below(&r, 250));
    pclose(batch);
    struct mnl_socket *s = netlink_open(0, &err);
    fib_init(&cached, 4);
    fib_init(&plain, 4);
    plain.stale = true;
    plain.read_at = now; /* too soon to read: it asks for each */
    for (int i = 0; i < 20000; i++) {
        uint64_t word = rs_rand_next(&r);
        struct wire_addr dst = {.family = 4};
        memcpy(dst.bytes, &word, 4);
        dst.bytes[0] = (uint8_t)(40 + (dst.bytes[0] & 1));
        assert_int_equal(fib_lookup(&cached, s, iface.index, &dst, now, &a, &err), 0);
        assert_int_equal(fib_lookup(&plain, s, iface.index, &dst, now, &b, &err), 0);
        assert_int_equal(a.kind, b.kind);
        assert_memory_equal(&a.src, &b.src, sizeof a.src);
        assert_memory_equal(&a.gateway, &b.gateway, sizeof a.gateway);
    }
    assert_true(cached.asked < 500);
    assert_int_equal(plain.asked, 20000);
    fib_free(&cached);
    fib_free(&plain);
    mnl_socket_close(s);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(default_gateway_from_the_kernels_neighbours),
        T(on_link_targets_are_asked_for_themselves),
        T(a_silent_neighbour_is_told_after_three),
        T(without_a_route_the_text_says_so),
        T(special_addresses_do_not_spoil_the_default_route),
        T(no_source_address_of_the_family),
        T(changes_are_followed),
        T(policy_routing_is_honoured),
        T(other_interfaces_routes_are_not_ours),
        T(a_gateway_of_the_other_family),
        T(a_forced_mac_is_for_gateways),
        T(ipv6_source_by_destination),
        T(tun_needs_no_mac),
        T(loopback_targets_through_loopback),
        T(a_scan_asks_the_kernel_little),
        T(classes_agree_with_the_kernel),
    };
    return cmocka_run_group_tests_name("net/route", tests, enter_veth, NULL);
}
