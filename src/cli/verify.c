/* SPDX-License-Identifier: GPL-3.0-or-later
 * rawspider verify: options in, TAP and exit code out. */
#include "run/verify.h"

#include <getopt.h>
#include <stdio.h>

#include "cli/commands.h"

static int usage(void)
{
    puts(
        "usage: rawspider verify [options] DIR [NAME]\n\n"
        "Classifies or observes each capture below DIR again (.pcap, .pcapng, .cap; also .gz, "
        ".bz2, .xz) and\n"
        "compares what comes of it with its expectation: that of x.pcap or x.pcapng.gz is x.expect "
        "beside it. Prints\n"
        "TAP. With a NAME only those with it in their name. DIR may be one capture.\n\n"
        "  --filter NAME   the same\n"
        "  --update        write the expectations that are not met anew, from what came\n"
        "  --run WORDS     with --update: what to run for captures without an expectation,\n"
        "                  'classify PLUGIN' or 'observe CHAIN...'\n"
        "  --unreached     in the end, list the conditions of all plugins that no fixture "
        "reached\n\n"
        "An expectation is lines of JSON:\n\n"
        "  {\"about\":\"what it shows\",\"run\":[\"classify\",\"ecn\"]}\n"
        "  {\"dip\":\"198.51.100.80\",\"dp\":80,\"conditions\":[\"ecn.connectivity.works\"]}\n\n"
        "then one for each record. It needs dip; this, and dp, of flows also sip, sp and proto, if "
        "it names them,\n"
        "tell which record is meant: the first that fits. Members that it does not name are not "
        "compared.\n"
        "Exit code: 0 all passed, 1 not all (or something was not reached), 2 usage.");
    return EXIT_DONE;
}

static void print(void *ctx, const char *line)
{
    fprintf(ctx, "%s\n", line);
}

static int run(const struct verify_options *o)
{
    struct verify_counts counts;
    struct rs_err err = {""};
    int rc = verify_run(o, print, stdout, &counts, &err);
    if (rc != 0) {
        complain("%s", err.text);
        return EXIT_FAILED;
    }
    printf("# %u fixture%s, %u failed", counts.fixtures, counts.fixtures == 1 ? "" : "s",
           counts.failed);
    if (o->update)
        printf(", %u expectation%s written", counts.updated, counts.updated == 1 ? "" : "s");
    if (o->unreached)
        printf("; %u of %u conditions not reached", counts.unreached, counts.rows);
    puts("");
    if (fflush(stdout) != 0 || ferror(stdout)) {
        complain("the results could not be written to standard output");
        return EXIT_FAILED;
    }
    return counts.failed > 0 || counts.unreached > 0 ? EXIT_FAILED : EXIT_DONE;
}

/* NULL, or what is wrong. */
static const char *problem(const struct verify_options *o)
{
    if (o->path == NULL)
        return "which folder? rawspider verify DIR";
    if (o->run != NULL && !o->update)
        return "--run goes with --update";
    if (o->unreached && o->filter != NULL)
        return "--unreached needs all fixtures, --filter leaves some out";
    return NULL;
}

int command_verify(int argc, char **argv)
{
    static const struct option longs[] = {
        {"filter", required_argument, NULL, 'f'}, {"update", no_argument, NULL, 'u'},
        {"run", required_argument, NULL, 'r'},    {"unreached", no_argument, NULL, 'U'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0}};
    struct verify_options o = {0};
    int c;
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":h", longs, NULL)) != -1) {
        if (c == 'h')
            return usage();
        else if (c == 'f')
            o.filter = optarg;
        else if (c == 'u')
            o.update = true;
        else if (c == 'r')
            o.run = optarg;
        else if (c == 'U')
            o.unreached = true;
        else
            return bad_option(c, argv);
    }
    o.path = optind < argc ? argv[optind++] : NULL;
    if (optind < argc && o.filter == NULL)
        o.filter = argv[optind++];
    if (optind < argc) {
        complain("'%s' is one word too many: rawspider verify DIR [NAME]", argv[optind]);
        return EXIT_USAGE;
    }
    if (problem(&o) != NULL) {
        complain("%s", problem(&o));
        return EXIT_USAGE;
    }
    return run(&o);
}
