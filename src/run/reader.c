/* SPDX-License-Identifier: GPL-3.0-or-later
 * From lines to jobs that are to be measured or refused. All is decided in the order of the input,
 * and for the lines of every shard alike, so that N shards say together what one run would have
 * said; only what is to be measured goes through the window. */
#include "run/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "io/dedup.h"
#include "io/shuffle.h"

#define LINES_A_CALL 512u /* so that nobody waits for a long row of other shards' lines */

struct reader {
    struct reader_config config;
    struct dedup *dedup; /* NULL: not wanted */
    struct shuffle *window;
    struct reader_counts counts;
    uint64_t jobs; /* read, of every shard */
    int ended;     /* 0, or how the input did */
    bool limited, told_full;
    const char *stopped; /* why; NULL: not */
    char condition[64], problem[256];
};

int reader_new(struct reader **out, const struct reader_config *config, struct rs_err *err)
{
    *out = NULL;
    struct reader *r = calloc(1, sizeof *r);
    if (r == NULL)
        return rs_fail(err, RS_ENOMEM, "not enough memory to read targets");
    r->config = *config;
    int rc = shuffle_new(&r->window, config->window, config->seed, err);
    if (rc == 0 && config->dedup_most > 0)
        rc = dedup_new(&r->dedup, config->dedup_most, &config->secret, err);
    if (rc != 0) {
        reader_free(r);
        return rc;
    }
    *out = r;
    return 0;
}

void reader_free(struct reader *r)
{
    if (r == NULL)
        return;
    dedup_free(r->dedup);
    shuffle_free(r->window);
    free(r);
}

/* A hash, and not the number itself: lists often alternate, IPv4 and IPv6 of one name for instance.
 */
unsigned reader_shard(uint64_t line, unsigned shards)
{
    static const struct rs_key key = {UINT64_C(0x7261777370696465), UINT64_C(0x722d736861726473)};
    uint8_t bytes[8];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(line >> (8 * i));
    return shards < 2 ? 0 : (unsigned)(rs_siphash(&key, bytes, sizeof bytes) % shards);
}

static bool is_ours(const struct reader *r, const struct job *job)
{
    return reader_shard(job->line, r->config.shards) == r->config.shard;
}

static uint64_t first_line(struct reader *r, const struct job *job)
{
    if (r->dedup == NULL)
        return 0;
    struct dedup_target t = {.dip = &job->dip,
                             .dp = job->dp != 0 ? job->dp : r->config.default_port,
                             .domain = job->domain,
                             .mode = r->config.mode};
    bool full = dedup_is_full(r->dedup);
    uint64_t line = dedup_line(r->dedup, &t, job->line);
    if (line == 0 && full && !r->told_full) {
        char text[200];
        snprintf(text, sizeof text,
                 "--dedup: %zu targets are remembered, and no more fit: what is new from line "
                 "%" PRIu64 " on is measured as often as it comes (--dedup-most N for more)",
                 r->config.dedup_most, job->line);
        r->told_full = true;
        r->config.notice(r->config.ctx, text);
    }
    return line;
}

static void refuse(struct reader_job *out, const char *condition, const char *problem)
{
    out->refusal = condition;
    out->problem = problem;
}

/* The counter of what is wrong with the job, or NULL when it can be measured. */
static uint64_t *judge(struct reader *r, struct reader_job *out)
{
    const struct job *job = &out->job;
    char addr[WIRE_ADDR_TEXT];
    refuse(out, NULL, NULL);
    if (job->problem[0] != '\0') {
        refuse(out, "measure.invalid_input", job->problem);
        return &r->counts.invalid;
    }
    const char *entry = blocklist_match(r->config.blocklist, &job->dip);
    if (entry != NULL) {
        snprintf(r->problem, sizeof r->problem, "%s is on the blocklist: %s",
                 wire_addr_format(&job->dip, addr), entry);
        refuse(out, "measure.blocked", r->problem);
        return &r->counts.blocked;
    }
    uint64_t line = first_line(r, job);
    if (line != 0) {
        snprintf(r->condition, sizeof r->condition, "measure.duplicate_of:%" PRIu64, line);
        snprintf(r->problem, sizeof r->problem,
                 "address, port, domain and mode are those of line %" PRIu64, line);
        refuse(out, r->condition, r->problem);
        return &r->counts.duplicates;
    }
    return NULL;
}

/* 0: the job is not to be measured. READER_MORE: it waits in the window, or is of another shard. */
static int read_one(struct reader *r, struct reader_job *out)
{
    int rc = input_next(r->config.input, &out->job);
    if (rc != 0)
        return rc;
    if (reader_has_enough(r)) {
        r->limited = true;
        return -RS_EEND;
    }
    r->jobs++;
    uint64_t *wrong = judge(r, out);
    if (!is_ours(r, &out->job))
        return READER_MORE;
    r->counts.lines++;
    if (wrong != NULL) {
        ++*wrong;
        return 0;
    }
    if (shuffle_put(r->window, &out->job) == 0)
        return READER_MORE;
    r->counts.lost++;
    refuse(out, NULL, "no memory for another target");
    return 0;
}

static int take(struct reader *r, struct reader_job *out)
{
    shuffle_take(r->window, &out->job);
    refuse(out, NULL, r->stopped);
    return 0;
}

/* From a full window one is taken for each that is read; from what there is, when there is nothing
 * to read now: a slow pipe is not waited for. So what is taken depends on the input alone. */
int reader_next(struct reader *r, struct reader_job *out)
{
    for (unsigned n = 0; n < LINES_A_CALL; n++) {
        int rc = r->ended;
        if (rc == 0 && !shuffle_is_full(r->window)) {
            rc = read_one(r, out);
            if (rc == 0)
                return 0;
            if (rc == READER_MORE)
                continue;
            if (rc != -RS_EAGAIN)
                r->ended = rc;
        }
        return shuffle_count(r->window) > 0 ? take(r, out) : rc;
    }
    return READER_MORE;
}

bool reader_has_enough(const struct reader *r)
{
    return r->config.targets_most != 0 && r->jobs >= r->config.targets_most;
}

bool reader_was_limited(const struct reader *r)
{
    return r->limited;
}

bool reader_has_more(struct reader *r)
{
    struct reader_job next;
    if (shuffle_count(r->window) > 0)
        return true;
    while (r->ended == 0) {
        int rc = input_next(r->config.input, &next.job);
        if (rc == -RS_EAGAIN || (rc == 0 && (reader_has_enough(r) || is_ours(r, &next.job))))
            return true;
        r->ended = rc;
    }
    return false;
}

void reader_stop(struct reader *r, const char *why)
{
    r->stopped = why;
    if (r->ended == 0)
        r->ended = -RS_EEND;
}

const struct reader_counts *reader_counts(const struct reader *r)
{
    return &r->counts;
}
