/* SPDX-License-Identifier: GPL-3.0-or-later
 * Reading expectation files, and writing them anew. */
#include "io/expect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "io/expect_int.h"

static const char header_form[] =
    "the first line is {\"about\":\"...\",\"run\":[\"classify\",\"PLUGIN\"]} or "
    "{\"about\":\"...\",\"run\":[\"observe\",\"CHAIN\",...]}";

static int wrong(const struct expect *e, unsigned line, struct rs_err *err, const char *what)
{
    return rs_fail(err, RS_EINVAL, "%s:%u: %s", e->path, line, what);
}

static int read_run(struct expect *e, struct rs_err *err)
{
    const json_t *run = json_object_get(e->header, "run");
    size_t n = json_array_size(run);
    if (n < 2 || n > EXPECT_WORDS)
        return wrong(e, 1, err, header_form);
    for (size_t i = 0; i < n; i++) {
        e->run[i] = json_string_value(json_array_get(run, i));
        if (e->run[i] == NULL)
            return wrong(e, 1, err, header_form);
    }
    e->run_n = (unsigned)n;
    e->of_flows = strcmp(e->run[0], "observe") == 0;
    if (!e->of_flows && (strcmp(e->run[0], "classify") != 0 || n != 2))
        return wrong(e, 1, err, header_form);
    return 0;
}

static int read_header(struct expect *e, struct rs_err *err)
{
    const char *key;
    json_t *value;
    if (!json_is_string(json_object_get(e->header, "about")))
        return wrong(e, 1, err, header_form);
    json_object_foreach(e->header, key, value)
    {
        if (strcmp(key, "about") != 0 && strcmp(key, "run") != 0)
            return rs_fail(err, RS_EINVAL, "%s:1: there is no member '%.40s': %s", e->path, key,
                           header_form);
    }
    return read_run(e, err);
}

static int add_wanted(struct expect *e, char *text, unsigned line, json_t *value)
{
    struct wanted *more = realloc(e->wanted, (e->wanted_n + 1) * sizeof *more);
    if (more == NULL)
        return -RS_ENOMEM;
    e->wanted = more;
    e->wanted[e->wanted_n++] = (struct wanted){.text = text, .line = line, .value = value};
    return 0;
}

/* Takes `text`. */
static int read_line(struct expect *e, char *text, unsigned line, struct rs_err *err)
{
    json_error_t why;
    json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, &why);
    int rc = 0;
    if (value == NULL)
        rc = rs_fail(err, RS_EINVAL, "%s:%u: no JSON object: %.100s (column %d)", e->path, line,
                     why.text, why.column);
    else if (!json_is_object(value))
        rc = wrong(e, line, err, "no JSON object: a line is {\"dip\":\"...\", ...}");
    else if (line > 1 && !json_is_string(json_object_get(value, "dip")))
        rc = wrong(e, line, err, "the member dip is missing: a line is {\"dip\":\"...\", ...}");
    else if (line > 1 && json_object_get(value, "conditions") != NULL &&
             !json_is_array(json_object_get(value, "conditions")))
        rc = wrong(e, line, err, "conditions is no list: [\"ecn.connectivity.works\", ...]");
    if (rc == 0 && line == 1) {
        e->header_text = text;
        e->header = value;
        return read_header(e, err);
    }
    if (rc == 0 && add_wanted(e, text, line, value) == 0)
        return 0;
    json_decref(value);
    free(text);
    return rc != 0 ? rc : rs_fail(err, RS_ENOMEM, "no memory for %s", e->path);
}

static int read_lines(struct expect *e, FILE *file, struct rs_err *err)
{
    unsigned line = 0;
    for (;;) {
        char *text = NULL;
        size_t cap = 0;
        ssize_t n = getline(&text, &cap, file);
        if (n < 0) {
            free(text);
            if (ferror(file))
                return rs_fail_errno(err, errno, "cannot read %s", e->path);
            return line == 0 ? wrong(e, 1, err, header_form) : 0;
        }
        text[strcspn(text, "\r\n")] = '\0';
        int rc = read_line(e, text, ++line, err);
        if (rc != 0)
            return rc;
    }
}

static int create(struct expect **out, const char *path, struct rs_err *err)
{
    struct expect *e = calloc(1, sizeof *e);
    if (e == NULL || (e->path = strdup(path)) == NULL) {
        free(e);
        return rs_fail(err, RS_ENOMEM, "no memory for %s", path);
    }
    *out = e;
    return 0;
}

int expect_open(struct expect **out, const char *path, struct rs_err *err)
{
    *out = NULL;
    FILE *file = fopen(path, "re");
    if (file == NULL && errno == ENOENT)
        return rs_fail(err, RS_ENOENT, "there is no %s", path);
    if (file == NULL)
        return rs_fail_errno(err, errno, "cannot read %s", path);
    struct expect *e = NULL;
    int rc = create(&e, path, err);
    if (rc == 0)
        rc = read_lines(e, file, err);
    fclose(file);
    if (rc != 0) {
        expect_free(e);
        return rc;
    }
    *out = e;
    return 0;
}

int expect_new(struct expect **out, const char *path, const char *words, struct rs_err *err)
{
    struct expect *e;
    char *copy = strdup(words), *rest = copy;
    *out = NULL;
    int rc = create(&e, path, err);
    json_t *run = json_array();
    for (const char *w; rest != NULL && (w = strsep(&rest, " ")) != NULL;)
        if (*w != '\0')
            json_array_append_new(run, json_string(w));
    free(copy);
    if (rc != 0) {
        json_decref(run);
        return rc;
    }
    e->header = json_pack("{s:s,s:o}", "about", "say here what this capture shows", "run", run);
    rc = e->header == NULL ? rs_fail(err, RS_ENOMEM, "no memory for %s", path) : 0;
    if (rc == 0 && read_run(e, NULL) != 0)
        rc = rs_fail(err, RS_EINVAL, "'%.80s' cannot be run: classify PLUGIN or observe CHAIN...",
                     words);
    if (rc == 0 && (e->header_text = json_dumps(e->header, JSON_COMPACT)) == NULL)
        rc = rs_fail(err, RS_ENOMEM, "no memory for %s", path);
    if (rc != 0)
        expect_free(e);
    else
        *out = e;
    return rc;
}

void expect_free(struct expect *e)
{
    if (e == NULL)
        return;
    for (size_t i = 0; i < e->wanted_n; i++) {
        free(e->wanted[i].text);
        json_decref(e->wanted[i].value);
    }
    for (size_t i = 0; i < e->actual_n; i++)
        json_decref(e->actual[i].value);
    json_decref(e->header);
    free(e->header_text);
    free(e->wanted);
    free(e->actual);
    free(e->path);
    free(e);
}

const char *const *expect_run(const struct expect *e, unsigned *n)
{
    *n = e->run_n;
    return e->run;
}

const char *expect_about(const struct expect *e)
{
    return json_string_value(json_object_get(e->header, "about"));
}

static json_t *only(const json_t *from, const char *const *keys)
{
    json_t *out = json_object();
    for (; *keys != NULL; keys++) {
        json_t *value = json_object_get(from, *keys);
        if (value != NULL)
            json_object_set(out, *keys, value);
    }
    return out;
}

static void put(FILE *file, json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT | JSON_REAL_PRECISION(15));
    if (text != NULL)
        fprintf(file, "%s\n", text);
    else
        errno = ENOMEM;
    free(text);
}

/* The record of a line that was not met, with what was met instead. */
static void put_changed(FILE *file, const struct wanted *w)
{
    const char *key;
    json_t *value, *out = json_object();
    json_object_foreach(w->value, key, value)
    {
        json_t *got = json_object_get(w->match->value, key);
        if (got != NULL)
            json_object_set(out, key, expect_same(key, value, got) ? value : got);
    }
    put(file, out);
    json_decref(out);
}

static void put_all(const struct expect *e, FILE *file)
{
    static const char *const verdict_keys[] = {"dip", "dp", "conditions", NULL};
    fprintf(file, "%s\n", e->header_text);
    for (size_t i = 0; i < e->wanted_n; i++) {
        const struct wanted *w = &e->wanted[i];
        if (w->match != NULL && w->differences == 0)
            fprintf(file, "%s\n", w->text);
        else if (w->match != NULL)
            put_changed(file, w);
    }
    for (size_t i = 0; i < e->actual_n; i++) {
        if (e->actual[i].matched)
            continue;
        json_t *out =
            e->of_flows ? json_incref(e->actual[i].value) : only(e->actual[i].value, verdict_keys);
        put(file, out);
        json_decref(out);
    }
}

/* Beside the file and then in its place: what people wrote is not lost to a full disk. */
int expect_write(const struct expect *e, struct rs_err *err)
{
    char *beside;
    if (asprintf(&beside, "%s.new", e->path) < 0)
        return rs_fail(err, RS_ENOMEM, "no memory to write %s", e->path);
    FILE *file = fopen(beside, "we");
    if (file == NULL) {
        int why = errno;
        free(beside);
        return rs_fail_errno(err, why, "cannot write %s.new", e->path);
    }
    put_all(e, file);
    int why = fflush(file) != 0 || ferror(file) ? errno : 0;
    if (fclose(file) != 0 && why == 0)
        why = errno;
    if (why == 0 && rename(beside, e->path) != 0)
        why = errno;
    if (why != 0)
        unlink(beside);
    free(beside);
    return why == 0 ? 0 : rs_fail_errno(err, why, "cannot write %s", e->path);
}
