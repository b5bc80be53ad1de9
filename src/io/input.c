/* SPDX-License-Identifier: GPL-3.0-or-later
 * Lines out of bytes. The buffer is as long as the longest line that is measured; of a longer one
 * the front becomes a job that says so, and the rest is dropped as it comes. */
#include "io/input.h"

#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "io/job_int.h"
#include "io/source_int.h"

#define FIRST_BYTES ((size_t)64 << 10)
#define MOST_BYTES  (INPUT_LINE_BYTES + FIRST_BYTES) /* the line, CR LF, and room to read */
#define GO_ON       1 /* neither a job nor a reason to stop: a blank line, more bytes read */

struct input {
    struct source source;
    struct job_maker maker;
    enum input_format format;
    char *buf;
    size_t cap;
    size_t start, end; /* bytes not yet used */
    size_t searched;   /* no newline before here */
    uint64_t line;     /* lines begun so far */
    uint64_t numbered; /* job.line of the job before */
    struct job_list list;
    bool any_width;
    bool is_read;     /* the first bytes have been looked at */
    bool is_skipping; /* the rest of a line too long is to be dropped */
    bool has_rows;    /* CSV: a row or the header was read */
    bool at_end;
    int failed; /* 0, or the code that input_next answers from now on */
    struct rs_err error;
    char path[]; /* empty: standard input */
};

int input_open(struct input **out, const char *path, enum input_format format, struct rs_err *err)
{
    *out = NULL;
    if (path != NULL && strcmp(path, "-") == 0)
        path = NULL;
    size_t n = path != NULL ? strlen(path) : 0;
    struct input *in = calloc(1, sizeof *in + n + 1);
    if (in != NULL)
        in->buf = malloc(FIRST_BYTES);
    if (in == NULL || in->buf == NULL) {
        free(in);
        return rs_fail(err, RS_ENOMEM, "not enough memory to read the targets");
    }
    if (path != NULL)
        memcpy(in->path, path, n);
    in->cap = FIRST_BYTES;
    in->format = format;
    int code = source_open(&in->source, path != NULL ? in->path : NULL, err);
    if (code != 0) {
        free(in->buf);
        free(in);
        return code;
    }
    *out = in;
    return 0;
}

void input_free(struct input *in)
{
    if (in == NULL)
        return;
    source_close(&in->source);
    job_maker_free(&in->maker);
    free(in->buf);
    free(in);
}

void input_any_width(struct input *in)
{
    in->any_width = true;
}

int input_fd(const struct input *in)
{
    return in->source.is_waited_for ? in->source.fd : -1;
}

const char *input_error(const struct input *in)
{
    return in->error.text;
}

static int fail(struct input *in, int code)
{
    in->failed = code;
    return code;
}

/* A byte order mark is no part of the first line; compressed bytes are no lines at all. */
static int look_at_first_bytes(struct input *in)
{
    in->is_read = true;
    const char *at = in->buf + in->start;
    size_t n = in->end - in->start;
    const char *compression = source_compression(at, n);
    if (compression != NULL)
        return fail(
            in,
            rs_fail(&in->error, RS_EPROTO,
                    "%s carries %s-compressed bytes, which are read from files only: "
                    "give the file with --input, or decompress it into the pipe (zcat FILE | ...)",
                    source_name(&in->source), compression));
    if (n >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
        in->start += 3;
    in->searched = in->start;
    return GO_ON;
}

/* Moves what is left to the front, and makes room. */
static int make_room(struct input *in)
{
    if (in->start > 0) {
        memmove(in->buf, in->buf + in->start, in->end - in->start);
        in->end -= in->start;
        in->searched -= in->start;
        in->start = 0;
    }
    if (in->end < in->cap)
        return 0;
    size_t cap = in->cap * 2 < MOST_BYTES ? in->cap * 2 : MOST_BYTES;
    char *buf = realloc(in->buf, cap);
    if (buf == NULL)
        return fail(in,
                    rs_fail(&in->error, RS_ENOMEM, "not enough memory for line %" PRIu64 " of %s",
                            in->line + 1, source_name(&in->source)));
    in->buf = buf;
    in->cap = cap;
    return 0;
}

static int fill(struct input *in)
{
    int code = make_room(in);
    if (code != 0)
        return code;
    ssize_t n = source_read(&in->source, in->buf + in->end, in->cap - in->end, &in->error);
    if (n == -RS_EAGAIN)
        return -RS_EAGAIN;
    if (n < 0)
        return fail(in, (int)n);
    in->at_end = n == 0;
    in->end += (size_t)n;
    return in->is_read ? GO_ON : look_at_first_bytes(in);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static void start_job(const struct input *in, struct job *out)
{
    out->line = out->text_line = in->line;
    out->raw_is_json = false;
    out->dip = (struct wire_addr){0};
    out->dp = 0;
    out->domain = NULL;
    out->problem[0] = '\0';
}

/* Lines are numbered as they stand, targets of a list one after the other. */
static int give(struct input *in, struct job *out)
{
    out->line = in->format == INPUT_LIST ? in->numbered + 1 : in->line;
    in->numbered = out->line;
    return 0;
}

static int too_long(struct input *in, size_t n, struct job *out)
{
    out->raw = in->buf + in->start;
    out->raw_bytes = n < INPUT_CUT_BYTES ? n : INPUT_CUT_BYTES;
    job_problem(out, "longer than %zu bytes; expected one target a line", INPUT_LINE_BYTES);
    return give(in, out);
}

static int make_csv_job(struct input *in, struct job *out)
{
    enum csv_row row = job_from_csv(&in->maker, out->raw, out->raw_bytes, !in->has_rows, out);
    in->has_rows = true;
    if (row == CSV_RANK_DOMAIN)
        return fail(in, rs_fail(&in->error, RS_EPROTO,
                                "%s, line %" PRIu64
                                ": the columns are rank,domain, which have no address "
                                "yet; resolve the names first, and give dip,dp,domain,rank",
                                source_name(&in->source), in->line));
    return row == CSV_HEADER ? GO_ON : give(in, out);
}

static int next_of_list(struct input *in, struct job *out)
{
    start_job(in, out);
    job_list_next(&in->list, &in->maker, out);
    return give(in, out);
}

static int make_list_jobs(struct input *in, const char *at, size_t n, struct job *out)
{
    n = job_list_entry(at, n);
    if (n == 0)
        return GO_ON;
    job_list_begin(&in->list, at, n, in->any_width, out);
    return in->list.left ? next_of_list(in, out) : give(in, out);
}

/* A line that is neither is a problem and decides nothing: a slip in the first line must not make
 * strangers of all that follow. */
static bool find_format(struct input *in, const char *at, size_t entry)
{
    if (at[0] == '{')
        in->format = INPUT_NDJSON;
    else if (job_list_is_entry(at, entry))
        in->format = INPUT_LIST;
    return in->format != INPUT_AUTO;
}

static int neither(struct input *in, struct job *out)
{
    job_problem(out, "neither a JSON object nor an address or prefix; expected one such as "
                     "{\"dip\": \"192.0.2.1\", \"dp\": 80} or 192.0.2.0/24 (for CSV give "
                     "--csv-input)");
    return give(in, out);
}

/* `at`: blanks around the line are off, and something is left. */
static int make_job_of_line(struct input *in, const char *at, size_t n, struct job *out)
{
    if (in->format == INPUT_AUTO) {
        size_t entry = job_list_entry(at, n);
        if (entry == 0) /* comments before the first target belong to either form */
            return GO_ON;
        if (!find_format(in, at, entry))
            return neither(in, out);
    }
    if (in->format == INPUT_CSV)
        return make_csv_job(in, out);
    if (in->format == INPUT_LIST)
        return make_list_jobs(in, at, n, out);
    job_from_json(&in->maker, at, n, out);
    return give(in, out);
}

static int make_job(struct input *in, const char *at, size_t n, struct job *out)
{
    start_job(in, out);
    while (n > 0 && is_blank(at[n - 1]))
        n--;
    if (n > INPUT_LINE_BYTES)
        return too_long(in, n, out);
    while (n > 0 && is_blank(at[0])) {
        at++;
        n--;
    }
    if (n == 0)
        return GO_ON;
    out->raw = at;
    out->raw_bytes = n;
    return make_job_of_line(in, at, n, out);
}

/* Takes the line that ends before `stop`, and leaves the buffer at `next`, behind its newline. */
static int take_line(struct input *in, size_t stop, size_t next, struct job *out)
{
    int code = GO_ON;
    if (in->is_skipping) {
        in->is_skipping = false;
    } else {
        in->line++;
        code = make_job(in, in->buf + in->start, stop - in->start, out);
    }
    in->start = in->searched = next;
    return code;
}

/* The buffer holds no newline. */
static int take_partial(struct input *in, struct job *out)
{
    in->searched = in->end;
    if (in->is_skipping)
        in->start = in->end;
    if (in->at_end)
        return in->start < in->end ? take_line(in, in->end, in->end, out) : fail(in, -RS_EEND);
    if (in->end - in->start < MOST_BYTES)
        return fill(in);
    in->line++;
    in->is_skipping = true;
    start_job(in, out);
    int code = too_long(in, in->end - in->start, out);
    in->start = in->end;
    return code;
}

int input_next(struct input *in, struct job *out)
{
    if (in->list.left)
        return next_of_list(in, out);
    int code = in->failed != 0 ? in->failed : GO_ON;
    while (code == GO_ON) {
        const char *newline = memchr(in->buf + in->searched, '\n', in->end - in->searched);
        if (newline != NULL) {
            size_t at = (size_t)(newline - in->buf);
            code = take_line(in, at, at + 1, out);
        } else {
            code = take_partial(in, out);
        }
    }
    return code;
}

void input_wait(const struct input *in)
{
    struct pollfd p = {.fd = input_fd(in), .events = POLLIN};
    if (p.fd >= 0)
        poll(&p, 1, -1);
}
