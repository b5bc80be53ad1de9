/* SPDX-License-Identifier: GPL-3.0-or-later
 * Chain evilbit: the reserved bit of the IPv4 header (RFC 3514). */
#include "observe/flow_int.h"

void chain_evilbit(struct flow *f, const struct seen *s)
{
    (void)f;
    (void)s;
}
