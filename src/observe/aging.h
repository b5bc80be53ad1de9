/* SPDX-License-Identifier: GPL-3.0-or-later
 * The flow table of a passive observer: bounded, aged in packet time, O(1) a packet. It gives each
 * packet to its flow and each flow to `ended`, once, with the reason:
 *   idle     nothing came for idle_ns
 *   closed   both FINs acknowledged, or an RST, close_ns ago; or a SYN with another sequence number
 *            opened the same 5-tuple again within that time
 *   active   it has lasted active_ns; what comes next is a new flow
 *   evicted  the table was full, and nothing had been unheard of for longer
 *   end      aging_flush: the end of the input, or of patience
 *
 * Which flow: TCP and UDP by 5-tuple. Every other protocol, ICMP too, by addresses and protocol,
 * ports 0, as with PATHspider. An ICMP error belongs to the flow of the packet that it quotes, if
 * that is known; else it is a packet like any other. A fragment behind the first has no ports: it
 * counts in the flow of its addresses and protocol without ports, where PATHspider has it as well
 * (QoF, which reassembles, has it with its first fragment); so no packet is lost, and none is
 * guessed into a flow. TCP and UDP cut off before their ports go there too.
 *
 * Forward is the way of the first packet; but the first packet of a flow that is a SYN/ACK goes in
 * reverse, since its sender is the server.
 *
 * Time is the highest time stamp seen: one that goes backwards is counted and ages nothing.
 * Checksums are not judged, as with PATHspider and QoF (a capture may be edited, anonymised or
 * cut), but a segment with a wrong one closes no flow, and in reverse counts in bad_checksum_rev.
 */
#ifndef RS_OBSERVE_AGING_H
#define RS_OBSERVE_AGING_H

#include <stddef.h>
#include <stdint.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/slab.h"
#include "base/time.h"
#include "observe/flow.h"
#include "observe/table.h"

/* The numbers of flowEndReason (RFC 5102 5.11.3). */
enum flow_end {
    FLOW_END_IDLE = 1,
    FLOW_END_ACTIVE = 2,
    FLOW_END_CLOSED = 3,
    FLOW_END_END = 4,
    FLOW_END_EVICTED = 5,
    FLOW_END_N
};

/* "idle", "active", "closed", "end", "evicted". */
const char *flow_end_name(enum flow_end why);

struct aging_config {
    uint32_t chains;
    size_t flows_most; /* at once; at least 1 */
    uint64_t idle_ns, close_ns;
    uint64_t active_ns; /* 0: no limit */
    struct rs_key key;  /* of the hash: strangers choose the tuples */
    /* `f` is valid during the call only; in it, no function of this table but for the counters may
     * be called. */
    void (*ended)(void *ctx, const struct flow *f, enum flow_end why);
    void *ctx;
};

struct aging_stats {
    uint64_t packets;
    uint64_t flows;             /* begun */
    uint64_t ended[FLOW_END_N]; /* by reason */
    uint64_t icmp_errors;       /* that belong to a flow by their quote */
    uint64_t fragments;         /* other than first ones */
    uint64_t backwards;         /* time stamps below one seen before */
    uint64_t bad_checksum;      /* of TCP and UDP */
    uint64_t lost;              /* packets of no flow: no memory for one */
    size_t open_most;           /* flows at once */
};

struct aging { /* for its functions only, but for `stats` */
    struct aging_config config;
    struct flow_table table;
    struct slab slab;
    struct list recent;  /* open flows, the one longest unheard of first */
    struct list closing; /* in the order in which they closed */
    struct list born;    /* all flows in the order in which they began; with active_ns only */
    int64_t now;         /* the highest time seen */
    struct aging_stats stats;
};

/* 0 or -RS_ENOMEM. Memory grows with the flows, up to flows_most times aging_flow_bytes(). */
int aging_init(struct aging *a, const struct aging_config *config);
void aging_free(struct aging *a); /* flows still open are dropped: aging_flush gives them out */
size_t aging_flow_bytes(uint32_t chains);

/* Ages the table to `at`, then gives the packet to its flow. */
void aging_packet(struct aging *a, const struct wire_view *v, rs_wall at);

#define AGING_BATCH 16u
struct aging_item {
    struct wire_view view;
    rs_wall at;
};
/* The same for up to AGING_BATCH packets in turn, but faster: what they need of the memory is asked
 * for beforehand, for all of them at once. */
void aging_packets(struct aging *a, const struct aging_item *items, size_t n);
/* Time passes without a packet. */
void aging_advance(struct aging *a, rs_wall now);
/* Ends all flows, the one longest unheard of first. */
void aging_flush(struct aging *a);
size_t aging_open(const struct aging *a); /* flows in the table */

#endif
