/* SPDX-License-Identifier: GPL-3.0-or-later
 * The arm log: one entry per attempt of an arm, of what packets cannot tell (design law 2). A
 * verdict sees this and the flow records, and nothing else, live and offline alike. */
#ifndef RS_OBSERVE_ARMLOG_H
#define RS_OBSERVE_ARMLOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"
#include "observe/flow.h"
#include "wire/addr.h"

/* What came of an attempt. The first group has evidence, the second has none. */
enum outcome {
    OUTCOME_NONE,      /* still running */
    OUTCOME_EXCHANGED, /* handshake and a whole exchange */
    OUTCOME_SYNACK, /* handshake, but the exchange was not what it should be (closed early, broken
                       answer) */
    OUTCOME_HS_THEN_RST,   /* handshake, then a reset */
    OUTCOME_HS_THEN_STALL, /* handshake, then silence: our data was never acknowledged or never
                              answered */
    OUTCOME_RST,           /* the SYN was refused by an RST */
    OUTCOME_ICMP,          /* nothing but ICMP errors that quote the SYN */
    OUTCOME_BAD_SYNACK,    /* only SYN/ACKs that acknowledge something else */
    OUTCOME_TIMEOUT,       /* no answer to any SYN */
    OUTCOME_NOT_SENT,      /* a SYN never left: `why` says the reason */
    OUTCOME_NOT_CAPTURED,  /* the capture lost packets and a reply is missing */
    OUTCOME_HOST_REJECTED, /* this host itself sent an RST or an ICMP error about the connection */
    OUTCOME_STOPPED,       /* the run was ended by a signal or a limit */
    OUTCOME_N
};

struct arm_log {
    uint64_t line;  /* of the input */
    uint8_t arm;    /* index in the plugin */
    uint8_t round;  /* 0 the first, in parallel; 1.. confirmation */
    uint8_t port;   /* which of the target's source ports: 0 is the baseline's in round 0 */
    uint8_t number; /* of the target's attempts, in the order in which they began, 0 the first */
    uint8_t outcome;
    uint8_t syns_sent;    /* when it ended */
    uint8_t answered_try; /* the SYN try after which the first SYN/ACK or RST came; 0 none */
    uint8_t rerun; /* how often this attempt replaces one that the capture or the host spoilt */
    bool exchange_complete;
    uint16_t exchange_status;     /* HTTP status */
    uint16_t batch_order;         /* position among the arms that left together, 0 first */
    int16_t icmp_type, icmp_code; /* of the error that ended it; -1 none */
    uint32_t body_bytes;
    uint32_t drops_from, drops_to; /* the capture's drop counter when it began and ended */
    /* Packets of the run before the attempt began and when it ended: in a capture of the run, those
     * behind the first `packets_from`, up to number `packets_to`, may be the attempt's. */
    uint64_t packets_from, packets_to;
    uint32_t packets;    /* of these in its flow record */
    uint64_t tcp_events; /* union of enum tcp_event, for readers of the log */
    rs_wall planned, sent, ended, deadline;
    struct wire_tuple tuple;
    char why[48]; /* for OUTCOME_NOT_SENT and HOST_REJECTED; empty otherwise */
};

struct attempt { /* one attempt: its log entry and its flow record */
    struct arm_log log;
    struct flow flow;
};

const char *outcome_name(enum outcome o);
/* OUTCOME_N when there is none of that name. */
enum outcome outcome_find(const char *name);
/* Whether the outcome says anything about path or peer. */
bool outcome_is_evidence(enum outcome o);
/* How far it got: 0 no handshake, 1 handshake, 2 a whole exchange. */
int outcome_reach(enum outcome o);

#endif
