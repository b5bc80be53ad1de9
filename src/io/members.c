/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/members_int.h"

#include <string.h>

void members_init(struct members *m, const char *text, size_t n)
{
    *m = (struct members){.text = text, .n = n, .at = 1};
    m->bad = n < 2 || text[0] != '{' || text[n - 1] != '}';
}

static void skip_blanks(struct members *m)
{
    while (m->at < m->n && strchr(" \t\r\n", m->text[m->at]) != NULL && m->text[m->at] != '\0')
        m->at++;
}

/* From the byte behind the opening quote to the one behind the closing quote. */
static void skip_string(struct members *m)
{
    while (m->at < m->n) {
        char c = m->text[m->at++];
        if (c == '"')
            return;
        if (c == '\\')
            m->at++;
    }
    m->bad = true;
}

/* To the ',' or '}' that ends the member. A counter is enough for nesting: the text is valid. */
static void skip_value(struct members *m)
{
    size_t depth = 0;
    while (m->at < m->n) {
        char c = m->text[m->at];
        if (depth == 0 && (c == ',' || c == '}'))
            return;
        m->at++;
        if (c == '"')
            skip_string(m);
        else if (c == '{' || c == '[')
            depth++;
        else if (c == '}' || c == ']')
            depth--; /* not at 0: '}' is caught above, and a stray ']' only makes the walk end */
    }
    m->bad = true;
}

bool members_next(struct members *m)
{
    if (m->bad)
        return false;
    if (m->key != NULL) {
        skip_value(m);
        if (m->bad || m->text[m->at] == '}')
            return false;
        m->at++;
    }
    skip_blanks(m);
    if (m->at >= m->n || m->text[m->at] != '"') {
        m->bad = m->at >= m->n || m->text[m->at] != '}';
        return false;
    }
    m->key = m->text + ++m->at;
    skip_string(m);
    if (m->at >= m->n)
        m->bad = true;
    m->key_bytes = m->bad ? 0 : (size_t)(m->text + m->at - 1 - m->key);
    return !m->bad;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One character of a key at *i, moved behind it; anything that is not ASCII is given as -1. */
static int key_character(const struct members *m, size_t *i)
{
    char c = m->key[(*i)++];
    if (c != '\\')
        return (unsigned char)c < 0x80 ? c : -1;
    if (*i >= m->key_bytes)
        return -1;
    c = m->key[(*i)++];
    if (c != 'u') {
        static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
        const char *found = strchr(from, c);
        return found != NULL && c != '\0' ? to[found - from] : c;
    }
    int code = 0;
    for (int k = 0; k < 4; k++) {
        int digit = *i < m->key_bytes ? hex_digit(m->key[(*i)++]) : -1;
        if (digit < 0)
            return -1;
        code = code << 4 | digit;
    }
    return code < 0x80 ? code : -1;
}

static bool rest_equals(const struct members *m, size_t i, const char *name)
{
    while (i < m->key_bytes && *name != '\0')
        if (key_character(m, &i) != *name++)
            return false;
    return i == m->key_bytes && *name == '\0';
}

static bool take_prefix(const struct members *m, size_t *i)
{
    size_t at = *i;
    for (const char *p = "in_"; *p != '\0'; p++)
        if (at >= m->key_bytes || key_character(m, &at) != *p)
            return false;
    *i = at;
    return true;
}

int members_key_depth(const struct members *m, const char *name)
{
    /* `name` may itself begin with "in_": the longest match is looked for from the front. */
    size_t i = 0;
    for (int depth = 0;; depth++) {
        if (rest_equals(m, i, name))
            return depth;
        if (!take_prefix(m, &i))
            return -1;
    }
}
