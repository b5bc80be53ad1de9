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
                 TCP_EV_ABORTED = 1 << 15, /* tcp_abort, or tcp_close in SYN-SENT */
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
    struct { /* in-order bytes, borrowed from the view's bytes or the pool: use them before the next
                tcp_input, tcp_expire, tcp_output or tcp_release on this machine */
        const uint8_t *bytes;
        uint32_t n;
    } data[TCP_OUT_SPANS];
    uint8_t n_data;
    uint8_t n_segments;
    bool more; /* more segments wait: send these, tcp_out_clear, and call tcp_output again */
    struct wire_segment segment[TCP_OUT_SEGMENTS];
};

#define TCP_FLIGHT 8u /* segments that may be unacknowledged at once (RFC 6928 would allow 10) */

struct tcp_flight { /* a segment that was sent and is not wholly acknowledged */
    uint16_t bytes; /* payload that is still unacknowledged */
    uint16_t ordinal;
    uint8_t tries;
    bool fin; /* the FIN is on it, or is all of it */
};

struct tcp_block; /* out-of-order bytes, reasm.c */

/* The machine. Treat as opaque: the struct is here so that it can be embedded. At most 320 bytes.
 * Names in capitals are those of RFC 9293 3.3.1. */
struct tcp {
    struct tcp_config c;        /* defaults filled in */
    const uint8_t *stream;      /* the first byte written */
    struct tcp_block *held;     /* out of order, by sequence number */
    struct tcp_block *lent;     /* delivered, given back at the next call */
    rs_mono retransmit_at;      /* SYN, data, FIN or window probe */
    rs_mono ack_at;             /* delayed ACK */
    rs_mono timed_at;           /* when timed_seq was sent first; RS_NEVER: nothing is timed */
    rs_mono opened_at;          /* first SYN */
    rs_mono refilled_at;        /* answer budget */
    uint32_t snd_una, snd_nxt;  /* SND.UNA, SND.NXT */
    uint32_t snd_wnd;           /* SND.WND, scaled */
    uint32_t snd_wl1, snd_wl2;  /* SND.WL1, SND.WL2 */
    uint32_t snd_wnd_max;       /* MAX.SND.WND (RFC 5961 5.2) */
    uint32_t written;           /* bytes of the stream that may be sent */
    uint32_t timed_seq;         /* sequence number behind the timed segment */
    uint32_t recover;           /* SND.NXT when the last timeout fired */
    uint32_t cwr_high;          /* SND.NXT when ECE was last acted upon */
    uint32_t rcv_nxt, rcv_edge; /* RCV.NXT, and the highest RCV.NXT + RCV.WND ever announced */
    uint32_t irs;               /* IRS */
    uint32_t ack_sent;          /* Last.ACK.sent (RFC 7323 4.3) */
    uint32_t ts_recent;         /* TS.Recent (RFC 7323 4.3) */
    uint32_t fin_at;            /* sequence number of the peer's FIN, when fin_known */
    uint32_t held_last;         /* start of the newest out-of-order segment: first SACK block */
    uint32_t rst_seq;           /* of the RST that is due */
    uint32_t srtt_us, rttvar_us, rto_us;
    struct tcp_flight flight[TCP_FLIGHT]; /* a ring; the oldest at flight_at starts at SND.UNA */
    uint16_t snd_mss;                     /* payload bytes of a full segment of ours */
    uint16_t ack_ordinal, data_ordinal, rst_ordinal;
    uint8_t state; /* enum tcp_state */
    uint8_t flight_at, flight_n;
    uint8_t cwnd, ssthresh, cwnd_acked; /* segments (RFC 5681) */
    uint8_t snd_wscale;
    uint8_t syns;            /* sent so far */
    uint8_t timeouts;        /* in a row without progress */
    uint8_t backoff;         /* doublings of the timeout */
    uint8_t unacked;         /* full-sized segments since our last ACK */
    uint8_t n_held;          /* blocks out of the pool, held and lent */
    uint8_t far_left;        /* answers left to segments that prove nothing ... */
    uint8_t near_left;       /* ... and to segments near the window (RFC 5961 10) */
    bool opened : 1;         /* tcp_open was called */
    bool closing : 1;        /* tcp_close was called */
    bool fin_sent : 1;       /* our FIN left at least once */
    bool fin_known : 1;      /* a FIN is waiting at fin_at */
    bool ts_on : 1;          /* timestamps negotiated */
    bool sack_on : 1;        /* SACK negotiated */
    bool wscale_on : 1;      /* window scale negotiated */
    bool ecn_on : 1;         /* ECN negotiated */
    bool ecn_echo : 1;       /* a CE mark waits for the peer's CWR */
    bool cwr_due : 1;        /* CWR goes on the next new data */
    bool cwr_given : 1;      /* cwr_high is valid */
    bool recovering : 1;     /* retransmit on every ACK below `recover` */
    bool syn_due : 1;        /* a SYN waits for tcp_output */
    bool retransmit_due : 1; /* the oldest segment in flight waits for tcp_output */
    bool probe_due : 1;      /* a window probe waits for tcp_output */
    bool ack_due : 1;        /* an ACK waits for tcp_output */
    bool rst_due : 1;        /* an RST waits for tcp_output */
    bool rst_acks : 1;       /* ... with an ACK */
    bool refuses : 1;        /* over, but the peer may hold state: strays draw an RST */
    bool hold_ack : 1;       /* STEP_HOLD_ACK */
    bool mute : 1;           /* STEP_SILENT: timers stand still, nothing leaves */
};

_Static_assert(sizeof(struct tcp) <= 320, "a connection in flight is dear");

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
/* Orderly: FIN after what was written, on the last of it where that still waits. In SYN-SENT: as
 * tcp_abort (RFC 9293 3.10.4). */
void tcp_close(struct tcp *m, rs_mono now, struct tcp_out *out);
/* RST now if the peer may hold state (from SYN-SENT: none; a bad SYN/ACK was answered when it
 * came); the machine is over, and answers strays by RST as long as the caller keeps it. Nothing in
 * CLOSED and TIME-WAIT. */
void tcp_abort(struct tcp *m, rs_mono now, struct tcp_out *out);
/* Call when now >= tcp_next_expiry: retransmissions, delayed ACK, give-up. */
void tcp_expire(struct tcp *m, rs_mono now, struct tcp_out *out);
/* What to send now. Segments have class, ordinal, tries, state, seq, ack, flags, window, options,
 * payload, and ecn by RFC 3168 (ECT(0) on new data only); ttl, ip_id, flow label, dscp are left to
 * the caller. */
void tcp_output(struct tcp *m, rs_mono now, struct tcp_out *out);
/* Bytes wait for a gap to be filled: each further segment deserves its own ACK (RFC 5681 4.2).
 * Without a gap, a caller that handles a burst of segments may ask tcp_output once at its end. */
bool tcp_has_gap(const struct tcp *m);
/* All that was written is acknowledged: the caller may take its bytes back, and write no more. */
bool tcp_all_acked(const struct tcp *m);
rs_mono tcp_next_expiry(const struct tcp *m);
enum tcp_state tcp_state(const struct tcp *m);
/* CLOSED after having been open, or TIME-WAIT: nothing more will come of it but the segments that
 * tcp_output still has to say. Kept a while longer, the machine answers a FIN that comes again. */
bool tcp_over(const struct tcp *m);
/* Whether an ICMP error that quotes `seq` (the first sequence number of the quoted segment) can be
 * about something we sent and that is unacknowledged (RFC 5927 4.1); in SYN-SENT only the SYN's. */
bool tcp_quote_plausible(const struct tcp *m, uint32_t seq);
/* Whether `ack` acknowledges something that we sent on this connection, so that its sender saw at
 * least our SYN (RFC 5961 5.2). True also of old duplicates. */
bool tcp_ack_plausible(const struct tcp *m, uint32_t ack);
/* SYNs sent so far; ECN negotiated (RFC 3168 6.1.1). */
unsigned tcp_syns_sent(const struct tcp *m);
bool tcp_ecn_negotiated(const struct tcp *m);
const char *tcp_state_name(enum tcp_state s);
/* Name of one event bit. */
const char *tcp_event_name(enum tcp_event e);

#endif
