/* SPDX-License-Identifier: GPL-3.0-or-later
 * A target's record, from what is known of it: the same function for a run and for its replay. */
#ifndef RS_RUN_RECORD_H
#define RS_RUN_RECORD_H

#include "io/record.h"
#include "observe/condition.h"

/* Of one input line, all that its record says and packets do not. Texts are borrowed. */
struct record_facts {
    const char *plugin; /* its name */
    uint64_t line;      /* 0: not from a list, and left out */
    const char *text;
    size_t bytes;
    bool is_json;
    struct wire_addr sip, dip;
    uint16_t dport;
    rs_wall from, to;
    const char *vantage; /* NULL: none */
    const char *problem; /* NULL: none */
    const char *refusal; /* the one condition of a line that was not measured; else NULL */
    bool flows;          /* flow_results are wanted */
    uint8_t attempts;    /* that were made or meant to be */
    uint8_t rounds;      /* of confirmation that were done */
    bool confirm;        /* confirmation was switched on */
};

/* Begins a record with its input line: what stands in front of our members. */
void record_of_input(struct record *r, const char *text, size_t bytes, bool is_json);

/* Writes the record up to, not including, record_end. True: some arm is incomplete. */
bool record_measured(struct record *r,
                     const struct record_facts *facts,
                     const struct evidence *evidence,
                     const struct verdict *verdict,
                     const char *const *arm_names);
/* The record of a line that was not measured. */
void record_refusal(struct record *r, const struct record_facts *facts);

/* The members that an attempt has in records and in the arm log alike. */
void record_attempt(struct record *r, const char *arm_name, const struct arm_log *log);

/* Lines of the arm log: of an attempt, and, once its record is due, of an input line. */
void arm_log_attempt(struct record *r,
                     const struct record_facts *facts,
                     const char *arm_name,
                     const struct arm_log *log);
void arm_log_target(struct record *r, const struct record_facts *facts);

#endif
