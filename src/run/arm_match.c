/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/arm_match.h"

#include <string.h>

#include "wire/options.h"

struct traits { /* of a SYN, as far as rules change them */
    uint16_t flags;
    uint8_t ecn, dscp, ip_flags;
    uint32_t options; /* enum wire_option_have */
    uint32_t payload_bytes;
};

static struct traits traits_of_arm(const struct arm *arm)
{
    struct wire_options have = {
        .have = OPT_MSS | OPT_WSCALE | OPT_SACK_OK | OPT_TIMESTAMP, .mss = 1460, .wscale = 7};
    struct wire_segment s = {
        .cls = SEG_SYN, .ordinal = 1, .tries = 1, .flags = TCP_SYN, .ip_flags = 2};
    s.options_bytes = (uint8_t)wire_options_write(&have, true, s.options);
    rules_apply(arm->rules, arm->n_rules, &s);
    wire_options_parse(&have, s.options, s.options_bytes);
    return (struct traits){.flags = s.flags,
                           .ecn = s.ecn,
                           .dscp = s.dscp,
                           .ip_flags = s.ip_flags & 4u,
                           .options = have.have,
                           .payload_bytes = s.payload_bytes};
}

static struct traits traits_of_view(const struct wire_view *v)
{
    struct wire_options have;
    wire_options_parse(&have, v->options, v->options_bytes);
    return (struct traits){.flags = v->flags,
                           .ecn = wire_ecn(v),
                           .dscp = v->tos >> 2,
                           .ip_flags = v->ip_flags & 4u,
                           .options = have.have,
                           .payload_bytes = v->payload_bytes};
}

/* In which bits two differ. */
static struct traits differ(struct traits a, struct traits b)
{
    return (struct traits){.flags = a.flags ^ b.flags,
                           .ecn = a.ecn ^ b.ecn,
                           .dscp = a.dscp ^ b.dscp,
                           .ip_flags = a.ip_flags ^ b.ip_flags,
                           .options = a.options ^ b.options,
                           .payload_bytes = a.payload_bytes ^ b.payload_bytes};
}

static bool overlap(struct traits a, struct traits b)
{
    return (a.flags & b.flags) || (a.ecn & b.ecn) || (a.dscp & b.dscp) ||
           (a.ip_flags & b.ip_flags) || (a.options & b.options) ||
           (a.payload_bytes && b.payload_bytes);
}

static struct traits unite(struct traits a, struct traits b)
{
    return (struct traits){.flags = a.flags | b.flags,
                           .ecn = a.ecn | b.ecn,
                           .dscp = a.dscp | b.dscp,
                           .ip_flags = a.ip_flags | b.ip_flags,
                           .options = a.options | b.options,
                           .payload_bytes = a.payload_bytes | b.payload_bytes};
}

int arm_of_syn(const struct plugin *p, const struct wire_view *syn)
{
    struct traits twisted, seen = traits_of_view(syn), baseline = traits_of_arm(&p->arms[0]);
    int found = -1;
    /* These decide what a server answers, whoever twists them: an AccECN SYN, or one with ECT in
     * its IP header (RFC 8311 4.3), is no arm's that does not make it. The rest differs from stack
     * to stack. */
    twisted = (struct traits){.flags = UINT16_MAX, .ecn = 3};
    for (size_t i = 1; i < p->n_arms; i++)
        twisted = unite(twisted, differ(baseline, traits_of_arm(&p->arms[i])));
    for (size_t i = 0; i < p->n_arms; i++) {
        if (overlap(differ(seen, traits_of_arm(&p->arms[i])), twisted))
            continue;
        if (found >= 0)
            return -1;
        found = (int)i;
    }
    return found;
}
