/* SPDX-License-Identifier: GPL-3.0-or-later
 * The fixture runner: each capture below a folder is classified or observed again, and what comes
 * of it compared with the expectation beside it (io/expect.h). Says what it finds as TAP. */
#ifndef RS_RUN_VERIFY_H
#define RS_RUN_VERIFY_H

#include <stdbool.h>

#include "base/err.h"

struct verify_options {
    const char *path;   /* a folder, searched with all below it, or one capture */
    const char *filter; /* only fixtures with this in their name; NULL: all */
    bool update;        /* write anew the expectations that are not met */
    const char *run;    /* with `update`: what to run for captures without an expectation; NULL */
    bool unreached;     /* in the end, say the condition rows that no fixture has reached */
};

struct verify_counts {
    unsigned fixtures, failed, updated;
    unsigned rows, unreached; /* of all plugins */
};

/* `say` gets one line, without a newline. 0, whatever the fixtures gave; -RS_E*: they could not be
 * run. */
int verify_run(const struct verify_options *o,
               void (*say)(void *ctx, const char *line),
               void *ctx,
               struct verify_counts *counts,
               struct rs_err *err);

#endif
