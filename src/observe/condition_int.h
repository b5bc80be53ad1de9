/* SPDX-License-Identifier: GPL-3.0-or-later
 * Between the two files of the evaluator: what is derived for an arm, and names resolved to places.
 */
#ifndef RS_OBSERVE_CONDITION_INT_H
#define RS_OBSERVE_CONDITION_INT_H

#include "observe/condition.h"

struct arm_summary {
#define SUMMARY_FIELD(name, doc) int32_t name;
#include "observe/summary.def"
#undef SUMMARY_FIELD
    const struct attempt *representative; /* NULL when no attempt has evidence */
};

void summarise_arms(const struct evidence *e, struct arm_summary *out);

#endif
