/* SPDX-License-Identifier: GPL-3.0-or-later
 * The run itself: one event loop, one turn after another. */
#include "run/measure.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "net/clock.h"
#include "run/measure_int.h"
#include "wire/link.h"

#define CAPTURE_BUDGET 2048
#define LINGER         (2 * RS_SEC) /* the guard outlives the last flow: late segments still come */

static void on_packet(void *ctx, const struct capture_packet *p)
{
    struct measure *m = ctx;
    struct wire_addr neighbour;
    uint8_t mac[6];
    rs_mono now = clock_mono();
    if (p->ethertype == WIRE_ETHER_ARP || (p->ethertype == 0x86dd && !p->outgoing)) {
        if (capture_neighbour(p, &neighbour, mac)) {
            router_neighbour_seen(m->router, &neighbour, mac, now);
            return;
        }
        if (p->ethertype == WIRE_ETHER_ARP)
            return;
    }
    engine_packet(m->engine, p->ip, p->ip_captured, p->at, p->outgoing, now);
}

static void on_capture(void *ctx)
{
    struct measure *m = ctx;
    if (capture_read(m->capture, on_packet, m, CAPTURE_BUDGET) < 0)
        outage_look(&m->outage, router_changes(m->router), clock_mono());
}

void measure_news(struct measure *m)
{
    router_read(m->router);
    outage_news(&m->outage, router_changes(m->router), clock_mono());
    if (router_outages(m->router) != m->outages)
        engine_outage(m->engine);
    m->outages = router_outages(m->router);
}

static void on_router(void *ctx)
{
    measure_news(ctx);
}

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
        engine_drain(m->engine);
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
    capture_stats(m->capture, &m->drops);
    p->lines = m->lines;
    p->records = m->records;
    p->resumed = m->resume.skipped;
    p->blocked = m->blocked;
    p->invalid = m->invalid;
    p->in_flight = engine_in_flight(m->engine);
    p->elapsed = (double)rs_mono_diff(clock_mono(), m->started) / 1e9;
    p->kernel_dropped = m->drops.kernel_dropped;
    p->iface_dropped = m->drops.iface_dropped;
    p->sendto_retries = inject_stats(m->inject)->retries;
    p->counters = engine_counters(m->engine);
    m->lost = m->lost || p->counters->records_lost > 0;
    p->input_ended = m->input_ended;
    p->limit_reached = m->limit_reached;
    guard_ports(m->guard, &p->ports);
    p->ports_taken = guard_taken(m->guard);
    p->output_bytes = output_bytes(m->output);
    p->table_bytes = engine_table_bytes(m->engine);
}

static void tell_progress(struct measure *m, rs_mono now)
{
    struct measure_progress p;
    uint64_t before = m->drops.kernel_dropped;
    measure_fill_progress(m, &p);
    if (p.kernel_dropped > before)
        engine_pressure(m->engine, now);
    if (m->ui->progress != NULL)
        m->ui->progress(m->ui->ctx, &p);
    writer_second(m, &p);
    outage_news(&m->outage, router_changes(m->router), now);
    if (m->pcap != NULL)
        pcapout_flush(m->pcap);
    m->next_progress = rs_mono_add(now, RS_SEC);
}

/* True when the run is over. */
static bool finished(struct measure *m, rs_mono now)
{
    if (m->failed)
        return true;
    if (!engine_idle(m->engine))
        m->busy_until = now;
    if (m->stopping && (engine_idle(m->engine) || rs_mono_reached(m->drain_until, now)))
        engine_stop(m->engine, now);
    if (m->signals > 1)
        return true;
    return (m->input_ended || m->stopping) && engine_idle(m->engine) &&
           (!engine_untidy(m->engine) || rs_mono_reached(rs_mono_add(m->busy_until, LINGER), now));
}

static void turn(void *ctx)
{
    struct measure *m = ctx;
    rs_mono now = clock_mono();
    bool more = measure_feed(m);
    if (m->failed) /* perhaps this is another list: nothing of it is sent */
        return;
    rs_mono next = engine_turn(m->engine, now);
    if (inject_pressure(m->inject) > 0)
        engine_pressure(m->engine, now);
    if (inject_waiting(m->inject) > 0)
        next = rs_mono_min(next, rs_mono_add(now, RS_MS));
    if (rs_mono_reached(m->next_progress, now))
        tell_progress(m, now);
    if (finished(m, now)) {
        loop_stop(m->loop);
        return;
    }
    if (more && engine_has_room(m->engine)) /* this turn may have made it */
        next = now;
    if ((m->input_ended || m->stopping) && engine_idle(m->engine))
        next = rs_mono_min(next, rs_mono_add(m->busy_until, LINGER));
    if (m->stopping)
        next = rs_mono_min(next, m->drain_until);
    loop_wake_at(m->loop, rs_mono_min(next, m->next_progress));
}

static int watch(struct measure *m)
{
    m->loop = loop_new(m->err);
    if (m->loop == NULL)
        return -RS_ESYS;
    int rc = loop_watch(m->loop, capture_fd(m->capture), on_capture, m);
    if (rc >= 0)
        rc = loop_watch(m->loop, router_fd(m->router), on_router, m);
    if (rc >= 0 && input_fd(m->input) >= 0)
        rc = m->input_watch = loop_watch(m->loop, input_fd(m->input), on_input, m);
    if (rc >= 0)
        rc = loop_signal(m->loop, SIGINT, on_signal, m);
    if (rc >= 0)
        rc = loop_signal(m->loop, SIGTERM, on_signal, m);
    if (rc < 0)
        return rs_fail(m->err, RS_ESYS, "the event loop cannot watch what it must");
    loop_on_wake(m->loop, on_wake, m);
    loop_on_turn(m->loop, turn, m);
    return 0;
}

static void warn(struct measure *m)
{
    char text[200];
    if (m->iface.gro) {
        snprintf(text, sizeof text,
                 "generic receive offload is on at %s: marks are safe, packet counts in flow "
                 "records are not",
                 m->iface.name);
        m->ui->notice(m->ui->ctx, text);
    }
    if (guard_short_of_descriptors(m->guard)) {
        unsigned n;
        guard_ports(m->guard, &n);
        snprintf(
            text, sizeof text,
            "only %u source ports are used: the limit of open files (ulimit -n) allows no more", n);
        m->ui->notice(m->ui->ctx, text);
    }
}

static int run(struct measure *m)
{
    int rc = watch(m);
    if (rc != 0)
        return rc;
    warn(m);
    m->started = clock_mono();
    m->next_progress = rs_mono_add(m->started, RS_SEC);
    loop_wake_at(m->loop, m->started);
    loop_run(m->loop);
    if (m->failed) /* the records are lost, but peers are not to be left with open connections */
        engine_stop(m->engine, clock_mono());
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

int measure_run(const struct measure_options *o,
                const struct measure_ui *ui,
                enum measure_end *end,
                int *signo,
                struct rs_err *err)
{
    struct measure m = {.o = o, .ui = ui, .err = err};
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
           : m.limit_reached ? MEASURE_LIMIT
                             : MEASURE_DONE;
    measure_close(&m);
    return rc;
}
