/* SPDX-License-Identifier: GPL-3.0-or-later
 * The parser, as it is used: link layer, packet, quote, printer. The first byte chooses the mode.
 */
#include <string.h>

#include "fuzz/fuzz.h"
#include "wire/link.h"
#include "wire/options.h"
#include "wire/print.h"
#include "wire/view.h"

static const int links[] = {WIRE_LINK_NULL, WIRE_LINK_ETHERNET, WIRE_LINK_RAW,  WIRE_LINK_LOOP,
                            WIRE_LINK_SLL,  WIRE_LINK_SLL2,     WIRE_LINK_IPV4, 105};

/* Whatever the view points to must lie in the bytes that were given. */
static void inside(const uint8_t *part, size_t part_n, const uint8_t *bytes, size_t n)
{
    if (part_n == 0)
        return;
    CHECK(part >= bytes && part_n <= n && (size_t)(part - bytes) <= n - part_n);
}

static void check_view(const struct wire_view *v, const uint8_t *bytes, size_t n)
{
    inside(v->payload, v->payload_captured, bytes, n);
    inside(v->options, v->options_bytes, bytes, n);
    inside(v->quote, v->quote_bytes, bytes, n);
    CHECK(v->payload_captured <= v->payload_bytes);
    CHECK(v->options_bytes <= 40);
    CHECK(v->flags <= 0xfff && v->ip_flags <= 7 && v->flow_label <= 0xfffff);
    CHECK(!(v->have & WIRE_QUOTE) || wire_is_icmp_error(v));
    CHECK(!(v->have & WIRE_TCP) || (v->have & WIRE_TCP_SEQ));
    CHECK(!(v->have & WIRE_TCP_SEQ) || (v->have & WIRE_PORTS));
    CHECK(!(v->have & WIRE_PORTS) || v->proto == IP_PROTO_TCP || v->proto == IP_PROTO_UDP);
}

static void use(const struct wire_view *v)
{
    char small[24], large[512];
    struct wire_options o;
    size_t wanted = wire_print(large, sizeof large, v, WIRE_PRINT_ADDRESSES, 1, 2);
    CHECK(strlen(large) == (wanted < sizeof large ? wanted : sizeof large - 1));
    CHECK(wire_print(small, sizeof small, v, WIRE_PRINT_ADDRESSES, 1, 2) == wanted);
    CHECK(wire_print(large, sizeof large, v, WIRE_PRINT_SHORT, 0, 0) <= wanted);
    wire_options_parse(&o, v->options, v->options_bytes);
    CHECK(v->proto != IP_PROTO_TCP || v->l4_cksum != WIRE_CKSUM_GOOD || !(v->have & WIRE_FRAGMENT));
}

static void parse(const uint8_t *bytes, size_t n, enum wire_mode mode)
{
    struct wire_view v;
    int rc = wire_parse(&v, bytes, n, mode);
    check_view(&v, bytes, n);
    CHECK(rc != 0 || (v.have & (WIRE_IP4 | WIRE_IP6)));
    use(&v);
    if (v.have & WIRE_QUOTE) {
        struct wire_view q;
        wire_parse(&q, v.quote, v.quote_bytes, WIRE_PARSE_QUOTE);
        check_view(&q, v.quote, v.quote_bytes);
        CHECK(q.l4_cksum == WIRE_CKSUM_UNKNOWN);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_link_view link;
    if (size == 0)
        return 0;
    unsigned mode = data[0] % 10;
    data++;
    size--;
    if (mode >= 8) {
        parse(data, size, mode == 8 ? WIRE_PARSE_PACKET : WIRE_PARSE_QUOTE);
        return 0;
    }
    if (wire_link_parse(&link, links[mode], data, size) != 0)
        return 0;
    CHECK(wire_link_known(links[mode]) && link.ip_offset <= size);
    if (link.src_mac != NULL)
        inside(link.src_mac, 6, data, size);
    parse(data + link.ip_offset, size - link.ip_offset, WIRE_PARSE_PACKET);
    return 0;
}
