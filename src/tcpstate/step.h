/* SPDX-License-Identifier: GPL-3.0-or-later
 * Steps: the script of an arm, for what a plain exchange does not do. Pure data, plus a small
 * interpreter that drives one machine. An arm without steps lets its exchange write at once and
 * close at the end. */
#ifndef RS_TCPSTATE_STEP_H
#define RS_TCPSTATE_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "tcpstate/tcp.h"

enum step_kind {
    STEP_WAIT,  /* until every bit of `events` has been seen since this step began, or `timeout_ms`
                 */
    STEP_WRITE, /* release the next `bytes` bytes of the exchange's request (0: the rest) */
    STEP_HOLD_ACK, /* send no ACK of our own accord until STEP_RELEASE_ACK */
    STEP_RELEASE_ACK,
    STEP_WINDOW,  /* announce `value` as the receive window from now on */
    STEP_SEGMENT, /* send one crafted segment now: `flags`, payload = `bytes` bytes at stream offset
                     `value` */
    STEP_SILENT,  /* send nothing for `timeout_ms` */
    STEP_CLOSE,
    STEP_ABORT,
    STEP_N
};

struct step {
    enum step_kind kind;
    uint32_t events; /* STEP_WAIT: bits of enum tcp_event */
    uint32_t bytes;
    uint32_t value;
    uint32_t timeout_ms; /* 0: only the arm's own deadline ends the wait */
    uint16_t flags;      /* STEP_SEGMENT */
};

struct script { /* the state of one run; embed it */
    const struct step *steps;
    uint16_t n, at;
    uint32_t seen;
    uint32_t written;
    rs_mono wait_until;
    bool timed_out; /* a STEP_WAIT ended by its timeout */
};

void script_init(struct script *s, const struct step *steps, uint16_t n);
/* Goes as far as it can; `request` is the whole stream to write from. Call after every turn of the
 * machine with that turn's events. Returns true when the script has ended. */
bool script_run(struct script *s,
                struct tcp *m,
                const uint8_t *request,
                uint32_t request_bytes,
                rs_mono now,
                struct tcp_out *out);
/* RS_NEVER when no timeout runs. */
rs_mono script_next_expiry(const struct script *s);

#endif
