/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which packets count as evidence: a row per clause. Our numbers start at 1000, theirs at 5000. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "observe/evidence.h"
#include "unit/recipe.h"

static struct flow f;

static void fresh(void)
{
    struct wire_tuple t = {.src = {.family = 4},
                           .dst = {.family = 4},
                           .proto = IP_PROTO_TCP,
                           .sport = 61000,
                           .dport = 80};
    flow_init(&f, &t, CHAINS_ALL);
}

static void out(const char *words)
{
    struct recipe r;
    flow_sent(&f, recipe(&r, words, 1000, 5000), (rs_wall){1});
}

static enum believed in(const char *words)
{
    struct recipe r;
    struct received seen = {.kind = RECEIVED_SEGMENT, .view = *recipe(&r, words, 5000, 1000)};
    return flow_received(&f, &seen, (rs_wall){2});
}

/* Words of a script: ">" sends, "<" receives and is believed. */
static void play(const char *script)
{
    char line[200];
    fresh();
    while (*script != '\0') {
        size_t n = strcspn(script, "\n");
        snprintf(line, sizeof line, "%.*s", (int)n, script);
        if (line[0] == '>')
            out(line + 1);
        else
            assert_int_equal(in(line + 1), BELIEVED);
        script += n + (script[n] == '\n');
    }
}

#define SYN    ">S 0:0(0)\n"
#define OPEN   SYN "<S. 0:0(0) ack 1\n>. 1:1(0) ack 1\n"
#define ASKED  OPEN ">P. 1:11(10) ack 1\n"
#define TALKED ASKED "<P. 1:21(20) ack 11\n>. 11:11(0) ack 21\n"

static const struct row {
    const char *clause, *before, *words;
    enum believed want;
} rows[] = {
    {"nothing of ours is out: nobody can have seen it", "", "S. 0:0(0) ack 1", UNBELIEVABLE},
    {"RFC 9293 3.10.7.3: the SYN/ACK acknowledges our SYN", SYN, "S. 0:0(0) ack 1", BELIEVED},
    {"RFC 9293 3.10.7.3: it acknowledges less", SYN, "S. 0:0(0) ack 0", UNBELIEVABLE},
    {"RFC 9293 3.10.7.3: it acknowledges what was never sent", SYN, "S. 0:0(0) ack 2",
     UNBELIEVABLE},
    {"RFC 9293 3.5.2: a SYN alone proves nothing", SYN, "S 0:0(0)", UNBELIEVABLE},
    {"RFC 9293 3.10.7.3: the RST acknowledges our SYN", SYN, "R. 0:0(0) ack 1", BELIEVED},
    {"RFC 9293 3.10.7.3: an RST without ACK is dropped", SYN, "R 0:0(0)", UNBELIEVABLE},
    {"RFC 9293 3.10.7.3: the RST acknowledges something else", SYN, "R. 0:0(0) ack 9",
     UNBELIEVABLE},
    {"data on the SYN may be acknowledged", ">S 0:5(5)\n", "S. 0:0(0) ack 6", BELIEVED},
    {"RFC 9293 3.10.7.3: our RST has the number that was made up, which makes it no better",
     SYN ">R 70000:70000(0)\n", "S. 0:0(0) ack 70000", UNBELIEVABLE},
    {"RFC 9293 3.10.7.1: likewise with its acknowledgement", TALKED ">R. 11:11(0) ack 7000\n",
     "R 7000:7000(0)", UNBELIEVABLE},
    {"data that acknowledges ours", ASKED, "P. 1:21(20) ack 11", BELIEVED},
    {"an old duplicate is unacceptable to TCP and real", TALKED, "P. 1:21(20) ack 1", BELIEVED},
    {"RFC 5961 5.2: it acknowledges what was never sent", ASKED, "P. 1:21(20) ack 12",
     UNBELIEVABLE},
    {"RFC 5961 5.2: it acknowledges what lies before us", ASKED, "P. 1:21(20) ack -5",
     UNBELIEVABLE},
    {"our FIN is a number, too", TALKED ">F. 11:11(0) ack 21\n", ". 21:21(0) ack 12", BELIEVED},
    {"RFC 5961 3.2: the RST has the very next number", TALKED, "R 21:21(0)", BELIEVED},
    {"RFC 5961 3.2: in the window is not enough", TALKED, "R 22:22(0)", UNBELIEVABLE},
    {"RFC 5961 3.2: not even with our acknowledgement", TALKED, "R. 22:22(0) ack 11", UNBELIEVABLE},
    {"RFC 9293 3.10.7.1: a closed port takes it from our ACK field",
     TALKED "<P. 41:61(20) ack 11\n", "R 21:21(0)", BELIEVED},
    {"RFC 5961 3.2: behind a FIN", TALKED "<F. 21:21(0) ack 11\n", "R 22:22(0)", BELIEVED},
    {"RFC 9293 3.1: a wrong checksum", ASKED, "P. 1:21(20) ack 11 bad-cksum", BAD_CHECKSUM},
};

static void what_is_believed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        play(row->before);
        uint64_t before = f.pkt_rev;
        enum believed got = in(row->words);
        if (got != row->want || f.pkt_rev != before + (got == BELIEVED) ||
            f.bad_checksum_rev != (got == BAD_CHECKSUM))
            fail_msg("%s: \"%s\" gives %d, %llu packets", row->clause, row->words, got,
                     (unsigned long long)f.pkt_rev);
    }
}

/* RFC 5927 4: an ICMP error is about a segment that is still out. */
static void which_quotes_are_believed(void **state)
{
    (void)state;
    static const struct {
        const char *before;
        uint32_t seq;
        enum believed want;
    } quotes[] = {{"", 1000, UNBELIEVABLE},     {SYN, 1000, BELIEVED},
                  {SYN, 999, UNBELIEVABLE},     {SYN, 1001, UNBELIEVABLE},
                  {OPEN, 1000, UNBELIEVABLE},   {ASKED, 1001, BELIEVED},
                  {TALKED, 1001, UNBELIEVABLE}, {ASKED, 1011, UNBELIEVABLE}};
    for (size_t i = 0; i < sizeof quotes / sizeof quotes[0]; i++) {
        struct received r = {.kind = RECEIVED_ERROR,
                             .view = {.have = WIRE_IP4 | WIRE_ICMP | WIRE_QUOTE, .icmp_type = 3},
                             .quote = {.have = WIRE_IP4 | WIRE_PORTS | WIRE_TCP_SEQ}};
        play(quotes[i].before);
        r.quote.seq = quotes[i].seq;
        enum believed got = flow_received(&f, &r, (rs_wall){3});
        if (got != quotes[i].want || f.icmp_errors != (got == BELIEVED))
            fail_msg("quote %zu gives %d", i, got);
        r.quote.have &= ~(uint32_t)WIRE_TCP_SEQ; /* cut before the number */
        assert_int_equal(flow_received(&f, &r, (rs_wall){3}), UNBELIEVABLE);
    }
}

static void what_a_packet_is_about(void **state)
{
    (void)state;
    struct received r;
    uint8_t bytes[128];
    size_t n = recipe_hex("4500 0028 0000 4000 4006 0000 c0000201 c6120001"
                          "ee48 0050 00000001 00000000 5002 ffff 0000 0000",
                          bytes, sizeof bytes);
    received_parse(&r, bytes, n);
    assert_int_equal(r.kind, RECEIVED_SEGMENT);
    assert_int_equal(r.tuple.sport, 61000);
    received_parse(&r, bytes, 7);
    assert_int_equal(r.kind, RECEIVED_MALFORMED);
    bytes[6] = 0x20; /* more fragments */
    received_parse(&r, bytes, n);
    assert_int_equal(r.kind, RECEIVED_FRAGMENT);
    bytes[6] = 0x40;
    bytes[9] = 47; /* GRE */
    received_parse(&r, bytes, n);
    assert_int_equal(r.kind, RECEIVED_OTHER);
    n = recipe_hex("4500 0038 0000 0000 4001 0000 c6120009 c0000201 0301 0000 00000000"
                   "4500 0028 0000 4000 4006 0000 c0000201 c6120001 ee48 0050 00000001",
                   bytes, sizeof bytes);
    received_parse(&r, bytes, n);
    assert_int_equal(r.kind, RECEIVED_ERROR);
    assert_int_equal(r.tuple.sport, 61000);
    assert_int_equal(r.quote.seq, 1);
    received_parse(&r, bytes, 36); /* a quote without its IP header */
    assert_int_equal(r.kind, RECEIVED_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_believed),
        cmocka_unit_test(which_quotes_are_believed),
        cmocka_unit_test(what_a_packet_is_about),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
