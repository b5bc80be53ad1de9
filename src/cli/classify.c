/* SPDX-License-Identifier: GPL-3.0-or-later
 * rawspider classify: conditions from a capture. */
#include "run/classify.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "io/output.h"

static void help(FILE *to)
{
    fputs(
        "usage: rawspider classify [options] PLUGIN FILE\n\n"
        "Gives the conditions of the targets in a capture. For FILE of `rawspider measure "
        "--pcap-out\n"
        "FILE` these are the records of that run, byte for byte, from the packets and the arm log\n"
        "beside them (FILE.arms.ndjson). In any other capture (pcap or pcapng, compressed or not; "
        "-\n"
        "for standard input) the arms are known by their SYN; what packets alone do not tell "
        "becomes\n"
        "measure.incomplete:ARM. `rawspider plugins` lists the plugins.\n\n"
        "  --output FILE    records go there instead of standard output\n"
        "  --output-flows   with flow_results, also where the run had none\n"
        "  --log FILE       the arm log; none: go without one\n"
        "  -q               no notices\n"
        "  -h, --help       this text\n\n"
        "Exit: 0 done; 1 nothing could be read; 2 usage; 4 the capture or its log is damaged or "
        "cut,\n"
        "so that records are missing or incomplete.\n",
        to);
}

struct sink {
    struct output *output;
    const char *name; /* of the output */
    bool quiet;
};

static int on_ready(void *ctx, struct rs_err *err)
{
    struct sink *s = ctx;
    return output_open(&s->output, s->name, false, err);
}

static int on_record(void *ctx, const char *text, size_t n, struct rs_err *err)
{
    struct sink *s = ctx;
    return output_write(s->output, text, n, err);
}

static void on_notice(void *ctx, const char *text)
{
    struct sink *s = ctx;
    if (!s->quiet)
        complain("%s", text);
}

enum { OPTION_OUTPUT = 256, OPTION_FLOWS, OPTION_LOG };

static const struct option long_options[] = {{"output", required_argument, NULL, OPTION_OUTPUT},
                                             {"output-flows", no_argument, NULL, OPTION_FLOWS},
                                             {"log", required_argument, NULL, OPTION_LOG},
                                             {"quiet", no_argument, NULL, 'q'},
                                             {"help", no_argument, NULL, 'h'},
                                             {NULL, 0, NULL, 0}};

/* -1: go on; else the exit code. */
static int options(int argc, char **argv, struct classify_options *o, struct sink *sink)
{
    int c;
    optind = 1;
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":qh", long_options, NULL)) != -1) {
        switch (c) {
        case OPTION_OUTPUT:
            sink->name = optarg;
            break;
        case OPTION_FLOWS:
            o->output_flows = true;
            break;
        case OPTION_LOG:
            o->log = optarg;
            break;
        case 'q':
            sink->quiet = true;
            break;
        case 'h':
            help(stdout);
            return EXIT_DONE;
        default:
            return bad_option(c, argv);
        }
    }
    if (argc - optind != 2) {
        complain("classify takes a plugin and a capture file: rawspider classify ecn FILE");
        return EXIT_USAGE;
    }
    o->plugin = plugin_find(argv[optind]);
    o->file = argv[optind + 1];
    if (o->plugin != NULL)
        return -1;
    complain("there is no plugin '%s'; rawspider plugins lists them", argv[optind]);
    return EXIT_USAGE;
}

int command_classify(int argc, char **argv)
{
    struct classify_options o = {0};
    struct classify_result result = {0};
    struct sink sink = {0};
    struct rs_err err;
    int code = options(argc, argv, &o, &sink);
    if (code >= 0)
        return code;
    if (classify_would_empty(&o, sink.name)) {
        complain("--output %s would empty what is to be read", sink.name);
        return EXIT_USAGE;
    }
    const struct classify_sink hooks = {
        .ctx = &sink, .ready = on_ready, .record = on_record, .notice = on_notice};
    int rc = classify_run(&o, &hooks, &result, &err);
    struct rs_err late;
    int late_rc = output_close(sink.output, &late);
    if (rc != 0 || late_rc != 0) {
        complain("%s", rc != 0 ? err.text : late.text);
        return EXIT_FAILED;
    }
    return result.damaged ? EXIT_LOST : EXIT_DONE;
}
