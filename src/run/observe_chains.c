/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a record of an observer can hold: chains by name, and the list of all fields. */
#include <stdio.h>
#include <string.h>

#include "observe/flow.h"
#include "run/observe.h"

/* As they stand in a record; written by observe_text.c. */
static const struct {
    const char *name, *type, *unit, *doc;
} always[] = {
    {"sip", "address", "",
     "the side that sends forward (_fwd): that of the first packet; but a SYN/ACK that comes first "
     "goes in reverse (_rev), its sender is the server"},
    {"dip", "address", "", "the other side"},
    {"sp", "number or null", "port",
     "of sip; null but for TCP and UDP, and for fragments behind the first"},
    {"dp", "number or null", "port", "of dip, likewise"},
    {"proto", "number", "protocol", "of IP: 6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6 ..."},
    {"flow_end_reason", "name", "",
     "why the flow ended: closed (both FINs were acknowledged, or an RST came, and --close seconds "
     "passed), idle (nothing came for --idle seconds), active (it had lasted --active seconds; "
     "what "
     "comes next is a new flow), end (of the input, or a signal), evicted (the table was full: "
     "--flows)"},
};

static const char *type_name(enum flow_kind kind)
{
    switch (kind) {
    case FLOW_KIND_COUNT:
        return "count";
    case FLOW_KIND_FLAG:
        return "flag";
    case FLOW_KIND_MAYBE:
        return "number or null";
    case FLOW_KIND_MAYBEFLAG:
        return "flag or null";
    case FLOW_KIND_STAMP:
        return "time";
    }
    return "?";
}

int observe_chain(const char *name, uint32_t *chains, struct rs_err *err)
{
    char known[160] = "";
    int c = chain_find(name);
    if (c >= 0) {
        *chains |= CHAIN_BIT(c);
        return 0;
    }
    for (c = 0; c < CHAIN_N; c++) {
        size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", c > 0 ? ", " : "", chain_name((enum chain)c));
    }
    return rs_fail(err, RS_ENOENT, "there is no chain '%.40s'; there are: %s", name, known);
}

void observe_list_chains(void (*line)(void *ctx, const char *text), void *ctx)
{
    char text[640];
    line(ctx, "every record");
    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++) {
        snprintf(text, sizeof text, "  %-24s %-15s %-9s %s", always[i].name, always[i].type,
                 always[i].unit, always[i].doc);
        line(ctx, text);
    }
    line(ctx, "  A count or number is an integer, a flag true or false, a time "
              "\"YYYY-MM-DD HH:MM:SS.ffffff\"; null means not seen.");
    for (int c = 0; c < CHAIN_N; c++) {
        line(ctx, chain_name((enum chain)c));
        for (unsigned i = 0; i < flow_fields_n; i++) {
            const struct flow_field *field = &flow_fields[i];
            if (field->chain != (enum chain)c)
                continue;
            snprintf(text, sizeof text, "  %-24s %-15s %-9s %s", field->name,
                     type_name(field->kind), field->unit, field->doc);
            line(ctx, text);
        }
    }
}
