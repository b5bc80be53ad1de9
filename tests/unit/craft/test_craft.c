/* SPDX-License-Identifier: GPL-3.0-or-later
 * What craft builds, against bytes that a Linux kernel made, and against the parser. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "craft/craft.h"
#include "unit/recipe.h"
#include "wire/view.h"

static struct craft *c;
static uint8_t out[4096];
static size_t n;
static struct rs_err err;

static int setup(void **state)
{
    (void)state;
    c = craft_new(&err);
    return c == NULL;
}

static int teardown(void **state)
{
    (void)state;
    craft_free(c);
    return 0;
}

static struct wire_tuple tuple(int family, uint8_t proto, uint16_t dport)
{
    struct wire_tuple t = {.proto = proto, .sport = 61000, .dport = dport};
    wire_addr_parse(family == 4 ? "192.0.2.1" : "2001:db8::1", &t.src);
    wire_addr_parse(family == 4 ? "198.51.100.7" : "2001:db8:1::2", &t.dst);
    return t;
}

static void expect(const struct wire_tuple *t, const struct wire_segment *s, const char *hex)
{
    uint8_t want[256];
    size_t want_n = recipe_hex(hex, want, sizeof want);
    assert_int_equal(craft_packet(c, t, s, out, sizeof out, &n, &err), 0);
    assert_int_equal(n, want_n);
    assert_memory_equal(out, want, n);
}

/* SYNs and datagrams as Linux 6.18 handed them to a tun device. */
static void as_the_kernel_does(void **state)
{
    struct recipe r;
    struct wire_tuple t = tuple(4, 6, 80);
    (void)state;
    recipe(&r, "S 0:0(0) win 64240 <mss 1460,sackOK,TS val 269059274 ecr 0,nop,wscale 10> [EW]",
           0xd850fa5d, 0);
    r.seg.ip_id = 0x31ae;
    r.seg.ip_flags = 2;
    expect(&t, &r.seg,
           "4500003c31ae400040061cd2c0000201c6336407"
           "ee480050d850fa5d00000000a0c2faf009f50000020405b40402080a100984ca000000000103030a");
    t = tuple(6, 6, 80);
    recipe(&r, "S 0:0(0) win 64800 <mss 1440,sackOK,TS val 644059633 ecr 0,nop,wscale 10> [EW]",
           0x54dff372, 0);
    r.seg.flow_label = 0xce222;
    expect(&t, &r.seg,
           "600ce2220028064020010db800000000000000000000000120010db8000100000000000000000002"
           "ee48005054dff37200000000a0c2fd20ff7a0000020405a00402080a266391f1000000000103030a");

    struct wire_segment u = {.cls = SEG_UDP,
                             .ttl = 64,
                             .ip_id = 0x524e,
                             .ip_flags = 2,
                             .payload = (const uint8_t *)"hello",
                             .payload_bytes = 5};
    t = tuple(4, 17, 53);
    expect(&t, &u, "45000021524e40004011fc41c0000201c6336407ee480035000de14768656c6c6f");
    t = tuple(6, 17, 53);
    u.flow_label = 0xc742b;
    expect(&t, &u,
           "600c742b000d114020010db800000000000000000000000120010db8000100000000000000000002"
           "ee480035000d720e68656c6c6f");
}

/* Small, seeded, ours: the same cases in every run. */
static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void random_segment(struct wire_segment *s, uint32_t *seed, const uint8_t *payload)
{
    *s = (struct wire_segment){
        .seq = next_random(seed) * 257u,
        .ack = next_random(seed) * 257u,
        .flags = next_random(seed) & 0xfffu,
        .window = (uint16_t)next_random(seed),
        .urgent = (uint16_t)next_random(seed),
        .ecn = next_random(seed) & 3u,
        .dscp = next_random(seed) & 63u,
        .ttl = (uint8_t)next_random(seed),
        .ip_flags = next_random(seed) & 6u, /* without MF: that would be a fragment */
        .ip_id = (uint16_t)next_random(seed),
        .flow_label = next_random(seed) & 0xfffffu,
        .bad_checksum = next_random(seed) % 4 == 0,
        .options_bytes = (uint8_t)(next_random(seed) % 11 * 4),
        .payload = payload,
        .payload_bytes = next_random(seed) % 3 == 0 ? 0 : next_random(seed) % 1441,
    };
    for (unsigned i = 0; i < s->options_bytes; i++)
        s->options[i] = (uint8_t)next_random(seed);
}

static void same_ip(const struct wire_view *v,
                    const struct wire_tuple *t,
                    const struct wire_segment *s)
{
    struct wire_tuple got = wire_view_tuple(v);
    assert_memory_equal(&got, t, sizeof got);
    assert_int_equal(v->tos, s->dscp << 2 | s->ecn);
    assert_int_equal(v->ttl, s->ttl);
    assert_int_equal(v->ip_flags, t->src.family == 4 ? s->ip_flags : 0);
    assert_int_equal(v->ip_id, t->src.family == 4 ? s->ip_id : 0);
    assert_int_equal(v->flow_label, t->src.family == 6 ? s->flow_label : 0);
    assert_int_equal(v->ip_bytes, n);
    assert_int_equal(v->ip_cksum, WIRE_CKSUM_GOOD);
    if (!s->bad_checksum)
        assert_int_equal(v->l4_cksum, WIRE_CKSUM_GOOD);
    else if (v->l4_cksum != WIRE_CKSUM_PARTIAL) /* one wrong sum in 65536 looks unfinished */
        assert_int_equal(v->l4_cksum, WIRE_CKSUM_BAD);
    assert_int_equal(v->payload_bytes, s->payload_bytes);
    assert_int_equal(v->payload_captured, s->payload_bytes);
    if (s->payload_bytes > 0)
        assert_memory_equal(v->payload, s->payload, s->payload_bytes);
}

static void same_tcp(const struct wire_view *v, const struct wire_segment *s)
{
    assert_true(v->have & WIRE_TCP);
    assert_int_equal(v->seq, s->seq);
    assert_int_equal(v->ack, s->ack);
    assert_int_equal(v->flags, s->flags);
    assert_int_equal(v->window, s->window);
    assert_int_equal(v->urgent, s->urgent);
    assert_int_equal(v->options_bytes, s->options_bytes);
    if (s->options_bytes > 0)
        assert_memory_equal(v->options, s->options, s->options_bytes);
}

/* Shapes follow one another at random: libnet's blocks are reused, and must forget. */
static void parse_of_craft_is_the_segment(void **state)
{
    uint32_t seed = 7;
    uint8_t payload[1441];
    (void)state;
    for (size_t i = 0; i < sizeof payload; i++)
        payload[i] = (uint8_t)next_random(&seed);
    for (int i = 0; i < 20000; i++) {
        bool tcp = next_random(&seed) & 1;
        struct wire_tuple t = tuple(next_random(&seed) & 1 ? 4 : 6, tcp ? 6 : 17, 80);
        struct wire_segment s;
        struct wire_view v;
        t.sport = (uint16_t)next_random(&seed);
        random_segment(&s, &seed, payload);
        assert_int_equal(craft_packet(c, &t, &s, out, sizeof out, &n, &err), 0);
        assert_int_equal(wire_parse(&v, out, n, WIRE_PARSE_PACKET), 0);
        same_ip(&v, &t, &s);
        if (tcp)
            same_tcp(&v, &s);
    }
}

/* RFC 9293 3.1, RFC 9768 3.1: each flag alone, in both families. */
static void every_flag_has_its_bit(void **state)
{
    (void)state;
    for (int family = 4; family <= 6; family += 2) {
        struct wire_tuple t = tuple(family, 6, 80);
        for (unsigned bit = 0; bit < 12; bit++) {
            struct wire_segment s = {.flags = (uint16_t)(1u << bit), .ttl = 64};
            struct wire_view v;
            size_t at = family == 4 ? 32 : 52;
            assert_int_equal(craft_packet(c, &t, &s, out, sizeof out, &n, &err), 0);
            assert_int_equal(out[at] << 8 | out[at + 1], 0x5000 | 1 << bit);
            wire_parse(&v, out, n, WIRE_PARSE_PACKET);
            assert_int_equal(v.l4_cksum, WIRE_CKSUM_GOOD);
        }
    }
}

static void udp_checksums(void **state)
{
    struct wire_tuple t = tuple(4, 17, 53);
    struct wire_segment s = {.ttl = 64, .zero_checksum = true};
    (void)state;
    craft_packet(c, &t, &s, out, sizeof out, &n, &err);
    assert_int_equal(out[26] << 8 | out[27], 0); /* RFC 768: none */
    s.zero_checksum = false;
    craft_packet(c, &t, &s, out, sizeof out, &n, &err);
    uint8_t payload[2] = {out[26], out[27]}; /* complements the rest: the sum becomes ffff */
    payload[1] = (uint8_t)(payload[1] - 4);  /* the length stands in two places */
    s.payload = payload;
    s.payload_bytes = 2;
    craft_packet(c, &t, &s, out, sizeof out, &n, &err);
    assert_int_equal(out[26] << 8 | out[27], 0xffff); /* RFC 768: a sum of zero is sent as ones */
    s.bad_checksum = true;
    craft_packet(c, &t, &s, out, sizeof out, &n, &err);
    assert_int_equal(out[26] << 8 | out[27], 1); /* neither none nor the same sum again */
}

static void a_wrong_checksum_is_wrong(void **state)
{
    (void)state;
    for (unsigned window = 0; window < 65536; window++) { /* goes through every sum */
        struct wire_tuple t = tuple(4, 6, 80);
        struct wire_segment s = {.ttl = 64, .window = (uint16_t)window, .bad_checksum = true};
        struct wire_view v;
        craft_packet(c, &t, &s, out, sizeof out, &n, &err);
        wire_parse(&v, out, n, WIRE_PARSE_PACKET);
        /* one of them is the sum of the pseudo-header: what an unfinished packet looks like */
        if (v.l4_cksum != WIRE_CKSUM_BAD && v.l4_cksum != WIRE_CKSUM_PARTIAL)
            fail_msg("window %u: %u", window, v.l4_cksum);
    }
}

static void refuses_what_cannot_be_built(void **state)
{
    struct wire_tuple t = tuple(4, 6, 80);
    struct wire_segment s = {.ttl = 64, .options_bytes = 41};
    (void)state;
    assert_int_equal(craft_packet(c, &t, &s, out, sizeof out, &n, &err), -RS_EINVAL);
    s.options_bytes = 3;
    assert_int_equal(craft_packet(c, &t, &s, out, sizeof out, &n, &err), -RS_EINVAL);
    s.options_bytes = 0;
    s.payload_bytes = 70000;
    assert_int_equal(craft_packet(c, &t, &s, out, sizeof out, &n, &err), -RS_EINVAL);
    s.payload_bytes = 0;
    assert_int_equal(craft_packet(c, &t, &s, out, 39, &n, &err), -RS_ENOMEM);
    assert_int_equal(craft_packet(c, &t, &s, out, 40, &n, &err), 0);
    assert_int_equal(n, 40);
    t.dst.family = 6;
    assert_int_equal(craft_packet(c, &t, &s, out, sizeof out, &n, &err), -RS_EINVAL);
    t = tuple(4, 132, 80);
    assert_int_equal(craft_packet(c, &t, &s, out, sizeof out, &n, &err), -RS_EINVAL);
    t = (struct wire_tuple){.proto = 6};
    assert_int_equal(craft_packet(c, &t, &s, out, sizeof out, &n, &err), -RS_EINVAL);
    assert_int_not_equal(err.text[0], 0);
}

/* RFC 826; RFC 4861 4.3, 7.2.2 and RFC 2464 7 for the addresses. */
static void asks_for_neighbours(void **state)
{
    static const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
    struct wire_addr us4, them4, us6, them6;
    uint8_t want[128];
    (void)state;
    wire_addr_parse("192.0.2.1", &us4);
    wire_addr_parse("192.0.2.254", &them4);
    wire_addr_parse("2001:db8::1", &us6);
    wire_addr_parse("2001:db8::aabb:ccdd", &them6);
    for (int again = 0; again < 3; again++) {
        size_t want_n = recipe_hex("ffffffffffff 020000000001 0806 0001 0800 06 04 0001"
                                   "020000000001 c0000201 000000000000 c00002fe",
                                   want, sizeof want);
        assert_int_equal(craft_neighbour_request(c, mac, &us4, &them4, out, sizeof out, &n, &err),
                         0);
        assert_int_equal(n, want_n);
        assert_memory_equal(out, want, n);
        want_n = recipe_hex("3333ffbbccdd 020000000001 86dd 60000000 0020 3a ff"
                            "20010db8000000000000000000000001 ff0200000000000000000001ffbbccdd"
                            "8700 d6f8 00000000 20010db80000000000000000aabbccdd 0101 020000000001",
                            want, sizeof want);
        assert_int_equal(craft_neighbour_request(c, mac, &us6, &them6, out, sizeof out, &n, &err),
                         0);
        assert_int_equal(n, want_n);
        assert_memory_equal(out, want, n);
    }
    assert_int_equal(craft_neighbour_request(c, mac, &us4, &them6, out, sizeof out, &n, &err),
                     -RS_EINVAL);
    assert_int_equal(craft_neighbour_request(c, mac, &us4, &them4, out, 41, &n, &err), -RS_ENOMEM);
    craft_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_the_kernel_does),
        cmocka_unit_test(parse_of_craft_is_the_segment),
        cmocka_unit_test(every_flag_has_its_bit),
        cmocka_unit_test(udp_checksums),
        cmocka_unit_test(a_wrong_checksum_is_wrong),
        cmocka_unit_test(refuses_what_cannot_be_built),
        cmocka_unit_test(asks_for_neighbours),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
