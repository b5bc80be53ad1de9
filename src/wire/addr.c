/* SPDX-License-Identifier: GPL-3.0-or-later
 * Addresses as text: RFC 4291 2.2 in, RFC 5952 out (libc's converters follow both). */
#include "wire/addr.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/err.h"

int wire_addr_parse(const char *text, struct wire_addr *out)
{
    struct wire_addr a = {0};
    if (inet_pton(AF_INET, text, a.bytes) == 1)
        a.family = 4;
    else if (inet_pton(AF_INET6, text, a.bytes) == 1)
        a.family = 6;
    else
        return -RS_EINVAL;
    *out = a;
    return 0;
}

/* As inet_ntop, which goes through sprintf: three addresses a record are worth the lines. */
static void format4(const uint8_t bytes[4], char *to)
{
    for (unsigned i = 0; i < 4; i++) {
        unsigned v = bytes[i];
        if (v >= 100)
            *to++ = (char)('0' + v / 100);
        if (v >= 10)
            *to++ = (char)('0' + v / 10 % 10);
        *to++ = (char)('0' + v % 10);
        *to++ = i < 3 ? '.' : '\0';
    }
}

/* RFC 5952 4: lower case, no leading zeros, the first of the longest runs of zero groups as "::".
 */
static void format6(const uint8_t bytes[16], char *to)
{
    unsigned from = 8, longest = 1; /* one group alone is written */
    for (unsigned i = 0, run = 0; i < 8; i++) {
        run = bytes[2 * i] == 0 && bytes[2 * i + 1] == 0 ? run + 1 : 0;
        if (run > longest) {
            longest = run;
            from = i + 1 - run;
        }
    }
    for (unsigned i = 0; i < 8; i++) {
        if (i == from) {
            *to++ = ':';
            i += longest - 1;
            if (i == 7)
                *to++ = ':';
            continue;
        }
        if (i > 0)
            *to++ = ':';
        unsigned group = (unsigned)bytes[2 * i] << 8 | bytes[2 * i + 1], shift = 12;
        while (shift > 0 && group >> shift == 0)
            shift -= 4;
        for (;; shift -= 4) {
            *to++ = "0123456789abcdef"[group >> shift & 15];
            if (shift == 0)
                break;
        }
    }
    *to = '\0';
}

/* ::/80 has forms with an IPv4 address in them (RFC 5952 5), which libc knows. */
static bool may_embed_ipv4(const uint8_t bytes[16])
{
    static const uint8_t zero[10];
    return memcmp(bytes, zero, sizeof zero) == 0;
}

char *wire_addr_format(const struct wire_addr *a, char text[WIRE_ADDR_TEXT])
{
    strcpy(text, "-");
    if (a->family == 4)
        format4(a->bytes, text);
    else if (a->family == 6 && !may_embed_ipv4(a->bytes))
        format6(a->bytes, text);
    else if (a->family == 6)
        inet_ntop(AF_INET6, a->bytes, text, WIRE_ADDR_TEXT);
    return text;
}

struct wire_addr wire_addr_network(const struct wire_addr *a)
{
    struct wire_addr network = {.family = a->family};
    memcpy(network.bytes, a->bytes, a->family == 4 ? 3 : 6);
    return network;
}

bool wire_addr_equal(const struct wire_addr *a, const struct wire_addr *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

struct wire_tuple wire_tuple_swap(const struct wire_tuple *t)
{
    return (struct wire_tuple){
        .src = t->dst, .dst = t->src, .proto = t->proto, .sport = t->dport, .dport = t->sport};
}
