/* SPDX-License-Identifier: GPL-3.0-or-later
 * Between the two files of captures without an arm log: foreign.c makes connections of packets,
 * foreign_target.c makes targets of connections. */
#ifndef RS_RUN_FOREIGN_INT_H
#define RS_RUN_FOREIGN_INT_H

#include "run/classify_int.h"

struct last_segment { /* of one direction */
    uint32_t seq, ack, payload_bytes;
    uint16_t flags, ip_id;
    rs_wall at;
};

struct connection {
    struct connection *next; /* in the order of first appearance */
    int arm;                 /* -1: its SYN is none of the plugin's */
    rs_wall last_syn, last;
    struct last_segment seen[2]; /* by direction */
    uint8_t tries;               /* SYNs, but for those captured twice */
    bool other_syn;              /* sent again with flags of another arm, or of none */
    bool acked_unseen;           /* one side acknowledged what the capture does not have */
    bool client_acked;           /* an ACK of the client's without SYN */
    bool bad_synack;             /* a SYN/ACK that acknowledges nearly our SYN */
    uint8_t answered_try;        /* tries when the first answer came */
    struct attempt a;            /* the last: only the plugin's chains are there */
};

struct foreign {
    struct classify *c;
    struct connection *first, **end;
    rs_wall last;         /* the highest time seen */
    size_t n;             /* connections */
    size_t without_syn;   /* segments of connections whose SYN is not there */
    size_t of_no_arm;     /* connections */
    size_t answers;       /* packets in reverse, of any connection */
    size_t twice;         /* packets that the capture has twice */
    size_t beyond;        /* segments of connections that there was no room for */
    bool has_own_packets; /* rawspider wrote the capture: it had a log */
};

/* Gives the records of all targets, in the order in which they appear in the capture. */
void foreign_targets(struct foreign *g);

#endif
