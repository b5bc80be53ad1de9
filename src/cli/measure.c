/* SPDX-License-Identifier: GPL-3.0-or-later
 * rawspider measure: options in, exit code out; the progress line. */
#include "run/measure.h"
#include "run/updates.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/status.h"

#define NOTICES_MOST 20 /* of one run; the records say all of them */

struct ui {
    struct status status;
    unsigned notices;
    FILE *packets;
    uint64_t last_sent, last_records;
    double last_elapsed;
};

static void on_notice(void *ctx, const char *text)
{
    struct ui *ui = ctx;
    status_clear(&ui->status);
    if (ui->notices < NOTICES_MOST || ui->status.verbose)
        complain("%s", text);
    else if (ui->notices == NOTICES_MOST)
        complain("more messages are left out (-v shows all; each record says its own)");
    ui->notices++;
}

static void on_trace(void *ctx, const char *line)
{
    struct ui *ui = ctx;
    status_clear(&ui->status);
    fprintf(stderr, "%s\n", line);
}

static void on_packet(void *ctx, const char *line)
{
    struct ui *ui = ctx;
    fprintf(ui->packets, "%s\n", line);
}

/* done, rate, in flight, drops, time left (only as far as the jobs read tell). */
static void on_progress(void *ctx, const struct measure_progress *p)
{
    struct ui *ui = ctx;
    double span = p->elapsed - ui->last_elapsed;
    if (!status_wanted(&ui->status))
        return;
    double rate = span > 0 ? (double)(p->records - ui->last_records) / span : 0;
    double pps = span > 0 ? (double)(p->counters->packets_sent - ui->last_sent) / span : 0;
    char left[32] = "";
    if (p->input_ended && p->in_flight > 0 && p->records > 0 && p->elapsed > 0)
        snprintf(left, sizeof left, "; %.0f s left",
                 (double)p->in_flight * p->elapsed / (double)p->records + 0.5);
    status_say(&ui->status, p->elapsed,
               "done %llu (%.0f/s); in flight %u; send %.0f p/s; retransmitted %llu; drops %llu%s",
               (unsigned long long)p->records, rate, p->in_flight, pps,
               (unsigned long long)updates_retransmitted(p->counters),
               (unsigned long long)(p->kernel_dropped + p->iface_dropped), left);
    ui->last_elapsed = p->elapsed;
    ui->last_records = p->records;
    ui->last_sent = p->counters->packets_sent;
}

static int exit_code(enum measure_end end, int signo)
{
    switch (end) {
    case MEASURE_DONE:
        return EXIT_DONE;
    case MEASURE_LIMIT:
        return EXIT_LIMIT;
    case MEASURE_LOST:
        return EXIT_LOST;
    case MEASURE_SIGNAL:
        return 128 + signo;
    }
    return EXIT_FAILED;
}

int command_measure(int argc, char **argv)
{
    struct measure_options o;
    struct ui ui = {.packets = stdout, .status = {.terminal = isatty(STDERR_FILENO)}};
    struct options_ui look = {false, false};
    int code = options_measure(argc, argv, &o, &look);
    if (code >= 0)
        return code;
    ui.status.quiet = look.quiet;
    ui.status.verbose = look.verbose;
    if (!ui.status.quiet && o.contact == NULL && !o.dryrun &&
        (o.blocklist == NULL || strcmp(o.blocklist, "none") != 0))
        complain("no --contact: people who see these packets cannot ask you to stop; consider "
                 "--contact URL-or-mail");
    struct measure_ui hooks = {.ctx = &ui,
                               .progress = on_progress,
                               .notice = on_notice,
                               .trace = on_trace,
                               .packet = on_packet};
    struct rs_err err;
    enum measure_end end;
    int signo = 0;
    int rc = measure_run(&o, &hooks, &end, &signo, &err);
    status_end(&ui.status);
    if (rc == 0 && o.dryrun && fflush(stdout) != 0)
        rc = rs_fail_errno(&err, errno, "cannot write to standard output");
    if (rc != 0) {
        complain("%s", err.text);
        return EXIT_FAILED; /* the command line itself was good */
    }
    return exit_code(end, signo);
}
