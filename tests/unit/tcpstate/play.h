/* SPDX-License-Identifier: GPL-3.0-or-later
 * Plays a conversation with the TCP machine, one line an act, segments as in unit/recipe.h. Peer's
 * numbers are relative to its ISS, ours to ours. Each conversation is played at several sequence
 * numbers, so every row also tests the wrap.
 *
 *   config WORD...   first line: ts sack ws N ecn mss N win N reasm N (blocks) tries N wait MS
 *   in STATE         open and go on to that state; events so far are forgotten
 *   open write N close abort
 *   < SEGMENT        a segment arrives; <! SEGMENT: ... and is dropped (-RS_EPROTO)
 *   +MS              time passes, timers fire
 *   > SEGMENT        the next segment that we send; win, ack, options and ttl count if written
 *   > nothing        nothing (more) is sent
 *   events NAME...   exactly these since the last such line; "events -": none
 *   state NAME       data FIRST:END   exactly this was delivered since the last such line
 *   pool N           blocks out of the reassembly pool
 *   timer off        no timer runs
 *
 * Output is asked for at `>`: what stands between two `>` lines is one turn. At the end nothing
 * more may be sent. */
#ifndef RS_TESTS_UNIT_TCPSTATE_PLAY_H
#define RS_TESTS_UNIT_TCPSTATE_PLAY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "tcpstate/tcp.h"
#include "unit/recipe.h"

#define PLAY_REQUEST (256u * 1024u)
#define PLAY_QUEUE   64

struct row {
    const char *name; /* clause, and what it asks for */
    const char *script;
};

struct play {
    const struct row *row;
    char line[256];
    unsigned line_no;
    uint32_t iss, irs;
    struct tcp_config config;
    struct slab pool;
    struct tcp m;
    struct tcp_out out;
    rs_mono now;
    uint32_t events, written;
    uint32_t delivered, data_from; /* relative sequence numbers */
    char sent[PLAY_QUEUE][200];
    unsigned n_sent, at_sent;
};

static uint8_t play_request[PLAY_REQUEST];

static void play_fail(const struct play *p, const char *what, const char *got)
{
    fprintf(stderr, "\n  %s (iss %u, irs %u)\n  line %u: %s\n  %s: %s\n", p->row->name, p->iss,
            p->irs, p->line_no, p->line, what, got);
    fail();
}

static void play_data(struct play *p)
{
    for (unsigned i = 0; i < p->out.n_data; i++)
        for (uint32_t k = 0; k < p->out.data[i].n; k++, p->delivered++)
            if (p->out.data[i].bytes[k] != 'a' + (p->delivered - 1) % 26)
                play_fail(p, "delivered", "a wrong byte");
    p->events |= p->out.events;
    p->out.events = 0;
}

static void play_flush(struct play *p)
{
    do {
        tcp_output(&p->m, p->now, &p->out);
        for (unsigned i = 0; i < p->out.n_segments; i++) {
            const struct wire_segment *s = &p->out.segment[i];
            uint32_t at = s->seq - p->iss - 1;
            for (uint32_t k = 0; k < s->payload_bytes; k++)
                if (s->payload[k] != 'a' + (at + k) % 26)
                    play_fail(p, "payload", "a wrong byte");
            if (s->cls != seg_classify(s->flags, s->payload_bytes))
                play_fail(p, "class", seg_class_name(s->cls));
            if (p->n_sent == PLAY_QUEUE)
                play_fail(p, "sent", "too much");
            snprintf(p->sent[p->n_sent++], sizeof p->sent[0], "%s",
                     recipe_of_segment(s, p->iss, p->irs));
        }
        p->events |= p->out.events;
        bool more = p->out.more;
        tcp_out_clear(&p->out);
        if (!more)
            return;
    } while (true);
}

/* Removes the words from `from` up to `to` (or the end) out of `text`. */
static void play_cut(char *text, const char *from, const char *to)
{
    char *at = strstr(text, from);
    if (at == NULL)
        return;
    char *end = strstr(at + strlen(from), to);
    if (end == NULL)
        *at = '\0';
    else
        memmove(at, to[0] == '>' ? end + 1 : end, strlen(to[0] == '>' ? end + 1 : end) + 1);
}

static void play_expect_segment(struct play *p, const char *expected)
{
    char got[200] = "nothing";
    if (p->at_sent == p->n_sent)
        play_flush(p);
    if (p->at_sent < p->n_sent)
        snprintf(got, sizeof got, "%s", p->sent[p->at_sent++]);
    if (strstr(expected, " ttl ") == NULL)
        play_cut(got, " ttl ", " bad");
    if (strstr(expected, " win ") == NULL)
        play_cut(got, " win ", " ");
    if (strchr(expected, '<') == NULL)
        play_cut(got, " <", ">");
    if (strcmp(got, expected) != 0)
        play_fail(p, "sent", got);
}

static void play_names(uint32_t events, char *out, size_t cap)
{
    size_t n = 0;
    out[0] = '\0';
    for (unsigned i = 0; i < 17; i++)
        if (events >> i & 1u)
            n += (size_t)snprintf(out + n, cap - n, "%s%s", n > 0 ? " " : "",
                                  tcp_event_name((enum tcp_event)(1u << i)));
    if (n == 0)
        snprintf(out, cap, "-");
}

static void play_expect_events(struct play *p, const char *expected)
{
    char got[300], copy[256];
    uint32_t want = 0;
    snprintf(copy, sizeof copy, "%s", expected);
    for (char *w = strtok(copy, " "); w != NULL; w = strtok(NULL, " "))
        for (unsigned i = 0; i < 17; i++)
            if (strcmp(w, tcp_event_name((enum tcp_event)(1u << i))) == 0)
                want |= 1u << i;
    play_names(p->events, got, sizeof got);
    if (want != p->events || (want == 0) != (strcmp(expected, "-") == 0))
        play_fail(p, "events", got);
    p->events = 0;
}

static void play_arrive(struct play *p, const char *text, bool taken)
{
    struct recipe r;
    const struct wire_view *v = recipe(&r, text, p->irs, p->iss);
    for (uint32_t i = 0; (v->flags & TCP_SYN) != 0 && i < v->payload_bytes; i++)
        r.payload[i] = (uint8_t)('a' + i % 26); /* a SYN's text starts behind the SYN */
    int rc = tcp_input(&p->m, v, p->now, &p->out);
    play_data(p);
    if (rc != (taken ? 0 : -RS_EPROTO))
        play_fail(p, "tcp_input", rc == 0 ? "took it" : "dropped it");
}

static void play_pass(struct play *p, uint64_t ms)
{
    rs_mono end = rs_mono_add(p->now, ms * RS_MS), next;
    while (next = tcp_next_expiry(&p->m), rs_mono_reached(next, end)) {
        if (!rs_mono_reached(next, p->now))
            p->now = next;
        tcp_expire(&p->m, p->now, &p->out);
        play_data(p);
        play_flush(p);
    }
    p->now = end;
}

static uint32_t play_number(const char **at)
{
    char *end;
    unsigned long v = strtoul(*at, &end, 10);
    *at = end;
    return (uint32_t)v;
}

static void play_config(struct play *p, const char *at)
{
    struct tcp_config *c = &p->config;
    while (*at != '\0') {
        if (*at == ' ')
            at++;
        else if (strncmp(at, "ts", 2) == 0)
            c->timestamps = true, at += 2;
        else if (strncmp(at, "sack", 4) == 0)
            c->sack_permitted = true, at += 4;
        else if (strncmp(at, "ecn", 3) == 0)
            c->ecn = true, at += 3;
        else if (strncmp(at, "ws ", 3) == 0)
            at += 3, c->window_scale = true, c->wscale = (uint8_t)play_number(&at);
        else if (strncmp(at, "mss ", 4) == 0)
            at += 4, c->mss = (uint16_t)play_number(&at);
        else if (strncmp(at, "win ", 4) == 0)
            at += 4, c->rcv_window = play_number(&at);
        else if (strncmp(at, "tries ", 6) == 0)
            at += 6, c->data_tries = c->syn_tries = (uint8_t)play_number(&at);
        else if (strncmp(at, "wait ", 5) == 0)
            at += 5, c->syn_wait_ns = play_number(&at) * RS_MS;
        else if (strncmp(at, "reasm ", 6) == 0)
            at += 6, p->pool.limit = play_number(&at);
        else
            play_fail(p, "config", "unknown word");
    }
    tcp_init(&p->m, c);
}

static void play_script(struct play *p, const char *script);

/* How to get to a state, from CLOSED. */
static const char *const play_way[TCP_NSTATES] = {
    [TCP_CLOSED] = "",
    [TCP_SYN_SENT] = "",    /* play_syn_sent */
    [TCP_ESTABLISHED] = "", /* play_established */
    [TCP_FIN_WAIT_1] = "in ESTABLISHED\nclose\n> F. 1:1(0) ack 1\n",
    [TCP_FIN_WAIT_2] = "in FIN-WAIT-1\n< . 1:1(0) ack 2\n",
    [TCP_CLOSING] = "in FIN-WAIT-1\n< F. 1:1(0) ack 1\n> . 2:2(0) ack 2\n",
    [TCP_TIME_WAIT] = "in FIN-WAIT-2\n< F. 1:1(0) ack 2\n> . 2:2(0) ack 2\n",
    [TCP_CLOSE_WAIT] = "in ESTABLISHED\n< F. 1:1(0) ack 1\n> . 1:1(0) ack 2\n",
    [TCP_LAST_ACK] = "in CLOSE-WAIT\nclose\n> F. 1:1(0) ack 2\n",
};

static void play_syn_sent(struct play *p)
{
    tcp_open(&p->m, p->now);
    play_flush(p);
    p->n_sent = p->at_sent = 0;
}

/* With the answer that suits the configuration. */
static void play_established(struct play *p)
{
    const struct tcp_config *c = &p->config;
    char text[200];
    play_syn_sent(p);
    snprintf(text, sizeof text, "S. 0:0(0) ack 1 win 65535 <mss 1460%s%s%s>%s",
             c->sack_permitted ? ",sackOK" : "", c->timestamps ? ",TS val 700 ecr 100" : "",
             c->window_scale ? ",nop,wscale 2" : "", c->ecn ? " [E]" : "");
    play_arrive(p, text, true);
    play_flush(p);
    p->n_sent = p->at_sent = 0;
}

static void play_go(struct play *p, const char *name)
{
    unsigned s = 0;
    while (s < TCP_NSTATES && strcmp(name, tcp_state_name((enum tcp_state)s)) != 0)
        s++;
    if (s == TCP_NSTATES)
        play_fail(p, "state", "no such state");
    if (s == TCP_SYN_SENT)
        play_syn_sent(p);
    else if (s == TCP_ESTABLISHED)
        play_established(p);
    else
        play_script(p, play_way[s]);
    if (tcp_state(&p->m) != (enum tcp_state)s)
        play_fail(p, "state", tcp_state_name(tcp_state(&p->m)));
    p->events = 0;
}

static void play_write(struct play *p, uint32_t n)
{
    if (tcp_write(&p->m, play_request + p->written, n, p->now) != 0)
        play_fail(p, "tcp_write", "refused");
    p->written += n;
}

static void play_expect_data(struct play *p, const char *expected)
{
    char got[40];
    snprintf(got, sizeof got, "%u:%u", p->data_from, p->delivered);
    if (strcmp(got, expected) != 0)
        play_fail(p, "data", got);
    p->data_from = p->delivered;
}

static void play_expect_pool(struct play *p, size_t expected)
{
    char got[24];
    snprintf(got, sizeof got, "%zu", p->pool.used);
    if (p->pool.used != expected)
        play_fail(p, "pool", got);
}

static void play_act(struct play *p, const char *line)
{
    if (strncmp(line, "<! ", 3) == 0)
        play_arrive(p, line + 3, false);
    else if (strncmp(line, "< ", 2) == 0)
        play_arrive(p, line + 2, true);
    else if (strncmp(line, "> ", 2) == 0)
        play_expect_segment(p, line + 2);
    else if (line[0] == '+')
        play_pass(p, (uint64_t)atol(line + 1));
    else if (strncmp(line, "config ", 7) == 0)
        play_config(p, line + 7);
    else if (strncmp(line, "in ", 3) == 0)
        play_go(p, line + 3);
    else if (strcmp(line, "open") == 0)
        tcp_open(&p->m, p->now);
    else if (strncmp(line, "write ", 6) == 0)
        play_write(p, (uint32_t)atol(line + 6));
    else if (strcmp(line, "close") == 0)
        tcp_close(&p->m, p->now, &p->out);
    else if (strcmp(line, "abort") == 0)
        tcp_abort(&p->m, p->now, &p->out);
    else if (strncmp(line, "events ", 7) == 0)
        play_expect_events(p, line + 7);
    else if (strncmp(line, "data ", 5) == 0)
        play_expect_data(p, line + 5);
    else if (strncmp(line, "pool ", 5) == 0)
        play_expect_pool(p, (size_t)atol(line + 5));
    else if (strcmp(line, "timer off") == 0) {
        if (tcp_next_expiry(&p->m).ns != RS_NEVER.ns)
            play_fail(p, "timer", "runs");
    } else if (strncmp(line, "state ", 6) == 0) {
        if (strcmp(line + 6, tcp_state_name(tcp_state(&p->m))) != 0)
            play_fail(p, "state", tcp_state_name(tcp_state(&p->m)));
    } else {
        play_fail(p, "line", "cannot be read");
    }
    p->events |= p->out.events;
    p->out.events = 0;
}

static void play_script(struct play *p, const char *script)
{
    while (*script != '\0') {
        size_t n = strcspn(script, "\n");
        char line[sizeof p->line];
        snprintf(line, sizeof line, "%.*s", (int)n, script);
        memcpy(p->line, line, sizeof line);
        play_act(p, line);
        p->line_no++;
        script += n + (script[n] == '\n');
    }
}

static void play_once(const struct row *row, uint32_t iss, uint32_t irs)
{
    struct play *p = calloc(1, sizeof *p);
    assert_non_null(p);
    for (size_t i = 0; i < sizeof play_request; i++)
        play_request[i] = (uint8_t)('a' + i % 26);
    p->row = row;
    p->iss = iss;
    p->irs = irs;
    p->line_no = 1;
    p->delivered = p->data_from = 1;
    p->now = (rs_mono){1000 * RS_SEC};
    p->config.iss = iss;
    p->config.ts_offset = 100u - 1000000u; /* TSval starts at 100 */
    p->config.reasm = &p->pool;
    slab_init(&p->pool, TCP_REASM_BLOCK, 16);
    tcp_init(&p->m, &p->config);
    play_script(p, row->script);
    snprintf(p->line, sizeof p->line, "(end)");
    play_expect_segment(p, "nothing");
    tcp_release(&p->m);
    play_expect_pool(p, 0);
    slab_free(&p->pool);
    free(p);
}

static void play_row(void **state)
{
    const struct row *row = *state;
    play_once(row, 1000, 5000);
    play_once(row, UINT32_MAX, UINT32_MAX);
    play_once(row, UINT32_MAX - 50, UINT32_MAX - 700);
    play_once(row, 0x7fffffff, 0x7ffffff0);
}

/* Adds `n` rows to `extra` tests that are no rows; runs all. */
static int play_main(const struct row *rows,
                     size_t n,
                     const struct CMUnitTest *extra,
                     size_t n_extra)
{
    struct CMUnitTest *tests = calloc(n + n_extra, sizeof *tests);
    assert_non_null(tests);
    for (size_t i = 0; i < n; i++) {
        tests[i].name = rows[i].name;
        tests[i].test_func = play_row;
        memcpy(&tests[i].initial_state, &(const struct row *){&rows[i]}, sizeof(void *));
    }
    if (n_extra > 0)
        memcpy(tests + n, extra, n_extra * sizeof *extra);
    const char *filter = getenv("CMOCKA_TEST_FILTER");
    if (filter != NULL && filter[0] != '\0')
        cmocka_set_test_filter(filter);
    int failed = _cmocka_run_group_tests("tcpstate", tests, n + n_extra, NULL, NULL);
    free(tests);
    return failed;
}

#define PLAY_ROWS(rows) (rows), sizeof(rows) / sizeof *(rows)

#endif
