/* SPDX-License-Identifier: GPL-3.0-or-later
 * A network of its own for each test program of src/net: a fresh network namespace, a veth pair
 * `near0` and `far0` in it, and a packet socket on the far end. Nothing outside the namespace is
 * touched; it ends with the process. Static functions, since each test program is one file. */
#ifndef RS_TESTS_UNIT_NET_NETNS_H
#define RS_TESTS_UNIT_NET_NETNS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "wire/addr.h"
#include "wire/cksum.h"

#define UNUSED_FN __attribute__((unused)) static

static bool netns_ready;

UNUSED_FN void sh(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Runs a shell command that must succeed. */
UNUSED_FN void sh(const char *format, ...)
{
    char command[512];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof command, format, args);
    va_end(args);
    if (system(command) != 0)
        fail_msg("failed: %s", command);
}

/* A group set-up: a fresh namespace with loopback up. Without root the tests of the group skip. */
UNUSED_FN int enter_netns(void **state)
{
    (void)state;
    if (geteuid() != 0)
        return 0;
    if (unshare(CLONE_NEWNET) < 0) {
        fprintf(stderr, "no new network namespace here (CAP_SYS_ADMIN): tests skip\n");
        return 0;
    }
    netns_ready = true;
    sh("ip link set lo up");
    return 0;
}

/* As enter_netns, and near0 (192.0.2.1/24, 2001:db8::1/64) with far0 as its other end. */
UNUSED_FN int enter_veth(void **state)
{
    enter_netns(state);
    if (!netns_ready)
        return 0;
    sh("ip link add name near0 address 02:00:00:00:00:01 type veth "
       "peer name far0 address 02:00:00:00:00:02");
    sh("ip link set near0 up && ip link set far0 addrgenmode none && ip link set far0 up");
    sh("ip addr add 192.0.2.1/24 dev near0 && ip addr add 2001:db8::1/64 dev near0 nodad");
    return 0;
}

#define NEEDS_NETNS()                                                                              \
    do {                                                                                           \
        if (!netns_ready)                                                                          \
            skip();                                                                                \
    } while (0)

UNUSED_FN struct wire_addr addr(const char *text)
{
    struct wire_addr a = {0};
    assert_int_equal(wire_addr_parse(text, &a), 0);
    return a;
}

UNUSED_FN void assert_addr(const struct wire_addr *got, const char *want)
{
    char text[WIRE_ADDR_TEXT];
    assert_string_equal(wire_addr_format(got, text), want);
}

UNUSED_FN void sleep_ms(unsigned ms)
{
    nanosleep(&(struct timespec){ms / 1000, (long)(ms % 1000) * 1000000}, NULL);
}

/* A packet socket that hears and sends whole frames on an interface. */
UNUSED_FN int tap_open(const char *name)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = (int)if_nametoindex(name)};
    int bytes = 8 << 20; /* nothing may be lost in tests */
    assert_true(fd >= 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    return fd;
}

/* The next frame that came in (not what this end sent) within `ms`, or 0. */
UNUSED_FN size_t tap_next(int fd, uint8_t *out, size_t cap, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, ms) > 0) {
        struct sockaddr_ll from;
        socklen_t from_bytes = sizeof from;
        ssize_t n = recvfrom(fd, out, cap, 0, (struct sockaddr *)&from, &from_bytes);
        if (n > 0 && from.sll_pkttype != PACKET_OUTGOING)
            return (size_t)n;
    }
    return 0;
}

/* Attaches to a new tun device; its packets come out of the descriptor. */
UNUSED_FN int tun_open(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -1;
    snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    if (ioctl(fd, TUNSETIFF, &request) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

struct packet_words {
    const char *src, *dst;
    uint8_t proto; /* 6, 17, 1, 58 or anything */
    uint16_t sport, dport;
    uint8_t flags;    /* TCP */
    uint8_t type;     /* ICMP */
    uint16_t frag;    /* IPv4: the fragment word; IPv6: not 0 adds a fragment header with it */
    uint8_t ext;      /* IPv6: next header to put before the transport (8 bytes); 0: none */
    unsigned payload; /* bytes */
    uint8_t ttl;      /* 0: 64 */
};

UNUSED_FN void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

UNUSED_FN size_t put_transport(uint8_t *p, const struct packet_words *w)
{
    size_t n = w->proto == 6 ? 20 : 8;
    memset(p, 0, n + w->payload);
    put16(p, w->sport);
    put16(p + 2, w->dport);
    if (w->proto == 6) {
        p[12] = 0x50;
        p[13] = w->flags;
    } else if (w->proto == 17) {
        put16(p + 4, 8 + w->payload);
    } else {
        p[0] = w->type;
        p[1] = 0;
    }
    return n + w->payload;
}

/* Builds an IP packet; transport checksums are filled in. Returns its bytes. */
UNUSED_FN size_t packet_make(uint8_t *out, const struct packet_words *w)
{
    struct wire_addr src = addr(w->src), dst = addr(w->dst);
    size_t start = src.family == 4 ? 20 : w->ext != 0 ? 48 : 40, at = start;
    memset(out, 0, start);
    size_t n = put_transport(out + start, w);
    if (src.family == 4) {
        out[0] = 0x45;
        put16(out + 2, (unsigned)(start + n));
        put16(out + 4, 0x1234);
        put16(out + 6, w->frag);
        out[8] = w->ttl != 0 ? w->ttl : 64;
        out[9] = w->proto;
        memcpy(out + 12, src.bytes, 4);
        memcpy(out + 16, dst.bytes, 4);
        put16(out + 10, 0xffffu & ~(unsigned)wire_sum_fold(wire_sum(0, out, 20)));
    } else {
        out[0] = 0x60;
        put16(out + 4, (unsigned)(start + n - 40));
        out[6] = w->ext != 0 ? w->ext : w->proto;
        out[7] = w->proto == 58 ? 255 : w->ttl != 0 ? w->ttl : 64;
        memcpy(out + 8, src.bytes, 16);
        memcpy(out + 24, dst.bytes, 16);
        if (w->ext != 0) {
            out[40] = w->proto;
            if (w->ext == 60) { /* destination options: one PadN over 6 bytes */
                out[42] = 1;
                out[43] = 4;
            }
            put16(out + 42, w->ext == 44 ? w->frag : (unsigned)(out[42] << 8 | out[43]));
        }
    }
    size_t sum_at = w->proto == 6 ? 16 : w->proto == 17 ? 6 : 2;
    uint32_t sum = w->proto == 1 ? 0 : wire_sum_pseudo(&src, &dst, w->proto, (uint32_t)n);
    put16(out + at + sum_at, 0xffffu & ~(unsigned)wire_sum_fold(wire_sum(sum, out + at, n)));
    return start + n;
}

UNUSED_FN void send_frame(int fd,
                          const uint8_t dst[6],
                          const uint8_t src[6],
                          unsigned ethertype,
                          const uint8_t *body,
                          size_t n)
{
    uint8_t frame[2048];
    memcpy(frame, dst, 6);
    memcpy(frame + 6, src, 6);
    put16(frame + 12, ethertype);
    memcpy(frame + 14, body, n);
    assert_int_equal(send(fd, frame, n + 14, 0), n + 14);
}

static const uint8_t near_mac[6] __attribute__((unused)) = {2, 0, 0, 0, 0, 1};
static const uint8_t far_mac[6] __attribute__((unused)) = {2, 0, 0, 0, 0, 2};

#endif
