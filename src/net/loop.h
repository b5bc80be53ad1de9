/* SPDX-License-Identifier: GPL-3.0-or-later
 * One event loop (libev): readable descriptors, one timer, signals, and one callback a turn. The
 * timer is a timerfd on CLOCK_MONOTONIC: setting the wall clock moves nothing, and a wake-up is not
 * rounded to the millisecond that epoll knows. Order within a turn: readers, wake, signals, then
 * turn. All callbacks run inside loop_run, and may call every function here but loop_free. */
#ifndef RS_NET_LOOP_H
#define RS_NET_LOOP_H

#include "base/err.h"
#include "base/time.h"

struct loop;

/* NULL on failure, with the text in `err`. */
struct loop *loop_new(struct rs_err *err);
/* Stops all watching; descriptors stay open, they belong to whoever gave them. NULL is ignored. */
void loop_free(struct loop *l);

/* Calls `readable` in each turn in which `fd` can be read, until it is unwatched or paused (level
 * triggered; a plain file is always readable). Returns an id >= 0, or -RS_ENOMEM. */
int loop_watch(struct loop *l, int fd, void (*readable)(void *ctx), void *ctx);
/* Unknown ids are ignored. Unwatch before the descriptor is closed. */
void loop_unwatch(struct loop *l, int id);
void loop_pause(struct loop *l, int id);
void loop_resume(struct loop *l, int id);

/* The one timer: moves it to `at` (RS_NEVER: none). It fires once, never early, and at once when
 * `at` has passed. */
void loop_wake_at(struct loop *l, rs_mono at);
void loop_on_wake(struct loop *l, void (*wake)(void *ctx), void *ctx);
/* Once in each turn, after all other callbacks of the turn. */
void loop_on_turn(struct loop *l, void (*turn)(void *ctx), void *ctx);

/* Calls `caught` from within the loop (not in signal context). 0, -RS_ENOMEM, or -RS_EINVAL for a
 * number that is no signal. The default action comes back with loop_free. */
int loop_signal(struct loop *l, int signo, void (*caught)(void *ctx, int signo), void *ctx);

/* Runs until loop_stop. */
void loop_run(struct loop *l);
/* Ends loop_run after the present turn. */
void loop_stop(struct loop *l);

#endif
