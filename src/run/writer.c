/* SPDX-License-Identifier: GPL-3.0-or-later
 * The writer's side of a measurement: records out, brought to the disk once a second, and the
 * status CSV. Knows nothing of packets. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "net/clock.h"
#include "run/measure_int.h"

static bool is_file(const char *output)
{
    return output != NULL && strcmp(output, "-") != 0;
}

int writer_check(const struct measure_options *o, struct rs_err *err)
{
    struct stat st;
    if (!o->resume)
        return 0;
    if (!is_file(o->output))
        return rs_fail(err, RS_EINVAL, "--resume goes on with a file: name it with --output FILE");
    if (stat(o->output, &st) == 0 && !S_ISREG(st.st_mode))
        return rs_fail(err, RS_EINVAL,
                       "--resume: '%.160s' is not a plain file, which could be read back",
                       o->output);
    if (o->pcap_out != NULL)
        return rs_fail(err, RS_EINVAL,
                       "--resume and --pcap-out do not go together: a capture and its arm log are "
                       "of one run; leave one of them out");
    if (o->dryrun)
        return rs_fail(err, RS_EINVAL,
                       "--resume and --dryrun do not go together: a dry run writes no records");
    return 0;
}

static void tell_resumed(const struct measure *m)
{
    char text[400];
    const struct done *d = m->resume.done;
    if (done_cut(d) > 0) {
        snprintf(text, sizeof text,
                 "%.160s ended in a torn record: %llu bytes are cut off, and what they were of is "
                 "measured again",
                 m->o->output, (unsigned long long)done_cut(d));
        m->ui->notice(m->ui->ctx, text);
    }
    snprintf(text, sizeof text, "resuming: %.160s has %llu records", m->o->output,
             (unsigned long long)done_records(d));
    m->ui->notice(m->ui->ctx, text);
}

static int open_output(struct measure *m)
{
    const struct measure_options *o = m->o;
    int rc = output_open(&m->output, o->output, is_file(o->output), m->err);
    if (rc == 0 && is_file(o->output))
        rc = output_take(m->output, !o->resume, m->err);
    if (rc != 0 || !o->resume)
        return rc;
    rc = resume_open(&m->resume, o->output, m->err);
    if (rc == 0)
        tell_resumed(m);
    return rc;
}

int writer_open(struct measure *m)
{
    char header[UPDATES_LINE_BYTES];
    int rc = 0;
    if (m->o->updates != NULL) /* first: a wrong name must not cost the records of an earlier run */
        rc = output_open(&m->updates, m->o->updates, false, m->err);
    if (rc == 0 && m->updates != NULL)
        rc = output_write(m->updates, header, updates_header(header), m->err);
    return rc != 0 ? rc : open_output(m);
}

void measure_record(void *ctx, const char *text, size_t n)
{
    struct measure *m = ctx;
    if (m->failed)
        return;
    if (output_write(m->output, text, n, m->err) != 0)
        measure_fail(m, m->err->text);
    else
        m->records++;
}

/* A status file that cannot be written is no reason to lose records: it is told in the end. */
static void add_update(struct measure *m, const struct measure_progress *p)
{
    char line[UPDATES_LINE_BYTES];
    if (m->updates != NULL)
        output_write(m->updates, line, updates_line(&m->updates_before, p, clock_wall(), line),
                     NULL);
}

void writer_second(struct measure *m, const struct measure_progress *p)
{
    add_update(m, p);
    if (output_sync(m->output, m->err) != 0)
        measure_fail(m, m->err->text);
}

void writer_last(struct measure *m)
{
    struct measure_progress p;
    measure_fill_progress(m, &p);
    add_update(m, &p);
}
