/* SPDX-License-Identifier: GPL-3.0-or-later
 * Private to tcpstate: what its files share. Nothing outside this folder includes it, but for the
 * unit tests of the dispatch tables. */
#ifndef RS_TCPSTATE_TCP_INT_H
#define RS_TCPSTATE_TCP_INT_H

#include "base/err.h"
#include "tcpstate/tcp.h"
#include "wire/options.h"

#define TCP_ACK_DELAY    (40 * RS_MS)
#define TCP_RTO_FIRST_US 1000000u  /* RFC 6298 2.1 */
#define TCP_RTO_LEAST_US 200000u   /* as Linux; RFC 6298 2.4 would have 1 s */
#define TCP_RTO_MOST_US  60000000u /* RFC 6298 2.5 */
#define TCP_MSS_OURS     1460u
#define TCP_MSS_DEFAULT  536u /* RFC 9293 3.7.1: of a peer that announces none */
#define TCP_MSS_LEAST    48u  /* a smaller one only serves to make us send many packets */
#define TCP_WINDOW_OURS  64240u
#define TCP_WSCALE_MOST  14u /* RFC 7323 2.3 */
#define TCP_STREAM_MOST  (1u << 30)
#define TCP_ANSWERS      10u /* RFC 5961 7: 10 challenge ACKs in 5 seconds */
#define TCP_ANSWER_EVERY (500 * RS_MS)

/* Sequence numbers wrap (RFC 9293 3.4). */
static inline bool seq_lt(uint32_t a, uint32_t b)
{
    return a != b && b - a < UINT32_C(0x80000000);
}

static inline bool seq_le(uint32_t a, uint32_t b)
{
    return a == b || seq_lt(a, b);
}

struct arrival { /* a segment under examination */
    const struct wire_view *view;
    struct wire_options options;
    uint32_t seq; /* of the first byte at `bytes` */
    const uint8_t *bytes;
    uint32_t n;
    bool fin; /* FIN directly behind the bytes */
    rs_mono now;
    struct tcp_out *out;
};

enum verdict { GO_ON, DONE, DROP };

typedef enum verdict (*tcp_segment_fn)(struct tcp *m, struct arrival *a);
typedef void (*tcp_turn_fn)(struct tcp *m, rs_mono now, struct tcp_out *out);

/* One row a state, no row empty (the unit tests look). */
extern const tcp_segment_fn tcp_on_segment[TCP_NSTATES]; /* SEGMENT ARRIVES, RFC 9293 3.10.7 */
extern const tcp_segment_fn tcp_on_text[TCP_NSTATES];    /* 3.10.7.4, step 7 */
extern const tcp_turn_fn tcp_on_peer_fin[TCP_NSTATES];   /* 3.10.7.4, step 8 */
extern const tcp_turn_fn tcp_on_fin_acked[TCP_NSTATES];  /* 3.10.7.4, step 5: of our FIN */
extern const tcp_turn_fn tcp_on_close[TCP_NSTATES];      /* CLOSE, 3.10.4 */
extern const tcp_turn_fn tcp_on_timeout[TCP_NSTATES]; /* USER and RETRANSMISSION TIMEOUT, 3.10.8 */
extern const tcp_turn_fn tcp_on_output[TCP_NSTATES];

/* tcp.c */
void tcp_enter(struct tcp *m, enum tcp_state state);  /* CLOSED and TIME-WAIT stop the timers */
void tcp_give_up(struct tcp *m, struct tcp_out *out); /* RST, GAVE_UP, CLOSED */
void tcp_rst(struct tcp *m, uint32_t seq, bool with_ack);
uint64_t tcp_rto_ns(const struct tcp *m); /* with backoff */
uint32_t tcp_tsval(const struct tcp *m, rs_mono now);

/* synsent.c */
enum verdict tcp_closed_segment(struct tcp *m, struct arrival *a);
enum verdict tcp_syn_sent_segment(struct tcp *m, struct arrival *a);

/* input.c */
/* Whether one more answer to an unacceptable segment may leave now; takes it from the budget. */
bool tcp_may_answer(struct tcp *m, bool near_window, rs_mono now);
/* Steps 7 and 8 of 3.10.7.4 for what is left of the segment. */
void tcp_text_and_fin(struct tcp *m, struct arrival *a);

/* ack.c */
void tcp_take_ack(struct tcp *m, struct arrival *a);
void tcp_rtt_sample(struct tcp *m, uint64_t rtt_us);
struct tcp_flight *tcp_flight_get(struct tcp *m, unsigned i); /* 0 = the oldest */
bool tcp_data_in_flight(const struct tcp *m);

/* reasm.c */
/* Keeps bytes beyond RCV.NXT; false when not all could be kept. */
bool tcp_hold(struct tcp *m, uint32_t seq, const uint8_t *bytes, uint32_t n);
/* Delivers what is held and now in order; RCV.NXT moves. */
void tcp_deliver_held(struct tcp *m, struct tcp_out *out);
void tcp_drop_held(struct tcp *m); /* held becomes lent: spans stay readable */
void tcp_reap(struct tcp *m);      /* gives lent blocks back */
/* Writes a SACK option for what is held, at most `cap` bytes, 0 when nothing is (RFC 2018 4). */
size_t tcp_sack_write(const struct tcp *m, uint8_t *out, size_t cap);

/* output.c */
/* STEP_SEGMENT: one segment out of order; data that starts at SND.NXT becomes part of the stream.
 * False when `out` is full. */
bool tcp_craft(struct tcp *m,
               uint16_t flags,
               uint32_t offset,
               const uint8_t *bytes,
               uint32_t n,
               rs_mono now,
               struct tcp_out *out);

/* ecn.c */
void tcp_ecn_negotiate(struct tcp *m, uint16_t synack_flags);
void tcp_ecn_received(struct tcp *m, const struct arrival *a);
void tcp_ecn_acked(struct tcp *m, const struct arrival *a, bool was_in_flight);
void tcp_ecn_loss(struct tcp *m);
/* Sets flags and codepoint of a segment that is about to leave. */
void tcp_ecn_mark(struct tcp *m, struct wire_segment *s, bool new_data);

#endif
