/* SPDX-License-Identifier: GPL-3.0-or-later
 * Rows of {what is shown, packets of one flow in words, fields that must come out}, for the tests
 * of chains.
 *
 *     {"RFC 2474", "> S 0:0(0) dscp 46 | < S. 0:0(0) ack 1", "dscp_mark_syn_fwd=46"}
 *
 * Packets stand between bars: > forward or < in reverse, then a recipe (unit/recipe.h), or `udp` or
 * `other` for what is not TCP; behind a semicolon any of: ip6, evil, no-cksum, dscp N (udp, other),
 * payload HEX, cut (payload not captured), cut-options N (N bytes of them captured), headless (TCP
 * whose header is not whole), icmp (an ICMP error that quotes the flow). Values: a number, true,
 * false, null. */
#ifndef RS_TESTS_UNIT_OBSERVE_CHAIN_ROWS_H
#define RS_TESTS_UNIT_OBSERVE_CHAIN_ROWS_H

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "observe/flow.h"
#include "unit/recipe.h"

struct chain_row {
    const char *what, *packets, *want;
};

static struct wire_view row_view(struct recipe *r, char *words)
{
    char *end = words + strlen(words);
    while (end > words && end[-1] == ' ')
        *--end = '\0';
    bool udp = strcmp(words, "udp") == 0;
    if (!udp && strcmp(words, "other") != 0)
        return *recipe(r, words, 1000, 1000);
    return (struct wire_view){.have = WIRE_IP4 | (udp ? WIRE_PORTS | WIRE_UDP : 0),
                              .src.family = 4,
                              .dst.family = 4,
                              .proto = udp ? IP_PROTO_UDP : 112,
                              .ttl = 64,
                              .ip_bytes = 28,
                              .ip_cksum = WIRE_CKSUM_GOOD,
                              .l4_cksum = WIRE_CKSUM_GOOD};
}

/* Returns the ICMP error that the word asks for, or v. */
static struct wire_view row_changed(struct wire_view v, char *words, uint8_t *payload, size_t cap)
{
    char *rest = NULL;
    for (char *w = strtok_r(words, " ", &rest); w != NULL; w = strtok_r(NULL, " ", &rest)) {
        if (strcmp(w, "ip6") == 0) {
            v.have = (v.have & ~(uint32_t)WIRE_IP4) | WIRE_IP6;
        } else if (strcmp(w, "evil") == 0) {
            v.ip_flags = 4;
        } else if (strcmp(w, "no-cksum") == 0) {
            v.have |= WIRE_UDP_NO_CKSUM;
        } else if (strcmp(w, "headless") == 0) {
            v.have &= ~(uint32_t)WIRE_TCP;
        } else if (strcmp(w, "dscp") == 0) {
            v.tos = (uint8_t)(atoi(strtok_r(NULL, " ", &rest)) << 2);
        } else if (strcmp(w, "payload") == 0) {
            v.payload_bytes = (uint32_t)recipe_hex(strtok_r(NULL, " ", &rest), payload, cap);
            v.payload_captured = v.payload_bytes;
            v.payload = payload;
        } else if (strcmp(w, "cut") == 0) {
            v.have |= WIRE_TRUNCATED;
            v.payload_captured -= v.payload_captured > 0;
        } else if (strcmp(w, "cut-options") == 0) {
            v.have |= WIRE_TRUNCATED;
            v.options_bytes = (uint8_t)atoi(strtok_r(NULL, " ", &rest));
        } else if (strcmp(w, "icmp") == 0) {
            v.have = (v.have & (WIRE_IP4 | WIRE_IP6)) | WIRE_ICMP | WIRE_QUOTE;
            v.icmp_type = v.have & WIRE_IP4 ? 3 : 1;
        } else {
            fprintf(stderr, "unknown word \"%s\" in a row\n", w);
            abort();
        }
    }
    return v;
}

static void row_packet(struct flow *f, char *text, int64_t ms)
{
    struct recipe r;
    uint8_t payload[1024];
    text += strspn(text, " ");
    enum flow_dir dir = *text++ == '<' ? FLOW_REV : FLOW_FWD;
    text += strspn(text, " ");
    char *changes = strchr(text, ';');
    if (changes != NULL)
        *changes++ = '\0';
    struct wire_view v = row_view(&r, text);
    if (changes != NULL)
        v = row_changed(v, changes, payload, sizeof payload);
    if (v.have & WIRE_QUOTE)
        flow_icmp_error(f, &v, dir, (rs_wall){ms * 1000000});
    else
        flow_packet(f, &v, dir, (rs_wall){ms * 1000000});
}

static void row_value(const struct flow *f, const char *name, char text[32])
{
    int64_t value;
    const struct flow_field *field = flow_field_find(name);
    if (field == NULL)
        snprintf(text, 32, "no such field");
    else if (!flow_value(f, field, &value))
        snprintf(text, 32, "null");
    else if (field->kind == FLOW_KIND_FLAG || field->kind == FLOW_KIND_MAYBEFLAG)
        snprintf(text, 32, "%s", value ? "true" : "false");
    else
        snprintf(text, 32, "%" PRId64, value);
}

/* Only `chain` is drawn, into a flow of no more bytes than that takes: a sanitizer sees it touch
 * another's members. Returns how many values are not as wanted, each told on stderr. */
static unsigned row_run(const struct chain_row *row, enum chain chain)
{
    char words[4096], *rest = NULL, got[32];
    uint32_t chains = CHAIN_BIT(chain) | CHAIN_BIT(CHAIN_BASIC);
    struct wire_tuple t = {.src = {.family = 4}, .dst = {.family = 4}, .proto = IP_PROTO_TCP};
    struct flow *f = malloc(flow_bytes(chains));
    unsigned wrong = 0;
    int64_t ms = 1000;
    flow_init(f, &t, chains);
    snprintf(words, sizeof words, "%s", row->packets);
    for (char *p = strtok_r(words, "|", &rest); p != NULL; p = strtok_r(NULL, "|", &rest))
        row_packet(f, p, ms++);
    snprintf(words, sizeof words, "%s", row->want);
    rest = NULL;
    for (char *p = strtok_r(words, " ", &rest); p != NULL; p = strtok_r(NULL, " ", &rest)) {
        char *want = strchr(p, '=');
        *want++ = '\0';
        row_value(f, p, got);
        if (strcmp(got, want) != 0) {
            fprintf(stderr, "%s: %s is %s, wanted %s\n", row->what, p, got, want);
            wrong++;
        }
    }
    free(f);
    return wrong;
}

#define ROWS_RUN(rows, chain)                                                                      \
    do {                                                                                           \
        unsigned wrong = 0;                                                                        \
        for (size_t row_i = 0; row_i < sizeof(rows) / sizeof(rows)[0]; row_i++)                    \
            wrong += row_run(&(rows)[row_i], chain);                                               \
        assert_int_equal(wrong, 0);                                                                \
    } while (0)

#endif
