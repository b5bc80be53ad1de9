/* SPDX-License-Identifier: GPL-3.0-or-later
 * Keeps the kernel from answering packets that are ours. Each source port is bound to kernel
 * sockets that drop everything, so the kernel finds an owner for every segment and sends no RST
 * (nor, for UDP, a port unreachable); captures still see all. No privilege is needed, nothing on
 * the host changes, and all ends with the process.
 *
 * What drops TCP segments is one of three, the first that the kernel allows (see guard_method):
 * Linux since 2026 (5d39580f68e6, also in stable kernels) wants CAP_NET_ADMIN for a filter on a TCP
 * socket. */
#ifndef RS_NET_GUARD_H
#define RS_NET_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct guard;

enum guard_method {
    GUARD_FILTER,    /* a classic BPF program that accepts nothing */
    GUARD_SIGNATURE, /* a TCP MD5 key (RFC 2385) for all peers, which nobody knows: segments without
                        its signature are dropped without an answer */
    GUARD_TTL,       /* a minimum TTL of 255 (RFC 5082): answers only peers on the link that send
                        with 255 */
    GUARD_METHOD_N
};

const char *guard_method_name(enum guard_method m);

struct guard_config {
    uint16_t from, to;        /* ports to choose from, both included; tried in ascending order */
    unsigned want_most;       /* stop after so many; 0: the whole range */
    unsigned need_least;      /* fewer is an error; 0 counts as 1 */
    bool tcp, udp;            /* what to guard; at least one */
    enum guard_method method; /* the first to try for TCP: 0 but in tests */
};

/* Both families, or IPv4 alone on a host without IPv6. Raises the soft limit of descriptors to the
 * hard one (this process only); where that does not suffice, guards as many ports as fit and leaves
 * 64 descriptors free. 0; -RS_EINVAL (bad range, nothing to guard, range smaller than need_least);
 * -RS_EBUSY (too few ports: taken by other processes, or too few descriptors; the text says
 * which); -RS_ESYS; -RS_ENOMEM. */
int guard_open(struct guard **out, const struct guard_config *config, struct rs_err *err);
/* Keep it until about 2 s after the last flow: late segments still come. NULL is ignored. */
void guard_free(struct guard *g);

/* The guarded ports, ascending; owned by the guard. */
const uint16_t *guard_ports(const struct guard *g, unsigned *n);
/* Ports skipped since another process has them (or a connection in TIME-WAIT does). */
unsigned guard_taken(const struct guard *g);
/* The weakest that was used for a TCP port. */
enum guard_method guard_method(const struct guard *g);
/* True if descriptors ran out before want_most ports were guarded. */
bool guard_short_of_descriptors(const struct guard *g);

#endif
