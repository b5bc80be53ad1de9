/* SPDX-License-Identifier: GPL-3.0-or-later
 * The evaluator of condition tables. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "observe/condition_int.h"

struct place { /* a resolved field name: of the flow record, or of the arm's summary */
    const struct flow_field *flow;
    int summary_offset; /* -1 when `flow` is set or there is no name */
};

struct resolved {
    struct place field[COND_TESTS], than[COND_TESTS], value;
};

struct cond_table {
    const struct condition *rows;
    size_t n;
    const char *const *arm_names;
    unsigned n_arms;
    struct resolved resolved[];
};

static int summary_offset(const char *name)
{
#define SUMMARY_FIELD(field, doc)                                                                  \
    if (strcmp(name, #field) == 0)                                                                 \
        return (int)offsetof(struct arm_summary, field);
#include "observe/summary.def"
#undef SUMMARY_FIELD
    return -1;
}

static int resolve(const char *name,
                   unsigned arm,
                   unsigned n_arms,
                   const char *row,
                   struct place *out,
                   struct rs_err *err)
{
    *out = (struct place){.summary_offset = -1};
    if (name == NULL)
        return 0;
    if (arm >= n_arms)
        return rs_fail(err, RS_EINVAL, "condition %s: arm %u does not exist", row, arm);
    out->flow = flow_field_find(name);
    if (out->flow == NULL)
        out->summary_offset = summary_offset(name);
    if (out->flow == NULL && out->summary_offset < 0)
        return rs_fail(err, RS_EINVAL, "condition %s: there is no field '%s'", row, name);
    return 0;
}

int cond_table_new(struct cond_table **out,
                   const struct condition *rows,
                   size_t n,
                   const char *const *arm_names,
                   unsigned n_arms,
                   struct rs_err *err)
{
    struct cond_table *t = calloc(1, sizeof *t + n * sizeof t->resolved[0]);
    if (t == NULL)
        return rs_fail(err, RS_ENOMEM, "no memory for a condition table");
    t->rows = rows;
    t->n = n;
    t->arm_names = arm_names;
    t->n_arms = n_arms;
    int rc = n_arms > COND_ARMS ? rs_fail(err, RS_EINVAL, "more than %d arms", COND_ARMS) : 0;
    for (size_t r = 0; r < n && rc == 0; r++) {
        const struct condition *row = &rows[r];
        for (unsigned i = 0; i < COND_TESTS && rc == 0; i++) {
            const struct cond_test *w = &row->when[i];
            rc = resolve(w->field, w->arm, n_arms, row->name, &t->resolved[r].field[i], err);
            if (rc == 0)
                rc = resolve(w->than, w->than_arm, n_arms, row->name, &t->resolved[r].than[i], err);
        }
        if (rc == 0)
            rc = resolve(row->value_field, row->value_arm, n_arms, row->name, &t->resolved[r].value,
                         err);
    }
    if (rc != 0) {
        free(t);
        return rc;
    }
    *out = t;
    return 0;
}

void cond_table_free(struct cond_table *t)
{
    free(t);
}

struct scene { /* what rows look at: one flow an arm, and the summaries */
    const struct flow *flow[COND_ARMS];
    const struct arm_summary *summary;
};

static bool look(const struct scene *s, const struct place *p, unsigned arm, int64_t *value)
{
    if (p->flow != NULL)
        return s->flow[arm] != NULL && flow_value(s->flow[arm], p->flow, value);
    int32_t v;
    memcpy(&v, (const char *)&s->summary[arm] + p->summary_offset, sizeof v);
    *value = v;
    return v >= 0;
}

static bool test_holds(const struct scene *s,
                       const struct cond_test *w,
                       const struct place *field,
                       const struct place *than)
{
    int64_t left, right = w->value;
    if (!look(s, field, w->arm, &left))
        return false;
    if (w->than != NULL && !look(s, than, w->than_arm, &right))
        return false;
    if (w->mask != 0)
        left &= w->mask;
    switch (w->op) {
    case COND_EQ:
        return left == right;
    case COND_NE:
        return left != right;
    case COND_GE:
        return left >= right;
    case COND_LT:
        return left < right;
    }
    return false;
}

static bool row_holds(const struct cond_table *t, size_t r, const struct scene *s)
{
    const struct condition *row = &t->rows[r];
    for (unsigned i = 0; i < COND_TESTS && row->when[i].field != NULL; i++)
        if (!test_holds(s, &row->when[i], &t->resolved[r].field[i], &t->resolved[r].than[i]))
            return false;
    return true;
}

/* For rows with `every`: in how many attempts of the arm it holds; -1 as soon as it fails in one.
 */
static int holds_in_every(const struct cond_table *t,
                          size_t r,
                          const struct evidence *e,
                          const struct scene *s)
{
    int n = 0;
    struct scene one = *s;
    unsigned arm = t->rows[r].every_arm;
    for (unsigned i = 0; i < e->n; i++) {
        const struct attempt *a = e->attempt[i];
        if (a->log.arm != arm || !outcome_is_evidence((enum outcome)a->log.outcome))
            continue;
        one.flow[arm] = &a->flow;
        if (!row_holds(t, r, &one))
            return -1;
        n++;
    }
    return n;
}

static const char *how_name(enum outcome o)
{
    if (o == OUTCOME_TIMEOUT)
        return "syn_drop";
    if (o == OUTCOME_RST)
        return "syn_rst";
    if (o == OUTCOME_ICMP)
        return "syn_icmp";
    if (o == OUTCOME_SYNACK)
        return "hs_then_close";
    return outcome_name(o);
}

static void format_value(char *out, size_t cap, enum cond_format format, int64_t value)
{
    static const char *const codepoints[] = {"not", "ect1", "ect0", "ce"};
    switch (format) {
    case COND_NUMBER:
        snprintf(out, cap, ":%lld", (long long)value);
        break;
    case COND_OUTCOME:
        snprintf(out, cap, ":%s", outcome_name((enum outcome)value));
        break;
    case COND_CODEPOINT:
        snprintf(out, cap, ":%s", codepoints[value & 3]);
        break;
    case COND_BITS3:
        snprintf(out, cap, ":%d%d%d", (int)(value >> 2) & 1, (int)(value >> 1) & 1, (int)value & 1);
        break;
    case COND_LADDER:
        for (int i = 0; i <= (int)(value >> 12); i++)
            snprintf(out + strlen(out), cap - strlen(out), "%c%d%d%d", i == 0 ? ':' : ',',
                     (int)(value >> (3 * i + 2)) & 1, (int)(value >> (3 * i + 1)) & 1,
                     (int)(value >> (3 * i)) & 1);
        break;
    case COND_HOW:
        snprintf(out, cap, ":%s", how_name((enum outcome)value));
        break;
    }
}

static void say(struct verdict *out, const char *name, const char *value, size_t row)
{
    if (out->n == COND_MOST)
        return;
    size_t n = strnlen(name, COND_TEXT - 1), more = strnlen(value, COND_TEXT - 1 - n);
    memcpy(out->text[out->n], name, n); /* for each row of each target: no place for printf */
    memcpy(out->text[out->n] + n, value, more);
    out->text[out->n][n + more] = '\0';
    for (unsigned i = 0; i < out->n; i++)
        if (strcmp(out->text[i], out->text[out->n]) == 0)
            return; /* two rows may say the same thing for two reasons */
    out->row[out->n++] = (uint16_t)row;
}

static void say_row(const struct cond_table *t,
                    size_t r,
                    const struct scene *s,
                    struct verdict *out)
{
    const struct condition *row = &t->rows[r];
    char value[COND_TEXT] = "";
    int64_t v;
    if (row->value_field != NULL && look(s, &t->resolved[r].value, row->value_arm, &v))
        format_value(value, sizeof value, row->value_format, v);
    say(out, row->name, value, r);
}

static void set_scene(const struct cond_table *t,
                      const struct evidence *e,
                      struct arm_summary *summary,
                      struct scene *s)
{
    memset(s, 0, sizeof *s);
    summarise_arms(e, summary);
    s->summary = summary;
    for (unsigned arm = 0; arm < t->n_arms; arm++)
        if (summary[arm].representative != NULL)
            s->flow[arm] = &summary[arm].representative->flow;
}

static void say_layer(const struct cond_table *t,
                      const struct evidence *e,
                      const struct scene *s,
                      enum cond_layer layer,
                      struct verdict *out)
{
    const char *group_said = NULL;
    for (size_t r = 0; r < t->n; r++) {
        const struct condition *row = &t->rows[r];
        if (row->layer != layer)
            continue;
        if (layer == COND_BASE && group_said != NULL && strcmp(group_said, row->group) == 0)
            continue;
        if (row->every != 0 ? holds_in_every(t, r, e, s) < row->every : !row_holds(t, r, s))
            continue;
        say_row(t, r, s, out);
        group_said = row->group;
    }
}

void cond_evaluate(const struct cond_table *t, const struct evidence *e, struct verdict *out)
{
    struct arm_summary summary[COND_ARMS];
    struct scene scene;
    out->n = 0;
    set_scene(t, e, summary, &scene);
    bool complete = true, multipath = false;
    for (unsigned arm = 0; arm < t->n_arms; arm++) {
        if (arm > 0 && summary[arm].arm_connectivity == CONNECTIVITY_MULTIPATH)
            multipath = true;
        if (summary[arm].arm_incomplete ||
            (arm > 0 && summary[arm].arm_connectivity == CONNECTIVITY_UNKNOWN &&
             !summary[0].arm_incomplete))
            complete = false;
    }
    /* Without evidence for every arm there is no A/B statement at all: PATHspider's users were
     * misled by those. */
    if (complete) {
        say_layer(t, e, &scene, COND_BASE, out);
        say_layer(t, e, &scene, COND_DETAIL, out);
    }
    if (multipath)
        say(out, "path.multipath_suspected", "", UINT16_MAX);
    for (unsigned arm = 0; arm < t->n_arms; arm++) {
        char value[COND_TEXT];
        if (!summary[arm].arm_incomplete && (complete || arm == 0 || summary[0].arm_incomplete ||
                                             summary[arm].arm_connectivity != CONNECTIVITY_UNKNOWN))
            continue;
        snprintf(value, sizeof value, ":%s", t->arm_names[arm]);
        say(out, "measure.incomplete", value, UINT16_MAX);
    }
}

bool cond_row_asks(const struct cond_table *t, const struct evidence *e, size_t row)
{
    struct arm_summary summary[COND_ARMS];
    struct scene scene;
    if (row >= t->n || t->rows[row].layer != COND_ASK)
        return false;
    set_scene(t, e, summary, &scene);
    return holds_in_every(t, row, e, &scene) > 0;
}

bool cond_wants_confirmation(const struct cond_table *t, const struct evidence *e, uint32_t *arms)
{
    struct arm_summary summary[COND_ARMS];
    struct scene scene;
    struct evidence as_is =
        *e; /* the question is whether to confirm, so nothing is confirmed yet */
    as_is.confirm_wanted = false;
    set_scene(t, &as_is, summary, &scene);
    *arms = 0;
    for (unsigned arm = 1; arm < t->n_arms; arm++) {
        int32_t c = summary[arm].arm_connectivity;
        /* Transient is final: more rounds cannot make "always" or "never" of it. */
        if (c == CONNECTIVITY_BROKEN || c == CONNECTIVITY_INVERSE || c == CONNECTIVITY_MULTIPATH)
            *arms |= 1u << arm;
    }
    for (size_t r = 0; r < t->n; r++) {
        const struct condition *row = &t->rows[r];
        int n = row->every != 0 ? holds_in_every(t, r, e, &scene) : 0;
        if (n > 0 && n < row->every)
            *arms |= 1u << (row->every_arm == 0 ? 1 : row->every_arm);
    }
    return *arms != 0;
}
