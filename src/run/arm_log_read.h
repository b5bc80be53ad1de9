/* SPDX-License-Identifier: GPL-3.0-or-later
 * The arm log of a run, read back (arm_log.c writes it). */
#ifndef RS_RUN_ARM_LOG_READ_H
#define RS_RUN_ARM_LOG_READ_H

#include "observe/armlog.h"
#include "plugins/plugin.h"
#include "run/record.h"

struct logged_target { /* one input line whose record was due */
    struct record_facts facts;
    char *text, *vantage, *problem, *refusal; /* owned; what facts points to */
    size_t first, n;                          /* its attempts, in the order in which they began */
    bool is_whole;                            /* none of them is missing, or there twice */
};

struct logged_run {
    struct arm_log *attempts; /* owned; by line, then in the order in which they began */
    size_t n_attempts;
    struct logged_target *targets; /* owned; in the order of the records */
    size_t n_targets;
    size_t unclaimed; /* attempts of lines whose record never came: the run was cut short */
};

/* Reads all that can be read. `wrong` is told of each line that cannot be: file, line, what was
 * expected. 0; -RS_E*: there is no such file, or no memory. */
int arm_log_read(struct logged_run *run,
                 const char *path,
                 const struct plugin *plugin,
                 void (*wrong)(void *ctx, const char *text),
                 void *ctx,
                 struct rs_err *err);
void arm_log_free(struct logged_run *run);

#endif
