/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the kinds of traces share. Each has its file and embeds struct trace as its first member. */
#ifndef RS_NET_TRACE_INT_H
#define RS_NET_TRACE_INT_H

#include "net/trace.h"

struct trace {
    const char *kind;
    bool is_live;
    char *name; /* for messages; owned */
    /* As trace_read; reports each frame by trace_frame, and counts nothing itself. */
    int (*read)(struct trace *t, int budget, struct rs_err *err);
    void (*drops)(struct trace *t);   /* refreshes the drop counters; NULL: there are none */
    int (*fd)(const struct trace *t); /* NULL: -1 */
    void (*close)(struct trace *t);   /* frees what is behind struct trace, and it */
    struct trace_stats stats;
    uint64_t pause_ns;
    trace_fn fn; /* during trace_read */
    void *ctx;
};

/* One frame of a WIRE_LINK_ type. */
void trace_frame(struct trace *t,
                 int link,
                 const uint8_t *bytes,
                 uint32_t captured,
                 uint32_t wire_bytes,
                 rs_wall at);
/* A frame whose network layer was found by somebody else; ip NULL: it has none. */
void trace_network(struct trace *t, const struct trace_packet *p);

/* Seconds and a rest below one, as any file may hold them; bounded so that any two can be
 * subtracted. */
rs_wall trace_time(int64_t seconds, int64_t nanoseconds);

/* Fails, and says which link types there are: `text` names the one that was met. */
int trace_fail_link(struct rs_err *err, const char *name, int link, const char *text);

#endif
