/* SPDX-License-Identifier: GPL-3.0-or-later
 * Between the files of the fixture runner. */
#ifndef RS_RUN_VERIFY_INT_H
#define RS_RUN_VERIFY_INT_H

#include <stddef.h>

#include "io/expect.h"
#include "plugins/plugin.h"
#include "run/verify.h"

struct names { /* owned paths */
    char **at;
    size_t n;
};

/* Captures, and expectations without one, below `path`; sorted. `path` may be a capture itself. */
int verify_list(struct names *out, const char *path, struct rs_err *err);
void verify_names_free(struct names *l);
/* NAME.expect for NAME.pcap.gz; owned by the caller, NULL without memory. */
char *verify_expect_path(const char *capture);
bool verify_is_capture(const char *path);

/* Which conditions have been said, of every plugin in the registry. */
struct reached;

struct reached *verify_reached_new(void);
void verify_reached_free(struct reached *r);
/* From one target's verdict. */
void verify_reached_add(struct reached *r,
                        const struct plugin *p,
                        const struct cond_table *t,
                        const struct evidence *e,
                        const struct verdict *v);
/* Says what was not reached, and counts. */
void verify_reached_say(const struct reached *r,
                        void (*say)(void *ctx, const char *line),
                        void *ctx,
                        struct verify_counts *counts);

/* Runs what `e` asks for over `capture` and gives it the records. */
int verify_capture(struct expect *e, const char *capture, struct reached *r, struct rs_err *err);

#endif
