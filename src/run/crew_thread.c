/* SPDX-License-Identifier: GPL-3.0-or-later
 * The worker's side of a crew with threads: jobs in, records out, a loop of its own. */
#include <string.h>

#include "net/clock.h"
#include "run/crew_int.h"

#define COUNTS_EVERY (100 * RS_MS)
#define JOBS_A_TURN  512u

struct job_head { /* of LETTER_JOB; raw, domain, problem of the job, condition and problem follow */
    uint64_t line;
    uint64_t raw_bytes;
    struct wire_addr dip;
    uint16_t dp;
    bool raw_is_json;
    uint32_t domain_bytes, why_bytes, refusal_bytes, problem_bytes; /* with NUL; 0: NULL */
};

static uint32_t with_nul(const char *text)
{
    return text == NULL ? 0 : (uint32_t)strlen(text) + 1;
}

int crew_post_job(struct hand *h, const struct reader_job *job)
{
    const struct job *j = &job->job;
    struct job_head head;
    memset(&head, 0, sizeof head); /* padding too: it is copied */
    head.line = j->line;
    head.raw_bytes = j->raw_bytes;
    head.dip = j->dip;
    head.dp = j->dp;
    head.raw_is_json = j->raw_is_json;
    head.domain_bytes = with_nul(j->domain);
    head.why_bytes = with_nul(j->problem);
    head.refusal_bytes = with_nul(job->refusal);
    head.problem_bytes = with_nul(job->problem);
    const struct letter_part parts[] = {{&head, sizeof head},
                                        {j->domain, head.domain_bytes},
                                        {j->problem, head.why_bytes},
                                        {job->refusal, head.refusal_bytes},
                                        {job->problem, head.problem_bytes},
                                        {j->raw, j->raw_bytes}};
    return mailbox_put(&h->to, LETTER_JOB, parts, sizeof parts / sizeof *parts);
}

static const char *text(const char **at, uint32_t n)
{
    const char *found = *at;
    *at += n;
    return n == 0 ? NULL : found;
}

static void read_job(const struct letter *l, struct reader_job *out)
{
    struct job_head head;
    memset(out, 0, sizeof *out);
    memcpy(&head, l->bytes, sizeof head);
    const char *at = (const char *)l->bytes + sizeof head;
    out->job = (struct job){.line = head.line,
                            .raw_bytes = (size_t)head.raw_bytes,
                            .raw_is_json = head.raw_is_json,
                            .dip = head.dip,
                            .dp = head.dp};
    out->job.domain = text(&at, head.domain_bytes);
    const char *why = text(&at, head.why_bytes);
    memcpy(out->job.problem, why, head.why_bytes);
    out->refusal = text(&at, head.refusal_bytes);
    out->problem = text(&at, head.problem_bytes);
    out->job.raw = at;
}

int crew_take_job(struct engine *e, const struct reader_job *job)
{
    if (job->refusal != NULL)
        engine_refuse(e, &job->job, job->refusal, job->problem);
    else if (job->problem != NULL)
        engine_turn_away(e, &job->job, job->problem);
    else if (engine_add(e, &job->job) != 0) {
        engine_refuse(e, &job->job, "measure.incomplete", "no memory for another target");
        return -RS_ENOMEM;
    }
    return 0;
}

static bool say(struct hand *h, enum letter_kind kind, const void *bytes, size_t n)
{
    struct letter_part part = {bytes, n};
    bool fits = mailbox_put(&h->from, kind, &part, 1) == 0;
    h->lost += !fits && kind == LETTER_RECORD;
    return fits;
}

static void record(void *ctx, const char *bytes, size_t n)
{
    say(ctx, LETTER_RECORD, bytes, n);
}

static void notice(void *ctx, const char *line)
{
    say(ctx, LETTER_NOTICE, line, strlen(line) + 1);
}

static void trace(void *ctx, const char *line)
{
    say(ctx, LETTER_TRACE, line, strlen(line) + 1);
}

static void fail(void *ctx, const char *line)
{
    say(ctx, LETTER_FAIL, line, strlen(line) + 1);
}

struct worker_ops crew_thread_ops(struct hand *h)
{
    return (struct worker_ops){
        .ctx = h, .record = record, .notice = notice, .trace = trace, .fail = fail};
}

static void obey(struct hand *h, struct engine *e, unsigned orders, rs_mono now)
{
    if (orders & ORDER_CLOSE)
        engine_close(e, h->why);
    if (orders & ORDER_DRAIN)
        engine_drain(e);
    if (orders & ORDER_STOP)
        engine_stop(e, now);
}

/* The next letter with a job; what waited for room first. */
static bool next_job(struct hand *h)
{
    while (!h->has_job) {
        if (!mailbox_next(&h->to, &h->job) &&
            (!mailbox_take(&h->to) || !mailbox_next(&h->to, &h->job)))
            return false;
        h->has_job = h->job.kind == LETTER_JOB;
    }
    return true;
}

/* True: there may be more to take at once. */
static bool take_jobs(struct hand *h, struct engine *e, unsigned orders)
{
    struct reader_job job;
    for (unsigned n = 0; n < JOBS_A_TURN || orders != 0; n++) {
        if (!next_job(h))
            return false;
        read_job(&h->job, &job);
        bool measured = job.refusal == NULL && job.problem == NULL;
        if (measured && orders & (ORDER_CLOSE | ORDER_DRAIN | ORDER_STOP))
            job.problem =
                orders & ORDER_CLOSE && !(orders & ORDER_DRAIN) ? h->why : "the run was stopped";
        else if (measured && !engine_has_room(e))
            return false;
        h->unplaced += crew_take_job(e, &job) != 0;
        h->has_job = false;
    }
    return true;
}

/* Everything it was given is done, and it may go. */
static bool is_over(struct hand *h, struct engine *e, unsigned orders, rs_mono now)
{
    if (!engine_idle(e) || h->has_job)
        h->busy_until = now;
    if (orders & ORDER_QUIT)
        return true;
    if (!(orders & ORDER_END) || !engine_idle(e) || h->has_job)
        return false;
    return !engine_untidy(e) || rs_mono_reached(rs_mono_add(h->busy_until, LINGER), now);
}

static void say_counts(struct hand *h, rs_mono now)
{
    struct worker_counts counts;
    h->crew->config.kind->counts(h->worker, &counts);
    counts.engine.records_lost += h->lost;
    counts.unplaced += h->unplaced;
    say(h, LETTER_COUNTS, &counts, sizeof counts);
    h->counts_at = rs_mono_add(now, COUNTS_EVERY);
}

static void turn(void *ctx)
{
    struct hand *h = ctx;
    const struct worker_kind *kind = h->crew->config.kind;
    struct engine *e = kind->engine(h->worker);
    rs_mono now = clock_mono();
    unsigned orders = __atomic_load_n(&h->orders, __ATOMIC_ACQUIRE);
    bool more = take_jobs(h, e, orders);
    obey(h, e, orders, now);
    rs_mono next = kind->turn(h->worker, now);
    bool over = is_over(h, e, orders, now);
    if (over || rs_mono_reached(h->counts_at, now))
        say_counts(h, now);
    if (over && !h->said_over)
        h->said_over = say(h, LETTER_OVER, NULL, 0);
    if (mailbox_post(&h->from) == 0 && h->said_over) { /* else again in a moment */
        loop_stop(h->loop);
        return;
    }
    if (more || (h->has_job && engine_has_room(e))) /* this turn may have made it */
        next = now;
    if (orders & ORDER_END)
        next = rs_mono_min(next, rs_mono_add(h->busy_until, LINGER));
    loop_wake_at(h->loop, rs_mono_min(next, h->counts_at));
}

static void on_mail(void *ctx)
{
    struct hand *h = ctx;
    mailbox_heard(&h->to); /* the turn reads, as far as there is room */
}

static void on_wake(void *ctx)
{
    (void)ctx; /* the turn does the work */
}

void *crew_thread(void *hand)
{
    struct hand *h = hand;
    h->busy_until = h->counts_at = clock_mono();
    if (loop_watch(h->loop, h->to.fd, on_mail, h) < 0) {
        fail(h, "the event loop cannot watch what it must");
        say(h, LETTER_OVER, NULL, 0);
        mailbox_post(&h->from);
        return NULL;
    }
    loop_on_wake(h->loop, on_wake, h);
    loop_on_turn(h->loop, turn, h);
    loop_wake_at(h->loop, clock_mono());
    loop_run(h->loop);
    return NULL;
}
