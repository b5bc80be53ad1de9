/* SPDX-License-Identifier: GPL-3.0-or-later
 * One entry: an address, a prefix (bits behind it are ignored, as in ZMap), or a range a-b. */
#include <string.h>

#include "io/blocklist_int.h"

#define ENTRY_BYTES (2 * WIRE_ADDR_TEXT)

static const char want[] = "cannot be read; expected an address, a prefix such as 192.0.2.0/24 or "
                           "2001:db8::/32, or a range a-b";

/* Decimal digits up to `most`, nothing else; -1 if not. */
static int prefix_length(const char *s, int most)
{
    int bits = 0;
    if (*s == '\0' || strspn(s, "0123456789") != strlen(s))
        return -1;
    for (; *s != '\0' && bits <= most; s++)
        bits = bits * 10 + (*s - '0');
    return bits <= most ? bits : -1;
}

static void span(struct blocklist_range *r, int bits)
{
    int bytes = r->low.family == 4 ? 4 : 16;
    r->high = r->low;
    for (int i = 0; i < bytes; i++) {
        int fixed = bits - 8 * i < 0 ? 0 : bits - 8 * i > 8 ? 8 : bits - 8 * i;
        uint8_t free_bits = (uint8_t)(0xffu >> fixed);
        r->low.bytes[i] = (uint8_t)(r->low.bytes[i] & ~free_bits);
        r->high.bytes[i] = (uint8_t)(r->high.bytes[i] | free_bits);
    }
}

static const char *parse_range(const char *a, const char *b, struct blocklist_range *out)
{
    b += strspn(b, " \t");
    if (wire_addr_parse(a, &out->low) != 0 || wire_addr_parse(b, &out->high) != 0)
        return want;
    if (out->low.family != out->high.family)
        return "mixes IPv4 and IPv6; expected a range a-b of one family";
    if (memcmp(out->low.bytes, out->high.bytes, sizeof out->low.bytes) > 0)
        return "runs backwards; expected a range a-b with a before b";
    return NULL;
}

static const char *parse_prefix(const char *address,
                                const char *length,
                                struct blocklist_range *out)
{
    if (wire_addr_parse(address, &out->low) != 0)
        return want;
    int most = out->low.family == 4 ? 32 : 128;
    int bits = prefix_length(length, most);
    if (bits < 0)
        return most == 32 ? "has no valid prefix length; expected 0 to 32 behind the slash"
                          : "has no valid prefix length; expected 0 to 128 behind the slash";
    span(out, bits);
    return NULL;
}

static bool has_name(const char *entry)
{
    bool letters = false;
    for (; *entry != '\0'; entry++) {
        char c = (char)(*entry | 0x20);
        if (*entry == ':')
            return false;
        letters |= c >= 'a' && c <= 'z';
    }
    return letters;
}

const char *blocklist_parse(const char *entry, struct blocklist_range *out)
{
    char text[ENTRY_BYTES + 8];
    memset(out, 0, sizeof *out);
    if (has_name(entry))
        return "is a name; expected an address, a prefix or a range a-b (resolve names first)";
    if (strlen(entry) >= sizeof text)
        return want;
    memcpy(text, entry, strlen(entry) + 1);
    char *minus = strchr(text, '-'), *slash = strchr(text, '/');
    if (minus != NULL) {
        char *end = minus;
        while (end > text && (end[-1] == ' ' || end[-1] == '\t'))
            end--;
        *end = '\0';
        return parse_range(text, minus + 1, out);
    }
    if (slash != NULL) {
        *slash = '\0';
        return parse_prefix(text, slash + 1, out);
    }
    if (wire_addr_parse(text, &out->low) != 0)
        return want;
    out->high = out->low;
    return NULL;
}
