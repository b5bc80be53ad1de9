/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every chain, on any packets. The first two bytes choose chains: a flow draws them, a second one
 * all others, a third one all. Each is as large as flow_bytes says and no larger, so that a chain
 * that touches one that is off is found; and a field has the same value whatever else is drawn.
 * Then the flow as JSON, read by jansson. */
#include <jansson.h>
#include <string.h>

#include "fuzz/packets.h"
#include "observe/flow.h"
#include "run/flow_text.h"

struct tally { /* what was given, by direction */
    int64_t packets[2], bytes[2], errors;
};

static int64_t value(const struct flow *f, const char *name)
{
    int64_t v = -1;
    const struct flow_field *field = flow_field_find(name);
    CHECK(field != NULL);
    flow_value(f, field, &v);
    return v;
}

static struct flow *flow_of(uint32_t chains, const struct wire_tuple *tuple)
{
    struct flow *f = malloc(flow_bytes(chains));
    CHECK(f != NULL);
    flow_init(f, tuple, chains);
    return f;
}

static void feed(struct flow *f, const struct wire_view *v, enum flow_dir dir, rs_wall at)
{
    if (wire_is_icmp_error(v))
        flow_icmp_error(f, v, dir, at);
    else
        flow_packet(f, v, dir, at);
}

static void same_values(const struct flow *part, const struct flow *all)
{
    for (unsigned i = 0; i < flow_fields_n; i++) {
        int64_t a = -1, b = -1;
        const struct flow_field *field = &flow_fields[i];
        bool there = flow_value(part, field, &a), there_of_all = flow_value(all, field, &b);
        if (!(part->chains & CHAIN_BIT(field->chain))) {
            CHECK(!there);
            continue;
        }
        if (there != there_of_all || a != b)
            fprintf(stderr, "%s: %lld with chains %x, %lld with all\n", field->name, (long long)a,
                    (unsigned)part->chains, (long long)b);
        CHECK(there == there_of_all && a == b);
    }
}

/* Chain ecn stands on chain tcp, and draws it for itself. */
static bool may_touch(const struct flow *f, enum chain c)
{
    uint32_t chains =
        f->chains & CHAIN_BIT(CHAIN_ECN) ? f->chains | CHAIN_BIT(CHAIN_TCP) : f->chains;
    return (chains & CHAIN_BIT(c)) != 0;
}

/* Members of chains that are off, where others behind them make that they are there. */
static void others_untouched(const struct flow *f)
{
    static const uint8_t zeros[8];
    for (unsigned i = 0; i < flow_fields_n; i++) {
        const struct flow_field *field = &flow_fields[i];
        bool there = field->offset + field->bytes <= flow_bytes(f->chains);
        if (there && !may_touch(f, field->chain))
            CHECK(memcmp((const char *)f + field->offset, zeros, field->bytes) == 0);
    }
}

static bool in_order(const struct flow *f, const char *least, const char *most, int64_t limit)
{
    int64_t a = value(f, least), b = value(f, most);
    return (a < 0 && b < 0) || (a >= 0 && a <= b && b <= limit);
}

static bool within(const struct flow *f, const char *name, int64_t most)
{
    return value(f, name) <= most; /* null is -1 */
}

static void check_sums(const struct flow *f, const struct tally *t)
{
    static const char *const marks[2][4] = {
        {"meter_not_ect_fwd", "meter_ect0_fwd", "meter_ect1_fwd", "meter_ce_fwd"},
        {"meter_not_ect_rev", "meter_ect0_rev", "meter_ect1_rev", "meter_ce_rev"}};
    int64_t marked = 0;
    CHECK(value(f, "pkt_fwd") == t->packets[0] && value(f, "pkt_rev") == t->packets[1]);
    CHECK(value(f, "oct_fwd") == t->bytes[0] && value(f, "oct_rev") == t->bytes[1]);
    for (unsigned i = 0; i < 8; i++)
        marked += value(f, marks[i / 4][i % 4]);
    CHECK(marked == t->packets[0] + t->packets[1] - t->errors);
    CHECK(value(f, "tcp_newdata_fwd") ==
          value(f, "ecn_newdata_not_fwd") + value(f, "ecn_newdata_ect0_fwd") +
              value(f, "ecn_newdata_ect1_fwd") + value(f, "ecn_newdata_ce_fwd"));
    CHECK(value(f, "tcp_newdata_rev") ==
          value(f, "ecn_newdata_not_rev") + value(f, "ecn_newdata_ect0_rev") +
              value(f, "ecn_newdata_ect1_rev") + value(f, "ecn_newdata_ce_rev"));
    CHECK(value(f, "meter_payload_pkt_fwd") <= t->packets[0]);
    CHECK(value(f, "meter_payload_oct_fwd") <= t->bytes[0]);
    CHECK(value(f, "meter_payload_pkt_rev") <= t->packets[1]);
    CHECK(value(f, "meter_payload_oct_rev") <= t->bytes[1]);
    CHECK(value(f, "icmp_errors") <= t->errors);
}

static void check_ranges(const struct flow *f)
{
    CHECK(in_order(f, "ttl_min_fwd", "ttl_max_fwd", 255));
    CHECK(in_order(f, "ttl_min_rev", "ttl_max_rev", 255));
    CHECK(in_order(f, "meter_rwin_min_fwd", "meter_rwin_mean_fwd", 65535 << 14));
    CHECK(in_order(f, "meter_rwin_mean_fwd", "meter_rwin_max_fwd", 65535 << 14));
    CHECK(in_order(f, "meter_rwin_min_rev", "meter_rwin_mean_rev", 65535 << 14));
    CHECK(in_order(f, "meter_rwin_mean_rev", "meter_rwin_max_rev", 65535 << 14));
    if (value(f, "meter_rtt_last_us") >= 0)
        CHECK(in_order(f, "meter_rtt_min_us", "meter_rtt_last_us", INT32_MAX));
    CHECK(within(f, "tcp_synflags_fwd", 255) && within(f, "tcp_synflags_rev", 255));
    CHECK(within(f, "tcp_synack_hops", 127) && within(f, "tcp_rst_hops", 127));
    CHECK(within(f, "ecn_syn_bits", 7) && within(f, "ecn_synack_bits", 7));
    CHECK(within(f, "ecn_synack_cp", 3) && within(f, "ecn_synack_ladder", 0x3fff));
    CHECK(within(f, "dscp_mark_syn_fwd", 63) && within(f, "dscp_mark_data_rev", 63));
    CHECK(within(f, "mss_value_fwd", 65535) && within(f, "mss_value_rev", 65535));
    CHECK(within(f, "tfo_synclen", 38) && within(f, "tfo_ackclen", 38));
    CHECK(within(f, "meter_flags_union_fwd", 511) && within(f, "meter_traits_rev", 0x777));
    /* Every lost byte was jumped over once. */
    CHECK(value(f, "meter_lost_oct_fwd") == 0 || value(f, "meter_jump_fwd") > 0);
    CHECK(value(f, "meter_lost_oct_rev") == 0 || value(f, "meter_jump_rev") > 0);
}

static void check_member(const struct flow *f, const struct flow_field *field, const json_t *got)
{
    int64_t v = -1;
    bool there = flow_value(f, field, &v);
    switch (field->kind) {
    case FLOW_KIND_COUNT:
        CHECK(json_is_integer(got) && json_integer_value(got) == v);
        break;
    case FLOW_KIND_FLAG:
        CHECK(json_is_boolean(got) && json_is_true(got) == (v != 0));
        break;
    case FLOW_KIND_MAYBE:
        CHECK(there ? json_is_integer(got) && json_integer_value(got) == v : json_is_null(got));
        break;
    case FLOW_KIND_MAYBEFLAG:
        CHECK(there ? json_is_boolean(got) && json_is_true(got) == (v != 0) : json_is_null(got));
        break;
    case FLOW_KIND_STAMP:
        CHECK(v == 0 ? json_is_null(got) : json_string_length(got) == 26);
        break;
    }
}

static void check_json(const struct flow *f)
{
    struct record r;
    const char *text;
    size_t n, members = 1;
    record_init(&r);
    record_begin(&r, NULL, NULL);
    flow_text_address(&r, "sip", &f->tuple.src);
    flow_text_members(&r, f);
    CHECK(record_end(&r, &text, &n) == 0);
    json_t *object = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    CHECK(json_is_object(object));
    for (unsigned i = 0; i < flow_fields_n; i++) {
        const json_t *got = json_object_get(object, flow_fields[i].name);
        CHECK((got != NULL) == ((f->chains & CHAIN_BIT(flow_fields[i].chain)) != 0));
        members += got != NULL;
        if (got != NULL)
            check_member(f, &flow_fields[i], got);
    }
    CHECK(json_object_size(object) == members);
    json_decref(object);
    record_free(&r);
}

/* Both directions of one flow: what the script says, or by the source of the first packet. */
static enum flow_dir direction(const struct wire_tuple *flow,
                               const struct wire_view *v,
                               bool reverse)
{
    if (wire_addr_equal(&v->src, &flow->src) && v->sport == flow->sport)
        return FLOW_FWD;
    return wire_addr_equal(&v->src, &flow->dst) || reverse ? FLOW_REV : FLOW_FWD;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct flow *flows[3] = {NULL, NULL, NULL};
    struct tally t = {.errors = 0};
    struct maker m;
    struct packet p;
    if (size < 2)
        return 0;
    uint32_t some = ((uint32_t)data[0] << 8 | data[1]) & CHAINS_ALL;
    maker_init(&m, data + 2, size - 2);
    while (make_packet(&m, &p)) {
        struct wire_view v;
        if (wire_parse(&v, p.bytes, p.n, WIRE_PARSE_PACKET) == 0) {
            struct wire_tuple tuple = wire_view_tuple(&v);
            for (unsigned i = 0; flows[0] == NULL || (i < 3 && flows[i] == NULL); i++)
                flows[i] = flow_of(i == 0   ? CHAINS_ALL
                                   : i == 1 ? some
                                            : CHAINS_ALL & ~some,
                                   &tuple);
            enum flow_dir dir = direction(&flows[0]->tuple, &v, p.reverse);
            for (unsigned i = 0; i < 3; i++)
                feed(flows[i], &v, dir, p.at);
            t.packets[dir]++;
            t.bytes[dir] += v.ip_bytes;
            t.errors += wire_is_icmp_error(&v);
        }
        free(p.bytes);
    }
    if (flows[0] != NULL) {
        same_values(flows[1], flows[0]);
        same_values(flows[2], flows[0]);
        others_untouched(flows[1]);
        others_untouched(flows[2]);
        check_json(flows[1]);
        check_sums(flows[0], &t);
        check_ranges(flows[0]);
    }
    for (unsigned i = 0; i < 3; i++)
        free(flows[i]);
    return 0;
}
