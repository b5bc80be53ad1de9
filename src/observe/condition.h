/* SPDX-License-Identifier: GPL-3.0-or-later
 * Conditions as tables that read like the specification, and the evaluator of them. Base layer: the
 * first row that holds in each group is said. Detail layer: every row that holds is said. A test on
 * a field that is null does not hold. */
#ifndef RS_OBSERVE_CONDITION_H
#define RS_OBSERVE_CONDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "observe/armlog.h"

#define COND_TESTS    6
#define COND_ARMS     8  /* most arms of one plugin */
#define COND_ATTEMPTS 48 /* most attempts of one target */
#define COND_TEXT     96 /* bytes that any condition needs, with the NUL */
#define COND_MOST     32 /* most conditions of one target */

enum connectivity {                         /* an arm against the baseline; PATHspider's words */
                    CONNECTIVITY_UNKNOWN,   /* no evidence for one of the two */
                    CONNECTIVITY_WORKS,     /* both always got as far as the other */
                    CONNECTIVITY_BROKEN,    /* baseline always, arm never */
                    CONNECTIVITY_OFFLINE,   /* neither ever */
                    CONNECTIVITY_INVERSE,   /* arm always, baseline never: said as transient */
                    CONNECTIVITY_MULTIPATH, /* success follows the source port: said as transient */
                    CONNECTIVITY_TRANSIENT  /* anything else */
};

enum cond_layer {
    COND_BASE,
    COND_DETAIL,
    COND_ASK /* never said: asks for more attempts as long as it holds in every one and in fewer
                than `every` */
};
enum cond_op { COND_EQ, COND_NE, COND_GE, COND_LT };
enum cond_format { COND_NUMBER, COND_OUTCOME, COND_CODEPOINT, COND_BITS3, COND_HOW, COND_LADDER };

struct cond_test {
    uint8_t arm;
    const char *field; /* of fields.def or summary.def; NULL ends the list */
    enum cond_op op;
    int64_t value;
    int64_t mask;     /* applied to the field first; 0 = all bits */
    const char *than; /* compare with this field instead of `value` */
    uint8_t than_arm;
};

struct condition {
    enum cond_layer layer;
    const char *group;  /* "ecn.connectivity" ... */
    const char *name;   /* "ecn.connectivity.works" */
    const char *clause; /* the source of the rule */
    struct cond_test when[COND_TESTS];
    const char *value_field; /* appended as ":value"; NULL none */
    uint8_t value_arm;
    enum cond_format value_format;
    /* 0: the representative attempts decide. n: the row must hold in each of at least n attempts of
     * `every_arm`, and asks for confirmation rounds as long as it holds in fewer. */
    uint8_t every;
    uint8_t every_arm;
};

/* The evaluator itself looks at these chains of an attempt's flow. */
#define CHAINS_JUDGED (CHAIN_BIT(CHAIN_BASIC) | CHAIN_BIT(CHAIN_TCP) | CHAIN_BIT(CHAIN_ECN))

/* Bytes of an attempt whose flow draws a plugin's chains, and those; it ends with its flow. */
static inline size_t attempt_bytes(uint32_t chains)
{
    return offsetof(struct attempt, flow) + flow_bytes(chains | CHAINS_JUDGED);
}

struct evidence { /* all attempts of one target, in time order */
    const struct attempt *attempt[COND_ATTEMPTS];
    unsigned n;
    unsigned n_arms;
    bool confirm_wanted;  /* confirmation is switched on: disagreement needs rounds */
    unsigned rounds_done; /* confirmation rounds finished */
};

struct cond_table; /* a plugin's rows, with names resolved */

/* Resolves every field name; -RS_EINVAL and the row's name in `err` for one that does not exist. */
int cond_table_new(struct cond_table **out,
                   const struct condition *rows,
                   size_t n,
                   const char *const *arm_names,
                   unsigned n_arms,
                   struct rs_err *err);
void cond_table_free(struct cond_table *t);

struct verdict {
    unsigned n;
    char text[COND_MOST][COND_TEXT];
    uint16_t row[COND_MOST]; /* index of the row that gave it; UINT16_MAX for those of the framework
                                (measure.*, path.*) */
};

/* Evaluates; also says measure.incomplete:ARM for arms without evidence and
 * path.multipath_suspected. */
void cond_evaluate(const struct cond_table *t, const struct evidence *e, struct verdict *out);
/* Whether a COND_ASK row holds in some attempts, and so asks, or has asked, for more. */
bool cond_row_asks(const struct cond_table *t, const struct evidence *e, size_t row);
/* Whether another confirmation round could change what is said: arms disagree, or an `every` row
 * waits for more. */
bool cond_wants_confirmation(const struct cond_table *t, const struct evidence *e, uint32_t *arms);
/* The attempt of an arm that the rows look at: the one that got furthest; NULL when none has
 * evidence. */
const struct attempt *cond_representative(const struct evidence *e, unsigned arm);
enum connectivity cond_connectivity(const struct evidence *e, unsigned arm);

#endif
