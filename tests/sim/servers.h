/* SPDX-License-Identifier: GPL-3.0-or-later
 * Servers in memory around one engine: every address answers, statelessly, and marks
 * ECT(0) where ECN was negotiated. For measuring what the engine itself costs, for many connections
 * at once, and for several engines side by side. Time is the caller's; no sockets; two of these
 * share nothing. */
#ifndef RS_TESTS_SIM_SERVERS_H
#define RS_TESTS_SIM_SERVERS_H

#include "run/engine.h"

#define SERVERS_SLOTS 4096u /* a power of two; packets under way: what does not fit is lost */

enum servers_silence {
    SERVERS_ANSWER,
    SERVERS_NO_SYNACK,
    SERVERS_NO_RESPONSE /* the request is acknowledged, and that is all */
};

struct servers {
    struct engine *engine;
    uint64_t delay_ns; /* from a packet of the engine to the answer */
    enum servers_silence silence;
    void (*on_record)(void *ctx, const char *text, size_t n); /* may be NULL */
    void *ctx;
    uint64_t records, wrong; /* wrong: not the conditions of such a server */
    uint64_t packets, lost;
    rs_mono now;
    unsigned n_out, in_first, n_in;
    struct server_packet {
        rs_mono at; /* arrival */
        uint16_t n;
        uint8_t bytes[590];
    } out[SERVERS_SLOTS], in[SERVERS_SLOTS];
};

/* Zeroes it and fills in `ops`. */
void servers_init(struct servers *c, struct engine_ops *ops, rs_mono now);
/* One turn at `now`: answers that have arrived are given to the engine, and it has its turn.
 * Returns when something happens next; RS_NEVER: nothing will. */
rs_mono servers_turn(struct servers *c, rs_mono now);

#endif
