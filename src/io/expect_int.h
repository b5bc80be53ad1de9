/* SPDX-License-Identifier: GPL-3.0-or-later
 * Between the files of expectations: the file as read, and the records that came. */
#ifndef RS_IO_EXPECT_INT_H
#define RS_IO_EXPECT_INT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "io/expect.h"

#define EXPECT_WORDS 32 /* of "run" */

struct actual {
    json_t *value;
    bool matched;
};

struct wanted { /* one line behind the first */
    char *text; /* as it stands in the file, without its end */
    unsigned line;
    json_t *value;
    const struct actual *match; /* NULL: none came */
    unsigned differences;
};

struct expect {
    char *path;
    char *header_text;
    json_t *header;
    const char *run[EXPECT_WORDS]; /* borrowed from `header` */
    unsigned run_n;
    bool of_flows; /* records are flows, not verdicts */
    struct wanted *wanted;
    size_t wanted_n;
    struct actual *actual;
    size_t actual_n;
};

/* Whether the expected value of a member is met. */
bool expect_same(const char *key, const json_t *wanted, const json_t *got);

#endif
