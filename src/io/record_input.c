/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a record starts from: the input object's text, copied byte for byte, but for top-level keys
 * that meet one of ours. Such a key gets "in_" between its quote and its first byte, as it stands:
 * its own escapes are not rewritten. */
#include "io/record.h"

#include <stdio.h>
#include <string.h>

#include "io/members_int.h"
#include "io/text_int.h"

/* Which of keys the member's key equals, or -1. */
static int meets(const struct members *m, const char *const *keys)
{
    bool escaped = memchr(m->key, '\\', m->key_bytes) != NULL;
    for (int i = 0; keys[i] != NULL; i++) {
        if (escaped) {
            if (members_key_depth(m, keys[i]) == 0)
                return i;
        } else if (m->key[0] == keys[i][0] && strlen(keys[i]) == m->key_bytes &&
                   memcmp(m->key, keys[i], m->key_bytes) == 0) {
            return i;
        }
    }
    return -1;
}

static uint64_t bit(int depth)
{
    return depth >= 0 && depth < 64 ? UINT64_C(1) << depth : 0;
}

/* How often "in_" goes before keys[which]: the smallest number whose name neither the input nor we
 * use; one more than any used, should all below 64 be taken. */
static int prefixes(const char *text, size_t n, const char *const *keys, int which)
{
    uint64_t used = 1;
    int deepest = 0;
    for (int i = 0; keys[i] != NULL; i++) {
        struct members own = {.key = keys[i], .key_bytes = strlen(keys[i])};
        used |= bit(members_key_depth(&own, keys[which]));
    }
    struct members m;
    members_init(&m, text, n);
    while (members_next(&m)) {
        int depth = members_key_depth(&m, keys[which]);
        used |= bit(depth);
        deepest = depth > deepest ? depth : deepest;
    }
    for (int depth = 1; depth < 64; depth++)
        if ((used & bit(depth)) == 0)
            return depth;
    return deepest + 1;
}

static void add_prefixes(struct record_text *t, int times)
{
    while (times-- > 0)
        text_add(t, "in_", 3);
}

/* Copies the object without its closing brace. False: it was no object after all. */
static bool copy_object(struct record *r, const char *raw, size_t n, const char *const *keys)
{
    static const char *const none[] = {NULL};
    enum {
        REMEMBERED = 32
    }; /* numbers of prefixes by key: a hostile line may repeat a key often */
    int times[REMEMBERED] = {0};
    struct members m;
    size_t copied = 0;
    bool any = false;
    keys = keys != NULL ? keys : none;
    for (members_init(&m, raw, n); members_next(&m); any = true) {
        int which = meets(&m, keys);
        if (which < 0)
            continue;
        size_t upto = (size_t)(m.key - raw);
        text_add(&r->text, raw + copied, upto - copied);
        copied = upto;
        int k = which < REMEMBERED ? times[which] : 0;
        if (k == 0)
            k = prefixes(raw, n, keys, which);
        if (which < REMEMBERED)
            times[which] = k;
        add_prefixes(&r->text, k);
    }
    if (m.bad || m.at != n - 1)
        return false;
    text_add(&r->text, raw + copied, n - 1 - copied);
    r->begun = any;
    return true;
}

/* Cuts at the front of a UTF-8 sequence, so that the cut makes no foreign bytes. */
static size_t cut(const char *raw, size_t n)
{
    if (n <= RECORD_RAW_BYTES)
        return n;
    for (size_t back = 0; back < 4; back++)
        if (((unsigned char)raw[RECORD_RAW_BYTES - back] & 0xc0u) != 0x80u)
            return RECORD_RAW_BYTES - back;
    return RECORD_RAW_BYTES;
}

static void add_raw(struct record *r, const char *raw, size_t n)
{
    size_t kept = cut(raw, n);
    text_add(&r->text, "{\"in_raw\":", 10);
    size_t foreign = text_add_json(&r->text, raw, kept);
    r->begun = 1;
    if (foreign == 0 && kept == n)
        return;
    char note[160] = "";
    int at = 0;
    if (kept < n)
        at = snprintf(note, sizeof note, "the first %zu bytes of %zu", kept, n);
    if (foreign > 0)
        snprintf(note + at, sizeof note - (size_t)at,
                 "%s%zu bytes that are not UTF-8, written as \\u0080 to \\u00ff",
                 at > 0 ? "; " : "", foreign);
    record_str(r, "in_raw_note", note);
}

void record_begin(struct record *r, const struct record_input *in, const char *const *keys)
{
    r->text.n = 0;
    r->text.failed = false;
    r->array = r->begun = 0;
    r->depth = 1;
    if (in == NULL) {
        text_add(&r->text, "{", 1);
        return;
    }
    if (in->is_json && copy_object(r, in->raw, in->raw_bytes, keys))
        return;
    r->text.n = 0;
    add_raw(r, in->raw, in->raw_bytes);
}
