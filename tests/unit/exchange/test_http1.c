/* SPDX-License-Identifier: GPL-3.0-or-later
 * Requests, and answers cut in every way that TCP can cut them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "exchange/exchange.h"

struct reader {
    _Alignas(8) uint8_t state[EXCHANGE_STATE_BYTES];
    enum exchange_status status;
    struct exchange_result result;
};

/* Feeds `piece` bytes at a time; what comes after the end is fed, too, and must change nothing. */
static void feed(struct reader *r, const char *text, size_t n, size_t piece)
{
    for (size_t at = 0; at < n; at += piece) {
        size_t take = piece < n - at ? piece : n - at;
        uint8_t *exact = malloc(take); /* so that the sanitizer sees any byte read past the end */
        memcpy(exact, text + at, take);
        r->status = exchange_http.input(r->state, exact, take);
        free(exact);
    }
    exchange_http.result(r->state, &r->result);
}

struct row {
    const char *name, *clause, *answer;
    enum exchange_status status;
    bool complete;
    uint16_t code;
    uint64_t body_bytes;
    const char *server, *error;
};

#define OK "HTTP/1.1 200 OK\r\n"

static const struct row rows[] = {
    {"length", "RFC 9112 6.2", OK "Server: nginx\r\nContent-Length: 5\r\n\r\nhello", EXCHANGE_DONE,
     true, 200, 5, "nginx", ""},
    {"length 0", "RFC 9112 6.2", OK "Content-Length: 0\r\n\r\n", EXCHANGE_DONE, true, 200, 0, "",
     ""},
    {"bytes behind the body", "RFC 9112 6.3", OK "Content-Length: 5\r\n\r\nhelloHTTP/1.1 9",
     EXCHANGE_DONE, true, 200, 5, "", ""},
    {"until close", "RFC 9112 6.3, 8", OK "\r\nhello", EXCHANGE_MORE, true, 200, 5, "", ""},
    {"HTTP/1.0", "RFC 9112 2.3", "HTTP/1.0 301 Moved\r\nServer: a b \t\r\n\r\n", EXCHANGE_MORE,
     true, 301, 0, "a b", ""},
    {"chunked", "RFC 9112 7.1",
     OK "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\n\r\n",
     EXCHANGE_DONE, true, 200, 15, "", ""},
    {"trailers", "RFC 9112 7.1.2",
     OK "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\nC: d\r\n\r\n", EXCHANGE_DONE,
     true, 200, 1, "", ""},
    {"trailers with a stray CR", "RFC 9112 7.1.2",
     OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\rA\r\n\r\n", EXCHANGE_DONE, true, 200, 0, "", ""},
    {"chunked after another coding", "RFC 9112 6.1",
     OK "transfer-encoding: gzip,  CHUNKED \r\n\r\n0\r\n\r\n", EXCHANGE_DONE, true, 200, 0, "", ""},
    {"chunked is not the last", "RFC 9112 6.3, 4",
     OK "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", EXCHANGE_MORE, true, 200, 5, "", ""},
    {"codings that begin with chunked", "RFC 9112 6.1",
     OK "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n", EXCHANGE_MORE, true, 200, 5, "", ""},
    {"two words are not chunked", "RFC 9112 6.1",
     OK "Transfer-Encoding: chunked x\r\n\r\n0\r\n\r\n", EXCHANGE_MORE, true, 200, 5, "", ""},
    {"a word with a hole", "RFC 9112 6.1", OK "Transfer-Encoding: chu nked\r\n\r\n0\r\n\r\n",
     EXCHANGE_MORE, true, 200, 5, "", ""},
    {"codings in two lines", "RFC 9110 5.3",
     OK "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", EXCHANGE_DONE,
     true, 200, 0, "", ""},
    {"coding and length", "RFC 9112 6.3, 3",
     OK "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", EXCHANGE_DONE, true,
     200, 0, "", ""},
    {"interim answers", "RFC 9110 15.2",
     "HTTP/1.1 100 Continue\r\nContent-Length: 7\r\nServer: x\r\n\r\nHTTP/1.1 103 Early\r\n\r\n" OK
     "Content-Length: 1\r\n\r\nx",
     EXCHANGE_DONE, true, 200, 1, "", ""},
    {"switching protocols", "RFC 9110 15.2.2", "HTTP/1.1 101 X\r\n\r\n", EXCHANGE_FAILED, false,
     101, 0, "", "101 without being asked to switch protocols"},
    {"no content", "RFC 9110 15.3.5", "HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\n", EXCHANGE_DONE,
     true, 204, 0, "", ""},
    {"not modified", "RFC 9110 15.4.5", "HTTP/1.1 304 N\r\nTransfer-Encoding: chunked\r\n\r\n",
     EXCHANGE_DONE, true, 304, 0, "", ""},
    {"bare LF", "RFC 9112 2.2", "HTTP/1.1 200 OK\nContent-Length: 2\nServer: s\n\nhi",
     EXCHANGE_DONE, true, 200, 2, "s", ""},
    {"no reason", "RFC 9112 4", "HTTP/1.1 404\r\nContent-Length: 0\r\n\r\n", EXCHANGE_DONE, true,
     404, 0, "", ""},
    {"no reason, bare LF", "RFC 9112 4", "HTTP/1.1 404\nContent-Length: 0\n\n", EXCHANGE_DONE, true,
     404, 0, "", ""},
    {"folded length", "RFC 9112 5.2", OK "Content-Length:\r\n 5\r\n\r\nhello", EXCHANGE_DONE, true,
     200, 5, "", ""},
    {"folded first line", "RFC 9112 2.2", OK " Content-Length: 5\r\nContent-Length: 1\r\n\r\nh",
     EXCHANGE_DONE, true, 200, 1, "", ""},
    {"same length twice", "RFC 9112 6.3, 5",
     OK "Content-Length: 5\r\nContent-Length: 5 , 5\r\n\r\nh", EXCHANGE_MORE, true, 200, 1, "", ""},
    {"two lengths", "RFC 9112 6.3, 5", OK "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
     EXCHANGE_FAILED, false, 200, 0, "", "conflicting Content-Length"},
    {"two lengths in a line", "RFC 9112 6.3, 5", OK "Content-Length: 5, 6\r\n\r\nhello",
     EXCHANGE_FAILED, false, 200, 0, "", "conflicting Content-Length"},
    {"length in words", "RFC 9112 6.3, 5", OK "Content-Length: five\r\n\r\n", EXCHANGE_FAILED,
     false, 200, 0, "", "Content-Length is not a number"},
    {"negative length", "RFC 9112 6.3, 5", OK "Content-Length: -5\r\n\r\n", EXCHANGE_FAILED, false,
     200, 0, "", "Content-Length is not a number"},
    {"empty length", "RFC 9112 6.3, 5", OK "Content-Length: \r\n\r\n", EXCHANGE_FAILED, false, 200,
     0, "", "Content-Length is not a number"},
    {"length with a hole", "RFC 9112 6.3, 5", OK "Content-Length: 5 5\r\n\r\n", EXCHANGE_FAILED,
     false, 200, 0, "", "Content-Length is not a number"},
    {"length past 64 bits", "RFC 9112 6.2", OK "Content-Length: 99999999999999999999\r\n\r\n",
     EXCHANGE_FAILED, false, 200, 0, "", "Content-Length is not a number"},
    {"a name that only begins alike", "RFC 9110 5.1",
     OK "Content-Length-X: 5\r\nContent-Len: 7\r\n\r\nh", EXCHANGE_MORE, true, 200, 1, "", ""},
    {"a space before the colon", "RFC 9112 5.1", OK "Content-Length : 5\r\n\r\nh", EXCHANGE_MORE,
     true, 200, 1, "", ""},
    {"no colon", "RFC 9112 5", OK "Content-Length\r\n\r\n", EXCHANGE_FAILED, false, 200, 0, "",
     "header line without a colon"},
    {"CR without LF at the end", "RFC 9112 2.2", OK "\rX", EXCHANGE_FAILED, false, 200, 0, "",
     "header line without a colon"},
    {"chunk size in words", "RFC 9112 7.1", OK "Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
     EXCHANGE_FAILED, true, 200, 0, "", "chunk size is not a number"},
    {"no chunk size", "RFC 9112 7.1", OK "Transfer-Encoding: chunked\r\n\r\n;x\r\n",
     EXCHANGE_FAILED, true, 200, 0, "", "chunk size is not a number"},
    {"empty chunk line", "RFC 9112 7.1", OK "Transfer-Encoding: chunked\r\n\r\n\n", EXCHANGE_FAILED,
     true, 200, 0, "", "chunk size is not a number"},
    {"chunk size past 64 bits", "RFC 9112 7.1",
     OK "Transfer-Encoding: chunked\r\n\r\n11111111111111111\r\n", EXCHANGE_FAILED, true, 200, 0,
     "", "chunk size is not a number"},
    {"largest chunk size", "RFC 9112 7.1",
     OK "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\nxx", EXCHANGE_MORE, true, 200, 2, "",
     ""},
    {"chunk longer than it says", "RFC 9112 7.1",
     OK "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", EXCHANGE_FAILED, true, 200, 2,
     "", "no line end after a chunk"},
    {"SSH", "RFC 9112 4", "SSH-2.0-OpenSSH_9.2\r\n", EXCHANGE_FAILED, false, 0, 0, "",
     "not an HTTP/1 status line"},
    {"HTTP/2", "RFC 9112 2.3", "HTTP/2.0 200 OK\r\n\r\n", EXCHANGE_FAILED, false, 0, 0, "",
     "not an HTTP/1 status line"},
    {"status of two digits", "RFC 9112 4", "HTTP/1.1 20 OK\r\n\r\n", EXCHANGE_FAILED, false, 0, 0,
     "", "status code is not a number from 100 to 999"},
    {"status of four digits", "RFC 9112 4", "HTTP/1.1 2000 OK\r\n\r\n", EXCHANGE_FAILED, false, 200,
     0, "", "status code is not a number from 100 to 999"},
    {"status under 100", "RFC 9110 15", "HTTP/1.1 099 OK\r\n\r\n", EXCHANGE_FAILED, false, 0, 0, "",
     "status code is not a number from 100 to 999"},
    {"long and odd server", "RFC 9110 10.2.4",
     OK "SERVER:\t 0123456789\x01\xff\tabcdefghijklmnopqrstuvwxyz\r\nServer: second\r\n\r\n",
     EXCHANGE_MORE, true, 200, 0, "0123456789?? abcdefghijklmnopqr", ""},
};

static void answers_in_any_pieces(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *w = &rows[i];
        size_t n = strlen(w->answer);
        for (size_t piece = 1; piece <= n; piece++) {
            struct reader r = {0};
            feed(&r, w->answer, n, piece);
            if (r.status != w->status || r.result.complete != w->complete ||
                r.result.status != w->code || r.result.body_bytes != w->body_bytes ||
                strcmp(r.result.server, w->server) != 0 || strcmp(r.result.error, w->error) != 0)
                fail_msg("%s (%s), pieces of %zu: %d, complete %d, %u, %lu bytes, \"%s\", \"%s\"",
                         w->name, w->clause, piece, r.status, r.result.complete, r.result.status,
                         (unsigned long)r.result.body_bytes, r.result.server, r.result.error);
        }
    }
}

/* A NUL ends no string here, and matches no field name. */
static void nul_in_a_field_name(void **state)
{
    static const char answer[] = OK "server\0\0\0\0: x\r\nContent-Length\0: 5\r\n\r\nh";
    struct reader r = {0};
    (void)state;
    feed(&r, answer, sizeof answer - 1, 1);
    assert_int_equal(r.status, EXCHANGE_MORE);
    assert_string_equal(r.result.server, "");
    assert_int_equal(r.result.body_bytes, 1);
}

/* RFC 9112 8: what a close means depends on where it comes. */
static void closes(void **state)
{
    static const struct {
        const char *answer;
        enum exchange_status status;
        bool complete;
        const char *error;
    } ends[] = {
        {"", EXCHANGE_FAILED, false, "closed without an answer"},
        {"HTTP/1.1 2", EXCHANGE_FAILED, false, "closed inside the head"},
        {OK "Server: x\r\n", EXCHANGE_FAILED, false, "closed inside the head"},
        {"HTTP/1.1 100 C\r\n\r\n", EXCHANGE_FAILED, false, "closed inside the head"},
        {OK "\r\n", EXCHANGE_DONE, true, ""},
        {OK "\r\nhello", EXCHANGE_DONE, true, ""},
        {OK "Content-Length: 5\r\n\r\nhell", EXCHANGE_FAILED, true,
         "closed before the end of the body"},
        {OK "Content-Length: 5\r\n\r\nhello", EXCHANGE_DONE, true, ""},
        {OK "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", EXCHANGE_FAILED, true,
         "closed before the end of the body"},
        {OK "Transfer-Encoding: chunked\r\n\r\n0\r\n", EXCHANGE_FAILED, true,
         "closed before the end of the body"},
        {"SSH-2.0", EXCHANGE_FAILED, false, "not an HTTP/1 status line"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct reader r = {0};
        feed(&r, ends[i].answer, strlen(ends[i].answer), 3);
        assert_int_equal(exchange_http.end(r.state), ends[i].status);
        assert_int_equal(exchange_http.end(r.state), ends[i].status);
        exchange_http.result(r.state, &r.result);
        assert_int_equal(r.result.complete, ends[i].complete);
        assert_string_equal(r.result.error, ends[i].error);
    }
}

static void head_is_bounded(void **state)
{
    char line[100];
    (void)state;
    for (int interim = 0; interim < 2; interim++) { /* one long head, or heads without end */
        struct reader r = {0};
        size_t fed = 0;
        memset(line, 'x', sizeof line);
        memcpy(line, "X: ", 3);
        memcpy(line + 98, "\r\n", 2);
        feed(&r, OK, strlen(OK), 100);
        fed += strlen(OK);
        if (interim) {
            memset(r.state, 0, sizeof r.state);
            memcpy(line, "HTTP/1.1 100 ", 13);
            memcpy(line + 96, "\r\n\r\n", 4);
            fed = 0;
        }
        while (r.status == EXCHANGE_MORE && fed < 100000) {
            feed(&r, line, sizeof line, sizeof line);
            fed += sizeof line;
        }
        assert_int_equal(r.status, EXCHANGE_FAILED);
        assert_string_equal(r.result.error, "head longer than 8192 bytes");
        assert_in_range(fed, 8193, 8193 + sizeof line);
    }
}

static void body_is_bounded(void **state)
{
    static const char *const heads[] = {OK "\r\n", OK "Content-Length: 10000000\r\n\r\n",
                                        OK "Transfer-Encoding: chunked\r\n\r\nfffffff\r\n"};
    static char megabyte[1 << 20];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        for (size_t piece = 7; piece <= sizeof megabyte; piece *= 40) {
            struct reader r = {0};
            feed(&r, heads[i], strlen(heads[i]), 100);
            feed(&r, megabyte, sizeof megabyte, piece);
            assert_int_equal(r.status, EXCHANGE_DONE);
            assert_in_range(r.result.body_bytes, 65536 - 9, 65536);
            assert_true(r.result.complete);
        }
    }
    struct reader r = {0}; /* framing without end counts, too */
    feed(&r, heads[2], strlen(heads[2]) - 9, 100);
    feed(&r, "1;", 2, 2);
    feed(&r, megabyte, sizeof megabyte, 1000);
    assert_int_equal(r.status, EXCHANGE_DONE);
    assert_int_equal(r.result.body_bytes, 0);
}

static void requests(void **state)
{
    static const struct {
        struct exchange_target t;
        const char *host;
    } hosts[] = {
        {{.domain = "example.org", .address = "192.0.2.1", .port = 80}, "example.org"},
        {{.domain = "example.org", .address = "192.0.2.1", .port = 8080}, "example.org:8080"},
        {{.address = "192.0.2.1", .port = 80}, "192.0.2.1"},
        {{.domain = "", .address = "[2001:db8::1]", .port = 81}, "[2001:db8::1]:81"},
        {{.domain = "b\xc3\xbc.example", .port = 80}, "b\xc3\xbc.example"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++) {
        struct exchange_target t = hosts[i].t;
        char want[512];
        uint8_t out[512];
        size_t n = 0;
        t.user_agent = "rawspider/1 (+https://example.net/)";
        snprintf(want, sizeof want,
                 "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: rawspider/1 (+https://example.net/)\r\n"
                 "Accept: */*\r\nConnection: close\r\n\r\n",
                 hosts[i].host);
        assert_int_equal(exchange_http.request(&t, out, sizeof out, &n), 0);
        assert_int_equal(n, strlen(want));
        assert_memory_equal(out, want, n);
        for (size_t cap = 0; cap <= n; cap++) { /* n bytes and a NUL are wanted */
            uint8_t *exact = malloc(cap);
            assert_int_equal(exchange_http.request(&t, exact, cap, &n), -RS_ENOMEM);
            free(exact);
        }
    }
}

static void requests_that_cannot_be(void **state)
{
    static const struct exchange_target wrong[] = {
        {.domain = "a\r\nX: y", .port = 80},
        {.domain = "a b", .port = 80},
        {.domain = "a\x7f", .port = 80},
        {.domain = "\x01", .port = 80},
        {.domain = "a", .port = 80, .user_agent = "x\r\ny"},
        {.port = 80},
        {.domain = "", .address = "", .port = 80},
    };
    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        uint8_t out[512];
        size_t n;
        assert_int_equal(exchange_http.request(&wrong[i], out, sizeof out, &n), -RS_EINVAL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_in_any_pieces),
        cmocka_unit_test(nul_in_a_field_name),
        cmocka_unit_test(closes),
        cmocka_unit_test(head_is_bounded),
        cmocka_unit_test(body_is_bounded),
        cmocka_unit_test(requests),
        cmocka_unit_test(requests_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
