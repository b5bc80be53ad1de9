/* SPDX-License-Identifier: GPL-3.0-or-later
 * Handshakes of the hosts: SYNs, what of ECN they agree to, and the cookie that stands for it. A
 * first sequence number is four bits of cookie and 28 of a hash of the flow. */
#include "host.h"

#include <string.h>

#define FIRST_WINDOW 10 /* segments, RFC 6928 */
#define COUNTER_MS   15000u
#define COOKIE_SHIFT 28
#define COOKIE_MASK  ((UINT32_C(1) << COOKIE_SHIFT) - 1)

static uint32_t mtu_bytes, iss_seed;

void handshake_init(uint32_t mtu, uint32_t seed)
{
    mtu_bytes = mtu;
    iss_seed = seed * UINT32_C(0x9e3779b1);
}

static uint32_t hash_of_iss(uint32_t hash)
{
    return (hash ^ iss_seed) & COOKIE_MASK;
}

static uint16_t mss_bound(bool v6, uint16_t offered)
{
    uint16_t ours = (uint16_t)(mtu_bytes - (v6 ? 60 : 40));

    return offered < ours ? offered : ours;
}

/* The MSS in two bits, rounded down. */
static uint32_t mss_to_bits(bool v6, uint16_t mss)
{
    if (mss >= mss_bound(v6, UINT16_MAX))
        return 3;
    return mss >= 1220 ? 2 : mss >= 536 ? 1 : 0;
}

static uint16_t mss_from_bits(bool v6, uint32_t bits)
{
    static const uint16_t few[] = {88, 536, 1220};

    return mss_bound(v6, bits == 3 ? UINT16_MAX : few[bits]);
}

static void fill(struct flow *f, const struct packet *p, const struct class *class, uint32_t hash)
{
    size_t n = p->v6 ? 16 : 4;

    memset(f, 0, sizeof *f);
    memcpy(f->mine, p->dst, n);
    memcpy(f->theirs, p->src, n);
    memcpy(f->mac, p->frame + 6, 6);
    f->v6 = p->v6;
    f->my_port = p->dport;
    f->their_port = p->sport;
    f->class = class;
    f->hash = hash;
    f->cwnd = FIRST_WINDOW;
    f->ts_recent = p->tsval;
    f->bits = p->has_ts ? F_TS : 0;
}

bool handshake_rebuild(struct flow *f,
                       const struct packet *p,
                       const struct class *class,
                       uint32_t hash)
{
    uint32_t iss = hash_of_iss(hash), offset = p->ack - iss, cookie = offset >> COOKIE_SHIFT;

    fill(f, p, class, hash);
    offset &= COOKIE_MASK;
    f->iss = iss + (cookie << COOKIE_SHIFT);
    if (offset == 0 || offset > host_answer_len(f) + 2)
        return false;
    f->bits |= cookie & 1 ? F_ECN : 0;
    f->scale = cookie & 2 ? 7 : 0;
    f->mss = (uint16_t)(mss_from_bits(p->v6, cookie >> 2) - (p->has_ts ? 12 : 0));
    f->snd_una = f->snd_nxt = p->ack;
    f->rcv_nxt = p->seq;
    if (offset == 2)
        f->bits |= F_EMPTY; /* nobody acknowledges one byte */
    if (offset > 1)
        f->bits |= F_REQUESTED;
    if (p->ack == host_end(f) + 1)
        f->bits |= F_FIN_SENT;
    return true;
}

/* -- SYNs --------------------------------------------------------------------------------------
 */

/* Sets what of ECN the SYN/ACK says, and F_ECN where the host will use it. */
static void negotiate(struct flow *f, const struct packet *p)
{
    bool setup = (p->flags & (CWR | ECE)) == (CWR | ECE);
    /* Linux: a SYN that is marked itself is refused, unless one of the bits beside CWR says that a
     * later standard is at work. */
    bool linux_ok = setup && ((p->tos & 3) == NOT_ECT || p->flags & (AE | RESERVED));

    switch (f->class->host) {
    case HOST_ECN:
    case HOST_NO_MARKS:
        f->bits |= linux_ok ? F_ECN : 0;
        break;
    case HOST_COOKIES:
        f->bits |= linux_ok && p->has_ts ? F_ECN : 0;
        break;
    case HOST_UNSOLICITED:
        f->bits |= F_ECN;
        break;
    case HOST_REFLECT:
        f->syn_flags = p->flags & (CWR | ECE);
        break;
    case HOST_CWR_ONLY:
        f->syn_flags = setup ? CWR : 0;
        break;
    case HOST_OFF:
    case HOST_MARKS:
        break;
    }
    if (f->bits & F_ECN)
        f->syn_flags = ECE;
}

/* True: this SYN of its connection is one of those that are lost. */
static bool is_syn_lost(struct flow **f,
                        const struct packet *p,
                        const struct class *class,
                        uint32_t hash)
{
    struct flow made;

    if (!class->syns_lost)
        return false;
    if (*f && !((*f)->bits & F_COUNTER && (*f)->irs == p->seq)) {
        flow_forget(*f);
        *f = NULL;
    }
    if (!*f) {
        fill(&made, p, class, hash);
        made.bits = F_COUNTER;
        made.irs = p->seq;
        *f = flow_keep(&made);
        if (!*f)
            return true;
        flow_timer(*f, COUNTER_MS);
    }
    if ((*f)->tries < class->syns_lost) {
        (*f)->tries++;
        return true;
    }
    return false; /* and the counter stays for SYNs that come again */
}

void handshake_syn(struct flow *f, const struct packet *p, const struct class *class, uint32_t hash)
{
    struct flow made;
    uint16_t mss = p->mss ? p->mss : p->v6 ? 1220 : 536;
    uint32_t cookie;

    counters.syn++;
    if (is_syn_lost(&f, p, class, hash))
        return;
    if (f && f->bits & F_STATEFUL) {
        if (f->bits & F_SYN_RCVD && f->irs == p->seq) {
            segment_synack(f); /* the first SYN decides */
            return;
        }
        if (!(f->bits & (F_SYN_RCVD | F_FIN_SENT))) {
            host_ack(f); /* RFC 5961 4.2: a challenge */
            return;
        }
    }
    if (f && !(f->bits & F_COUNTER))
        flow_forget(f);
    fill(&made, p, class, hash);
    negotiate(&made, p);
    made.bits |= p->has_sack ? F_SACK : 0;
    made.scale = p->has_scale ? 7 : 0;
    cookie = (made.bits & F_ECN ? 1 : 0) | (p->has_scale ? 2 : 0) | mss_to_bits(p->v6, mss) << 2;
    made.iss = hash_of_iss(hash) + (cookie << COOKIE_SHIFT);
    made.irs = p->seq;
    made.rcv_nxt = p->seq + 1;
    made.tos = class->bits & C_REFLECT_TOS ? p->tos & 0xfc : 0;
    if (class->bits & C_SYNACK_ECT && made.bits & F_ECN)
        made.tos |= ECT0;
    segment_synack(&made);
    made.tos &= 0xfc;
    made.snd_una = made.snd_nxt = made.iss + 1;
    if (!(class->bits & C_STATEFUL))
        return;
    made.bits |= F_STATEFUL | F_SYN_RCVD;
    made.scale = p->has_scale ? p->scale : 0;
    made.mss = (uint16_t)(mss_bound(p->v6, mss) - (p->has_ts ? 12 : 0));
    host_settle(&made, true);
}
