/* SPDX-License-Identifier: GPL-3.0-or-later
 * Expectation files: the text up to a line end and a NUL, and behind them records, a line each.
 * What cannot be read is told with file and line; each difference is said once; and a file that was
 * written anew has none. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz/fuzz.h"
#include "io/expect.h"

static char path[64]; /* in memory; another is written beside it and takes its place */

static void remove_file(void)
{
    unlink(path);
}

static void make_file(const uint8_t *text, size_t n)
{
    if (path[0] == '\0') {
        snprintf(path, sizeof path, "/dev/shm/rawspider-fuzz-expect-%d", (int)getpid());
        atexit(remove_file);
    }
    FILE *file = fopen(path, "we");
    CHECK(file != NULL && fwrite(text, 1, n, file) == n && fclose(file) == 0);
}

/* A number that is written with fewer digits than it had would differ when it is read again. */
static bool has_real(json_t *v)
{
    const char *key;
    json_t *member;
    size_t i;
    json_object_foreach(v, key, member) if (has_real(member)) return true;
    json_array_foreach(v, i, member) if (has_real(member)) return true;
    return json_is_real(v);
}

/* Whether rawspider could have made it: what is written must be readable. */
static bool is_record(const char *line, size_t n)
{
    json_t *v = json_loadb(line, n, JSON_REJECT_DUPLICATES, NULL);
    const json_t *conditions = json_object_get(v, "conditions");
    bool is = json_is_string(json_object_get(v, "dip")) && !has_real(v) &&
              (conditions == NULL || json_is_array(conditions));
    json_decref(v);
    return is;
}

static void add_records(struct expect *e, const char *text, size_t n)
{
    struct rs_err err = {""};
    while (n > 0) {
        const char *end = memchr(text, '\n', n);
        size_t line = end == NULL ? n : (size_t)(end - text);
        if (is_record(text, line))
            CHECK(expect_actual(e, text, line, &err) == 0);
        text += end == NULL ? line : line + 1;
        n -= end == NULL ? line : line + 1;
    }
}

static void on_difference(void *ctx, const char *line)
{
    CHECK(strncmp(line, path, strlen(path)) == 0 && strchr(line, '\n') == NULL);
    ++*(unsigned *)ctx;
}

static unsigned differences(struct expect *e)
{
    unsigned said = 0, n = expect_compare(e, on_difference, &said);
    CHECK(n == said);
    return n;
}

static void check_words(const struct expect *e)
{
    unsigned n;
    const char *const *words = expect_run(e, &n);
    CHECK(n >= 2 && n <= 32 && expect_about(e) != NULL);
    for (unsigned i = 0; i < n; i++)
        CHECK(words[i][0] != '\0' || i > 0);
}

static void start_anew(const char *text, size_t n)
{
    struct expect *e;
    struct rs_err err = {""};
    char words[100];
    snprintf(words, sizeof words, "%.*s", (int)(n < 99 ? n : 99), text);
    if (expect_new(&e, path, words, &err) == 0)
        check_words(e);
    else
        CHECK(e == NULL && err.text[0] != '\0');
    expect_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct expect *e;
    struct rs_err err = {""};
    const uint8_t *end = memmem(data, size, "\n", 2);
    size_t n = end == NULL ? size : (size_t)(end - data) + 1;
    const char *records = (const char *)data + (end == NULL ? size : n + 1);
    size_t records_n = size - (size_t)(records - (const char *)data);
    make_file(data, n);
    start_anew((const char *)data, size);
    if (expect_open(&e, path, &err) != 0) {
        CHECK(e == NULL && strstr(err.text, path) != NULL);
        return 0;
    }
    check_words(e);
    add_records(e, records, records_n);
    differences(e);
    CHECK(expect_write(e, &err) == 0);
    expect_free(e);
    int rc = expect_open(&e, path, &err);
    if (rc != 0)
        fprintf(stderr, "written anew, and not readable: %s\n", err.text);
    CHECK(rc == 0);
    add_records(e, records, records_n);
    CHECK(differences(e) == 0);
    expect_free(e);
    return 0;
}
