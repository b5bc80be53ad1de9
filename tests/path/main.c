/* SPDX-License-Identifier: GPL-3.0-or-later
 * rawspider-path: options, the loop, the report. See path.h. */
#include "path.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

static volatile sig_atomic_t stop, report;

static const char usage[] =
    "usage: rawspider-path --a IFACE --b IFACE [--ab SPEC] [--ba SPEC] [--seed N]\n"
    "A wire between two interfaces. SPEC is what happens on the way from a to b, or back:\n"
    "  loss=PERCENT     dup=PERCENT    reorder=PERCENT (held back until overtaken)\n"
    "  delay=MS         jitter=MS (evenly spread around delay, order kept)\n"
    "  jitter_reorder=1 lets jitter change the order\n"
    "  gap=N            a reordered packet is overtaken by 1 to N others (3)\n"
    "  hold=MS          but waits no longer than this (20)\n"
    "  limit=PACKETS    in the queue at most (50000)\n"
    "SIGUSR1 prints one JSON line a direction; SIGINT and SIGTERM do so and end it.\n";

int64_t path_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool set_one(struct impairment *how, const char *key, double value)
{
    if (!strcmp(key, "loss") && value <= 100)
        how->loss = value / 100;
    else if (!strcmp(key, "dup") && value <= 100)
        how->dup = value / 100;
    else if (!strcmp(key, "reorder") && value <= 100)
        how->reorder = value / 100;
    else if (!strcmp(key, "delay"))
        how->delay_ns = (int64_t)(value * 1e6);
    else if (!strcmp(key, "jitter"))
        how->jitter_ns = (int64_t)(value * 1e6);
    else if (!strcmp(key, "hold"))
        how->hold_ns = (int64_t)(value * 1e6);
    else if (!strcmp(key, "gap") && value >= 1)
        how->gap = (unsigned)value;
    else if (!strcmp(key, "jitter_reorder"))
        how->jitter_reorders = value != 0;
    else if (!strcmp(key, "limit"))
        how->limit = (size_t)value;
    else
        return false;
    return true;
}

static bool parse_spec(struct impairment *how, char *spec)
{
    char *rest = NULL;

    for (char *item = strtok_r(spec, ",", &rest); item; item = strtok_r(NULL, ",", &rest)) {
        char *equals = strchr(item, '='), *end;
        double value;

        if (!equals)
            return false;
        *equals = '\0';
        value = strtod(equals + 1, &end);
        if (end == equals + 1 || *end || !(value >= 0 && value <= 1e6) ||
            !set_one(how, item, value))
            return false;
    }
    return true;
}

static void print_delays(const char *name, const struct delays *d)
{
    printf(",\"%s\":{\"n\":%llu,\"mean\":%.1f,\"min\":%.1f,\"max\":%.1f}", name,
           (unsigned long long)d->n, d->n ? d->sum_ns / (double)d->n / 1e3 : 0,
           (double)d->min_ns / 1e3, (double)d->max_ns / 1e3);
}

static void print_report(struct direction *dir)
{
    const struct counts *c = &dir->counts;
    const struct {
        const char *name;
        uint64_t value;
    } fields[] = {
        {"in", c->in},
        {"control", c->control},
        {"forwarded", c->forwarded},
        {"lost", c->lost},
        {"duplicated", c->duplicated},
        {"reordered", c->reordered},
        {"overtaken", c->overtaken},
        {"queued", impair_queued(dir)},
        {"overflow", c->overflow},
        {"oversize", c->oversize},
        {"unfinished", c->unfinished},
        {"socket_drops", c->socket_drops},
        {"send_errors", c->send_errors},
    };

    printf("{\"dir\":\"%s\"", dir->name);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        printf(",\"%s\":%llu", fields[i].name, (unsigned long long)fields[i].value);
    print_delays("delay_us", &c->delay);
    print_delays("held_us", &c->held);
    printf("}\n");
}

static void print_reports(struct direction dirs[2])
{
    for (int i = 0; i < 2; i++) {
        wire_count_drops(&dirs[i]);
        print_report(&dirs[i]);
    }
    fflush(stdout);
}

static void on_signal(int signal)
{
    if (signal == SIGUSR1)
        report = 1;
    else
        stop = 1;
}

/* Signals come only while ppoll() waits, so none is missed between a look and a wait. */
static void catch_signals(sigset_t *while_waiting)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigset_t ours;

    sigemptyset(&ours);
    for (size_t i = 0; i < 3; i++) {
        int signal = (int[]){SIGINT, SIGTERM, SIGUSR1}[i];

        sigaddset(&ours, signal);
        sigaction(signal, &action, NULL);
    }
    sigprocmask(SIG_BLOCK, &ours, while_waiting);
    for (size_t i = 0; i < 3; i++)
        sigdelset(while_waiting, (int[]){SIGINT, SIGTERM, SIGUSR1}[i]);
}

static int forward(struct direction dirs[2])
{
    sigset_t while_waiting;

    catch_signals(&while_waiting);
    /* Timers to the microsecond, not to the 50 that the kernel allows itself. */
    prctl(PR_SET_TIMERSLACK, 1L, 0L, 0L, 0L);
    fprintf(stderr, "rawspider-path: forwarding %s <-> %s\n", dirs[0].from->name, dirs[0].to->name);
    while (!stop) {
        struct pollfd fds[2] = {{dirs[0].from->fd, POLLIN, 0}, {dirs[1].from->fd, POLLIN, 0}};
        int64_t a = impair_next(&dirs[0]), b = impair_next(&dirs[1]), next = a < b ? a : b;
        int64_t wait = next == PATH_NEVER ? 0 : next - path_now();
        struct timespec timeout = {0};

        if (wait > 0)
            timeout = (struct timespec){wait / 1000000000, wait % 1000000000};
        if (ppoll(fds, 2, next == PATH_NEVER ? NULL : &timeout, &while_waiting) < 0 &&
            errno != EINTR) {
            perror("rawspider-path: ppoll");
            return 1;
        }
        for (int i = 0; i < 2; i++) {
            if (fds[i].revents)
                wire_receive(&dirs[i]);
            impair_release(&dirs[i], path_now());
        }
        if (report) {
            report = 0;
            print_reports(dirs);
        }
    }
    print_reports(dirs);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"a", required_argument, NULL, 'a'},    {"b", required_argument, NULL, 'b'},
        {"ab", required_argument, NULL, '0'},   {"ba", required_argument, NULL, '1'},
        {"seed", required_argument, NULL, 's'}, {NULL, 0, NULL, 0},
    };
    static struct direction dirs[2] = {{.name = "ab"}, {.name = "ba"}};
    static struct wire ends[2];
    const char *names[2] = {NULL, NULL};
    uint64_t seed = 1;

    for (int i = 0; i < 2; i++) {
        dirs[i].how = (struct impairment){.gap = 3, .hold_ns = 20000000, .limit = 50000};
        dirs[i].from = &ends[i];
        dirs[i].to = &ends[!i];
    }
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'a' || c == 'b') {
            names[c - 'a'] = optarg;
        } else if (c == 's') {
            seed = strtoull(optarg, NULL, 0);
        } else if (c == '?' || !parse_spec(&dirs[c - '0'].how, optarg)) {
            fputs(usage, stderr);
            return 2;
        }
    }
    if (!names[0] || !names[1] || optind != argc) {
        fputs(usage, stderr);
        return 2;
    }
    for (int i = 0; i < 2; i++) {
        int err = wire_open(&ends[i], names[i]);

        if (err) {
            fprintf(stderr, "rawspider-path: %s: %s\n", names[i], strerror(-err));
            return 1;
        }
        impair_init(&dirs[i], seed);
    }
    return forward(dirs);
}
