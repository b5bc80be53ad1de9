/* SPDX-License-Identifier: GPL-3.0-or-later
 * Letters from one thread to another: all of them, in order, whole, and no word lost between
 * "nothing there" and sleeping. */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "run/mailbox.h"

#define MANY 200000u

static bool is_readable(const struct mailbox *m)
{
    struct pollfd p = {.fd = m->fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

static void put(struct mailbox *m, uint32_t kind, const char *a, const char *b)
{
    struct letter_part parts[] = {{a, strlen(a)}, {b, strlen(b)}};
    assert_int_equal(mailbox_put(m, kind, parts, 2), 0);
}

static void in_order_and_whole(void **state)
{
    struct mailbox m;
    struct letter l;
    (void)state;
    assert_int_equal(mailbox_init(&m, NULL), 0);
    assert_false(mailbox_take(&m));
    put(&m, 1, "ab", "cde");
    put(&m, 2, "", "");
    assert_false(is_readable(&m)); /* put is not posted */
    assert_false(mailbox_take(&m));
    assert_int_equal(mailbox_waiting(&m), 2);
    assert_int_equal(mailbox_post(&m), 0);
    put(&m, 3, "", "12345678");
    assert_int_equal(mailbox_post(&m), 0); /* joins what was not taken */
    assert_true(is_readable(&m));
    assert_true(mailbox_take(&m));
    assert_false(is_readable(&m));
    assert_true(mailbox_next(&m, &l));
    assert_int_equal(l.kind, 1);
    assert_int_equal(l.n, 5);
    assert_memory_equal(l.bytes, "abcde", 5);
    assert_int_equal((uintptr_t)l.bytes % 8, 0);
    assert_true(mailbox_next(&m, &l));
    assert_int_equal(l.kind, 2);
    assert_int_equal(l.n, 0);
    assert_true(mailbox_next(&m, &l));
    assert_int_equal(l.n, 8);
    assert_memory_equal(l.bytes, "12345678", 8);
    assert_false(mailbox_next(&m, &l));
    assert_int_equal(mailbox_waiting(&m), 0);
    mailbox_free(&m);
}

static void *send_many(void *ctx)
{
    struct mailbox *m = ctx;
    uint64_t text[64] = {0};
    for (uint64_t i = 0; i < MANY; i++) {
        text[0] = i;
        struct letter_part part = {text, 8 + (size_t)(i * 7 % 400)};
        mailbox_put(m, (uint32_t)i, &part, 1);
        if (i % 13 == 0)
            mailbox_post(m);
    }
    mailbox_post(m);
    return NULL;
}

static void across_threads(void **state)
{
    struct mailbox m;
    pthread_t sender;
    uint64_t n = 0;
    (void)state;
    assert_int_equal(mailbox_init(&m, NULL), 0);
    assert_int_equal(pthread_create(&sender, NULL, send_many, &m), 0);
    while (n < MANY) {
        struct pollfd p = {.fd = m.fd, .events = POLLIN};
        struct letter l;
        assert_int_equal(poll(&p, 1, 10000), 1); /* else a word was lost, and this hangs */
        mailbox_take(&m);
        while (mailbox_next(&m, &l)) {
            uint64_t i;
            memcpy(&i, l.bytes, 8);
            assert_int_equal(i, n);
            assert_int_equal(l.kind, n);
            assert_int_equal(l.n, 8 + n * 7 % 400);
            n++;
        }
    }
    pthread_join(sender, NULL);
    assert_false(mailbox_take(&m));
    assert_int_equal(mailbox_waiting(&m), 0);
    mailbox_free(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(in_order_and_whole),
                                       cmocka_unit_test(across_threads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
