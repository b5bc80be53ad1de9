/* SPDX-License-Identifier: GPL-3.0-or-later
 * The neighbours of one link, inside src/net only: what the kernel knows and what our own requests
 * found out. The latest news wins. No I/O: the caller asks and tells. */
#ifndef RS_NET_NEIGH_INT_H
#define RS_NET_NEIGH_INT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/time.h"
#include "wire/addr.h"

#define NEIGH_LIMIT   (1u << 18)    /* entries */
#define NEIGH_ASKS    3             /* requests before a neighbour counts as absent */
#define NEIGH_ASK_GAP RS_SEC        /* between requests to one neighbour */
#define NEIGH_ABSENT  (10 * RS_SEC) /* how long that is remembered */
#define NEIGH_HOLD    (60 * RS_SEC) /* how long an answer to us holds */
/* Between checks of a neighbour in use: less than between the first SYN and the second, so that a
 * gateway that changes its MAC without a word costs retransmissions and no verdict. */
#define NEIGH_RENEW_GAP (500 * RS_MS)
#define NEIGH_RENEW     (NEIGH_HOLD - NEIGH_RENEW_GAP) /* so long before its end we ask again */

enum neigh_answer {
    NEIGH_KNOWN,   /* mac is filled */
    NEIGH_WAITING, /* asked, no answer yet */
    NEIGH_GONE,    /* 3 requests unanswered */
    NEIGH_FULL     /* no room for another neighbour */
};

struct neigh_entry {
    struct wire_addr addr; /* family 0: the slot is free */
    uint8_t mac[6];        /* the latest news */
    uint8_t kernel_mac[6];
    bool kernel_has;    /* the kernel's entry can be used */
    bool kernel_sure;   /* and needs no check: somebody fixed it. Reachable is what it was half a
                           minute ago: too long for us */
    uint8_t asks;       /* since the last answer */
    rs_mono asked_at;   /* RS_NEVER: not yet */
    rs_mono ours_until; /* our answer holds until then; 0: none */
};

struct neigh {
    struct rs_key key;
    struct neigh_entry *slots; /* open addressing, a power of two, at most half full */
    size_t n_slots, used;
};

int neigh_init(struct neigh *n);
void neigh_free(struct neigh *n);

/* Says what is known. `*ask` becomes true when a request should leave now (and is counted as
 * sent), which may also be a check of a neighbour that is known. */
enum neigh_answer neigh_resolve(
    struct neigh *n, const struct wire_addr *addr, rs_mono now, uint8_t mac[6], bool *ask);
/* An answer to us; ignored when nobody asked for `addr` and the kernel does not know it. */
void neigh_seen(struct neigh *n, const struct wire_addr *addr, const uint8_t mac[6], rs_mono now);
/* The kernel's entry as it is now; `mac` NULL: gone or unusable. */
void neigh_kernel(
    struct neigh *n, const struct wire_addr *addr, const uint8_t *mac, bool sure, rs_mono now);
/* Before a new dump: nothing is known to the kernel any more. */
void neigh_forget_kernel(struct neigh *n);

#endif
