/* SPDX-License-Identifier: GPL-3.0-or-later
 * A TCP client as a pure machine (RFC 9293, 5961, 6298, 7323, 3168): no I/O, no clock, no random,
 * no allocation but from the reassembly pool that the caller lends. One machine is one connection
 * attempt.
 *
 * The caller drives it: tcp_open, tcp_input, tcp_write, tcp_close, tcp_abort and tcp_expire change
 * the state; after any of them (or several) tcp_output says what to send. So an ACK rides on data
 * written in the same turn. All sequence numbers are absolute, host order. The machine knows no
 * addresses and no ports. */
#ifndef RS_TCPSTATE_TCP_H
#define RS_TCPSTATE_TCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slab.h"
#include "base/time.h"
#include "wire/segment.h"
#include "wire/view.h"

enum tcp_state { /* RFC 9293 3.3.2, client side; no LISTEN, no SYN-RECEIVED (a simultaneous open is
                    refused) */
                 TCP_CLOSED,
                 TCP_SYN_SENT,
                 TCP_ESTABLISHED,
                 TCP_FIN_WAIT_1,
                 TCP_FIN_WAIT_2,
                 TCP_CLOSING,
                 TCP_TIME_WAIT,
                 TCP_CLOSE_WAIT,
                 TCP_LAST_ACK,
                 TCP_NSTATES
};

enum tcp_event { /* bits, what happened in this turn */
                 TCP_EV_ESTABLISHED = 1 << 0,
                 TCP_EV_REFUSED = 1 << 1, /* RST that acknowledges our SYN, in SYN-SENT */
                 TCP_EV_RESET =
                     1 << 2, /* acceptable RST after the handshake (RFC 5961 3.2: exact RCV.NXT) */
                 TCP_EV_BAD_SYNACK = 1 << 3, /* SYN/ACK with an unacceptable ACK: answered by RST
                                                (RFC 9293 3.10.7.3) */
                 TCP_EV_CHALLENGED = 1 << 4, /* we sent a challenge ACK (RFC 5961 3.2, 4.2, 5.2) */
                 TCP_EV_ACKED = 1 << 5,      /* SND.UNA moved over data or FIN */
                 TCP_EV_DELIVERED = 1 << 6,  /* in-order bytes in out->data */
                 TCP_EV_PEER_FIN = 1 << 7,   /* the peer's FIN was reached in order */
                 TCP_EV_CLOSED =
                     1 << 8, /* orderly end: both FINs acknowledged (or TIME-WAIT entered) */
                 TCP_EV_SYN_TIMEOUT = 1 << 9, /* no answer within syn_wait after the last SYN */
                 TCP_EV_GAVE_UP =
                     1 << 10, /* data or FIN never acknowledged: RST sent, connection over */
                 TCP_EV_ECE = 1 << 11, /* an ACK with ECE arrived on an ECN connection */
                 TCP_EV_CE = 1 << 12,  /* a CE-marked segment was accepted on an ECN connection */
                 TCP_EV_CWR = 1 << 13, /* CWR from the peer ended our echo */
                 TCP_EV_RETRANSMITTED = 1 << 14,
                 TCP_EV_ABORTED = 1 << 15, /* tcp_abort: RST sent */
                 TCP_EV_REASM_FULL =
                     1 << 16 /* an out-of-order segment was not kept; the peer will send it again */
};

struct tcp_config {
    uint32_t iss;       /* RFC 6528, chosen by the caller */
    uint32_t ts_offset; /* TSval = ts_offset + now in milliseconds (RFC 7323 5.4) */
    bool timestamps, sack_permitted, window_scale; /* options on the SYN */
    uint16_t mss;                                  /* to announce; 0 = 1460 */
    uint8_t wscale;                                /* shift to announce, when window_scale */
    uint32_t rcv_window;                           /* bytes that we are ready to take; 0 = 64240 */
    uint8_t syn_tries;    /* SYNs in all; 0 = 3 (at 0, 1 and 3 s: RFC 6298 5.7, backoff doubles) */
    uint8_t data_tries;   /* sendings of one segment in all; 0 = 6 */
    uint64_t syn_wait_ns; /* after the last SYN; 0 = 3 s */
    bool ecn;             /* the SYN that leaves is an ECN-setup SYN (RFC 3168 6.1.1): negotiate */
    struct slab
        *reasm; /* blocks of TCP_REASM_BLOCK bytes, shared; NULL: keep nothing out of order */
};

#define TCP_REASM_BLOCK 2048u
#define TCP_REASM_MOST  8u /* blocks that one connection may hold */

#define TCP_OUT_SEGMENTS 8
#define TCP_OUT_SPANS    (1 + TCP_REASM_MOST)

struct tcp_out {
    uint32_t events; /* bits of enum tcp_event, gathered since the last tcp_out_clear */
    struct { /* in-order bytes, borrowed: from the view's bytes or the pool, until the next call on
                this machine */
        const uint8_t *bytes;
        uint32_t n;
    } data[TCP_OUT_SPANS];
    uint8_t n_data;
    uint8_t n_segments;
    bool more; /* more segments wait: call tcp_output again */
    struct wire_segment segment[TCP_OUT_SEGMENTS];
};

/* The machine. Treat as opaque: the struct is here so that it can be embedded. Keep it under 320
 * bytes. */
struct tcp {
    int placeholder; /* TO BE DESIGNED by the author of tcpstate */
};

void tcp_out_clear(struct tcp_out *out);
/* Prepares the machine in CLOSED; nothing is sent before tcp_open. Copies the configuration. */
void tcp_init(struct tcp *m, const struct tcp_config *config);
/* Gives pool blocks back. The machine may be reused after tcp_init. */
void tcp_release(struct tcp *m);
/* CLOSED -> SYN-SENT; the SYN comes from tcp_output. */
void tcp_open(struct tcp *m, rs_mono now);
/* A segment of this connection (the caller matched the 5-tuple). 0; -RS_EPROTO when it was dropped
 * as unacceptable (the answer, if any, comes from tcp_output). Pending RSTs and challenge ACKs come
 * from tcp_output, too. */
int tcp_input(struct tcp *m, const struct wire_view *seg, rs_mono now, struct tcp_out *out);
/* Appends to the byte stream. `bytes` is borrowed until it is acknowledged or the machine is over,
 * and must lie directly behind the bytes written before (one contiguous buffer per connection):
 * -RS_EINVAL otherwise, or after tcp_close. */
int tcp_write(struct tcp *m, const uint8_t *bytes, size_t n, rs_mono now);
/* Orderly: FIN after what was written. */
void tcp_close(struct tcp *m, rs_mono now, struct tcp_out *out);
/* RST now if the peer may hold state (from SYN-SENT: none unless a SYN/ACK was seen); the machine
 * is over. */
void tcp_abort(struct tcp *m, rs_mono now, struct tcp_out *out);
/* Call when now >= tcp_next_expiry: retransmissions, delayed ACK, give-up. */
void tcp_expire(struct tcp *m, rs_mono now, struct tcp_out *out);
/* What to send now. Segments have class, ordinal, tries, state, seq, ack, flags, window, options,
 * payload, and ecn by RFC 3168 (ECT(0) on new data only); ttl, ip_id, flow label, dscp are left to
 * the caller. */
void tcp_output(struct tcp *m, rs_mono now, struct tcp_out *out);
rs_mono tcp_next_expiry(const struct tcp *m);
enum tcp_state tcp_state(const struct tcp *m);
/* CLOSED after having been open, or TIME-WAIT: nothing more will come of it. */
bool tcp_over(const struct tcp *m);
/* Whether an ICMP error that quotes `seq` (the first sequence number of the quoted segment) can be
 * about something we sent and that is unacknowledged (RFC 5927 4.1); in SYN-SENT only the SYN's. */
bool tcp_quote_plausible(const struct tcp *m, uint32_t seq);
/* SYNs sent so far; ECN negotiated (RFC 3168 6.1.1). */
unsigned tcp_syns_sent(const struct tcp *m);
bool tcp_ecn_negotiated(const struct tcp *m);
const char *tcp_state_name(enum tcp_state s);
/* Name of one event bit. */
const char *tcp_event_name(enum tcp_event e);

#endif
