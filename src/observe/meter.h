/* SPDX-License-Identifier: GPL-3.0-or-later
 * What chain meter remembers of one direction of a TCP connection, in bounded space: how far the
 * numbers went, the gaps in them, and one packet whose answer is timed. Not features. */
#ifndef RS_OBSERVE_METER_H
#define RS_OBSERVE_METER_H

#include <stdint.h>

/* Holes that are known one by one; older ones are known together. */
#define METER_GAPS 7

struct meter_gap {      /* [from, to) was jumped over and not seen since */
    uint32_t from, to;  /* not equal */
    uint32_t opened_us; /* when what lies above it came, modulo 2^32 */
    uint32_t tsval;     /* the time stamp of that (RFC 7323); 0: none */
};

/* The gaps that there was no room for, as one region: of [from, to) so many bytes are missing, and
 * nobody remembers which. What comes between its ends counts as missing ones, as long as any are.
 * So bytes that come twice may stand for such as never come; but none that came is called lost. */
struct meter_zone {
    uint32_t missing; /* 0: no region, the rest means nothing */
    uint32_t from, to;
    uint32_t first_us, last_us; /* when the gaps at its ends opened */
    /* The longest pause between two gaps' opening, at such a number: data comes in bursts. */
    uint32_t pause_seq, pause_from_us, pause_us;
    uint32_t first_tsval, last_tsval; /* as of a gap */
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
    /* From a packet's passing here to that of its answer: the part of the RTT on the side that the
     * packet goes to. */
    uint32_t turn_min_us, turn_last_us;
    uint16_t window; /* of the last segment, not scaled */
    uint8_t wscale;
    uint8_t have;                     /* of enum meter_have */
    uint32_t gaps;                    /* of gap[] in use */
    struct meter_zone zone;           /* below the gaps */
    struct meter_gap gap[METER_GAPS]; /* lowest first, which is the order of opening */
};

#endif
