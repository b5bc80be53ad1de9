/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net/netlink_int.h"

#include <errno.h>
#include <string.h>

#include "net/clock.h"

struct each {
    int (*each)(void *ctx, const struct nlmsghdr *h);
    void *ctx;
    int result; /* the first that was not 0; later objects are passed over */
};

void netlink_begin(struct netlink_request *q, uint16_t type, bool dump, size_t body_bytes)
{
    memset(q, 0, sizeof *q);
    q->header = mnl_nlmsg_put_header(q->bytes);
    q->header->nlmsg_type = type;
    q->header->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | (dump ? NLM_F_DUMP : 0));
    q->body = mnl_nlmsg_put_extra_header(q->header, body_bytes);
}

/* One read's worth of messages. Walked by hand: mnl_cb_run gives up on a buffer when the kernel
 * flags that a table changed during its dump, and then the end of the dump is never seen. Returns 1
 * at the end of the answer, 0 when more follows, -errno for the kernel's error answer. */
static int walk(const void *bytes, int n, uint32_t seq, struct each *e)
{
    for (const struct nlmsghdr *h = bytes; mnl_nlmsg_ok(h, n); h = mnl_nlmsg_next(h, &n)) {
        if (h->nlmsg_seq != seq)
            continue;
        if (h->nlmsg_type == NLMSG_DONE)
            return 1;
        if (h->nlmsg_type == NLMSG_ERROR) {
            if (mnl_nlmsg_get_payload_len(h) < sizeof(struct nlmsgerr))
                return -EIO;
            const struct nlmsgerr *why = mnl_nlmsg_get_payload(h);
            return why->error != 0 ? why->error : 1;
        }
        if (e->result == 0)
            e->result = e->each(e->ctx, h);
        if (!(h->nlmsg_flags & NLM_F_MULTI))
            return 1;
    }
    return 0;
}

int netlink_ask(struct mnl_socket *s,
                struct netlink_request *q,
                int (*each)(void *ctx, const struct nlmsghdr *h),
                void *ctx)
{
    _Alignas(8) uint8_t buffer[NETLINK_BUFFER];
    struct each e = {.each = each, .ctx = ctx};
    uint32_t seq = q->header->nlmsg_seq = (uint32_t)clock_mono().ns; /* differs from the last one */
    if (mnl_socket_sendto(s, q->header, q->header->nlmsg_len) < 0)
        return -errno;
    for (;;) {
        ssize_t n = mnl_socket_recvfrom(s, buffer, sizeof buffer);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        int end = walk(buffer, (int)n, seq, &e);
        if (end != 0)
            return end < 0 ? end : e.result;
    }
}

struct mnl_socket *netlink_open(int flags, struct rs_err *err)
{
    struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, flags | SOCK_CLOEXEC);
    if (s == NULL || mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0) {
        rs_fail_errno(err, errno, "cannot open a netlink socket to read routes and interfaces");
        if (s != NULL)
            mnl_socket_close(s);
        return NULL;
    }
    return s;
}

void netlink_attrs(const struct nlmsghdr *h, size_t body_bytes, const struct nlattr **out, size_t n)
{
    const char *end = mnl_nlmsg_get_payload_tail(h);
    const struct nlattr *a = mnl_nlmsg_get_payload_offset(h, body_bytes);
    memset(out, 0, n * sizeof *out);
    for (; mnl_attr_ok(a, (int)(end - (const char *)a)); a = mnl_attr_next(a)) {
        if (mnl_attr_get_type(a) < n)
            out[mnl_attr_get_type(a)] = a;
    }
}

bool netlink_addr(const struct nlattr *a, uint8_t af, struct wire_addr *out)
{
    size_t want = af == AF_INET ? 4 : 16;
    memset(out, 0, sizeof *out);
    if (a == NULL || (af != AF_INET && af != AF_INET6) || mnl_attr_get_payload_len(a) != want)
        return false;
    out->family = af == AF_INET ? 4 : 6;
    memcpy(out->bytes, mnl_attr_get_payload(a), want);
    return true;
}

uint32_t netlink_u32(const struct nlattr *a)
{
    return a != NULL && mnl_attr_get_payload_len(a) >= 4 ? mnl_attr_get_u32(a) : 0;
}
