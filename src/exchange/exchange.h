/* SPDX-License-Identifier: GPL-3.0-or-later
 * What is said over a connection: bytes in, bytes out, no sockets. One const struct an exchange;
 * its state is a block that the runner provides. */
#ifndef RS_EXCHANGE_EXCHANGE_H
#define RS_EXCHANGE_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXCHANGE_STATE_BYTES 96

struct exchange_target { /* strings are borrowed, NUL-terminated, may be NULL */
    const char *domain;  /* of the job: Host header, SNI, query name */
    const char *address; /* literal, bracketed when IPv6: the Host header when there is no domain */
    uint16_t port;
    const char *user_agent; /* "rawspider/VERSION (+CONTACT)" */
};

enum exchange_status {
    EXCHANGE_MORE,  /* wants more bytes */
    EXCHANGE_DONE,  /* the answer is complete, or complete enough (its bound is reached): close */
    EXCHANGE_FAILED /* the answer breaks the protocol: close; result tells */
};

struct exchange_result { /* for the arm log; fixed size */
    bool complete;       /* a whole, valid answer head was read; tcp reads none: always true */
    uint16_t status;     /* HTTP status code; 0 none */
    uint64_t body_bytes; /* bytes of body seen */
    char server[32];     /* HTTP Server header, shortened; empty if none */
    char error[64];      /* what was wrong with the answer; empty if nothing */
};

struct exchange {
    const char *name;      /* "tcp", "http" */
    uint16_t default_port; /* of jobs without dp */
    /* Writes the request into `out` (at most `cap`); 0 and *n (0 bytes: nothing to say), or
     * -RS_ENOMEM when it does not fit, -RS_EINVAL when the domain cannot be put into a request
     * (control characters). The same for every arm. */
    int (*request)(const struct exchange_target *t, uint8_t *out, size_t cap, size_t *n);
    /* `state` is EXCHANGE_STATE_BYTES zero bytes at first, aligned to 8. In-order bytes from the
     * peer. */
    enum exchange_status (*input)(void *state, const uint8_t *bytes, size_t n);
    /* The peer closed its side: is what was read complete? */
    enum exchange_status (*end)(void *state);
    void (*result)(const void *state, struct exchange_result *out);
};

extern const struct exchange exchange_tcp;  /* handshake, then an orderly close */
extern const struct exchange exchange_http; /* GET / HTTP/1.1, Connection: close (RFC 9110, 9112) */

/* By name, or NULL. exchange_list() ends with NULL. */
const struct exchange *exchange_find(const char *name);
const struct exchange *const *exchange_list(void);

#endif
