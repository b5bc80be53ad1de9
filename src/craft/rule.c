/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "craft/rule.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

static bool matches(const struct segment_match *w, const struct wire_segment *seg)
{
    if (w->classes != 0 && !(w->classes & RULE_CLASS(seg->cls)))
        return false;
    if (w->ordinal_from != 0 && seg->ordinal < w->ordinal_from)
        return false;
    if (w->ordinal_to != 0 && seg->ordinal > w->ordinal_to)
        return false;
    if (w->tries == RULE_FIRST_TRY && seg->tries > 1)
        return false;
    if (w->tries == RULE_RETRANSMISSION && seg->tries <= 1)
        return false;
    return w->states == 0 || (w->states >> seg->state & 1u);
}

static void change_bytes(const struct header_change *c, struct wire_segment *seg)
{
    if (c->have & CHANGE_OPTIONS) {
        assert(c->options_bytes <= sizeof seg->options && c->options_bytes % 4 == 0);
        if (c->options_bytes > 0)
            memcpy(seg->options, c->options, c->options_bytes);
        seg->options_bytes = c->options_bytes;
    }
    if (c->have & CHANGE_PAYLOAD) {
        seg->payload = c->payload;
        seg->payload_bytes = c->payload_bytes;
    }
}

static void change(const struct header_change *c, struct wire_segment *seg)
{
    if (c->have & CHANGE_ECN)
        seg->ecn = c->ecn;
    if (c->have & CHANGE_DSCP)
        seg->dscp = c->dscp;
    if (c->have & CHANGE_TTL)
        seg->ttl = c->ttl;
    if (c->have & CHANGE_IP_FLAGS)
        seg->ip_flags = c->ip_flags;
    if (c->have & CHANGE_WINDOW)
        seg->window = c->window;
    if (c->have & CHANGE_BAD_CHECKSUM)
        seg->bad_checksum = true;
    if (c->have & CHANGE_ZERO_CHECKSUM)
        seg->zero_checksum = true;
    change_bytes(c, seg);
    seg->flags = (uint16_t)((seg->flags & ~(unsigned)c->flags_clear) | c->flags_set) & 0xfffu;
}

void rules_apply(const struct rule *rules, size_t n, struct wire_segment *seg)
{
    /* No change touches what matches() reads: every rule sees the segment that the machine made. */
    for (size_t i = 0; i < n; i++) {
        if (matches(&rules[i].when, seg))
            change(&rules[i].change, seg);
    }
}
