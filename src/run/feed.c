/* SPDX-License-Identifier: GPL-3.0-or-later
 * Jobs in and records out: one input line, exactly one record (law 4). */
#include <stdio.h>
#include <string.h>

#include "net/clock.h"
#include "run/measure_int.h"

#define JOBS_A_TURN  512u /* so that reading a file never starves the capture, ... */
#define READS_A_TURN 8u   /* ... nor passing over lines that are done or of other shards */

void measure_fail(struct measure *m, const char *text)
{
    if (m->failed)
        return;
    m->failed = true;
    if (text != m->err->text)
        snprintf(m->err->text, sizeof m->err->text, "%s", text);
    if (m->loop != NULL)
        loop_stop(m->loop);
}

static void input_ended(struct measure *m, int rc)
{
    m->input_ended = true;
    m->limit_reached = m->limit_reached || reader_was_limited(m->reader);
    if (rc == -RS_EINVAL) {
        measure_fail(m, reader_error(m->reader));
    } else if (rc == -RS_EPROTO) { /* not one line of it is what was asked for */
        measure_fail(m, input_error(m->input));
    } else if (rc != -RS_EEND) {
        m->ui->notice(m->ui->ctx, input_error(m->input));
        m->lost = true;
    }
}

/* A job that will not be measured gets its record at once. */
static void begin(struct measure *m, const struct reader_job *next)
{
    const struct job *job = &next->job;
    if (job->problem[0] != '\0')
        m->ui->notice(m->ui->ctx, job->problem);
    if (crew_give(m->crew, next) != 0 || reader_counts(m->reader)->lost > 0)
        m->lost = true;
}

/* True when there may be more to read now. `reads`: how often nothing came of many lines. */
static bool feed_one(struct measure *m, unsigned *reads)
{
    struct reader_job next;
    int rc = reader_next(m->reader, &next);
    if (rc == READER_MORE) {
        ++*reads;
        return true;
    }
    if (rc == 0)
        begin(m, &next);
    else if (rc != -RS_EAGAIN)
        input_ended(m, rc);
    else if (reader_has_enough(m->reader) && crew_idle(m->crew))
        m->input_ended = m->limit_reached = true; /* an open pipe is not waited for */
    return rc == 0 && !m->failed;
}

void measure_read_no_more(struct measure *m, const char *why)
{
    reader_stop(m->reader, why);
    m->reads_no_more = true;
}

/* -t: a limit, and no fault of the targets in flight, which are finished. */
static void look_at_the_time(struct measure *m)
{
    static const char why[] = "the time for new targets (-t) was over";
    if (!rs_mono_reached(m->time_limit, clock_mono()))
        return;
    m->time_limit = RS_NEVER;
    if (m->stopping)
        return;
    if (!m->input_ended) {
        m->limit_reached = reader_has_more(m->reader);
        measure_read_no_more(m, why);
    }
    crew_close(m->crew, why); /* also when all was read: it may wait for its turn */
}

bool measure_feed(struct measure *m)
{
    unsigned n = 0, reads = 0;
    bool more = true;
    look_at_the_time(m);
    while (
        more && !m->input_ended &&
        (m->reads_no_more || (crew_has_room(m->crew) && n++ < JOBS_A_TURN && reads < READS_A_TURN)))
        more = feed_one(m, &reads);
    if (m->input_watch >= 0) { /* a pipe: asked again only when there is room */
        if (m->input_ended || m->stopping)
            loop_unwatch(m->loop, m->input_watch);
        else if (crew_has_room(m->crew))
            loop_resume(m->loop, m->input_watch);
        else
            loop_pause(m->loop, m->input_watch);
    }
    return more && !m->input_ended && !m->stopping;
}

/* Waits for a pipe: there is no event loop in a dry run. */
static int next_job(struct measure *m, struct reader_job *next)
{
    int rc;
    while ((rc = reader_next(m->reader, next)) == READER_MORE ||
           (rc == -RS_EAGAIN && !reader_has_enough(m->reader)))
        if (rc == -RS_EAGAIN)
            input_wait(m->input);
    return rc;
}

int measure_dryrun(struct measure *m)
{
    struct reader_job next;
    int rc;
    while ((rc = next_job(m, &next)) == 0) {
        struct rs_err why = {""};
        if (next.job.problem[0] != '\0')
            rs_fail(&why, RS_EINVAL, "%s", next.job.problem);
        else if (next.problem != NULL)
            rs_fail(&why, RS_EINVAL, "line %llu: %s", (unsigned long long)next.job.text_line,
                    next.problem);
        else
            crew_dryrun(m->crew, &next.job, clock_mono(), &why);
        if (why.text[0] != '\0')
            m->ui->notice(m->ui->ctx, why.text);
    }
    m->limit_reached = rc == -RS_EAGAIN || reader_was_limited(m->reader);
    if (rc != -RS_EAGAIN && rc != -RS_EEND)
        return rs_fail(m->err, (enum rs_code) - rc, "%s", input_error(m->input));
    return 0;
}
