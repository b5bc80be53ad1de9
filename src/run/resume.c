/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/resume.h"

#include "run/record.h"

int resume_open(struct resume *r, const char *output, struct rs_err *err)
{
    r->output = output;
    record_init(&r->scratch);
    return done_read(&r->done, output, err);
}

void resume_close(struct resume *r)
{
    if (r->done == NULL)
        return;
    done_free(r->done);
    record_free(&r->scratch);
    r->done = NULL;
}

int resume_skips(struct resume *r, const struct job *job, struct rs_err *err)
{
    if (r->done == NULL)
        return 0;
    record_of_input(&r->scratch, job->raw, job->raw_bytes, job->raw_is_json);
    if (r->scratch.text.failed)
        return rs_fail(err, RS_ENOMEM, "not enough memory to look whether line %llu is done",
                       (unsigned long long)job->line);
    int rc = done_has(r->done, job->line, r->scratch.text.at, r->scratch.text.n);
    if (rc < 0)
        return rs_fail(err, RS_EINVAL,
                       "%.120s is not the output of this input: it differs at line %llu or shortly "
                       "before; give the same input, or another --output",
                       r->output, (unsigned long long)job->line);
    r->skipped += (uint64_t)rc;
    return rc;
}

int resume_input_ended(const struct resume *r, struct rs_err *err)
{
    if (r->done == NULL || done_end(r->done) == 0)
        return 0;
    return rs_fail(err, RS_EINVAL,
                   "%.160s is not the output of this input: it has records of lines that are not "
                   "in it",
                   r->output);
}
