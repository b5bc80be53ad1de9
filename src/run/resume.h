/* SPDX-License-Identifier: GPL-3.0-or-later
 * --resume, the reader's side: which lines of the input the output has already. Knows neither the
 * engine nor the wire. */
#ifndef RS_RUN_RESUME_H
#define RS_RUN_RESUME_H

#include "io/done.h"
#include "io/input.h"
#include "io/record.h"

struct resume { /* zero: not resuming, everything is to be measured */
    struct done *done;
    struct record scratch;
    const char *output; /* borrowed: for messages */
    uint64_t skipped;   /* lines of the input that were done */
};

/* Reads back and mends `output`, which nobody else writes to. 0 or done_read's codes. */
int resume_open(struct resume *r, const char *output, struct rs_err *err);
void resume_close(struct resume *r);

/* Asked for every job of the input, in its order. 1: it is done, and is skipped. 0: it is to be
 * measured. -RS_EINVAL: the output is not of this input; -RS_ENOMEM. */
int resume_skips(struct resume *r, const struct job *job, struct rs_err *err);
/* The input was read to its end. 0; -RS_EINVAL: the output is of a longer one. */
int resume_input_ended(const struct resume *r, struct rs_err *err);

#endif
