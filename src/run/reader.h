/* SPDX-License-Identifier: GPL-3.0-or-later
 * What stands between the input and whoever measures: the limit, this run's shard, the blocklist,
 * duplicates, and the window of targets in random order. Knows no engine, and does not wait. */
#ifndef RS_RUN_READER_H
#define RS_RUN_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"
#include "io/blocklist.h"
#include "io/input.h"

struct reader_config {
    struct input *input;               /* borrowed */
    const struct blocklist *blocklist; /* borrowed; NULL: none */
    uint64_t targets_most;             /* of the input, whatever shard they are of; 0 no limit */
    unsigned shards, shard;            /* this run is one of how many; 0 and 1: of one */
    size_t dedup_most;                 /* targets remembered; 0: duplicates are not looked for */
    unsigned window;                   /* targets read ahead; 0 or 1: the order of the input */
    const char *mode;                  /* borrowed; with default_port: what makes a duplicate */
    uint16_t default_port;
    struct rs_key secret;
    uint64_t seed; /* of the order */
    void *ctx;
    void (*notice)(void *ctx, const char *text); /* what people must be told, and is about no job */
};

struct reader_counts { /* of this shard's lines */
    uint64_t lines, blocked, invalid, duplicates;
    uint64_t lost; /* no memory to read them ahead: they come out with a problem */
};

struct reader_job { /* borrowed until the next reader_next */
    struct job job;
    const char *refusal; /* the one condition of a record that needs no measurement */
    const char *problem; /* why it is not measured, also without a refusal (the run is being
                          * stopped); NULL: to be measured */
};

struct reader;

/* 0 or -RS_ENOMEM. The caller frees *out. */
int reader_new(struct reader **out, const struct reader_config *config, struct rs_err *err);
/* NULL is ignored. */
void reader_free(struct reader *r);

#define READER_MORE                                                                                \
    1 /* nothing yet, but there is more to read: other things may have their turn                  \
       */
/* The next job: 0; READER_MORE; -RS_EAGAIN nothing can be read now, and nothing was read ahead; or
 * how the input ended, as input_next says it, once all that was read ahead has been given out. */
int reader_next(struct reader *r, struct reader_job *out);
/* The limit is reached, so that an input with nothing to read now need not be waited for. */
bool reader_has_enough(const struct reader *r);
/* The limit is reached, and the input had more. */
bool reader_was_limited(const struct reader *r);
/* Whether there is, or may come, another job of this shard. What it reads to know that is lost: for
 * use before reader_stop only. */
bool reader_has_more(struct reader *r);
/* Nothing more is read, and what was read ahead comes out with `why` (borrowed for good) as its
 * problem: each line that was read has its record. */
void reader_stop(struct reader *r, const char *why);
const struct reader_counts *reader_counts(const struct reader *r);

/* Which of `shards` shards (0-based) the job with this number belongs to; the same for ever. */
unsigned reader_shard(uint64_t line, unsigned shards);

#endif
