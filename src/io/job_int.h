/* SPDX-License-Identifier: GPL-3.0-or-later
 * From one line to one job, for both formats. */
#ifndef RS_IO_JOB_INT_H
#define RS_IO_JOB_INT_H

#include "io/input.h"
#include "io/record.h"

struct job_maker {
    char domain[INPUT_DOMAIN_BYTES + 1]; /* what job.domain points to */
    struct record_text fields;           /* CSV: the row's fields, unquoted */
    struct record_text json;             /* CSV: the object made from the row */
};

/* What a job's members hold; NULL or 0: not given. Borrowed. */
struct job_members {
    const char *dip;
    size_t dip_bytes;
    const char *domain;
    size_t domain_bytes;
};

/* Each fills `job` (job->line is set by the caller) from the line, blanks around it taken off. */
void job_from_json(struct job_maker *m, const char *line, size_t n, struct job *job);

enum csv_row { CSV_JOB, CSV_HEADER, CSV_RANK_DOMAIN };
/* `is_first`: no row was read before, so that it may be a header. Only CSV_JOB fills `job`. */
enum csv_row job_from_csv(
    struct job_maker *m, const char *line, size_t n, bool is_first, struct job *job);

/* Checks and stores address and domain; the first problem stays. */
void job_set(struct job_maker *m, struct job *job, const struct job_members *given);
/* Reads a port from decimal text; on anything else a problem. */
void job_set_port(struct job *job, const char *text, size_t n);

/* Writes "line N: ..." unless there is a problem already; what is no printable UTF-8 becomes '?'.
 */
__attribute__((format(printf, 2, 3))) void job_problem(struct job *job, const char *format, ...);

void job_maker_free(struct job_maker *m);

#endif
