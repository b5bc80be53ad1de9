/* SPDX-License-Identifier: GPL-3.0-or-later
 * The output of an earlier run, read back. Records are found by what we write ourselves: our
 * members come behind those of the input, a key of the input is never called as one of ours is, and
 * a quote inside a string has a backslash in front, so that `"line":` is a key wherever it stands
 * and the last one is ours. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/done_int.h"
#include "io/source_int.h"

#define READ_BYTES ((size_t)256 << 10)
#define LINE_KEY   "\"line\":"
#define SIP_KEY    "\"sip\":"

static bool ends_with(const char *text, size_t n, const char *end)
{
    size_t k = strlen(end);
    return n >= k && memcmp(text + n - k, end, k) == 0;
}

/* The place of the last `"line":`, or n. */
static size_t find_line_key(const char *text, size_t n)
{
    const char *colon;
    for (size_t end = n; (colon = memrchr(text, ':', end)) != NULL; end = (size_t)(colon - text))
        if (ends_with(text, (size_t)(colon - text) + 1, LINE_KEY))
            return (size_t)(colon - text) + 1 - strlen(LINE_KEY);
    return n;
}

/* Steps back over a `"sip":VALUE` that ends at n; n where there is none. */
static size_t before_sip(const char *text, size_t n)
{
    if (ends_with(text, n, SIP_KEY "null"))
        return n - strlen(SIP_KEY "null");
    if (n == 0 || text[n - 1] != '"')
        return n;
    const char *quote = memrchr(text, '"', n - 1);
    size_t key = quote == NULL ? 0 : (size_t)(quote - text);
    return ends_with(text, key, SIP_KEY) ? key - strlen(SIP_KEY) : n;
}

/* What stands before a member of ours that begins at `key`: the input's bytes, 0: it is none. */
static size_t input_before(const char *text, size_t key)
{
    if (text[key - 1] == ',')
        return key - 1;
    for (size_t i = 1; i < key; i++) /* an input without members, which may have blanks */
        if (text[i] != ' ' && text[i] != '\t')
            return 0;
    return key;
}

bool done_parse(const char *text, size_t n, struct done_record *out)
{
    if (n < 2 || text[0] != '{' || text[n - 1] != '}' || memchr(text, '\0', n) != NULL)
        return false;
    size_t key = find_line_key(text, n), at = key + strlen(LINE_KEY);
    size_t input = key == n ? 0 : input_before(text, key);
    if (input == 0)
        return false;
    uint64_t line = 0;
    size_t digits = at;
    while (text[at] >= '0' && text[at] <= '9' && line <= DONE_LINE_MOST)
        line = line * 10 + (uint64_t)(text[at++] - '0');
    if (at == digits || (text[at] != ',' && text[at] != '}') || line == 0 || line > DONE_LINE_MOST)
        return false;
    size_t sip = before_sip(text, input);
    size_t before = sip != input && sip > 0 ? input_before(text, sip) : 0;
    *out = (struct done_record){.line = line, .input_bytes = before != 0 ? before : input};
    return true;
}

struct reader {
    struct done *done;
    const char *path;
    int fd;
    char *buf; /* owned */
    size_t cap, start, end;
    size_t searched;             /* no newline before here */
    uint64_t offset;             /* of buf[start] in the file */
    uint64_t number;             /* of the line that begins there, from 1 */
    uint64_t bad_at, bad_number; /* of the first line with NUL bytes; number 0: none */
    bool is_skipping;            /* the front of that line was dropped already */
    bool is_read;
    struct rs_err *err;
};

#define FAIL(r, ...) rs_fail((r)->err, RS_EINVAL, __VA_ARGS__)

static int is_damaged_within(const struct reader *r)
{
    return FAIL(r,
                "%.100s, line %" PRIu64
                ": cannot be read (NUL bytes), and records follow it, so it "
                "is not a torn end; delete that line, and --resume measures its targets again",
                r->path, r->bad_number);
}

static void mark_damage(struct reader *r)
{
    if (r->bad_number == 0) {
        r->bad_at = r->offset;
        r->bad_number = r->number;
    }
}

/* One line with its newline, of n bytes without it. */
static int take_line(struct reader *r, const char *text, size_t n)
{
    struct done_record record;
    if (r->is_skipping || memchr(text, '\0', n) != NULL) {
        r->is_skipping = false;
        mark_damage(r);
        return 0;
    }
    if (!done_parse(text, n, &record))
        return FAIL(r,
                    "%.120s, line %" PRIu64 ": no record of rawspider measure with a \"line\"; "
                    "--resume goes on with such files only",
                    r->path, r->number);
    if (r->bad_number != 0)
        return is_damaged_within(r);
    int rc = done_add(r->done, &record, text);
    if (rc == -RS_ENOMEM)
        return rs_fail(r->err, RS_ENOMEM, "not enough memory for the lines done in %.120s",
                       r->path);
    return rc == 0 ? 0
                   : FAIL(r,
                          "%.120s, line %" PRIu64 ": a second record of input line %" PRIu64
                          "; delete one of them, then --resume can go on",
                          r->path, r->number, record.line);
}

/* Drops n bytes from the front: a line, or a part of one that is not to be kept. */
static void step(struct reader *r, size_t n)
{
    r->start += n;
    r->offset += n;
    r->searched = r->start;
}

static int take_lines(struct reader *r)
{
    const char *newline;
    while ((newline = memchr(r->buf + r->searched, '\n', r->end - r->searched)) != NULL) {
        size_t n = (size_t)(newline - r->buf) - r->start;
        int rc = take_line(r, r->buf + r->start, n);
        if (rc != 0)
            return rc;
        step(r, n + 1);
        r->number++;
    }
    if (r->is_skipping || memchr(r->buf + r->searched, '\0', r->end - r->searched) != NULL) {
        mark_damage(r); /* a power loss may leave a long stretch of them */
        r->is_skipping = true;
        step(r, r->end - r->start);
    }
    r->searched = r->end;
    return 0;
}

static int make_room(struct reader *r)
{
    memmove(r->buf, r->buf + r->start, r->end - r->start);
    r->searched -= r->start;
    r->end -= r->start;
    r->start = 0;
    if (r->end < r->cap)
        return 0;
    if (r->cap >= DONE_RECORD_BYTES)
        return FAIL(r, "%.120s, line %" PRIu64 ": longer than %zu bytes, so no record of ours",
                    r->path, r->number, DONE_RECORD_BYTES);
    char *more = realloc(r->buf, 2 * r->cap);
    if (more == NULL)
        return rs_fail(r->err, RS_ENOMEM, "not enough memory to read %.120s", r->path);
    r->buf = more;
    r->cap *= 2;
    return 0;
}

static int look_at_first_bytes(struct reader *r)
{
    r->is_read = true;
    const char *compression = source_compression(r->buf, r->end);
    return compression == NULL ? 0
                               : FAIL(r,
                                      "%.120s is %s-compressed: --resume appends to plain files "
                                      "only; decompress it first",
                                      r->path, compression);
}

/* 1 at the end of the file. */
static int fill(struct reader *r)
{
    int rc = make_room(r);
    if (rc != 0)
        return rc;
    ssize_t n;
    do
        n = read(r->fd, r->buf + r->end, r->cap - r->end);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return rs_fail_errno(r->err, errno, "reading %.120s failed", r->path);
    r->end += (size_t)n;
    if (n == 0)
        return 1;
    return r->is_read ? 0 : look_at_first_bytes(r);
}

/* What stands behind the last newline, or has NUL bytes, is cut off. */
static int mend(struct reader *r)
{
    if (r->bad_number == 0 && r->start == r->end)
        return 0;
    if (r->bad_number == 0 && r->buf[r->start] != '{')
        return FAIL(r,
                    "%.120s, line %" PRIu64 ": not the torn end of a record; --resume goes on "
                    "with files that rawspider measure has written",
                    r->path, r->number);
    uint64_t whole = r->bad_number != 0 ? r->bad_at : r->offset;
    r->done->cut = r->offset + (r->end - r->start) - whole;
    if (ftruncate(r->fd, (off_t)whole) != 0 || fsync(r->fd) != 0)
        return rs_fail_errno(r->err, errno, "cannot cut the torn end off %.120s", r->path);
    return 0;
}

static int read_all(struct reader *r)
{
    int rc;
    while ((rc = fill(r)) == 0)
        if ((rc = take_lines(r)) != 0)
            return rc;
    return rc == 1 ? mend(r) : rc;
}

static int open_file(struct reader *r)
{
    struct stat st;
    r->fd = open(r->path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (r->fd < 0) {
        int why = errno, code = rs_fail_errno(r->err, why, "cannot open %.120s", r->path);
        return why == ENOENT ? -RS_ENOENT : why == EISDIR ? -RS_EINVAL : code;
    }
    if (fstat(r->fd, &st) != 0)
        return rs_fail_errno(r->err, errno, "cannot look at %.120s", r->path);
    if (!S_ISREG(st.st_mode))
        return FAIL(r, "%.120s is not a plain file: --resume reads back what was written there",
                    r->path);
    return 0;
}

int done_read(struct done **out, const char *path, struct rs_err *err)
{
    struct reader r = {.path = path, .fd = -1, .cap = READ_BYTES, .number = 1, .err = err};
    *out = NULL;
    r.done = done_new();
    r.buf = malloc(r.cap);
    int rc = r.done != NULL && r.buf != NULL
                 ? open_file(&r)
                 : rs_fail(err, RS_ENOMEM, "not enough memory to read %.120s", path);
    if (rc == 0)
        rc = read_all(&r);
    if (r.fd >= 0)
        close(r.fd);
    free(r.buf);
    if (rc != 0) {
        done_free(r.done);
        return rc;
    }
    *out = r.done;
    return 0;
}
