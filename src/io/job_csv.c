/* SPDX-License-Identifier: GPL-3.0-or-later
 * PATHspider's CSV forms, told apart by the number of columns: dip,dp,domain,rank and what is left
 * of it when columns are missing at the end. Fields by RFC 4180, but a quoted field ends on its
 * line: no column of ours can hold a newline. */
#include "io/job_int.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "io/text_int.h"

enum { DIP, DP, DOMAIN, RANK, COLUMNS };

struct row {
    const char *field[COLUMNS]; /* NUL-terminated in job_maker.fields */
    size_t bytes[COLUMNS];
    size_t n;          /* columns there are; may be more than COLUMNS */
    const char *wrong; /* NULL: the row keeps to RFC 4180 */
};

/* Copies the field at `at` without its quotes to `to`; returns what is behind it: a comma or the
 * end. */
static const char *take_field(const char *at, const char *end, char **to, struct row *row)
{
    if (at == end || *at != '"') {
        for (; at < end && *at != ','; at++) {
            if (*at == '"')
                row->wrong = "a quote inside a field that is not quoted";
            *(*to)++ = *at;
        }
        return at;
    }
    for (at++; at < end; at++) {
        if (*at == '"' && (++at == end || *at != '"')) {
            if (at < end && *at != ',')
                row->wrong = "something between a closing quote and the comma";
            return at;
        }
        *(*to)++ = *at;
    }
    row->wrong = "a quoted field that is not closed on its line";
    return end;
}

/* Fields are at most as long as the line, and each has at least a comma (or the end) for its NUL.
 */
static bool split(struct record_text *store, const char *line, size_t n, struct row *row)
{
    store->n = 0;
    char *to = text_room(store, n + 1);
    if (to == NULL)
        return false;
    const char *at = line, *end = line + n;
    *row = (struct row){0};
    for (;; at++) {
        char *from = to;
        at = take_field(at, end, &to, row);
        if (row->n < COLUMNS) {
            row->field[row->n] = from;
            row->bytes[row->n] = (size_t)(to - from);
        }
        row->n++;
        *to++ = '\0';
        if (at >= end || row->wrong != NULL)
            return true;
    }
}

static bool is_number(const struct row *row, size_t column)
{
    const char *s = row->field[column];
    return row->bytes[column] > 0 && strspn(s, "0123456789") == row->bytes[column];
}

static void add_member(struct record_text *json,
                       const char *key,
                       const struct row *row,
                       size_t column)
{
    if (json->n > 1)
        text_add(json, ", ", 2);
    text_add(json, key, strlen(key));
    const char *s = row->field[column];
    size_t n = row->bytes[column];
    if (column == DP && is_number(row, column) && n <= 9) {
        while (n > 1 && *s == '0') { /* JSON allows no leading zero */
            s++;
            n--;
        }
        text_add(json, s, n);
    } else {
        text_add_json(json, s, n);
    }
}

/* PATHspider has every column as text; dp is a number here as in its NDJSON. A column left blank is
 * not given. */
static void make_json(struct record_text *json, const struct row *row)
{
    static const char *const keys[COLUMNS] = {
        "\"dip\": ", "\"dp\": ", "\"domain\": ", "\"rank\": "};
    json->n = 0;
    text_add(json, "{", 1);
    for (size_t column = 0; column < COLUMNS && column < row->n; column++)
        if (row->bytes[column] > 0)
            add_member(json, keys[column], row, column);
    text_add(json, "}", 1);
}

static bool is_utf8(const char *s, size_t n)
{
    size_t len;
    for (size_t i = 0; i < n; i += len)
        if ((len = text_utf8(s + i, n - i)) == 0)
            return false;
    return true;
}

static enum csv_row kind(const struct row *row, bool is_first)
{
    if (is_first && strcasecmp(row->field[0], "dip") == 0)
        return CSV_HEADER;
    if (is_first && row->n == 2 &&
        (strcasecmp(row->field[0], "rank") == 0 || (is_number(row, 0) && !is_number(row, 1))))
        return CSV_RANK_DOMAIN;
    return CSV_JOB;
}

enum csv_row job_from_csv(
    struct job_maker *m, const char *line, size_t n, bool is_first, struct job *job)
{
    static const char want[] = "expected dip,dp,domain or dip,dp,domain,rank";
    struct row row;
    if (memchr(line, '\0', n) != NULL || !is_utf8(line, n)) {
        job_problem(job, "holds bytes that are not text in UTF-8; %s", want);
        return CSV_JOB;
    }
    if (!split(&m->fields, line, n, &row)) {
        job_problem(job, "not enough memory for the row");
        return CSV_JOB;
    }
    if (row.wrong != NULL || row.n > COLUMNS) {
        if (row.wrong != NULL)
            job_problem(job, "malformed CSV: %s; %s", row.wrong, want);
        else
            job_problem(job, "%zu columns; %s", row.n, want);
        return CSV_JOB;
    }
    enum csv_row found = kind(&row, is_first);
    if (found != CSV_JOB)
        return found;
    m->json.failed = false;
    make_json(&m->json, &row);
    if (m->json.failed) {
        job_problem(job, "not enough memory for the row");
        return CSV_JOB;
    }
    job->raw = m->json.at;
    job->raw_bytes = m->json.n;
    job->raw_is_json = true;
    struct job_members given = {.dip = row.field[DIP],
                                .dip_bytes = row.bytes[DIP],
                                .domain = row.n > DOMAIN ? row.field[DOMAIN] : NULL,
                                .domain_bytes = row.n > DOMAIN ? row.bytes[DOMAIN] : 0};
    if (row.n == 2 && is_number(&row, DIP))
        job_problem(job, "looks like rank,domain, which has no address yet; %s", want);
    job_set(m, job, &given);
    if (row.n > DP && row.bytes[DP] > 0)
        job_set_port(job, row.field[DP], row.bytes[DP]);
    return CSV_JOB;
}
