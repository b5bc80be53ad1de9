/* SPDX-License-Identifier: GPL-3.0-or-later
 * vinternet, a virtual Internet: it answers for whole prefixes on one interface, each address with
 * the behaviour of its class. Nothing of src/ is in it. What the files share stands here.
 *
 *   main.c     options, the loop, the counters       link.c     rings, batches, loss, delay
 *   packet.c   parsing, checksums                    control.c  ARP, NDP, ICMP
 *   host.c     TCP as the hosts speak it             handshake.c  SYNs and cookies
 *   segment.c  TCP segments on their way out         flow.c     the table of flows, timers
 *   classes.c  the classes: behaviour and truth      truth.c    --list and --targets
 *
 * No state where it can be had from the packet: a host's first sequence number is a hash of the
 * flow with four bits of what was agreed in the handshake, so that any later segment says by its
 * acknowledgment number how far its connection is, as SYN cookies do. A flow is in the table only
 * while something of it is under way: an answer that is not acknowledged, an echo of CE. Numbers
 * are in host order, times are milliseconds of the monotonic clock. */
#ifndef VINTERNET_H
#define VINTERNET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10, ECE = 0x40, CWR = 0x80 };
#define AE        0x100 /* and the three bits before it are still reserved: */
#define RESERVED  0xe00
#define ECN_FLAGS (AE | CWR | ECE)

enum codepoint { NOT_ECT, ECT1, ECT0, CE };
#define LOST_CP 4 /* in a box's map of codepoints: such packets are dropped */

/* -- packet.c --------------------------------------------------------------------------------- */

#define ETH_BYTES 14

struct packet {
    const uint8_t *frame; /* Ethernet; the bytes are the ring's */
    const uint8_t *ip;    /* ip_len bytes, as its header says */
    uint32_t ip_len;
    const uint8_t *src, *dst; /* 4 or 16 bytes */
    const uint8_t *body;      /* behind the IP header */
    uint32_t body_len;
    bool v6;
    uint8_t proto, tos, ttl;

    /* TCP */
    uint16_t sport, dport, flags, window;
    uint32_t seq, ack;
    const uint8_t *payload;
    uint32_t len;
    bool has_ts, has_sack, has_scale;
    uint8_t scale;
    uint16_t mss; /* 0: no such option */
    uint32_t tsval, tsecr;
};

/* False: not IP, or not whole. check: the checksums of TCP are to be looked at. */
bool packet_parse(struct packet *p, const uint8_t *frame, uint32_t len);
bool packet_parse_tcp(struct packet *p, bool check);

uint16_t get16(const uint8_t *at);
uint32_t get32(const uint8_t *at);
uint8_t *put16(uint8_t *to, uint16_t v);
uint8_t *put32(uint8_t *to, uint32_t v);
/* One's complement sums in the machine's order; fold() gives the two bytes to be copied. */
uint64_t sum(const void *at, size_t len);
uint16_t fold(uint64_t s);
/* Sum of the pseudo header; addr_len is 4 or 16. */
uint64_t pseudo(const uint8_t *src, const uint8_t *dst, size_t addr_len, uint8_t proto, size_t len);

/* Ethernet and IP headers for an answer from `from` to `to`; returns where the body begins. The
 * addresses are 4 or 16 bytes. */
uint8_t *ip_header(uint8_t *frame,
                   bool v6,
                   const uint8_t *mac_to,
                   const uint8_t *from,
                   const uint8_t *to,
                   uint8_t proto,
                   uint8_t tos,
                   uint8_t ttl,
                   size_t body_len);

/* -- link.c ----------------------------------------------------------------------------------- */

#define FRAME_BYTES 2048

struct link_options {
    const char *interface;
    double loss_in, loss_out; /* shares of 1 */
    FILE *loss_log;           /* or NULL: a line for each packet that is lost on purpose */
};

/* False with a message on stderr. */
bool link_open(const struct link_options *options);
/* Waits until there is something to do or wait_ms are over; takes what has come. */
void link_turn(int wait_ms, void (*input)(const uint8_t *frame, uint32_t len, bool csum_ready));
/* A frame to be filled, which link_send() then sends with the others of its batch. */
uint8_t *link_frame(void);
void link_send(size_t len, uint32_t delay_ms);
void link_flush(void);
void link_close(void);
extern uint8_t link_mac[6];

/* -- flow.c ----------------------------------------------------------------------------------- */

enum flow_bits {
    F_KEPT = 1 << 0,      /* is in the table */
    F_STATEFUL = 1 << 1,  /* stays there as long as the connection */
    F_SYN_RCVD = 1 << 2,  /* its SYN/ACK is not acknowledged yet */
    F_ECN = 1 << 3,       /* ECN is agreed, in the eyes of the host */
    F_TS = 1 << 4,        /* timestamps are */
    F_SACK = 1 << 5,      /* only known until the SYN/ACK is out */
    F_LATCHED = 1 << 6,   /* CE came: ECE on all that is sent, until CWR */
    F_CWR_DUE = 1 << 7,   /* the next new segment carries CWR */
    F_REQUESTED = 1 << 8, /* the request is complete */
    F_FIN_SENT = 1 << 9,
    F_FIN_RCVD = 1 << 10,
    F_EMPTY = 1 << 11,    /* the client closed without a request: no answer */
    F_COUNTER = 1 << 12,  /* no connection, only a count of SYNs */
    F_RECOVERY = 1 << 13, /* segments below `high` are being sent again */
    F_PARTIAL = 1 << 14,  /* some of the request has come */
    F_REDUCED = 1 << 15,  /* ECE came; until more than `high` is acknowledged it is no news */
};

struct class;
struct flow {
    /* The key: addresses padded with 0 for IPv4. */
    uint8_t mine[16], theirs[16];
    uint16_t my_port, their_port;
    uint8_t v6, scale;
    uint8_t mac[6]; /* of the client */
    const struct class *class;
    uint32_t iss, irs, snd_una, snd_nxt, rcv_nxt;
    uint32_t high;      /* recovery, or a reduction after ECE, lasts until this is acknowledged */
    uint32_t ts_recent; /* to be echoed */
    uint32_t window;    /* of the client, in bytes */
    uint32_t rtt;       /* ms, of the segment that came last; 0: not known */
    uint32_t tail;      /* the last four bytes of the request so far */
    uint16_t mss, bits;
    uint16_t cwnd; /* in segments */
    uint8_t dupacks, tries, syn_flags, tos;
    /* The table's own. */
    uint32_t hash, next; /* in its chain, or in the list of the free */
    uint32_t slot, later, earlier;
};

bool flow_init(unsigned log2_flows);
struct flow *flow_find(const struct packet *p, uint32_t hash);
/* A copy of *flow in the table, or NULL when that is full. */
struct flow *flow_keep(const struct flow *flow);
void flow_forget(struct flow *flow);
void flow_timer(struct flow *flow, uint32_t after_ms);
void flow_expire(void (*expired)(struct flow *flow));
size_t flow_count(void);
uint32_t flow_hash(const struct packet *p);

/* -- classes.c -------------------------------------------------------------------------------- */

/* What a host makes of the ECN bits of a SYN, and whether it then marks. */
enum host {
    HOST_ECN,         /* RFC 3168, as Linux does it */
    HOST_OFF,         /* no ECN */
    HOST_REFLECT,     /* copies CWR and ECE to the SYN/ACK; no ECN */
    HOST_CWR_ONLY,    /* answers an ECN-setup SYN with CWR alone; no ECN */
    HOST_UNSOLICITED, /* ECE and ECT(0) whether asked or not */
    HOST_MARKS,       /* no ECN, but ECT(0) on all but the SYN/ACK */
    HOST_NO_MARKS,    /* agrees, and sends Not-ECT all the same */
    HOST_COOKIES,     /* HOST_ECN under SYN cookies: needs timestamps to remember it */
};

/* What a box in front of the host does to a packet of some kind. */
enum action { PASS, DROP, RESET_HOST, RESET_PATH, PROHIBIT, CLEAR };

enum class_bits {
    C_STATEFUL = 1 << 0,  /* remembers all of a connection */
    C_FIN_APART = 1 << 1, /* FIN in a segment of its own, as after write() and then close() */
    C_NO_DATA = 1 << 2,   /* closes instead of an answer */
    C_RESET_ECN = 1 << 3, /* RST to the request where ECN was agreed */
    C_REFLECT_TOS = 1 << 4,
    C_SYNACK_TTL = 1 << 5, /* the SYN/ACK comes from a nearer hop: a proxy */
    C_SYNACK_ECT = 1 << 6, /* the SYN/ACK that agrees is ECT(0) itself (RFC 5562) */
};

struct class
{
    const char *name, *about;
    const char *base[6], *details[4]; /* the truth: all base conditions, and some details */
    enum host host;
    enum action ecn_syn, plain_syn, all; /* towards the host */
    uint16_t bits;
    uint8_t syns_lost; /* so many SYNs of a connection get no answer */
    uint16_t delay_ms;
    uint8_t forward[4], reverse[4]; /* codepoint to codepoint on the way */
    uint8_t synack_set;             /* flags that the way back adds to an ECN-setup SYN/ACK */
};

extern const struct class classes[];
extern const unsigned n_classes;
const struct class *class_of(const uint8_t *address, bool v6);
const struct class *class_named(const char *name);
/* Writes the text of address number n (from 0 on) of a class. False: it has not so many. */
bool class_address(unsigned class, bool v6, uint32_t n, char *text, size_t room);

/* -- segment.c, host.c, control.c, truth.c, main.c -------------------------------------------- */

#define HOST_TTL 52 /* 64 and twelve hops */
#define NEAR_TTL 60 /* from a box on the path */

void segment_send(struct flow *f,
                  uint16_t flags,
                  uint32_t seq,
                  const uint8_t *payload,
                  size_t len,
                  enum codepoint cp);
void segment_synack(struct flow *f);
uint32_t segment_clock(const struct flow *f); /* of its timestamps */
/* A RST as RFC 9293 3.10.7.1 has it for a segment without a connection. */
void segment_reset(const struct packet *p, const struct class *class, uint8_t ttl);

bool host_init(size_t body_bytes, uint32_t mtu, uint32_t seed);
void host_input(struct packet *p, const struct class *class);
void host_expired(struct flow *flow);

bool control_input(const struct packet *p); /* true: it was not TCP, and is done */
void control_arp(const uint8_t *frame, uint32_t len);
void control_prohibited(const struct packet *p, const struct class *class);

struct truth_options {
    const char *class; /* or NULL: all */
    uint32_t count, seed;
    int family; /* 4, 6, or 0 for both */
};
int truth_list(void);
int truth_targets(const struct truth_options *options);

#define COUNTERS(X)                                                                                \
    X(rx_packets)                                                                                  \
    X(rx_bytes)                                                                                    \
    X(tx_packets)                                                                                  \
    X(tx_bytes)                                                                                    \
    X(arp)                                                                                         \
    X(ndp)                                                                                         \
    X(icmp)                                                                                        \
    X(syn)                                                                                         \
    X(synack)                                                                                      \
    X(requests)                                                                                    \
    X(done)                                                                                        \
    X(resets)                                                                                      \
    X(stray)                                                                                       \
    X(retransmitted)                                                                               \
    X(lost_in)                                                                                     \
    X(lost_out)                                                                                    \
    X(malformed)                                                                                   \
    X(bad_checksum)                                                                                \
    X(table_full)                                                                                  \
    X(delay_full)                                                                                  \
    X(send_errors)                                                                                 \
    X(kernel_drops)

struct counters {
#define MEMBER(name) uint64_t name;
    COUNTERS(MEMBER)
#undef MEMBER
};
extern struct counters counters;
extern uint32_t now_ms; /* of this turn of the loop */
uint64_t random64(void);

#endif
