/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the outcomes of attempts are called and what they are worth. */
#include "observe/armlog.h"

#include <string.h>

const char *outcome_name(enum outcome o)
{
    static const char *const names[OUTCOME_N] = {
        [OUTCOME_NONE] = "none",
        [OUTCOME_EXCHANGED] = "exchanged",
        [OUTCOME_SYNACK] = "synack",
        [OUTCOME_HS_THEN_RST] = "hs_then_rst",
        [OUTCOME_HS_THEN_STALL] = "hs_then_stall",
        [OUTCOME_RST] = "rst",
        [OUTCOME_ICMP] = "icmp",
        [OUTCOME_BAD_SYNACK] = "synack_bad_ack",
        [OUTCOME_TIMEOUT] = "timeout",
        [OUTCOME_NOT_SENT] = "not_sent",
        [OUTCOME_NOT_CAPTURED] = "not_captured",
        [OUTCOME_HOST_REJECTED] = "host_rejected",
        [OUTCOME_STOPPED] = "stopped",
    };
    return o < OUTCOME_N ? names[o] : "?";
}

enum outcome outcome_find(const char *name)
{
    for (unsigned o = 0; o < OUTCOME_N; o++)
        if (strcmp(outcome_name((enum outcome)o), name) == 0)
            return (enum outcome)o;
    return OUTCOME_N;
}

bool outcome_is_evidence(enum outcome o)
{
    return o >= OUTCOME_EXCHANGED && o <= OUTCOME_TIMEOUT;
}

int outcome_reach(enum outcome o)
{
    if (o == OUTCOME_EXCHANGED)
        return 2;
    return o == OUTCOME_SYNACK || o == OUTCOME_HS_THEN_RST || o == OUTCOME_HS_THEN_STALL ? 1 : 0;
}
