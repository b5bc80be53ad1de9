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
#include "run/outage.h"
#include "run/resume.h"
#include "run/updates.h"

struct measure {
    const struct measure_options *o;
    const struct measure_ui *ui;
    struct iface iface;
    struct input *input;
    struct resume resume;
    struct output *output, *arm_log, *updates;
    struct updates updates_before;
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
    struct outage outage;
    uint64_t outages; /* router_outages, as far as the engine was told */
    struct capture_stats drops;
    rs_mono drops_at, started, next_progress, drain_until, busy_until;
    uint64_t lines, records, blocked, invalid, jobs;
    bool input_ended, limit_reached, lost, stopping, failed;
    int signo, signals;
    struct rs_err *err; /* of measure_run */
};

/* measure.c */
/* Takes the kernel's news of routes, addresses and links, and passes on what they mean. */
void measure_news(struct measure *m);

/* setup.c */
int measure_open(struct measure *m);
void measure_close(struct measure *m);

/* feed.c */
/* Reads jobs as long as the engine has room. True: there may be more to read as soon as it has. */
bool measure_feed(struct measure *m);
int measure_dryrun(struct measure *m);
void measure_record(void *ctx, const char *text, size_t n);

/* writer.c: output, its way to the disk, and the status CSV */
/* Whether the outputs that were asked for go together. 0 or -RS_EINVAL. */
int writer_check(const struct measure_options *o, struct rs_err *err);
/* Opens them; an output that is resumed is read back and mended first. */
int writer_open(struct measure *m);
/* Once a second, with the counters of now. */
void writer_second(struct measure *m, const struct measure_progress *p);
/* The last line of the status CSV. */
void writer_last(struct measure *m);

/* metadata.c */
int measure_metadata(struct measure *m, struct rs_err *err);
void measure_fill_progress(struct measure *m, struct measure_progress *p);

void measure_fail(struct measure *m, const char *text);

#endif
