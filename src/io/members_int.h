/* SPDX-License-Identifier: GPL-3.0-or-later
 * Walks the top-level members of a JSON object's text, without a tree and without changing a byte.
 */
#ifndef RS_IO_MEMBERS_INT_H
#define RS_IO_MEMBERS_INT_H

#include <stdbool.h>
#include <stddef.h>

struct members { /* text is borrowed */
    const char *text;
    size_t n, at;
    const char *key; /* of the member found last: between its quotes, escapes as they stand */
    size_t key_bytes;
    bool bad; /* the text is not the object that it was said to be */
};

/* `text`: a valid JSON object from '{' to '}'; anything else is noticed where the walk depends on
 * it, and never read beyond. */
void members_init(struct members *m, const char *text, size_t n);
/* Steps to the next member; false at the end. */
bool members_next(struct members *m);

/* If the key, its escapes read, is "in_" any number of times and then `name` (ASCII): that number;
 * else -1. */
int members_key_depth(const struct members *m, const char *name);

#endif
