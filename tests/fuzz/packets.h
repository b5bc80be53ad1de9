/* SPDX-License-Identifier: GPL-3.0-or-later
 * Packets that a byte script asks for: TCP, UDP and others of both families, both ways, whole, cut
 * and in fragments, and ICMP errors that quote the packet before; or bytes as they stand in the
 * script, which is how the fixtures come in. */
#ifndef RS_TESTS_FUZZ_PACKETS_H
#define RS_TESTS_FUZZ_PACKETS_H

#include <stdbool.h>

#include "base/time.h"
#include "fuzz/fuzz.h"

/* What a capture's reader gives lies between -TIME_MOST and TIME_MOST. */
#define TIME_MOST ((INT64_C(1) << 62) - 1)

struct packet {
    uint8_t *bytes; /* just as many as are captured, so that a read behind them is found; free() */
    size_t n;
    rs_wall at;
    bool reverse, other_way; /* what the script said of it */
};

struct maker {
    struct script_bytes script;
    int64_t now;
    uint32_t next[2]; /* by direction: the next sequence number */
    uint32_t clock;   /* of TCP time stamps */
    uint8_t last[256];
    size_t last_n; /* of the packet before: what an ICMP error quotes */
};

void maker_init(struct maker *m, const uint8_t *script, size_t n);
/* False when the script has ended. */
bool make_packet(struct maker *m, struct packet *p);

#endif
