/* SPDX-License-Identifier: GPL-3.0-or-later
 * What an observer tells people in the end. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "run/observe_int.h"

void observe_say(const struct observe_ui *ui,
                 void (*to)(void *ctx, const char *text),
                 const char *format,
                 ...)
{
    char text[320];
    va_list args;
    if (to == NULL)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    to(ui->ctx, text);
}

static const char *of(uint64_t n, const char *one, const char *many)
{
    return n == 1 ? one : many;
}

static void say_lost(const struct observe_ui *ui, const struct observe_facts *f)
{
    const struct aging_stats *a = f->aging;
    uint64_t dropped = f->trace.kernel_dropped + f->trace.iface_dropped;
    uint64_t evicted = a->ended[FLOW_END_EVICTED];
    if (dropped > 0)
        observe_say(ui, ui->notice, "%" PRIu64 " %s dropped before %s could be read", dropped,
                    of(dropped, "packet was", "packets were"), of(dropped, "it", "they"));
    if (evicted > 0)
        observe_say(ui, ui->notice,
                    "%" PRIu64 " %s cut short: more than %" PRIu64
                    " at once; --flows N makes the table larger",
                    evicted, of(evicted, "flow was", "flows were"), f->flows_most);
    if (a->lost > 0)
        observe_say(ui, ui->notice, "%" PRIu64 " %s left out: no memory for %s", a->lost,
                    of(a->lost, "packet was", "packets were"),
                    of(a->lost, "its flow", "their flows"));
}

static void say_odd(const struct observe_ui *ui, const struct observe_facts *f)
{
    const struct trace_stats *s = &f->trace;
    uint64_t backwards = f->aging->backwards, damaged = f->damaged + s->cut;
    if (backwards > 0)
        observe_say(ui, ui->notice,
                    "%" PRIu64 " %s an earlier time stamp than one before %s; flows age by the "
                    "latest",
                    backwards, of(backwards, "packet has", "packets have"),
                    of(backwards, "it", "them"));
    if (damaged > 0)
        observe_say(ui, ui->notice, "%" PRIu64 " %s left out: damaged, or cut off in %s", damaged,
                    of(damaged, "packet was", "packets were"),
                    of(damaged, "its headers", "their headers"));
    if (s->no_link > 0)
        observe_say(ui, ui->notice, "%" PRIu64 " %s left out: of a link type that cannot be read",
                    s->no_link, of(s->no_link, "frame was", "frames were"));
    if (s->frames == 1 && s->packets == 0)
        observe_say(ui, ui->notice, "the only frame carries no IP");
    else if (s->packets == 0 && s->frames > 0)
        observe_say(ui, ui->notice, "none of the %" PRIu64 " frames carries IP", s->frames);
}

void observe_tell(const struct observe_ui *ui, const struct observe_facts *f)
{
    const struct aging_stats *a = f->aging;
    const struct trace_stats *s = &f->trace;
    say_lost(ui, f);
    say_odd(ui, f);
    observe_say(ui, ui->detail,
                "%s: %" PRIu64 " %s, %" PRIu64 " without IP; %" PRIu64 " %s, %" PRIu64
                " %s, %" PRIu64 " %s, %" PRIu64 " %s of flows",
                f->kind, s->frames, of(s->frames, "frame", "frames"), s->no_ip, a->packets,
                of(a->packets, "packet", "packets"), a->fragments,
                of(a->fragments, "fragment", "fragments"), a->bad_checksum,
                of(a->bad_checksum, "bad checksum", "bad checksums"), a->icmp_errors,
                of(a->icmp_errors, "ICMP error", "ICMP errors"));
    observe_say(ui, ui->detail,
                "%" PRIu64 " %s: %" PRIu64 " closed, %" PRIu64 " idle, %" PRIu64 " active, %" PRIu64
                " evicted, %" PRIu64 " at the end; at most %zu at once, %zu bytes each",
                a->flows, of(a->flows, "flow", "flows"), a->ended[FLOW_END_CLOSED],
                a->ended[FLOW_END_IDLE], a->ended[FLOW_END_ACTIVE], a->ended[FLOW_END_EVICTED],
                a->ended[FLOW_END_END], a->open_most, f->flow_bytes);
}
