/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where IPFIX messages go: a file, or a TCP connection to a collector. */
#ifndef RS_IO_IPFIX_INT_H
#define RS_IO_IPFIX_INT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "io/output.h"

struct ipfix_sink {
    struct output *output; /* a file; NULL for a collector */
    int fd;                /* a collector; -1 for a file */
    int failed;            /* -RS_E*: what follows fails alike */
    uint64_t bytes;        /* to a collector */
    char peer[272];        /* the collector, "HOST port PORT" */
};

/* As ipfix_open. */
int ipfix_sink_open(struct ipfix_sink *s, const char *destination, struct rs_err *err);
int ipfix_sink_write(struct ipfix_sink *s, const char *bytes, size_t n, struct rs_err *err);
/* As ipfix_close; frees what it holds, not itself. */
int ipfix_sink_close(struct ipfix_sink *s, struct rs_err *err);

#endif
