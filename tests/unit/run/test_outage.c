/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the kernel reports when an interface or an address goes and comes back. */
#include "unit/net/netns.h"

#include "net/clock.h"
#include "run/outage.h"

static struct iface iface;
static struct router *router;
static struct outage o;
static struct rs_err err;
static char said[2000];
static unsigned failures;
static rs_mono now;

static void on_notice(void *ctx, const char *text)
{
    (void)ctx;
    strcat(strcat(said, text), "\n");
}

static void on_fail(void *ctx, const char *text)
{
    on_notice(ctx, text);
    failures++;
}

static void begin(const char *source)
{
    const struct outage_ops ops = {.notice = on_notice, .fail = on_fail};
    struct wire_addr s = {0};
    if (iface_open(&iface, "near0", &err) < 0)
        fail_msg("%s", err.text);
    if (source != NULL)
        s = addr(source);
    router = router_open(&iface, NULL, &err);
    assert_non_null(router);
    outage_init(&o, &iface, &s, &ops);
    now = rs_mono_add(clock_mono(), RS_SEC);
}

static int set_up(void **state)
{
    (void)state;
    said[0] = '\0';
    failures = 0;
    if (netns_ready)
        sh("ip link set near0 up; ip link set far0 up; ip addr flush dev near0;"
           "ip addr add 192.0.2.1/24 dev near0; ip addr add 2001:db8::1/64 dev near0 nodad");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    router_free(router);
    router = NULL;
    return 0;
}

/* A second later: linkwatch, too, has told by then. Returns the outages that are new. */
static uint64_t later(void)
{
    uint64_t before = router_outages(router);
    said[0] = '\0';
    for (unsigned i = 0; i < 15; i++, sleep_ms(100))
        router_read(router);
    now = rs_mono_add(now, RS_SEC);
    outage_news(&o, router_changes(router), now);
    return router_outages(router) - before;
}

static void assert_said(const char *part)
{
    if (strstr(said, part) == NULL)
        fail_msg("\"%s\" is not in: %s", part, said);
}

static void nothing_happens(void **state)
{
    (void)state;
    NEEDS_NETNS();
    begin(NULL);
    later();
    assert_int_equal(later(), 0);
    assert_string_equal(said, "");
    assert_false(outage_holds(&o, 4) || outage_holds(&o, 6));
    assert_false(outage_may_pass(&o, 4, now)); /* no route is no route */
}

static void down_and_up(void **state)
{
    (void)state;
    NEEDS_NETNS();
    begin(NULL);
    later();
    sh("ip link set near0 down");
    assert_true(later() > 0);
    assert_said("interface near0 is down or has no carrier");
    assert_true(outage_holds(&o, 4) && outage_holds(&o, 6));
    sh("ip link set near0 up");
    later();
    assert_said("interface near0 is up again");
    assert_said("address 2001:db8::1 of interface near0 is gone"); /* it went with the link */
    assert_true(!outage_holds(&o, 4) && outage_holds(&o, 6));
    now = rs_mono_add(now, 50 * RS_SEC);
    sh("ip addr add 2001:db8::1/64 dev near0 nodad");
    later();
    assert_said("near0 has an IPv6 address again");
    assert_false(outage_holds(&o, 6));
    now = rs_mono_add(now, 59 * RS_SEC);
    assert_true(outage_may_pass(&o, 4, now)); /* the routes may still come */
    now = rs_mono_add(now, 2 * RS_SEC);
    assert_false(outage_may_pass(&o, 4, now));
}

static void without_carrier(void **state)
{
    (void)state;
    NEEDS_NETNS();
    begin(NULL);
    later();
    sh("ip link set far0 down");
    assert_true(later() > 0);
    assert_said("interface near0 is down or has no carrier");
    assert_true(outage_holds(&o, 4));
    sh("ip link set far0 up");
    later();
    assert_said("interface near0 is up again");
    assert_false(outage_holds(&o, 4));
}

/* Too short for a look, but what was under way may be lost. */
static void a_blink_counts(void **state)
{
    (void)state;
    NEEDS_NETNS();
    begin(NULL);
    later();
    sh("ip link set near0 down && ip link set near0 up");
    assert_true(later() > 0);
    later();
    sh("ip addr del 192.0.2.1/24 dev near0 && ip addr add 192.0.2.1/24 dev near0");
    assert_int_equal(later(), 1);
    assert_false(outage_holds(&o, 4));
}

static void an_address_goes(void **state)
{
    (void)state;
    NEEDS_NETNS();
    sh("ip addr add 192.0.2.77/24 dev near0");
    begin(NULL);
    later();
    sh("ip addr del 192.0.2.77/24 dev near0");
    assert_int_equal(later(), 1);
    assert_string_equal(said, ""); /* there is another */
    assert_false(outage_holds(&o, 4));
    sh("ip addr del 192.0.2.1/24 dev near0");
    later();
    assert_said("address 192.0.2.1 of interface near0 is gone: IPv4 targets wait");
    assert_true(outage_holds(&o, 4) && !outage_holds(&o, 6));
    sh("ip addr add 192.0.2.5/24 dev near0"); /* any will do */
    later();
    assert_said("has an IPv4 address again");
    assert_false(outage_holds(&o, 4));
}

static void the_address_that_was_asked_for(void **state)
{
    (void)state;
    NEEDS_NETNS();
    sh("ip addr add 192.0.2.77/24 dev near0");
    begin("192.0.2.77");
    later();
    sh("ip addr del 192.0.2.77/24 dev near0");
    later();
    assert_said("address 192.0.2.77 of interface near0 is gone");
    assert_true(outage_holds(&o, 4) && !outage_holds(&o, 6));
    sh("ip addr add 192.0.2.77/24 dev near0");
    later();
    assert_false(outage_holds(&o, 4));
}

static void others_do_not_matter(void **state)
{
    (void)state;
    NEEDS_NETNS();
    begin(NULL);
    later();
    sh("ip addr add 10.9.9.9/24 dev far0; ip addr del 10.9.9.9/24 dev far0;"
       "ip addr add 10.9.9.9/24 dev lo; ip addr del 10.9.9.9/24 dev lo");
    assert_int_equal(later(), 0);
    assert_string_equal(said, "");
}

/* Last: near0 does not come back. */
static void gone_for_good(void **state)
{
    (void)state;
    NEEDS_NETNS();
    begin(NULL);
    later();
    sh("ip link del near0");
    assert_true(later() > 0);
    assert_said("interface near0 is gone; the run ends here");
    assert_int_equal(failures, 1);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(nothing_happens),      CASE(down_and_up),     CASE(without_carrier),
        CASE(a_blink_counts),       CASE(an_address_goes), CASE(the_address_that_was_asked_for),
        CASE(others_do_not_matter), CASE(gone_for_good),
    };
    return cmocka_run_group_tests(tests, enter_veth, NULL);
}
