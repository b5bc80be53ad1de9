/* SPDX-License-Identifier: GPL-3.0-or-later
 * One exchange of our machine with a peer over a link: the loop, and a record of what was seen. */
#ifndef RS_TESTS_SIM_WORLD_H
#define RS_TESTS_SIM_WORLD_H

#include "craft/rule.h"
#include "sim/link.h"
#include "sim/peer.h"
#include "tcpstate/step.h"
#include "tcpstate/tcp.h"

#define WORLD_TRACE 4096u

struct seen { /* a packet at the client's end of the link; forged ones are left out */
    rs_mono at;
    bool out;
    enum seg_class cls;
    uint16_t tries;
    uint32_t seq, ack; /* relative: ours to our ISS, the peer's to its ISS */
    uint32_t bytes;
    uint16_t flags;
    uint8_t ecn;
};

struct world {
    struct tcp m;
    struct tcp_out out;
    struct slab pool;
    struct link link;
    struct peer peer;
    struct script script;
    bool has_script;
    const struct rule *rules;
    size_t n_rules;
    uint8_t *request;
    uint32_t request_bytes;
    uint32_t iss, got; /* `got`: response bytes */
    bool wrong_bytes;
    uint32_t events; /* all */
    rs_mono now, started;
    struct seen trace[WORLD_TRACE];
    unsigned n_trace;
};

struct world_config {
    struct tcp_config tcp; /* reasm is filled in */
    struct link_config link;
    struct peer_config peer;
    uint64_t seed;
    size_t pool_blocks;
    const struct step *steps; /* NULL: write at once, close when the answer is there */
    uint16_t n_steps;
    const struct rule *rules;
    size_t n_rules;
};

/* Allocates; world_free ends it. */
struct world *world_new(const struct world_config *c);
/* Until nothing more would happen, or `limit_ns` of virtual time have passed. */
void world_run(struct world *w, uint64_t limit_ns);
void world_free(struct world *w);
/* Both sides closed in order, all bytes right, nobody said RST. */
bool world_orderly(const struct world *w);
/* A line a packet, on stderr: what a failing test prints. */
void world_dump(const struct world *w);

#endif
