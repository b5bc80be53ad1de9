/* SPDX-License-Identifier: GPL-3.0-or-later
 * Packs a block of 32-bit words as what differs from another block of that length: for state that
 * many keep and nobody looks at for a while, and that is the same in most of its words. A bitmap
 * with a bit a word, then the words that differ. */
#ifndef RS_BASE_PACK_H
#define RS_BASE_PACK_H

#include <stddef.h>
#include <stdint.h>

/* Words that `words` words can take when packed. */
#define PACK_MOST(words) ((words) + ((words) + 31) / 32)

/* Returns how many words it wrote to `out`, which has room for PACK_MOST(words). */
size_t pack_words(const uint32_t *block, const uint32_t *base, size_t words, uint32_t *out);
/* The reverse, with the same base; reads just as many words as were written. */
void unpack_words(const uint32_t *packed, const uint32_t *base, size_t words, uint32_t *block);

#endif
