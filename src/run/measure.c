/* SPDX-License-Identifier: GPL-3.0-or-later
 * The run itself: one event loop, one turn after another. */
#include "run/measure.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "net/clock.h"
#include "run/measure_int.h"

static void on_input(void *ctx)
{
    (void)ctx; /* the turn reads */
}

static void on_wake(void *ctx)
{
    (void)ctx; /* the turn does the work */
}

static void on_signal(void *ctx, int signo)
{
    struct measure *m = ctx;
    m->signo = signo;
    if (m->signals++ == 0) {
        m->stopping = true;
        crew_drain(m->crew);
        measure_read_no_more(m, "the run was stopped");
        m->drain_until = rs_mono_add(clock_mono(), (uint64_t)(m->o->timeout * 1e9));
        m->ui->notice(m->ui->ctx,
                      "stopping: finishing what is in flight; once more to stop at once");
    } else {
        m->drain_until = (rs_mono){0};
    }
}

void measure_fill_progress(struct measure *m, struct measure_progress *p)
{
    memset(p, 0, sizeof *p);
    crew_counts(m->crew, &m->counts);
    const struct reader_counts *read = reader_counts(m->reader);
    p->lines = read->lines;
    p->records = m->records;
    p->resumed = m->resume.skipped;
    p->blocked = read->blocked;
    p->invalid = read->invalid;
    p->duplicates = read->duplicates;
    p->in_flight = (unsigned)m->counts.in_flight;
    p->elapsed = (double)rs_mono_diff(clock_mono(), m->started) / 1e9;
    p->kernel_dropped = m->counts.capture.kernel_dropped;
    p->iface_dropped = m->counts.capture.iface_dropped;
    p->sendto_retries = m->counts.sendto_retries;
    p->counters = &m->counts.engine;
    m->lost = m->lost || p->counters->records_lost > 0 || m->counts.unplaced > 0;
    p->input_ended = m->input_ended;
    p->limit_reached = m->limit_reached;
    p->ports = (unsigned)m->counts.ports;
    p->ports_taken = (unsigned)m->counts.ports_taken;
    p->output_bytes = output_bytes(m->output);
    p->table_bytes = m->counts.table_bytes;
}

static void tell_progress(struct measure *m, rs_mono now)
{
    struct measure_progress p;
    measure_fill_progress(m, &p);
    if (m->ui->progress != NULL)
        m->ui->progress(m->ui->ctx, &p);
    writer_second(m, &p);
    if (m->pcap != NULL)
        pcapout_flush(m->pcap);
    m->next_progress = rs_mono_add(now, RS_SEC);
}

/* True when the run is over. */
static bool finished(struct measure *m, rs_mono now)
{
    if (m->failed)
        return true;
    if (m->stopping && rs_mono_reached(m->drain_until, now)) {
        m->drain_until = RS_NEVER;
        if (m->signals > 1)
            crew_quit(m->crew, now);
        else
            crew_stop(m->crew, now);
    }
    return crew_rests(m->crew, now, m->input_ended || m->stopping);
}

static void turn(void *ctx)
{
    struct measure *m = ctx;
    rs_mono now = clock_mono();
    bool more = measure_feed(m);
    if (m->failed) /* perhaps this is another list: nothing of it is sent */
        return;
    rs_mono next = crew_turn(m->crew, now);
    if (rs_mono_reached(m->next_progress, now))
        tell_progress(m, now);
    if (finished(m, now)) {
        loop_stop(m->loop);
        return;
    }
    if (more && crew_has_room(m->crew)) /* this turn may have made it */
        next = now;
    if (m->stopping)
        next = rs_mono_min(next, m->drain_until);
    loop_wake_at(m->loop, rs_mono_min(rs_mono_min(next, m->time_limit), m->next_progress));
}

static int watch(struct measure *m)
{
    m->loop = loop_new(m->err);
    if (m->loop == NULL)
        return -RS_ESYS;
    int rc = 0;
    if (input_fd(m->input) >= 0)
        rc = m->input_watch = loop_watch(m->loop, input_fd(m->input), on_input, m);
    if (rc >= 0)
        rc = loop_signal(m->loop, SIGINT, on_signal, m);
    if (rc >= 0)
        rc = loop_signal(m->loop, SIGTERM, on_signal, m);
    if (rc < 0)
        return rs_fail(m->err, RS_ESYS, "the event loop cannot watch what it must");
    loop_on_wake(m->loop, on_wake, m);
    loop_on_turn(m->loop, turn, m);
    return crew_start(m->crew, m->loop, m->err);
}

static int run(struct measure *m)
{
    int rc = watch(m);
    if (rc != 0)
        return rc;
    m->started = clock_mono();
    if (m->o->max_runtime > 0)
        m->time_limit = rs_mono_add(m->started, (uint64_t)(m->o->max_runtime * 1e9));
    m->next_progress = rs_mono_add(m->started, RS_SEC);
    loop_wake_at(m->loop, m->started);
    loop_run(m->loop);
    if (m->failed) /* the records are lost, but peers are not to be left with open connections */
        crew_stop(m->crew, clock_mono());
    return m->failed ? -RS_ESYS : 0;
}

/* Files report some errors only when they are closed. */
static int close_files(struct measure *m, int rc)
{
    struct rs_err late[4];
    const int closed[4] = {output_close(m->output, &late[0]), output_close(m->arm_log, &late[1]),
                           m->pcap != NULL ? pcapout_close(m->pcap, &late[2]) : 0,
                           output_close(m->updates, &late[3])};
    for (unsigned i = 0; i < 4 && rc == 0; i++)
        if ((rc = closed[i]) != 0)
            *m->err = late[i];
    return rc;
}

/* Also by -t, when the engine had taken targets that did not begin. */
static bool was_limited(const struct measure *m)
{
    return m->limit_reached || m->counts.engine.turned_away > 0;
}

int measure_run(const struct measure_options *o,
                const struct measure_ui *ui,
                enum measure_end *end,
                int *signo,
                struct rs_err *err)
{
    struct measure m = {.o = o, .ui = ui, .err = err, .time_limit = RS_NEVER};
    err->text[0] = '\0';
    int rc = measure_open(&m);
    if (rc == 0)
        rc = o->dryrun ? measure_dryrun(&m) : run(&m);
    if (m.loop != NULL) /* it has begun, however it ended */
        writer_last(&m);
    if (rc == 0 && !o->dryrun) {
        struct measure_progress p;
        measure_fill_progress(&m, &p);
        if (ui->progress != NULL)
            ui->progress(ui->ctx, &p);
        if (o->metadata != NULL)
            rc = measure_metadata(&m, err);
    }
    rc = close_files(&m, rc);
    *signo = m.signo;
    *end = m.signals > 0     ? MEASURE_SIGNAL
           : m.lost          ? MEASURE_LOST
           : was_limited(&m) ? MEASURE_LIMIT
                             : MEASURE_DONE;
    measure_close(&m);
    return rc;
}
