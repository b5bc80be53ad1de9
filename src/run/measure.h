/* SPDX-License-Identifier: GPL-3.0-or-later
 * A measurement: a stream of targets in, a stream of records out, on a real interface. Joins input,
 * blocklist, engine, injector, capture, guard, routes and output around one event loop. Prints
 * nothing: what people are to see goes through struct measure_ui. */
#ifndef RS_RUN_MEASURE_H
#define RS_RUN_MEASURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "run/engine.h"

struct measure_options {        /* strings are borrowed; zero is not a default: measure_defaults */
    const char *interface;      /* NULL: the default route's */
    const char *input, *output; /* NULL or "-": standard input and output */
    bool csv_input, output_flows;
    unsigned targets_most;   /* -w */
    uint64_t rate;           /* -r, packets a second; 0 as fast as the path bears */
    const char *blocklist;   /* NULL: the default; "none": none */
    struct wire_addr source; /* -S; family 0: the kernel's choice */
    bool has_gateway_mac;
    uint8_t gateway_mac[6]; /* -G */
    bool ip_layer;          /* -X */
    bool visible;
    uint64_t max_targets; /* -n; 0 no limit */
    uint16_t port_from, port_to;
    bool has_seed;
    uint64_t seed;
    bool dryrun;
    const char *pcap_out;
    unsigned confirm;
    double confirm_delay, timeout, gap; /* seconds */
    enum engine_order order;
    bool same_flow;
    const char *metadata, *updates, *contact, *vantage; /* updates: the status CSV */
    bool resume; /* `output` is that of an earlier run over the same input: go on with it */
    struct wire_addr trace;
    const struct plugin *plugin;
    const struct exchange *exchange;
};

struct measure_progress {
    uint64_t lines, records;   /* read, written */
    uint64_t resumed;          /* of the lines: an earlier run had written their records */
    uint64_t blocked, invalid; /* of the lines: not measured */
    unsigned in_flight;
    double elapsed; /* seconds */
    uint64_t kernel_dropped, iface_dropped;
    uint64_t sendto_retries;
    const struct engine_counters *counters;
    bool input_ended, limit_reached;
    unsigned ports, ports_taken;
    uint64_t output_bytes;
    size_t table_bytes; /* of the engine, input lines apart; at the end: the most there was */
};

struct measure_ui {
    void *ctx;
    void (*progress)(void *ctx,
                     const struct measure_progress *p); /* once a second, and at the end */
    void (*notice)(void *ctx, const char *text);
    void (*trace)(void *ctx, const char *line);
    void (*packet)(void *ctx, const char *line); /* --dryrun */
};

enum measure_end { MEASURE_DONE, MEASURE_LIMIT, MEASURE_LOST, MEASURE_SIGNAL };

void measure_defaults(struct measure_options *o);
/* Runs to the end of the input, a limit or a signal. 0 and *end (and *signo after MEASURE_SIGNAL),
 * or -RS_E* with the message in `err`: nothing could be started, or the output could not be
 * written. */
int measure_run(const struct measure_options *o,
                const struct measure_ui *ui,
                enum measure_end *end,
                int *signo,
                struct rs_err *err);

#endif
