/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit/recipe.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/options.h"
#include "wire/print.h"

static const char *whole; /* the recipe being read, for messages */

static void wrong(const char *at, const char *why)
{
    fprintf(stderr, "recipe \"%s\": %s at \"%s\"\n", whole, why, at);
    abort();
}

static void spaces(const char **at)
{
    *at += strspn(*at, " ");
}

static bool word(const char **at, const char *text)
{
    size_t n = strlen(text);
    if (strncmp(*at, text, n) != 0)
        return false;
    *at += n;
    return true;
}

static uint32_t number(const char **at)
{
    char *end;
    long long v = strtoll(*at, &end, 10);
    if (end == *at)
        wrong(*at, "no number");
    *at = end;
    return (uint32_t)v;
}

/* Reads flag letters up to the first other character; false when there are none. */
static bool flags(const char **at, uint16_t *out)
{
    static const char letters[] = "FSRP.UEWe321";
    const char *start = *at, *found;
    for (; **at != '\0' && (found = strchr(letters, **at)) != NULL; ++*at)
        *out = (uint16_t)(*out | 1u << (found - letters));
    return *at != start;
}

static void put(struct wire_segment *s, unsigned byte)
{
    if (s->options_bytes == sizeof s->options)
        wrong("", "options of more than 40 bytes");
    s->options[s->options_bytes++] = (uint8_t)byte;
}

static void put_word(struct wire_segment *s, uint32_t v, unsigned bytes)
{
    while (bytes-- > 0)
        put(s, bytes < 4 ? v >> (8 * bytes) & 255u : 0);
}

static void put_timestamps(struct wire_segment *s, const char **at)
{
    put_word(s, TCPOPT_TIMESTAMP << 8 | 10, 2);
    put_word(s, number(at), 4);
    if (!word(at, " ecr "))
        wrong(*at, "TS val without ecr");
    put_word(s, number(at), 4);
}

static void put_hex(struct wire_segment *s, const char **at)
{
    unsigned byte;
    int used;
    for (; isxdigit((unsigned char)**at); *at += 2) {
        if (sscanf(*at, "%2x%n", &byte, &used) != 1 || used != 2)
            wrong(*at, "no byte");
        put(s, byte);
    }
}

static void option(struct wire_segment *s, const char **at)
{
    if (word(at, "mss ")) {
        put_word(s, TCPOPT_MSS << 8 | 4, 2);
        put_word(s, number(at), 2);
    } else if (word(at, "wscale ")) {
        put_word(s, TCPOPT_WSCALE << 8 | 3, 2);
        put_word(s, number(at), 1);
    } else if (word(at, "sackOK")) {
        put_word(s, TCPOPT_SACK_OK << 8 | 2, 2);
    } else if (word(at, "TS val ")) {
        put_timestamps(s, at);
    } else if (word(at, "nop")) {
        put(s, TCPOPT_NOP);
    } else if (word(at, "eol")) {
        put(s, TCPOPT_END);
    } else if (word(at, "sack ")) {
        uint32_t blocks = number(at);
        put_word(s, TCPOPT_SACK << 8 | (2 + 8 * blocks), 2);
        put_word(s, 0, 8 * blocks);
    } else if (word(at, "opt-")) {
        put_word(s, number(at) << 8 | 2, 2);
    } else if (word(at, "hex ")) {
        put_hex(s, at);
    } else {
        wrong(*at, "unknown option");
    }
}

static void options(struct wire_segment *s, const char **at)
{
    do {
        spaces(at);
        option(s, at);
    } while (word(at, ","));
    if (!word(at, ">"))
        wrong(*at, "no > after the options");
    while (s->options_bytes % 4 != 0)
        put(s, TCPOPT_END);
}

static void bracket(struct wire_segment *s, const char **at)
{
    if (word(at, "not_ect"))
        s->ecn = IP_ECN_NOT;
    else if (word(at, "ect0"))
        s->ecn = IP_ECN_ECT0;
    else if (word(at, "ect1"))
        s->ecn = IP_ECN_ECT1;
    else if (word(at, "ce"))
        s->ecn = IP_ECN_CE;
    else if (!flags(at, &s->flags))
        wrong(*at, "unknown word in brackets");
    if (!word(at, "]"))
        wrong(*at, "no ]");
}

static void range(struct recipe *r, const char **at, uint32_t seq_base)
{
    struct wire_segment *s = &r->seg;
    uint32_t first = number(at);
    if (!word(at, ":"))
        wrong(*at, "no : in the sequence range");
    uint32_t end = number(at);
    if (!word(at, "("))
        wrong(*at, "no ( after the sequence range");
    s->payload_bytes = number(at);
    if (!word(at, ")") || end - first != s->payload_bytes || s->payload_bytes > RECIPE_PAYLOAD_MOST)
        wrong(*at, "the sequence range does not fit its length");
    s->seq = seq_base + first;
    for (uint32_t i = 0; i < s->payload_bytes; i++)
        r->payload[i] = (uint8_t)('a' + (first - 1 + i) % 26);
    s->payload = s->payload_bytes > 0 ? r->payload : NULL;
}

static void rest(struct recipe *r, const char **at, uint32_t ack_base)
{
    struct wire_segment *s = &r->seg;
    if (word(at, "ack "))
        s->ack = ack_base + number(at);
    else if (word(at, "win "))
        s->window = (uint16_t)number(at);
    else if (word(at, "urg "))
        s->urgent = (uint16_t)number(at);
    else if (word(at, "ttl "))
        s->ttl = (uint8_t)number(at);
    else if (word(at, "dscp "))
        s->dscp = (uint8_t)number(at);
    else if (word(at, "bad-cksum"))
        s->bad_checksum = true;
    else if (word(at, "<"))
        options(s, at);
    else if (word(at, "["))
        bracket(s, at);
    else
        wrong(*at, "unknown word");
}

/* The view that a parser would make of the segment. */
static void view_of(struct wire_view *v, const struct wire_segment *s)
{
    *v = (struct wire_view){
        .have = WIRE_IP4 | WIRE_PORTS | WIRE_TCP_SEQ | WIRE_TCP,
        .src.family = 4,
        .dst.family = 4,
        .proto = IP_PROTO_TCP,
        .tos = (uint8_t)(s->dscp << 2 | s->ecn),
        .ttl = s->ttl,
        .ip_flags = s->ip_flags,
        .ip_id = s->ip_id,
        .ip_bytes = 40u + s->options_bytes + s->payload_bytes,
        .seq = s->seq,
        .ack = s->ack,
        .flags = s->flags,
        .window = s->window,
        .urgent = s->urgent,
        .options = s->options_bytes > 0 ? s->options : NULL,
        .options_bytes = s->options_bytes,
        .ip_cksum = WIRE_CKSUM_GOOD,
        .l4_cksum = s->bad_checksum ? WIRE_CKSUM_BAD : WIRE_CKSUM_GOOD,
        .payload = s->payload,
        .payload_captured = s->payload_bytes,
        .payload_bytes = s->payload_bytes,
    };
}

const struct wire_view *recipe(struct recipe *r,
                               const char *text,
                               uint32_t seq_base,
                               uint32_t ack_base)
{
    const char *at = text;
    whole = text;
    memset(r, 0, sizeof *r);
    r->seg.window = 65535;
    r->seg.ttl = 64;
    spaces(&at);
    if (!word(&at, "none") && !flags(&at, &r->seg.flags))
        wrong(at, "no flags");
    spaces(&at);
    range(r, &at, seq_base);
    for (spaces(&at); *at != '\0'; spaces(&at))
        rest(r, &at, ack_base);
    r->seg.cls = seg_classify(r->seg.flags, r->seg.payload_bytes);
    r->seg.ordinal = 1;
    r->seg.tries = 1;
    view_of(&r->view, &r->seg);
    return &r->view;
}

const char *recipe_of(const struct wire_view *v, uint32_t seq_base, uint32_t ack_base)
{
    static char text[8][256];
    static unsigned turn;
    char *out = text[turn++ % 8];
    wire_print(out, sizeof text[0], v, WIRE_PRINT_SHORT, seq_base, ack_base);
    return out;
}

const char *recipe_of_segment(const struct wire_segment *s, uint32_t seq_base, uint32_t ack_base)
{
    struct wire_view v;
    view_of(&v, s);
    return recipe_of(&v, seq_base, ack_base);
}

size_t recipe_hex(const char *hex, uint8_t *out, size_t cap)
{
    size_t n = 0;
    unsigned byte;
    int used;
    whole = hex;
    for (spaces(&hex); *hex != '\0'; spaces(&hex)) {
        if (n == cap || sscanf(hex, "%2x%n", &byte, &used) != 1 || used != 2)
            wrong(hex, "no byte");
        out[n++] = (uint8_t)byte;
        hex += 2;
    }
    return n;
}
