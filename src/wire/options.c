/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wire/options.h"

#include <string.h>

#include "base/cursor.h"

#define FASTOPEN_EXPERIMENT 0xf989u

static void fast_open(struct wire_options *o, uint8_t kind, size_t cookie_bytes)
{
    if (o->have & OPT_FASTOPEN)
        return;
    o->have |= OPT_FASTOPEN;
    o->tfo_kind = kind;
    o->tfo_cookie_bytes = (uint8_t)cookie_bytes;
}

/* One option whose length is sound. A known kind with a length that is not its own is skipped by
 * that length and says nothing (RFC 9293 3.1, MUST-6 and MUST-7). */
static void understand(struct wire_options *o, uint8_t kind, struct cursor body)
{
    uint16_t mss, experiment;
    uint32_t tsval, tsecr;

    switch (kind) {
    case TCPOPT_MSS: /* RFC 9293 3.2 */
        if (o->mss_length == 0)
            o->mss_length = (uint8_t)(body.left + 2);
        if (body.left == 2 && !(o->have & OPT_MSS) && get_be16(&body, &mss)) {
            o->mss = mss;
            o->have |= OPT_MSS;
        }
        break;
    case TCPOPT_WSCALE: /* RFC 7323 2.2 */
        if (body.left == 1 && !(o->have & OPT_WSCALE) && get_u8(&body, &o->wscale))
            o->have |= OPT_WSCALE;
        break;
    case TCPOPT_SACK_OK: /* RFC 2018 2 */
        if (body.left == 0)
            o->have |= OPT_SACK_OK;
        break;
    case TCPOPT_SACK: /* RFC 2018 3: pairs of edges */
        if (body.left >= 8 && body.left % 8 == 0 && !(o->have & OPT_SACK)) {
            o->sack_blocks = (uint8_t)(body.left / 8);
            o->have |= OPT_SACK;
        }
        break;
    case TCPOPT_TIMESTAMP: /* RFC 7323 3.2 */
        if (body.left == 8 && !(o->have & OPT_TIMESTAMP) && get_be32(&body, &tsval) &&
            get_be32(&body, &tsecr)) {
            o->tsval = tsval;
            o->tsecr = tsecr;
            o->have |= OPT_TIMESTAMP;
        }
        break;
    case TCPOPT_FASTOPEN: /* RFC 7413 4.1.1 */
        fast_open(o, kind, body.left);
        break;
    case TCPOPT_EXP1: /* RFC 7413 appendix A.2, RFC 6994 */
    case TCPOPT_EXP2:
        if (get_be16(&body, &experiment) && experiment == FASTOPEN_EXPERIMENT)
            fast_open(o, kind, body.left);
        break;
    default:
        break;
    }
}

void wire_options_parse(struct wire_options *out, const uint8_t *bytes, size_t n)
{
    struct cursor c = {bytes, n};
    uint8_t kind, length;

    memset(out, 0, sizeof *out);
    while (get_u8(&c, &kind) && kind != TCPOPT_END) {
        struct cursor body = {c.at, 0};
        if (kind == TCPOPT_NOP)
            continue;
        if (!get_u8(&c, &length) || length < 2) {
            out->have |= OPT_MALFORMED;
            return;
        }
        body.left = length - 2u;
        if (!get_bytes(&c, body.left, &body.at)) {
            out->have |= OPT_MALFORMED;
            return;
        }
        if (out->n_kinds < sizeof out->kinds)
            out->kinds[out->n_kinds++] = kind;
        understand(out, kind, body);
    }
}

static uint8_t *put_timestamps(uint8_t *at, const struct wire_options *o)
{
    at[0] = TCPOPT_TIMESTAMP;
    at[1] = 10;
    put_be32(at + 2, o->tsval);
    put_be32(at + 6, o->tsecr);
    return at + 10;
}

/* Each group is a multiple of 4 and is what Linux sends: SACK-permitted takes the place of the two
 * NOPs before the timestamps when both are there. */
static uint8_t *put_syn(uint8_t *at, const struct wire_options *o)
{
    if (o->have & OPT_MSS) {
        at[0] = TCPOPT_MSS;
        at[1] = 4;
        put_be16(at + 2, o->mss);
        at += 4;
    }
    if (o->have & (OPT_SACK_OK | OPT_TIMESTAMP)) {
        bool both = (o->have & OPT_SACK_OK) && (o->have & OPT_TIMESTAMP);
        if (!both) {
            *at++ = TCPOPT_NOP;
            *at++ = TCPOPT_NOP;
        }
        if (o->have & OPT_SACK_OK) {
            *at++ = TCPOPT_SACK_OK;
            *at++ = 2;
        }
        if (o->have & OPT_TIMESTAMP)
            at = put_timestamps(at, o);
    }
    if (o->have & OPT_WSCALE) {
        *at++ = TCPOPT_NOP;
        *at++ = TCPOPT_WSCALE;
        *at++ = 3;
        *at++ = o->wscale;
    }
    return at;
}

size_t wire_options_write(const struct wire_options *o, bool syn, uint8_t out[40])
{
    if (syn)
        return (size_t)(put_syn(out, o) - out);
    if (!(o->have & OPT_TIMESTAMP))
        return 0;
    out[0] = TCPOPT_NOP; /* RFC 7323 appendix A */
    out[1] = TCPOPT_NOP;
    return (size_t)(put_timestamps(out + 2, o) - out);
}
