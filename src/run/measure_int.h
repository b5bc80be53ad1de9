/* SPDX-License-Identifier: GPL-3.0-or-later
 * The state of a measurement, shared by the files that set it up, feed it and run it. */
#ifndef RS_RUN_MEASURE_INT_H
#define RS_RUN_MEASURE_INT_H

#include "io/blocklist.h"
#include "io/input.h"
#include "io/output.h"
#include "net/loop.h"
#include "net/pcapout.h"
#include "run/crew.h"
#include "run/measure.h"
#include "run/reader.h"
#include "run/resume.h"
#include "run/updates.h"

struct measure {
    const struct measure_options *o;
    const struct measure_ui *ui;
    struct input *input;
    struct reader *reader;
    struct resume resume;
    struct output *output, *arm_log, *updates;
    struct updates updates_before;
    struct blocklist *blocklist;
    struct crew *crew;
    struct loop *loop;
    struct pcapout *pcap;
    int input_watch;             /* -1 none */
    struct worker_counts counts; /* of the last progress */
    rs_mono started, next_progress, drain_until;
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

/* feed.c */
/* Reads jobs as long as the engine has room. True: there may be more to read as soon as it has. */
bool measure_feed(struct measure *m);
/* See reader_stop. */
void measure_read_no_more(struct measure *m, const char *why);
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
