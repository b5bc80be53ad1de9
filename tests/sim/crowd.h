/* SPDX-License-Identifier: GPL-3.0-or-later
 * The engine and as many servers as it has targets, behind one path. The servers keep no state:
 * each packet is answered by itself. Some never answer. Time is virtual. */
#ifndef RS_TESTS_SIM_CROWD_H
#define RS_TESTS_SIM_CROWD_H

#include "run/engine.h"
#include "sim/link.h"

struct crowd_config {
    struct link_config path;
    uint64_t rate, prefix_rate;
    unsigned targets_most;
    unsigned silent;  /* per cent of the targets */
    uint8_t family;   /* 4 or 6 */
    unsigned crowded; /* per cent of the targets lie in one network, that of crowd_address(0) */
    uint64_t seed;
};

struct crowd_sent { /* a packet of the engine */
    rs_mono at;
    bool syn, crowded;
};

struct crowd {
    struct crowd_config c;
    struct engine *e;
    struct craft *craft;
    struct link to, from; /* the two ways */
    rs_mono now, started;
    bool no_room;   /* sending fails */
    uint64_t drops; /* what the capture says that it lost */
    unsigned fed, syns, records, works, sent;
    struct crowd_sent *log; /* of all `sent`; owned */
};

void crowd_init(struct crowd *w, const struct crowd_config *c);
void crowd_free(struct crowd *w);
/* Goes on for so long. */
void crowd_run(struct crowd *w, double seconds);

#endif
