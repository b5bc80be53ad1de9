/* SPDX-License-Identifier: GPL-3.0-or-later
 * Chain dscp: DSCP marks. */
#include "observe/flow_int.h"

void chain_dscp(struct flow *f, const struct seen *s)
{
    (void)f;
    (void)s;
}
