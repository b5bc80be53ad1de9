/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run/mailbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct head {
    uint32_t kind, pad;
    uint64_t n;
};

_Static_assert(sizeof(struct head) % 8 == 0, "letters stay aligned");

static size_t padded(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

static bool make_room(struct letters *l, size_t n)
{
    if (l->room - l->n >= n)
        return true;
    size_t room = l->room < 4096 ? 4096 : l->room;
    while (room - l->n < n)
        room *= 2;
    uint8_t *bytes = realloc(l->bytes, room);
    if (bytes == NULL)
        return false;
    l->bytes = bytes;
    l->room = room;
    return true;
}

int mailbox_init(struct mailbox *m, struct rs_err *err)
{
    memset(m, 0, sizeof *m);
    m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (m->fd < 0)
        return rs_fail_errno(err, errno, "cannot make an event descriptor");
    pthread_mutex_init(&m->lock, NULL);
    return 0;
}

void mailbox_free(struct mailbox *m)
{
    if (m->fd <= 0)
        return;
    close(m->fd);
    pthread_mutex_destroy(&m->lock);
    free(m->shared.bytes);
    free(m->draft.bytes);
    free(m->taken.bytes);
    memset(m, 0, sizeof *m);
}

int mailbox_put(struct mailbox *m, uint32_t kind, const struct letter_part *parts, size_t n)
{
    struct head h = {.kind = kind};
    for (size_t i = 0; i < n; i++)
        h.n += parts[i].n;
    if (!make_room(&m->draft, sizeof h + padded(h.n)))
        return -RS_ENOMEM;
    uint8_t *at = m->draft.bytes + m->draft.n;
    m->draft.n += sizeof h + padded(h.n);
    memcpy(at, &h, sizeof h);
    at += sizeof h;
    for (size_t i = 0; i < n; i++) {
        if (parts[i].n > 0)
            memcpy(at, parts[i].bytes, parts[i].n);
        at += parts[i].n;
    }
    __atomic_add_fetch(&m->waiting, 1, __ATOMIC_RELAXED);
    return 0;
}

int mailbox_post(struct mailbox *m)
{
    if (m->draft.n == 0)
        return 0;
    pthread_mutex_lock(&m->lock);
    bool was_empty = m->shared.n == 0, fits = true;
    if (was_empty) {
        struct letters swap = m->shared;
        m->shared = m->draft;
        m->draft = swap;
    } else if ((fits = make_room(&m->shared, m->draft.n))) {
        memcpy(m->shared.bytes + m->shared.n, m->draft.bytes, m->draft.n);
        m->shared.n += m->draft.n;
    }
    pthread_mutex_unlock(&m->lock);
    if (!fits)
        return -RS_ENOMEM;
    m->draft.n = 0;
    if (was_empty)
        mailbox_wake(m);
    return 0;
}

void mailbox_wake(struct mailbox *m)
{
    uint64_t one = 1;
    if (write(m->fd, &one, sizeof one) < 0)
        return; /* EAGAIN: it is readable already */
}

void mailbox_heard(struct mailbox *m)
{
    uint64_t ticks;
    if (read(m->fd, &ticks, sizeof ticks) < 0)
        return; /* EAGAIN: nothing was said */
}

uint64_t mailbox_waiting(const struct mailbox *m)
{
    return __atomic_load_n(&m->waiting, __ATOMIC_RELAXED);
}

bool mailbox_take(struct mailbox *m)
{
    mailbox_heard(m);
    pthread_mutex_lock(&m->lock);
    struct letters swap = m->taken;
    m->taken = m->shared;
    m->shared = swap;
    m->shared.n = 0;
    pthread_mutex_unlock(&m->lock);
    m->at = 0;
    return m->taken.n > 0;
}

bool mailbox_next(struct mailbox *m, struct letter *out)
{
    struct head h;
    if (m->at >= m->taken.n)
        return false;
    memcpy(&h, m->taken.bytes + m->at, sizeof h);
    *out = (struct letter){h.kind, m->taken.bytes + m->at + sizeof h, (size_t)h.n};
    m->at += sizeof h + padded((size_t)h.n);
    __atomic_sub_fetch(&m->waiting, 1, __ATOMIC_RELAXED);
    return true;
}
