/* SPDX-License-Identifier: GPL-3.0-or-later
 * Asking rtnetlink, inside src/net only. Nothing here can change the host: callers send RTM_GET*
 * alone. */
#ifndef RS_NET_NETLINK_INT_H
#define RS_NET_NETLINK_INT_H

#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"
#include "wire/addr.h"

#define NETLINK_BUFFER 32768 /* what the kernel fills at most for one read of a dump */

/* A request under construction: header, then the type's own header, then attributes. */
struct netlink_request {
    _Alignas(8) uint8_t bytes[256];
    struct nlmsghdr *header;
    void *body;
};

/* Starts a request with a zeroed body of `body_bytes`; `dump`: all objects instead of one. */
void netlink_begin(struct netlink_request *q, uint16_t type, bool dump, size_t body_bytes);

/* Sends it and gives each answer to `each` until that returns other than 0. Returns the last value
 * of `each`, or -errno of the socket or of the kernel's error answer. The whole answer is read in
 * any case, so that the socket can be used again. */
int netlink_ask(struct mnl_socket *s,
                struct netlink_request *q,
                int (*each)(void *ctx, const struct nlmsghdr *h),
                void *ctx);

/* Opens and binds a NETLINK_ROUTE socket that is closed on exec; NULL on failure. */
struct mnl_socket *netlink_open(int flags, struct rs_err *err);

static inline uint8_t netlink_family(int family)
{
    return family == 4 ? AF_INET : AF_INET6;
}

/* Fills `out` with the message's attributes by type; NULL where there is none. The last of repeated
 * ones counts. */
void netlink_attrs(const struct nlmsghdr *h,
                   size_t body_bytes,
                   const struct nlattr **out,
                   size_t n);
/* Reads an address attribute of the family's length; false when it is not one. */
bool netlink_addr(const struct nlattr *a, uint8_t af, struct wire_addr *out);
/* 0 when absent or too short. */
uint32_t netlink_u32(const struct nlattr *a);

#endif
