/* SPDX-License-Identifier: GPL-3.0-or-later
 * Target lists: one byte for the form, then the text. Whatever it holds, jobs are numbered upwards,
 * one can be measured or says why not, and an entry of a list gives what it covers and nothing
 * else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "fuzz/fuzz.h"
#include "io/input.h"
#include "io/job_int.h"

#define JOBS_MOST 2000u /* a prefix has more than anybody waits for */

static char path[64]; /* in memory */

static void remove_file(void)
{
    unlink(path);
}

static void make_file(const uint8_t *text, size_t n)
{
    if (path[0] == '\0') {
        snprintf(path, sizeof path, "/dev/shm/rawspider-fuzz-input-%d", (int)getpid());
        atexit(remove_file);
    }
    FILE *file = fopen(path, "we");
    CHECK(file != NULL && fwrite(text, 1, n, file) == n && fclose(file) == 0);
}

static void check_job(const struct job *job)
{
    CHECK(job->text_line > 0 && job->raw_bytes > 0);
    if (job->raw_is_json)
        CHECK(job->raw[0] == '{' && job->raw[job->raw_bytes - 1] == '}');
    if (job->problem[0] == '\0') {
        CHECK(job->raw_is_json && (job->dip.family == 4 || job->dip.family == 6));
        CHECK(job->domain == NULL || job->domain[0] != '\0');
        return;
    }
    CHECK(strncmp(job->problem, "line ", 5) == 0);
    for (const char *c = job->problem; *c != '\0'; c++)
        CHECK((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void read_all(enum input_format format, bool any_width)
{
    struct input *in;
    struct rs_err err = {""};
    struct job job;
    uint64_t line = 0, text_line = 0;
    unsigned jobs = 0;
    int rc = input_open(&in, path, format, &err);
    CHECK(rc == 0 || err.text[0] != '\0');
    if (rc != 0)
        return;
    if (any_width)
        input_any_width(in);
    while ((rc = input_next(in, &job)) == 0 && ++jobs < JOBS_MOST) {
        check_job(&job);
        CHECK(job.line > line && job.text_line >= text_line);
        CHECK(format == INPUT_LIST || format == INPUT_AUTO || job.line == job.text_line);
        line = job.line;
        text_line = job.text_line;
    }
    CHECK(rc == 0 || rc == -RS_EEND || input_error(in)[0] != '\0');
    input_free(in);
}

static bool is_behind(const struct wire_addr *a, const struct wire_addr *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, sizeof a->bytes) > 0;
}

/* An entry in memory that ends where it ends. */
static void walk_entry(const uint8_t *data, size_t size, bool any_width)
{
    struct job_list list = {.left = false};
    struct job_maker maker;
    char *line = malloc(size + (size == 0));
    memset(&maker, 0, sizeof maker);
    memcpy(line, data, size);
    size_t n = job_list_entry(line, size);
    CHECK(n <= size);
    struct job first = {.text_line = 1}, job = {.text_line = 1};
    if (n > 0)
        job_list_begin(&list, line, n, any_width, &first);
    CHECK(n == 0 || list.left == (first.problem[0] == '\0'));
    CHECK(!list.left || job_list_is_entry(line, n));
    struct wire_addr last = list.last, before = {.family = 0};
    for (unsigned i = 0; list.left && i < JOBS_MOST; i++) {
        struct wire_addr at = list.next;
        CHECK(at.family == last.family && !is_behind(&at, &last));
        CHECK(i == 0 || is_behind(&at, &before));
        job.problem[0] = '\0';
        job_list_next(&list, &maker, &job);
        CHECK(list.left || memcmp(&at, &last, sizeof at) == 0);
        before = at;
    }
    job_maker_free(&maker);
    free(line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    bool any_width = (data[0] & 4) != 0;
    walk_entry(data + 1, size - 1, any_width);
    make_file(data + 1, size - 1);
    read_all((enum input_format)(data[0] % INPUT_FORMAT_N), any_width);
    return 0;
}
