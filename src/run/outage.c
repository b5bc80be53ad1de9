/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/outage.h"

#include <stdio.h>
#include <string.h>

#define LOOKS_APART  (100 * RS_MS)
#define ROUTES_AFTER (60 * RS_SEC) /* who brings an interface up may set its routes later */

void outage_init(struct outage *o,
                 const struct iface *iface,
                 const struct wire_addr *source,
                 const struct outage_ops *ops)
{
    *o = (struct outage){.before = *iface, .source = *source, .ops = *ops};
}

static bool is_link_local(const struct wire_addr *a)
{
    return a->family == 6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

/* A link-local address stays, or comes back first, where a global one has gone. */
static bool is_lost(const struct wire_addr *before, const struct wire_addr *now)
{
    return before->family != 0 &&
           (now->family == 0 || (is_link_local(now) && !is_link_local(before)));
}

static void say_address(const struct outage *o, const struct wire_addr *a, bool is_away)
{
    char text[200], addr[WIRE_ADDR_TEXT];
    if (is_away)
        snprintf(text, sizeof text,
                 "address %s of interface %s is gone: IPv%d targets wait until there is one again",
                 wire_addr_format(a, addr), o->before.name, a->family);
    else
        snprintf(text, sizeof text, "interface %s has an IPv%d address again: going on",
                 o->before.name, a->family);
    o->ops.notice(o->ops.ctx, text);
}

static void take(struct outage *o, bool *state, const struct wire_addr *a, bool is_away)
{
    if (*state == is_away)
        return;
    *state = is_away;
    say_address(o, a, is_away);
}

static void look_at_addresses(struct outage *o, const struct iface *now)
{
    const struct wire_addr *a4 = &o->before.addr4, *a6 = &o->before.addr6;
    bool lost4 = is_lost(a4, &now->addr4), lost6 = is_lost(a6, &now->addr6);
    if (o->source.family != 0) { /* the one that was asked for, wherever it stands */
        bool *lost = o->source.family == 4 ? &lost4 : &lost6;
        *(o->source.family == 4 ? &a4 : &a6) = &o->source;
        *lost = *lost || !iface_is_own_address(&o->source);
    }
    take(o, &o->lost4, a4, lost4);
    take(o, &o->lost6, a6, lost6);
}

static void take_link(struct outage *o, bool is_down, const char *why)
{
    char text[sizeof(struct rs_err) + 64];
    if (o->is_down == is_down)
        return;
    o->is_down = is_down;
    if (is_down)
        snprintf(text, sizeof text, "%s: waiting for it", why);
    else
        snprintf(text, sizeof text, "interface %s is up again: going on", o->before.name);
    o->ops.notice(o->ops.ctx, text);
}

void outage_look(struct outage *o, uint64_t router_changes, rs_mono now)
{
    struct iface look;
    struct rs_err why = {""};
    char text[80];
    if (rs_mono_diff(now, o->looked_at) < LOOKS_APART)
        return;
    o->looked_at = now;
    o->changes = router_changes;
    int rc = iface_open(&look, o->before.name, &why);
    if (rc == -RS_ENOENT) {
        snprintf(text, sizeof text, "interface %s is gone; the run ends here", o->before.name);
        o->ops.fail(o->ops.ctx, text);
        o->is_down = true;
        return;
    }
    bool had = outage_holds(o, 4) || outage_holds(o, 6);
    take_link(o, rc != 0 && !look.up, why.text);
    if (!o->is_down) /* IPv6 addresses go with the link: that was said */
        look_at_addresses(o, &look);
    if (had || outage_holds(o, 4) || outage_holds(o, 6))
        o->routes_until = rs_mono_add(now, ROUTES_AFTER);
}

void outage_news(struct outage *o, uint64_t router_changes, rs_mono now)
{
    if (router_changes != o->changes)
        outage_look(o, router_changes, now);
}

bool outage_holds(const struct outage *o, int family)
{
    return o->is_down || (family == 4 ? o->lost4 : o->lost6);
}

bool outage_may_pass(struct outage *o, int family, rs_mono now)
{
    outage_look(o, o->changes, now);
    return outage_holds(o, family) || !rs_mono_reached(o->routes_until, now);
}
