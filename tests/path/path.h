/* SPDX-License-Identifier: GPL-3.0-or-later
 * rawspider-path: a wire between two interfaces that loses, duplicates, delays and reorders what it
 * carries, and says how much of that it did. It stands in for netem, which not every kernel has.
 *
 * It shares no code with the product, since it is there to check it. Files: wire.c moves frames in
 * and out, impair.c decides and holds, main.c reads options, waits and reports.
 *
 * What it takes for the path's own traffic and passes on at once, unimpaired: all that is not IP
 * (ARP), neighbour discovery, and what goes to the multicast addresses of the link. */
#ifndef PATH_H
#define PATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PATH_FRAME_MAX = 9216 + 18, /* jumbo frames; larger means that offloads are on */
    PATH_BATCH = 64,
    PATH_HELD_MAX = 1024,
};

#define PATH_NEVER INT64_MAX /* of times: monotonic, nanoseconds */

/* What to do to one direction. Shares are 0 to 1. */
struct impairment {
    double loss;
    double dup;
    double reorder;
    int64_t delay_ns;
    int64_t jitter_ns;    /* delay is evenly spread over delay +- jitter, and never below 0 */
    int64_t hold_ns;      /* a reordered frame waits no longer than this for others to overtake */
    unsigned gap;         /* a reordered frame is overtaken by 1 to gap frames */
    bool jitter_reorders; /* else a frame is due no earlier than the one before it */
    size_t limit;         /* frames in the queue; more are dropped and counted */
};

struct frame {
    int64_t arrived; /* at the interface, by the kernel's stamp */
    int64_t due;
    uint64_t order; /* of arrival */
    unsigned copies;
    unsigned wanted; /* overtakers of a reordered frame, 0 for others */
    unsigned overtaken;
    bool control;
    size_t length;
    uint8_t bytes[];
};

struct delays {
    uint64_t n;
    double sum_ns;
    int64_t min_ns;
    int64_t max_ns;
};

/* All of IP frames but the ones whose names say otherwise. At any time
 * in + duplicated - lost - overflow = forwarded + queued + send_errors. */
struct counts {
    uint64_t in;
    uint64_t control;      /* other frames, in */
    uint64_t forwarded;    /* put on the wire, duplicates too */
    uint64_t lost;         /* as was asked for */
    uint64_t duplicated;   /* one more copy of each */
    uint64_t reordered;    /* held back */
    uint64_t overtaken;    /* of these, really overtaken by one frame at least */
    uint64_t overflow;     /* dropped because the queue was at its limit */
    uint64_t oversize;     /* dropped because they were larger than any frame on a wire */
    uint64_t unfinished;   /* came with an unfinished checksum: offloads are on */
    uint64_t socket_drops; /* lost by the kernel before we saw them */
    uint64_t send_errors;  /* frames the kernel did not take */
    struct delays delay;   /* from arrival to departure, of those not held back */
    struct delays held;    /* the same, of those held back */
};

/* One end of the wire. */
struct wire {
    int fd;
    const char *name;
    struct frame *batch[PATH_BATCH]; /* to send; owned */
    size_t batched;
};

struct direction {
    const char *name;
    struct impairment how;
    struct wire *from;
    struct wire *to;
    uint64_t random; /* state */
    uint64_t order;
    int64_t last_due;
    struct frame **heap; /* by (due, order) */
    size_t queued;
    size_t room;
    struct frame *held[PATH_HELD_MAX]; /* reordered frames that are due but wait to be overtaken */
    size_t holding;
    struct counts counts;
};

/* wire.c. Errors: -errno. */
int wire_open(struct wire *wire, const char *name);
/* Reads what is there, a bounded number of frames, and gives each to impair_take(). */
void wire_receive(struct direction *dir);
/* Takes the frame over; it leaves with the batch. */
void wire_put(struct direction *dir, struct frame *frame);
void wire_flush(struct direction *dir);
void wire_count_drops(struct direction *dir);

/* impair.c */
void impair_init(struct direction *dir, uint64_t seed);
void impair_take(struct direction *dir, const uint8_t *bytes, size_t length, int64_t arrived);
/* Sends what is due. */
void impair_release(struct direction *dir, int64_t now);
int64_t impair_next(const struct direction *dir);
size_t impair_queued(const struct direction *dir); /* frames, copies too */

/* main.c */
int64_t path_now(void);

#endif
