/* SPDX-License-Identifier: GPL-3.0-or-later
 * Generated from fields.def by the preprocessor: one straight line of code a chain, no tree, no
 * table, no lookup. A million flows a minute are written by it. */
#include "run/flow_text.h"

#include <string.h>

static char *put(char *to, const char *text, size_t n)
{
    memcpy(to, text, n);
    return to + n;
}

#define TEXT(to, literal) put(to, literal, sizeof literal - 1)

static char *put_flag(char *to, bool v)
{
    return v ? TEXT(to, "true") : TEXT(to, "false");
}

static char *put_maybe(char *to, int64_t v)
{
    return v < 0 ? TEXT(to, "null") : record_put_uint(to, (uint64_t)v);
}

#define PUT_COUNT(to, v)     record_put_uint(to, (uint64_t)(v))
#define PUT_FLAG(to, v)      put_flag(to, (v) != 0)
#define PUT_MAYBE(to, v)     put_maybe(to, (int64_t)(v))
#define PUT_MAYBEFLAG(to, v) ((v) < 0 ? TEXT(to, "null") : put_flag(to, (v) != 0))
#define PUT_STAMP(to, v)     record_put_time(to, (rs_wall){v})

enum {
    ROOM = 0
#define FLOW_FIELD(name, type, kind, chain, unit, doc) +sizeof(",\"" #name "\":") + RECORD_PUT_BYTES
#include "observe/fields.def"
#undef FLOW_FIELD
};

void flow_text_address(struct record *r, const char *key, const struct wire_addr *a)
{
    char text[WIRE_ADDR_TEXT];
    if (a->family == 0)
        record_null(r, key);
    else
        record_str(r, key, wire_addr_format(a, text));
}

void flow_text_members(struct record *r, const struct flow *f)
{
    char *to = record_room(r, ROOM);
    if (to == NULL)
        return; /* record_end tells */
#define FLOW_FIELD(name, type, kind, chain, unit, doc)                                             \
    if (f->chains & CHAIN_BIT(CHAIN_##chain)) {                                                    \
        to = TEXT(to, ",\"" #name "\":");                                                          \
        to = PUT_##kind(to, f->name);                                                              \
    }
#include "observe/fields.def"
#undef FLOW_FIELD
    record_wrote(r, to);
}
