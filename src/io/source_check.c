/* SPDX-License-Identifier: GPL-3.0-or-later
 * Compressed files: which there are, and what libwandio (of libtrace 3.0.22) would lose of them
 * without a word. Nothing here decompresses: ends and starts of streams have marks long enough not
 * to turn up by chance (bzip2: 80 and 48 bits; xz: 48 and 32 bits). */
#include "io/source_int.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define LONGEST_MARK 10
#define BZIP2_END    UINT64_C(0x177245385090)

static const struct compression {
    const char *name, *magic;
    size_t n;
    const char *tool;
    enum { GZIP, BZIP2, XZ, UNREADABLE } kind;
} compressions[] = {
    {"gzip", "\x1f\x8b", 2, "zcat", GZIP},
    {"bzip2", "BZh", 3, "bzcat", BZIP2},
    {"xz", "\xfd\x37zXZ", 6, "xzcat", XZ}, /* with the NUL that ends it */
    {"zstd", "\x28\xb5\x2f\xfd", 4, "zstdcat", UNREADABLE},
    {"lz4", "\x04\x22\x4d\x18", 4, "lz4cat", UNREADABLE},
    {"lzop", "\x89LZO", 4, "lzop -dc", UNREADABLE},
};

static const struct compression *find_compression(const char *bytes, size_t n)
{
    for (size_t i = 0; i < sizeof compressions / sizeof compressions[0]; i++)
        if (n >= compressions[i].n && memcmp(bytes, compressions[i].magic, compressions[i].n) == 0)
            return &compressions[i];
    return NULL;
}

const char *source_compression(const char *bytes, size_t n)
{
    const struct compression *c = find_compression(bytes, n);
    return c != NULL ? c->name : NULL;
}

/* A stream's first bytes, less those that vary: bzip2's level stands between "BZh" and its first
 * block's mark. */
static bool starts_stream(const struct compression *c, const char *at)
{
    return memcmp(at, c->magic, c->n) == 0 && (c->kind == XZ || memcmp(at + 4, "1AY&SY", 6) == 0);
}

/* Whether a stream starts anywhere behind the first one: 1 yes, 0 no, -1 errno. */
static int has_second_stream(const struct compression *c, int fd, off_t from)
{
    char window[65536];
    off_t at = from + 1; /* behind the start of the first */
    ssize_t n;
    while ((n = pread(fd, window, sizeof window, at)) >= LONGEST_MARK) {
        const char *stop = window + n - LONGEST_MARK;
        for (const char *p = window; p <= stop; p++) {
            p = memchr(p, c->magic[0], (size_t)(stop - p) + 1);
            if (p == NULL)
                break;
            if (starts_stream(c, p))
                return 1;
        }
        at += n - LONGEST_MARK + 1;
    }
    return n < 0 ? -1 : 0;
}

/* The end mark, 32 bits of checksum, and at most 7 bits to fill the byte. */
static bool ends_bzip2(const uint8_t tail[16])
{
    uint64_t last = 0; /* the 64 bits that end 24 bits before the end of the file */
    for (int i = 5; i < 13; i++)
        last = last << 8 | tail[i];
    for (int fill = 0; fill < 8; fill++) /* the mark ends 32 + fill bits before the end */
        if (((last >> (8 + fill)) & UINT64_C(0xffffffffffff)) == BZIP2_END)
            return true;
    return false;
}

/* xz file format 2.1.2: the footer repeats the header's flags and ends in "YZ". Stream padding
 * (zero bytes) is not looked through: xz itself writes none. */
static bool ends_xz(const uint8_t tail[16], const char header[8])
{
    return memcmp(tail + 14, "YZ", 2) == 0 && memcmp(tail + 12, header + 6, 2) == 0;
}

static int check_streams(const struct source *s,
                         const struct compression *c,
                         off_t from,
                         struct rs_err *err)
{
    uint8_t tail[16] = {0};
    char header[8];
    off_t end = lseek(s->fd, 0, SEEK_END);
    bool is_whole = false;
    if (end < 0 || lseek(s->fd, from, SEEK_SET) < 0)
        return rs_fail_errno(err, errno, "cannot read %s", source_name(s));
    off_t room = end - from;
    size_t n = room < (off_t)sizeof tail ? (size_t)room : sizeof tail;
    if (n >= 14 && pread(s->fd, tail + sizeof tail - n, n, end - (off_t)n) == (ssize_t)n &&
        pread(s->fd, header, sizeof header, from) == sizeof header)
        is_whole = c->kind == BZIP2 ? ends_bzip2(tail) : ends_xz(tail, header);
    if (!is_whole)
        return rs_fail(err, RS_EPROTO, "%s is %s-compressed and cut off: its end is missing",
                       source_name(s), c->name);
    int more = has_second_stream(c, s->fd, from);
    if (more < 0)
        return rs_fail_errno(err, errno, "cannot read %s", source_name(s));
    if (more > 0)
        return rs_fail(
            err, RS_EPROTO,
            "%s holds several %s streams, of which only the first would be read: use %s %s "
            "| rawspider ...",
            source_name(s), c->name, c->tool, s->path != NULL ? s->path : "FILE");
    return 0;
}

int source_check_compressed(const struct source *s, off_t from, struct rs_err *err)
{
    char magic[8];
    ssize_t n = pread(s->fd, magic, sizeof magic, from);
    const struct compression *c = n > 0 ? find_compression(magic, (size_t)n) : NULL;
    if (c == NULL || c->kind == GZIP) /* libwandio reads all its members and finds out about cuts */
        return 0;
    if (c->kind == UNREADABLE)
        return rs_fail(
            err, RS_EPROTO,
            "%s is compressed by %s, which cannot be read here: use %s %s | rawspider ...",
            source_name(s), c->name, c->tool, s->path != NULL ? s->path : "FILE");
    return check_streams(s, c, from, err);
}
