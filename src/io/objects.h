/* SPDX-License-Identifier: GPL-3.0-or-later
 * A file of JSON objects, one a line, read member by member: for what the project has written
 * itself and reads back. The first thing that is wrong with an object is remembered, so that a
 * reader asks for all its members and looks once, at the end.
 *
 *     while ((rc = objects_next(o, &err)) == 0) {
 *         line = object_uint(o, "line", UINT64_MAX);
 *         if (object_problem(o) != NULL) ...
 *     } */
#ifndef RS_IO_OBJECTS_H
#define RS_IO_OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "wire/addr.h"

struct objects;

/* 0; -RS_ENOENT; -RS_EPERM; -RS_ESYS; -RS_ENOMEM. */
int objects_open(struct objects **out, const char *path, struct rs_err *err);
/* The next line that is not blank. 0; -RS_EEND; -RS_EINVAL: no JSON object, the text names file and
 * line, and the line after it may be good; -RS_ESYS, -RS_ENOMEM. */
int objects_next(struct objects *o, struct rs_err *err);
void objects_close(struct objects *o); /* NULL is ignored */

/* Of the present object. A member that is missing, of another type or out of range is a problem;
 * then the value is zero. Texts live until the next objects_next. */
bool object_has(const struct objects *o, const char *key); /* and it is not null */
uint64_t object_uint(struct objects *o, const char *key, uint64_t most);
int64_t object_int(struct objects *o, const char *key, int64_t least, int64_t most);
bool object_bool(struct objects *o, const char *key);
const char *object_str(struct objects *o, const char *key, size_t *n); /* n may be NULL */
/* A text that is a JSON object, brace to brace. */
const char *object_json(struct objects *o, const char *key, size_t *n);
/* "YYYY-MM-DD HH:MM:SS.ffffff"; null is 0, unknown. */
rs_wall object_time(struct objects *o, const char *key);
/* An address as text; null is family 0. */
struct wire_addr object_addr(struct objects *o, const char *key);
/* An array of texts of hexadecimal digits, as the bytes they mean: owned by the caller (free). NULL
 * after a problem. */
char *object_hex(struct objects *o, const char *key, size_t *n);
/* For readers that find more wrong than a type. */
void object_wrong(struct objects *o, const char *key, const char *expected);
/* NULL, or the first problem, with file and line. */
const char *object_problem(const struct objects *o);

#endif
