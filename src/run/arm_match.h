/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which arm of a plugin opened a connection, told from its SYN by the arms' own rules. */
#ifndef RS_RUN_ARM_MATCH_H
#define RS_RUN_ARM_MATCH_H

#include "plugins/plugin.h"
#include "wire/view.h"

/* The one arm whose SYN has the TCP flags and the ECN codepoint of this one and, of all else, what
 * this one has wherever any arm of the plugin changes it on a SYN. -1: none (it is no SYN of this
 * plugin's), or more than one. */
int arm_of_syn(const struct plugin *p, const struct wire_view *syn);

#endif
