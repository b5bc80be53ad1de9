/* SPDX-License-Identifier: GPL-3.0-or-later
 * The engine: targets in flight, their arms, pacing, rounds of confirmation, verdicts. It knows no
 * sockets, no event loop and no plugin by name: it is driven by calls and acts through struct
 * engine_ops, on the wire as in a simulation.
 *
 * One turn of the driver: engine_add as long as it takes targets; engine_packet for what the
 * capture gave; engine_turn. */
#ifndef RS_RUN_ENGINE_H
#define RS_RUN_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "base/time.h"
#include "io/input.h"
#include "net/route.h"
#include "plugins/plugin.h"

struct engine;
struct target;

enum engine_order { ORDER_RANDOM, ORDER_AB, ORDER_BA };

struct engine_config {
    const struct plugin *plugin;
    const struct exchange *exchange; /* for arms that name none */
    const uint16_t *ports;           /* source ports that are ours alone; borrowed */
    unsigned n_ports;                /* at least the plugin's number of arms */
    unsigned targets_most;           /* in flight */
    uint64_t rate;                   /* packets a second; 0: as fast as the path bears */
    uint64_t prefix_rate;            /* packets a second to one /24 or /48; 0: no limit */
    uint64_t timeout_ns;             /* of one attempt of an arm */
    unsigned confirm;                /* rounds of confirmation, 0 none */
    uint64_t confirm_delay_ns;
    uint64_t dormancy_ns; /* a connection that waits for so long is packed away; 0: 100 ms;
                             UINT64_MAX: never */
    uint64_t gap_ns;      /* between arms that go one after the other */
    enum engine_order order;
    bool same_flow; /* arms one after the other on one source port */
    uint64_t seed;
    struct rs_key secret;   /* for sequence numbers and tables (RFC 6528) */
    const char *user_agent; /* borrowed */
    const char *vantage;    /* borrowed, may be NULL: the "vantage" member */
    bool output_flows;
    struct wire_addr trace; /* family 0: nothing is traced */
};

struct engine_counters {
    uint64_t targets_started, targets_done; /* of those that engine_add took */
    uint64_t connections, established, exchanges;
    uint64_t packets_sent, bytes_sent, packets_received, bytes_received;
    uint64_t send_errors, syn_retransmissions, data_retransmissions, fin_retransmissions;
    uint64_t answered_late; /* to a SYN that was not the first */
    uint64_t strays_answered;
    uint64_t unmatched;    /* packets to our ports that belong to no connection of ours */
    uint64_t unbelievable; /* RSTs, SYN/ACKs, ICMP errors and others that prove nothing (law 5) */
    uint64_t bad_checksum, malformed, fragments;
    uint64_t host_rejects; /* RSTs and ICMP errors of this host about our connections */
    uint64_t not_captured, confirmations, incomplete;
    uint64_t turned_away;  /* see engine_close */
    uint64_t records_lost; /* no memory for their text */
    uint64_t dormant;      /* connections now that are packed away */
    uint64_t pace_rate;    /* packets a second: -r, or what -r 0 has come to */
    uint64_t pace_late_cuts,
        pace_local_cuts;   /* slowed down: late answers; drops or push-back on this host */
    uint64_t pace_behind;  /* times that starts waited since the capture was read too late */
    uint64_t prefix_waits; /* of targets, for their network's share */
};

enum engine_way { WAY_RECEIVED, WAY_SENT, WAY_HOST };

struct engine_ops {
    void *ctx;
    /* As router_lookup. */
    int (*route)(
        void *ctx, const struct wire_addr *dst, rs_mono now, struct hop *out, struct rs_err *err);
    /* Takes a copy of an IP packet for the wire, for the next hop with that MAC; what becomes of it
     * comes back by engine_sent. 0 or -RS_E*. */
    int (*send)(void *ctx, const uint8_t *ip, size_t n, const uint8_t mac[6]);
    /* Pushes out what was taken; calls engine_sent for it. 0, or -RS_EAGAIN: some is left. */
    int (*flush)(void *ctx);
    /* One finished record, with its newline; borrowed. */
    void (*record)(void *ctx, const char *text, size_t n);
    /* One line of the arm log, with its newline; NULL: not wanted. */
    void (*arm_log)(void *ctx, const char *text, size_t n);
    /* One packet that was sent, received, or emitted by this host about our connections, from its
     * IP header on, in processing order; NULL: not wanted. */
    void (*tap)(void *ctx, const uint8_t *ip, size_t n, rs_wall at, enum engine_way way);
    /* Packets that the capture has lost up to now. `exact` false: a cached figure will do. */
    uint64_t (*drops)(void *ctx, bool exact);
    rs_wall (*wall)(void *ctx);
    /* One line of the trace, without newline. */
    void (*trace)(void *ctx, const char *line);
    /* Something that the user must be told; the same text comes once. */
    void (*notice)(void *ctx, const char *text);
};

/* 0, -RS_EINVAL (too few ports, a plugin whose conditions name no field), -RS_ENOMEM. */
int engine_new(struct engine **out,
               const struct engine_config *config,
               const struct engine_ops *ops,
               rs_mono now,
               struct rs_err *err);
void engine_free(struct engine *e);

/* Whether engine_add would take a job now. */
bool engine_has_room(const struct engine *e);
/* Takes a job that can be measured (copies it). 0, -RS_EAGAIN (full), -RS_ENOMEM. */
int engine_add(struct engine *e, const struct job *job);
/* Writes the record of a job that is not measured: one condition and a sentence that says why. */
void engine_refuse(struct engine *e,
                   const struct job *job,
                   const char *condition,
                   const char *problem);
/* Writes the record of a job that could be measured and will not be: as of one that was taken and
 * did not begin. */
void engine_turn_away(struct engine *e, const struct job *job, const char *why);
/* The first packets of every arm go to ops->send, and nothing else happens: --dryrun. */
int engine_dryrun(struct engine *e, const struct job *job, rs_mono now, struct rs_err *err);

/* A packet from the capture, from its IP header on. `outgoing`: this host sent it, and not we. */
void engine_packet(
    struct engine *e, const uint8_t *ip, size_t n, rs_wall at, bool outgoing, rs_mono now);
/* What became of a packet given to ops->send. */
void engine_sent(struct engine *e, const uint8_t *ip, size_t n, rs_wall at, int error);
/* Timers, new targets, sending, records. Returns when it wants to be called next (RS_NEVER: only
 * after an event). */
rs_mono engine_turn(struct engine *e, rs_mono now);
/* The driver saw the capture lose packets or the kernel push back: slow down. */
void engine_pressure(struct engine *e, rs_mono now);
/* The interface or its address was away: what is under way may have lost packets here, so it is
 * measured again. */
void engine_outage(struct engine *e);
/* No target is in flight. */
bool engine_idle(const struct engine *e);
unsigned engine_in_flight(const struct engine *e);
/* Some connection did not end in order on both sides, so that late segments may still come. */
bool engine_untidy(const struct engine *e);
/* No new target begins: those not begun get their record, with `why` (borrowed for good); those in
 * flight go on to their verdict. */
void engine_close(struct engine *e, const char *why);
/* The same, and no round of confirmation begins either. */
void engine_drain(struct engine *e);
/* Ends everything in flight: attempts without an answer become incomplete; records are written. */
void engine_stop(struct engine *e, rs_mono now);
const struct engine_counters *engine_counters(const struct engine *e);
/* Bytes of all tables now, input lines apart. They never shrink before engine_free. */
size_t engine_table_bytes(const struct engine *e);

#endif
