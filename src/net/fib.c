/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net/fib_int.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <stdlib.h>
#include <string.h>

#define REREAD_GAP (100 * RS_MS)

void fib_init(struct fib *f, uint8_t family)
{
    memset(f, 0, sizeof *f);
    f->family = family;
    f->stale = true;
    f->read_at = RS_NEVER;
}

void fib_free(struct fib *f)
{
    free(f->classes);
    f->classes = NULL;
    f->n = f->cap = 0;
}

static void mask(uint8_t bytes[16], unsigned length)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned bits = length >= 8 * (i + 1) ? 8 : length <= 8 * i ? 0 : length - 8 * i;
        bytes[i] = (uint8_t)(bytes[i] & (0xff00u >> bits));
    }
}

static int add_class(struct fib *f, const struct fib_class *c)
{
    if (f->n == FIB_LIMIT) {
        f->each = true;
        return 0;
    }
    if (f->n == f->cap) {
        size_t cap = f->cap != 0 ? f->cap * 2 : 64;
        struct fib_class *more = realloc(f->classes, cap * sizeof *more);
        if (more == NULL)
            return -ENOMEM;
        f->classes = more;
        f->cap = cap;
    }
    f->classes[f->n++] = *c;
    return 0;
}

static int on_route(void *ctx, const struct nlmsghdr *h)
{
    struct fib *f = ctx;
    const struct rtmsg *r = mnl_nlmsg_get_payload(h);
    const struct nlattr *a[RTA_NH_ID + 1];
    struct wire_addr dst = {0};
    struct fib_class c = {.length = r->rtm_dst_len, .own = r->rtm_type == RTN_LOCAL};
    if (r->rtm_family != netlink_family(f->family) || r->rtm_dst_len > 128)
        return 0;
    netlink_attrs(h, sizeof *r, a, RTA_NH_ID + 1);
    if (a[RTA_DST] != NULL && !netlink_addr(a[RTA_DST], r->rtm_family, &dst))
        return 0;
    c.each = a[RTA_MULTIPATH] != NULL || a[RTA_NH_ID] != NULL;
    memcpy(c.bytes, dst.bytes, sizeof c.bytes);
    mask(c.bytes, c.length);
    return add_class(f, &c);
}

/* The rules that every host has look up local, main and default for everything. Any other may
 * split a class by what routes do not show. */
static int on_rule(void *ctx, const struct nlmsghdr *h)
{
    struct fib *f = ctx;
    const struct fib_rule_hdr *r = mnl_nlmsg_get_payload(h);
    const struct nlattr *a[FRA_MAX + 1];
    if (r->family != netlink_family(f->family))
        return 0;
    netlink_attrs(h, sizeof *r, a, FRA_MAX + 1);
    uint32_t table = a[FRA_TABLE] != NULL ? netlink_u32(a[FRA_TABLE]) : r->table;
    bool plain = r->dst_len == 0 && r->src_len == 0 && r->tos == 0 && r->action == FR_ACT_TO_TBL &&
                 a[FRA_IIFNAME] == NULL && a[FRA_OIFNAME] == NULL && a[FRA_FWMARK] == NULL &&
                 (r->flags & FIB_RULE_INVERT) == 0;
    bool known = table == RT_TABLE_LOCAL || table == RT_TABLE_MAIN || table == RT_TABLE_DEFAULT;
    if (!plain || !known)
        f->each = true;
    return 0;
}

struct sources {
    int index;
    unsigned usable, doubtful;
};

static int on_source(void *ctx, const struct nlmsghdr *h)
{
    struct sources *s = ctx;
    const struct ifaddrmsg *m = mnl_nlmsg_get_payload(h);
    const struct nlattr *a[IFA_FLAGS + 1];
    if ((int)m->ifa_index != s->index || m->ifa_family != AF_INET6 || m->ifa_scope >= RT_SCOPE_LINK)
        return 0;
    netlink_attrs(h, sizeof *m, a, IFA_FLAGS + 1);
    uint32_t flags = a[IFA_FLAGS] != NULL ? netlink_u32(a[IFA_FLAGS]) : m->ifa_flags;
    if (flags & (IFA_F_TENTATIVE | IFA_F_DEPRECATED))
        s->doubtful++;
    else
        s->usable++;
    return 0;
}

/* RFC 6724 chooses IPv6 source addresses by the destination, so a class has one answer only where
 * there is one address to choose. IPv4's choice depends on the route alone. */
static int count_sources(struct fib *f, struct mnl_socket *s, int index)
{
    struct netlink_request q;
    struct sources sources = {.index = index};
    if (f->family == 4)
        return 0;
    netlink_begin(&q, RTM_GETADDR, true, sizeof(struct ifaddrmsg));
    ((struct ifaddrmsg *)q.body)->ifa_family = AF_INET6;
    int result = netlink_ask(s, &q, on_source, &sources);
    if (sources.usable != 1 || sources.doubtful != 0)
        f->each = true;
    return result;
}

static int by_length_then_bytes(const void *left, const void *right)
{
    const struct fib_class *a = left, *b = right;
    if (a->length != b->length)
        return a->length > b->length ? -1 : 1;
    return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

/* One class a prefix, and where each length starts. */
static void index_classes(struct fib *f)
{
    size_t kept = 0;
    qsort(f->classes, f->n, sizeof *f->classes, by_length_then_bytes);
    for (size_t i = 0; i < f->n; i++) {
        struct fib_class *last = kept > 0 ? &f->classes[kept - 1] : NULL;
        if (last != NULL && by_length_then_bytes(last, &f->classes[i]) == 0) {
            last->each |= f->classes[i].each;
            last->own |= f->classes[i].own;
        } else {
            f->classes[kept++] = f->classes[i];
        }
    }
    f->n = kept;
    memset(f->start, 0, sizeof f->start);
    for (size_t i = 0; i < f->n; i++)
        f->start[129 - f->classes[i].length]++;
    for (size_t i = 1; i < 130; i++)
        f->start[i] += f->start[i - 1];
}

static int read_tables(struct fib *f, struct mnl_socket *s, int index)
{
    struct netlink_request q;
    const struct fib_class everything = {0};
    f->n = 0;
    f->each = false;
    netlink_begin(&q, RTM_GETRULE, true, sizeof(struct fib_rule_hdr));
    ((struct fib_rule_hdr *)q.body)->family = netlink_family(f->family);
    int result = netlink_ask(s, &q, on_rule, f);
    if (result == -EOPNOTSUPP) /* a kernel without policy routing */
        result = 0;
    netlink_begin(&q, RTM_GETROUTE, true, sizeof(struct rtmsg));
    ((struct rtmsg *)q.body)->rtm_family = netlink_family(f->family);
    if (result == 0)
        result = netlink_ask(s, &q, on_route, f);
    if (result == 0)
        result = count_sources(f, s, index);
    if (result == 0) /* last: with FIB_LIMIT routes it has no room, and is not needed */
        result = add_class(f, &everything);
    index_classes(f);
    return result;
}

static struct fib_class *class_of(struct fib *f, const struct wire_addr *dst)
{
    for (unsigned length = f->family == 4 ? 32 : 128;; length--) {
        size_t from = f->start[128 - length], n = f->start[129 - length] - from;
        if (n > 0) {
            struct fib_class key = {.length = (uint8_t)length};
            memcpy(key.bytes, dst->bytes, sizeof key.bytes);
            mask(key.bytes, length);
            struct fib_class *c =
                bsearch(&key, f->classes + from, n, sizeof key, by_length_then_bytes);
            if (c != NULL)
                return c;
        }
        if (length == 0)
            return NULL;
    }
}

static enum fib_kind kind_of_error(int error)
{
    switch (error) {
    case -ENETUNREACH:
    case -ESRCH:
    case -ENOENT:
    case -ENODEV:
        return FIB_NO_ROUTE;
    case -EHOSTUNREACH:
    case -EACCES:
    case -EINVAL: /* what a blackhole route answers */
        return FIB_REFUSED;
    default:
        return FIB_UNKNOWN;
    }
}

static bool is_link_local(const struct wire_addr *a)
{
    return a->family == 6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

/* Where IPv6 has nothing better the kernel takes a link-local address, or even ::1; no answer would
 * come back to them. */
static bool is_useless_source(const struct wire_addr *src, const struct wire_addr *dst)
{
    static const uint8_t loopback[16] = {[15] = 1};
    bool own = src->family == 6 && memcmp(src->bytes, loopback, sizeof loopback) == 0;
    return (own && !wire_addr_equal(src, dst)) || (is_link_local(src) && !is_link_local(dst));
}

struct question {
    const struct wire_addr *dst;
    struct fib_answer *out;
};

static int on_answer(void *ctx, const struct nlmsghdr *h)
{
    struct question *q = ctx;
    struct fib_answer *out = q->out;
    const struct rtmsg *r = mnl_nlmsg_get_payload(h);
    const struct nlattr *a[RTA_VIA + 1];
    netlink_attrs(h, sizeof *r, a, RTA_VIA + 1);
    uint32_t table = a[RTA_TABLE] != NULL ? netlink_u32(a[RTA_TABLE]) : r->rtm_table;
    out->kind = FIB_REFUSED;
    if (r->rtm_type == RTN_LOCAL || r->rtm_type == RTN_ANYCAST)
        out->kind = FIB_OWN;
    else if (r->rtm_type == RTN_BROADCAST || r->rtm_type == RTN_MULTICAST)
        out->kind = FIB_BROADCAST;
    else if (r->rtm_type == RTN_UNICAST)
        out->kind = FIB_DIRECT;
    /* With an output interface given, IPv4 takes destinations without a route for on-link. Such an
     * answer names no table. */
    if (out->kind == FIB_DIRECT && table == RT_TABLE_UNSPEC)
        out->kind = FIB_NO_ROUTE;
    if (out->kind != FIB_DIRECT && out->kind != FIB_OWN)
        return 0;
    if (netlink_addr(a[RTA_GATEWAY], r->rtm_family, &out->gateway))
        out->kind = FIB_GATEWAY;
    const struct rtvia *via =
        a[RTA_VIA] != NULL && mnl_attr_get_payload_len(a[RTA_VIA]) == sizeof(*via) + 16
            ? mnl_attr_get_payload(a[RTA_VIA])
            : NULL;
    if (via != NULL && via->rtvia_family == AF_INET6) {
        out->gateway.family = 6;
        memcpy(out->gateway.bytes, via->rtvia_addr, 16);
        out->kind = FIB_GATEWAY;
    }
    if (!netlink_addr(a[RTA_PREFSRC], r->rtm_family, &out->src) ||
        is_useless_source(&out->src, q->dst))
        out->kind = FIB_NO_SOURCE;
    return 0;
}

static int ask_kernel(struct fib *f,
                      struct mnl_socket *s,
                      int index,
                      const struct wire_addr *dst,
                      struct fib_answer *out,
                      struct rs_err *err)
{
    struct netlink_request q;
    struct question question = {.dst = dst, .out = out};
    uint16_t bytes = dst->family == 4 ? 4 : 16;
    *out = (struct fib_answer){0};
    netlink_begin(&q, RTM_GETROUTE, false, sizeof(struct rtmsg));
    struct rtmsg *r = q.body;
    r->rtm_family = netlink_family(dst->family);
    r->rtm_dst_len = (unsigned char)(bytes * 8);
    r->rtm_flags = RTM_F_LOOKUP_TABLE;
    mnl_attr_put(q.header, RTA_DST, bytes, dst->bytes);
    mnl_attr_put_u32(q.header, RTA_OIF, (uint32_t)index);
    f->asked++;
    int result = netlink_ask(s, &q, on_answer, &question);
    if (result < 0 && (out->kind = kind_of_error(result)) == FIB_UNKNOWN)
        return rs_fail_errno(err, -result, "the kernel did not answer where a route leads");
    return 0;
}

/* Addresses that mean the same under every route, whatever class they would fall into. */
static bool is_special(const struct wire_addr *dst)
{
    uint8_t first = dst->bytes[0];
    if (dst->family == 4)
        return first == 0 || first == 127 || first >= 224;
    return first == 0 || first == 0xff;
}

/* A failure leaves the tables stale: the kernel is asked for each destination then. */
static void read_if_stale(struct fib *f, struct mnl_socket *s, int index, rs_mono now)
{
    bool soon =
        f->read_at.ns != UINT64_MAX && !rs_mono_reached(rs_mono_add(f->read_at, REREAD_GAP), now);
    if (!f->stale || soon)
        return;
    f->stale = read_tables(f, s, index) < 0;
    f->read_at = now;
}

int fib_lookup(struct fib *f,
               struct mnl_socket *s,
               int index,
               const struct wire_addr *dst,
               rs_mono now,
               struct fib_answer *out,
               struct rs_err *err)
{
    read_if_stale(f, s, index, now);
    struct fib_class *c = f->n > 0 ? class_of(f, dst) : NULL;
    if (c != NULL && c->own) {
        *out = (struct fib_answer){.kind = FIB_OWN, .src = *dst};
        return 0;
    }
    if (c == NULL || f->stale || f->each || c->each || is_special(dst))
        return ask_kernel(f, s, index, dst, out, err);
    if (c->answer.kind == FIB_UNKNOWN) {
        int result = ask_kernel(f, s, index, dst, &c->answer, err);
        if (result < 0)
            return result;
    }
    *out = c->answer;
    return 0;
}
