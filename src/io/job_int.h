/* SPDX-License-Identifier: GPL-3.0-or-later
 * From one line to one job (of a plain list: to the jobs of its entry), for each format. */
#ifndef RS_IO_JOB_INT_H
#define RS_IO_JOB_INT_H

#include "io/input.h"
#include "io/record.h"

struct job_maker {
    char domain[INPUT_DOMAIN_BYTES + 1]; /* what job.domain points to */
    struct record_text fields;           /* CSV: the row's fields, unquoted */
    struct record_text json;             /* CSV, lists: the object made for the job */
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

struct job_list { /* what is left of the entry of a list that is being walked */
    struct wire_addr next, last;
    bool left; /* job_list_next has one more */
};

/* Length of the entry in a line whose leading blanks are off: up to a comment, without blanks
 * behind it; 0: the line has none. */
size_t job_list_entry(const char *line, size_t n);
/* Whether it can be read, however wide it is. */
bool job_list_is_entry(const char *entry, size_t n);
/* Begins an entry, or puts the problem into `job`. any_width: also prefixes that nobody could mean
 * to measure whole. */
void job_list_begin(
    struct job_list *list, const char *entry, size_t n, bool any_width, struct job *job);
/* The next target of the entry; list->left must hold. */
void job_list_next(struct job_list *list, struct job_maker *m, struct job *job);

/* Stores an address that one host can have; else a problem. text: as people write it. */
void job_set_address(struct job *job, const struct wire_addr *a, const char *text);
/* Checks and stores address and domain; the first problem stays. */
void job_set(struct job_maker *m, struct job *job, const struct job_members *given);
/* Reads a port from decimal text; on anything else a problem. */
void job_set_port(struct job *job, const char *text, size_t n);

/* Writes "line N: ..." unless there is a problem already; what is no printable UTF-8 becomes '?'.
 */
__attribute__((format(printf, 2, 3))) void job_problem(struct job *job, const char *format, ...);

void job_maker_free(struct job_maker *m);

#endif
