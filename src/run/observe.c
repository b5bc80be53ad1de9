/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/observe.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
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
    uint32_t chains; /* that it cannot do without */
} formats[] = {
    {"ndjson", observe_open_ndjson, 0},
    {"ipfix", observe_open_ipfix, FLOW_IPFIX_CHAINS},
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
    int write_rc; /* of the first write that failed */
    struct rs_err write_err;
    uint64_t frames, records, malformed;
    rs_mono started, next_tick;
    bool limit_reached, is_cut;
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

int observe_chain(const char *name, uint32_t *chains, struct rs_err *err)
{
    char known[160] = "";
    int c = chain_find(name);
    if (c >= 0) {
        *chains |= CHAIN_BIT(c);
        return 0;
    }
    for (c = 0; c < CHAIN_N; c++) {
        size_t n = strlen(known);
        snprintf(known + n, sizeof known - n, "%s%s", c > 0 ? ", " : "", chain_name((enum chain)c));
    }
    return rs_fail(err, RS_ENOENT, "there is no chain '%.40s'; there are: %s", name, known);
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

void observe_list_chains(void (*line)(void *ctx, const char *text), void *ctx)
{
    char text[512];
    for (int c = 0; c < CHAIN_N; c++) {
        line(ctx, chain_name((enum chain)c));
        for (unsigned i = 0; i < flow_fields_n; i++) {
            const struct flow_field *field = &flow_fields[i];
            if (field->chain != (enum chain)c)
                continue;
            snprintf(text, sizeof text, "  %-24s %-9s %s", field->name, field->unit, field->doc);
            line(ctx, text);
        }
    }
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
        .output_bytes = v->writer.bytes(v->writer.ctx),
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
    if (v->write_rc == 0)
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
    int rc = 0;
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

__attribute__((format(printf, 3, 4))) static void say(const struct observer *v,
                                                      void (*to)(void *ctx, const char *text),
                                                      const char *format,
                                                      ...)
{
    char text[256];
    va_list args;
    if (to == NULL)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    to(v->ui->ctx, text);
}

static void say_what_is_wrong(struct observer *v, const struct trace_stats *s)
{
    const struct aging_stats *a = &v->aging.stats;
    void (*notice)(void *ctx, const char *text) = v->ui->notice;
    uint64_t dropped = s->kernel_dropped + s->iface_dropped;
    if (dropped > 0)
        say(v, notice, "%" PRIu64 " packets were dropped before they could be read", dropped);
    if (a->ended[FLOW_END_EVICTED] > 0)
        say(v, notice,
            "%" PRIu64 " flows were cut short: more than %" PRIu64
            " at once; --flows N makes the table larger",
            a->ended[FLOW_END_EVICTED], v->o->flows_most);
    if (a->lost > 0)
        say(v, notice, "%" PRIu64 " packets were left out: no memory for their flows", a->lost);
    if (a->backwards > 0)
        say(v, notice, "%" PRIu64 " packets are older than one before them", a->backwards);
    if (v->malformed + s->cut > 0)
        say(v, notice, "%" PRIu64 " packets were left out: damaged, or cut off in their headers",
            v->malformed + s->cut);
    if (s->no_link > 0)
        say(v, notice, "%" PRIu64 " frames were left out: of a link type that cannot be read",
            s->no_link);
    if (s->frames > 0 && s->packets == 0)
        say(v, notice, "none of %" PRIu64 " frames carries IP", s->frames);
}

static void summarize(struct observer *v)
{
    const struct aging_stats *a = &v->aging.stats;
    struct trace_stats s;
    trace_stats(v->trace, &s);
    say_what_is_wrong(v, &s);
    say(v, v->ui->detail,
        "%s: %" PRIu64 " frames, %" PRIu64 " without IP; %" PRIu64 " packets, %" PRIu64
        " fragments, %" PRIu64 " bad checksums, %" PRIu64 " ICMP errors of flows",
        trace_kind(v->trace), s.frames, s.no_ip, a->packets, a->fragments, a->bad_checksum,
        a->icmp_errors);
    say(v, v->ui->detail,
        "%" PRIu64 " flows: %" PRIu64 " closed, %" PRIu64 " idle, %" PRIu64 " active, %" PRIu64
        " evicted, %" PRIu64 " at the end; at most %zu at once, %zu bytes each",
        a->flows, a->ended[FLOW_END_CLOSED], a->ended[FLOW_END_IDLE], a->ended[FLOW_END_ACTIVE],
        a->ended[FLOW_END_EVICTED], a->ended[FLOW_END_END], a->open_most,
        aging_flow_bytes(v->o->chains));
    if (a->lost + s.kernel_dropped + s.iface_dropped + s.no_link > 0)
        v->is_cut = true;
}

/* Opening the output empties it: that must not be what is to be read. */
static bool is_same_file(const char *input, const char *output)
{
    struct stat in, out;
    return output != NULL && stat(input, &in) == 0 && stat(output, &out) == 0 &&
           S_ISREG(in.st_mode) && in.st_dev == out.st_dev && in.st_ino == out.st_ino;
}

static int open_all(struct observer *v, struct rs_err *err)
{
    const struct observe_options *o = v->o;
    const struct packets_wait wait = {v, wait_for_pipe};
    struct aging_config config = {.chains = o->chains,
                                  .flows_most = (size_t)o->flows_most,
                                  .idle_ns = (uint64_t)(o->idle * 1e9),
                                  .close_ns = (uint64_t)(o->close * 1e9),
                                  .active_ns = (uint64_t)(o->active * 1e9),
                                  .ended = on_ended,
                                  .ctx = v};
    if (getrandom(&config.key, sizeof config.key, GRND_NONBLOCK) != (ssize_t)sizeof config.key)
        config.key.k0 = (uint64_t)clock_wall().ns;
    const struct format *format = find_format(o->format);
    /* Before anything else takes the numbers of standard input and output. */
    if (strcmp(o->input, "-") == 0 && fcntl(STDIN_FILENO, F_GETFD) < 0)
        return rs_fail(err, RS_ESYS, "standard input is closed: name a file, or redirect one");
    if (is_same_file(o->input, o->output))
        return rs_fail(err, RS_EINVAL, "--output %.100s would overwrite the input", o->output);
    int rc = format != NULL ? format->open(&v->writer, o, err) : -(int)RS_EINVAL;
    v->has_writer = rc == 0;
    if (rc == 0)
        rc = take_signals(v->old_actions, err);
    v->has_signals = v->has_writer && rc == 0;
    if (rc == 0 && aging_init(&v->aging, &config) != 0)
        rc = rs_fail(err, RS_ENOMEM, "no memory for a table of %" PRIu64 " flows", o->flows_most);
    v->has_aging = v->has_signals && rc == 0;
    v->started = clock_mono();
    v->next_tick = rs_mono_add(v->started, RS_SEC);
    return rc != 0 ? rc : packets_open(&v->trace, o->input, &wait, err);
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
        say(v, v->ui->notice, "%s; what comes before it is in the records", err->text);
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
    if (v.batch == NULL)
        return rs_fail(err, RS_ENOMEM, "no memory for packets");
    v.batch->n = v.batch->used = 0;
    int rc = open_all(&v, err);
    if (rc == 0)
        rc = observe(&v, err);
    else if (caught != 0) /* while the pipe had not even brought a header */
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
