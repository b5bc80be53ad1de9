/* SPDX-License-Identifier: GPL-3.0-or-later
 * Chain tcpopt: TCP options of the handshake. */
#include "observe/flow_int.h"

void chain_tcpopt(struct flow *f, const struct seen *s)
{
    (void)f;
    (void)s;
}
