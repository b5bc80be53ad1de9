/* SPDX-License-Identifier: GPL-3.0-or-later
 * fields.def as a table that can be looked up by name. */
#include <stddef.h>
#include <string.h>

#include "observe/flow.h"

#define IS_SIGNED(type) ((type)-1 < (type)1)

const struct flow_field flow_fields[] = {
#define FLOW_FIELD(n, type, k, c, u, d)                                                            \
    {.name = #n,                                                                                   \
     .unit = u,                                                                                    \
     .doc = d,                                                                                     \
     .kind = FLOW_KIND_##k,                                                                        \
     .chain = CHAIN_##c,                                                                           \
     .offset = (uint16_t)offsetof(struct flow, n),                                                 \
     .bytes = sizeof(type),                                                                        \
     .is_signed = IS_SIGNED(type)},
#include "observe/fields.def"
#undef FLOW_FIELD
};
const unsigned flow_fields_n = sizeof flow_fields / sizeof flow_fields[0];

static const struct { /* the end of every member, state included */
    enum chain chain;
    uint16_t end;
} members[] = {
#define END(n, c)                       {CHAIN_##c, (uint16_t)(offsetof(struct flow, n) + sizeof((struct flow *)0)->n)},
#define FLOW_FIELD(n, type, k, c, u, d) END(n, c)
#define FLOW_STATE(n, type, c)          END(n, c)
#include "observe/fields.def"
#undef FLOW_FIELD
#undef FLOW_STATE
#undef END
};

size_t flow_bytes(uint32_t chains)
{
    size_t most = offsetof(struct flow, tcp_synflags_fwd); /* basic is always there */
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if ((chains & CHAIN_BIT(members[i].chain)) && members[i].end > most)
            most = members[i].end;
    return (most + 7) & ~(size_t)7;
}

static int64_t read_signed(const char *at, unsigned bytes)
{
    int64_t wide;
    int32_t word;
    int16_t half;
    switch (bytes) {
    case 8:
        memcpy(&wide, at, sizeof wide);
        return wide;
    case 4:
        memcpy(&word, at, sizeof word);
        return word;
    case 2:
        memcpy(&half, at, sizeof half);
        return half;
    default:
        return (int8_t)*at;
    }
}

static int64_t read_unsigned(const char *at, unsigned bytes)
{
    uint64_t value = 0;
    uint32_t word;
    uint16_t half;
    switch (bytes) {
    case 8:
        memcpy(&value, at, sizeof value);
        return (int64_t)value;
    case 4:
        memcpy(&word, at, sizeof word);
        return word;
    case 2:
        memcpy(&half, at, sizeof half);
        return half;
    default:
        return (uint8_t)*at;
    }
}

bool flow_value(const struct flow *f, const struct flow_field *field, int64_t *value)
{
    const char *at = (const char *)f + field->offset;
    if (!(f->chains & CHAIN_BIT(field->chain))) /* it may not even be there */
        return false;
    *value = field->is_signed ? read_signed(at, field->bytes) : read_unsigned(at, field->bytes);
    bool maybe = field->kind == FLOW_KIND_MAYBE || field->kind == FLOW_KIND_MAYBEFLAG;
    return !maybe || *value >= 0;
}

const struct flow_field *flow_field_find(const char *name)
{
    for (unsigned i = 0; i < flow_fields_n; i++)
        if (strcmp(flow_fields[i].name, name) == 0)
            return &flow_fields[i];
    return NULL;
}

static const char *const chain_names[CHAIN_N] = {
    [CHAIN_BASIC] = "basic",     [CHAIN_TCP] = "tcp",       [CHAIN_ECN] = "ecn",
    [CHAIN_ICMP] = "icmp",       [CHAIN_TCPOPT] = "tcpopt", [CHAIN_DSCP] = "dscp",
    [CHAIN_EVILBIT] = "evilbit", [CHAIN_MSS] = "mss",       [CHAIN_TFO] = "tfo",
    [CHAIN_DNS] = "dns",         [CHAIN_UDP] = "udp",       [CHAIN_METER] = "meter"};

const char *chain_name(enum chain c)
{
    return c < CHAIN_N ? chain_names[c] : "?";
}

int chain_find(const char *name)
{
    for (int c = 0; c < CHAIN_N; c++)
        if (strcmp(chain_names[c], name) == 0)
            return c;
    return -1;
}
