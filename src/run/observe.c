/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/observe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "net/clock.h"
#include "run/flow_ipfix.h"
#include "run/observe_int.h"
#include "run/packets.h"

#define BATCH       1024 /* frames between two looks at the clock */
#define BATCH_BYTES (256u * 1024)
/* A live packet may wait in the ring while we look at the clock: time is let pass this much behind
 * it. */
#define RING_DELAY_NS (INT64_C(200) * 1000000)
#define AGE_EVERY_NS  (100 * RS_MS)

static const struct format {
    const char *name;
    int (*open)(struct observe_writer *w, const struct observe_options *o, struct rs_err *err);
    uint32_t chains;         /* that it cannot do without */
    uint32_t takes;          /* and those that it has room for */
    bool is_text;            /* for terminals, and not for collectors */
    const char *chain_names; /* of `takes`, when these are not all */
} formats[] = {
    {"ndjson", observe_open_ndjson, 0, CHAINS_ALL, true, NULL},
    {"ipfix", observe_open_ipfix, FLOW_IPFIX_CHAINS, FLOW_IPFIX_CHAINS, false, "basic and meter"},
};
#define N_FORMATS (sizeof formats / sizeof formats[0])

/* Packets on their way to the table. The trace takes its bytes back after each packet, so they are
 * copied. */
struct batch {
    size_t n, used; /* items, bytes */
    struct aging_item items[AGING_BATCH];
    uint8_t bytes[BATCH_BYTES];
};

struct observer {
    const struct observe_options *o;
    const struct observe_ui *ui;
    struct trace *trace;
    struct batch *batch;
    struct aging aging;
    struct observe_writer writer;
    bool has_writer, has_aging, has_signals;
    struct sigaction old_actions[2];
    int read_rc;  /* of the reading that came before the output was opened */
    int write_rc; /* of the first write that failed */
    struct rs_err write_err;
    uint64_t frames, records, malformed;
    rs_mono started, next_tick;
    bool limit_reached, is_cut, is_stopped;
};

/* Signals: the handler marks and wakes; what it needs must be global. The second one kills
 * (SA_RESETHAND), should the reader of our output hold us up. */
static volatile sig_atomic_t caught;
static int wake_fd = -1;

static void on_signal(int signo)
{
    int saved = errno;
    const uint64_t one = 1;
    caught = signo;
    if (write(wake_fd, &one, sizeof one) < 0)
        caught = signo; /* the mark will do */
    errno = saved;
}

static int take_signals(struct sigaction old[2], struct rs_err *err)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    caught = 0;
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0)
        return rs_fail_errno(err, errno, "cannot wait for signals");
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, &old[0]);
    sigaction(SIGTERM, &action, &old[1]);
    return 0;
}

static void give_signals_back(const struct sigaction old[2])
{
    sigaction(SIGINT, &old[0], NULL);
    sigaction(SIGTERM, &old[1], NULL);
    close(wake_fd);
    wake_fd = -1;
}

void observe_defaults(struct observe_options *o)
{
    *o = (struct observe_options){
        .format = formats[0].name, .flows_most = 1000000, .idle = 30, .close = 5};
}

static const struct format *find_format(const char *name)
{
    for (size_t i = 0; i < N_FORMATS; i++)
        if (strcmp(formats[i].name, name) == 0)
            return &formats[i];
    return NULL;
}

bool observe_has_format(const char *name, struct rs_err *err)
{
    char known[80] = "";
    if (find_format(name) != NULL)
        return true;
    for (size_t i = 0; i < N_FORMATS; i++) {
        size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", i > 0 ? ", " : "", formats[i].name);
    }
    rs_fail(err, RS_EINVAL, "there is no format '%.40s'; there are: %s", name, known);
    return false;
}

uint32_t observe_format_chains(const char *name)
{
    const struct format *format = find_format(name);
    return format != NULL ? format->chains : 0;
}

static bool is_stdout(const char *output)
{
    return output == NULL || strcmp(output, "-") == 0;
}

static int check_output(const struct format *format, const char *output, struct rs_err *err)
{
    if (is_stdout(output))
        return format->is_text || !isatty(STDOUT_FILENO)
                   ? 0
                   : rs_fail(err, RS_EINVAL,
                             "%s is not for a terminal: --output names a file or a collector "
                             "(tcp:HOST:PORT), or redirect standard output",
                             format->name);
    if (strncmp(output, "udp:", 4) == 0)
        return rs_fail(
            err, RS_EINVAL,
            "--output %.80s: collectors are reached by TCP only: --format ipfix --output "
            "tcp:HOST:PORT (a file of that name: ./%.80s)",
            output, output);
    if (format->is_text && strncmp(output, "tcp:", 4) == 0)
        return rs_fail(err, RS_EINVAL,
                       "--output %.80s: only --format ipfix goes to a collector (a file of that "
                       "name: ./%.80s)",
                       output, output);
    return 0;
}

int observe_check(const struct observe_options *o, struct rs_err *err)
{
    const struct format *format = find_format(o->format);
    if (format == NULL)
        return observe_has_format(o->format, err) ? 0 : -(int)RS_EINVAL;
    for (int c = 0; c < CHAIN_N; c++)
        if (o->chains & ~format->takes & CHAIN_BIT(c))
            return rs_fail(err, RS_EINVAL,
                           "--format %s has %s, and no room for chain %s: leave it out, or take "
                           "another format",
                           format->name, format->chain_names, chain_name((enum chain)c));
    return check_output(format, o->output, err);
}

static void on_ended(void *ctx, const struct flow *f, enum flow_end why)
{
    struct observer *v = ctx;
    if (v->write_rc != 0)
        return;
    v->write_rc = v->writer.flow(v->writer.ctx, f, why, &v->write_err);
    v->records += v->write_rc == 0;
}

static void give_batch(struct observer *v)
{
    aging_packets(&v->aging, v->batch->items, v->batch->n);
    v->batch->n = v->batch->used = 0;
}

static void on_packet(void *ctx, const struct trace_packet *p)
{
    struct observer *v = ctx;
    struct batch *b = v->batch;
    if (b->n == AGING_BATCH || p->ip_captured > BATCH_BYTES - b->used)
        give_batch(v);
    const uint8_t *ip = p->ip;
    bool fits = p->ip_captured <= BATCH_BYTES;
    if (fits)
        ip = memcpy(b->bytes + b->used, ip, p->ip_captured);
    struct aging_item *item = &b->items[b->n];
    if (wire_parse(&item->view, ip, p->ip_captured, WIRE_PARSE_PACKET) != 0) {
        v->malformed++;
        return;
    }
    item->at = p->at;
    b->n++;
    b->used += p->ip_captured;
    if (!fits)
        give_batch(v);
}

static void progress(struct observer *v)
{
    struct trace_stats s = {0};
    if (v->trace != NULL) /* it may still wait for its header */
        trace_stats(v->trace, &s);
    struct observe_progress p = {
        .elapsed = (double)rs_mono_diff(clock_mono(), v->started) / 1e9,
        .frames = s.frames,
        .packets = s.packets,
        .flows = v->aging.stats.flows,
        .open = aging_open(&v->aging),
        .evicted = v->aging.stats.ended[FLOW_END_EVICTED],
        .kernel_dropped = s.kernel_dropped,
        .iface_dropped = s.iface_dropped,
        .records = v->records,
        .output_bytes = v->has_writer ? v->writer.bytes(v->writer.ctx) : 0,
    };
    if (v->ui->progress != NULL)
        v->ui->progress(v->ui->ctx, &p);
}

/* Once a second: what has been seen is told, what has been written goes out. */
static void tick(struct observer *v)
{
    rs_mono now = clock_mono();
    if (!rs_mono_reached(v->next_tick, now))
        return;
    v->next_tick = rs_mono_add(now, RS_SEC);
    if (v->has_writer && v->write_rc == 0)
        v->write_rc = v->writer.flush(v->writer.ctx, &v->write_err);
    progress(v);
}

/* Waits until `fd` (or -1) can be read, a signal came, or `most_ns` have passed. */
static void wait_for(int fd, uint64_t most_ns)
{
    struct pollfd fds[2] = {{.fd = wake_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};
    poll(fds, 2, (int)(most_ns / RS_MS) + 1);
}

static bool wait_for_pipe(void *ctx, int fd)
{
    struct observer *v = ctx;
    give_batch(v);
    wait_for(fd, rs_mono_diff(v->next_tick, clock_mono()));
    tick(v);
    return caught == 0 && v->write_rc == 0;
}

static void pass_time(struct observer *v)
{
    int fd = trace_fd(v->trace);
    wait_for(fd, fd >= 0 ? AGE_EVERY_NS : trace_pause_ns(v->trace));
    aging_advance(&v->aging, (rs_wall){clock_wall().ns - RING_DELAY_NS});
}

/* Frames that the next reading may take; 0: no more. */
static int batch(const struct observer *v)
{
    if (v->o->frames_most == 0)
        return BATCH;
    uint64_t left = v->o->frames_most - v->frames;
    return left < BATCH ? (int)left : BATCH;
}

static int read_all(struct observer *v, struct rs_err *err)
{
    int rc = v->read_rc;
    while (rc >= 0 && caught == 0 && v->write_rc == 0) {
        int budget = batch(v);
        if (budget == 0) {
            v->limit_reached = true;
            return 0;
        }
        rc = trace_read(v->trace, on_packet, v, budget, err);
        give_batch(v);
        v->frames += rc > 0 ? (uint64_t)rc : 0;
        if (rc == 0)
            pass_time(v);
        tick(v);
    }
    return rc == -RS_EEND || rc >= 0 || caught != 0 ? 0 : rc;
}

static void summarize(struct observer *v)
{
    struct observe_facts f = {.aging = &v->aging.stats,
                              .kind = trace_kind(v->trace),
                              .damaged = v->malformed,
                              .flows_most = v->o->flows_most,
                              .flow_bytes = aging_flow_bytes(v->o->chains)};
    trace_stats(v->trace, &f.trace);
    observe_tell(v->ui, &f);
    if (f.aging->lost + f.trace.kernel_dropped + f.trace.iface_dropped + f.trace.no_link +
            f.trace.cut + f.damaged >
        0)
        v->is_cut = true; /* some packets are in no record */
}

/* Opening the output empties it, or adds to it: that must not be what is to be read. */
static bool is_same_file(const char *input, const char *output)
{
    struct stat in, out;
    if (trace_is_uri(input))
        input = strchr(input, ':') + 1;
    int in_rc = strcmp(input, "-") == 0 ? fstat(STDIN_FILENO, &in) : stat(input, &in);
    int out_rc = is_stdout(output) ? fstat(STDOUT_FILENO, &out) : stat(output, &out);
    return in_rc == 0 && out_rc == 0 && S_ISREG(in.st_mode) && in.st_dev == out.st_dev &&
           in.st_ino == out.st_ino;
}

/* Before anything else takes the numbers of standard input and output. */
static int check_files(const struct observe_options *o, struct rs_err *err)
{
    if (strcmp(o->input, "-") == 0 && fcntl(STDIN_FILENO, F_GETFD) < 0)
        return rs_fail(err, RS_ESYS, "standard input is closed: name a file, or redirect one");
    if (is_stdout(o->output) && fcntl(STDOUT_FILENO, F_GETFD) < 0)
        return rs_fail(err, RS_ESYS,
                       "standard output is closed: name a file with --output, or redirect it");
    if (is_same_file(o->input, o->output))
        return rs_fail(err, RS_EINVAL, "%s%.100s would overwrite the input",
                       is_stdout(o->output) ? "standard output" : "--output ",
                       is_stdout(o->output) ? "" : o->output);
    return 0;
}

static int open_table(struct observer *v, struct rs_err *err)
{
    const struct observe_options *o = v->o;
    struct aging_config config = {.chains = o->chains,
                                  .flows_most = (size_t)o->flows_most,
                                  .idle_ns = (uint64_t)(o->idle * 1e9),
                                  .close_ns = (uint64_t)(o->close * 1e9),
                                  .active_ns = (uint64_t)(o->active * 1e9),
                                  .ended = on_ended,
                                  .ctx = v};
    if (getrandom(&config.key, sizeof config.key, GRND_NONBLOCK) != (ssize_t)sizeof config.key)
        config.key.k0 = (uint64_t)clock_wall().ns;
    if (aging_init(&v->aging, &config) != 0)
        return rs_fail(err, RS_ENOMEM, "no memory for a table of %" PRIu64 " flows", o->flows_most);
    v->has_aging = true;
    return 0;
}

/* The input, and the first frame of a file: opening the output empties what an earlier run wrote,
 * which is not to happen for an input that cannot be read. One frame ends no flow yet. */
static int open_input(struct observer *v, struct rs_err *err)
{
    const struct packets_wait wait = {v, wait_for_pipe};
    struct trace_stats s;
    int rc = packets_open(&v->trace, v->o->input, &wait, err);
    if (rc != 0 || trace_is_live(v->trace))
        return rc;
    v->read_rc = trace_read(v->trace, on_packet, v, 1, err);
    give_batch(v);
    v->frames = v->read_rc > 0 ? (uint64_t)v->read_rc : 0;
    trace_stats(v->trace, &s);
    return v->read_rc < 0 && v->read_rc != -RS_EEND && s.frames == 0 ? v->read_rc : 0;
}

static int open_all(struct observer *v, struct rs_err *err)
{
    const struct format *format = find_format(v->o->format);
    int rc = check_files(v->o, err);
    if (rc == 0)
        rc = take_signals(v->old_actions, err);
    v->has_signals = rc == 0;
    if (rc == 0)
        rc = open_table(v, err);
    v->started = clock_mono();
    v->next_tick = rs_mono_add(v->started, RS_SEC);
    if (rc != 0)
        return rc;
    rc = open_input(v, err);
    v->is_stopped = rc != 0 && caught != 0;
    if (rc == 0)
        rc = format != NULL ? format->open(&v->writer, v->o, err) : -(int)RS_EINVAL;
    v->has_writer = rc == 0;
    return rc;
}

static int observe(struct observer *v, struct rs_err *err)
{
    int rc = read_all(v, err);
    struct trace_stats s;
    trace_stats(v->trace, &s);
    aging_flush(&v->aging);
    if (rc != 0 && s.frames == 0)
        return rc;
    if (rc != 0) {
        v->is_cut = true;
        observe_say(v->ui, v->ui->notice, "%s; what comes before it is in the records", err->text);
    }
    summarize(v);
    progress(v);
    return 0;
}

int observe_run(const struct observe_options *o,
                const struct observe_ui *ui,
                enum observe_end *end,
                int *signo,
                struct rs_err *err)
{
    struct observer v = {.o = o, .ui = ui, .batch = malloc(sizeof(struct batch))};
    err->text[0] = '\0';
    caught = 0;
    if (v.batch == NULL)
        return rs_fail(err, RS_ENOMEM, "no memory for packets");
    v.batch->n = v.batch->used = 0;
    int rc = open_all(&v, err);
    if (rc == 0)
        rc = observe(&v, err);
    else if (v.is_stopped) /* while the pipe had brought nothing yet */
        rc = 0;
    trace_close(v.trace);
    if (v.has_writer) {
        struct rs_err late = {""};
        int late_rc = v.writer.close(v.writer.ctx, &late);
        if (rc == 0 && (v.write_rc != 0 || late_rc != 0)) {
            rc = v.write_rc != 0 ? v.write_rc : late_rc;
            *err = v.write_rc != 0 ? v.write_err : late;
        }
    }
    if (v.has_aging)
        aging_free(&v.aging);
    free(v.batch);
    *signo = (int)caught;
    *end = *signo != 0       ? OBSERVE_SIGNAL
           : v.is_cut        ? OBSERVE_LOST
           : v.limit_reached ? OBSERVE_LIMIT
                             : OBSERVE_DONE;
    if (v.has_signals)
        give_signals_back(v.old_actions);
    return rc;
}
