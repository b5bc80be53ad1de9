/* SPDX-License-Identifier: GPL-3.0-or-later
 * The state of a measurement, shared by the files that set it up, feed it and run it. */
#ifndef RS_RUN_MEASURE_INT_H
#define RS_RUN_MEASURE_INT_H

#include "craft/craft.h"
#include "io/blocklist.h"
#include "io/input.h"
#include "io/output.h"
#include "net/capture.h"
#include "net/guard.h"
#include "net/iface.h"
#include "net/inject.h"
#include "net/loop.h"
#include "net/pcapout.h"
#include "net/route.h"
#include "run/measure.h"
#include "run/reader.h"

struct measure {
    const struct measure_options *o;
    const struct measure_ui *ui;
    struct iface iface;
    struct input *input;
    struct reader *reader;
    struct output *output, *arm_log;
    struct blocklist *blocklist;
    struct capture *capture;
    struct guard *guard;
    struct inject *inject;
    struct router *router;
    struct loop *loop;
    struct engine *engine;
    struct craft *craft; /* for ARP and NDP */
    struct pcapout *pcap;
    int input_watch; /* -1 none */
    bool interface_lost;
    rs_mono interface_at; /* when it was looked at last */
    struct capture_stats drops;
    rs_mono drops_at, started, next_progress, drain_until, busy_until;
    rs_mono time_limit; /* of -t, while it is to come; else RS_NEVER */
    uint64_t records;
    bool input_ended, limit_reached, lost, stopping, failed;
    bool reads_no_more; /* what was read ahead gets its record at once, whether or not there is room
                         */
    int signo, signals;
    struct rs_err *err; /* of measure_run */
};

/* setup.c */
int measure_open(struct measure *m);
void measure_close(struct measure *m);
/* The interface is down or gone: nothing can be said of any target now. Looks at most every 100 ms.
 */
bool measure_interface_lost(struct measure *m);

/* feed.c */
/* Reads jobs as long as the engine has room. True: there may be more to read as soon as it has. */
bool measure_feed(struct measure *m);
/* See reader_stop. */
void measure_read_no_more(struct measure *m, const char *why);
int measure_dryrun(struct measure *m);
void measure_record(void *ctx, const char *text, size_t n);

/* metadata.c */
int measure_metadata(struct measure *m, struct rs_err *err);
void measure_fill_progress(struct measure *m, struct measure_progress *p);

void measure_fail(struct measure *m, const char *text);

#endif
