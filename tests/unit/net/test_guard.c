/* SPDX-License-Identifier: GPL-3.0-or-later
 * Stray segments come in over a veth pair; what the kernel answers is seen at its far end. Each
 * silence has its control: the same packet to an unguarded port does draw the answer. */
#include "unit/net/netns.h"

#include <linux/filter.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "net/guard.h"
#include "net/selftest.h"

#define GUARDED   61005
#define BARE      62000
#define ANSWER_MS 100

static int far_end;

static int set_up(void **state)
{
    enter_veth(state);
    if (!netns_ready)
        return 0;
    sh("ip neigh add 192.0.2.9 lladdr 02:00:00:00:00:02 dev near0");
    sh("ip neigh add 2001:db8::9 lladdr 02:00:00:00:00:02 dev near0");
    far_end = tap_open("far0");
    return 0;
}

static enum guard_method method; /* for the guards of a test */

static struct guard *guard(uint16_t from, uint16_t to, unsigned most, unsigned least, bool udp)
{
    struct guard *g;
    struct rs_err err = {{0}};
    struct guard_config config = {
        .from = from, .to = to, .want_most = most, .need_least = least, .tcp = true, .udp = udp};
    config.method = method;
    if (guard_open(&g, &config, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(guard_method(g), method);
    return g;
}

/* Sends a packet to the kernel and says whether an answer of `proto` came back: for TCP an RST, for
 * ICMP an error. */
static bool kernel_answers(const struct packet_words *w, uint8_t proto)
{
    uint8_t packet[256], got[2048];
    size_t n = packet_make(packet, w), ip = 14;
    bool v6 = packet[0] >> 4 == 6;
    while (tap_next(far_end, got, sizeof got, 0) > 0)
        ;
    send_frame(far_end, near_mac, far_mac, v6 ? 0x86dd : 0x0800, packet, n);
    while ((n = tap_next(far_end, got, sizeof got, ANSWER_MS)) > 0) {
        size_t l4 = ip + (v6 ? 40 : 20);
        if (n < l4 + 20 || (got[12] << 8 | got[13]) != (v6 ? 0x86dd : 0x0800) ||
            got[ip + (v6 ? 6 : 9)] != proto)
            continue;
        if (proto == 6 && (got[l4 + 13] & 4))
            return true;
        if (proto != 6 && got[l4] == (v6 ? 1 : 3))
            return true;
    }
    return false;
}

struct trial {
    const char *src, *dst;
    uint8_t proto, answer;
};

static const struct trial trials[] = {
    {"192.0.2.9", "192.0.2.1", 6, 6},
    {"2001:db8::9", "2001:db8::1", 6, 6},
    {"192.0.2.9", "192.0.2.1", 17, 1},
    {"2001:db8::9", "2001:db8::1", 17, 58},
};

static bool draws_answer(const struct trial *t, uint16_t port, uint8_t flags, uint8_t ttl)
{
    const struct packet_words w = {.src = t->src,
                                   .dst = t->dst,
                                   .proto = t->proto,
                                   .sport = 80,
                                   .dport = port,
                                   .flags = flags,
                                   .ttl = ttl};
    return kernel_answers(&w, t->answer);
}

static void assert_silence(const struct trial *t, const char *what)
{
    if (!draws_answer(t, BARE, 0x12, 64))
        fail_msg("%s: the control drew no answer", what);
    if (draws_answer(t, GUARDED, 0x12, 64) || draws_answer(t, GUARDED, 0x12, 1))
        fail_msg("%s: the kernel answered for a guarded port", what);
    if (draws_answer(t, GUARDED, 0x12, 255) != (method == GUARD_TTL && t->proto == 6))
        fail_msg("%s: TTL 255", what);
}

static void guarded_ports_are_silent_and_bare_ones_are_not(void **state)
{
    static const char *const what[] = {"tcp4", "tcp6", "udp4", "udp6"};
    (void)state;
    NEEDS_NETNS();
    for (method = 0; method < GUARD_METHOD_N; method++) {
        struct guard *g = guard(GUARDED, GUARDED, 1, 1, true);
        for (size_t i = 0; i < (method == 0 ? 4 : 2); i++)
            assert_silence(&trials[i], what[i]);
        guard_free(g);
        assert_true(draws_answer(&trials[0], GUARDED, 0x12, 64)); /* nothing is left behind */
    }
    method = 0;
}

/* SYN, ACK, data, FIN/ACK and RST, and flags without sense: whatever a peer can say. */
static void every_segment_is_swallowed(void **state)
{
    static const uint8_t flags[] = {0x02, 0x10, 0x18, 0x11, 0x04, 0xc2, 0x00, 0xff};
    (void)state;
    NEEDS_NETNS();
    for (method = 0; method < GUARD_METHOD_N; method++) {
        struct guard *g = guard(GUARDED, GUARDED, 1, 1, false);
        for (size_t i = 0; i < sizeof flags; i++) {
            assert_false(draws_answer(&trials[0], GUARDED, flags[i], 64));
            assert_false(draws_answer(&trials[1], GUARDED, flags[i], 64));
        }
        guard_free(g);
    }
    method = 0;
}

/* A peer that does sign (RFC 2385: kind 19, 18 bytes) does not know our key. */
static void forged_signatures_are_swallowed(void **state)
{
    uint8_t packet[256], got[2048];
    const struct packet_words w = {.src = "192.0.2.9",
                                   .dst = "192.0.2.1",
                                   .proto = 6,
                                   .sport = 80,
                                   .dport = GUARDED,
                                   .payload = 20,
                                   .flags = 0x12};
    (void)state;
    NEEDS_NETNS();
    for (method = 0; method < GUARD_TTL; method++) {
        struct guard *g = guard(GUARDED, GUARDED, 1, 1, false);
        size_t n = packet_make(packet, &w);
        packet[32] = 0xa0; /* the payload becomes options */
        packet[40] = 19;
        packet[41] = 18;
        put16(packet + 36, 0);
        struct wire_addr src = addr(w.src), dst = addr(w.dst);
        uint32_t sum = wire_sum(wire_sum_pseudo(&src, &dst, 6, 40), packet + 20, 40);
        put16(packet + 36, 0xffffu & ~(unsigned)wire_sum_fold(sum));
        send_frame(far_end, near_mac, far_mac, 0x0800, packet, n);
        while ((n = tap_next(far_end, got, sizeof got, ANSWER_MS)) > 0)
            assert_false(n > 47 && got[12] == 8 && got[23] == 6);
        guard_free(g);
    }
    method = 0;
}

static int taken_socket(int family, int type, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    int fd = socket(family, type | SOCK_CLOEXEC, 0), on = 1;
    if (family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    assert_int_equal(family == AF_INET ? bind(fd, (struct sockaddr *)&v4, sizeof v4)
                                       : bind(fd, (struct sockaddr *)&v6, sizeof v6),
                     0);
    return fd;
}

static void taken_ports_are_skipped(void **state)
{
    unsigned n;
    (void)state;
    NEEDS_NETNS();
    int a = taken_socket(AF_INET, SOCK_STREAM, 61001);
    int b = taken_socket(AF_INET6, SOCK_STREAM, 61003);
    int c = taken_socket(AF_INET, SOCK_DGRAM, 61004);
    struct guard *g = guard(61000, 61009, 4, 4, true);
    const uint16_t *ports = guard_ports(g, &n);
    assert_int_equal(n, 4);
    const uint16_t want[4] = {61000, 61002, 61005, 61006};
    assert_memory_equal(ports, want, sizeof want);
    assert_int_equal(guard_taken(g), 3);
    assert_false(guard_short_of_descriptors(g));
    guard_free(g);
    g = guard(61000, 61009, 0, 0, false); /* the UDP socket does not matter, all that is free */
    guard_ports(g, &n);
    assert_int_equal(n, 8);
    guard_free(g);
    close(a);
    close(b);
    close(c);
}

static void too_few_ports_is_an_error(void **state)
{
    struct guard *g;
    struct rs_err err = {{0}};
    struct guard_config config = {.from = 61000, .to = 61001, .need_least = 2, .tcp = true};
    (void)state;
    NEEDS_NETNS();
    int a = taken_socket(AF_INET, SOCK_STREAM, 61001);
    assert_int_equal(guard_open(&g, &config, &err), -RS_EBUSY);
    assert_null(g);
    assert_non_null(strstr(err.text, "only 1 source ports of 61000-61001 are free, 2 are needed"));
    config.need_least = 3;
    assert_int_equal(guard_open(&g, &config, &err), -RS_EINVAL);
    config = (struct guard_config){.from = 61000, .to = 61001};
    assert_int_equal(guard_open(&g, &config, &err), -RS_EINVAL);
    config = (struct guard_config){.from = 61001, .to = 61000, .tcp = true};
    assert_int_equal(guard_open(&g, &config, &err), -RS_EINVAL);
    close(a);
}

/* In a child, whose hard limit can be lowered for good. */
static int with_few_descriptors(unsigned least)
{
    struct rlimit limit = {.rlim_cur = 60, .rlim_max = 200};
    struct guard *g;
    struct rs_err err = {{0}};
    struct guard_config config = {.from = 61000, .to = 61999, .need_least = least, .tcp = true};
    unsigned n = 0;
    setrlimit(RLIMIT_NOFILE, &limit);
    int result = guard_open(&g, &config, &err);
    if (result < 0)
        return strstr(err.text, "raise the hard limit") != NULL ? 100 - result : 1;
    guard_ports(g, &n);
    int spare = 0;
    while (dup(0) >= 0)
        spare++;
    return n > 60 && n < 200 && spare >= 60 && guard_short_of_descriptors(g) ? 0 : 2;
}

static int in_child(unsigned least)
{
    int status;
    pid_t child = fork();
    if (child == 0)
        _exit(with_few_descriptors(least));
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void descriptors_that_end_are_no_error_if_enough_fit(void **state)
{
    (void)state;
    NEEDS_NETNS();
    assert_int_equal(in_child(50), 0);
    assert_int_equal(in_child(500), 100 + RS_EBUSY);
}

static void a_whole_range_is_quick(void **state)
{
    struct timespec from, to;
    unsigned n;
    (void)state;
    NEEDS_NETNS();
    for (method = 0; method < GUARD_METHOD_N; method++) {
        clock_gettime(CLOCK_MONOTONIC, &from);
        struct guard *g = guard(61000, 65535, 0, 1000, false);
        clock_gettime(CLOCK_MONOTONIC, &to);
        guard_ports(g, &n);
        print_message("%s: %u ports in %.0f ms\n", guard_method_name(method), n,
                      (double)(to.tv_sec - from.tv_sec) * 1e3 +
                          (double)(to.tv_nsec - from.tv_nsec) / 1e6);
        assert_true(n >= 1000);
        guard_free(g);
    }
    method = 0;
}

static void selftest_proves_a_guard_and_finds_a_hole(void **state)
{
    struct rs_err err = {{0}};
    (void)state;
    NEEDS_NETNS();
    assert_int_equal(selftest_guard(GUARDED, &err), -RS_EPROTO);
    assert_non_null(strstr(err.text, "127.0.0.1"));
    for (method = 0; method < GUARD_METHOD_N; method++) {
        struct guard *g = guard(GUARDED, GUARDED, 1, 1, false);
        for (int i = 0; i < 10; i++) {
            err.text[0] = '\0';
            if (selftest_guard(GUARDED, &err) != (method == GUARD_TTL ? -RS_EAGAIN : 0))
                fail_msg("%s", err.text);
        }
        if (method == GUARD_TTL)
            assert_non_null(strstr(err.text, "TTL 255"));
        guard_free(g);
    }
    method = 0;
}

/* A listener for IPv4 alone, filtered: IPv6 is left open, and the self-test must say so. */
static void selftest_looks_at_both_families(void **state)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    struct sock_fprog program = {.len = 1, .filter = &nothing};
    struct rs_err err = {{0}};
    (void)state;
    NEEDS_NETNS();
    int fd = taken_socket(AF_INET, SOCK_STREAM, GUARDED);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(selftest_guard(GUARDED, &err), -RS_EPROTO); /* listening is not enough */
    assert_non_null(strstr(err.text, "127.0.0.1"));
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program), 0);
    assert_int_equal(selftest_guard(GUARDED, &err), -RS_EPROTO);
    assert_non_null(strstr(err.text, "::1"));
    close(fd);
}

static void selftest_without_loopback_is_soft(void **state)
{
    struct rs_err err = {{0}};
    (void)state;
    NEEDS_NETNS();
    sh("ip link set lo down");
    assert_int_equal(selftest_guard(GUARDED, &err), -RS_EAGAIN);
    if (strstr(err.text, "loopback is down") == NULL)
        fail_msg("%s", err.text);
    sh("ip link set lo up");
    if (system("nft -v >/dev/null 2>&1") != 0)
        return;
    sh("nft add table inet t && nft 'add chain inet t o { type filter hook output priority 0; }' "
       "&& nft add rule inet t o tcp flags rst drop");
    struct guard *g = guard(GUARDED, GUARDED, 1, 1, false);
    assert_int_equal(selftest_guard(GUARDED, &err), -RS_EAGAIN);
    assert_non_null(strstr(err.text, "firewall"));
    guard_free(g);
    sh("nft delete table inet t");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(guarded_ports_are_silent_and_bare_ones_are_not),
        cmocka_unit_test(every_segment_is_swallowed),
        cmocka_unit_test(forged_signatures_are_swallowed),
        cmocka_unit_test(taken_ports_are_skipped),
        cmocka_unit_test(too_few_ports_is_an_error),
        cmocka_unit_test(descriptors_that_end_are_no_error_if_enough_fit),
        cmocka_unit_test(a_whole_range_is_quick),
        cmocka_unit_test(selftest_proves_a_guard_and_finds_a_hole),
        cmocka_unit_test(selftest_looks_at_both_families),
        cmocka_unit_test(selftest_without_loopback_is_soft),
    };
    return cmocka_run_group_tests_name("net/guard", tests, set_up, NULL);
}
