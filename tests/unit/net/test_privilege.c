/* SPDX-License-Identifier: GPL-3.0-or-later
 * Law 1: CAP_NET_RAW is enough for everything, and what needs no privilege needs none. In children,
 * since a capability that is given up does not come back. */
#include "unit/net/netns.h"

#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "net/capture.h"
#include "net/clock.h"
#include "net/guard.h"
#include "net/iface.h"
#include "net/inject.h"
#include "net/route.h"
#include "net/selftest.h"

static void keep_only(uint32_t capabilities)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2] = {
        {.effective = capabilities, .permitted = capabilities}};
    assert_int_equal(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), 0);
    assert_int_equal(setresgid(65534, 65534, 65534), 0);
    assert_int_equal(setresuid(65534, 65534, 65534), 0);
    assert_int_equal(syscall(SYS_capset, &header, data), 0);
}

/* Runs `body` in a child with these capabilities; it returns 0 when all is well, else a line. */
static void in_child(uint32_t capabilities, int (*body)(struct rs_err *err))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct rs_err err = {{0}};
        keep_only(capabilities);
        int line = body(&err);
        if (line != 0)
            fprintf(stderr, "line %d: %s\n", line, err.text);
        _exit(line == 0 ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

#define TRY(call)                                                                                  \
    do {                                                                                           \
        if (!(call))                                                                               \
            return __LINE__;                                                                       \
    } while (0)

static int everything(struct rs_err *err)
{
    struct iface iface;
    struct inject *in;
    struct capture *capture;
    struct capture_stats stats;
    struct guard *guard;
    struct hop hop;
    struct wire_addr dst = addr("192.0.2.9");
    TRY(iface_open(&iface, "near0", err) == 0);
    struct router *router = router_open(&iface, NULL, err);
    TRY(router != NULL);
    TRY(router_lookup(router, &dst, clock_mono(), &hop, err) == -RS_EAGAIN);
    for (int kind = INJECT_PACKET; kind <= INJECT_IP; kind++) {
        struct inject_config to = {
            .iface = &iface, .kind = (enum inject_kind)kind, .bind_dev = true};
        TRY(inject_open(&in, &to, err) == 0);
        inject_free(in);
    }
    struct capture_config from = {.iface = &iface, .port_from = 61000, .port_to = 65535};
    TRY(capture_open(&capture, &from, err) == 0);
    TRY(capture_stats(capture, &stats) == 0);
    struct guard_config ports = {
        .from = 61000, .to = 65535, .want_most = 100, .need_least = 100, .tcp = true, .udp = true};
    TRY(guard_open(&guard, &ports, err) == 0);
    TRY(selftest_guard(61000, err) == 0);
    guard_free(guard);
    capture_free(capture);
    router_free(router);
    return 0;
}

static int without_any(struct rs_err *err)
{
    struct iface iface;
    struct guard *guard;
    TRY(iface_open(&iface, "near0", err) == 0);
    struct router *router = router_open(&iface, NULL, err);
    TRY(router != NULL);
    struct guard_config ports = {.from = 61000, .to = 61009, .tcp = true, .udp = true};
    TRY(guard_open(&guard, &ports, err) == 0);
    TRY(selftest_guard(61000, err) == -RS_EPERM);
    TRY(strstr(err->text, "--cap-add NET_RAW") != NULL);
    ports = (struct guard_config){.from = 80, .to = 90, .tcp = true};
    guard_free(guard);
    TRY(guard_open(&guard, &ports, err) == -RS_EPERM || guard != NULL); /* a sysctl may allow it */
    guard_free(guard);
    router_free(router);
    return 0;
}

static void net_raw_is_enough(void **state)
{
    (void)state;
    NEEDS_NETNS();
    in_child(1u << CAP_NET_RAW, everything);
}

static void interfaces_routes_and_guard_need_nothing(void **state)
{
    (void)state;
    NEEDS_NETNS();
    in_child(0, without_any);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(net_raw_is_enough),
        cmocka_unit_test(interfaces_routes_and_guard_need_nothing),
    };
    return cmocka_run_group_tests_name("net/privilege", tests, enter_veth, NULL);
}
