/* SPDX-License-Identifier: GPL-3.0-or-later
 * A bounded cursor over bytes from outside: every getter fails at the end instead of reading past
 * it, and leaves the cursor and the target as they were. Wire order is big-endian. */
#ifndef RS_BASE_CURSOR_H
#define RS_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cursor {
    const uint8_t *at; /* never read when left is 0 */
    size_t left;
};

static inline bool cursor_skip(struct cursor *c, size_t n)
{
    if (n > c->left)
        return false;
    if (n > 0) /* `at` may be NULL when nothing is left: no arithmetic on it */
        c->at += n;
    c->left -= n;
    return true;
}

static inline bool get_u8(struct cursor *c, uint8_t *out)
{
    if (c->left < 1)
        return false;
    *out = c->at[0];
    return cursor_skip(c, 1);
}

static inline bool get_be16(struct cursor *c, uint16_t *out)
{
    if (c->left < 2)
        return false;
    *out = (uint16_t)((unsigned)c->at[0] << 8 | c->at[1]);
    return cursor_skip(c, 2);
}

static inline bool get_be32(struct cursor *c, uint32_t *out)
{
    if (c->left < 4)
        return false;
    *out = (uint32_t)c->at[0] << 24 | (uint32_t)c->at[1] << 16 | (uint32_t)c->at[2] << 8 | c->at[3];
    return cursor_skip(c, 4);
}

/* Borrows `n` bytes. */
static inline bool get_bytes(struct cursor *c, size_t n, const uint8_t **out)
{
    if (n > c->left)
        return false;
    *out = c->at;
    return cursor_skip(c, n);
}

/* For what is written, never for what was received: the caller knows that the room is there. */
static inline void put_be16(uint8_t *at, uint16_t v)
{
    at[0] = (uint8_t)(v >> 8);
    at[1] = (uint8_t)v;
}

static inline void put_be32(uint8_t *at, uint32_t v)
{
    put_be16(at, (uint16_t)(v >> 16));
    put_be16(at + 2, (uint16_t)v);
}

#endif
