/* SPDX-License-Identifier: GPL-3.0-or-later
 * Messages from one thread to one other: put into a batch without a lock, posted as a whole, taken
 * as a whole, so that the lock is taken twice a turn and not once a message. The descriptor is
 * readable while something that was posted has not been taken. */
#ifndef RS_RUN_MAILBOX_H
#define RS_RUN_MAILBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct letters { /* a batch: private to mailbox.c */
    uint8_t *bytes;
    size_t n, room;
};

struct mailbox {
    pthread_mutex_t lock;
    int fd;                /* eventfd */
    struct letters shared; /* under the lock */
    struct letters draft;  /* the sender's alone */
    struct letters taken;  /* the reader's alone */
    size_t at;             /* in `taken` */
    uint64_t waiting;      /* letters put and not read; atomic */
};

struct letter { /* bytes: aligned to 8; the reader's until the next mailbox_take */
    uint32_t kind;
    const void *bytes;
    size_t n;
};

/* 0, -RS_ESYS. */
int mailbox_init(struct mailbox *m, struct rs_err *err);
/* What was not taken is lost. Of a mailbox of zero bytes: nothing. */
void mailbox_free(struct mailbox *m);

/* The sender. `parts` are joined. -RS_ENOMEM: it is not in the draft. */
struct letter_part {
    const void *bytes;
    size_t n;
};
int mailbox_put(struct mailbox *m, uint32_t kind, const struct letter_part *parts, size_t n);
/* What was put goes to the reader. 0, or -RS_ENOMEM: it stays in the draft. */
int mailbox_post(struct mailbox *m);
/* Letters that the reader has not come to yet, those of the draft among them: how far it is behind.
 * Either side may ask. */
uint64_t mailbox_waiting(const struct mailbox *m);

/* The reader is woken though nothing was posted. */
void mailbox_wake(struct mailbox *m);

/* The reader. What it will not take yet must not keep the descriptor readable. */
void mailbox_heard(struct mailbox *m);
/* Takes all that was posted; false when there was nothing. */
bool mailbox_take(struct mailbox *m);
/* The next of what was taken; false: no more. */
bool mailbox_next(struct mailbox *m, struct letter *out);

#endif
