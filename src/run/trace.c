/* SPDX-License-Identifier: GPL-3.0-or-later
 * --trace: everything that happened to one target, in order: packets, states, timers, and the row
 * that gave each condition. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "run/engine_int.h"
#include "wire/print.h"

static void line(struct engine *e,
                 const struct target *t,
                 const struct arm_log *log,
                 rs_wall at,
                 const char *text)
{
    char out[768], who[48] = "";
    double seconds = t->from.ns == 0 ? 0 : (double)(at.ns - t->from.ns) / 1e9;
    if (log != NULL)
        snprintf(who, sizeof who, " %s/%u:%u", e->arm_names[log->arm], log->round,
                 log->tuple.sport);
    snprintf(out, sizeof out, "%+.6f line %llu%s  %s", seconds, (unsigned long long)t->line, who,
             text);
    e->ops.trace(e->ops.ctx, out);
}

void trace_packet(struct engine *e,
                  const struct target *t,
                  const struct arm_log *log,
                  const struct wire_view *v,
                  const char *way,
                  rs_wall at,
                  const struct conn *c)
{
    if (!t->traced)
        return;
    char text[512];
    bool out = way[0] == 'o';
    uint32_t ours = c->tcp.c.iss, theirs = c->tcp.irs;
    int n = snprintf(text, sizeof text, "%-4s ", way);
    wire_print(text + n, sizeof text - (size_t)n, v, WIRE_PRINT_SHORT, out ? ours : theirs,
               out ? theirs : ours);
    line(e, t, log, at, text);
}

void trace_note(
    struct engine *e, const struct target *t, const struct arm_log *log, const char *format, ...)
{
    if (!t->traced)
        return;
    char text[256];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    line(e, t, log, e->ops.wall(e->ops.ctx), text);
}

void trace_state(struct engine *e, const struct conn *c, enum tcp_state before)
{
    enum tcp_state state = tcp_state(&c->tcp);
    if (state != before)
        trace_note(e, c->target, &c->held->a.log, "state %s -> %s", tcp_state_name(before),
                   tcp_state_name(state));
}

void trace_events(struct engine *e, const struct conn *c, uint32_t events)
{
    for (uint32_t bit = 1; bit != 0 && bit <= events; bit <<= 1)
        if (events & bit)
            trace_note(e, c->target, &c->held->a.log, "event %s",
                       tcp_event_name((enum tcp_event)bit));
}

void trace_verdict(struct engine *e, const struct target *t, const struct verdict *v)
{
    if (!t->traced)
        return;
    for (unsigned i = 0; i < v->n; i++) {
        const struct condition *row =
            v->row[i] == UINT16_MAX ? NULL : &e->config.plugin->conditions[v->row[i]];
        trace_note(e, t, NULL, "condition %s  (%s)", v->text[i],
                   row == NULL ? "no evidence, or a path per port" : row->clause);
    }
}
