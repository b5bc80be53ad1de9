/* SPDX-License-Identifier: GPL-3.0-or-later
 * Joins the kernel's routes (fib) and the neighbours (neigh), and follows what the kernel reports
 * of both. */
#include "net/route.h"

#include <errno.h>
#include <linux/neighbour.h>
#include <stdlib.h>
#include <string.h>

#include "net/clock.h"
#include "net/fib_int.h"
#include "net/neigh_int.h"
#include "net/netlink_int.h"
#include "wire/link.h"

struct router {
    struct iface iface;
    bool forced; /* gateway_mac is given */
    uint8_t gateway_mac[6];
    struct mnl_socket *query, *news;
    struct fib fib4, fib6;
    struct neigh neigh;
    uint64_t outages, changes;
    void (*ask)(void *ctx, const struct wire_addr *our_addr, const struct wire_addr *next_hop);
    void *ask_ctx;
};

static const int news_groups[] = {RTNLGRP_LINK,        RTNLGRP_NEIGH,      RTNLGRP_IPV4_IFADDR,
                                  RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE,
                                  RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE,  RTNLGRP_NEXTHOP};

static bool has_neighbours(const struct router *r)
{
    return r->iface.link == WIRE_LINK_ETHERNET && !r->iface.loopback && !r->iface.noarp;
}

static int on_neighbour(void *ctx, const struct nlmsghdr *h)
{
    struct router *r = ctx;
    const struct ndmsg *m = mnl_nlmsg_get_payload(h);
    const struct nlattr *a[NDA_LLADDR + 1];
    struct wire_addr addr;
    const unsigned usable =
        NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | NUD_NOARP;
    if (m->ndm_ifindex != r->iface.index || (m->ndm_flags & NTF_PROXY) || !has_neighbours(r))
        return 0;
    netlink_attrs(h, sizeof *m, a, NDA_LLADDR + 1);
    if (!netlink_addr(a[NDA_DST], m->ndm_family, &addr)) /* bridge entries end here, too */
        return 0;
    const struct nlattr *lladdr = a[NDA_LLADDR];
    bool known = h->nlmsg_type == RTM_NEWNEIGH && (m->ndm_state & usable) && lladdr != NULL &&
                 mnl_attr_get_payload_len(lladdr) == 6;
    neigh_kernel(&r->neigh, &addr, known ? mnl_attr_get_payload(lladdr) : NULL,
                 (m->ndm_state & (NUD_PERMANENT | NUD_NOARP)) != 0, clock_mono());
    return 0;
}

static int read_neighbours(struct router *r)
{
    struct netlink_request q;
    neigh_forget_kernel(&r->neigh);
    netlink_begin(&q, RTM_GETNEIGH, true, sizeof(struct ndmsg));
    return netlink_ask(r->query, &q, on_neighbour, r);
}

static void all_is_stale(struct router *r)
{
    r->fib4.stale = r->fib6.stale = true;
}

static bool is_outage(const struct router *r, const struct nlmsghdr *h)
{
    const struct ifinfomsg *link = mnl_nlmsg_get_payload(h);
    const struct ifaddrmsg *address = mnl_nlmsg_get_payload(h);
    switch (h->nlmsg_type) {
    case RTM_NEWLINK: /* without carrier it is up, and not running */
        return link->ifi_index == r->iface.index &&
               (link->ifi_flags & (IFF_UP | IFF_RUNNING)) != (IFF_UP | IFF_RUNNING);
    case RTM_DELLINK:
        return link->ifi_index == r->iface.index;
    case RTM_DELADDR:
        return (int)address->ifa_index == r->iface.index;
    default:
        return false;
    }
}

/* An address change moves local and prefix routes and source addresses; links take IPv4 routes with
 * them without a word about the routes. */
static void on_news(struct router *r, const struct nlmsghdr *h)
{
    if (h->nlmsg_type == RTM_NEWNEIGH || h->nlmsg_type == RTM_DELNEIGH) {
        on_neighbour(r, h);
        return;
    }
    r->outages += is_outage(r, h);
    r->changes += h->nlmsg_type == RTM_NEWLINK || h->nlmsg_type == RTM_DELLINK ||
                  h->nlmsg_type == RTM_NEWADDR || h->nlmsg_type == RTM_DELADDR;
    const struct rtgenmsg *m = mnl_nlmsg_get_payload(h);
    bool one = h->nlmsg_type == RTM_NEWROUTE || h->nlmsg_type == RTM_DELROUTE;
    if (one && m->rtgen_family == AF_INET)
        r->fib4.stale = true;
    else if (one && m->rtgen_family == AF_INET6)
        r->fib6.stale = true;
    else
        all_is_stale(r);
}

int router_read(struct router *r)
{
    _Alignas(8) uint8_t buffer[NETLINK_BUFFER];
    for (;;) {
        ssize_t got = mnl_socket_recvfrom(r->news, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return 0;
        if (got < 0 && errno == ENOBUFS) { /* news were lost: read all again */
            all_is_stale(r);
            read_neighbours(r);
            r->outages++;
            r->changes++;
            continue;
        }
        if (got <= 0)
            return -RS_ESYS;
        int n = (int)got;
        for (const struct nlmsghdr *h = (const void *)buffer; mnl_nlmsg_ok(h, n);
             h = mnl_nlmsg_next(h, &n))
            on_news(r, h);
    }
}

static int open_sockets(struct router *r, struct rs_err *err)
{
    r->query = netlink_open(0, err);
    r->news = r->query != NULL ? netlink_open(SOCK_NONBLOCK, err) : NULL;
    if (r->news == NULL)
        return -RS_ESYS;
    for (size_t i = 0; i < sizeof news_groups / sizeof news_groups[0]; i++) {
        int group = news_groups[i];
        int result = mnl_socket_setsockopt(r->news, NETLINK_ADD_MEMBERSHIP, &group, sizeof group);
        if (result < 0 && group != RTNLGRP_NEXTHOP) /* not known before Linux 5.3 */
            return rs_fail_errno(err, errno, "cannot follow changes of routes and neighbours");
    }
    return 0;
}

struct router *router_open(const struct iface *iface,
                           const uint8_t *gateway_mac,
                           struct rs_err *err)
{
    struct router *r = calloc(1, sizeof *r);
    if (r == NULL || neigh_init(&r->neigh) < 0) {
        free(r);
        rs_fail(err, RS_ENOMEM, "no memory for the neighbour table");
        return NULL;
    }
    r->iface = *iface;
    r->forced = gateway_mac != NULL;
    if (r->forced)
        memcpy(r->gateway_mac, gateway_mac, sizeof r->gateway_mac);
    fib_init(&r->fib4, 4);
    fib_init(&r->fib6, 6);
    int result = open_sockets(r, err); /* before the dump, so that no change falls in between */
    if (result == 0 && (result = read_neighbours(r)) < 0)
        rs_fail_errno(err, -result, "cannot read the neighbours of %s", iface->name);
    if (result < 0) {
        router_free(r);
        return NULL;
    }
    return r;
}

void router_free(struct router *r)
{
    if (r == NULL)
        return;
    if (r->query != NULL)
        mnl_socket_close(r->query);
    if (r->news != NULL)
        mnl_socket_close(r->news);
    fib_free(&r->fib4);
    fib_free(&r->fib6);
    neigh_free(&r->neigh);
    free(r);
}

int router_fd(const struct router *r)
{
    return mnl_socket_get_fd(r->news);
}

uint64_t router_outages(const struct router *r)
{
    return r->outages;
}

uint64_t router_changes(const struct router *r)
{
    return r->changes;
}

void router_on_ask(struct router *r,
                   void (*ask)(void *ctx,
                               const struct wire_addr *our_addr,
                               const struct wire_addr *next_hop),
                   void *ctx)
{
    r->ask = ask;
    r->ask_ctx = ctx;
}

static int no_way(const struct router *r,
                  const struct wire_addr *dst,
                  enum fib_kind kind,
                  struct rs_err *err)
{
    static const char *const why[FIB_N] = {
        [FIB_OWN] = "is an address of this host",
        [FIB_BROADCAST] = "is a broadcast or multicast address",
        [FIB_REFUSED] = "has a route that refuses it (blackhole, unreachable or prohibit)",
        [FIB_NO_ROUTE] = "has no route through this interface",
        [FIB_NO_SOURCE] = "has a route, but this host has no source address for it",
    };
    char text[WIRE_ADDR_TEXT];
    return rs_fail(err, RS_ENOENT, "%s %s (interface %s)", wire_addr_format(dst, text),
                   why[kind] != NULL ? why[kind] : "has no usable route", r->iface.name);
}

static int find_mac(struct router *r, rs_mono now, struct hop *out, struct rs_err *err)
{
    char text[WIRE_ADDR_TEXT];
    bool ask;
    enum neigh_answer answer = neigh_resolve(&r->neigh, &out->next_hop, now, out->mac, &ask);
    if (ask && r->ask != NULL) {
        struct wire_addr ours = out->src;
        if (ours.family != out->next_hop.family) /* an IPv4 route by an IPv6 gateway */
            ours = out->next_hop.family == 4 ? r->iface.addr4 : r->iface.addr6;
        r->ask(r->ask_ctx, &ours, &out->next_hop);
    }
    switch (answer) {
    case NEIGH_KNOWN:
        return 0;
    case NEIGH_WAITING:
        return rs_fail(err, RS_EAGAIN, "waiting for the MAC address of %s on %s",
                       wire_addr_format(&out->next_hop, text), r->iface.name);
    case NEIGH_GONE:
        return rs_fail(err, RS_ENOENT, "next hop %s on %s did not answer %d ARP or NDP requests",
                       wire_addr_format(&out->next_hop, text), r->iface.name, NEIGH_ASKS);
    case NEIGH_FULL:
        break;
    }
    return rs_fail(err, RS_ENOMEM, "more than %u neighbours on %s", NEIGH_LIMIT, r->iface.name);
}

int router_lookup(
    struct router *r, const struct wire_addr *dst, rs_mono now, struct hop *out, struct rs_err *err)
{
    struct fib_answer answer;
    struct fib *f = dst->family == 4 ? &r->fib4 : &r->fib6;
    memset(out, 0, sizeof *out);
    if (dst->family != 4 && dst->family != 6)
        return rs_fail(err, RS_ENOENT, "no address to find a route to");
    int result = fib_lookup(f, r->query, r->iface.index, dst, now, &answer, err);
    if (result < 0)
        return result;
    if (answer.kind == FIB_OWN && r->iface.loopback)
        answer.kind = FIB_DIRECT;
    if (answer.kind != FIB_DIRECT && answer.kind != FIB_GATEWAY)
        return no_way(r, dst, answer.kind, err);
    out->src = answer.src;
    out->next_hop = answer.kind == FIB_GATEWAY ? answer.gateway : *dst;
    if (r->iface.noarp && r->iface.link == WIRE_LINK_ETHERNET)
        memcpy(out->mac, r->iface.mac, sizeof out->mac);
    if (!has_neighbours(r))
        return 0;
    if (answer.kind == FIB_GATEWAY && r->forced) {
        memcpy(out->mac, r->gateway_mac, sizeof out->mac);
        return 0;
    }
    return find_mac(r, now, out, err);
}

void router_neighbour_seen(struct router *r,
                           const struct wire_addr *addr,
                           const uint8_t mac[6],
                           rs_mono now)
{
    neigh_seen(&r->neigh, addr, mac, now);
}
