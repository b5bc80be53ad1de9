/* SPDX-License-Identifier: GPL-3.0-or-later
 * Capture files. The first four bytes say in which pieces the second reading gets the bytes of the
 * file, how many frames it asks for at a time and where the stream of a third one breaks; the rest
 * is the file. Pieces change nothing, a broken stream is told and loses nothing before the break.
 * libpcap hands out packets inside a buffer of its own; here each is copied (by --wrap), so that a
 * read behind one is found. */
#include <pcap/pcap.h>
#include <string.h>

#include "base/hash.h"
#include "fuzz/fuzz.h"
#include "net/trace.h"
#include "wire/view.h"

struct source {
    const uint8_t *at;
    size_t left, piece; /* piece: bytes at a time; 0: all that is wanted */
    size_t breaks_in;   /* bytes until it fails */
    bool closed;
};

struct reading {
    int opened, ended; /* what open and the last read returned */
    struct trace_stats stats;
    uint64_t given, digest;
    struct rs_err err;
};

struct copying {
    pcap_handler fn;
    u_char *user;
};

static void on_frame(u_char *user, const struct pcap_pkthdr *h, const u_char *bytes)
{
    struct copying *c = (void *)user;
    u_char *copy = malloc(h->caplen > 0 ? h->caplen : 1);
    CHECK(copy != NULL);
    memcpy(copy, bytes, h->caplen);
    c->fn(c->user, h, copy);
    free(copy);
}

int __real_pcap_dispatch(pcap_t *p, int budget, pcap_handler fn, u_char *user);
int __wrap_pcap_dispatch(pcap_t *p, int budget, pcap_handler fn, u_char *user);
int __wrap_pcap_dispatch(pcap_t *p, int budget, pcap_handler fn, u_char *user)
{
    struct copying c = {fn, user};
    return __real_pcap_dispatch(p, budget, on_frame, (u_char *)&c);
}

static ssize_t source_read(void *ctx, void *to, size_t n, struct rs_err *err)
{
    struct source *s = ctx;
    CHECK(!s->closed && n > 0);
    if (s->breaks_in == 0)
        return rs_fail(err, RS_ESYS, "the stream broke");
    n = n < s->left ? n : s->left;
    n = s->piece != 0 && n > s->piece ? s->piece : n;
    n = n < s->breaks_in ? n : s->breaks_in;
    memcpy(to, s->at, n);
    s->at += n;
    s->left -= n;
    s->breaks_in -= n;
    return (ssize_t)n;
}

static void source_close(void *ctx)
{
    struct source *s = ctx;
    CHECK(!s->closed);
    s->closed = true;
}

static void on_packet(void *ctx, const struct trace_packet *p)
{
    struct reading *r = ctx;
    static const struct rs_key key = {1, 2};
    const uint64_t facts[] = {(uint64_t)p->at.ns, p->link_captured, p->wire_bytes,
                              p->ethertype,       (uint64_t)p->way, r->digest};
    struct wire_view v;
    r->given++;
    r->digest = rs_siphash(&key, facts, sizeof facts) ^ rs_siphash(&key, p->ip, p->ip_captured);
    CHECK(p->ip_captured <= p->link_captured);
    CHECK(p->at.ns > -(INT64_C(1) << 62) && p->at.ns < INT64_C(1) << 62);
    CHECK(p->ethertype == 0x0800 || p->ethertype == 0x86dd);
    wire_parse(&v, p->ip, p->ip_captured, WIRE_PARSE_PACKET);
}

static void check(const struct reading *r, bool broken)
{
    const struct trace_stats *s = &r->stats;
    CHECK(s->packets == r->given && s->no_link == 0 && s->kernel_dropped + s->iface_dropped == 0);
    CHECK(s->frames == s->packets + s->no_ip + s->cut);
    CHECK(r->ended == -RS_EEND || r->ended == -RS_ETRUNC || r->ended == -RS_EPROTO ||
          (broken && r->ended == -RS_ESYS));
    CHECK((r->ended == -RS_EEND) == (r->err.text[0] == '\0'));
    CHECK(r->ended != -RS_ESYS || strcmp(r->err.text, "the stream broke") == 0);
}

static struct reading read_all(struct source s, int budget)
{
    struct reading r = {.opened = 0};
    struct trace_stream stream = {.ctx = &s, .read = source_read, .close = source_close};
    struct trace *t;
    bool broken = s.breaks_in != SIZE_MAX;
    r.opened = r.ended = trace_open_stream(&t, stream, "fuzz", &r.err);
    if (r.opened == 0) {
        CHECK(!trace_is_live(t) && trace_fd(t) == -1 && strncmp(trace_kind(t), "pcap", 4) == 0);
        while ((r.ended = trace_read(t, on_packet, &r, budget, &r.err)) > 0)
            CHECK(r.ended <= budget);
        trace_stats(t, &r.stats);
    } else {
        CHECK(t == NULL);
    }
    trace_close(t);
    CHECK(s.closed);
    check(&r, broken);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 4)
        return 0;
    struct source s = {.at = data + 4, .left = size - 4, .breaks_in = SIZE_MAX};
    struct reading whole = read_all(s, 1000);
    s.piece = 1 + data[0] % 64;
    struct reading pieces = read_all(s, 1 + data[1] % 8);
    CHECK(whole.opened == pieces.opened && whole.ended == pieces.ended);
    CHECK(whole.given == pieces.given && whole.digest == pieces.digest);
    CHECK(memcmp(&whole.stats, &pieces.stats, sizeof whole.stats) == 0);
    s.breaks_in = ((size_t)data[2] << 8 | data[3]) % size;
    struct reading broken = read_all(s, 1000);
    CHECK(broken.given <= whole.given);
    return 0;
}
