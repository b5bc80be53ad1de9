/* SPDX-License-Identifier: GPL-3.0-or-later
 * Writes one record as JSON text into a buffer that is used again and again. The input object is
 * copied byte for byte and our members are appended to it: no tree is built, so 0.1, 2^64-1,
 * duplicate keys, spacing and escapes survive (law 4).
 *
 *     record_begin(&r, &in, keys);            // in = {job.raw, job.raw_bytes, job.raw_is_json}
 *     record_str(&r, "sip", "192.0.2.1");
 *     record_open_array(&r, "conditions");
 *     record_str(&r, NULL, "ecn.connectivity.works");
 *     record_close(&r);
 *     if (record_end(&r, &text, &n) == 0) output_write(out, text, n, &err);
 *
 * Running out of memory is remembered and told by record_end; the calls in between need no check.
 */
#ifndef RS_IO_RECORD_H
#define RS_IO_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/time.h"

#define RECORD_RAW_BYTES 4096 /* of input that is no JSON object, this much is kept as "in_raw" */
#define RECORD_DEPTH     32   /* objects and arrays open at once, the record itself included */

struct record_text { /* a growing buffer */
    char *at;        /* owned */
    size_t n, cap;   /* bytes used, bytes there */
    bool failed;     /* memory ran out: the text is unfinished */
};

struct record {
    struct record_text text;
    uint32_t array; /* bit d: level d is an array, else an object */
    uint32_t begun; /* bit d: level d has a member already, so that a comma is due */
    unsigned depth; /* levels open */
};

/* What the record starts from; the bytes are borrowed for the call only. */
struct record_input {
    const char *raw;
    size_t raw_bytes;
    bool is_json; /* raw is a valid JSON object, '{' first and '}' last */
};

void record_init(struct record *r);
void record_free(struct record *r);

/* Starts a record, dropping what the buffer held. `in` may be NULL: an empty object. `keys`: every
 * member that the caller will append at top level, ended by NULL (may itself be NULL). A top-level
 * input key that equals one of them, in whatever escapes, is renamed: "in_" goes in front of it, as
 * often as needed to meet neither one of `keys` nor another input key. Input that is no JSON object
 * becomes the member "in_raw" (a byte that is not UTF-8 as \u00XX; cut after RECORD_RAW_BYTES),
 * with "in_raw_note" beside it when it was cut or had such bytes. */
void record_begin(struct record *r, const struct record_input *in, const char *const *keys);

/* Members: `key` is ASCII without anything to escape, NULL inside an array. Strings are escaped; a
 * byte that is not part of valid UTF-8 is written as \u00XX. A NULL string is null. */
void record_str(struct record *r, const char *key, const char *s);
void record_strn(struct record *r, const char *key, const char *s, size_t n);
void record_uint(struct record *r, const char *key, uint64_t v);
void record_int(struct record *r, const char *key, int64_t v);
void record_real(struct record *r, const char *key, double v); /* null when not finite */
void record_bool(struct record *r, const char *key, bool v);
void record_null(struct record *r, const char *key);
/* "YYYY-MM-DD HH:MM:SS.ffffff", UTC, cut to the microsecond; null when unknown (0). */
void record_time(struct record *r, const char *key, rs_wall at);
/* `json`: one finished JSON value, copied as it is (an input text, a nested record). */
void record_json(struct record *r, const char *key, const char *json, size_t n);

void record_open_object(struct record *r, const char *key);
void record_open_array(struct record *r, const char *key);
void record_close(struct record *r); /* the innermost object or array */

/* For writers that are generated from a table: room for n bytes behind the text, NULL when memory
 * ran out. There whole members are put, each with a comma in front (the object has a member
 * already), and record_wrote says where they end. The put functions write one value and return its
 * end: at most RECORD_PUT_BYTES. */
#define RECORD_PUT_BYTES 32
char *record_room(struct record *r, size_t n);
void record_wrote(struct record *r, const char *end);
char *record_put_uint(char *to, uint64_t v);
char *record_put_int(char *to, int64_t v);
char *record_put_time(char *to, rs_wall at);

/* Closes the record and ends it with one newline. *text: borrowed until the next record_begin. 0 or
 * -RS_ENOMEM (then *text is NULL). */
int record_end(struct record *r, const char **text, size_t *n);

#endif
