/* SPDX-License-Identifier: GPL-3.0-or-later
 * The fixture runner: TAP (version 13) of all fixtures of a folder. */
#include "run/verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/verify_int.h"

struct verify {
    const struct verify_options *o;
    void (*say)(void *ctx, const char *line);
    void *ctx;
    struct verify_counts *counts;
    struct reached *reached;
    char **notes; /* lines to stand below the result of the fixture at work; owned */
    size_t notes_n;
};

__attribute__((format(printf, 2, 3))) static void say(struct verify *v, const char *format, ...)
{
    char line[2400];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    v->say(v->ctx, line);
}

static void note(void *ctx, const char *line)
{
    struct verify *v = ctx;
    char **more = realloc(v->notes, (v->notes_n + 1) * sizeof *more);
    if (more == NULL)
        return;
    v->notes = more;
    if ((more[v->notes_n] = strdup(line)) != NULL)
        v->notes_n++;
}

static void say_notes(struct verify *v)
{
    for (size_t i = 0; i < v->notes_n; i++) {
        say(v, "# %s", v->notes[i]);
        free(v->notes[i]);
    }
    v->notes_n = 0;
}

/* What people call it: the path below the folder that was given. */
static const char *name_of(const struct verify *v, const char *path)
{
    size_t n = strlen(v->o->path);
    if (strncmp(path, v->o->path, n) != 0 || path[n] == '\0')
        return path;
    path += n;
    while (*path == '/')
        path++;
    return path;
}

static int expectation(
    struct verify *v, const char *capture, const char *path, struct expect **e, bool *is_new)
{
    struct rs_err err = {""};
    int rc = expect_open(e, path, &err);
    *is_new = rc == -RS_ENOENT;
    if (*is_new && v->o->update && v->o->run != NULL) {
        rc = expect_new(e, path, v->o->run, &err);
    } else if (*is_new) {
        char text[1024];
        snprintf(text, sizeof text,
                 "there is no expectation %s: rawspider verify --update --run 'classify PLUGIN' %s "
                 "(or 'observe CHAIN...') writes one",
                 path, capture);
        note(v, text);
        return rc;
    }
    if (rc != 0)
        note(v, err.text);
    return rc;
}

/* After the comparison has said what differs. True: it is as expected, now at least. */
static bool settle(struct verify *v, struct expect *e, unsigned differences, bool is_new)
{
    struct rs_err err = {""};
    char text[1024];
    if (differences == 0 && !is_new)
        return true;
    if (!v->o->update) {
        snprintf(text, sizeof text, "it shows: %s", expect_about(e));
        note(v, text);
        return false;
    }
    if (expect_write(e, &err) != 0) {
        note(v, err.text);
        return false;
    }
    note(v, is_new ? "written" : "written anew");
    v->counts->updated++;
    return true;
}

/* The capture of an expectation. People try CAPTURE.pcap.expect first. */
static void say_missing(struct verify *v, const char *expectation)
{
    char text[2048];
    const char *slash = strrchr(expectation, '/');
    const char *name = slash != NULL ? slash + 1 : expectation;
    int n = (int)(strlen(name) - strlen(".expect"));
    snprintf(text, sizeof text,
             "there is no capture beside this expectation: expected %.*s.pcap, %.*s.pcapng or "
             "%.*s.cap, or one of them with .gz, .bz2 or .xz",
             n, name, n, name, n, name);
    note(v, text);
    char *capture = strndup(name, (size_t)n);
    char *right =
        capture != NULL && verify_is_capture(capture) ? verify_expect_path(capture) : NULL;
    if (right != NULL) {
        snprintf(text, sizeof text, "the expectation of %s is %s", capture, right);
        note(v, text);
    }
    free(right);
    free(capture);
}

/* True: passed. */
static bool fixture(struct verify *v, const char *capture)
{
    struct rs_err err = {""};
    struct expect *e = NULL;
    bool is_new = false, passed = false;
    if (!verify_is_capture(capture)) {
        say_missing(v, capture);
        return false;
    }
    char *path = verify_expect_path(capture);
    if (path != NULL && expectation(v, capture, path, &e, &is_new) == 0) {
        if (verify_capture(e, capture, v->reached, &err) != 0)
            note(v, err.text);
        else
            passed = settle(v, e, expect_compare(e, note, v), is_new);
    }
    expect_free(e);
    free(path);
    return passed;
}

static void run_all(struct verify *v, const struct names *list)
{
    unsigned number = 0;
    say(v, "TAP version 13");
    say(v, "1..%zu", list->n);
    for (size_t i = 0; i < list->n; i++) {
        bool passed = fixture(v, list->at[i]);
        v->counts->fixtures++;
        v->counts->failed += !passed;
        say(v, "%s %u - %s", passed ? "ok" : "not ok", ++number, name_of(v, list->at[i]));
        say_notes(v);
    }
}

static void keep_matching(struct verify *v, struct names *list)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->n; i++) {
        if (v->o->filter == NULL || strstr(name_of(v, list->at[i]), v->o->filter) != NULL)
            list->at[kept++] = list->at[i];
        else
            free(list->at[i]);
    }
    list->n = kept;
}

int verify_run(const struct verify_options *o,
               void (*say_line)(void *ctx, const char *line),
               void *ctx,
               struct verify_counts *counts,
               struct rs_err *err)
{
    struct names list;
    struct verify v = {.o = o, .say = say_line, .ctx = ctx, .counts = counts};
    memset(counts, 0, sizeof *counts);
    int rc = verify_list(&list, o->path, err);
    if (rc != 0)
        return rc;
    keep_matching(&v, &list);
    if (list.n == 0 && o->filter != NULL)
        rc = rs_fail(err, RS_ENOENT, "%s: no fixture has '%s' in its name", o->path, o->filter);
    else if (list.n == 0)
        rc = rs_fail(err, RS_ENOENT, "%s: there is no capture in it (.pcap, .pcapng, .cap)",
                     o->path);
    else if ((v.reached = verify_reached_new()) == NULL)
        rc = rs_fail(err, RS_ENOMEM, "no memory");
    if (rc == 0) {
        run_all(&v, &list);
        if (o->unreached)
            verify_reached_say(v.reached, say_line, ctx, counts);
    }
    verify_reached_free(v.reached);
    verify_names_free(&list);
    free(v.notes);
    return rc;
}
