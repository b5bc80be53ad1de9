/* SPDX-License-Identifier: GPL-3.0-or-later
 * A window of jobs read ahead, handed out in random order, so that a list sorted by address does
 * not fall upon one prefix after the other. Holds copies. */
#ifndef RS_IO_SHUFFLE_H
#define RS_IO_SHUFFLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "io/input.h"

#define SHUFFLE_TEXT_BYTES ((size_t)16 << 20) /* of input text: the window is full then, too */

struct shuffle;

/* `window`: jobs at most; 0 or 1 keeps the order. The same seed and the same calls give the same
 * order. 0 or -RS_ENOMEM. The caller frees *out. */
int shuffle_new(struct shuffle **out, unsigned window, uint64_t seed, struct rs_err *err);
bool shuffle_is_full(const struct shuffle *s);
unsigned shuffle_count(const struct shuffle *s);
/* Copies a job without a problem; the window must not be full. 0 or -RS_ENOMEM. */
int shuffle_put(struct shuffle *s, const struct job *job);
/* Any of them; there must be one. raw and domain are borrowed until the next shuffle_take or
 * shuffle_free. */
void shuffle_take(struct shuffle *s, struct job *out);
/* NULL is ignored. */
void shuffle_free(struct shuffle *s);

#endif
