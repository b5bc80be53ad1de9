/* SPDX-License-Identifier: GPL-3.0-or-later
 * Opens what a user names as a source of packets: joins the byte streams of io with the readers of
 * net. */
#ifndef RS_RUN_PACKETS_H
#define RS_RUN_PACKETS_H

#include <stdbool.h>

#include "net/trace.h"

/* Called when a pipe has nothing to read: waits until `fd` can be read, and may do other things
 * meanwhile. False: read no more, as if the pipe had ended. */
struct packets_wait {
    void *ctx;
    bool (*wait)(void *ctx, int fd);
};

/* A capture file, compressed or not; "-": standard input. `wait` may be NULL: just wait. 0, or what
 * trace_open_stream and stream_open return. */
int packets_open_file(struct trace **out,
                      const char *path,
                      const struct packets_wait *wait,
                      struct rs_err *err);
/* A trace URI, an existing file, "-", or an interface, in this order. */
int packets_open(struct trace **out,
                 const char *name,
                 const struct packets_wait *wait,
                 struct rs_err *err);

#endif
