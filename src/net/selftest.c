/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net/selftest.h"

#include <errno.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/socket_int.h"
#include "wire/cksum.h"
#include "wire/view.h"

#define PATIENCE  (20 * RS_MS)
#define AFTERWARD RS_MS /* for a late RST of the guarded port, once the control's has come */
#define TCP_BYTES 20u

enum verdict { PROVED, NOT_HERE, NO_CONTROL, ANSWERED };

struct trial {
    struct wire_addr loopback;
    int raw;               /* sends the stray segments and hears the answers */
    int source, control;   /* reserve the ports below: bound, never listening */
    uint16_t source_port;  /* where the stray segments come from */
    uint16_t control_port; /* closed: the kernel must answer for it */
    uint16_t guarded_port;
};

static uint16_t read_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void write_be16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/* Reserves a port on loopback. A bound socket that does not listen leaves the port closed. */
static int reserve_port(const struct wire_addr *loopback, uint16_t *port)
{
    struct sockaddr_storage at;
    socklen_t n = socket_address(&at, loopback, 0);
    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&at, n) < 0 ||
        getsockname(fd, (struct sockaddr *)&at, &n) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    *port = ntohs(at.ss_family == AF_INET ? ((struct sockaddr_in *)&at)->sin_port
                                          : ((struct sockaddr_in6 *)&at)->sin6_port);
    return fd;
}

/* Only segments to our source port: a busy host must not fill the queue. IPv4 raw sockets show the
 * IP header, IPv6 ones begin at the transport. */
static int hear_only(int fd, uint8_t family, uint16_t port)
{
    struct sock_filter code[] = {
        family == 4 ? (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0)
                    : (struct sock_filter)BPF_STMT(BPF_LDX | BPF_IMM, 0),
        BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 256),
        BPF_STMT(BPF_RET | BPF_K, 0),
    };
    struct sock_fprog program = {.len = sizeof code / sizeof code[0], .filter = code};
    if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
        return -errno;
    return 0;
}

/* A SYN/ACK that answers nothing: RFC 9293 3.10.7.1 makes a closed port send an RST. */
static int send_stray(const struct trial *t, uint16_t to)
{
    struct sockaddr_storage at;
    socklen_t n = socket_address(&at, &t->loopback, 0);
    uint8_t tcp[TCP_BYTES] = {0};
    write_be16(tcp, t->source_port);
    write_be16(tcp + 2, to);
    tcp[4] = tcp[8] = 0x52; /* any sequence and acknowledgement number */
    tcp[12] = (TCP_BYTES / 4) << 4;
    tcp[13] = TCP_SYN | TCP_ACK;
    write_be16(tcp + 14, 65535);
    uint32_t sum = wire_sum_pseudo(&t->loopback, &t->loopback, IP_PROTO_TCP, TCP_BYTES);
    write_be16(tcp + 16, (uint16_t)~wire_sum_fold(wire_sum(sum, tcp, sizeof tcp)));
    if (sendto(t->raw, tcp, sizeof tcp, 0, (struct sockaddr *)&at, n) < 0)
        return -errno;
    return 0;
}

/* The source port of an RST to us that waits on the raw socket, or 0. */
static uint16_t next_rst(const struct trial *t)
{
    uint8_t bytes[256];
    ssize_t n;
    while ((n = recv(t->raw, bytes, sizeof bytes, MSG_DONTWAIT)) > 0) {
        size_t start = t->loopback.family == 4 ? (size_t)(bytes[0] & 0xf) * 4 : 0;
        if (start + TCP_BYTES > (size_t)n)
            continue;
        if ((bytes[start + 13] & TCP_RST) && read_be16(bytes + start + 2) == t->source_port)
            return read_be16(bytes + start);
    }
    return 0;
}

static enum verdict listen_for_rst(const struct trial *t)
{
    bool control = false;
    rs_mono now = clock_mono(), until = rs_mono_add(now, PATIENCE);
    for (; !rs_mono_reached(until, now); now = clock_mono()) {
        struct pollfd p = {.fd = t->raw, .events = POLLIN};
        uint64_t left = rs_mono_diff(until, now);
        struct timespec wait = {0, (long)left};
        if (ppoll(&p, 1, &wait, NULL) <= 0)
            continue;
        uint16_t from;
        while ((from = next_rst(t)) != 0) {
            if (from == t->guarded_port)
                return ANSWERED;
            if (from == t->control_port && !control) {
                control = true;
                until = rs_mono_min(until, rs_mono_add(clock_mono(), AFTERWARD));
            }
        }
    }
    return control ? PROVED : NO_CONTROL;
}

static bool means_not_here(int error)
{
    return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL || error == -ENETUNREACH ||
           error == -ENETDOWN || error == -EHOSTUNREACH || error == -EINVAL;
}

/* The guarded port first: its answer, if there is one, then comes before the control's. */
static int run_trial(struct trial *t, enum verdict *verdict)
{
    int result = hear_only(t->raw, t->loopback.family, t->source_port);
    if (result == 0)
        result = send_stray(t, t->guarded_port);
    if (result == 0)
        result = send_stray(t, t->control_port);
    if (result == -EPERM) { /* not the privilege: a firewall refused the packet */
        *verdict = NO_CONTROL;
        return 0;
    }
    if (result == 0)
        *verdict = listen_for_rst(t);
    return result;
}

static int try_family(
    const char *loopback, uint16_t port, int ttl, enum verdict *out, struct rs_err *err)
{
    struct trial t = {.guarded_port = port, .source = -1, .control = -1};
    *out = NOT_HERE;
    wire_addr_parse(loopback, &t.loopback);
    int family = t.loopback.family == 4 ? AF_INET : AF_INET6;
    t.raw = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP);
    if (t.raw < 0)
        return errno == EAFNOSUPPORT ? 0 : socket_fail_raw(err, errno, "a raw TCP socket");
    setsockopt(t.raw, IPPROTO_IP, IP_TTL, &ttl, sizeof ttl);
    setsockopt(t.raw, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &ttl, sizeof ttl);
    int result = t.source = reserve_port(&t.loopback, &t.source_port);
    if (result >= 0)
        result = t.control = reserve_port(&t.loopback, &t.control_port);
    if (result >= 0)
        result = run_trial(&t, out);
    if (result < 0)
        result = means_not_here(result)
                     ? 0
                     : rs_fail_errno(err, -result, "cannot test the port guard on %s", loopback);
    else
        result = 0;
    close(t.raw);
    if (t.source >= 0)
        close(t.source);
    if (t.control >= 0)
        close(t.control);
    return result;
}

/* A loopback that was up once keeps its routes: packets to it are lost without an error. */
static bool loopback_is_down(void)
{
    struct ifreq request = {.ifr_name = "lo"};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool down =
        fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) == 0;
    if (fd >= 0)
        close(fd);
    return down;
}

/* With TTL 255 at first, which passes every method of the guard but the weakest; if that is
 * answered, with what a packet that passed a router has. */
static int try_ttls(
    const char *loopback, uint16_t port, enum verdict *verdict, bool *partly, struct rs_err *err)
{
    int result = try_family(loopback, port, 255, verdict, err);
    if (result < 0 || *verdict != ANSWERED)
        return result;
    result = try_family(loopback, port, 254, verdict, err);
    *partly |= *verdict == PROVED;
    return result;
}

static int answered(const char *loopback, uint16_t port, struct rs_err *err)
{
    return rs_fail(err, RS_EPROTO,
                   "the kernel sends RSTs for guarded source ports (%s, port %u): measurements "
                   "would be wrong on this host",
                   loopback, port);
}

int selftest_guard(uint16_t guarded_port, struct rs_err *err)
{
    static const char *const loopbacks[2] = {"127.0.0.1", "::1"};
    const char *no_control = NULL;
    unsigned proved = 0;
    bool partly = false;
    if (loopback_is_down())
        return rs_fail(err, RS_EAGAIN, "the port guard could not be tested: loopback is down");
    for (unsigned i = 0; i < 2; i++) {
        enum verdict verdict;
        int result = try_ttls(loopbacks[i], guarded_port, &verdict, &partly, err);
        if (result < 0)
            return result;
        if (verdict == ANSWERED)
            return answered(loopbacks[i], guarded_port, err);
        if (verdict == NO_CONTROL)
            no_control = loopbacks[i];
        proved += verdict == PROVED;
    }
    if (no_control != NULL)
        return rs_fail(err, RS_EAGAIN,
                       "the port guard could not be tested on %s: not even a closed port draws an "
                       "RST there (a firewall on loopback?)",
                       no_control);
    if (proved == 0)
        return rs_fail(err, RS_EAGAIN, "the port guard could not be tested: no loopback address");
    if (partly)
        return rs_fail(err, RS_EAGAIN,
                       "the port guard is partial on this kernel: targets on the local link that "
                       "send with TTL 255 will be answered by RST (CAP_NET_ADMIN or a kernel with "
                       "TCP MD5 makes it whole)");
    return 0;
}
