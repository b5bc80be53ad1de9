/* SPDX-License-Identifier: GPL-3.0-or-later
 * Chain dns: is it a DNS response (RFC 1035 4)? A check of structure: nothing is looked up, and the
 * data of a record is looked at for its length only. Messages are not put together from packets. */
#include "observe/flow_int.h"

#include "base/cursor.h"

#define HEADER_BYTES 12u
#define QR           0x8000u
#define NAME_MOST    255u /* RFC 1035 2.3.4 */
#define JUMPS_MOST   127u /* a name of 255 bytes has no more labels to jump between */
#define TYPE_A       1u
#define TYPE_AAAA    28u
#define CLASS_IN     1u

struct message {
    const uint8_t *bytes;
    size_t n;
};

static struct cursor from(const struct message *m, size_t offset)
{
    return (struct cursor){m->bytes + offset, m->n - offset};
}

/* RFC 1035 4.1.4: labels, and pointers to what stands before, each further back than the last: so
 * there is no loop. Moves `c` behind the name where it began. */
static bool name(const struct message *m, struct cursor *c)
{
    struct cursor at = *c;
    size_t bytes = 0, before = (size_t)(c->at - m->bytes);
    unsigned jumps = 0;
    uint8_t length, low;
    while (get_u8(&at, &length)) {
        if (length >= 0xc0) {
            if (!get_u8(&at, &low))
                return false;
            if (jumps++ == 0)
                *c = at;
            size_t target = (size_t)(length & 0x3fu) << 8 | low;
            if (target < HEADER_BYTES || target >= before || jumps > JUMPS_MOST)
                return false;
            before = target;
            at = from(m, target);
            continue;
        }
        bytes += length + 1u;
        if (length >= 0x40 || bytes > NAME_MOST || !cursor_skip(&at, length))
            return false; /* 01 and 10 are of no use any more (RFC 6891 5) */
        if (length == 0) {
            if (jumps == 0)
                *c = at;
            return true;
        }
    }
    return false;
}

/* RFC 1035 4.1.2 */
static bool question(const struct message *m, struct cursor *c)
{
    return name(m, c) && cursor_skip(c, 4);
}

/* RFC 1035 4.1.3; RFC 1035 3.4.1 and RFC 3596 2.2 for the length of an address. */
static bool record(const struct message *m, struct cursor *c)
{
    uint16_t type, class, length;
    uint32_t ttl;
    if (!name(m, c) || !get_be16(c, &type) || !get_be16(c, &class) || !get_be32(c, &ttl) ||
        !get_be16(c, &length))
        return false;
    if (class == CLASS_IN &&
        ((type == TYPE_A && length != 4) || (type == TYPE_AAAA && length != 16)))
        return false;
    return cursor_skip(c, length);
}

static bool is_response(const uint8_t *bytes, size_t n)
{
    struct message m = {bytes, n};
    struct cursor c = {bytes, n};
    uint16_t id, flags, questions, count;
    uint32_t records = 0;
    if (!get_be16(&c, &id) || !get_be16(&c, &flags) || !(flags & QR) || !get_be16(&c, &questions))
        return false;
    for (unsigned section = 0; section < 3; section++) {
        if (!get_be16(&c, &count))
            return false;
        records += count;
    }
    for (unsigned i = 0; i < questions; i++)
        if (!question(&m, &c))
            return false;
    for (uint32_t i = 0; i < records; i++)
        if (!record(&m, &c))
            return false;
    return c.left == 0;
}

/* RFC 1035 4.2.2, RFC 7766 8: messages one after another, each behind its length. */
static bool has_response(const struct wire_view *v)
{
    struct cursor c = {v->payload, v->payload_captured};
    const uint8_t *bytes;
    uint16_t length;
    while (get_be16(&c, &length) && get_bytes(&c, length, &bytes))
        if (is_response(bytes, length))
            return true;
    return false;
}

void chain_dns(struct flow *f, const struct seen *s)
{
    const struct wire_view *v = s->v;
    if (s->dir != FLOW_REV || f->dns_response_valid || v->payload_captured < HEADER_BYTES)
        return;
    if (v->have & WIRE_UDP)
        f->dns_response_valid =
            v->payload_captured == v->payload_bytes && is_response(v->payload, v->payload_bytes);
    else if (v->have & WIRE_TCP)
        f->dns_response_valid = has_response(v);
}
