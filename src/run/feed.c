/* SPDX-License-Identifier: GPL-3.0-or-later
 * Jobs in and records out: one input line, exactly one record (law 4). */
#include <stdio.h>
#include <string.h>

#include "net/clock.h"
#include "run/measure_int.h"

#define JOBS_A_TURN 512u /* so that reading a file never starves the capture */

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

/* A job that will not be measured gets its record at once. */
static bool refused(struct measure *m, const struct job *job)
{
    if (job->problem[0] != '\0') {
        m->invalid++;
        m->ui->notice(m->ui->ctx, job->problem);
        engine_refuse(m->engine, job, "measure.invalid_input", job->problem);
        return true;
    }
    const char *entry = blocklist_match(m->blocklist, &job->dip);
    if (entry != NULL) {
        char text[256], addr[WIRE_ADDR_TEXT];
        m->blocked++;
        snprintf(text, sizeof text, "%s is on the blocklist: %s", wire_addr_format(&job->dip, addr),
                 entry);
        engine_refuse(m->engine, job, "measure.blocked", text);
        return true;
    }
    return false;
}

/* True when there may be more to read now. */
static bool feed_one(struct measure *m)
{
    struct job job;
    int rc = input_next(m->input, &job);
    bool enough = m->o->max_targets != 0 && m->jobs >= m->o->max_targets;
    if (rc == -RS_EAGAIN) { /* with all that was asked for done, an open pipe is not waited for */
        m->input_ended = m->limit_reached = enough && engine_idle(m->engine);
        return false;
    }
    if (rc == 0 && enough) {
        m->input_ended = true;
        m->limit_reached = true;
        return false;
    }
    if (rc == -RS_EEND && resume_input_ended(&m->resume, m->err) != 0)
        measure_fail(m, m->err->text);
    if (rc != 0) {
        m->input_ended = true;
        if (rc == -RS_EPROTO) { /* not one line of it is what was asked for */
            measure_fail(m, input_error(m->input));
        } else if (rc != -RS_EEND) {
            m->ui->notice(m->ui->ctx, input_error(m->input));
            m->lost = true;
        }
        return false;
    }
    m->lines++;
    m->jobs++;
    int skips = resume_skips(&m->resume, &job, m->err);
    if (skips < 0)
        measure_fail(m, m->err->text);
    if (skips != 0)
        return !m->failed;
    if (!refused(m, &job) && engine_add(m->engine, &job) != 0) {
        engine_refuse(m->engine, &job, "measure.incomplete", "no memory for another target");
        m->lost = true;
    }
    return !m->failed;
}

bool measure_feed(struct measure *m)
{
    unsigned n = 0;
    bool more = true;
    while (more && !m->input_ended && !m->stopping && engine_has_room(m->engine) &&
           n++ < JOBS_A_TURN)
        more = feed_one(m);
    if (m->input_watch >= 0) { /* a pipe: asked again only when there is room */
        if (m->input_ended || m->stopping)
            loop_unwatch(m->loop, m->input_watch);
        else if (engine_has_room(m->engine))
            loop_resume(m->loop, m->input_watch);
        else
            loop_pause(m->loop, m->input_watch);
    }
    return more && !m->input_ended && !m->stopping;
}

/* Waits for a pipe: there is no event loop in a dry run. */
static int next_job(struct measure *m, struct job *job)
{
    int rc;
    while ((rc = input_next(m->input, job)) == -RS_EAGAIN)
        input_wait(m->input);
    return rc;
}

int measure_dryrun(struct measure *m)
{
    struct job job;
    int rc = 0;
    while ((m->o->max_targets == 0 || m->jobs < m->o->max_targets) &&
           (rc = next_job(m, &job)) == 0) {
        struct rs_err why = {""};
        char addr[WIRE_ADDR_TEXT];
        m->jobs++;
        if (job.problem[0] != '\0') {
            m->ui->notice(m->ui->ctx, job.problem);
            continue;
        }
        const char *entry = blocklist_match(m->blocklist, &job.dip);
        if (entry != NULL)
            rs_fail(&why, RS_EINVAL, "line %llu: %s is on the blocklist: %s",
                    (unsigned long long)job.line, wire_addr_format(&job.dip, addr), entry);
        else
            engine_dryrun(m->engine, &job, clock_mono(), &why);
        if (why.text[0] != '\0')
            m->ui->notice(m->ui->ctx, why.text);
    }
    if (rc != 0 && rc != -RS_EEND)
        return rs_fail(m->err, (enum rs_code) - rc, "%s", input_error(m->input));
    return 0;
}
