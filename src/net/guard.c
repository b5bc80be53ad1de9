/* SPDX-License-Identifier: GPL-3.0-or-later
 * Order matters: bound, then silenced, then listening, so that no socket ever listens and answers.
 * A bound TCP socket that does not listen is not found by the kernel's lookup, and RSTs leave. */
#include "net/guard.h"

#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/socket_int.h"

#define SPARE_DESCRIPTORS 64

struct guard {
    uint16_t *ports;
    int *fds; /* per_port for each port, in its order */
    unsigned n, capacity;
    unsigned per_port;
    unsigned taken;
    enum guard_method method;
    bool short_of_descriptors;
};

const char *guard_method_name(enum guard_method m)
{
    static const char *const names[GUARD_METHOD_N] = {
        [GUARD_FILTER] = "filter", [GUARD_SIGNATURE] = "signature", [GUARD_TTL] = "ttl"};
    return m < GUARD_METHOD_N ? names[m] : "?";
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* One socket for both families where the host has IPv6, else for IPv4. fd or -errno. */
static int bound_socket(int type, uint16_t port)
{
    int off = 0;
    struct sockaddr_in6 any6 = {
        .sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = IN6ADDR_ANY_INIT};
    struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr *any = (struct sockaddr *)&any6;
    socklen_t any_bytes = sizeof any6;
    int fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0);
    if (fd < 0 && errno == EAFNOSUPPORT) {
        fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
        any = (struct sockaddr *)&any4;
        any_bytes = sizeof any4;
    } else if (fd >= 0 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    if (fd < 0)
        return -errno;
    if (bind(fd, any, any_bytes) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

/* A key for every peer (prefix length 0) that not even we know. 0 or -errno. */
static int require_signature(int fd, int family)
{
    struct tcp_md5sig key = {.tcpm_flags = TCP_MD5SIG_FLAG_PREFIX, .tcpm_keylen = 16};
    if (getrandom(key.tcpm_key, key.tcpm_keylen, 0) != (ssize_t)key.tcpm_keylen)
        return -EIO;
    key.tcpm_addr.ss_family = (sa_family_t)family;
    if (setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG_EXT, &key, sizeof key) < 0)
        return -errno;
    if (family == AF_INET)
        return 0;
    struct sockaddr_in6 *mapped = (void *)&key.tcpm_addr; /* ::ffff:0.0.0.0/0 is all of IPv4 */
    mapped->sin6_addr.s6_addr[10] = mapped->sin6_addr.s6_addr[11] = 0xff;
    return setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG_EXT, &key, sizeof key) < 0 ? -errno : 0;
}

/* 0 or -errno. */
static int require_ttl(int fd, int family)
{
    int most = 255;
    if (setsockopt(fd, IPPROTO_IP, IP_MINTTL, &most, sizeof most) < 0)
        return -errno;
    if (family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &most, sizeof most) < 0)
        return -errno;
    return 0;
}

/* Makes a TCP socket drop all it gets, by the first method from `*method` on that works. Says in
 * `*method` which it was. 0 or -errno. */
static int silence_tcp(int fd, enum guard_method *method)
{
    int family = AF_INET, result = -EINVAL;
    socklen_t n = sizeof family;
    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &n) < 0)
        return -errno;
    for (enum guard_method m = *method; m < GUARD_METHOD_N && result < 0; m++) {
        *method = m;
        result = m == GUARD_FILTER      ? socket_drop_all(fd)
                 : m == GUARD_SIGNATURE ? require_signature(fd, family)
                                        : require_ttl(fd, family);
    }
    return result;
}

static int guard_socket(struct guard *g, int type, uint16_t port)
{
    int fd = bound_socket(type, port);
    if (fd < 0)
        return fd;
    int result = type == SOCK_STREAM ? silence_tcp(fd, &g->method) : socket_drop_all(fd);
    if (result == 0 && type == SOCK_STREAM && listen(fd, 1) < 0)
        result = -errno;
    if (result < 0) {
        close(fd);
        return result;
    }
    return fd;
}

/* 0 or -errno. */
static int guard_port(struct guard *g, const struct guard_config *config, uint16_t port)
{
    int *fds = g->fds + (size_t)g->n * g->per_port;
    const int types[2] = {SOCK_STREAM, SOCK_DGRAM};
    const bool wanted[2] = {config->tcp, config->udp};
    unsigned made = 0;
    for (unsigned i = 0; i < 2; i++) {
        if (!wanted[i])
            continue;
        int fd = guard_socket(g, types[i], port);
        if (fd < 0) {
            while (made > 0)
                close(fds[--made]);
            return fd;
        }
        fds[made++] = fd;
    }
    g->ports[g->n++] = port;
    return 0;
}

static void drop_last(struct guard *g)
{
    g->n--;
    for (unsigned i = 0; i < g->per_port; i++)
        close(g->fds[(size_t)g->n * g->per_port + i]);
}

/* The rest of the program needs some, too. */
static void spare_descriptors(struct guard *g)
{
    g->short_of_descriptors = true;
    for (unsigned freed = 0; freed < SPARE_DESCRIPTORS && g->n > 0; freed += g->per_port)
        drop_last(g);
}

static int guard_ports_of(struct guard *g, const struct guard_config *config, struct rs_err *err)
{
    for (unsigned port = config->from; port <= config->to && g->n < g->capacity; port++) {
        int result = guard_port(g, config, (uint16_t)port);
        if (result == -EADDRINUSE) {
            g->taken++;
        } else if (result == -EMFILE || result == -ENFILE) {
            spare_descriptors(g);
            return 0;
        } else if (result == -EACCES) {
            return rs_fail(err, RS_EPERM,
                           "source port %u is reserved for root on this host: choose higher ports",
                           port);
        } else if (result < 0) {
            return rs_fail_errno(err, -result, "cannot guard source port %u", port);
        }
    }
    return 0;
}

static int check_enough(const struct guard *g,
                        const struct guard_config *config,
                        unsigned least,
                        struct rs_err *err)
{
    if (g->n >= least)
        return 0;
    if (g->short_of_descriptors)
        return rs_fail(err, RS_EBUSY,
                       "descriptors for %u source ports only, %u are needed: raise the hard limit "
                       "(`ulimit -Hn`), or ask for fewer ports",
                       g->n, least);
    return rs_fail(err, RS_EBUSY,
                   "only %u source ports of %u-%u are free, %u are needed (%u are taken by other "
                   "programs): choose another range",
                   g->n, config->from, config->to, least, g->taken);
}

int guard_open(struct guard **out, const struct guard_config *config, struct rs_err *err)
{
    unsigned range = config->to >= config->from ? config->to - config->from + 1u : 0;
    unsigned least = config->need_least != 0 ? config->need_least : 1;
    *out = NULL;
    if (config->from == 0 || range < least || (!config->tcp && !config->udp))
        return rs_fail(err, RS_EINVAL, "source ports %u-%u: %u are needed, 0 is no port",
                       config->from, config->to, least);
    struct guard *g = calloc(1, sizeof *g);
    if (g == NULL)
        return rs_fail(err, RS_ENOMEM, "no memory for the port guard");
    g->per_port = (config->tcp ? 1u : 0u) + (config->udp ? 1u : 0u);
    g->method = config->method;
    g->capacity = range;
    if (config->want_most != 0 && config->want_most < range)
        g->capacity = config->want_most > least ? config->want_most : least;
    g->ports = calloc(g->capacity, sizeof *g->ports);
    g->fds = calloc((size_t)g->capacity * g->per_port, sizeof *g->fds);
    int result = 0;
    if (g->ports == NULL || g->fds == NULL)
        result = rs_fail(err, RS_ENOMEM, "no memory for %u guarded ports", g->capacity);
    raise_descriptor_limit();
    if (result == 0)
        result = guard_ports_of(g, config, err);
    if (result == 0)
        result = check_enough(g, config, least, err);
    if (result < 0) {
        guard_free(g);
        return result;
    }
    *out = g;
    return 0;
}

void guard_free(struct guard *g)
{
    if (g == NULL)
        return;
    while (g->n > 0)
        drop_last(g);
    free(g->ports);
    free(g->fds);
    free(g);
}

const uint16_t *guard_ports(const struct guard *g, unsigned *n)
{
    *n = g->n;
    return g->ports;
}

unsigned guard_taken(const struct guard *g)
{
    return g->taken;
}

enum guard_method guard_method(const struct guard *g)
{
    return g->method;
}

bool guard_short_of_descriptors(const struct guard *g)
{
    return g->short_of_descriptors;
}
