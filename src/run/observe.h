/* SPDX-License-Identifier: GPL-3.0-or-later
 * A passive observer: packets from a file, a pipe, a trace URI or a live interface in, one record a
 * flow out. Prints nothing: what people are to see goes through struct observe_ui. */
#ifndef RS_RUN_OBSERVE_H
#define RS_RUN_OBSERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

struct observe_options { /* strings are borrowed; zero is not a default: observe_defaults */
    const char *input;   /* as packets_open */
    const char *output;  /* NULL or "-": standard output; otherwise as the format takes it */
    const char *format;  /* of observe_formats */
    uint32_t chains;     /* of observe_chain */
    uint64_t flows_most;
    double idle, active, close; /* seconds; active 0: no limit */
    uint64_t frames_most;       /* 0: no limit */
};

struct observe_progress {
    double elapsed;
    uint64_t frames, packets;
    uint64_t flows, open; /* begun, in the table now */
    uint64_t evicted;
    uint64_t kernel_dropped, iface_dropped;
    uint64_t records, output_bytes;
};

struct observe_ui {
    void *ctx;
    void (*progress)(void *ctx, const struct observe_progress *p); /* once a second, and last */
    void (*notice)(void *ctx, const char *text); /* something is not as it should be */
    void (*detail)(void *ctx, const char *text); /* for those who want to know more; may be NULL */
};

enum observe_end {
    OBSERVE_DONE,
    OBSERVE_LIMIT, /* frames_most */
    OBSERVE_LOST,  /* the input was cut or damaged, or packets were lost */
    OBSERVE_SIGNAL /* SIGINT or SIGTERM; everything was flushed */
};

void observe_defaults(struct observe_options *o);

/* Adds the bit of a chain. 0, or -RS_ENOENT with a text that says which there are. */
int observe_chain(const char *name, uint32_t *chains, struct rs_err *err);
/* Whether there is such a format; if not, the text says which there are. */
bool observe_has_format(const char *name, struct rs_err *err);
/* Whether format, chains and output go together. 0, or -RS_EINVAL: the text says why not. */
int observe_check(const struct observe_options *o, struct rs_err *err);
/* The chains that a format wants in any case. */
uint32_t observe_format_chains(const char *name);
/* Gives out what every record has, all chains, their fields, types, units and sentences, line by
 * line; what is about the word before stands indented. */
void observe_list_chains(void (*line)(void *ctx, const char *text), void *ctx);

/* Takes over SIGINT and SIGTERM while it runs; a second one kills. 0, whatever `end` says; or
 * -RS_E*: nothing could be read, or records could not be written. */
int observe_run(const struct observe_options *o,
                const struct observe_ui *ui,
                enum observe_end *end,
                int *signo,
                struct rs_err *err);

#endif
