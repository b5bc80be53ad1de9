/* SPDX-License-Identifier: GPL-3.0-or-later
 * A pool of equal blocks with a bound. A full pool is an outcome that the caller counts, not an
 * error. */
#ifndef RS_BASE_SLAB_H
#define RS_BASE_SLAB_H

#include <stddef.h>
#include <stdint.h>

struct slab {
    size_t block_bytes; /* rounded up to 16 */
    size_t limit;       /* most blocks that may be out at once */
    size_t used;        /* blocks out now */
    size_t made;        /* blocks that exist (grown in chunks, never given back before slab_free) */
    uint64_t refused;   /* slab_get calls that found the pool used up */
    void *free_list;
    void *chunks;
};

/* Allocates nothing yet: chunks are made as they are needed. */
void slab_init(struct slab *s, size_t block_bytes, size_t limit);
/* Returns a zeroed block, or NULL when `limit` blocks are out or memory is short. */
void *slab_get(struct slab *s);
/* Gives a block back; NULL is ignored. */
void slab_put(struct slab *s, void *block);
/* Frees every chunk; blocks still out become invalid. */
void slab_free(struct slab *s);

#endif
