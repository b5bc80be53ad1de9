/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/text_int.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 1024u

char *text_room(struct record_text *t, size_t more)
{
    if (t->cap - t->n < more) {
        size_t cap = t->cap < FIRST_BYTES ? FIRST_BYTES : t->cap;
        while (cap - t->n < more && cap <= SIZE_MAX / 2)
            cap *= 2;
        char *at = cap - t->n < more ? NULL : realloc(t->at, cap);
        if (at == NULL) {
            t->failed = true;
            return NULL;
        }
        t->at = at;
        t->cap = cap;
    }
    return t->at + t->n;
}

void text_add(struct record_text *t, const char *s, size_t n)
{
    char *to = n == 0 ? NULL : text_room(t, n);
    if (to == NULL)
        return;
    memcpy(to, s, n);
    t->n += n;
}

void text_free(struct record_text *t)
{
    free(t->at);
    memset(t, 0, sizeof *t);
}

static bool continues(char c)
{
    return ((unsigned char)c & 0xc0u) == 0x80u;
}

/* RFC 3629 section 4: shortest form only, no surrogates, nothing above U+10FFFF. */
size_t text_utf8(const char *s, size_t n)
{
    unsigned char a = (unsigned char)s[0], b = n > 1 ? (unsigned char)s[1] : 0;
    if (a < 0x80)
        return 1;
    if (a < 0xc2 || a > 0xf4 || n < 2 || !continues(s[1]))
        return 0;
    if (a < 0xe0)
        return 2;
    if (n < 3 || !continues(s[2]))
        return 0;
    if (a < 0xf0)
        return (a == 0xe0 && b < 0xa0) || (a == 0xed && b > 0x9f) ? 0 : 3;
    if (n < 4 || !continues(s[3]))
        return 0;
    return (a == 0xf0 && b < 0x90) || (a == 0xf4 && b > 0x8f) ? 0 : 4;
}

/* Writes the escape of one byte; at most 6 bytes. */
static size_t escape(char *to, unsigned char c)
{
    static const char hex[] = "0123456789abcdef";
    static const char letter[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                  ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
    to[0] = '\\';
    if (c < sizeof letter && letter[c] != 0) {
        to[1] = letter[c];
        return 2;
    }
    memcpy(to + 1, "u00", 3);
    to[4] = hex[c >> 4];
    to[5] = hex[c & 0xfu];
    return 6;
}

size_t text_add_json(struct record_text *t, const char *s, size_t n)
{
    size_t foreign = 0;
    char *start = n > (SIZE_MAX - 2) / 6 ? NULL : text_room(t, 6 * n + 2);
    if (start == NULL) {
        t->failed = true;
        return 0;
    }
    char *to = start;
    *to++ = '"';
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)s[i];
        if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
            *to++ = s[i++];
            continue;
        }
        size_t len = c < 0x80 ? 0 : text_utf8(s + i, n - i);
        if (len == 0) {
            foreign += c >= 0x80;
            to += escape(to, c);
            i++;
        } else {
            memcpy(to, s + i, len);
            to += len;
            i += len;
        }
    }
    *to++ = '"';
    t->n += (size_t)(to - start);
    return foreign;
}
