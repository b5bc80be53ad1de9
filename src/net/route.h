/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where a packet to an address goes: source address, next hop, its MAC. Routes come from the kernel
 * by rtnetlink, read only, policy routing included; neighbours from the kernel's table, from its
 * notifications, and from answers to our own ARP and NDP requests, which the caller sends.
 *
 * What the kernel says is followed while a run lasts: call router_read when router_fd is
 * readable. */
#ifndef RS_NET_ROUTE_H
#define RS_NET_ROUTE_H

#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "net/iface.h"
#include "wire/addr.h"

struct router;

struct hop {
    struct wire_addr src;      /* the source address the kernel would choose */
    struct wire_addr next_hop; /* the gateway, or the destination itself when it is on-link */
    uint8_t mac[6];            /* of the next hop; all zero on raw links and on loopback */
};

/* Copies `iface`. `gateway_mac` (6 bytes, or NULL) is used for every gateway instead of what
 * discovery says; on-link destinations still have their own. NULL on failure, text in `err`. */
struct router *router_open(const struct iface *iface,
                           const uint8_t *gateway_mac,
                           struct rs_err *err);
void router_free(struct router *r);

/* Readable when the kernel has news of routes, rules, addresses or neighbours. */
int router_fd(const struct router *r);
/* Takes all news. 0, or -RS_ESYS when the kernel's socket is broken (lookups still work, but may be
 * out of date). */
int router_read(struct router *r);

/* How often the interface or one of its addresses went away, as far as the news were taken:
 * what was under way then may be lost. News that got lost themselves count as well. */
uint64_t router_outages(const struct router *r);
/* Changes with every news of links and addresses: time to look at them again. */
uint64_t router_changes(const struct router *r);

/* `ask` is called from router_lookup when a neighbour has to be asked for: at most once a second
 * and neighbour. The caller sends the ARP request or neighbour solicitation from `our_addr`. Both
 * addresses are valid during the call only. */
void router_on_ask(struct router *r,
                   void (*ask)(void *ctx,
                               const struct wire_addr *our_addr,
                               const struct wire_addr *next_hop),
                   void *ctx);

/* 0: `out` is filled.
 * -RS_EAGAIN: the neighbour has been asked for; call again after its answer was given to
 *   router_neighbour_seen, or every few 100 ms (the second and third request leave from these
 *   calls).
 * -RS_ENOENT: no route through this interface, no source address of that family, an address of
 *   this host, a broadcast or multicast address, or a neighbour that left 3 requests unanswered
 *   (remembered for 10 s): the text says which.
 * -RS_ENOMEM: too many neighbours. -RS_ESYS: rtnetlink failed. */
int router_lookup(struct router *r,
                  const struct wire_addr *dst,
                  rs_mono now,
                  struct hop *out,
                  struct rs_err *err);

/* An ARP reply or neighbour advertisement was captured. Counts only for addresses that were asked
 * for or that the kernel knows; holds for 60 s. */
void router_neighbour_seen(struct router *r,
                           const struct wire_addr *addr,
                           const uint8_t mac[6],
                           rs_mono now);

#endif
