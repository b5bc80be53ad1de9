/* SPDX-License-Identifier: GPL-3.0-or-later
 * libev's part: io and signal watchers, a prepare watcher that sets the timerfd just before the
 * loop sleeps, a check watcher of least priority that ends each turn. */
#include "net/loop.h"

#include <errno.h>
#include <ev.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct watch {
    ev_io io;
    void (*readable)(void *ctx);
    void *ctx;
};

struct caught {
    ev_signal signal;
    void (*caught)(void *ctx, int signo);
    void *ctx;
    struct caught *next;
};

struct loop {
    struct ev_loop *ev;
    struct watch **watches; /* by id; NULL where unwatched */
    size_t n_watches;
    struct caught *signals;
    ev_prepare prepare;
    ev_check check;
    ev_io timer;
    int timer_fd;
    rs_mono wake_at;  /* asked for */
    rs_mono timer_at; /* what the timerfd is set to */
    void (*wake)(void *ctx);
    void *wake_ctx;
    void (*turn)(void *ctx);
    void *turn_ctx;
};

static void set_timer(struct loop *l)
{
    if (l->timer_at.ns == l->wake_at.ns)
        return;
    struct itimerspec at = {0}; /* all zero disarms */
    if (l->wake_at.ns != UINT64_MAX) {
        uint64_t ns = l->wake_at.ns != 0 ? l->wake_at.ns : 1;
        at.it_value.tv_sec = (time_t)(ns / RS_SEC);
        at.it_value.tv_nsec = (long)(ns % RS_SEC);
    }
    if (timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) == 0)
        l->timer_at = l->wake_at;
}

static void on_prepare(EV_P_ ev_prepare *w, int events)
{
    (void)events;
    (void)loop;
    set_timer(w->data);
}

static void on_check(EV_P_ ev_check *w, int events)
{
    (void)events;
    (void)loop;
    struct loop *l = w->data;
    if (l->turn != NULL)
        l->turn(l->turn_ctx);
}

static void on_timer(EV_P_ ev_io *w, int events)
{
    (void)events;
    (void)loop;
    struct loop *l = w->data;
    uint64_t ticks;
    if (read(l->timer_fd, &ticks, sizeof ticks) != (ssize_t)sizeof ticks)
        return;
    l->wake_at = l->timer_at = RS_NEVER;
    if (l->wake != NULL)
        l->wake(l->wake_ctx);
}

static void on_readable(EV_P_ ev_io *w, int events)
{
    (void)events;
    (void)loop;
    struct watch *watch = w->data;
    watch->readable(watch->ctx);
}

static void on_signal(EV_P_ ev_signal *w, int events)
{
    (void)events;
    (void)loop;
    struct caught *c = w->data;
    c->caught(c->ctx, w->signum);
}

/* Priorities make the order of a turn: readers, wake, signals, turn. */
static void start_own_watchers(struct loop *l)
{
    ev_io_init(&l->timer, on_timer, l->timer_fd, EV_READ);
    ev_set_priority(&l->timer, 1);
    l->timer.data = l;
    ev_io_start(l->ev, &l->timer);
    ev_prepare_init(&l->prepare, on_prepare);
    l->prepare.data = l;
    ev_prepare_start(l->ev, &l->prepare);
    ev_check_init(&l->check, on_check);
    ev_set_priority(&l->check, EV_MINPRI);
    l->check.data = l;
    ev_check_start(l->ev, &l->check);
}

struct loop *loop_new(struct rs_err *err)
{
    struct loop *l = calloc(1, sizeof *l);
    if (l == NULL) {
        rs_fail(err, RS_ENOMEM, "no memory for the event loop");
        return NULL;
    }
    l->wake_at = l->timer_at = RS_NEVER;
    l->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (l->timer_fd < 0) {
        rs_fail_errno(err, errno, "cannot make a timer descriptor");
        free(l);
        return NULL;
    }
    l->ev = ev_loop_new(EVBACKEND_EPOLL | EVFLAG_NOENV);
    if (l->ev == NULL) {
        rs_fail(err, RS_ESYS, "cannot make an event loop: epoll is not to be had");
        close(l->timer_fd);
        free(l);
        return NULL;
    }
    start_own_watchers(l);
    return l;
}

void loop_free(struct loop *l)
{
    if (l == NULL)
        return;
    for (size_t i = 0; i < l->n_watches; i++)
        loop_unwatch(l, (int)i);
    while (l->signals != NULL) {
        struct caught *c = l->signals;
        l->signals = c->next;
        ev_signal_stop(l->ev, &c->signal);
        free(c);
    }
    ev_io_stop(l->ev, &l->timer);
    ev_prepare_stop(l->ev, &l->prepare);
    ev_check_stop(l->ev, &l->check);
    ev_loop_destroy(l->ev);
    close(l->timer_fd);
    free(l->watches);
    free(l);
}

/* A free id, growing the table when none is left. */
static int free_id(struct loop *l)
{
    for (size_t i = 0; i < l->n_watches; i++) {
        if (l->watches[i] == NULL)
            return (int)i;
    }
    struct watch **more = realloc(l->watches, (l->n_watches + 8) * sizeof *more);
    if (more == NULL)
        return -RS_ENOMEM;
    memset(more + l->n_watches, 0, 8 * sizeof *more);
    l->watches = more;
    l->n_watches += 8;
    return (int)(l->n_watches - 8);
}

int loop_watch(struct loop *l, int fd, void (*readable)(void *ctx), void *ctx)
{
    int id = free_id(l);
    if (id < 0)
        return id;
    struct watch *w = calloc(1, sizeof *w);
    if (w == NULL)
        return -RS_ENOMEM;
    w->readable = readable;
    w->ctx = ctx;
    ev_io_init(&w->io, on_readable, fd, EV_READ);
    ev_set_priority(&w->io, EV_MAXPRI);
    w->io.data = w;
    ev_io_start(l->ev, &w->io);
    l->watches[id] = w;
    return id;
}

static struct watch *watch_of(struct loop *l, int id)
{
    return id >= 0 && (size_t)id < l->n_watches ? l->watches[id] : NULL;
}

void loop_unwatch(struct loop *l, int id)
{
    struct watch *w = watch_of(l, id);
    if (w == NULL)
        return;
    ev_io_stop(l->ev, &w->io);
    l->watches[id] = NULL;
    free(w);
}

void loop_pause(struct loop *l, int id)
{
    struct watch *w = watch_of(l, id);
    if (w != NULL)
        ev_io_stop(l->ev, &w->io);
}

void loop_resume(struct loop *l, int id)
{
    struct watch *w = watch_of(l, id);
    if (w != NULL)
        ev_io_start(l->ev, &w->io);
}

void loop_wake_at(struct loop *l, rs_mono at)
{
    l->wake_at = at;
}

void loop_on_wake(struct loop *l, void (*wake)(void *ctx), void *ctx)
{
    l->wake = wake;
    l->wake_ctx = ctx;
}

void loop_on_turn(struct loop *l, void (*turn)(void *ctx), void *ctx)
{
    l->turn = turn;
    l->turn_ctx = ctx;
}

int loop_signal(struct loop *l, int signo, void (*caught)(void *ctx, int signo), void *ctx)
{
    if (signo <= 0 || signo >= NSIG)
        return -RS_EINVAL;
    struct caught *c = calloc(1, sizeof *c);
    if (c == NULL)
        return -RS_ENOMEM;
    c->caught = caught;
    c->ctx = ctx;
    ev_signal_init(&c->signal, on_signal, signo);
    c->signal.data = c;
    ev_signal_start(l->ev, &c->signal);
    c->next = l->signals;
    l->signals = c;
    return 0;
}

void loop_run(struct loop *l)
{
    ev_run(l->ev, 0);
}

void loop_stop(struct loop *l)
{
    ev_break(l->ev, EVBREAK_ONE);
}
