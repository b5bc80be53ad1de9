/* SPDX-License-Identifier: GPL-3.0-or-later
 * ecn: does the path let classic ECN (RFC 3168) be negotiated and used? Arm `plain` opens with an
 * ordinary SYN, arm `ecn` with an ECN-setup SYN (ECE and CWR set, IP Not-ECT) and then marks its
 * new data ECT(0). Base conditions have PATHspider's names and meaning; details stand beside them.
 */
#include "plugins/plugin.h"

enum { PLAIN, ECN };

/* AE, CWR, ECE of a SYN/ACK as fields.def counts them. */
#define BITS_ECE     1
#define BITS_CWR     2
#define BITS_CWR_ECE 3
#define BITS_AE      4

static const struct rule ecn_rules[] = {
    {.when = {.classes = RULE_CLASS(SEG_SYN)}, .change = {.flags_set = TCP_ECE | TCP_CWR}},
};

static const struct arm arms[] = {
    [PLAIN] = {.name = "plain"},
    [ECN] = {.name = "ecn", .rules = ecn_rules, .n_rules = 1},
};

#define CONNECTIVITY(state, word, why)                                                             \
    {                                                                                              \
        .layer = COND_BASE, .group = "ecn.connectivity", .name = "ecn.connectivity." word,         \
        .clause = why, .when = {                                                                   \
            {ECN, "arm_connectivity", COND_EQ, CONNECTIVITY_##state}                               \
        }                                                                                          \
    }

/* A SYN/ACK judges the negotiation only if the SYN that left was an ECN-setup SYN. */
#define SENT_ECN_SETUP                                                                             \
    {                                                                                              \
        ECN, "ecn_syn_bits", COND_EQ, BITS_CWR_ECE                                                 \
    }

#define NEGOTIATION(word, why, bits)                                                               \
    {                                                                                              \
        .layer = COND_BASE, .group = "ecn.negotiation", .name = "ecn.negotiation." word,           \
        .clause = why, .when = {                                                                   \
            SENT_ECN_SETUP,                                                                        \
            {ECN, "ecn_synack_bits", COND_EQ, bits, .mask = BITS_CWR_ECE}                          \
        }                                                                                          \
    }

#define MARK(cp, seen_or_not, flag, why)                                                           \
    {                                                                                              \
        .layer = COND_BASE, .group = "ecn.ipmark." #cp, .name = "ecn.ipmark." #cp "." seen_or_not, \
        .clause = why, .when = {                                                                   \
            {ECN, "tcp_newdata_rev", COND_GE, 1},                                                  \
            {ECN, "ecn_" #cp "_data_rev", COND_EQ, flag}                                           \
        }                                                                                          \
    }

#define UNSOLICITED_MARK(cp)                                                                       \
    {                                                                                              \
        .layer = COND_DETAIL, .group = "ecn.ipmark", .name = "ecn.ipmark." #cp ".unsolicited",     \
        .clause = "RFC 3168 6.1.2: ECT only on a connection that negotiated ECN", .when = {        \
            {PLAIN, "ecn_" #cp "_data_rev", COND_EQ, 1}                                            \
        }                                                                                          \
    }

#define CONTROL_MARK(type, why)                                                                    \
    {                                                                                              \
        .layer = COND_DETAIL, .group = "ecn.control", .name = "ecn.control.marked:" #type,         \
        .clause = why, .when = {                                                                   \
            {ECN, "ecn_" #type "_marked_rev", COND_GE, 1}                                          \
        }                                                                                          \
    }

/* SYN/ACK and data from different hop counts, and no marks: a front end may have answered for a
 * back end without ECN. */
#define PROXY(ttl)                                                                                 \
    {                                                                                              \
        .layer = COND_DETAIL, .group = "ecn.negotiation",                                          \
        .name = "ecn.negotiation.proxy_suspected",                                                 \
        .clause = "negotiated, data unmarked, and the SYN/ACK's TTL is not that of other packets", \
        .when = {                                                                                  \
            {ECN, "ecn_synack_bits", COND_EQ, BITS_ECE, .mask = BITS_CWR_ECE},                     \
            {ECN, "tcp_newdata_rev", COND_GE, 1},                                                  \
            {ECN, "ecn_newdata_not_rev", COND_EQ, .than = "tcp_newdata_rev", .than_arm = ECN},     \
            {ECN, "tcp_synack_ttl", COND_NE, .than = ttl, .than_arm = ECN}                         \
        }                                                                                          \
    }

static const struct condition conditions[] = {
    CONNECTIVITY(WORKS, "works", "both arms got as far as each other in every attempt"),
    CONNECTIVITY(BROKEN,
                 "broken",
                 "RFC 3168 6.1.1.1: the plain arm always got further than the ECN arm ever did"),
    CONNECTIVITY(OFFLINE, "offline", "neither arm was answered"),
    CONNECTIVITY(TRANSIENT, "transient", "attempts of one arm disagree with each other"),
    CONNECTIVITY(INVERSE, "transient", "PATHspider says transient when only the ECN arm answers"),
    CONNECTIVITY(MULTIPATH, "transient", "success follows the source port and not the flags"),

    NEGOTIATION("succeeded", "RFC 3168 6.1.1: ECN-setup SYN/ACK, ECE set and CWR clear", BITS_ECE),
    NEGOTIATION("reflected", "RFC 3168 6.1.1.2: reserved bits copied, not ECN", BITS_CWR_ECE),
    NEGOTIATION("failed", "RFC 3168 6.1.1: non-ECN-setup SYN/ACK", 0),
    NEGOTIATION("failed", "RFC 3168 6.1.1: CWR without ECE is a non-ECN-setup SYN/ACK", BITS_CWR),

    MARK(ect0, "seen", 1, "RFC 3168 5: codepoint 10 on a TCP packet without SYN"),
    MARK(ect0, "not_seen", 0, "the server sent new data, no packet without SYN had codepoint 10"),
    MARK(ect1, "seen", 1, "RFC 3168 5: codepoint 01 on a TCP packet without SYN"),
    MARK(ect1, "not_seen", 0, "the server sent new data, no packet without SYN had codepoint 01"),
    MARK(ce, "seen", 1, "RFC 3168 5: codepoint 11 on a TCP packet without SYN"),
    MARK(ce, "not_seen", 0, "the server sent new data, no packet without SYN had codepoint 11"),

    {.layer = COND_DETAIL,
     .group = "ecn.connectivity",
     .name = "ecn.connectivity.broken.how",
     .clause = "RFC 3168 6.1.1.1: what became of the ECN arm",
     .when = {{ECN, "arm_connectivity", COND_EQ, CONNECTIVITY_BROKEN}},
     .value_field = "arm_failure",
     .value_arm = ECN,
     .value_format = COND_HOW},
    {.layer = COND_DETAIL,
     .group = "ecn.connectivity",
     .name = "ecn.connectivity.broken.rst_from:on_path",
     .clause = "the RST comes from another hop count than the plain SYN/ACK, by their TTLs",
     .when = {{ECN, "arm_connectivity", COND_EQ, CONNECTIVITY_BROKEN},
              {ECN, "tcp_rst_hops", COND_NE, .than = "tcp_synack_hops", .than_arm = PLAIN}}},
    {.layer = COND_DETAIL,
     .group = "ecn.connectivity",
     .name = "ecn.connectivity.broken.rst_from:host",
     .clause = "the RST comes from the same hop count as the plain SYN/ACK, by their TTLs",
     .when = {{ECN, "arm_connectivity", COND_EQ, CONNECTIVITY_BROKEN},
              {ECN, "tcp_rst_hops", COND_EQ, .than = "tcp_synack_hops", .than_arm = PLAIN}}},
    {.layer = COND_DETAIL,
     .group = "ecn.connectivity",
     .name = "ecn.connectivity.offline",
     .clause = "RFC 9293 3.5.2: closed port, unreachable and silence are different facts",
     .when = {{ECN, "arm_connectivity", COND_EQ, CONNECTIVITY_OFFLINE}},
     .value_field = "arm_offline",
     .value_arm = ECN,
     .value_format = COND_OUTCOME},
    {.layer = COND_DETAIL,
     .group = "ecn.connectivity",
     .name = "ecn.connectivity.inverse",
     .clause = "RFC 6040 4.2 and others: the plain SYN never answered, the ECN-setup SYN always, "
               "confirmed",
     .when = {{ECN, "arm_connectivity", COND_EQ, CONNECTIVITY_INVERSE},
              {ECN, "arm_confirmed", COND_EQ, 1}}},
    {.layer = COND_DETAIL,
     .group = "ecn.connectivity",
     .name = "ecn.connectivity.retries",
     .clause = "RFC 9293 3.8.1: the ECN-setup SYN was answered only after retransmissions",
     .when = {{ECN, "arm_retries", COND_GE, 1}, {ECN, "arm_reach", COND_GE, 1}},
     .value_field = "arm_retries",
     .value_arm = ECN,
     .value_format = COND_NUMBER},

    {.layer = COND_DETAIL,
     .group = "ecn.negotiation",
     .name = "ecn.negotiation.cwr_only",
     .clause = "RFC 3168 6.1.1: CWR without ECE in the SYN/ACK",
     .when = {SENT_ECN_SETUP, {ECN, "ecn_synack_bits", COND_EQ, BITS_CWR, .mask = BITS_CWR_ECE}}},
    {.layer = COND_DETAIL,
     .group = "ecn.negotiation",
     .name = "ecn.negotiation.ae_unsolicited",
     .clause = "RFC 9768 3.1.1: AE answered to a SYN that did not offer it",
     .when = {SENT_ECN_SETUP, {ECN, "ecn_synack_bits", COND_EQ, BITS_AE, .mask = BITS_AE}},
     .value_field = "ecn_synack_bits",
     .value_arm = ECN,
     .value_format = COND_BITS3},
    {.layer = COND_DETAIL,
     .group = "ecn.negotiation",
     .name = "ecn.negotiation.unsolicited",
     .clause = "RFC 3168 6.1.1: a plain SYN must not be answered with ECE",
     .when = {{PLAIN, "ecn_syn_bits", COND_EQ, 0},
              {PLAIN, "ecn_synack_bits", COND_EQ, BITS_ECE, .mask = BITS_ECE}},
     .value_field = "ecn_synack_bits",
     .value_arm = PLAIN,
     .value_format = COND_BITS3},
    {.layer = COND_DETAIL,
     .group = "ecn.negotiation",
     .name = "ecn.negotiation.inconsistent",
     .clause = "answers to the same SYN differ between attempts",
     .when = {{ECN, "arm_synack_differs", COND_EQ, 1}}},
    {.layer = COND_DETAIL,
     .group = "ecn.synack",
     .name = "ecn.synack.ladder",
     .clause = "copies of one SYN/ACK differ in AE, CWR, ECE: the server falls back (as FreeBSD "
               "does), or a box",
     .when = {{ECN, "tcp_synack_varies", COND_EQ, 1}},
     .value_field = "ecn_synack_ladder",
     .value_arm = ECN,
     .value_format = COND_LADDER},
    PROXY("ttl_min_rev"),
    PROXY("ttl_max_rev"),
    {.layer = COND_DETAIL,
     .group = "ecn.synack",
     .name = "ecn.synack.ipmark",
     .clause = "RFC 3168 6.1.1 forbids it, RFC 5562 allows it: codepoint on the SYN/ACK",
     .when = {{ECN, "ecn_synack_cp", COND_NE, IP_ECN_NOT}},
     .value_field = "ecn_synack_cp",
     .value_arm = ECN,
     .value_format = COND_CODEPOINT},

    UNSOLICITED_MARK(ect0),
    UNSOLICITED_MARK(ect1),
    UNSOLICITED_MARK(ce),
    CONTROL_MARK(ack, "RFC 3168 6.1.4: pure ACKs are not ECT"),
    CONTROL_MARK(rtx, "RFC 3168 6.1.5: retransmissions are not ECT"),
    CONTROL_MARK(fin, "RFC 3168 6.1.4: nothing but data is ECT"),
    CONTROL_MARK(rst, "RFC 3168 6.1.4: nothing but data is ECT"),
    {.layer = COND_DETAIL,
     .group = "ecn.ipmark",
     .name = "ecn.ipmark.pattern:mixed",
     .clause = "RFC 3168 6.1.2: new data both marked and Not-ECT in every connection (in one: a "
               "lost tail sent again)",
     .when = {{ECN, "ecn_newdata_not_rev", COND_GE, 1},
              {ECN, "ecn_newdata_not_rev", COND_LT, .than = "tcp_newdata_rev", .than_arm = ECN}},
     .every = 3,
     .every_arm = ECN},

    {.layer = COND_DETAIL,
     .group = "ecn.data",
     .name = "ecn.data.none",
     .clause = "handshake done, but the server sent no new data: no statement on marks",
     .when = {{ECN, "arm_reach", COND_GE, 1},
              {ECN, "tcp_newdata_rev", COND_EQ, 0},
              {ECN, "tcp_rtx_rev", COND_EQ, 0},
              {ECN, "tcp_old_rev", COND_EQ, 0}}},
    /* One lost segment that came again Not-ECT looks like a server that does not mark. */
    {.layer = COND_ASK,
     .group = "ecn.ipmark",
     .name = "ask.unmarked_in_few_segments",
     .clause = "RFC 3168 6.1.5: what is sent again is Not-ECT, so few segments prove nothing",
     .when = {{ECN, "ecn_synack_bits", COND_EQ, BITS_ECE, .mask = BITS_ECE},
              {ECN, "tcp_newdata_rev", COND_GE, 1},
              {ECN, "tcp_newdata_rev", COND_LT, 3},
              {ECN, "ecn_newdata_not_rev", COND_EQ, .than = "tcp_newdata_rev", .than_arm = ECN}},
     .every = 3,
     .every_arm = ECN},
    {.layer = COND_DETAIL,
     .group = "ecn.data",
     .name = "ecn.data.blackhole.ect0",
     .clause = "RFC 3168 6.1.5: ECT(0) data never got through, its Not-ECT retransmission did",
     .when = {{ECN, "ecn_ect_lost_fwd", COND_GE, 1},
              {ECN, "ecn_newdata_ect0_fwd", COND_GE, 1},
              {PLAIN, "tcp_rtx_fwd", COND_EQ, 0}},
     .every = 3,
     .every_arm = ECN},
    {.layer = COND_DETAIL,
     .group = "ecn.feedback",
     .name = "ecn.feedback.unsolicited",
     .clause = "RFC 3168 6.1: ECE on a connection that did not negotiate ECN",
     .when = {{PLAIN, "ecn_ece_rev", COND_GE, 1}}},
};

static const char *const exchanges[] = {"http", "tcp", NULL};

const struct plugin plugin_ecn = {
    .size = sizeof(struct plugin),
    .name = "ecn",
    .summary = "Explicit Congestion Notification (RFC 3168): connectivity, negotiation, marks",
    .arms = arms,
    .n_arms = sizeof arms / sizeof arms[0],
    .chains = CHAIN_BIT(CHAIN_BASIC) | CHAIN_BIT(CHAIN_TCP) | CHAIN_BIT(CHAIN_ECN) |
              CHAIN_BIT(CHAIN_ICMP),
    .exchanges = exchanges,
    .conditions = conditions,
    .n_conditions = sizeof conditions / sizeof conditions[0],
};
