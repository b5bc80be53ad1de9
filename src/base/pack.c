/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/pack.h"

size_t pack_words(const uint32_t *block, const uint32_t *base, size_t words, uint32_t *out)
{
    size_t n = (words + 31) / 32; /* behind the bitmap */
    for (size_t from = 0; from < words; from += 32) {
        size_t most = words - from < 32 ? words - from : 32;
        uint32_t bits = 0;
        for (size_t i = 0; i < most; i++)
            bits |= (uint32_t)(block[from + i] != base[from + i]) << i;
        out[from / 32] = bits;
        for (; bits != 0; bits &= bits - 1)
            out[n++] = block[from + (size_t)__builtin_ctz(bits)];
    }
    return n;
}

void unpack_words(const uint32_t *packed, const uint32_t *base, size_t words, uint32_t *block)
{
    size_t n = (words + 31) / 32;
    for (size_t i = 0; i < words; i++)
        block[i] = packed[i / 32] >> (i % 32) & 1 ? packed[n++] : base[i];
}
