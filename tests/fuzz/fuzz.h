/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the fuzzers share: a check that libFuzzer sees as a crash, and a script of bytes. */
#ifndef RS_TESTS_FUZZ_FUZZ_H
#define RS_TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(holds)                                                                               \
    do {                                                                                           \
        if (!(holds)) {                                                                            \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #holds);             \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct script_bytes {
    const uint8_t *at;
    size_t left;
};

/* 0 when the script has ended. */
static inline uint8_t next_byte(struct script_bytes *s)
{
    if (s->left == 0)
        return 0;
    s->left--;
    return *s->at++;
}

#endif
