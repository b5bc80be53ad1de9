/* SPDX-License-Identifier: GPL-3.0-or-later
 * A cache of the kernel's route answers, inside src/net only.
 *
 * A lookup costs the kernel about 10 us, and a scan never asks for one destination twice. So
 * destinations are put into classes: those whose longest matching prefix is the same, among all
 * routes of all tables. As long as routing rules look at nothing but the destination, all members
 * of a class get the same answer, and the kernel is asked for the first of them only. What a route
 * means (metrics, gateways of the other family, next-hop objects ...) stays the kernel's
 * business. */
#ifndef RS_NET_FIB_INT_H
#define RS_NET_FIB_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "net/netlink_int.h"
#include "wire/addr.h"

#define FIB_LIMIT 65536 /* prefixes a family; hosts with more are asked for each destination */

enum fib_kind {
    FIB_UNKNOWN,   /* not asked yet */
    FIB_DIRECT,    /* on-link */
    FIB_GATEWAY,   /* through `gateway` */
    FIB_OWN,       /* an address of this host */
    FIB_BROADCAST, /* or multicast */
    FIB_REFUSED,   /* blackhole, unreachable, prohibit */
    FIB_NO_ROUTE,
    FIB_NO_SOURCE, /* a route, but no address to send from */
    FIB_N
};

struct fib_answer {
    enum fib_kind kind;
    struct wire_addr src, gateway;
};

struct fib_class {
    uint8_t bytes[16]; /* masked */
    uint8_t length;
    bool each; /* members may differ (multipath): ask for each */
    bool own;  /* a local route of this host, whichever interface it names */
    struct fib_answer answer;
};

struct fib {
    uint8_t family;            /* 4 or 6 */
    bool stale;                /* read it again before the next use */
    bool each;                 /* no cache: rules, too many routes, or several source addresses */
    rs_mono read_at;           /* of the last reading; RS_NEVER: not read */
    struct fib_class *classes; /* by length, descending, then by bytes */
    size_t n, cap;
    uint32_t start[130]; /* classes of length L are start[128 - L] .. start[129 - L] - 1 */
    uint64_t asked;      /* questions to the kernel, for tests and counters */
};

void fib_init(struct fib *f, uint8_t family);
void fib_free(struct fib *f);

/* The answer for packets to `dst` out of interface `index`. 0; -RS_ESYS with text when rtnetlink
 * failed. `s` is a blocking socket of netlink_open. Reads the tables again when they are stale (at
 * most ten times a second: in between the kernel is asked for each destination). */
int fib_lookup(struct fib *f,
               struct mnl_socket *s,
               int index,
               const struct wire_addr *dst,
               rs_mono now,
               struct fib_answer *out,
               struct rs_err *err);

#endif
