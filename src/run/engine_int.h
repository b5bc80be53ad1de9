/* SPDX-License-Identifier: GPL-3.0-or-later
 * What the files of this folder share: the structs of a target and of a connection in flight. */
#ifndef RS_RUN_ENGINE_INT_H
#define RS_RUN_ENGINE_INT_H

#include "base/list.h"
#include "base/slab.h"
#include "base/wheel.h"
#include "craft/craft.h"
#include "io/record.h"
#include "observe/condition.h"
#include "observe/evidence.h"
#include "observe/table.h"
#include "run/engine.h"
#include "tcpstate/step.h"
#include "tcpstate/tcp.h"

#define CONN_TTL         64u /* what Linux sends */
#define RERUNS_MOST      2u  /* times that a spoilt attempt is made again */
#define RERUNS_OF_TARGET (2u * RERUNS_MOST)
#define RERUN_DELAY      (500 * RS_MS)
#define CLOSE_WAIT_MOST  (2 * RS_SEC) /* for the peer's part of an orderly close */
#define PEER_CLOSE_WAIT                                                                            \
    (50 * RS_MS) /* for the FIN that Connection: close promised: it saves a packet */
#define LATE_BYTES_MOST                                                                            \
    (64u * 1024u) /* that a peer may still send after our close before we reset */
#define NEIGHBOUR_RETRY (20 * RS_MS)
#define DORMANT_STATES  3u
#define PACE_EPOCHS     128u
#define PACE_PREPAID    3u /* packets of an arm: SYN, request, FIN, or SYN, SYN, SYN */

struct held { /* an attempt and its place in its target's history */
    struct held *next;
    struct attempt a; /* the last: of its flow only the plugin's chains are there */
};

enum timer_owner { TIMER_CONN, TIMER_DORMANT, TIMER_TARGET };

struct timer {
    struct wheel_timer wheel;
    enum timer_owner owner;
};

/* One attempt while it runs. From `tcp` on it is plain data that may move: see dormant.c. */
struct conn {
    struct timer timer;
    struct list link; /* in engine.idle, engine.dirty, or engine.ended once it is over */
    struct target *target;
    struct held *held;
    rs_mono idle_since; /* in engine.idle */
    struct tcp tcp;
    struct script script;
    rs_mono deadline;
    rs_mono close_at; /* we close first if the peer has not by then; RS_NEVER: not waiting for it */
    uint32_t late_bytes;
    uint16_t ip_id;
    uint16_t outages; /* engine.outages when it began */
    bool dirty, ended, established, closing, exchange_over, exchange_done;
    bool refused, reset, gave_up, icmp_seen, bad_synack;
    bool borrows;      /* the target's request must stay: see target.borrowers */
    bool spoilt;       /* there was an outage before the exchange was over */
    bool on_time;      /* pacing: its first SYN was answered, and nothing had to be sent again */
    uint8_t prepaid;   /* pacing: packets paid for and not sent yet */
    uint32_t began_us; /* pacing: monotonic, modulo 2^32 */
    int send_errno;    /* of the last packet that did not leave; 0 none */
    uint64_t exchange_state[EXCHANGE_STATE_BYTES / 8];
};

struct plan_step {
    uint8_t arm, port, rerun;
};

struct target {
    struct list link;    /* engine.ready, or alone */
    struct list waiters; /* targets of the same address that wait for this one */
    struct target *addr_next;
    struct timer timer;
    uint64_t line;
    char *text; /* owned: the raw input, and behind it the domain, if it has one */
    uint8_t
        *request; /* owned; the bytes of the exchange, the same for every arm; target_request() */
    uint32_t raw_bytes;
    uint16_t request_bytes;
    uint16_t dport;
    uint8_t borrowers; /* connections that may send bytes of `request` again */
    bool traced, parallel, addr_held, stopping, has_domain;
    bool admitted; /* its network's share is taken for the next arms: see pace_prefix_slot */
    struct wire_addr dip;
    struct wire_addr sip; /* ours; family 0 until there is a route */
    uint8_t mac[6];       /* of the next hop */
    uint32_t flow_label;  /* of IPv6, the same for all its packets */
    uint8_t round, plan_n, plan_at, running, reruns;
    uint16_t ports[COND_ARMS];
    struct held *first; /* attempts that are not dormant, in time order */
    uint8_t n_held;
    rs_wall from, to;
    char *problem;           /* owned; NULL as long as there is none */
    struct plan_step plan[]; /* engine.plan_most */
};

struct pace_epoch {                     /* 50 ms */
    double rate;                        /* packets a second */
    unsigned sent, arms, on_time, late; /* answers of the arms that began in it */
    unsigned answers;                   /* that came in it, to first SYNs ... */
    uint64_t delays_us;                 /* ... and after how long, in sum */
};

struct pace {      /* pace.c, pace_rate.c, pace_prefix.c */
    double rate;   /* packets a second, now */
    double tokens; /* packets */
    rs_mono refilled, hold_until, cut_at;
    rs_wall seen_at; /* the stamp of the last packet of this turn; 0 none */
    bool behind;     /* that was too long ago: the capture fills */
    uint64_t *prefix;
    /* the rate of -r 0 */
    struct pace_epoch epoch[PACE_EPOCHS];
    uint64_t now_no; /* of the epoch that runs */
    rs_mono epoch_end;
    uint64_t drops;
    double delay_us;     /* from a SYN to its answer, running mean */
    bool climbing;       /* doubling still */
    uint64_t step_from;  /* the first epoch at this step of the climb */
    double share;        /* of SYNs answered at the first try, up to this step */
    uint64_t clean_from; /* the first epoch since the last cut */
    double answers, late, own;
    unsigned grown; /* epochs of growth near there */
    double ceiling; /* where loss began last; 0 unknown */
    unsigned trial; /* first or second; 0 none */
    double trial_share, before_trial;
};

struct engine {
    struct engine_config config;
    struct engine_ops ops;
    struct engine_counters counters;
    struct craft *craft;
    struct cond_table *table;
    const char *arm_names[COND_ARMS];
    struct slab targets, conns, helds, reasm;
    struct slab *dormants; /* by size class: see dormant.c */
    unsigned dormant_classes;
    uint32_t **prototypes, *scratch;
    struct flow_table flows;
    struct target **addr_bucket;
    size_t addr_buckets;
    struct wheel wheel;
    struct list
        begun; /* targets under way whose next arm may leave: before those that have not begun */
    struct list ready; /* targets whose next arms may leave */
    struct list idle;  /* connections that wait, the longest first */
    struct list dirty; /* connections that took segments in this turn and may have to answer */
    struct list ended; /* connections that are over and wait for the flush */
    struct record record;
    struct rs_rand rand;
    unsigned in_flight;
    rs_mono turn_at; /* time of the last turn */
    unsigned port_cursor;
    size_t request_bytes;   /* of the requests that exist now */
    struct flow flow_model; /* a new flow of the plugin's chains ... */
    size_t flow_bytes;      /* ... and how much of one an attempt has: see attempt_bytes */
    unsigned plan_most;     /* steps of one round of a target, with reruns */
    uint16_t ip_id;
    bool ecn_arm[COND_ARMS]; /* the rules make an ECN-setup SYN of this arm's SYN */
    uint8_t our_ports[8192]; /* a bit a port that the guard holds */
    double stray_tokens;
    rs_mono stray_at;
    struct pace pace;
    const char *closed; /* why; NULL: not. See engine_close */
    bool called;        /* see call_the_waiting */
    bool draining;      /* see engine_drain */
    bool untidy;        /* see engine_untidy */
    uint16_t outages;   /* see engine_outage; may wrap */
    uint64_t packets;   /* given to ops.tap */
    uint64_t notices;   /* bits of what was told already */
    struct tcp_out out; /* scratch */
};

/* isn.c */
uint32_t isn_for(const struct engine *e, const struct wire_tuple *t, rs_mono now);
uint32_t flow_label_for(const struct engine *e, const struct wire_addr *dst);
uint32_t tsval_offset(const struct engine *e, const struct wire_addr *dst);

/* engine.c */
/* The bytes of the exchange; NULL: no memory for them. */
const uint8_t *target_request(struct engine *e, struct target *t);

/* conn.c */
int conn_start(struct engine *e,
               struct target *t,
               const struct plan_step *step,
               unsigned batch_order,
               rs_mono now);
/* What is acknowledged need not be kept for being sent again; `over`: nor anything else. A request
 * that nobody needs is given up, it can be made again. */
void conn_spares_request(struct engine *e, struct conn *c, bool over);
/* The attempt is not made: its entry in the log says why. */
void conn_never(struct engine *e, struct target *t, const struct plan_step *step, const char *why);
void conn_segment(
    struct engine *e, struct conn *c, const struct received *r, rs_wall at, rs_mono now);
struct tcp_config conn_tcp_config(struct engine *e,
                                  const struct wire_tuple *tuple,
                                  unsigned arm,
                                  rs_mono now);
void conn_emit(struct engine *e, struct conn *c, rs_mono now);
void conn_expire(struct engine *e, struct conn *c, rs_mono now);
void conn_stop(struct engine *e, struct conn *c, enum outcome why, const char *text, rs_mono now);
/* settle.c */
void conn_settle(struct engine *e,
                 struct conn *c,
                 rs_mono now); /* after the flush: judge, log, release */
const struct exchange *conn_exchange(const struct engine *e, const struct conn *c);
void conn_prepare_segment(const struct engine *e,
                          const struct target *t,
                          unsigned arm,
                          uint16_t ip_id,
                          struct wire_segment *s);

/* dormant.c */
int dormant_init(struct engine *e, size_t conns);
void dormant_free(struct engine *e);
/* The connection that owns a flow or a timer, awake; NULL when there is no memory to wake it. */
struct conn *conn_of(struct engine *e, struct timer *owner);
/* A dormant connection that cannot be woken is given up, without a trace. */
void dormant_abandon(struct engine *e, struct timer *owner);
/* It waits now, for a packet or its timer. */
void conn_idles(struct engine *e, struct conn *c, rs_mono now);
/* Puts to sleep what has waited long enough. */
void dormant_turn(struct engine *e, rs_mono now);
void held_insert(struct target *t, struct held *h);

/* target.c */
void target_ready(struct engine *e, struct target *t);
bool target_launch(struct engine *e,
                   struct target *t,
                   rs_mono now); /* true: it may go; false: it waits */
void target_attempt_over(struct engine *e,
                         struct target *t,
                         const struct arm_log *log,
                         rs_mono now);
/* Keeps the first sentence that says why the target cannot be measured. */
void target_problem(struct target *t, const char *text);
void target_finish(struct engine *e, struct target *t);
void target_free(struct engine *e, struct target *t);
struct target *target_find(const struct engine *e, const struct wire_addr *a);
void target_evidence(const struct engine *e, const struct target *t, struct evidence *out);

/* stray.c */
void stray_segment(struct engine *e, const struct wire_view *v, rs_mono now);

/* pace.c */
void pace_init(struct engine *e, rs_mono now);
void pace_refill(struct engine *e, rs_mono now);
bool pace_allows(const struct engine *e, rs_mono now);
rs_mono pace_next(const struct engine *e, rs_mono now);
void pace_started(struct engine *e, struct conn *c);
void pace_packet(struct engine *e, struct conn *c); /* goes out */
void pace_stray(struct engine *e, const struct wire_addr *dst);
void pace_ended(struct engine *e, struct conn *c);
void pace_seen(struct engine *e, rs_wall at); /* comes in */

/* pace_rate.c */
/* The first answer of a connection; late: not to its first SYN. */
void pace_answered(struct engine *e, struct conn *c, bool late, rs_mono now);
/* Data had to be sent again to a peer that is alive. */
void pace_resent(struct engine *e, struct conn *c);

/* pace_prefix.c */
int pace_prefix_init(struct engine *e);
void pace_prefix_free(struct engine *e);
/* Takes a place for the first packets of `arms` arms. When they may leave: now, or later. */
rs_mono pace_prefix_slot(struct engine *e, const struct wire_addr *dst, unsigned arms, rs_mono now);

/* report.c */
void report_target(struct engine *e, struct target *t);
void report_refused(struct engine *e,
                    const struct job *job,
                    const char *condition,
                    const char *problem);
void report_attempt(struct engine *e, const struct target *t, const struct arm_log *log);

/* trace.c: all do nothing unless the target is traced */
void trace_packet(struct engine *e,
                  const struct target *t,
                  const struct arm_log *log,
                  const struct wire_view *v,
                  const char *way,
                  rs_wall at,
                  const struct conn *c);
__attribute__((format(printf, 4, 5))) void trace_note(
    struct engine *e, const struct target *t, const struct arm_log *log, const char *format, ...);
void trace_state(struct engine *e, const struct conn *c, enum tcp_state before);
void trace_events(struct engine *e, const struct conn *c, uint32_t events);
void trace_verdict(struct engine *e, const struct target *t, const struct verdict *v);

void notice_once(struct engine *e, unsigned bit, const char *text);

#endif
