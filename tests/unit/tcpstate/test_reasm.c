/* SPDX-License-Identifier: GPL-3.0-or-later
 * Text out of order: kept within bounds, delivered once and in order, given back. */
#include "unit/tcpstate/play.h"

#include "base/hash.h"
#include "tcpstate/tcp_int.h"

static const struct row rows[] = {
    {"RFC 9293 3.10.7.4 step 7: text behind a gap waits; RFC 5681 4.2: each is acknowledged at "
     "once",
     "in ESTABLISHED\n< P. 101:201(100) ack 1\n> . 1:1(0) ack 1\nevents -\npool 1\n"
     "< P. 1:101(100) ack 1\n> . 1:1(0) ack 201\nevents delivered\ndata 1:201\npool 0"},
    {"RFC 5681 4.2: filling a part of a gap is acknowledged at once",
     "in ESTABLISHED\n< P. 201:301(100) ack 1\n> . 1:1(0) ack 1\n< P. 1:101(100) ack 1\n"
     "> . 1:1(0) ack 101\n< P. 101:201(100) ack 1\n> . 1:1(0) ack 301\ndata 1:301"},
    {"neighbours share a block",
     "in ESTABLISHED\n< P. 101:201(100) ack 1\n< P. 201:301(100) ack 1\n< P. 301:401(100) ack 1\n"
     "> . 1:1(0) ack 1\npool 1\n< P. 1:101(100) ack 1\n> . 1:1(0) ack 401\ndata 1:401"},
    {"overlap is trimmed, what came first stays",
     "in ESTABLISHED\n< P. 101:201(100) ack 1\n< P. 151:251(100) ack 1\n< P. 51:301(250) ack 1\n"
     "pool 2\n> . 1:1(0) ack 1\n< P. 1:61(60) ack 1\n> . 1:1(0) ack 301\ndata 1:301\npool 0"},
    {"text that was delivered meanwhile is dropped from the block",
     "in ESTABLISHED\n< P. 51:101(50) ack 1\n> . 1:1(0) ack 1\n< P. 1:201(200) ack 1\n"
     "> . 1:1(0) ack 201\ndata 1:201\npool 0"},
    {"one connection holds 8 blocks at most, then says so",
     "in ESTABLISHED\n< P. 11:12(1) ack 1\n< P. 21:22(1) ack 1\n< P. 31:32(1) ack 1\n"
     "< P. 41:42(1) ack 1\n< P. 51:52(1) ack 1\n< P. 61:62(1) ack 1\n< P. 71:72(1) ack 1\n"
     "< P. 81:82(1) ack 1\nevents -\npool 8\n< P. 91:92(1) ack 1\nevents reasm_full\npool 8\n"
     "> . 1:1(0) ack 1\n< P. 1:11(10) ack 1\ndata 1:12\n> . 1:1(0) ack 12\npool 7"},
    {"a merged segment that does not fit is kept in part",
     "config reasm 2\nin ESTABLISHED\n< P. 101:4197(4096) ack 1\nevents reasm_full\npool 2\n"
     "> . 1:1(0) ack 1\n< P. 1:101(100) ack 1\ndata 1:4165\n> . 1:1(0) ack 4165\npool 0"},
    {"a pool that is used up loses nothing",
     "config reasm 0\nin ESTABLISHED\n< P. 101:201(100) ack 1\nevents reasm_full\n"
     "> . 1:1(0) ack 1\n< P. 1:101(100) ack 1\n< P. 101:201(100) ack 1\n> . 1:1(0) ack 201\n"
     "data 1:201"},
    {"a reset gives the blocks back at the next call",
     "in ESTABLISHED\n< P. 101:201(100) ack 1\n> . 1:1(0) ack 1\npool 1\n< R 1:1(0)\n> nothing\n"
     "pool 0"},
    {"text behind the FIN is dropped with it",
     "in ESTABLISHED\n< P. 101:201(100) ack 1\n< F. 11:11(0) ack 1\n< P. 1:11(10) ack 1\n"
     "> . 1:1(0) ack 12\ndata 1:11\nstate CLOSE-WAIT\npool 0"},
};

#define STREAM 16000u

/* Whatever order, overlap and size: every byte once, in order, at most TCP_REASM_MOST blocks. */
static void any_order_gives_the_stream(void **state)
{
    (void)state;
    static uint8_t stream[STREAM];
    struct rs_rand rand;
    rs_rand_seed(&rand, 7);
    for (size_t i = 0; i < sizeof stream; i++)
        stream[i] = (uint8_t)rs_rand_next(&rand);
    for (unsigned round = 0; round < 300; round++) {
        struct slab pool;
        slab_init(&pool, TCP_REASM_BLOCK, 64);
        uint32_t irs = (uint32_t)rs_rand_next(&rand), got = 0;
        struct tcp_config c = {.iss = 1, .reasm = &pool};
        struct tcp m;
        struct tcp_out out;
        struct recipe r;
        rs_mono now = {RS_SEC};
        tcp_out_clear(&out);
        tcp_init(&m, &c);
        tcp_open(&m, now);
        tcp_output(&m, now, &out);
        tcp_input(&m, recipe(&r, "S. 0:0(0) ack 1", irs, 1), now, &out);
        for (unsigned i = 0; got < STREAM && i < 20000; i++) {
            uint32_t at = got + (uint32_t)rs_rand_below(&rand, 6000);
            at = at > 2000 && rs_rand_below(&rand, 3) == 0 ? at - 2000 : at;
            at = i % 16 == 0 ? got : at;
            uint32_t n = 1 + (uint32_t)rs_rand_below(&rand, 3000);
            struct wire_view v = *recipe(&r, ". 1:1(0) ack 1", irs, 1);
            if (at >= STREAM)
                continue;
            n = n < STREAM - at ? n : STREAM - at;
            v.seq = irs + 1 + at;
            v.payload = stream + at;
            v.payload_captured = v.payload_bytes = n;
            tcp_input(&m, &v, now, &out);
            for (unsigned k = 0; k < out.n_data; got += out.data[k].n, k++)
                assert_memory_equal(out.data[k].bytes, stream + got, out.data[k].n);
            assert_true(pool.used <= TCP_REASM_MOST);
            tcp_output(&m, now, &out);
            tcp_out_clear(&out);
        }
        assert_int_equal(got, STREAM);
        tcp_release(&m);
        assert_int_equal(pool.used, 0);
        slab_free(&pool);
    }
}

/* Blocks count while they are out, not for ever. */
static void blocks_come_back(void **state)
{
    (void)state;
    struct slab pool;
    slab_init(&pool, TCP_REASM_BLOCK, 1);
    struct tcp_config c = {.iss = 1, .reasm = &pool};
    struct tcp m;
    struct tcp_out out;
    struct recipe r;
    rs_mono now = {RS_SEC};
    tcp_out_clear(&out);
    tcp_init(&m, &c);
    tcp_open(&m, now);
    tcp_output(&m, now, &out);
    tcp_input(&m, recipe(&r, "S. 0:0(0) ack 1", 0, 1), now, &out);
    for (uint32_t at = 0; at < 2000; at += 20) {
        tcp_input(&m, recipe(&r, ". 11:21(10) ack 1", at, 1), now, &out);
        tcp_input(&m, recipe(&r, ". 1:11(10) ack 1", at, 1), now, &out);
        assert_int_equal(out.n_data, 2);
    }
    assert_false((out.events & TCP_EV_REASM_FULL) != 0);
    tcp_release(&m);
    slab_free(&pool);
}

/* The bytes of a SACK option (RFC 2018 3). */
static void sack_option(void **state)
{
    (void)state;
    struct slab pool;
    slab_init(&pool, TCP_REASM_BLOCK, 8);
    struct tcp_config c = {.iss = 1, .reasm = &pool};
    struct tcp m;
    uint8_t out[40];
    const uint8_t expected[] = {1, 1, 5, 18, 0, 0, 0, 60, 0, 0, 0, 62, 0, 0, 0, 40, 0, 0, 0, 44};
    tcp_init(&m, &c);
    assert_int_equal(tcp_sack_write(&m, out, sizeof out), 0);
    assert_true(tcp_hold(&m, 40, (const uint8_t *)"abcd", 4));
    assert_true(tcp_hold(&m, 60, (const uint8_t *)"ab", 2));
    assert_int_equal(tcp_sack_write(&m, out, sizeof out), sizeof expected);
    assert_memory_equal(out, expected, sizeof expected);
    assert_int_equal(tcp_sack_write(&m, out, 11), 0);
    assert_true(tcp_hold(&m, 20, (const uint8_t *)"x", 1));
    assert_true(tcp_hold(&m, 44, (const uint8_t *)"e", 1));
    assert_int_equal(tcp_sack_write(&m, out, sizeof out), 28);
    assert_int_equal(out[7], 40); /* the newest */
    assert_int_equal(out[11], 45);
    assert_int_equal(out[15], 20);
    assert_int_equal(out[23], 60);
    tcp_release(&m);
    slab_free(&pool);
}

int main(void)
{
    const struct CMUnitTest extra[] = {
        cmocka_unit_test(any_order_gives_the_stream),
        cmocka_unit_test(sack_option),
        cmocka_unit_test(blocks_come_back),
    };
    return play_main(PLAY_ROWS(rows), extra, sizeof extra / sizeof *extra);
}
