/* SPDX-License-Identifier: GPL-3.0-or-later
 * The interface and its source addresses while a run lasts: down, up again, gone, back. As long as
 * something is away, targets wait; what was under way when it went is measured again
 * (engine_outage). */
#ifndef RS_RUN_OUTAGE_H
#define RS_RUN_OUTAGE_H

#include <stdbool.h>

#include "base/time.h"
#include "net/iface.h"
#include "net/route.h"

struct outage_ops {
    void *ctx;
    void (*notice)(void *ctx, const char *text);
    void (*fail)(void *ctx, const char *text); /* the interface does not exist any more */
};

struct outage {
    struct outage_ops ops;
    struct iface before;     /* at the start */
    struct wire_addr source; /* -S; family 0: none */
    uint64_t changes;        /* router_changes when it was looked at last */
    rs_mono looked_at;
    rs_mono routes_until; /* so long routes may still come back, too */
    bool is_down, lost4, lost6;
};

void outage_init(struct outage *o,
                 const struct iface *iface,
                 const struct wire_addr *source,
                 const struct outage_ops *ops);
/* Looks whether something went or came, at most every 100 ms, and says so. Call it after
 * router_read when router_changes is another, and when sending or capturing fails. */
void outage_look(struct outage *o, uint64_t router_changes, rs_mono now);
/* As outage_look, but does nothing as long as the router has no news. */
void outage_news(struct outage *o, uint64_t router_changes, rs_mono now);
/* Nothing may be said of a target of this family now: its packets have no way, or a false source.
 */
bool outage_holds(const struct outage *o, int family);
/* A target of this family has no route. Must it wait, since it may have one again soon? */
bool outage_may_pass(struct outage *o, int family, rs_mono now);

#endif
