/* SPDX-License-Identifier: GPL-3.0-or-later
 * Sends finished IP packets in batches. Two kinds: INJECT_PACKET hands frames to the driver
 * (AF_PACKET, queueing layer bypassed unless `visible`); INJECT_IP goes through the host's routing
 * and firewall (raw IP sockets), for tunnels, odd links, and hosts whose stateful firewall rejects
 * replies to connections it has not seen.
 *
 * Packets are copied into a ring of 256 preallocated frames and leave by inject_flush, or when 64
 * are waiting. A packet leaves the ring when the kernel took it or refused it for good, in order;
 * then `sent` is called. When the kernel pushes back (ENOBUFS, EAGAIN), what is left stays in the
 * ring; if nothing moves for 200 ms (a link that lost its carrier says ENOBUFS as well) the packets
 * are given up, each with its error. */
#ifndef RS_NET_INJECT_H
#define RS_NET_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "net/iface.h"

struct inject;

enum inject_kind { INJECT_PACKET, INJECT_IP };

struct inject_config {
    const struct iface *iface; /* copied */
    enum inject_kind kind;
    bool visible;  /* PACKET: pass through the queueing layer, so that taps on this host see it */
    bool bind_dev; /* IP: bind to `iface`, because the user named it; else the routes decide */
    /* Called from inject_queue and inject_flush, once a packet: `error` 0 or the errno. The bytes
     * are valid during the call; `at` is the wall clock just before the kernel got the batch. It
     * must not call into the injector. May be NULL. */
    void (*sent)(void *ctx, const uint8_t *ip_packet, size_t n, rs_wall at, int error);
    void *ctx;
};

struct inject_stats {
    uint64_t packets;     /* taken by the kernel, frames of inject_frame included */
    uint64_t bytes;       /* of those, from the IP header on (whole frames for inject_frame) */
    uint64_t errors;      /* refused for good */
    uint64_t retries;     /* times the kernel pushed back (ENOBUFS, EAGAIN) */
    uint64_t would_block; /* calls that returned -RS_EAGAIN since the ring was full */
};

/* 0, -RS_EPERM (the text says how to get CAP_NET_RAW), -RS_ESYS, -RS_ENOMEM. */
int inject_open(struct inject **out, const struct inject_config *config, struct rs_err *err);
/* What is still in the ring is dropped without a report: flush first. NULL is ignored. */
void inject_free(struct inject *in);

/* Queues an IPv4 or IPv6 packet; `dst_mac` is ignored (may be NULL) on raw links and with
 * INJECT_IP. 0; -RS_EAGAIN: the ring is full and the kernel does not take more, try again later;
 * -RS_EINVAL: no IP packet, longer than the interface's MTU, or no MAC where one is needed (it is
 * neither queued nor reported). */
int inject_queue(struct inject *in, const uint8_t *ip_packet, size_t n, const uint8_t dst_mac[6]);
/* Queues a whole link frame (ARP, NDP). As inject_queue; -RS_EINVAL also with INJECT_IP and on raw
 * links. Never reported to `sent`. */
int inject_frame(struct inject *in, const uint8_t *frame, size_t n);
/* Sends what waits. 0: the ring is empty; -RS_EAGAIN: some is left, call again in a millisecond. */
int inject_flush(struct inject *in);
/* Packets in the ring. */
unsigned inject_waiting(const struct inject *in);

/* How often the kernel pushed back since the last call: above 0, slow down. */
unsigned inject_pressure(struct inject *in);
const struct inject_stats *inject_stats(const struct inject *in);

#endif
