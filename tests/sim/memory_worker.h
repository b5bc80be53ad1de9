/* SPDX-License-Identifier: GPL-3.0-or-later
 * A worker whose network is memory: an engine with its servers, for crews without an interface. */
#ifndef RS_TESTS_SIM_MEMORY_WORKER_H
#define RS_TESTS_SIM_MEMORY_WORKER_H

#include "run/worker.h"
#include "sim/servers.h"

struct memory_options {
    unsigned in_flight; /* of all workers */
    uint64_t delay_ns;  /* of the servers */
    enum servers_silence silence;
};

extern const struct worker_kind worker_of_memory; /* ctx: struct memory_options */

#endif
