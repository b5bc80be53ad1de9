/* SPDX-License-Identifier: GPL-3.0-or-later
 * The two sides of a crew with threads. */
#ifndef RS_RUN_CREW_INT_H
#define RS_RUN_CREW_INT_H

#include "run/crew.h"
#include "run/mailbox.h"

#define LINGER (2 * RS_SEC) /* the guard outlives the last flow: late segments still come */

enum letter_kind {
    LETTER_JOB,
    LETTER_RECORD,
    LETTER_NOTICE,
    LETTER_TRACE,
    LETTER_FAIL,
    LETTER_COUNTS, /* struct worker_counts */
    LETTER_OVER    /* the thread ends */
};

enum order { /* bits */
             ORDER_CLOSE = 1 << 0,
             ORDER_DRAIN = 1 << 1,
             ORDER_STOP = 1 << 2,
             ORDER_END = 1 << 3, /* when everything is done */
             ORDER_QUIT = 1 << 4 /* now */
};

struct hand { /* one worker of the crew */
    struct crew *crew;
    void *worker;
    /* with threads */
    pthread_t thread;
    bool runs;               /* the thread exists */
    struct mailbox to, from; /* to the worker, and from it */
    unsigned orders;         /* bits of enum order; atomic, from the caller's thread */
    const char *why;         /* of ORDER_CLOSE; written before the order */
    /* the caller's side */
    uint64_t given, recorded;
    struct worker_counts counts; /* as it said last */
    bool ended, over;            /* it was told to end; it did */
    /* the worker's side */
    struct loop *loop;
    struct letter job; /* waits for room */
    bool has_job, said_over;
    uint64_t lost, unplaced; /* records, and jobs, that there was no memory for */
    rs_mono busy_until, counts_at;
};

struct crew {
    struct crew_config config;
    unsigned n;
    struct hand *hands;
    bool quits;
    rs_mono busy_until;
    char told[256]; /* the last notice, and when: workers see the same things */
    rs_mono told_at;
};

/* crew_thread.c */
void *crew_thread(void *hand);
/* What the engine of a worker on a thread has to say. */
struct worker_ops crew_thread_ops(struct hand *h);
/* A job as a letter, and back; what comes back is borrowed from the letter. */
int crew_post_job(struct hand *h, const struct reader_job *job);
/* The job's record, or a place in the engine. 0 or -RS_ENOMEM. */
int crew_take_job(struct engine *e, const struct reader_job *job);

#endif
