/* SPDX-License-Identifier: GPL-3.0-or-later
 * Out-of-order bytes: a sorted list of blocks from the lent pool that never overlap. Bounded by
 * TCP_REASM_MOST; what does not fit is left to the peer's retransmission. */
#include <string.h>

#include "base/cursor.h"
#include "tcpstate/tcp_int.h"

struct tcp_block { /* the head of a pool block, its bytes behind it */
    struct tcp_block *next;
    uint32_t seq;
    uint32_t n;
    uint8_t bytes[];
};

#define BLOCK_CAP (TCP_REASM_BLOCK - (uint32_t)sizeof(struct tcp_block))

static struct tcp_block *block_get(struct tcp *m, uint32_t seq)
{
    if (m->c.reasm == NULL || m->n_held >= TCP_REASM_MOST)
        return NULL;
    struct tcp_block *b = slab_get(m->c.reasm);
    if (b == NULL)
        return NULL;
    m->n_held++;
    b->seq = seq;
    return b;
}

/* Puts as much as fits behind `before` (NULL: first): into its spare room when it ends at `seq`, or
 * into a new block. Moves *before to where the bytes went. Returns the bytes taken. */
static uint32_t put(
    struct tcp *m, struct tcp_block **before, uint32_t seq, const uint8_t *bytes, uint32_t n)
{
    struct tcp_block *b = *before;
    if (b == NULL || b->seq + b->n != seq || b->n == BLOCK_CAP) {
        struct tcp_block *fresh = block_get(m, seq);
        if (fresh == NULL)
            return 0;
        struct tcp_block **link = b != NULL ? &b->next : &m->held;
        fresh->next = *link;
        *link = fresh;
        *before = b = fresh;
    }
    uint32_t take = n < BLOCK_CAP - b->n ? n : BLOCK_CAP - b->n;
    memcpy(b->bytes + b->n, bytes, take);
    b->n += take;
    return take;
}

bool tcp_hold(struct tcp *m, uint32_t seq, const uint8_t *bytes, uint32_t n)
{
    struct tcp_block *before = NULL;
    m->held_last = seq;
    while (n > 0) {
        struct tcp_block *next = before != NULL ? before->next : m->held;
        uint32_t take;
        if (next != NULL && seq_le(next->seq, seq)) { /* what is there already stays */
            uint32_t end = next->seq + next->n;
            uint32_t have = seq_lt(seq, end) ? end - seq : 0;
            take = have < n ? have : n;
            before = next;
        } else {
            uint32_t gap = next != NULL && next->seq - seq < n ? next->seq - seq : n;
            take = put(m, &before, seq, bytes, gap);
            if (take == 0)
                return false;
        }
        seq += take;
        bytes += take;
        n -= take;
    }
    return true;
}

static void lend(struct tcp *m, struct tcp_block *b)
{
    b->next = m->lent;
    m->lent = b;
}

void tcp_deliver_held(struct tcp *m, struct tcp_out *out)
{
    while (m->held != NULL && seq_le(m->held->seq, m->rcv_nxt)) {
        struct tcp_block *b = m->held;
        uint32_t skip = m->rcv_nxt - b->seq;
        m->held = b->next;
        if (skip < b->n) {
            out->data[out->n_data].bytes = b->bytes + skip;
            out->data[out->n_data].n = b->n - skip;
            out->n_data++;
            m->rcv_nxt += b->n - skip;
        }
        lend(m, b);
    }
}

void tcp_drop_held(struct tcp *m)
{
    while (m->held != NULL) {
        struct tcp_block *b = m->held;
        m->held = b->next;
        lend(m, b);
    }
}

void tcp_reap(struct tcp *m)
{
    while (m->lent != NULL) {
        struct tcp_block *b = m->lent;
        m->lent = b->next;
        m->n_held--;
        slab_put(m->c.reasm, b);
    }
}

/* RFC 2018 4: the first block is the one with the newest segment, then the others. */
size_t tcp_sack_write(const struct tcp *m, uint8_t *out, size_t cap)
{
    size_t most = cap < 4 ? 0 : (cap - 4) / 8, n = 0;
    for (int newest = 1; newest >= 0; newest--) {
        const struct tcp_block *b = m->held;
        while (b != NULL && n < most) {
            uint32_t left = b->seq, right = b->seq + b->n;
            for (b = b->next; b != NULL && b->seq == right; b = b->next)
                right += b->n;
            bool is_newest = seq_le(left, m->held_last) && seq_lt(m->held_last, right);
            if (is_newest != (newest == 1))
                continue;
            put_be32(out + 4 + 8 * n, left);
            put_be32(out + 8 + 8 * n, right);
            n++;
        }
    }
    if (n == 0)
        return 0;
    out[0] = out[1] = TCPOPT_NOP;
    out[2] = TCPOPT_SACK;
    out[3] = (uint8_t)(2 + 8 * n);
    return 4 + 8 * n;
}
