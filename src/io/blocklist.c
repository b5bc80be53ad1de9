/* SPDX-License-Identifier: GPL-3.0-or-later
 * The list itself: filled, then sorted into ranges that do not overlap, then searched by halves. */
#include "io/blocklist.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/blocklist_int.h"
#include "io/text_int.h"

#define LINE_BYTES 1024 /* an entry needs 91; the rest is room for the comment */
#define NOTE_BYTES 100  /* of a comment, this much goes into the text */

struct blocklist {
    struct blocklist_range *range;
    size_t n, cap;
    size_t entries;
    struct record_text texts; /* NUL-terminated, one behind the other */
};

static int compare(const struct wire_addr *a, const struct wire_addr *b)
{
    return a->family != b->family ? (a->family < b->family ? -1 : 1)
                                  : memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

/* By first address; of two that begin together the longer one first. */
static int by_low(const void *a, const void *b)
{
    const struct blocklist_range *x = a, *y = b;
    int order = compare(&x->low, &y->low);
    return order != 0 ? order : compare(&y->high, &x->high);
}

/* The next address; the caller knows that there is one. */
static void increment(struct wire_addr *a)
{
    for (size_t i = a->family == 4 ? 4 : 16; i-- > 0;)
        if (++a->bytes[i] != 0)
            return;
}

/* Makes the ranges disjoint: one that lies in another goes, one that reaches out of another keeps
 * its rest. */
static void settle(struct blocklist *list)
{
    size_t kept = 0;
    list->entries = list->n;
    if (list->n > 0)
        qsort(list->range, list->n, sizeof list->range[0], by_low);
    for (size_t i = 0; i < list->n; i++) {
        struct blocklist_range next = list->range[i];
        if (kept > 0) {
            const struct wire_addr *covered = &list->range[kept - 1].high;
            if (compare(&next.high, covered) <= 0)
                continue;
            if (compare(&next.low, covered) <= 0) {
                next.low = *covered;
                increment(&next.low);
            }
        }
        list->range[kept++] = next;
    }
    list->n = kept;
}

static bool add(struct blocklist *list,
                struct blocklist_range range,
                const char *entry,
                const char *note)
{
    if (list->n == list->cap) {
        size_t cap = list->cap == 0 ? 64 : list->cap * 2;
        struct blocklist_range *grown = realloc(list->range, cap * sizeof *grown);
        if (grown == NULL)
            return false;
        list->range = grown;
        list->cap = cap;
    }
    range.text = list->texts.n;
    size_t most = strlen(entry) + NOTE_BYTES + 4;
    char *to = text_room(&list->texts, most);
    if (to == NULL)
        return false;
    int n = snprintf(to, most, "%s (%.*s)", entry, NOTE_BYTES, note);
    list->texts.n += (size_t)n + 1;
    list->range[list->n++] = range;
    return true;
}

void blocklist_free(struct blocklist *list)
{
    if (list == NULL)
        return;
    text_free(&list->texts);
    free(list->range);
    free(list);
}

int blocklist_default(struct blocklist **out, struct rs_err *err)
{
    *out = NULL;
    struct blocklist *list = calloc(1, sizeof *list);
    bool fits = list != NULL;
    for (const struct blocklist_entry *e = blocklist_special; fits && e->range != NULL; e++) {
        struct blocklist_range range;
        fits = blocklist_parse(e->range, &range) == NULL && add(list, range, e->range, e->note);
    }
    if (!fits) {
        blocklist_free(list);
        return rs_fail(err, RS_ENOMEM, "not enough memory for the blocklist");
    }
    settle(list);
    *out = list;
    return 0;
}

static char *trim(char *s)
{
    static const char blanks[] = " \t\r\n\v\f";
    s += strspn(s, blanks);
    size_t n = strlen(s);
    while (n > 0 && strchr(blanks, s[n - 1]) != NULL)
        n--;
    s[n] = '\0';
    return s;
}

static int load_line(
    struct blocklist *list, char *line, const char *path, size_t number, struct rs_err *err)
{
    char place[NOTE_BYTES + 1];
    const char *note = place;
    char *comment = strchr(line, '#');
    if (comment != NULL) {
        *comment++ = '\0';
        comment = trim(comment + strspn(comment, "#"));
    }
    char *entry = trim(line);
    if (*entry == '\0')
        return 0;
    struct blocklist_range range;
    const char *expected = blocklist_parse(entry, &range);
    if (expected != NULL)
        return rs_fail(err, RS_EINVAL, "%s:%zu: \"%.60s\" %s", path, number, entry, expected);
    if (comment != NULL && *comment != '\0')
        note = comment;
    else
        snprintf(place, sizeof place, "%s:%zu", path, number);
    return add(list, range, entry, note)
               ? 0
               : rs_fail(err, RS_ENOMEM, "not enough memory for %s", path);
}

static int load(struct blocklist *list, FILE *file, const char *path, struct rs_err *err)
{
    char line[LINE_BYTES];
    bool is_rest = false; /* of a comment that goes on beyond the buffer */
    for (size_t number = 1; fgets(line, sizeof line, file) != NULL;) {
        size_t n = strlen(line);
        bool is_whole = n > 0 && line[n - 1] == '\n';
        bool has_comment = strchr(line, '#') != NULL;
        if (!is_whole && !has_comment && !is_rest && !feof(file))
            return rs_fail(
                err, RS_EINVAL,
                "%s:%zu: binary, or too long; expected an address, a prefix or a range a-b", path,
                number);
        int code = is_rest ? 0 : load_line(list, line, path, number, err);
        if (code != 0)
            return code;
        is_rest = !is_whole;
        number += is_whole;
    }
    if (ferror(file))
        return rs_fail_errno(err, errno, "reading the blocklist %s failed", path);
    return 0;
}

int blocklist_load(struct blocklist **out, const char *path, struct rs_err *err)
{
    *out = NULL;
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        int why = errno;
        int code = rs_fail_errno(err, why, "cannot open the blocklist %s", path);
        return why == ENOENT ? -RS_ENOENT : code;
    }
    struct blocklist *list = calloc(1, sizeof *list);
    int code = list != NULL ? load(list, file, path, err)
                            : rs_fail(err, RS_ENOMEM, "not enough memory for %s", path);
    fclose(file);
    if (code != 0) {
        blocklist_free(list);
        return code;
    }
    settle(list);
    *out = list;
    return 0;
}

const char *blocklist_match(const struct blocklist *list, const struct wire_addr *a)
{
    size_t low = 0, high = list != NULL ? list->n : 0;
    while (low <
           high) { /* ranges before `low` begin at or before a, those from `high` on behind it */
        size_t middle = low + (high - low) / 2;
        if (compare(&list->range[middle].low, a) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0 || compare(a, &list->range[low - 1].high) > 0)
        return NULL;
    return list->texts.at + list->range[low - 1].text;
}

size_t blocklist_entries(const struct blocklist *list)
{
    return list != NULL ? list->entries : 0;
}

int blocklist_open(struct blocklist **out, const char *name, struct rs_err *err)
{
    static const char *const usual[] = {"/etc/rawspider/blocklist.conf",
                                        "/etc/zmap/blocklist.conf"};
    *out = NULL;
    if (name != NULL)
        return strcmp(name, "none") == 0 ? 0 : blocklist_load(out, name, err);
    for (unsigned i = 0; i < sizeof usual / sizeof usual[0]; i++)
        if (access(usual[i], F_OK) == 0)
            return blocklist_load(out, usual[i], err);
    return blocklist_default(out, err);
}
