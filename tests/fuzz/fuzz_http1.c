/* SPDX-License-Identifier: GPL-3.0-or-later
 * The HTTP/1 reader: whole, and in pieces that the first bytes choose; both must agree. Then the
 * request, made of the same bytes. */
#include <string.h>

#include "base/err.h"
#include "exchange/exchange.h"
#include "fuzz/fuzz.h"

struct reading {
    enum exchange_status status;
    struct exchange_result result;
};

/* A copy for each piece, freed at once: the reader must keep none of it. */
static enum exchange_status input_copy(const struct exchange *x,
                                       void *state,
                                       const uint8_t *bytes,
                                       size_t n)
{
    uint8_t *copy = malloc(n);
    CHECK(copy != NULL || n == 0);
    if (n > 0)
        memcpy(copy, bytes, n);
    enum exchange_status status = x->input(state, copy, n);
    free(copy);
    return status;
}

/* Pieces of 1 to 16 bytes by `pattern`; 0: all at once. */
static struct reading read_all(const uint8_t *data, size_t size, uint64_t pattern)
{
    _Alignas(8) uint8_t state[EXCHANGE_STATE_BYTES] = {0};
    struct reading r = {.status = EXCHANGE_MORE};
    for (size_t at = 0; at < size;) {
        size_t n = pattern == 0 ? size : 1 + (pattern & 15);
        n = n < size - at ? n : size - at;
        enum exchange_status status = input_copy(&exchange_http, state, data + at, n);
        CHECK(r.status == EXCHANGE_MORE || status == r.status); /* an end is for good */
        r.status = status;
        pattern = pattern << 4 | pattern >> 60;
        at += n;
    }
    enum exchange_status ended = exchange_http.end(state);
    CHECK(ended != EXCHANGE_MORE);
    CHECK(r.status == EXCHANGE_MORE || ended == r.status);
    exchange_http.result(state, &r.result);
    CHECK(r.result.body_bytes <= 65536);
    CHECK((ended == EXCHANGE_FAILED) == (r.result.error[0] != '\0'));
    CHECK(ended != EXCHANGE_DONE || r.result.complete);
    CHECK(!r.result.complete || r.result.status >= 200);
    CHECK(memchr(r.result.server, 0, sizeof r.result.server) != NULL);
    return r;
}

static void make_request(const uint8_t *data, size_t size)
{
    char domain[64], agent[64];
    uint8_t out[256];
    size_t n = 0, half = size / 2 < 63 ? size / 2 : 63;
    memcpy(domain, data, half);
    domain[half] = '\0';
    memcpy(agent, data + half, half);
    agent[half] = '\0';
    struct exchange_target t = {
        .domain = domain, .address = "[::1]", .port = 8080, .user_agent = agent};
    if (exchange_http.request(&t, out, sizeof out, &n) != 0)
        return;
    unsigned lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += out[i] == '\n' || out[i] == '\r';
    CHECK(n < sizeof out && lines == 12); /* nothing that the caller gave added a line */
}

static void hear_a_server_that_speaks_first(const uint8_t *data, size_t size)
{
    _Alignas(8) uint8_t state[EXCHANGE_STATE_BYTES] = {0};
    const struct exchange *x = exchange_find("tcp");
    struct exchange_result result;
    size_t n = 1;
    CHECK(x->request(&(struct exchange_target){0}, NULL, 0, &n) == 0 && n == 0);
    CHECK(input_copy(x, state, data, size) == EXCHANGE_DONE && x->end(state) == EXCHANGE_DONE);
    x->result(state, &result);
    CHECK(result.body_bytes == size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t pattern = 1;
    if (size < 8)
        return 0;
    memcpy(&pattern, data, 8);
    data += 8;
    size -= 8;
    struct reading whole = read_all(data, size, 0), pieces = read_all(data, size, pattern | 1);
    CHECK(whole.status == pieces.status);
    CHECK(memcmp(&whole.result.server, &pieces.result.server, sizeof whole.result.server) == 0);
    CHECK(whole.result.body_bytes == pieces.result.body_bytes);
    CHECK(whole.result.status == pieces.result.status);
    make_request(data, size);
    hear_a_server_that_speaks_first(data, size);
    return 0;
}
