/* SPDX-License-Identifier: GPL-3.0-or-later
 * Chain mss: maximum segment size options. */
#include "observe/flow_int.h"

void chain_mss(struct flow *f, const struct seen *s)
{
    (void)f;
    (void)s;
}
