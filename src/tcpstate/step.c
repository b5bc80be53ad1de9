/* SPDX-License-Identifier: GPL-3.0-or-later
 * The interpreter of steps: one function a kind, run until one of them has to wait. */
#include "tcpstate/step.h"

#include <string.h>

#include "tcpstate/tcp_int.h"

struct turn { /* what a step may use */
    struct tcp *m;
    const uint8_t *request;
    uint32_t request_bytes;
    rs_mono now;
    struct tcp_out *out;
};

/* Returns true when the step is over. */
typedef bool (*step_fn)(struct script *s, const struct step *step, const struct turn *t);

void script_init(struct script *s, const struct step *steps, uint16_t n)
{
    memset(s, 0, sizeof *s);
    s->steps = steps;
    s->n = n;
    s->wait_until = RS_NEVER;
}

static bool timer_over(struct script *s, const struct step *step, rs_mono now)
{
    if (s->wait_until.ns == RS_NEVER.ns && step->timeout_ms > 0)
        s->wait_until = rs_mono_add(now, step->timeout_ms * RS_MS);
    return rs_mono_reached(s->wait_until, now);
}

static bool step_wait(struct script *s, const struct step *step, const struct turn *t)
{
    if ((s->seen & step->events) == step->events && step->events != 0)
        return true;
    if (!timer_over(s, step, t->now))
        return false;
    s->timed_out = s->timed_out || step->events != 0; /* a wait for nothing is a pause */
    return true;
}

static bool step_write(struct script *s, const struct step *step, const struct turn *t)
{
    uint32_t left = s->written < t->request_bytes ? t->request_bytes - s->written : 0;
    uint32_t n = step->bytes == 0 || step->bytes > left ? left : step->bytes;
    if (n > 0 && tcp_write(t->m, t->request + s->written, n, t->now) == 0)
        s->written += n;
    return true;
}

static bool step_hold_ack(struct script *s, const struct step *step, const struct turn *t)
{
    (void)s;
    (void)step;
    t->m->hold_ack = true;
    return true;
}

static bool step_release_ack(struct script *s, const struct step *step, const struct turn *t)
{
    (void)s;
    (void)step;
    t->m->hold_ack = false;
    return true;
}

static bool step_window(struct script *s, const struct step *step, const struct turn *t)
{
    (void)s;
    t->m->c.rcv_window = step->value;
    t->m->ack_due = true; /* looked at in synchronized states only */
    return true;
}

static bool step_segment(struct script *s, const struct step *step, const struct turn *t)
{
    uint32_t at = step->value < t->request_bytes ? step->value : t->request_bytes;
    uint32_t left = t->request_bytes - at;
    uint32_t n = step->bytes < left ? step->bytes : left;
    uint32_t end = step->value + n;
    if (!tcp_craft(t->m, step->flags, step->value, t->request + at, n, t->now, t->out))
        return false;
    if (n > 0 && s->written == step->value)
        s->written = end; /* STEP_WRITE goes on behind it */
    return true;
}

static bool step_silent(struct script *s, const struct step *step, const struct turn *t)
{
    t->m->mute = step->timeout_ms > 0 && !timer_over(s, step, t->now);
    return !t->m->mute;
}

static bool step_close(struct script *s, const struct step *step, const struct turn *t)
{
    (void)s;
    (void)step;
    tcp_close(t->m, t->now, t->out);
    return true;
}

static bool step_abort(struct script *s, const struct step *step, const struct turn *t)
{
    (void)s;
    (void)step;
    tcp_abort(t->m, t->now, t->out);
    return true;
}

static const step_fn on_step[STEP_N] = {
    [STEP_WAIT] = step_wait,         [STEP_WRITE] = step_write,
    [STEP_HOLD_ACK] = step_hold_ack, [STEP_RELEASE_ACK] = step_release_ack,
    [STEP_WINDOW] = step_window,     [STEP_SEGMENT] = step_segment,
    [STEP_SILENT] = step_silent,     [STEP_CLOSE] = step_close,
    [STEP_ABORT] = step_abort,
};

bool script_run(struct script *s,
                struct tcp *m,
                const uint8_t *request,
                uint32_t request_bytes,
                rs_mono now,
                struct tcp_out *out)
{
    const struct turn t = {m, request, request_bytes, now, out};
    s->seen |= out->events;
    while (s->at < s->n && on_step[s->steps[s->at].kind](s, &s->steps[s->at], &t)) {
        s->at++;
        s->seen = 0;
        s->wait_until = RS_NEVER;
    }
    bool over = s->at >= s->n || tcp_over(m);
    if (over)
        m->mute = false;
    return over;
}

rs_mono script_next_expiry(const struct script *s)
{
    return s->at < s->n ? s->wait_until : RS_NEVER;
}
