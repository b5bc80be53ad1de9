/* SPDX-License-Identifier: GPL-3.0-or-later
 * The set of done lines, between the file that keeps it and the one that reads it back. */
#ifndef RS_IO_DONE_INT_H
#define RS_IO_DONE_INT_H

#include "io/done.h"

#define DONE_BLOCK_LINES  64u
#define DONE_CHUNK_BLOCKS 4096u

struct done_block {
    uint64_t lines; /* bit i: line i of the block is done */
    uint64_t sum;   /* of the hashes of those lines' texts, modulo 2^64 */
};

struct done {
    struct done_block **chunk; /* owned; NULL where nothing is done */
    size_t chunks;
    uint64_t records, cut;
    /* Where the input is: */
    uint64_t at; /* number of the block */
    struct done_block met;
};

#endif
