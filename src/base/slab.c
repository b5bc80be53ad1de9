/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/slab.h"

#include <stdlib.h>
#include <string.h>

#define CHUNK_BLOCKS 256u

struct chunk { /* header of one allocation; the blocks follow, 16-byte aligned */
    struct chunk *next;
    size_t pad;
};

void slab_init(struct slab *s, size_t block_bytes, size_t limit)
{
    memset(s, 0, sizeof *s);
    s->block_bytes = (block_bytes + 15u) & ~(size_t)15u;
    s->limit = limit;
}

static int grow(struct slab *s)
{
    size_t n = s->limit - s->made;
    if (n > CHUNK_BLOCKS)
        n = CHUNK_BLOCKS;
    struct chunk *c = malloc(sizeof *c + n * s->block_bytes);
    if (c == NULL)
        return -1;
    c->next = s->chunks;
    s->chunks = c;
    unsigned char *block = (unsigned char *)(c + 1);
    for (size_t i = 0; i < n; i++, block += s->block_bytes) {
        memcpy(block, &s->free_list, sizeof s->free_list);
        s->free_list = block;
    }
    s->made += n;
    return 0;
}

void *slab_get(struct slab *s)
{
    if (s->free_list == NULL && (s->made >= s->limit || grow(s) != 0)) {
        s->refused++;
        return NULL;
    }
    void *block = s->free_list;
    memcpy(&s->free_list, block, sizeof s->free_list);
    memset(block, 0, s->block_bytes);
    s->used++;
    return block;
}

void slab_put(struct slab *s, void *block)
{
    if (block == NULL)
        return;
    memcpy(block, &s->free_list, sizeof s->free_list);
    s->free_list = block;
    s->used--;
}

void slab_free(struct slab *s)
{
    struct chunk *c = s->chunks;
    while (c != NULL) {
        struct chunk *next = c->next;
        free(c);
        c = next;
    }
    slab_init(s, s->block_bytes, s->limit);
}
