/* SPDX-License-Identifier: GPL-3.0-or-later
 * rawspider observe: options in, exit code out; the progress line. */
#include "run/observe.h"

#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/status.h"

struct ui {
    struct status status;
    uint64_t last_packets;
    double last_elapsed;
};

static void on_notice(void *ctx, const char *text)
{
    struct ui *ui = ctx;
    status_clear(&ui->status);
    complain("%s", text);
}

static void on_detail(void *ctx, const char *text)
{
    struct ui *ui = ctx;
    status_clear(&ui->status);
    if (ui->status.verbose)
        fprintf(stderr, "%s\n", text);
}

static void on_progress(void *ctx, const struct observe_progress *p)
{
    struct ui *ui = ctx;
    double span = p->elapsed - ui->last_elapsed;
    if (!status_wanted(&ui->status))
        return;
    double rate = span > 0 ? (double)(p->packets - ui->last_packets) / span : 0;
    status_say(
        &ui->status, p->elapsed,
        "packets %llu (%.0f/s); flows %llu (%llu open); evicted %llu; drops %llu; records %llu",
        (unsigned long long)p->packets, rate, (unsigned long long)p->flows,
        (unsigned long long)p->open, (unsigned long long)p->evicted,
        (unsigned long long)(p->kernel_dropped + p->iface_dropped), (unsigned long long)p->records);
    ui->last_elapsed = p->elapsed;
    ui->last_packets = p->packets;
}

static void put_line(void *ctx, const char *text)
{
    (void)ctx;
    puts(text);
}

static int list_chains(void)
{
    observe_list_chains(put_line, NULL);
    if (fflush(stdout) == 0)
        return EXIT_DONE;
    complain("cannot write to standard output: %s", strerror(errno));
    return EXIT_FAILED;
}

enum { LIST_CHAINS = 256, OUTPUT, FORMAT, FLOWS, IDLE, ACTIVE, CLOSE };

static const struct option longs[] = {{"interface", required_argument, NULL, 'i'},
                                      {"list-chains", no_argument, NULL, LIST_CHAINS},
                                      {"output", required_argument, NULL, OUTPUT},
                                      {"format", required_argument, NULL, FORMAT},
                                      {"flows", required_argument, NULL, FLOWS},
                                      {"idle", required_argument, NULL, IDLE},
                                      {"active", required_argument, NULL, ACTIVE},
                                      {"close", required_argument, NULL, CLOSE},
                                      {"max-packets", required_argument, NULL, 'n'},
                                      {"quiet", no_argument, NULL, 'q'},
                                      {"verbose", no_argument, NULL, 'v'},
                                      {"help", no_argument, NULL, 'h'},
                                      {NULL, 0, NULL, 0}};

static int help(void)
{
    fputs(
        "usage: rawspider observe [-i IFACE|FILE|URI] [options] CHAIN... > flows.ndjson\n\n"
        "Watches packets that others exchange, and writes a record for each flow with what the "
        "chains draw from it.\n"
        "Nothing is sent. Only a live interface needs CAP_NET_RAW.\n\n"
        "  -i, --interface WHAT   an interface; a capture file (pcap, pcapng; gzip, bzip2, xz); - "
        "or nothing: standard\n"
        "                         input; or a URI of libtrace: pcapfile: erf: int: ring: ...\n"
        "      --list-chains      what every record has, the chains, their fields, types, units "
        "and "
        "meanings\n"
        "      --output FILE      records; default standard output; with ipfix also a collector: "
        "tcp:HOST[:PORT] (4739)\n"
        "      --format FORMAT    of the records: ndjson, or ipfix: basic and meter, named or not, "
        "and no other chain\n"
        "      --flows N          flows at once (1000000); then the one longest unheard of goes\n"
        "      --idle S           a flow ends when nothing came for S seconds (30)\n"
        "      --close S          or S seconds after both FINs were acknowledged, or an RST (5)\n"
        "      --active S         or when it has lasted S seconds (no limit)\n"
        "  -n, --max-packets N    read no more than N frames (exit code 3)\n"
        "  -q, --quiet            no progress line\n"
        "  -v, --verbose          progress also without a terminal, counters at the end\n\n"
        "Exit: 0 done; 1 nothing could be read, or not all written; 2 usage; 3 stopped by -n; 4 "
        "the input was cut or\n"
        "damaged, or packets were lost; 130, 143 by a signal (all flows are written first).\n",
        stdout);
    return EXIT_DONE;
}

static bool number(const char *text, uint64_t most, uint64_t *out)
{
    char *end;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    *out = v;
    return text[0] >= '0' && text[0] <= '9' && errno == 0 && *end == '\0' && v >= 1 && v <= most;
}

static bool seconds(const char *text, double least, double *out)
{
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0' && *out >= least && *out <= 1e9;
}

/* NULL: taken. Otherwise what the option takes. */
static const char *set(struct observe_options *o, struct ui *ui, int c)
{
    switch (c) {
    case 'i':
        o->input = optarg;
        return optarg[0] != '\0' ? NULL : "an interface, a file or a URI";
    case OUTPUT:
        o->output = optarg;
        return optarg[0] != '\0' ? NULL : "a file, or a collector";
    case FORMAT:
        o->format = optarg;
        return NULL;
    case FLOWS:
        return number(optarg, 1000000000, &o->flows_most) ? NULL : "a number from 1 to 1000000000";
    case 'n':
        return number(optarg, UINT64_MAX / 2, &o->frames_most) ? NULL : "a number from 1";
    case IDLE:
        return seconds(optarg, 0.001, &o->idle) ? NULL : "seconds, from 0.001";
    case CLOSE:
        return seconds(optarg, 0, &o->close) ? NULL : "seconds, from 0";
    case ACTIVE:
        return seconds(optarg, 0, &o->active) ? NULL : "seconds; 0: no limit";
    case 'q':
        ui->status.quiet = true;
        return NULL;
    default:
        ui->status.verbose = true;
        return NULL;
    }
}

static const char *option_name(int c)
{
    for (size_t i = 0; longs[i].name != NULL; i++)
        if (longs[i].val == c)
            return longs[i].name;
    return "?";
}

/* Guesses what was meant. */
static int no_chain(const char *word, const struct rs_err *err)
{
    if (access(word, F_OK) == 0 || if_nametoindex(word) != 0)
        complain("%s; to read '%s': -i %s", err->text, word, word);
    else if (strchr(word, ',') != NULL)
        complain("%s; blanks separate them: basic tcp", err->text);
    else
        complain("%s", err->text);
    return EXIT_USAGE;
}

/* What stands behind the options, and what to read. -1: go on. */
static int choose(int argc, char **argv, struct observe_options *o)
{
    struct rs_err err;
    if (!observe_has_format(o->format, &err)) {
        complain("%s", err.text);
        return EXIT_USAGE;
    }
    for (; optind < argc; optind++)
        if (observe_chain(argv[optind], &o->chains, &err) != 0)
            return no_chain(argv[optind], &err);
    if (observe_check(o, &err) != 0) {
        complain("%s", err.text);
        return EXIT_USAGE;
    }
    o->chains |= observe_format_chains(o->format);
    if (o->chains == 0) {
        complain("which chains? rawspider observe --list-chains tells; for example: basic tcp ecn");
        return EXIT_USAGE;
    }
    if (o->input == NULL && isatty(STDIN_FILENO)) {
        complain("what to read? -i names an interface, a capture file or a trace URI; or redirect "
                 "standard input");
        return EXIT_USAGE;
    }
    if (o->input == NULL)
        o->input = "-";
    return -1;
}

static int options(int argc, char **argv, struct observe_options *o, struct ui *ui)
{
    int c;
    observe_defaults(o);
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":i:n:qvh", longs, NULL)) != -1) {
        if (c == 'h')
            return help();
        if (c == LIST_CHAINS)
            return list_chains();
        if (c == '?' || c == ':')
            return bad_option(c, argv);
        if (c == 'i' && o->input != NULL) {
            complain("-i is there twice, '%s' and '%s': only one of them can be read", o->input,
                     optarg);
            return EXIT_USAGE;
        }
        const char *takes = set(o, ui, c);
        if (takes != NULL) {
            complain("--%s: '%s' is not what it takes: %s", option_name(c), optarg, takes);
            return EXIT_USAGE;
        }
    }
    return choose(argc, argv, o);
}

static int exit_code(enum observe_end end, int signo)
{
    switch (end) {
    case OBSERVE_DONE:
        return EXIT_DONE;
    case OBSERVE_LIMIT:
        return EXIT_LIMIT;
    case OBSERVE_LOST:
        return EXIT_LOST;
    case OBSERVE_SIGNAL:
        return 128 + signo;
    }
    return EXIT_FAILED;
}

int command_observe(int argc, char **argv)
{
    struct observe_options o;
    struct ui ui = {.status = {.terminal = isatty(STDERR_FILENO)}};
    int code = options(argc, argv, &o, &ui);
    if (code >= 0)
        return code;
    struct observe_ui hooks = {
        .ctx = &ui, .progress = on_progress, .notice = on_notice, .detail = on_detail};
    struct rs_err err;
    enum observe_end end;
    int signo = 0;
    int rc = observe_run(&o, &hooks, &end, &signo, &err);
    status_end(&ui.status);
    if (rc != 0) {
        complain("%s", err.text);
        return EXIT_FAILED;
    }
    return exit_code(end, signo);
}
