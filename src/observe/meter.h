/* SPDX-License-Identifier: GPL-3.0-or-later
 * What chain meter remembers of one direction of a TCP connection, in bounded space: how far the
 * numbers went, a few gaps in them, and one packet whose answer is timed. Not features. */
#ifndef RS_OBSERVE_METER_H
#define RS_OBSERVE_METER_H

#include <stdint.h>

/* More holes than this at a time, and the oldest is taken for lost for good. */
#define METER_GAPS 3

struct meter_gap { /* [from, to) was jumped over and not seen since; empty where both are equal */
    uint32_t from, to;
};

enum meter_have {
    METER_ACK = 1 << 0,         /* ack */
    METER_TSVAL = 1 << 1,       /* tsval */
    METER_WSCALE = 1 << 2,      /* the last SYN had the option */
    METER_PROBE = 1 << 3,       /* a segment that an ACK must answer is timed */
    METER_PROBE_STAMP = 1 << 4, /* a pure ACK is timed, by its time stamp */
    METER_PROBE_TWICE = 1 << 5, /* bytes up to probe_end were sent again */
    METER_TURN_MIN = 1 << 6,
    METER_TURN_LAST = 1 << 7
};

struct meter_side {
    int64_t probe_at;     /* ns, wall clock of the capture */
    uint64_t rwin_sum;    /* bytes */
    uint32_t rwin_n;      /* windows in it */
    uint32_t probe_end;   /* sequence number behind the timed segment */
    uint32_t probe_tsval; /* its time stamp */
    uint32_t tsval;       /* newest time stamp seen (RFC 7323) */
    uint32_t ack;         /* highest acknowledgement */
    uint32_t jump_us;     /* when the newest gap opened, modulo 2^32 */
    /* From a packet's passing here to that of its answer: the part of the RTT on the side that the
     * packet goes to. */
    uint32_t turn_min_us, turn_last_us;
    struct meter_gap gap[METER_GAPS]; /* newest first */
    uint16_t window;                  /* of the last segment, not scaled */
    uint8_t wscale;
    uint8_t have; /* of enum meter_have */
};

#endif
