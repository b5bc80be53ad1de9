/* SPDX-License-Identifier: GPL-3.0-or-later
 * What is the same for every kind of trace: from a frame to an IP packet. */
#include <stdlib.h>
#include <string.h>

#include "net/trace_int.h"
#include "wire/link.h"

#define ETHERTYPE_IP4 0x0800u
#define ETHERTYPE_IP6 0x86ddu
#define SECONDS_MOST  INT64_C(4611686017) /* 1823 to 2116: any two can be subtracted */

rs_wall trace_time(int64_t seconds, int64_t nanoseconds)
{
    if (seconds > SECONDS_MOST || seconds < -SECONDS_MOST)
        return (rs_wall){(seconds > 0 ? SECONDS_MOST : -SECONDS_MOST) * (int64_t)RS_SEC};
    if (nanoseconds < 0 || nanoseconds >= (int64_t)RS_SEC) /* a damaged stamp */
        nanoseconds = nanoseconds < 0 ? 0 : (int64_t)RS_SEC - 1;
    return (rs_wall){seconds * (int64_t)RS_SEC + nanoseconds};
}

int trace_fail_link(struct rs_err *err, const char *name, int link, const char *text)
{
    return rs_fail(err, RS_EPROTO,
                   "%.100s has link type %d (%.40s), which cannot be read here: Ethernet, Linux "
                   "cooked, raw IP and loopback can",
                   name, link, text);
}

static enum trace_way way_of(const struct wire_link_view *v)
{
    if (!v->is_cooked || v->packet_type > WIRE_LINK_FROM_US)
        return TRACE_UNKNOWN;
    if (v->packet_type != WIRE_LINK_FROM_US)
        return TRACE_IN;
    return v->hardware == WIRE_ARPHRD_NONE ? TRACE_SENT : TRACE_HOST;
}

void trace_network(struct trace *t, const struct trace_packet *p)
{
    t->stats.frames++;
    if (p->ip == NULL || (p->ethertype != ETHERTYPE_IP4 && p->ethertype != ETHERTYPE_IP6)) {
        t->stats.no_ip++;
        return;
    }
    t->stats.packets++;
    t->fn(t->ctx, p);
}

void trace_frame(struct trace *t,
                 int link,
                 const uint8_t *bytes,
                 uint32_t captured,
                 uint32_t wire_bytes,
                 rs_wall at)
{
    struct wire_link_view v;
    int rc = wire_link_parse(&v, link, bytes, captured);
    if (rc == -RS_ETRUNC) {
        t->stats.frames++;
        t->stats.cut++;
        return;
    }
    struct trace_packet p = {.at = at,
                             .ip = rc == 0 ? bytes + v.ip_offset : NULL,
                             .ip_captured = rc == 0 ? captured - v.ip_offset : 0,
                             .link_captured = captured,
                             .wire_bytes = wire_bytes,
                             .ethertype = v.ethertype,
                             .way = way_of(&v)};
    trace_network(t, &p);
}

int trace_read(struct trace *t, trace_fn fn, void *ctx, int budget, struct rs_err *err)
{
    t->fn = fn;
    t->ctx = ctx;
    return t->read(t, budget > 0 ? budget : 1, err);
}

bool trace_is_live(const struct trace *t)
{
    return t->is_live;
}

int trace_fd(const struct trace *t)
{
    return t->fd != NULL ? t->fd(t) : -1;
}

uint64_t trace_pause_ns(const struct trace *t)
{
    return t->pause_ns;
}

const char *trace_kind(const struct trace *t)
{
    return t->kind;
}

void trace_stats(struct trace *t, struct trace_stats *out)
{
    if (t->drops != NULL)
        t->drops(t);
    *out = t->stats;
}

void trace_close(struct trace *t)
{
    if (t == NULL)
        return;
    free(t->name);
    t->close(t);
}
