/* SPDX-License-Identifier: GPL-3.0-or-later
 * A server for the simulation: one connection, no code of src/tcpstate in it. Its ECN answers are
 * those of a Linux 6.18 server with tcp_ecn=2, or wrong on purpose. It waits for the request,
 * answers, and closes; what is lost it sends again (go back n). */
#ifndef RS_TESTS_SIM_PEER_H
#define RS_TESTS_SIM_PEER_H

#include "sim/link.h"

enum peer_ecn {
    PEER_LINUX,
    PEER_ECN_OFF,
    PEER_REFLECTS, /* the SYN's reserved bits come back */
    PEER_NO_ECHO,  /* negotiates, never says ECE */
    PEER_ONE_SHOT, /* one ECE a mark */
    PEER_STUCK     /* ignores CWR */
};

struct peer_config {
    enum peer_ecn ecn;
    uint32_t iss;
    uint32_t request_bytes, response_bytes;
    uint16_t mss;
    uint32_t window;
    bool timestamps, wscale;
    bool waits_for_close; /* keep-alive server: its FIN comes after the client's */
};

enum peer_state { PEER_LISTEN, PEER_SYN_RCVD, PEER_OPEN, PEER_RESET };

struct peer {
    struct peer_config c;
    struct link *link;
    enum peer_state state;
    uint32_t irs, rcv_nxt, snd_una, snd_nxt, snd_max; /* snd_max: highest ever sent */
    uint32_t got;                                     /* request bytes, in order */
    uint32_t snd_wnd, cwr_high, ts_recent;
    uint8_t snd_wscale;
    bool ts_on, ecn_on, echo, cwr_due, cwr_given, fin_seen, wrong_bytes;
    uint16_t syn_flags;
    unsigned tries;
    rs_mono retransmit_at;
};

/* Both streams: byte i is this. */
static inline uint8_t stream_byte(uint32_t i)
{
    return (uint8_t)(i * 2654435761u >> 24);
}

void peer_init(struct peer *p, const struct peer_config *c, struct link *link);
void peer_input(struct peer *p, const struct wire_view *v, rs_mono now);
void peer_expire(struct peer *p, rs_mono now);
/* Both FINs acknowledged, no RST. */
bool peer_done(const struct peer *p);

#endif
