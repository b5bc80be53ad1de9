/* SPDX-License-Identifier: GPL-3.0-or-later
 * Capture files from streams of bytes: what is given, in which time, which way it went; and what is
 * said of files that are no captures, damaged or cut off. Files are made here, byte by byte. Live
 * interfaces and libtrace are shown by tests/observe. */
#include "unit/base/run.h"

#include "base/err.h"
#include "net/trace.h"
#include "unit/recipe.h"
#include "wire/link.h"

#define ETHER "020000000002 020000000001 0800 "
#define IP4   "45000014 00000000 40fd0000 c0000201 c0000202 " /* 20 bytes, protocol 253 */
#define IP6   "60000000 0000 3b 40 20010db8000000000000000000000001 20010db8000000000000000000000002 "

struct file {
    uint8_t bytes[8192];
    size_t n, at;
    size_t step; /* bytes a read gives; 0: all */
    int fails;   /* -RS_E* in place of the end */
    unsigned closed;
};

static struct file file;
static struct trace *t;
static struct trace_packet got[16];
static uint8_t first_byte[16];
static unsigned n_got;
static struct rs_err err;

static ssize_t read_file(void *ctx, void *to, size_t n, struct rs_err *why)
{
    struct file *f = ctx;
    size_t left = f->n - f->at;
    if (left == 0 && f->fails != 0)
        return rs_fail(why, (enum rs_code) - f->fails, "the stream said so");
    n = n < left ? n : left;
    if (f->step != 0 && n > f->step)
        n = f->step;
    memcpy(to, f->bytes + f->at, n);
    f->at += n;
    return (ssize_t)n;
}

static void close_file(void *ctx)
{
    struct file *f = ctx;
    f->closed++;
}

static void on_packet(void *ctx, const struct trace_packet *p)
{
    assert_ptr_equal(ctx, &file);
    assert_true(n_got < 16);
    first_byte[n_got] = p->ip[0];
    got[n_got++] = *p;
}

static void put(const void *bytes, size_t n)
{
    assert_true(file.n + n <= sizeof file.bytes);
    memcpy(file.bytes + file.n, bytes, n);
    file.n += n;
}

static bool big_endian;

static void put32(uint32_t v)
{
    if (big_endian)
        v = __builtin_bswap32(v);
    put(&v, 4);
}

static void put16(uint16_t v)
{
    if (big_endian)
        v = (uint16_t)(v << 8 | v >> 8);
    put(&v, 2);
}

static void put_hex(const char *hex)
{
    uint8_t bytes[256];
    put(bytes, recipe_hex(hex, bytes, sizeof bytes));
}

static uint32_t hex_bytes(const char *hex)
{
    uint8_t bytes[256];
    return (uint32_t)recipe_hex(hex, bytes, sizeof bytes);
}

static void header(uint32_t magic, uint32_t link)
{
    put32(magic);
    put16(2);
    put16(4);
    put32(0);
    put32(0);
    put32(65535);
    put32(link);
}

static void packet(uint32_t seconds, uint32_t part, const char *hex)
{
    put32(seconds);
    put32(part);
    put32(hex_bytes(hex));
    put32(hex_bytes(hex) + 6); /* on the wire it was longer */
    put_hex(hex);
}

static int fresh(void **state)
{
    (void)state;
    memset(&file, 0, sizeof file);
    n_got = 0;
    big_endian = false;
    t = NULL;
    err.text[0] = '\0';
    return 0;
}

static int done(void **state)
{
    (void)state;
    trace_close(t);
    assert_int_equal(file.closed, 1);
    return 0;
}

static int open_it(void)
{
    struct trace_stream s = {.ctx = &file, .read = read_file, .close = close_file};
    return trace_open_stream(&t, s, "x.pcap", &err);
}

/* Reads to the end, and returns what ended it. */
static int read_all(int budget)
{
    int n;
    while ((n = trace_read(t, on_packet, &file, budget, &err)) > 0)
        assert_true(n <= budget);
    return n;
}

static void both_resolutions_in_both_byte_orders(void **state)
{
    (void)state;
    static const struct {
        uint32_t magic, part;
        bool big;
    } rows[] = {{0xa1b2c3d4u, 123456, false},
                {0xa1b2c3d4u, 123456, true},
                {0xa1b23c4du, 123456789, false},
                {0xa1b23c4du, 123456789, true}};
    for (size_t i = 0; i < 4; i++) {
        fresh(NULL);
        big_endian = rows[i].big;
        header(rows[i].magic, WIRE_LINK_ETHERNET);
        packet(1600000000, rows[i].part, ETHER IP4);
        assert_int_equal(open_it(), 0);
        assert_string_equal(trace_kind(t), "pcap");
        assert_false(trace_is_live(t));
        assert_int_equal(trace_fd(t), -1);
        assert_int_equal(read_all(1), -RS_EEND);
        assert_int_equal(n_got, 1);
        assert_int_equal(got[0].at.ns, 1600000000 * INT64_C(1000000000) +
                                           (rows[i].part < 1000000 ? 123456000 : 123456789));
        assert_int_equal(got[0].ip_captured, 20);
        assert_int_equal(got[0].link_captured, 34);
        assert_int_equal(got[0].wire_bytes, 40);
        assert_int_equal(got[0].ethertype, 0x0800);
        assert_int_equal(got[0].way, TRACE_UNKNOWN);
        assert_int_equal(first_byte[0], 0x45);
        if (i < 3) {
            trace_close(t);
            assert_int_equal(file.closed, 1);
        }
    }
}

/* Section Header Block, Interface Description Block with if_tsresol 9, Enhanced Packet Block. */
static void pcapng(void)
{
    put32(0x0a0d0d0a), put32(28), put32(0x1a2b3c4d), put16(1), put16(0);
    put32(UINT32_MAX), put32(UINT32_MAX), put32(28);
    put32(1), put32(32), put16(WIRE_LINK_ETHERNET), put16(0), put32(0);
    put16(9), put16(1), put_hex("09000000"), put16(0), put16(0), put32(32);
    uint64_t ns = UINT64_C(1600000000123456789);
    put32(6), put32(68), put32(0), put32((uint32_t)(ns >> 32)), put32((uint32_t)ns);
    put32(34), put32(34), put_hex(ETHER IP4 "0000"), put32(68);
}

static void pcapng_in_both_byte_orders(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        fresh(NULL);
        big_endian = i == 1;
        pcapng();
        assert_int_equal(open_it(), 0);
        assert_string_equal(trace_kind(t), "pcapng");
        assert_int_equal(read_all(100), -RS_EEND);
        assert_int_equal(n_got, 1);
        assert_int_equal(got[0].at.ns, INT64_C(1600000000123456789));
        if (i == 0)
            trace_close(t);
    }
}

static void any_size_of_read_will_do(void **state)
{
    (void)state;
    header(0xa1b2c3d4u, WIRE_LINK_ETHERNET);
    packet(1, 0, ETHER IP4);
    packet(2, 0, ETHER IP4);
    file.step = 1; /* as a slow pipe */
    assert_int_equal(open_it(), 0);
    assert_int_equal(trace_read(t, on_packet, &file, 1, &err), 1);
    assert_int_equal(n_got, 1);
    assert_int_equal(read_all(1), -RS_EEND);
    assert_int_equal(n_got, 2);
}

static void cooked_captures_say_the_way(void **state)
{
    (void)state;
    static const enum trace_way ways[] = {TRACE_IN,   TRACE_IN,   TRACE_IN,     TRACE_IN,
                                          TRACE_SENT, TRACE_HOST, TRACE_UNKNOWN};
    header(0xa1b23c4du, WIRE_LINK_SLL);
    packet(1, 0, "0000 0001 0006 0200000000010000 0800" IP4);
    packet(1, 0, "0001 0001 0006 0200000000010000 0800" IP4);
    packet(1, 0, "0002 0001 0006 0200000000010000 0800" IP4);
    packet(1, 0, "0003 fffe 0006 0200000000010000 0800" IP4);
    packet(1, 0, "0004 fffe 0000 0000000000000000 0800" IP4);
    packet(1, 0, "0004 0001 0006 0200000000010000 0800" IP4);
    packet(1, 0, "0007 0001 0006 0200000000010000 0800" IP4);
    assert_int_equal(open_it(), 0);
    assert_int_equal(read_all(100), -RS_EEND);
    assert_int_equal(n_got, 7);
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(got[i].way, ways[i]);
}

static void every_link_leads_to_the_same_packet(void **state)
{
    (void)state;
    static const struct {
        uint32_t link;
        const char *before;
    } rows[] = {{0, "02000000"},
                {0, "00000002"},
                {101, ""},
                {228, ""},
                {108, "00000002"},
                {113, "0000 0001 0006 0200000000010000 0800"},
                {276, "0800 0000 00000002 0001 00 06 0200000000010000"},
                {1, ETHER},
                {1, "020000000002 020000000001 8100 0064 0800"},
                {1, "020000000002 020000000001 88a8 0064 8100 0065 0800"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char hex[256];
        snprintf(hex, sizeof hex, "%s " IP4, rows[i].before);
        fresh(NULL);
        header(0xa1b2c3d4u, rows[i].link);
        packet(1, 0, hex);
        assert_int_equal(open_it(), 0);
        assert_int_equal(read_all(100), -RS_EEND);
        assert_int_equal(n_got, 1);
        assert_int_equal(got[0].ip_captured, 20);
        assert_int_equal(first_byte[0], 0x45);
        trace_close(t);
        t = NULL;
        assert_int_equal(file.closed, 1);
    }
}

static void what_carries_no_ip_is_counted(void **state)
{
    (void)state;
    struct trace_stats s;
    header(0xa1b2c3d4u, WIRE_LINK_ETHERNET);
    packet(1, 0, "020000000002 020000000001 0806 0001 0800");
    packet(1, 0, "020000000002 020000000001 0026 424203");
    packet(1, 0, "020000000002 0200");
    packet(1, 0, "020000000002 020000000001 86dd" IP6);
    packet(1, 0, "");
    assert_int_equal(open_it(), 0);
    assert_int_equal(read_all(100), -RS_EEND);
    trace_stats(t, &s);
    assert_int_equal(s.frames, 5);
    assert_int_equal(s.packets, 1);
    assert_int_equal(s.no_ip, 2);
    assert_int_equal(s.cut, 2);
    assert_int_equal(n_got, 1);
    assert_int_equal(got[0].ethertype, 0x86dd);
}

static void an_empty_capture_ends_at_once(void **state)
{
    (void)state;
    header(0xa1b2c3d4u, WIRE_LINK_ETHERNET);
    assert_int_equal(open_it(), 0);
    assert_int_equal(read_all(100), -RS_EEND);
    assert_int_equal(trace_read(t, on_packet, &file, 1, &err), -RS_EEND);
}

/* Wherever a file ends, what is whole has been given, and the rest is told. */
static void a_cut_anywhere_is_told(void **state)
{
    (void)state;
    header(0xa1b2c3d4u, WIRE_LINK_ETHERNET);
    packet(1, 0, ETHER IP4);
    packet(2, 0, ETHER IP4);
    const struct file whole = file;
    const size_t one = 24 + 16 + 34;
    for (size_t n = 0; n < whole.n; n++) {
        file = whole;
        file.n = n;
        n_got = 0;
        if (n < 24) {
            assert_int_equal(open_it(), n < 4 && n > 0 ? -RS_EPROTO : -RS_ETRUNC);
            assert_non_null(strstr(err.text, "x.pcap"));
        } else {
            assert_int_equal(open_it(), 0);
            int end = read_all(100);
            assert_int_equal(end, n == 24 || n == one ? -RS_EEND : -RS_ETRUNC);
            assert_int_equal(n_got, n >= one);
            if (end == -RS_ETRUNC && n > one)
                assert_string_equal(err.text, "x.pcap is cut off inside frame 2");
        }
        trace_close(t);
        assert_int_equal(file.closed, 1);
    }
}

static void damage_behind_a_packet_is_told(void **state)
{
    (void)state;
    header(0xa1b2c3d4u, WIRE_LINK_ETHERNET);
    packet(1, 0, ETHER IP4);
    put32(2), put32(0), put32(0x7fffffff), put32(0x7fffffff); /* captured: 2 GiB */
    put_hex(ETHER IP4);
    assert_int_equal(open_it(), 0);
    assert_int_equal(read_all(100), -RS_EPROTO);
    assert_int_equal(n_got, 1);
    assert_non_null(strstr(err.text, "x.pcap is damaged behind frame 1"));
}

static void the_streams_own_error_comes_through(void **state)
{
    (void)state;
    header(0xa1b2c3d4u, WIRE_LINK_ETHERNET);
    packet(1, 0, ETHER IP4);
    put32(2);
    file.fails = -RS_ESYS;
    assert_int_equal(open_it(), 0);
    assert_int_equal(read_all(100), -RS_ESYS);
    assert_int_equal(n_got, 1);
    assert_string_equal(err.text, "the stream said so");
}

static void fails_to_open(int code, const char *says)
{
    assert_int_equal(open_it(), code);
    if (strstr(err.text, says) == NULL)
        fail_msg("'%s' does not say '%s'", err.text, says);
    assert_null(t);
}

static void other_files_are_told_from_captures(void **state)
{
    (void)state;
    fails_to_open(-RS_ETRUNC, "x.pcap is empty");
    fresh(NULL);
    put("{\"dip\": \"192.0.2.1\"}\n", 20);
    fails_to_open(-RS_EPROTO, "x.pcap is not a capture (pcap or pcapng)");
    assert_non_null(strstr(err.text, "erf:FILE"));
    fresh(NULL);
    put("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x00", 10);
    fails_to_open(-RS_EPROTO, "compressed by gzip: use zcat");
    fresh(NULL);
    header(0xa1b2c3d4u, 105);
    fails_to_open(-RS_EPROTO, "x.pcap has link type 105 (IEEE802_11)");
    fresh(NULL);
    file.fails = -RS_ESYS;
    fails_to_open(-RS_ESYS, "the stream said so");
}

/* 64-bit time stamps of pcapng may say any year; chains subtract one from another. */
static void time_is_bounded(void **state)
{
    (void)state;
    pcapng();
    memcpy(file.bytes + 72, "\xff\xff\xff\x7f", 4); /* the stamp of the Enhanced Packet Block */
    file.bytes[48] = 0;                             /* if_tsresol: whole seconds */
    assert_int_equal(open_it(), 0);
    read_all(100);
    assert_int_equal(n_got, 1);
    assert_true(got[0].at.ns > INT64_C(1) << 61 && got[0].at.ns < INT64_C(1) << 62);
    trace_close(t);
    fresh(NULL);
    pcapng();
    memcpy(file.bytes + 72, "\0\0\0\x80", 4);
    file.bytes[48] = 0;
    assert_int_equal(open_it(), 0);
    read_all(100);
    assert_int_equal(n_got, 1);
    assert_true(got[0].at.ns < -(INT64_C(1) << 61) && got[0].at.ns > -(INT64_C(1) << 62));
}

static void uris_are_known_by_their_scheme(void **state)
{
    (void)state;
    assert_true(trace_is_uri("erf:a.erf"));
    assert_true(trace_is_uri("ring:eth0"));
    assert_false(trace_is_uri("erf"));
    assert_false(trace_is_uri("http://example.org"));
    assert_false(trace_is_uri("a:b.pcap"));
    assert_int_equal(trace_open_uri(&t, "zzz:x", &err), -RS_EINVAL);
    assert_int_equal(trace_open_uri(&t, "erf:/nonexistent/x.erf", &err), -RS_ENOENT);
    assert_non_null(strstr(err.text, "/nonexistent/x.erf"));
    assert_int_equal(trace_open_uri(&t, "pcapfile:/tmp", &err), -RS_EINVAL);
    assert_null(t);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fresh, done)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(both_resolutions_in_both_byte_orders),
        CASE(pcapng_in_both_byte_orders),
        CASE(any_size_of_read_will_do),
        CASE(cooked_captures_say_the_way),
        cmocka_unit_test_setup(every_link_leads_to_the_same_packet, fresh),
        CASE(what_carries_no_ip_is_counted),
        CASE(an_empty_capture_ends_at_once),
        cmocka_unit_test_setup(a_cut_anywhere_is_told, fresh),
        CASE(damage_behind_a_packet_is_told),
        CASE(the_streams_own_error_comes_through),
        CASE(other_files_are_told_from_captures),
        CASE(time_is_bounded),
        cmocka_unit_test_setup(uris_are_known_by_their_scheme, fresh),
    };
    return UNIT_RUN(tests);
}
