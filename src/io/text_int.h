/* SPDX-License-Identifier: GPL-3.0-or-later
 * Growing text and JSON strings: what the record writer and the CSV reader share. Failing memory is
 * remembered in the buffer, so that callers check once, at the end. */
#ifndef RS_IO_TEXT_INT_H
#define RS_IO_TEXT_INT_H

#include "io/record.h"

/* Makes room for `more` bytes behind the text and returns the place, or NULL (failed is set). The
 * caller adds what it wrote to t->n. */
char *text_room(struct record_text *t, size_t more);
void text_add(struct record_text *t, const char *s, size_t n);
void text_free(struct record_text *t);

/* Adds s with its quotes, escaped. A byte that is not part of valid UTF-8 (RFC 3629) is written as
 * \u00XX; returns how many there were. */
size_t text_add_json(struct record_text *t, const char *s, size_t n);

/* Length (1 to 4) of the valid UTF-8 sequence at s, 0 if there is none; n >= 1 bytes are there. */
size_t text_utf8(const char *s, size_t n);

#endif
