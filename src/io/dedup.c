/* SPDX-License-Identifier: GPL-3.0-or-later
 * Open addressing, linear probing, four fifths full at most, nothing ever taken out. */
#include "io/dedup.h"

#include <stdlib.h>
#include <string.h>

#include "io/input.h"

struct seen {
    uint64_t a, b; /* the fingerprint's halves */
    uint64_t line; /* 0: the slot is free */
};

struct dedup {
    struct rs_key key_a, key_b;
    struct seen *slot;
    size_t slots, n, most;
};

_Static_assert(sizeof(struct seen) * 5 / 4 == DEDUP_BYTES_EACH, "what the user is told");

int dedup_new(struct dedup **out, size_t most, const struct rs_key *key, struct rs_err *err)
{
    *out = NULL;
    struct dedup *d = calloc(1, sizeof *d);
    size_t slots = most + most / 4 + 1; /* one is always free: a search ends there */
    if (d != NULL)
        d->slot = calloc(slots, sizeof *d->slot);
    if (d == NULL || d->slot == NULL) {
        free(d);
        return rs_fail(err, RS_ENOMEM,
                       "not enough memory to remember %zu targets; expected a smaller "
                       "--dedup-most (%d bytes each)",
                       most, DEDUP_BYTES_EACH);
    }
    d->slots = slots;
    d->most = most;
    d->key_a = (struct rs_key){rs_siphash(key, "dedup 0", 7), rs_siphash(key, "dedup 1", 7)};
    d->key_b = (struct rs_key){rs_siphash(key, "dedup 2", 7), rs_siphash(key, "dedup 3", 7)};
    *out = d;
    return 0;
}

void dedup_free(struct dedup *d)
{
    if (d == NULL)
        return;
    free(d->slot);
    free(d);
}

bool dedup_is_full(const struct dedup *d)
{
    return d->n == d->most;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Parts of fixed length, then the domain: no two targets give the same bytes. */
static struct seen fingerprint(const struct dedup *d, const struct dedup_target *t)
{
    char bytes[1 + 16 + 2 + 8 + INPUT_DOMAIN_BYTES];
    size_t n = 0;
    uint64_t mode = rs_siphash(&d->key_a, t->mode, strlen(t->mode));
    bytes[n++] = (char)t->dip->family;
    memcpy(bytes + n, t->dip->bytes, 16);
    n += 16;
    memcpy(bytes + n, &t->dp, sizeof t->dp);
    n += sizeof t->dp;
    memcpy(bytes + n, &mode, sizeof mode);
    n += sizeof mode;
    for (const char *c = t->domain; c != NULL && *c != '\0' && n < sizeof bytes; c++)
        bytes[n++] = lower(*c);
    return (struct seen){rs_siphash(&d->key_a, bytes, n), rs_siphash(&d->key_b, bytes, n), 0};
}

uint64_t dedup_line(struct dedup *d, const struct dedup_target *t, uint64_t line)
{
    struct seen new = fingerprint(d, t);
    size_t at = (size_t)(new.a % d->slots);
    for (; d->slot[at].line != 0; at = at + 1 < d->slots ? at + 1 : 0)
        if (d->slot[at].a == new.a && d->slot[at].b == new.b)
            return d->slot[at].line;
    if (dedup_is_full(d))
        return 0;
    new.line = line;
    d->slot[at] = new;
    d->n++;
    return 0;
}
