/* SPDX-License-Identifier: GPL-3.0-or-later
 * The exchange that says nothing: the handshake is the measurement. */
#include <string.h>

#include "exchange/exchange.h"

struct tcp_exchange {
    uint64_t bytes; /* a server that speaks first (SMTP, SSH) is counted and not read */
};

_Static_assert(sizeof(struct tcp_exchange) <= EXCHANGE_STATE_BYTES, "state of exchange tcp");

static int request(const struct exchange_target *t, uint8_t *out, size_t cap, size_t *n)
{
    (void)t;
    (void)out;
    (void)cap;
    *n = 0;
    return 0;
}

static enum exchange_status input(void *state, const uint8_t *bytes, size_t n)
{
    struct tcp_exchange *s = state;
    (void)bytes;
    s->bytes += n;
    return EXCHANGE_DONE;
}

static enum exchange_status end(void *state)
{
    (void)state;
    return EXCHANGE_DONE;
}

static void result(const void *state, struct exchange_result *out)
{
    const struct tcp_exchange *s = state;
    memset(out, 0, sizeof *out);
    out->complete = true;
    out->body_bytes = s->bytes;
}

const struct exchange exchange_tcp = {
    .name = "tcp",
    .default_port = 80,
    .request = request,
    .input = input,
    .end = end,
    .result = result,
};
