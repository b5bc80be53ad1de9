/* SPDX-License-Identifier: GPL-3.0-or-later
 * A flow as members of a record: keys, types and order are those of observe/fields.def. */
#ifndef RS_RUN_FLOW_TEXT_H
#define RS_RUN_FLOW_TEXT_H

#include "io/record.h"
#include "observe/flow.h"

/* An address as text, or null for none. */
void flow_text_address(struct record *r, const char *key, const struct wire_addr *a);
/* Appends every field of the chains that the flow draws. The open object has a member already. */
void flow_text_members(struct record *r, const struct flow *f);

#endif
