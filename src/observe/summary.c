/* SPDX-License-Identifier: GPL-3.0-or-later
 * From all attempts of a target to one summary an arm, and to how an arm stands against the
 * baseline. Attempts without evidence (not sent, not captured, rejected by this host) do not exist
 * here (design law 3). */
#include <string.h>

#include "observe/condition_int.h"

static bool counts(const struct attempt *a, unsigned arm)
{
    return a->log.arm == arm && outcome_is_evidence((enum outcome)a->log.outcome);
}

struct tally { /* attempts of one arm that got as far as the goal, and those that did not, by source
                  port */
    unsigned ok, failed;
    unsigned ok_port[2], failed_port[2];
};

static struct tally tally_arm(const struct evidence *e, unsigned arm, int goal, uint8_t first_port)
{
    struct tally t = {0};
    for (unsigned i = 0; i < e->n; i++) {
        const struct attempt *a = e->attempt[i];
        if (!counts(a, arm))
            continue;
        unsigned side = a->log.port == first_port ? 0 : 1;
        if (outcome_reach((enum outcome)a->log.outcome) >= goal) {
            t.ok++;
            t.ok_port[side]++;
        } else {
            t.failed++;
            t.failed_port[side]++;
        }
    }
    return t;
}

static int goal_of(const struct evidence *e, unsigned arm)
{
    int goal = 0;
    for (unsigned i = 0; i < e->n; i++) {
        const struct attempt *a = e->attempt[i];
        if (counts(a, 0) || counts(a, arm)) {
            int reach = outcome_reach((enum outcome)a->log.outcome);
            goal = reach > goal ? reach : goal;
        }
    }
    return goal;
}

/* One source port always works, the other never, whatever the arm sent: a path per port, not a
 * matter of the flags. */
static bool follows_port(const struct tally *a, const struct tally *b)
{
    unsigned ok0 = a->ok_port[0] + b->ok_port[0], ok1 = a->ok_port[1] + b->ok_port[1];
    unsigned failed0 = a->failed_port[0] + b->failed_port[0];
    unsigned failed1 = a->failed_port[1] + b->failed_port[1];
    return (ok0 > 0 && failed0 == 0 && ok1 == 0 && failed1 > 0) ||
           (ok1 > 0 && failed1 == 0 && ok0 == 0 && failed0 > 0);
}

enum connectivity cond_connectivity(const struct evidence *e, unsigned arm)
{
    int goal = goal_of(e, arm);
    struct tally a = tally_arm(e, 0, goal, 0), b = tally_arm(e, arm, goal, 0);
    if (a.ok + a.failed == 0 || b.ok + b.failed == 0)
        return CONNECTIVITY_UNKNOWN;
    if (goal == 0)
        return CONNECTIVITY_OFFLINE;
    if (a.failed == 0 && b.failed == 0)
        return CONNECTIVITY_WORKS;
    bool one_sided = (b.ok == 0 && a.failed == 0) || (a.ok == 0 && b.failed == 0);
    if (!one_sided)
        return follows_port(&a, &b) ? CONNECTIVITY_MULTIPATH : CONNECTIVITY_TRANSIENT;
    /* A one-sided answer is worth saying only once it was seen again with the ports exchanged. */
    if (e->confirm_wanted && (a.ok + a.failed < 2 || b.ok + b.failed < 2))
        return CONNECTIVITY_UNKNOWN;
    return b.ok == 0 ? CONNECTIVITY_BROKEN : CONNECTIVITY_INVERSE;
}

/* Further is better; of equals the one in which the server sent data, then one whose data was
 * marked (a mark that was seen once exists; a lost packet that came again Not-ECT does not unmake
 * it), then one without loss of ours, then the earliest. */
static int worth(const struct attempt *a)
{
    const struct flow *f = &a->flow;
    return outcome_reach((enum outcome)a->log.outcome) * 8 + (f->tcp_newdata_rev > 0) * 4 +
           (f->ecn_newdata_not_rev < f->tcp_newdata_rev) * 2 + (f->tcp_rtx_fwd == 0);
}

/* An RST says more than an ICMP error, that more than silence. */
static int tells(enum outcome o)
{
    return o == OUTCOME_RST ? 3 : o == OUTCOME_ICMP ? 2 : o == OUTCOME_BAD_SYNACK ? 1 : 0;
}

static int32_t offline_how(const struct evidence *e, unsigned arm)
{
    int32_t how = -1;
    for (unsigned i = 0; i < e->n; i++) {
        const struct attempt *a = e->attempt[i];
        if ((counts(a, 0) || counts(a, arm)) &&
            (how < 0 || tells((enum outcome)a->log.outcome) > tells((enum outcome)how)))
            how = a->log.outcome;
    }
    return how;
}

static void summarise(const struct evidence *e, unsigned arm, struct arm_summary *s)
{
    int goal = goal_of(e, arm), bits = -1;
    memset(s, 0, sizeof *s);
    s->arm_outcome = s->arm_failure = s->arm_retries = s->arm_synack_differs = s->arm_reach = -1;
    for (unsigned i = 0; i < e->n; i++) {
        const struct attempt *a = e->attempt[i];
        if (!counts(a, arm))
            continue;
        s->arm_attempts++;
        if (s->representative == NULL || worth(a) > worth(s->representative))
            s->representative = a;
        if (s->arm_failure < 0 && outcome_reach((enum outcome)a->log.outcome) < goal)
            s->arm_failure = a->log.outcome;
        if (a->flow.ecn_synack_bits >= 0) {
            if (bits >= 0 && s->arm_synack_differs != 1)
                s->arm_synack_differs = bits != a->flow.ecn_synack_bits;
            bits = a->flow.ecn_synack_bits;
        }
    }
    s->arm_incomplete = s->arm_attempts == 0;
    s->arm_confirmed = e->rounds_done > 0;
    s->arm_offline = offline_how(e, arm);
    s->arm_connectivity = (int32_t)cond_connectivity(e, arm);
    if (s->representative == NULL)
        return;
    const struct arm_log *log = &s->representative->log;
    s->arm_outcome = log->outcome;
    s->arm_reach = outcome_reach((enum outcome)log->outcome);
    if (log->answered_try > 0)
        s->arm_retries = log->answered_try - 1;
}

void summarise_arms(const struct evidence *e, struct arm_summary *out)
{
    for (unsigned arm = 0; arm < e->n_arms; arm++)
        summarise(e, arm, &out[arm]);
}

const struct attempt *cond_representative(const struct evidence *e, unsigned arm)
{
    struct arm_summary s;
    summarise(e, arm, &s);
    return s.representative;
}
