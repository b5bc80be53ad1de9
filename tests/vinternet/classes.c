/* SPDX-License-Identifier: GPL-3.0-or-later
 * The classes: how a host and the boxes before it behave, and which conditions are true of that.
 *
 * The truth is written down here from the RFCs (3168 6.1 to 6.1.5) and from README, "Reading a
 * record": `base` are all base conditions; `details` are some that must stand beside them. The
 * order numbers the classes and so the addresses; append, never insert. */
#include "vinternet.h"

#include <arpa/inet.h>
#include <string.h>

#define WORKS     "ecn.connectivity.works"
#define BROKEN    "ecn.connectivity.broken"
#define OFFLINE   "ecn.connectivity.offline"
#define TRANSIENT "ecn.connectivity.transient"
#define SUCCEEDED "ecn.negotiation.succeeded"
#define REFLECTED "ecn.negotiation.reflected"
#define FAILED    "ecn.negotiation.failed"
#define ECT0_SEEN "ecn.ipmark.ect0.seen", "ecn.ipmark.ect1.not_seen", "ecn.ipmark.ce.not_seen"
#define ECT1_SEEN "ecn.ipmark.ect0.not_seen", "ecn.ipmark.ect1.seen", "ecn.ipmark.ce.not_seen"
#define CE_SEEN   "ecn.ipmark.ect0.not_seen", "ecn.ipmark.ect1.not_seen", "ecn.ipmark.ce.seen"
#define NONE_SEEN "ecn.ipmark.ect0.not_seen", "ecn.ipmark.ect1.not_seen", "ecn.ipmark.ce.not_seen"

/* Codepoints on the way; in the order Not-ECT, ECT(1), ECT(0), CE. */
#define AS_IT_IS                                                                                   \
    {                                                                                              \
        NOT_ECT, ECT1, ECT0, CE                                                                    \
    }
#define BLEACHED                                                                                   \
    {                                                                                              \
        NOT_ECT, NOT_ECT, NOT_ECT, NOT_ECT                                                         \
    }
#define CLEAR_PATH .forward = AS_IT_IS, .reverse = AS_IT_IS

const struct class classes[] = {
    {.name = "plain",
     .about = "a server with ECN that closes together with the last of its answer; it has 10.128 "
              "to 10.255, too",
     .base = {WORKS, SUCCEEDED, ECT0_SEEN},
     CLEAR_PATH},
    {.name = "linux",
     .about = "a server with ECN like Linux: remembers its connections, sends its FIN apart",
     .base = {WORKS, SUCCEEDED, ECT0_SEEN},
     .bits = C_STATEFUL | C_FIN_APART,
     CLEAR_PATH},
    {.name = "no_ecn",
     .about = "a server with ECN off",
     .base = {WORKS, FAILED, NONE_SEEN},
     .host = HOST_OFF,
     .bits = C_FIN_APART,
     CLEAR_PATH},
    {.name = "reflector",
     .about = "a server that copies CWR and ECE of a SYN to its SYN/ACK, and has no ECN",
     .base = {WORKS, REFLECTED, NONE_SEEN},
     .host = HOST_REFLECT,
     CLEAR_PATH},
    {.name = "reflected",
     .about = "a box adds CWR to the SYN/ACK that agrees; the server behind it marks its data",
     .base = {WORKS, REFLECTED, ECT0_SEEN},
     .bits = C_FIN_APART,
     .synack_set = CWR,
     CLEAR_PATH},
    {.name = "syn_drop",
     .about = "a box drops a SYN with ECE and CWR",
     .base = {BROKEN},
     .details = {"ecn.connectivity.broken.how:syn_drop"},
     .ecn_syn = DROP,
     CLEAR_PATH},
    {.name = "syn_rst_host",
     .about = "the server answers a SYN with ECE and CWR by a RST",
     .base = {BROKEN},
     .details = {"ecn.connectivity.broken.how:syn_rst", "ecn.connectivity.broken.rst_from:host"},
     .ecn_syn = RESET_HOST,
     CLEAR_PATH},
    {.name = "syn_rst_path",
     .about = "a box on the path answers a SYN with ECE and CWR by a RST",
     .base = {BROKEN},
     .details = {"ecn.connectivity.broken.how:syn_rst", "ecn.connectivity.broken.rst_from:on_path"},
     .ecn_syn = RESET_PATH,
     CLEAR_PATH},
    {.name = "syn_icmp",
     .about = "a box answers a SYN with ECE and CWR by an ICMP error",
     .base = {BROKEN},
     .details = {"ecn.connectivity.broken.how:syn_icmp"},
     .ecn_syn = PROHIBIT,
     CLEAR_PATH},
    {.name = "silent",
     .about = "nothing answers",
     .base = {OFFLINE},
     .details = {"ecn.connectivity.offline:timeout"},
     .all = DROP,
     CLEAR_PATH},
    {.name = "closed",
     .about = "the port is closed: RST to everything",
     .base = {OFFLINE},
     .details = {"ecn.connectivity.offline:rst"},
     .all = RESET_HOST,
     CLEAR_PATH},
    {.name = "icmp_all",
     .about = "a box answers everything by an ICMP error",
     .base = {OFFLINE},
     .details = {"ecn.connectivity.offline:icmp"},
     .all = PROHIBIT,
     CLEAR_PATH},
    {.name = "plain_drop",
     .about = "a box drops a SYN without ECE and CWR and lets one with them pass",
     .base = {TRANSIENT, SUCCEEDED, ECT0_SEEN},
     .details = {"ecn.connectivity.inverse"},
     .plain_syn = DROP,
     .bits = C_FIN_APART,
     CLEAR_PATH},
    {.name = "flags_cleared",
     .about = "a box clears ECE and CWR on the SYN",
     .base = {WORKS, FAILED, NONE_SEEN},
     .ecn_syn = CLEAR,
     .bits = C_FIN_APART,
     CLEAR_PATH},
    {.name = "bleach_rev",
     .about = "a box clears the ECN field of what the server sends",
     .base = {WORKS, SUCCEEDED, NONE_SEEN},
     .bits = C_FIN_APART,
     .forward = AS_IT_IS,
     .reverse = BLEACHED},
    {.name = "all_ce_rev",
     .about = "a box marks everything ECT that the server sends CE",
     .base = {WORKS, SUCCEEDED, CE_SEEN},
     .bits = C_FIN_APART,
     .forward = AS_IT_IS,
     .reverse = {NOT_ECT, CE, CE, CE}},
    {.name = "ect1_rev",
     .about = "a box turns ECT(0) of what the server sends into ECT(1)",
     .base = {WORKS, SUCCEEDED, ECT1_SEEN},
     .bits = C_FIN_APART,
     .forward = AS_IT_IS,
     .reverse = {NOT_ECT, ECT1, ECT1, CE}},
    {.name = "bleach_fwd",
     .about = "a box clears the ECN field towards the server",
     .base = {WORKS, SUCCEEDED, ECT0_SEEN},
     .bits = C_FIN_APART,
     .forward = BLEACHED,
     .reverse = AS_IT_IS},
    {.name = "ce_fwd",
     .about = "a box marks everything ECT towards the server CE, and so the server echoes ECE",
     .base = {WORKS, SUCCEEDED, ECT0_SEEN},
     .bits = C_FIN_APART,
     .forward = {NOT_ECT, CE, CE, CE},
     .reverse = AS_IT_IS},
    {.name = "ect_data_drop",
     .about = "a box drops what is marked ECT towards the server, which a handshake is not",
     .base = {WORKS, SUCCEEDED, ECT0_SEEN},
     .details = {"ecn.data.blackhole.ect0"},
     .bits = C_FIN_APART,
     .forward = {NOT_ECT, LOST_CP, LOST_CP, CE},
     .reverse = AS_IT_IS},
    {.name = "marks_anyway",
     .about = "a server without ECN that sets ECT(0) on all it sends, as a TOS",
     .base = {WORKS, FAILED, ECT0_SEEN},
     .details = {"ecn.ipmark.ect0.unsolicited"},
     .host = HOST_MARKS,
     CLEAR_PATH},
    {.name = "no_marks",
     .about = "a server that agrees to ECN and never marks",
     .base = {WORKS, SUCCEEDED, NONE_SEEN},
     .host = HOST_NO_MARKS,
     CLEAR_PATH},
    {.name = "cwr_only",
     .about = "a server that answers a SYN with ECE and CWR by a SYN/ACK with CWR alone",
     .base = {WORKS, FAILED, NONE_SEEN},
     .details = {"ecn.negotiation.cwr_only"},
     .host = HOST_CWR_ONLY,
     CLEAR_PATH},
    {.name = "ece_unsolicited",
     .about = "a server that answers every SYN as if it had asked for ECN, and marks",
     .base = {WORKS, SUCCEEDED, ECT0_SEEN},
     .details = {"ecn.negotiation.unsolicited:001", "ecn.ipmark.ect0.unsolicited"},
     .host = HOST_UNSOLICITED,
     CLEAR_PATH},
    {.name = "hs_then_rst",
     .about = "the handshake passes, and the request on a connection with ECN is answered by a RST",
     .base = {BROKEN, SUCCEEDED},
     .details = {"ecn.connectivity.broken.how:hs_then_rst"},
     .bits = C_RESET_ECN,
     CLEAR_PATH},
    {.name = "slow",
     .about = "a server with ECN, 300 ms away",
     .base = {WORKS, SUCCEEDED, ECT0_SEEN},
     .delay_ms = 300,
     CLEAR_PATH},
    {.name = "syn_lost_1",
     .about = "the first SYN of each connection is lost, and no other part of a handshake",
     .base = {WORKS, SUCCEEDED, ECT0_SEEN},
     .details = {"ecn.connectivity.retries:1"},
     .syns_lost = 1,
     CLEAR_PATH},
    {.name = "syn_lost_2",
     .about = "the first two SYNs of each connection are lost, and no other part of a handshake",
     .base = {WORKS, SUCCEEDED, ECT0_SEEN},
     .details = {"ecn.connectivity.retries:2"},
     .syns_lost = 2,
     CLEAR_PATH},
    {.name = "no_data",
     .about = "a server with ECN that closes the connection instead of an answer",
     .base = {WORKS, SUCCEEDED},
     .details = {"ecn.data.none"},
     .bits = C_NO_DATA,
     CLEAR_PATH},
    {.name = "proxy",
     .about = "a box nearby answers SYNs with ECN in the name of a server that never marks",
     .base = {WORKS, SUCCEEDED, NONE_SEEN},
     .details = {"ecn.negotiation.proxy_suspected"},
     .host = HOST_NO_MARKS,
     .bits = C_SYNACK_TTL,
     CLEAR_PATH},
    {.name = "synack_ect0",
     .about = "a server with ECN whose SYN/ACK is ECT(0) itself (RFC 5562)",
     .base = {WORKS, SUCCEEDED, ECT0_SEEN},
     .details = {"ecn.synack.ipmark:ect0"},
     .bits = C_SYNACK_ECT,
     CLEAR_PATH},
    {.name = "cookies",
     .about = "like Linux under SYN cookies: ECN only for a SYN with timestamps",
     .base = {WORKS, SUCCEEDED, ECT0_SEEN},
     .host = HOST_COOKIES,
     .bits = C_FIN_APART,
     CLEAR_PATH},
    {.name = "reflect_tos",
     .about = "like Linux with tcp_reflect_tos: the SYN/ACK has the DSCP of the SYN",
     .base = {WORKS, SUCCEEDED, ECT0_SEEN},
     .bits = C_FIN_APART | C_REFLECT_TOS,
     CLEAR_PATH},
    {.name = "synack_ect0_only",
     .about = "a server whose SYN/ACK is ECT(0), and which then never marks",
     .base = {WORKS, SUCCEEDED, NONE_SEEN},
     .details = {"ecn.synack.ipmark:ect0"},
     .host = HOST_NO_MARKS,
     .bits = C_SYNACK_ECT,
     CLEAR_PATH},
};
const unsigned n_classes = sizeof classes / sizeof classes[0];

/* 10.C.x.y, and from C = 128 on more of class 0; fd00:0:0:C::n. All else is class 0. */
const struct class *class_of(const uint8_t *a, bool v6)
{
    unsigned number = v6 ? get16(a + 6) : a[1];
    bool ours = v6 ? a[0] == 0xfd && a[1] == 0 : a[0] == 10;

    return &classes[ours && number < n_classes ? number : 0];
}

const struct class *class_named(const char *name)
{
    for (unsigned i = 0; i < n_classes; i++)
        if (!strcmp(classes[i].name, name))
            return &classes[i];
    return NULL;
}

/* Addresses count from .1 on: that of number 0 is an odd one to look at. */
bool class_address(unsigned class, bool v6, uint32_t n, char *text, size_t room)
{
    uint8_t a[16] = {0};
    uint32_t host = n + 1, more;

    if (v6) {
        a[0] = 0xfd;
        put16(a + 6, (uint16_t) class);
        put32(a + 12, host);
    } else {
        more = host >> 16;
        if (more && (class != 0 || more > 128))
            return false;
        a[0] = 10;
        a[1] = (uint8_t)(more ? 127 + more : class);
        put16(a + 2, (uint16_t)host);
    }
    return inet_ntop(v6 ? AF_INET6 : AF_INET, a, text, (socklen_t)room);
}
