/* SPDX-License-Identifier: GPL-3.0-or-later
 * rawspider filter: a target list in, the jobs in it that can be measured out, as NDJSON,
 * unchanged (of a plain list: an object for each address); what is left out is told on stderr with
 * its line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "io/blocklist.h"
#include "io/input.h"
#include "io/output.h"
#include "io/record.h"

struct filter {
    const char *input, *output, *blocklist;
    enum input_format format;
    unsigned long dp;
};

static int usage(void)
{
    puts("usage: rawspider filter [--input FILE] [--csv-input|--list-input] [--output FILE] "
         "[-b BLOCKLIST|none] [--dp PORT]\n\n"
         "Copies the jobs that `measure` would measure; --dp gives a port to those without one.\n"
         "What is left out is said on standard error.");
    return EXIT_DONE;
}

static int write_job(struct output *out,
                     struct record *r,
                     const struct job *job,
                     unsigned long dp,
                     struct rs_err *err)
{
    const char *text;
    size_t n;
    record_begin(r, &(struct record_input){job->raw, job->raw_bytes, true}, NULL);
    if (job->dp == 0 && dp != 0)
        record_uint(r, "dp", dp);
    int rc = record_end(r, &text, &n);
    return rc != 0 ? rs_fail(err, RS_ENOMEM, "no memory for a line")
                   : output_write(out, text, n, err);
}

static int copy(const struct filter *f,
                struct input *in,
                struct output *out,
                const struct blocklist *list,
                struct rs_err *err)
{
    struct record r;
    struct job job;
    unsigned long left_out = 0;
    int rc;
    record_init(&r);
    while ((rc = input_next(in, &job)) == 0 || rc == -RS_EAGAIN) {
        if (rc == -RS_EAGAIN) {
            input_wait(in);
            continue;
        }
        const char *entry = job.problem[0] == '\0' ? blocklist_match(list, &job.dip) : NULL;
        if (job.problem[0] != '\0')
            complain("%s", job.problem);
        else if (entry != NULL)
            complain("line %llu: on the blocklist: %s", (unsigned long long)job.text_line, entry);
        else if ((rc = write_job(out, &r, &job, f->dp, err)) != 0)
            break;
        left_out += job.problem[0] != '\0' || entry != NULL;
    }
    record_free(&r);
    if (rc != -RS_EEND && err->text[0] == '\0')
        rs_fail(err, RS_ESYS, "%s", input_error(in));
    if (left_out > 0)
        complain("%lu line%s left out", left_out, left_out == 1 ? "" : "s");
    return rc == -RS_EEND ? 0 : rc;
}

static int run(const struct filter *f)
{
    struct input *in = NULL;
    struct output *out = NULL;
    struct blocklist *list = NULL;
    struct rs_err err = {""};
    int rc = output_open(&out, f->output, false, &err);
    if (rc == 0)
        rc = input_open(&in, f->input, f->format, &err);
    if (rc == 0)
        rc = blocklist_open(&list, f->blocklist, &err);
    if (rc == 0)
        rc = copy(f, in, out, list, &err);
    input_free(in);
    blocklist_free(list);
    int close_rc = output_close(out, rc == 0 ? &err : NULL);
    if (rc == 0)
        rc = close_rc;
    if (rc != 0)
        complain("%s", err.text);
    return rc != 0 ? EXIT_FAILED : EXIT_DONE;
}

int command_filter(int argc, char **argv)
{
    static const struct option longs[] = {{"input", required_argument, NULL, 'I'},
                                          {"output", required_argument, NULL, 'O'},
                                          {"csv-input", no_argument, NULL, 'c'},
                                          {"list-input", no_argument, NULL, 'l'},
                                          {"blocklist-file", required_argument, NULL, 'b'},
                                          {"dp", required_argument, NULL, 'p'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
    struct filter f = {.format = INPUT_AUTO};
    int c;
    opterr = 0;
    while ((c = getopt_long(argc, argv, ":b:h", longs, NULL)) != -1) {
        char *end;
        if (c == 'h')
            return usage();
        else if (c == 'I')
            f.input = optarg;
        else if (c == 'O')
            f.output = optarg;
        else if (c == 'c')
            f.format = INPUT_CSV;
        else if (c == 'l')
            f.format = INPUT_LIST;
        else if (c == 'b')
            f.blocklist = optarg;
        else if (c == 'p' && (f.dp = strtoul(optarg, &end, 10)) >= 1 && f.dp <= 65535 &&
                 *end == '\0')
            continue;
        else if (c == 'p') {
            complain("--dp: '%s' is no port (1-65535)", optarg);
            return EXIT_USAGE;
        } else {
            return bad_option(c, argv);
        }
    }
    if (optind < argc) {
        complain("'%s' is one word too many: targets are read from standard input or --input",
                 argv[optind]);
        return EXIT_USAGE;
    }
    return run(&f);
}
