/* SPDX-License-Identifier: GPL-3.0-or-later
 * Who measures: one worker on the caller's own loop, or several, each on a thread and a loop of its
 * own. Jobs go to the worker of their address (or network), so that what is to be limited for one
 * address or network is limited by one engine; records and words for people come back to the
 * caller's thread. Between threads nothing is shared but mailboxes: see mailbox.h. */
#ifndef RS_RUN_CREW_H
#define RS_RUN_CREW_H

#include "net/loop.h"
#include "run/reader.h"
#include "run/worker.h"

struct crew;

struct crew_config {
    const struct worker_kind *kind;
    void *kind_ctx;       /* for kind->open; borrowed */
    unsigned threads;     /* 1: none, the caller's */
    unsigned in_flight;   /* targets, of all workers */
    bool by_network;      /* jobs of one /24 or /48 go to one worker */
    struct rs_key secret; /* which worker has what */
    /* What comes from the workers; called on the caller's thread, inside the loop. arm_log and tap
     * only with one thread. */
    struct worker_ops ops;
};

/* Opens every worker. 0, -RS_EINVAL (threads), or what opening one gave. The caller frees *out. */
int crew_open(struct crew **out, const struct crew_config *config, struct rs_err *err);
/* Watches what has to be watched, and starts the threads. 0 or -RS_E*. */
int crew_start(struct crew *c, struct loop *loop, struct rs_err *err);
/* Ends all threads that still run, at once. NULL is ignored. */
void crew_free(struct crew *c);

/* As engine_dryrun; with one thread only. */
int crew_dryrun(struct crew *c, const struct job *job, rs_mono now, struct rs_err *err);

bool crew_has_room(const struct crew *c);
/* A job to be measured, refused or turned away: copied. 0; -RS_ENOMEM: there is no memory for it,
 * and it has got no record. */
int crew_give(struct crew *c, const struct reader_job *job);
/* Sends off what was given, and lets a worker on this thread have its turn. When the next is due.
 */
rs_mono crew_turn(struct crew *c, rs_mono now);
/* Every job that was given has its record. */
bool crew_idle(const struct crew *c);
/* As engine_close and engine_drain. */
void crew_close(struct crew *c, const char *why);
void crew_drain(struct crew *c);
/* As engine_stop; with threads it is not over when this returns. */
void crew_stop(struct crew *c, rs_mono now);
/* The same, and threads do not wait for what may still come late. */
void crew_quit(struct crew *c, rs_mono now);
/* To be asked each turn. True: idle, `last` (no job will be given any more, and threads may end),
 * and nothing that is late can come: all may be closed. */
bool crew_rests(struct crew *c, rs_mono now, bool last);
/* Sums over the workers. Up to 200 ms old with threads, exact when crew_rests. */
void crew_counts(const struct crew *c, struct worker_counts *out);
/* Worker 0, for what is the same for all. */
void *crew_first(const struct crew *c);

/* Which of `workers` has jobs for this address. */
unsigned crew_worker_of(const struct rs_key *secret,
                        const struct wire_addr *dip,
                        bool by_network,
                        unsigned workers);

#endif
