/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit/net/netns.h"

#include "net/iface.h"
#include "wire/link.h"

static struct iface got;
static struct rs_err err;

static int open_it(const char *name)
{
    err.text[0] = '\0';
    return iface_open(&got, name, &err);
}

static void assert_says(const char *part)
{
    if (strstr(err.text, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, err.text);
}

static void ethernet(void **state)
{
    (void)state;
    NEEDS_NETNS();
    sh("ip link set near0 mtu 1400");
    assert_int_equal(open_it("near0"), 0);
    assert_string_equal(got.name, "near0");
    assert_int_equal(got.index, if_nametoindex("near0"));
    assert_int_equal(got.link, WIRE_LINK_ETHERNET);
    assert_true(got.has_mac);
    assert_memory_equal(got.mac, near_mac, 6);
    assert_int_equal(got.mtu, 1400);
    assert_true(got.up);
    assert_false(got.loopback);
    assert_addr(&got.addr4, "192.0.2.1");
    assert_addr(&got.addr6, "2001:db8::1");
}

static void loopback(void **state)
{
    (void)state;
    NEEDS_NETNS();
    assert_int_equal(open_it("lo"), 0);
    assert_true(got.loopback);
    assert_addr(&got.addr4, "127.0.0.1");
    assert_addr(&got.addr6, "::1");
}

static void unknown_names_list_those_that_exist(void **state)
{
    (void)state;
    NEEDS_NETNS();
    assert_int_equal(open_it("eth9"), -RS_ENOENT);
    assert_says("no interface 'eth9'");
    assert_says("lo");
    assert_says("near0");
    for (int i = 0; i < 30; i++) /* more names than the text holds */
        sh("ip tuntap add mode tun name averylongname%d", i);
    assert_int_equal(
        open_it("an interface name of any length, however absurd it may be to ask for it, "
                "does no harm at all"),
        -RS_ENOENT);
    assert_says(" ...");
    for (int i = 0; i < 30; i++)
        sh("ip link del averylongname%d", i);
}

static void down_or_without_address_is_told(void **state)
{
    (void)state;
    NEEDS_NETNS();
    assert_int_equal(open_it("far0"), -RS_EINVAL);
    assert_says("no IPv4 or IPv6 address");
    sh("ip link add name other0 type veth peer name other1 && ip addr add 10.9.9.1/24 dev other0");
    assert_int_equal(open_it("other0"), -RS_EINVAL);
    assert_says("down");
    sh("ip link set other0 up"); /* its peer is down: no carrier */
    assert_int_equal(open_it("other0"), -RS_EINVAL);
    assert_says("no carrier");
    sh("ip link del other0");
}

static void the_best_address_is_chosen(void **state)
{
    (void)state;
    NEEDS_NETNS();
    sh("ip link add name a0 type veth peer name b0");
    sh("ip link set b0 up && ip link set a0 up");
    for (int i = 0; i < 100 && open_it("a0") < 0;
         i++) /* carrier and link-local DAD take a moment */
        sleep_ms(50);
    assert_true(got.addr6.bytes[0] == 0xfe); /* link-local, for want of better */
    sh("ip addr add 2001:db8:5::1/64 dev a0 nodad preferred_lft 0"); /* deprecated */
    assert_int_equal(open_it("a0"), 0);
    assert_addr(&got.addr6, "2001:db8:5::1");
    sh("ip addr add 2001:db8:6::1/64 dev a0"); /* tentative for a second */
    assert_int_equal(open_it("a0"), 0);
    assert_addr(&got.addr6, "2001:db8:5::1");
    sh("ip addr add 2001:db8:7::1/64 dev a0 nodad");
    assert_int_equal(open_it("a0"), 0);
    assert_addr(&got.addr6, "2001:db8:7::1");
    sh("ip addr add 169.254.1.1/16 scope link dev a0 && ip addr add 10.1.0.1/24 dev a0 && "
       "ip addr add 10.1.0.2/24 dev a0");
    assert_int_equal(open_it("a0"), 0);
    assert_addr(&got.addr4, "10.1.0.1");
    sh("ip link del a0");
}

static void the_default_route_names_the_interface(void **state)
{
    (void)state;
    NEEDS_NETNS();
    assert_int_equal(open_it(NULL), -RS_ENOENT);
    assert_says("-i");
    sh("ip -6 route add default via 2001:db8::9 dev near0");
    assert_int_equal(open_it(NULL), 0);
    assert_string_equal(got.name, "near0");
    sh("ip link add name a0 type veth peer name b0 && ip link set b0 up && ip link set a0 up && "
       "ip addr add 10.1.0.1/24 dev a0");
    sh("ip route add default via 10.1.0.9 dev a0 metric 10");
    assert_int_equal(open_it(NULL), 0);
    assert_string_equal(got.name, "a0"); /* IPv4's comes first */
    sh("ip route add default via 192.0.2.9 dev near0 metric 5");
    assert_int_equal(open_it(NULL), 0);
    assert_string_equal(got.name, "near0"); /* the smaller metric */
    sh("ip link del a0");
}

static void tun_is_a_raw_link(void **state)
{
    (void)state;
    NEEDS_NETNS();
    int fd = tun_open("tun7");
    if (fd < 0)
        skip();
    sh("ip link set tun7 up && ip addr add 10.7.0.1/24 dev tun7");
    assert_int_equal(open_it("tun7"), 0);
    assert_int_equal(got.link, WIRE_LINK_RAW);
    assert_false(got.has_mac);
    close(fd);
}

static void gro_is_read(void **state)
{
    (void)state;
    NEEDS_NETNS();
    if (system("ethtool --version >/dev/null 2>&1") != 0)
        skip();
    sh("ethtool -K near0 gro on");
    assert_int_equal(open_it("near0"), 0);
    assert_true(got.gro);
    sh("ethtool -K near0 gro off");
    assert_int_equal(open_it("near0"), 0);
    assert_false(got.gro);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ethernet),
        cmocka_unit_test(loopback),
        cmocka_unit_test(unknown_names_list_those_that_exist),
        cmocka_unit_test(down_or_without_address_is_told),
        cmocka_unit_test(the_best_address_is_chosen),
        cmocka_unit_test(the_default_route_names_the_interface),
        cmocka_unit_test(tun_is_a_raw_link),
        cmocka_unit_test(gro_is_read),
    };
    return cmocka_run_group_tests_name("net/iface", tests, enter_veth, NULL);
}
