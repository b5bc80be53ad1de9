/* SPDX-License-Identifier: GPL-3.0-or-later
 * Capture files by libpcap, from any stream of bytes. */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>

#include "base/cursor.h"
#include "net/trace_int.h"
#include "wire/link.h"

#define BUFFER_BYTES (64u * 1024) /* with 128 KiB or more the kernel's copy takes twice as long */
#define PEEK_BYTES   8u

struct file_trace {
    struct trace t;
    struct trace_stream stream;
    pcap_t *pcap;
    FILE *file; /* libpcap's, once there is a pcap */
    char *buffer;
    int link;
    uint8_t peek[PEEK_BYTES]; /* the first bytes, not yet given to libpcap from peek_at on */
    size_t peek_at, peeked;
    bool hit_end; /* more was wanted than there is */
    int failed;   /* -RS_E* of the stream; its text is in `why` */
    struct rs_err why;
};

static ssize_t stream_read(struct file_trace *f, void *to, size_t n)
{
    ssize_t got = f->stream.read(f->stream.ctx, to, n, &f->why);
    if (got == 0)
        f->hit_end = true;
    if (got < 0)
        f->failed = (int)got;
    return got;
}

static ssize_t on_read(void *cookie, char *to, size_t n)
{
    struct file_trace *f = cookie;
    size_t left = f->peeked - f->peek_at;
    if (left > 0) {
        n = n < left ? n : left;
        memcpy(to, f->peek + f->peek_at, n);
        f->peek_at += n;
        return (ssize_t)n;
    }
    ssize_t got = stream_read(f, to, n);
    if (got < 0)
        errno = EIO;
    return got < 0 ? -1 : got;
}

static void close_file(struct trace *t)
{
    struct file_trace *f = (struct file_trace *)t;
    if (f->pcap != NULL)
        pcap_close(f->pcap); /* and with it the FILE */
    else if (f->file != NULL)
        fclose(f->file);
    if (f->stream.close != NULL)
        f->stream.close(f->stream.ctx);
    free(f->buffer);
    free(f);
}

static void on_frame(u_char *user, const struct pcap_pkthdr *h, const u_char *bytes)
{
    struct file_trace *f = (void *)user;
    rs_wall at = trace_time(h->ts.tv_sec, h->ts.tv_usec); /* in nanoseconds, as asked for */
    trace_frame(&f->t, f->link, bytes, h->caplen, h->len, at);
}

/* libpcap says it in words only. */
static int explain(struct file_trace *f, const char *text, struct rs_err *err)
{
    unsigned long long frames = f->t.stats.frames;
    if (f->failed != 0) {
        if (err != NULL)
            *err = f->why;
        return f->failed;
    }
    if (f->hit_end || strncmp(text, "truncated", 9) == 0)
        return rs_fail(err, RS_ETRUNC, "%.100s is cut off inside frame %llu", f->t.name,
                       frames + 1);
    return rs_fail(err, RS_EPROTO, "%.100s is damaged behind frame %llu: %.100s", f->t.name, frames,
                   text);
}

static int read_file(struct trace *t, int budget, struct rs_err *err)
{
    struct file_trace *f = (struct file_trace *)t;
    int n = pcap_dispatch(f->pcap, budget, on_frame, (u_char *)f);
    if (n < 0)
        return explain(f, pcap_geterr(f->pcap), err);
    return n > 0 ? n : -RS_EEND;
}

static const char *kind_of(const uint8_t magic[4])
{
    static const struct {
        uint32_t magic; /* as read by a machine of the byte order of the file */
        const char *kind;
    } rows[] = {{0xa1b2c3d4u, "pcap"}, {0xa1b23c4du, "pcap"}, {0xa1b2cd34u, "pcap"}};
    uint32_t big;
    get_be32(&(struct cursor){magic, 4}, &big);
    if (big == 0x0a0d0d0au) /* a Section Header Block; its byte order comes later */
        return "pcapng";
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (big == rows[i].magic || __builtin_bswap32(big) == rows[i].magic)
            return rows[i].kind;
    return NULL;
}

/* What else it may be, and what helps then. */
static const char *advice(const uint8_t *at)
{
    static const struct {
        const char *magic, *advice;
    } rows[] = {{"\x1f\x8b", "it is compressed by gzip: use zcat FILE | rawspider ..."},
                {"BZh", "it is compressed by bzip2: use bzcat FILE | rawspider ..."},
                {"\xfd"
                 "7zXZ",
                 "it is compressed by xz: use xzcat FILE | rawspider ..."},
                {"\x28\xb5\x2f\xfd", "it is compressed by zstd: use zstdcat FILE | rawspider ..."}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (memcmp(at, rows[i].magic, strlen(rows[i].magic)) == 0)
            return rows[i].advice;
    return "formats without a mark need their scheme, such as erf:FILE or pcapfile:FILE";
}

static int look(struct file_trace *f, struct rs_err *err)
{
    while (f->peeked < PEEK_BYTES) {
        ssize_t got = stream_read(f, f->peek + f->peeked, PEEK_BYTES - f->peeked);
        if (got < 0)
            return explain(f, "", err);
        if (got == 0)
            break;
        f->peeked += (size_t)got;
    }
    if (f->peeked == 0)
        return rs_fail(err, RS_ETRUNC, "%.100s is empty: expected a capture (pcap or pcapng)",
                       f->t.name);
    f->t.kind = f->peeked >= 4 ? kind_of(f->peek) : NULL;
    if (f->t.kind == NULL)
        return rs_fail(err, RS_EPROTO, "%.100s is not a capture (pcap or pcapng): %s", f->t.name,
                       advice(f->peek));
    return 0;
}

static int open_pcap(struct file_trace *f, struct rs_err *err)
{
    char text[PCAP_ERRBUF_SIZE] = "";
    f->buffer = malloc(BUFFER_BYTES);
    f->file = fopencookie(f, "r", (cookie_io_functions_t){.read = on_read});
    if (f->file == NULL || f->buffer == NULL)
        return rs_fail(err, RS_ENOMEM, "no memory to read %.100s", f->t.name);
    setvbuf(f->file, f->buffer, _IOFBF, BUFFER_BYTES);
    __fsetlocking(f->file, FSETLOCKING_BYCALLER); /* one thread: half the cost of a small fread */
    f->pcap = pcap_fopen_offline_with_tstamp_precision(f->file, PCAP_TSTAMP_PRECISION_NANO, text);
    if (f->pcap == NULL && (f->failed != 0 || f->hit_end)) {
        int rc = explain(f, text, err);
        if (rc != -RS_ETRUNC)
            return rc;
        return rs_fail(err, RS_ETRUNC, "%.100s is cut off inside its %s header", f->t.name,
                       f->t.kind);
    }
    if (f->pcap == NULL)
        return rs_fail(err, RS_EPROTO, "%.100s cannot be read as %s: %.100s", f->t.name, f->t.kind,
                       text);
    f->link = pcap_datalink(f->pcap);
    if (wire_link_known(f->link))
        return 0;
    const char *link = pcap_datalink_val_to_name(f->link);
    return trace_fail_link(err, f->t.name, f->link, link != NULL ? link : "unknown");
}

int trace_open_stream(struct trace **out,
                      struct trace_stream stream,
                      const char *name,
                      struct rs_err *err)
{
    struct file_trace *f = calloc(1, sizeof *f);
    *out = NULL;
    if (f == NULL || (f->t.name = strdup(name)) == NULL) {
        free(f);
        int rc =
            rs_fail(err, RS_ENOMEM, "no memory to read %.100s", name); /* may be the stream's */
        if (stream.close != NULL)
            stream.close(stream.ctx);
        return rc;
    }
    f->stream = stream;
    f->t.read = read_file;
    f->t.close = close_file;
    int rc = look(f, err);
    if (rc == 0)
        rc = open_pcap(f, err);
    if (rc != 0) {
        trace_close(&f->t);
        return rc;
    }
    *out = &f->t;
    return 0;
}
