/* SPDX-License-Identifier: GPL-3.0-or-later
 * Runs a fixture: `classify` and `observe` as users do, but with the records given to the
 * expectation. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/classify.h"
#include "run/observe.h"
#include "run/verify_int.h"

#define FLOWS_MOST 100000 /* a fixture has a few */

/* What is told to people while it runs: the first of it is an error's reason. */
static void keep_first(void *ctx, const char *text)
{
    struct rs_err *first = ctx;
    if (first->text[0] == '\0')
        rs_fail(first, RS_EPROTO, "%s", text);
}

static int give_lines(struct expect *e, FILE *file, struct rs_err *err)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    int rc = 0;
    while (rc == 0 && (n = getline(&line, &cap, file)) > 0)
        rc = expect_actual(e, line, (size_t)n, err);
    free(line);
    return rc;
}

static int observe(struct expect *e,
                   const char *capture,
                   const char *const *chains,
                   unsigned n,
                   FILE *file,
                   const char *path,
                   struct rs_err *err)
{
    struct rs_err told = {""};
    const struct observe_ui ui = {.ctx = &told, .notice = keep_first};
    struct observe_options o;
    enum observe_end end;
    int rc = 0, signo = 0;
    observe_defaults(&o);
    o.input = capture;
    o.output = path;
    o.flows_most = FLOWS_MOST;
    for (unsigned i = 0; i < n && rc == 0; i++)
        rc = observe_chain(chains[i], &o.chains, err);
    if (rc == 0)
        rc = observe_run(&o, &ui, &end, &signo, err);
    if (rc == 0 && end != OBSERVE_DONE)
        rc = rs_fail(err, RS_EPROTO, "%s: not all of it was read: %.160s", capture,
                     end == OBSERVE_SIGNAL ? "stopped by a signal" : told.text);
    return rc != 0 ? rc : give_lines(e, file, err);
}

/* The observer writes to a file. */
static int observe_to_file(struct expect *e,
                           const char *capture,
                           const char *const *chains,
                           unsigned n,
                           struct rs_err *err)
{
    const char *folder = getenv("TMPDIR");
    char path[512];
    snprintf(path, sizeof path, "%s/rawspider-verify-XXXXXX",
             folder != NULL && *folder != '\0' ? folder : "/tmp");
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (file == NULL)
        return rs_fail_errno(err, errno, "cannot make a file for records, %s", path);
    int rc = observe(e, capture, chains, n, file, path, err);
    fclose(file);
    unlink(path);
    return rc;
}

struct classification {
    struct expect *e;
    struct reached *reached;
    const struct plugin *plugin;
    struct rs_err told;
};

static void on_notice(void *ctx, const char *text)
{
    struct classification *c = ctx;
    keep_first(&c->told, text);
}

static int on_record(void *ctx, const char *text, size_t n, struct rs_err *err)
{
    struct classification *c = ctx;
    return expect_actual(c->e, text, n, err);
}

static void on_verdict(void *ctx,
                       const struct cond_table *t,
                       const struct evidence *evidence,
                       const struct verdict *v)
{
    struct classification *c = ctx;
    verify_reached_add(c->reached, c->plugin, t, evidence, v);
}

static int classify(struct expect *e,
                    const char *capture,
                    const char *name,
                    struct reached *reached,
                    struct rs_err *err)
{
    struct classification c = {.e = e, .reached = reached, .plugin = plugin_find(name)};
    struct classify_sink sink = {
        .ctx = &c, .record = on_record, .verdict = on_verdict, .notice = on_notice};
    struct classify_options o = {.plugin = c.plugin, .file = capture};
    struct classify_result result;
    if (c.plugin == NULL)
        return rs_fail(err, RS_ENOENT, "there is no plugin '%.40s'", name);
    int rc = classify_run(&o, &sink, &result, err);
    if (rc == 0 && result.damaged)
        rc = rs_fail(err, RS_EPROTO, "%s: not all of it was read: %.160s", capture, c.told.text);
    return rc;
}

int verify_capture(struct expect *e, const char *capture, struct reached *r, struct rs_err *err)
{
    unsigned n;
    const char *const *words = expect_run(e, &n);
    if (strcmp(words[0], "observe") == 0)
        return observe_to_file(e, capture, words + 1, n - 1, err);
    return classify(e, capture, words[1], r, err);
}
