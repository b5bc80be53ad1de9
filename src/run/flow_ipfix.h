/* SPDX-License-Identifier: GPL-3.0-or-later
 * A flow as an IPFIX record. */
#ifndef RS_RUN_FLOW_IPFIX_H
#define RS_RUN_FLOW_IPFIX_H

#include "io/ipfix.h"
#include "observe/aging.h"

/* What the flow must draw. */
#define FLOW_IPFIX_CHAINS (CHAIN_BIT(CHAIN_BASIC) | CHAIN_BIT(CHAIN_METER))

/* Fills the record and returns its kind, for ipfix_write. */
unsigned flow_ipfix(struct ipfix_flow *out, const struct flow *f, enum flow_end why);

#endif
