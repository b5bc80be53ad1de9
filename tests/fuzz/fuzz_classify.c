/* SPDX-License-Identifier: GPL-3.0-or-later
 * Conditions from a capture, with an arm log and without. The first byte: 1 there is a log, 2 flow
 * results are wanted, the rest where a line is added to the log in a second reading. Then the log,
 * up to a line end and two NULs, then the packets (packets.h). Whatever both hold, each record is
 * JSON, and a line of the log that cannot be read is told and costs nothing else. The capture comes
 * from here and not from net. */
#include <jansson.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/hash.h"
#include "fuzz/packets.h"
#include "run/classify.h"
#include "run/packets.h"

enum { MODE_LOG = 1, MODE_FLOWS = 2, MODE_SHIFT = 2 };

extern const struct plugin plugin_ecn;

struct trace {
    struct maker maker;
    uint64_t packets;
};

static struct { /* what the next trace reads */
    const uint8_t *script;
    size_t n;
} capture;

int packets_open_file(struct trace **out,
                      const char *path,
                      const struct packets_wait *wait,
                      struct rs_err *err)
{
    CHECK(strcmp(path, "capture") == 0 && wait == NULL && err != NULL);
    *out = calloc(1, sizeof **out);
    CHECK(*out != NULL);
    maker_init(&(*out)->maker, capture.script, capture.n);
    return 0;
}

int trace_read(struct trace *t, trace_fn fn, void *ctx, int budget, struct rs_err *err)
{
    struct packet p;
    int n = 0;
    (void)err;
    for (; n < budget && make_packet(&t->maker, &p); n++) {
        static const enum trace_way ways[4] = {TRACE_SENT, TRACE_IN, TRACE_HOST, TRACE_UNKNOWN};
        t->packets++;
        fn(ctx, &(struct trace_packet){.at = p.at,
                                       .ip = p.bytes,
                                       .ip_captured = (uint32_t)p.n,
                                       .way = ways[p.reverse + 2 * p.other_way]});
        free(p.bytes);
    }
    return n > 0 ? n : -RS_EEND;
}

void trace_stats(struct trace *t, struct trace_stats *out)
{
    *out = (struct trace_stats){.frames = t->packets, .packets = t->packets};
}

void trace_close(struct trace *t)
{
    free(t);
}

#define TOLD_MOST 10 /* of wrong lines */

struct reading {
    struct classify_result result;
    uint64_t digest, records;
    unsigned left_out; /* lines of the log */
    bool refused;      /* no line of it was good, or it is the log of another plugin */
};

static int on_record(void *ctx, const char *text, size_t n, struct rs_err *err)
{
    static const struct rs_key key = {1, 2};
    struct reading *r = ctx;
    const uint64_t so_far[] = {r->digest, rs_siphash(&key, text, n)};
    (void)err;
    CHECK(n > 0 && memchr(text, '\n', n) == text + n - 1);
    json_t *record = json_loadb(text, n, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
    if (record == NULL)
        fprintf(stderr, "no JSON: %.*s", (int)n, text);
    CHECK(json_is_object(record));
    CHECK(json_array_size(json_object_get(record, "conditions")) <= COND_MOST);
    CHECK(json_is_array(json_object_get(record, "conditions")));
    json_decref(record);
    r->digest = rs_siphash(&key, so_far, sizeof so_far);
    r->records++;
    return 0;
}

static void on_verdict(void *ctx,
                       const struct cond_table *t,
                       const struct evidence *e,
                       const struct verdict *v)
{
    (void)ctx;
    (void)t;
    CHECK(e->n <= COND_ATTEMPTS && v->n <= COND_MOST);
    for (unsigned i = 0; i < e->n; i++)
        CHECK(e->attempt[i]->log.arm < e->n_arms && e->attempt[i]->log.outcome < OUTCOME_N);
}

static void on_notice(void *ctx, const char *text)
{
    struct reading *r = ctx;
    CHECK(text[0] != '\0');
    r->left_out += strstr(text, "; the attempt or target is left out") != NULL;
}

static struct reading read_all(uint8_t mode, const char *log)
{
    struct reading r = {.records = 0};
    struct rs_err err = {""};
    const struct classify_options o = {.plugin = &plugin_ecn,
                                       .file = "capture",
                                       .log = mode & MODE_LOG ? log : "none",
                                       .output_flows = (mode & MODE_FLOWS) != 0};
    const struct classify_sink sink = {
        .ctx = &r, .record = on_record, .verdict = on_verdict, .notice = on_notice};
    int rc = classify_run(&o, &sink, &r.result, &err);
    r.refused = rc == -RS_EINVAL;
    CHECK(rc == 0 || (r.refused && (mode & MODE_LOG) && err.text[0] != '\0' && r.records == 0));
    CHECK(r.refused || (r.result.records == r.records && (r.left_out == 0 || r.result.damaged)));
    return r;
}

/* A file that fopen finds, in memory. */
static const char *file_of(const uint8_t *text, size_t n, size_t bad_line_at)
{
    static const char bad_line[] = "{\"line\":1,\"arm\":\"none\"}\n";
    static char path[32];
    static int fd = -1;
    if (fd < 0)
        fd = memfd_create("arms", MFD_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    CHECK(fd >= 0 && ftruncate(fd, 0) == 0 && lseek(fd, 0, SEEK_SET) == 0);
    size_t before = bad_line_at < n ? bad_line_at : n;
    CHECK(write(fd, text, before) == (ssize_t)before);
    if (bad_line_at <= n)
        CHECK(write(fd, bad_line, sizeof bad_line - 1) == sizeof bad_line - 1);
    CHECK(write(fd, text + before, n - before) == (ssize_t)(n - before));
    return path;
}

/* Behind `lines` line ends; the last there is, if there are fewer. */
static size_t behind_lines(const uint8_t *text, size_t n, unsigned lines)
{
    size_t at = 0;
    for (size_t i = 0; i < n && lines > 0; i++)
        if (text[i] == '\n') {
            at = i + 1;
            lines--;
        }
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    uint8_t mode = *data++;
    size--;
    const uint8_t *end = memmem(data, size, "\n\0\0", 3);
    size_t n = end == NULL ? 0 : (size_t)(end - data) + 1;
    capture.script = end == NULL ? data : end + 3;
    capture.n = size - (size_t)(capture.script - data);
    struct reading once = read_all(mode, file_of(data, n, SIZE_MAX));
    size_t at = behind_lines(data, n, mode >> MODE_SHIFT);
    struct reading again = read_all(mode, file_of(data, n, at));
    CHECK(once.records == again.records && once.digest == again.digest);
    unsigned more = once.left_out + (mode & MODE_LOG);
    CHECK(again.refused || again.left_out == (more < TOLD_MOST ? more : TOLD_MOST));
    CHECK(again.refused || !once.refused);
    return 0;
}
