/* SPDX-License-Identifier: GPL-3.0-or-later
 * The set itself: blocks of 64 lines in chunks of 4096 blocks, so that a list whose shards are far
 * apart costs no more than its records. */
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "io/done_int.h"

struct done *done_new(void)
{
    return calloc(1, sizeof(struct done));
}

void done_free(struct done *d)
{
    if (d == NULL)
        return;
    for (size_t i = 0; i < d->chunks; i++)
        free(d->chunk[i]);
    free(d->chunk);
    free(d);
}

uint64_t done_records(const struct done *d)
{
    return d->records;
}

uint64_t done_cut(const struct done *d)
{
    return d->cut;
}

static const struct done_block *find(const struct done *d, uint64_t block)
{
    static const struct done_block nothing;
    uint64_t chunk = block / DONE_CHUNK_BLOCKS;
    if (chunk >= d->chunks || d->chunk[chunk] == NULL)
        return &nothing;
    return &d->chunk[chunk][block % DONE_CHUNK_BLOCKS];
}

/* As find, but the block is there afterwards. NULL without memory. */
static struct done_block *make(struct done *d, uint64_t block)
{
    size_t chunk = (size_t)(block / DONE_CHUNK_BLOCKS);
    if (chunk >= d->chunks) {
        size_t chunks = chunk + 1 > 2 * d->chunks ? chunk + 1 : 2 * d->chunks;
        struct done_block **more = realloc(d->chunk, chunks * sizeof *more);
        if (more == NULL)
            return NULL;
        memset(more + d->chunks, 0, (chunks - d->chunks) * sizeof *more);
        d->chunk = more;
        d->chunks = chunks;
    }
    if (d->chunk[chunk] == NULL)
        d->chunk[chunk] = calloc(DONE_CHUNK_BLOCKS, sizeof **d->chunk);
    return d->chunk[chunk] == NULL ? NULL : &d->chunk[chunk][block % DONE_CHUNK_BLOCKS];
}

/* Not a secret: it is to notice mistakes, not to withstand somebody who makes a list up. */
static uint64_t hash(uint64_t line, const char *text, size_t n)
{
    const struct rs_key key = {line, UINT64_C(0x6f6e65206c696e65)};
    return rs_siphash(&key, text, n);
}

int done_add(struct done *d, const struct done_record *r, const char *text)
{
    struct done_block *b = make(d, r->line / DONE_BLOCK_LINES);
    uint64_t bit = UINT64_C(1) << r->line % DONE_BLOCK_LINES;
    if (b == NULL)
        return -RS_ENOMEM;
    if ((b->lines & bit) != 0)
        return -RS_EINVAL;
    b->lines |= bit;
    b->sum += hash(r->line, text, r->input_bytes);
    d->records++;
    return 0;
}

/* The input leaves the block where it is: was all that is done there met? */
static bool is_met(const struct done *d)
{
    const struct done_block *b = find(d, d->at);
    return b->lines == d->met.lines && b->sum == d->met.sum;
}

static bool is_empty(const struct done *d, uint64_t from, uint64_t to)
{
    while (from < to && from / DONE_CHUNK_BLOCKS < d->chunks)
        if (find(d, from++)->lines != 0)
            return false;
    return true;
}

int done_has(struct done *d, uint64_t line, const char *text, size_t n)
{
    uint64_t block = line / DONE_BLOCK_LINES;
    if (block != d->at) {
        if (!is_met(d) || !is_empty(d, d->at + 1, block))
            return -RS_EINVAL;
        d->at = block;
        d->met = (struct done_block){0};
    }
    const struct done_block *b = find(d, block);
    uint64_t bit = UINT64_C(1) << line % DONE_BLOCK_LINES;
    if ((b->lines & bit) == 0)
        return 0;
    d->met.lines |= bit;
    d->met.sum += hash(line, text, n);
    bool is_last = (b->lines & ~((bit << 1) - 1)) == 0; /* not to be told later than need be */
    return is_last && !is_met(d) ? -RS_EINVAL : 1;
}

int done_end(const struct done *d)
{
    return is_met(d) && is_empty(d, d->at + 1, UINT64_MAX) ? 0 : -RS_EINVAL;
}
