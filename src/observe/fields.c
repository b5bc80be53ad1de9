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
    default:
        memcpy(&half, at, sizeof half);
        return half;
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
    *value = field->is_signed ? read_signed(at, field->bytes) : read_unsigned(at, field->bytes);
    return field->kind != FLOW_KIND_MAYBE || *value >= 0;
}

const struct flow_field *flow_field_find(const char *name)
{
    for (unsigned i = 0; i < flow_fields_n; i++)
        if (strcmp(flow_fields[i].name, name) == 0)
            return &flow_fields[i];
    return NULL;
}

static const char *const chain_names[CHAIN_N] = {
    [CHAIN_BASIC] = "basic", [CHAIN_TCP] = "tcp", [CHAIN_ECN] = "ecn", [CHAIN_ICMP] = "icmp"};

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
