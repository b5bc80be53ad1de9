/* SPDX-License-Identifier: GPL-3.0-or-later
 * Verdicts of the ecn plugin from attempts written down as a table: what each arm met, round by
 * round, and what must be said of it. "p" and "e" are the arms; the number is the source port used
 * (0: the baseline's of the first round). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "plugins/plugin.h"

extern const struct plugin plugin_ecn;

enum {
    BLEACHED = 1,
    NO_DATA = 2,
    REFLECTED = 4,
    PLAIN_SYNACK = 8,
    ECT_LOST = 16,
    CWR_ONLY = 32,
    OTHER_SYNACK = 64,
    NEARER_SYNACK = 128,
    ONE_SEGMENT = 256
};

struct row {
    char arm;
    int port;
    enum outcome outcome;
    int how; /* of the flags above */
};

#define OK   OUTCOME_EXCHANGED
#define TIME OUTCOME_TIMEOUT

struct expectation {
    const char *name;
    unsigned rounds;
    struct row rows[8];
    const char *said; /* in order, one blank between */
};

#define GOOD_MARKS                                                                                 \
    "ecn.negotiation.succeeded ecn.ipmark.ect0.seen ecn.ipmark.ect1.not_seen "                     \
    "ecn.ipmark.ce.not_seen"
#define NO_MARKS "ecn.ipmark.ect0.not_seen ecn.ipmark.ect1.not_seen ecn.ipmark.ce.not_seen"

static const struct expectation expectations[] = {
    {"both work", 0, {{'p', 0, OK, 0}, {'e', 1, OK, 0}}, "ecn.connectivity.works " GOOD_MARKS},
    {"server without ECN",
     0,
     {{'p', 0, OK, 0}, {'e', 1, OK, PLAIN_SYNACK | BLEACHED}},
     "ecn.connectivity.works ecn.negotiation.failed " NO_MARKS},
    {"reflector",
     0,
     {{'p', 0, OK, 0}, {'e', 1, OK, REFLECTED | BLEACHED}},
     "ecn.connectivity.works ecn.negotiation.reflected " NO_MARKS},
    {"CWR alone",
     0,
     {{'p', 0, OK, 0}, {'e', 1, OK, CWR_ONLY | BLEACHED}},
     "ecn.connectivity.works ecn.negotiation.failed " NO_MARKS " ecn.negotiation.cwr_only"},
    {"bleached, all from one hop count: nothing to suspect",
     0,
     {{'p', 0, OK, 0}, {'e', 1, OK, BLEACHED}},
     "ecn.connectivity.works ecn.negotiation.succeeded " NO_MARKS},
    {"SYN/ACK from a nearer hop, no marks",
     0,
     {{'p', 0, OK, 0}, {'e', 1, OK, BLEACHED | NEARER_SYNACK}},
     "ecn.connectivity.works ecn.negotiation.succeeded " NO_MARKS
     " ecn.negotiation.proxy_suspected"},
    {"one segment unmarked once, marked when asked again: it was sent again",
     1,
     {{'p', 0, OK, 0},
      {'e', 1, OK, ONE_SEGMENT | BLEACHED},
      {'p', 1, OK, 0},
      {'e', 0, OK, ONE_SEGMENT},
      {'p', 1, OK, 0}},
     "ecn.connectivity.works " GOOD_MARKS},
    {"offline: an RST says more than silence",
     0,
     {{'p', 0, OUTCOME_RST, 0}, {'e', 1, TIME, 0}},
     "ecn.connectivity.offline ecn.connectivity.offline:rst"},
    {"no data: no statement on marks",
     0,
     {{'p', 0, OK, 0}, {'e', 1, OK, NO_DATA}},
     "ecn.connectivity.works ecn.negotiation.succeeded ecn.data.none"},
    {"offline by silence",
     0,
     {{'p', 0, TIME, 0}, {'e', 1, TIME, 0}},
     "ecn.connectivity.offline ecn.connectivity.offline:timeout"},
    {"offline by RST",
     0,
     {{'p', 0, OUTCOME_RST, 0}, {'e', 1, OUTCOME_RST, 0}},
     "ecn.connectivity.offline ecn.connectivity.offline:rst"},
    {"broken, confirmed",
     1,
     {{'p', 0, OK, 0}, {'e', 1, TIME, 0}, {'p', 1, OK, 0}, {'e', 0, TIME, 0}, {'p', 1, OK, 0}},
     "ecn.connectivity.broken ecn.connectivity.broken.how:syn_drop"},
    {"broken by ICMP",
     1,
     {{'p', 0, OK, 0},
      {'e', 1, OUTCOME_ICMP, 0},
      {'p', 1, OK, 0},
      {'e', 0, OUTCOME_ICMP, 0},
      {'p', 1, OK, 0}},
     "ecn.connectivity.broken ecn.connectivity.broken.how:syn_icmp"},
    {"a good handshake, then a reset of the ECN arm alone",
     1,
     {{'p', 0, OK, 0},
      {'e', 1, OUTCOME_HS_THEN_RST, NO_DATA},
      {'p', 1, OK, 0},
      {'e', 0, OUTCOME_HS_THEN_RST, NO_DATA},
      {'p', 1, OK, 0}},
     "ecn.connectivity.broken ecn.negotiation.succeeded ecn.connectivity.broken.how:hs_then_rst "
     "ecn.data.none"},
    {"both shake hands, neither serves: connectivity works",
     0,
     {{'p', 0, OUTCOME_SYNACK, NO_DATA}, {'e', 1, OUTCOME_SYNACK, NO_DATA}},
     "ecn.connectivity.works ecn.negotiation.succeeded ecn.data.none"},
    {"one failure, then never again: loss",
     1,
     {{'p', 0, OK, 0}, {'e', 1, TIME, 0}, {'p', 1, OK, 0}, {'e', 0, OK, 0}, {'p', 1, OK, 0}},
     "ecn.connectivity.transient " GOOD_MARKS},
    {"only the ECN arm, confirmed",
     1,
     {{'p', 0, TIME, 0}, {'e', 1, OK, 0}, {'p', 1, TIME, 0}, {'e', 0, OK, 0}, {'p', 1, TIME, 0}},
     "ecn.connectivity.transient " GOOD_MARKS " ecn.connectivity.inverse"},
    {"success follows the port: not ECN",
     1,
     {{'p', 0, OK, 0}, {'e', 1, TIME, 0}, {'p', 1, TIME, 0}, {'e', 0, OK, 0}, {'p', 1, TIME, 0}},
     "ecn.connectivity.transient " GOOD_MARKS " path.multipath_suspected"},
    {"the host went away in between",
     1,
     {{'p', 0, OK, 0}, {'e', 1, TIME, 0}, {'p', 1, TIME, 0}, {'e', 0, TIME, 0}, {'p', 1, TIME, 0}},
     "ecn.connectivity.transient"},
    {"law 3: not captured is no evidence",
     0,
     {{'p', 0, OK, 0}, {'e', 1, OUTCOME_NOT_CAPTURED, 0}},
     "measure.incomplete:ecn"},
    {"law 3: this host rejected",
     0,
     {{'p', 0, OUTCOME_HOST_REJECTED, 0}, {'e', 1, OUTCOME_HOST_REJECTED, 0}},
     "measure.incomplete:plain measure.incomplete:ecn"},
    {"law 3: not sent",
     0,
     {{'p', 0, OUTCOME_NOT_SENT, 0}, {'e', 1, OK, 0}},
     "measure.incomplete:plain"},
    {"a spoilt attempt made good by its rerun",
     0,
     {{'p', 0, OK, 0}, {'e', 1, OUTCOME_NOT_CAPTURED, 0}, {'e', 1, OK, 0}},
     "ecn.connectivity.works " GOOD_MARKS},
    {"a difference that could not be confirmed is not said",
     1,
     {{'p', 0, OK, 0}, {'e', 1, TIME, 0}, {'p', 1, OK, 0}, {'e', 0, OUTCOME_STOPPED, 0}},
     "measure.incomplete:ecn"},
    {"stopped before the first confirmation",
     0,
     {{'p', 0, OK, 0}, {'e', 1, TIME, 0}},
     "measure.incomplete:ecn"},
    {"ECT black hole, three times of three",
     1,
     {{'p', 0, OK, 0},
      {'e', 1, OK, ECT_LOST},
      {'p', 1, OK, 0},
      {'e', 0, OK, ECT_LOST},
      {'p', 1, OK, 0},
      {'e', 1, OK, ECT_LOST}},
     "ecn.connectivity.works " GOOD_MARKS " ecn.data.blackhole.ect0"},
    {"ECT data lost once of three: loss",
     1,
     {{'p', 0, OK, 0},
      {'e', 1, OK, ECT_LOST},
      {'p', 1, OK, 0},
      {'e', 0, OK, 0},
      {'p', 1, OK, 0},
      {'e', 1, OK, ECT_LOST}},
     "ecn.connectivity.works " GOOD_MARKS},
    {"answers differ between attempts",
     1,
     {{'p', 0, OK, 0}, {'e', 1, OK, 0}, {'p', 1, OK, 0}, {'e', 0, OK, OTHER_SYNACK}},
     "ecn.connectivity.works " GOOD_MARKS " ecn.negotiation.inconsistent"},
};

static void fill(struct attempt *a, const struct row *r)
{
    bool ecn = r->arm == 'e';
    struct wire_tuple t = {.src = {.family = 4},
                           .dst = {.family = 4},
                           .proto = 6,
                           .sport = (uint16_t)(61000 + r->port),
                           .dport = 80};
    memset(a, 0, sizeof *a);
    flow_init(&a->flow, &t, CHAINS_ALL);
    a->log.arm = ecn;
    a->log.port = (uint8_t)r->port;
    a->log.outcome = (uint8_t)r->outcome;
    a->flow.ecn_syn_bits = ecn ? 3 : 0;
    if (outcome_reach(r->outcome) == 0)
        return;
    a->log.answered_try = 1;
    a->flow.ecn_synack_bits = !ecn || (r->how & (PLAIN_SYNACK | OTHER_SYNACK)) ? 0
                              : r->how & REFLECTED                             ? 3
                              : r->how & CWR_ONLY                              ? 2
                                                                               : 1;
    a->flow.ecn_synack_cp = 0;
    a->flow.ttl_min_rev = a->flow.ttl_max_rev = a->flow.tcp_synack_ttl = 60;
    if (r->how & NEARER_SYNACK)
        a->flow.ttl_max_rev = a->flow.tcp_synack_ttl = 63;
    if (r->how & NO_DATA)
        return;
    unsigned segments = r->how & ONE_SEGMENT ? 1 : 3;
    a->flow.tcp_newdata_rev = segments;
    bool marked = ecn && !(r->how & BLEACHED);
    a->flow.ecn_ect0_data_rev = marked;
    a->flow.ecn_newdata_ect0_rev = marked ? segments : 0;
    a->flow.ecn_newdata_not_rev = marked ? 0 : segments;
    a->flow.ecn_newdata_ect0_fwd = ecn;
    a->flow.ecn_ect_lost_fwd = (r->how & ECT_LOST) != 0;
}

static const char *const arm_names[] = {"plain", "ecn"};

static struct cond_table *table(void)
{
    struct cond_table *t;
    struct rs_err err = {""};
    if (cond_table_new(&t, plugin_ecn.conditions, plugin_ecn.n_conditions, arm_names, 2, &err) != 0)
        fail_msg("%s", err.text);
    return t;
}

static unsigned gather(const struct expectation *x, struct attempt *attempts, struct evidence *e)
{
    *e = (struct evidence){.n_arms = 2, .confirm_wanted = true, .rounds_done = x->rounds};
    while (e->n < 8 && x->rows[e->n].arm != '\0') {
        fill(&attempts[e->n], &x->rows[e->n]);
        e->attempt[e->n] = &attempts[e->n];
        e->n++;
    }
    return e->n;
}

static void each_story_has_its_verdict(void **state)
{
    (void)state;
    struct cond_table *t = table();
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++) {
        struct attempt attempts[8];
        struct evidence e;
        struct verdict v;
        char said[2048] = "";
        gather(&expectations[i], attempts, &e);
        cond_evaluate(t, &e, &v);
        for (unsigned k = 0; k < v.n; k++)
            snprintf(said + strlen(said), sizeof said - strlen(said), "%s%s", k == 0 ? "" : " ",
                     v.text[k]);
        if (strcmp(said, expectations[i].said) != 0)
            fail_msg("%s:\n  said      %s\n  should be %s", expectations[i].name, said,
                     expectations[i].said);
    }
    cond_table_free(t);
}

/* Which first rounds ask for confirmation. */
static void confirmation_is_asked_for(void **state)
{
    (void)state;
    const struct {
        const char *name;
        bool asked;
    } rows[] = {{"one segment unmarked once, marked when asked again: it was sent again", true},
                {"bleached, all from one hop count: nothing to suspect", false},
                {"both work", false},
                {"offline by silence", false},
                {"broken, confirmed", true},
                {"only the ECN arm, confirmed", true},
                {"law 3: not captured is no evidence", false},
                {"ECT black hole, three times of three", true}};
    struct cond_table *t = table();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        for (size_t k = 0; k < sizeof expectations / sizeof expectations[0]; k++) {
            struct attempt attempts[8];
            struct evidence e;
            uint32_t arms;
            if (strcmp(rows[i].name, expectations[k].name) != 0)
                continue;
            gather(&expectations[k], attempts, &e);
            e.n = 2; /* the first round alone */
            e.rounds_done = 0;
            if (cond_wants_confirmation(t, &e, &arms) != rows[i].asked)
                fail_msg("%s: confirmation %s asked for", rows[i].name,
                         rows[i].asked ? "not" : "wrongly");
            assert_int_equal(arms, rows[i].asked ? 2 : 0);
        }
    cond_table_free(t);
}

static void a_row_that_names_no_field_is_refused(void **state)
{
    (void)state;
    const struct condition bad = {.layer = COND_BASE,
                                  .group = "x",
                                  .name = "x.y.z",
                                  .when = {{1, "tcp_synflags_sideways", COND_EQ, 0}}};
    struct cond_table *t;
    struct rs_err err;
    assert_int_equal(cond_table_new(&t, &bad, 1, arm_names, 2, &err), -RS_EINVAL);
    assert_non_null(strstr(err.text, "tcp_synflags_sideways"));
}

static void every_row_cites_its_source(void **state)
{
    (void)state;
    for (size_t i = 0; i < plugin_ecn.n_conditions; i++) {
        assert_non_null(plugin_ecn.conditions[i].clause);
        assert_true(strlen(plugin_ecn.conditions[i].clause) > 10);
        assert_true(strlen(plugin_ecn.conditions[i].name) < COND_TEXT / 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_story_has_its_verdict),
        cmocka_unit_test(confirmation_is_asked_for),
        cmocka_unit_test(a_row_that_names_no_field_is_refused),
        cmocka_unit_test(every_row_cites_its_source),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
