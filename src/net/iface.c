/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net/iface.h"

#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if_arp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "net/netlink_int.h"
#include "wire/link.h"

struct link_search {
    const char *name; /* wanted, or NULL: by index */
    int index;
    struct iface *out;
    bool found;
    char names[160]; /* of all interfaces, for the error text */
};

static void add_name(struct link_search *s, const char *name)
{
    size_t used = strlen(s->names);
    int n = snprintf(s->names + used, sizeof s->names - used, "%s%s", used != 0 ? ", " : "", name);
    if (n < 0 || (size_t)n >= sizeof s->names - used) /* no room: end with dots, not in a name */
        snprintf(s->names + (used < sizeof s->names - 5 ? used : sizeof s->names - 5), 5, " ...");
}

static void fill_link(struct iface *out, const struct nlmsghdr *h)
{
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(h);
    const struct nlattr *a[IFLA_MTU + 1];
    netlink_attrs(h, sizeof *info, a, IFLA_MTU + 1);
    out->index = info->ifi_index;
    out->loopback = (info->ifi_flags & IFF_LOOPBACK) != 0;
    out->noarp = (info->ifi_flags & IFF_NOARP) != 0;
    out->up = (info->ifi_flags & IFF_UP) != 0 && (info->ifi_flags & IFF_RUNNING) != 0;
    bool ethernet = info->ifi_type == ARPHRD_ETHER || info->ifi_type == ARPHRD_LOOPBACK;
    out->link = ethernet ? WIRE_LINK_ETHERNET : WIRE_LINK_RAW;
    out->mtu = netlink_u32(a[IFLA_MTU]);
    if (a[IFLA_IFNAME] != NULL)
        snprintf(out->name, sizeof out->name, "%s", mnl_attr_get_str(a[IFLA_IFNAME]));
    const struct nlattr *mac = a[IFLA_ADDRESS];
    if (ethernet && mac != NULL && mnl_attr_get_payload_len(mac) == sizeof out->mac) {
        memcpy(out->mac, mnl_attr_get_payload(mac), sizeof out->mac);
        out->has_mac = true;
    }
}

static int on_link(void *ctx, const struct nlmsghdr *h)
{
    struct link_search *s = ctx;
    struct iface one = {0};
    fill_link(&one, h);
    add_name(s, one.name);
    if (s->name != NULL ? strcmp(one.name, s->name) == 0 : one.index == s->index) {
        *s->out = one;
        s->found = true;
    }
    return 0;
}

struct addr_search {
    struct iface *out;
    int best4, best6;
};

/* Higher is better; 0: unusable. Scope first, then what the kernel avoids where it has a choice
 * (RFC 6724 5, rules 2, 3 and 7 with the default use_tempaddr). */
static int addr_rank(uint8_t af, uint8_t scope, uint32_t flags)
{
    if (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED))
        return 0;
    int rank = 1; /* host scope */
    if (scope <= RT_SCOPE_LINK)
        rank = scope == RT_SCOPE_UNIVERSE ? 100 : scope < RT_SCOPE_LINK ? 80 : 20;
    if (af == AF_INET) /* IFA_F_SECONDARY and IFA_F_TEMPORARY are one bit */
        return rank + (flags & IFA_F_SECONDARY ? 0 : 8);
    return rank + (flags & IFA_F_DEPRECATED ? 0 : 8) + (flags & IFA_F_TEMPORARY ? 0 : 4);
}

static int on_addr(void *ctx, const struct nlmsghdr *h)
{
    struct addr_search *s = ctx;
    const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
    const struct nlattr *a[IFA_FLAGS + 1];
    struct wire_addr addr;
    if ((int)m->ifa_index != s->out->index)
        return 0;
    netlink_attrs(h, sizeof *m, a, IFA_FLAGS + 1);
    uint32_t flags = a[IFA_FLAGS] != NULL ? netlink_u32(a[IFA_FLAGS]) : m->ifa_flags;
    /* IFA_ADDRESS is the far end's on point-to-point links; IPv6 leaves IFA_LOCAL out elsewhere. */
    if (!netlink_addr(a[IFA_LOCAL] != NULL ? a[IFA_LOCAL] : a[IFA_ADDRESS], m->ifa_family, &addr))
        return 0;
    int *best = addr.family == 4 ? &s->best4 : &s->best6;
    int rank = addr_rank(m->ifa_family, m->ifa_scope, flags);
    if (rank > *best) {
        *best = rank;
        *(addr.family == 4 ? &s->out->addr4 : &s->out->addr6) = addr;
    }
    return 0;
}

struct default_search {
    int index;
    uint64_t best; /* table and metric: the smaller the better */
};

/* The interface of a default route; a multipath route counts by its first next hop. */
static int on_default(void *ctx, const struct nlmsghdr *h)
{
    struct default_search *s = ctx;
    const struct rtmsg *r = mnl_nlmsg_get_payload(h);
    const struct nlattr *a[RTA_TABLE + 1];
    if (r->rtm_dst_len != 0 || r->rtm_type != RTN_UNICAST || (r->rtm_flags & RTNH_F_DEAD))
        return 0;
    netlink_attrs(h, sizeof *r, a, RTA_TABLE + 1);
    uint32_t table = a[RTA_TABLE] != NULL ? netlink_u32(a[RTA_TABLE]) : r->rtm_table;
    uint32_t metric = netlink_u32(a[RTA_PRIORITY]);
    int index = (int)netlink_u32(a[RTA_OIF]);
    const struct nlattr *many = a[RTA_MULTIPATH];
    if (many != NULL && mnl_attr_get_payload_len(many) >= sizeof(struct rtnexthop))
        index = ((const struct rtnexthop *)mnl_attr_get_payload(many))->rtnh_ifindex;
    uint64_t rank = (uint64_t)(table == RT_TABLE_MAIN ? 0 : 1) << 32 | metric;
    if (index != 0 && rank < s->best) {
        s->best = rank;
        s->index = index;
    }
    return 0;
}

static int default_index(struct mnl_socket *s)
{
    struct netlink_request q;
    struct default_search found = {.best = UINT64_MAX};
    for (int family = 4; family <= 6 && found.index == 0; family += 2) {
        netlink_begin(&q, RTM_GETROUTE, true, sizeof(struct rtmsg));
        ((struct rtmsg *)q.body)->rtm_family = netlink_family(family);
        netlink_ask(s, &q, on_default, &found);
    }
    return found.index;
}

/* Only asks (ETHTOOL_GGRO); no privilege needed. */
static bool gro_is_on(const char *name)
{
    struct ethtool_value value = {.cmd = ETHTOOL_GGRO};
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    memcpy(request.ifr_name, name, strnlen(name, sizeof request.ifr_name - 1));
    request.ifr_data = (void *)&value;
    bool on = ioctl(fd, SIOCETHTOOL, &request) == 0 && value.data != 0;
    close(fd);
    return on;
}

static int find_link(struct mnl_socket *s, struct link_search *search, struct rs_err *err)
{
    struct netlink_request q;
    if (search->name == NULL && (search->index = default_index(s)) == 0)
        return rs_fail(err, RS_ENOENT,
                       "no default route: name the interface to measure through with -i");
    netlink_begin(&q, RTM_GETLINK, true, sizeof(struct ifinfomsg));
    int result = netlink_ask(s, &q, on_link, search);
    if (result < 0)
        return rs_fail_errno(err, -result, "cannot list the network interfaces");
    if (!search->found && search->name == NULL)
        return rs_fail(err, RS_ENOENT, "the default route's interface has gone away");
    if (!search->found)
        return rs_fail(err, RS_ENOENT, "no interface '%.40s'; there are: %s", search->name,
                       search->names);
    return 0;
}

static int find_addrs(struct mnl_socket *s, struct iface *out, struct rs_err *err)
{
    struct netlink_request q;
    struct addr_search search = {.out = out};
    netlink_begin(&q, RTM_GETADDR, true, sizeof(struct ifaddrmsg));
    int result = netlink_ask(s, &q, on_addr, &search);
    return result < 0 ? rs_fail_errno(err, -result, "cannot list the addresses of %s", out->name)
                      : 0;
}

static int judge(const struct iface *out, struct rs_err *err)
{
    if (!out->up)
        return rs_fail(err, RS_EINVAL,
                       "interface %s is down or has no carrier: bring it up, or choose another "
                       "with -i",
                       out->name);
    if (out->addr4.family == 0 && out->addr6.family == 0)
        return rs_fail(err, RS_EINVAL,
                       "interface %s has no IPv4 or IPv6 address: give it one, or choose another "
                       "with -i",
                       out->name);
    return 0;
}

int iface_open(struct iface *out, const char *name, struct rs_err *err)
{
    memset(out, 0, sizeof *out);
    struct mnl_socket *s = netlink_open(0, err);
    if (s == NULL)
        return -RS_ESYS;
    struct link_search search = {.name = name, .out = out};
    int result = find_link(s, &search, err);
    if (result == 0)
        result = find_addrs(s, out, err);
    mnl_socket_close(s);
    if (result < 0)
        return result;
    out->gro = gro_is_on(out->name);
    return judge(out, err);
}

bool iface_is_own_address(const struct wire_addr *a)
{
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } to;
    memset(&to, 0, sizeof to);
    socklen_t n = a->family == 4 ? sizeof to.in : sizeof to.in6;
    to.any.sa_family = a->family == 4 ? AF_INET : AF_INET6;
    if (a->family == 4)
        memcpy(&to.in.sin_addr, a->bytes, 4);
    else
        memcpy(&to.in6.sin6_addr, a->bytes, 16);
    int fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool own = bind(fd, &to.any, n) == 0;
    close(fd);
    return own;
}
