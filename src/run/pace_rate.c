/* SPDX-License-Identifier: GPL-3.0-or-later
 * The rate of -r 0. Time goes in epochs of 50 ms, and every answer is booked to the epoch whose
 * SYN it answers, so that each epoch shows what became of what left at its rate:
 *   on time  answered at the first try;
 *   late     alive, but its first SYN (or that one's answer, or its request) was lost.
 * What is never answered counts nowhere: silence is no loss.
 *
 * Late answers come a second after the loss, so the rate grows by them slowly. It climbs fast,
 * twice as much each time, only at the start, and only as long as the share of SYNs that are
 * answered at once stays what it was; when that falls it goes back a step and climbs no more. That
 * is no proof of loss, so it is not taken for more than that.
 *
 * Loss has two causes. What we cause goes away when we slow down, what the path has by itself does
 * not: each slowing down for late answers is a trial. If their share stays, it is the path's own,
 * becomes the measure (`own`), and the rate returns. Otherwise the rate comes back quickly to just
 * below where loss began, and passes that place slowly. What this host loses is always our doing.
 */
#include "run/pace_int.h"

#define EPOCH    (50 * RS_MS)
#define A_SECOND 20u /* epochs */

#define RATE_FIRST 2000.0
#define RATE_LEAST 200.0
#define RATE_MOST  1e7

#define USED          0.7 /* of the rate, at least: what nobody uses proves nothing */
#define USED_MOST     1.2 /* times what is used is all that a rate means when it is cut */
#define RETRY_EPOCHS  (A_SECOND + 4u) /* for the second SYN, and some slack */
#define DELAY_MOST    40u             /* epochs for an answer: its epoch must still be there */
#define CLIMB_ANSWERS 100u
#define CLIMB_SHARE   0.85 /* of the former share: less, and answers do not follow */
#define CLIMB_USED    0.5  /* retries of silent targets come only later */

#define MEMORY        200.0 /* answers; and of them is left, after an epoch: */
#define MEMORY_LEAST  0.7
#define MEMORY_MOST   0.97
#define OWN_FIRST     0.02
#define OWN_LEAST     0.005
#define OWN_MOST      0.3
#define LATE_LEAST    0.02 /* a share that is always borne; and of the path's own share: */
#define LATE_TIMES    2.5
#define LATE_BEYOND   0.05
#define TRIAL_ANSWERS 200.0
#define TRIAL_EPOCHS  (5u * A_SECOND)
#define TRIAL_SAME    0.75 /* of the share before: so much is no improvement */

#define CUT_LATE     0.8
#define CUT_CLIMB    0.5 /* it was far too much: retries need room */
#define CUT_LOCAL    0.7
#define CUT_GAP      (200 * RS_MS) /* one cut for one event on this host */
#define AFTERMATH_S  0.5           /* of the packets that a cut takes away are under way */
#define SECOND_TRIES A_SECOND      /* epochs until they are through */
#define THIRD_TRIES  (3u * A_SECOND + 4u)

#define GROW_MOST   0.01             /* an epoch */
#define GROW_LEAST  0.0005           /* near where loss began, and more the longer there is none: */
#define GROW_LONGER (6.0 * A_SECOND) /* for as much again */
#define PROVEN      1.35             /* GROW_MOST over the time that late answers take */

static struct pace_epoch *epoch(struct pace *p, uint64_t number)
{
    return &p->epoch[number % PACE_EPOCHS];
}

static double clamp(double x, double least, double most)
{
    return x < least ? least : x > most ? most : x;
}

static void set_rate(struct engine *e, double rate)
{
    struct pace *p = &e->pace;
    double before = p->rate;
    p->rate = clamp(rate, RATE_LEAST, RATE_MOST);
    if (p->rate < before) /* what began at the old rate has packets to send still */
        p->tokens -= (before - p->rate) * AFTERMATH_S;
    e->counters.pace_rate = (uint64_t)p->rate;
}

static void begin_epoch(struct pace *p)
{
    *epoch(p, p->now_no) = (struct pace_epoch){.rate = p->rate};
}

void pace_rate_init(struct engine *e, rs_mono now)
{
    struct pace *p = &e->pace;
    p->rate = e->config.rate != 0 ? (double)e->config.rate : RATE_FIRST;
    e->counters.pace_rate = (uint64_t)p->rate;
    p->climbing = true;
    p->own = OWN_FIRST;
    p->epoch_end = rs_mono_add(now, EPOCH);
    p->cut_at = now;
    begin_epoch(p);
}

void pace_rate_sent(struct engine *e)
{
    epoch(&e->pace, e->pace.now_no)->sent++;
}

void pace_rate_started(struct engine *e, struct conn *c)
{
    c->began_us = (uint32_t)(e->pace.refilled.ns / RS_US);
    epoch(&e->pace, e->pace.now_no)->arms++;
}

static uint64_t since_us(const struct conn *c, rs_mono now)
{
    return (uint32_t)((uint32_t)(now.ns / RS_US) - c->began_us);
}

/* The epoch in which the connection began; NULL: too long ago. */
static struct pace_epoch *epoch_of(struct pace *p, const struct conn *c)
{
    uint64_t into = EPOCH - rs_mono_diff(p->epoch_end, p->refilled);
    uint64_t ago = since_us(c, p->refilled) * RS_US;
    uint64_t number = ago <= into ? 0 : (ago - into + EPOCH - 1) / EPOCH;
    return number < PACE_EPOCHS && number <= p->now_no ? epoch(p, p->now_no - number) : NULL;
}

void pace_answered(struct engine *e, struct conn *c, bool late, rs_mono now)
{
    struct pace *p = &e->pace;
    struct pace_epoch *asked = epoch_of(p, c), *here = epoch(p, p->now_no);
    if (asked == NULL)
        return;
    if (late) {
        asked->late++;
        return;
    }
    asked->on_time++;
    c->on_time = true;
    here->answers++;
    here->delays_us += since_us(c, now);
}

void pace_resent(struct engine *e, struct conn *c)
{
    struct pace_epoch *asked = epoch_of(&e->pace, c);
    if (!c->on_time || asked == NULL || asked->on_time == 0)
        return;
    c->on_time = false;
    asked->on_time--;
    asked->late++;
}

/* In whole epochs, until nearly all answers to an epoch's first SYNs are there. */
static unsigned delay(const struct pace *p)
{
    double epochs = 1.5 * p->delay_us * RS_US / (double)EPOCH + 0.9;
    return epochs < DELAY_MOST ? (unsigned)epochs : DELAY_MOST;
}

static void learn_delay(struct pace *p)
{
    const struct pace_epoch *last = epoch(p, p->now_no - 1);
    if (last->answers == 0)
        return;
    double mean = (double)last->delays_us / last->answers;
    p->delay_us += (mean - p->delay_us) / (mean > p->delay_us ? 2 : 16);
}

/* Nothing that was sent up to now, nor while its retries crowd the path, counts against the new
 * rate. */
static void forget(struct pace *p, unsigned aftermath)
{
    p->clean_from = p->now_no + aftermath;
    p->grown = 0;
    p->answers = p->late = 0;
}

/* More than three standard deviations of a count with this variance. */
static bool is_beyond(double more, double variance)
{
    return more > 0 && more * more > 9 * variance;
}

/* The window since the last step is over when there were answers enough, or, where there are few,
 * when late ones would have come. */
static void climb(struct engine *e)
{
    struct pace *p = &e->pace;
    double arms = 0, on_time = 0, sent = 0;
    uint64_t from = p->step_from, to = p->now_no - delay(p);
    if (p->now_no < from + delay(p) + 1)
        return;
    for (uint64_t i = from; i < to; i++) {
        const struct pace_epoch *one = epoch(p, i);
        arms += one->arms;
        on_time += one->on_time;
        sent += one->sent;
    }
    bool told = on_time >= CLIMB_ANSWERS;
    if (!told && p->now_no < from + RETRY_EPOCHS + delay(p))
        return;
    p->step_from = p->now_no;
    double expected = p->share * arms;
    if (told && on_time < CLIMB_SHARE * expected && is_beyond(expected - on_time, 2 * expected)) {
        p->climbing = false;
        double carried = sent * A_SECOND / (double)(to - from) * on_time / expected;
        p->ceiling = clamp(carried, p->rate / 4, p->rate / 2);
        set_rate(e, p->ceiling * CUT_CLIMB);
        forget(p, THIRD_TRIES);
        return;
    }
    if (told)
        p->share = p->share > 0 ? (p->share + on_time / arms) / 2 : on_time / arms;
    if (sent >= CLIMB_USED * p->rate * (double)(to - from) / A_SECOND)
        set_rate(e, p->rate * 2);
}

/* What the rate of late means: what was sent, if that was less and more than next to nothing. */
static double used_rate(struct pace *p)
{
    unsigned most = 0;
    for (uint64_t i = p->now_no; i > 0 && i + A_SECOND > p->now_no; i--)
        most = epoch(p, i)->sent > most ? epoch(p, i)->sent : most;
    return clamp(USED_MOST * most * A_SECOND, clamp(p->rate, 0, RATE_FIRST), p->rate);
}

static void cut_late(struct engine *e, const struct pace_epoch *shown)
{
    struct pace *p = &e->pace;
    double share = p->late / p->answers;
    /* Second tries are lost as often as first ones: of all that live, a share p/(1+p) is late. */
    double lost = share < 1.0 / 3 ? share / (1 - share) : 0.5;
    p->before_trial = p->rate;
    p->trial_share = share;
    p->trial = 1;
    p->climbing = false;
    p->ceiling = clamp(shown->rate * (1 - lost), 0, used_rate(p));
    set_rate(e, p->ceiling * CUT_LATE);
    forget(p, SECOND_TRIES);
    e->counters.pace_late_cuts++;
}

/* One that finds no improvement is made again at half the rate: the first may not have slowed down
 * enough. */
static void conclude_trial(struct engine *e)
{
    struct pace *p = &e->pace;
    if (p->answers < TRIAL_ANSWERS && p->now_no < p->clean_from + TRIAL_EPOCHS)
        return;
    bool told = p->answers >= TRIAL_ANSWERS;
    double share = told ? p->late / p->answers : 0;
    bool same = told && share >= TRIAL_SAME * p->trial_share;
    if (same && p->trial == 1) {
        p->trial = 2;
        set_rate(e, p->rate / 2);
        forget(p, SECOND_TRIES);
        return;
    }
    p->trial = 0;
    if (told)
        p->own = clamp(share, OWN_LEAST, OWN_MOST);
    if (!same)
        return;
    p->ceiling = p->before_trial;
    if (p->rate < p->before_trial)
        set_rate(e, p->before_trial);
    forget(p, SECOND_TRIES);
}

/* A clean epoch proves no more than its own rate. */
static void grow(struct engine *e, const struct pace_epoch *shown)
{
    struct pace *p = &e->pace;
    const struct pace_epoch *last = epoch(p, p->now_no - 1);
    if (p->climbing || last->sent < USED * last->rate / A_SECOND || p->rate > PROVEN * shown->rate)
        return;
    double step = GROW_MOST;
    if (p->ceiling > 0 && p->rate > 0.9 * p->ceiling)
        step = clamp(GROW_LEAST * (1 + p->grown++ / GROW_LONGER), 0, GROW_MOST);
    set_rate(e, p->rate * (1 + step));
}

/* The epoch of which late answers must be there by now. */
static void judge(struct engine *e)
{
    struct pace *p = &e->pace;
    uint64_t old = RETRY_EPOCHS + 2 * delay(p);
    if (p->now_no < p->clean_from + old)
        return;
    const struct pace_epoch *shown = epoch(p, p->now_no - old);
    unsigned n = shown->on_time + shown->late;
    double memory = p->trial != 0 ? 1 : clamp(1 - n / MEMORY, MEMORY_LEAST, MEMORY_MOST);
    p->answers = p->answers * memory + n;
    p->late = p->late * memory + shown->late;
    if (p->trial != 0) {
        conclude_trial(e);
        return;
    }
    double share = p->answers > 0 ? p->late / p->answers : 0;
    double borne = p->answers * clamp(p->own * LATE_TIMES, LATE_LEAST, p->own + LATE_BEYOND);
    if (is_beyond(p->late - borne - 2, borne)) {
        cut_late(e, shown);
        return;
    }
    if (p->answers >= TRIAL_ANSWERS / 2 && share < p->own)
        p->own += (share - p->own) / 20;
    p->own = p->own < OWN_LEAST ? OWN_LEAST : p->own;
    grow(e, shown);
}

void pace_rate_tick(struct engine *e, rs_mono now)
{
    struct pace *p = &e->pace;
    if (!rs_mono_reached(p->epoch_end, now))
        return;
    uint64_t drops = e->ops.drops(e->ops.ctx, false);
    if (drops > p->drops)
        engine_pressure(e, now);
    p->drops = drops;
    for (unsigned i = 0; i < PACE_EPOCHS && rs_mono_reached(p->epoch_end, now); i++) {
        p->now_no++;
        p->epoch_end = rs_mono_add(p->epoch_end, EPOCH);
        begin_epoch(p);
        learn_delay(p);
        if (e->config.rate != 0)
            continue;
        if (p->climbing)
            climb(e);
        judge(e);
        epoch(p, p->now_no)->rate = p->rate;
    }
    if (rs_mono_reached(p->epoch_end, now)) /* nothing happened for longer than epochs are kept */
        p->epoch_end = rs_mono_add(now, EPOCH);
}

void pace_rate_pressure(struct engine *e, rs_mono now)
{
    struct pace *p = &e->pace;
    if (e->config.rate != 0 || rs_mono_diff(now, p->cut_at) < CUT_GAP)
        return;
    p->cut_at = now;
    p->climbing = false;
    p->trial = 0;
    p->ceiling = used_rate(p);
    set_rate(e, p->ceiling * CUT_LOCAL);
    forget(p, SECOND_TRIES);
    e->counters.pace_local_cuts++;
}
