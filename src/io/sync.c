/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/sync_int.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

struct sync {
    int fd;
    pthread_t thread;
    bool has_thread; /* false: none could be started, and requests are done at once */
    pthread_mutex_t lock;
    pthread_cond_t asked;
    bool is_wanted, is_over; /* under the lock, as the next */
    int failed;
};

/* What cannot be brought to a disk (EINVAL, EROFS: some file systems) is none that can be lost. */
static int bring(int fd)
{
    int rc;
    do
        rc = fdatasync(fd);
    while (rc != 0 && errno == EINTR);
    return rc == 0 || errno == EINVAL || errno == EROFS ? 0 : errno;
}

static void remember(struct sync *s, int failed)
{
    pthread_mutex_lock(&s->lock);
    if (s->failed == 0)
        s->failed = failed;
    pthread_mutex_unlock(&s->lock);
}

static void *run(void *ctx)
{
    struct sync *s = ctx;
    pthread_mutex_lock(&s->lock);
    while (!s->is_over) {
        if (!s->is_wanted) {
            pthread_cond_wait(&s->asked, &s->lock);
            continue;
        }
        s->is_wanted = false;
        pthread_mutex_unlock(&s->lock);
        remember(s, bring(s->fd));
        pthread_mutex_lock(&s->lock);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* Signals are for the thread that has the event loop. */
static bool start(struct sync *s)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&s->thread, NULL, run, s) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

struct sync *sync_new(int fd)
{
    struct sync *s = calloc(1, sizeof *s);
    if (s == NULL)
        return NULL;
    s->fd = fd;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->asked, NULL);
    s->has_thread = start(s);
    return s;
}

void sync_ask(struct sync *s)
{
    if (!s->has_thread) {
        remember(s, bring(s->fd));
        return;
    }
    pthread_mutex_lock(&s->lock);
    s->is_wanted = true;
    pthread_cond_signal(&s->asked);
    pthread_mutex_unlock(&s->lock);
}

int sync_failed(struct sync *s)
{
    pthread_mutex_lock(&s->lock);
    int failed = s->failed;
    pthread_mutex_unlock(&s->lock);
    return failed;
}

int sync_end(struct sync *s)
{
    if (s == NULL)
        return 0;
    pthread_mutex_lock(&s->lock);
    s->is_over = true;
    pthread_cond_signal(&s->asked);
    pthread_mutex_unlock(&s->lock);
    if (s->has_thread)
        pthread_join(s->thread, NULL);
    remember(s, bring(s->fd));
    int failed = s->failed;
    pthread_cond_destroy(&s->asked);
    pthread_mutex_destroy(&s->lock);
    free(s);
    return failed;
}
