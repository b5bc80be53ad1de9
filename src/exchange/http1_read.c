/* SPDX-License-Identifier: GPL-3.0-or-later
 * The reader of HTTP/1 answers (RFC 9110, RFC 9112). It keeps no text but the Server field: it
 * walks the head byte by byte, so that it does not matter how TCP cut it, and counts the body. */
#include <stdio.h>
#include <string.h>

#include "exchange/http1_int.h"

enum phase {
    STATUS_LINE, /* "HTTP/1.x NNN", `at` counts its bytes */
    REASON,
    LINE_START,
    HEAD_END_LF, /* the LF after the CR of the empty line */
    NAME,
    VALUE,
    BODY_LENGTH,
    BODY_UNTIL_CLOSE,
    CHUNK_SIZE,
    CHUNK_EXTENSION,
    CHUNK_DATA,
    CHUNK_DATA_END, /* CR LF after the data */
    TRAILER_START,
    TRAILER,
    TRAILER_END_LF,
    FINISHED,
    BROKEN
};

enum field { FIELD_CONTENT_LENGTH, FIELD_TRANSFER_ENCODING, FIELD_SERVER, FIELD_N, FIELD_OTHER };

static const char *const field_names[FIELD_N] = {
    [FIELD_CONTENT_LENGTH] = "content-length",
    [FIELD_TRANSFER_ENCODING] = "transfer-encoding",
    [FIELD_SERVER] = "server",
};

enum error {
    ERROR_NONE,
    ERROR_STATUS_LINE,
    ERROR_STATUS_CODE,
    ERROR_UPGRADE,
    ERROR_HEADER,
    ERROR_HEAD_TOO_LONG,
    ERROR_LENGTH,
    ERROR_LENGTHS_DIFFER,
    ERROR_CHUNK_SIZE,
    ERROR_CHUNK_END,
    ERROR_EMPTY,
    ERROR_HEAD_CUT,
    ERROR_BODY_CUT,
    ERROR_N
};

static const char *const error_texts[ERROR_N] = {
    [ERROR_NONE] = "",
    [ERROR_STATUS_LINE] = "not an HTTP/1 status line",
    [ERROR_STATUS_CODE] = "status code is not a number from 100 to 999",
    [ERROR_UPGRADE] = "101 without being asked to switch protocols",
    [ERROR_HEADER] = "header line without a colon",
    [ERROR_HEAD_TOO_LONG] = "head longer than 8192 bytes",
    [ERROR_LENGTH] = "Content-Length is not a number",
    [ERROR_LENGTHS_DIFFER] = "conflicting Content-Length",
    [ERROR_CHUNK_SIZE] = "chunk size is not a number",
    [ERROR_CHUNK_END] = "no line end after a chunk",
    [ERROR_EMPTY] = "closed without an answer",
    [ERROR_HEAD_CUT] = "closed inside the head",
    [ERROR_BODY_CUT] = "closed before the end of the body",
};

enum seen { SEEN_LENGTH = 1 << 0, SEEN_ENCODING = 1 << 1, SEEN_SERVER = 1 << 2 };

/* Where a Content-Length value stands: 1*DIGIT, possibly a list (RFC 9110 8.6). */
enum number { NUMBER_NONE, NUMBER_DIGITS, NUMBER_SPACE };

struct http {
    uint64_t length; /* Content-Length */
    uint64_t number; /* the number being read: a length or a chunk size */
    uint64_t left;   /* of the body or the chunk */
    uint32_t body_bytes;
    uint32_t body_read; /* with its framing */
    uint16_t head_bytes;
    uint16_t status;
    uint8_t phase;      /* enum phase */
    uint8_t error;      /* enum error */
    uint8_t at;         /* position in the status line, the field name or the coding's name */
    uint8_t candidates; /* fields that the name may still be, bits of enum field */
    uint8_t field;      /* of the value being read, enum field */
    uint8_t seen;       /* enum seen */
    uint8_t number_state;
    uint8_t n_server;
    bool chunked;  /* the last transfer coding so far is "chunked" */
    bool complete; /* the head of the final answer was read */
    char server[32];
};

_Static_assert(sizeof(struct http) <= EXCHANGE_STATE_BYTES, "state of exchange http");

/* --- the answer's head --- */

static void fail(struct http *h, enum error e)
{
    h->error = (uint8_t)e;
    h->phase = BROKEN;
}

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\0'; /* RFC 9110 5.5: a stray CR or NUL may
                                                               be taken for a space */
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* RFC 9112 4: "HTTP/1." DIGIT SP 3DIGIT, then SP and a reason, or (seen in the wild) nothing. */
static void on_status_line(struct http *h, uint8_t c)
{
    static const char form[] = "HTTP/1.# ###";
    uint8_t digit = (uint8_t)(c - '0');
    char want = form[h->at];

    if (want == '\0') {
        if (h->status < 100 || (c != ' ' && c != '\r' && c != '\n'))
            fail(h, ERROR_STATUS_CODE);
        else
            h->phase = c == '\n' ? LINE_START : REASON;
        return;
    }
    if (want == '#' ? digit > 9 : c != want) {
        fail(h, h->at < 9 ? ERROR_STATUS_LINE : ERROR_STATUS_CODE);
        return;
    }
    if (h->at >= 9)
        h->status = (uint16_t)(h->status * 10 + digit);
    h->at++;
}

static void end_number(struct http *h)
{
    if (h->number_state == NUMBER_NONE)
        fail(h, ERROR_LENGTH);
    else if ((h->seen & SEEN_LENGTH) && h->number != h->length)
        fail(h, ERROR_LENGTHS_DIFFER); /* RFC 9112 6.3, 5 */
    h->length = h->number;
    h->seen |= SEEN_LENGTH;
    h->number = 0;
    h->number_state = NUMBER_NONE;
}

static void on_length(struct http *h, uint8_t c)
{
    uint8_t digit = (uint8_t)(c - '0');
    if (is_space(c)) {
        if (h->number_state == NUMBER_DIGITS)
            h->number_state = NUMBER_SPACE;
    } else if (c == ',') {
        end_number(h);
    } else if (digit > 9 || h->number_state == NUMBER_SPACE || h->number > UINT64_MAX / 10 - 1) {
        fail(h, ERROR_LENGTH);
    } else {
        h->number = h->number * 10 + digit;
        h->number_state = NUMBER_DIGITS;
    }
}

/* RFC 9112 6.1: a list of codings; all that matters is whether the last one is "chunked". */
static void on_encoding(struct http *h, uint8_t c)
{
    static const char chunked[] = "chunked";
    enum { OTHER_CODING = 255, END_OF_WORD = 254 };
    h->seen |= SEEN_ENCODING;
    if (c == ',') {
        h->at = 0;
    } else if (is_space(c)) {
        if (h->at > 0) /* whatever comes before the next comma makes it another coding */
            h->at = END_OF_WORD;
    } else if (h->at < sizeof chunked - 1 && lower(c) == (uint8_t)chunked[h->at]) {
        h->at++;
        h->chunked = h->at == sizeof chunked - 1;
    } else {
        h->at = OTHER_CODING;
        h->chunked = false;
    }
}

static void on_server(struct http *h, uint8_t c)
{
    if ((h->seen & SEEN_SERVER) || (h->n_server == 0 && is_space(c)))
        return;
    if (h->n_server < sizeof h->server - 1)
        h->server[h->n_server++] = c >= ' ' && c < 0x7f ? (char)c : (is_space(c) ? ' ' : '?');
}

/* Called when the next line shows that the value does not go on (RFC 9112 5.2). */
static void end_field(struct http *h)
{
    if (h->field == FIELD_CONTENT_LENGTH)
        end_number(h);
    else if (h->field == FIELD_SERVER)
        h->seen |= SEEN_SERVER;
    h->field = FIELD_OTHER;
}

/* RFC 9112 6.3: how long the body is. */
static void end_head(struct http *h)
{
    if (h->status == 101) {
        fail(h, ERROR_UPGRADE);
        return;
    }
    if (h->status < 200) { /* RFC 9110 15.2: any number of interim answers; the final one follows */
        uint16_t head_bytes = h->head_bytes;
        memset(h, 0, sizeof *h);
        h->head_bytes = head_bytes;
        h->field = FIELD_OTHER;
        return;
    }
    h->complete = true;
    h->left = h->length;
    h->number = 0;
    h->number_state = NUMBER_NONE;
    if (h->status == 204 || h->status == 304)
        h->phase = FINISHED;
    else if (h->seen & SEEN_ENCODING) /* it overrides Content-Length */
        h->phase = h->chunked ? CHUNK_SIZE : BODY_UNTIL_CLOSE;
    else if (h->seen & SEEN_LENGTH)
        h->phase = h->length > 0 ? BODY_LENGTH : FINISHED;
    else
        h->phase = BODY_UNTIL_CLOSE;
}

static void on_name(struct http *h, uint8_t c)
{
    if (c == '\n') {
        fail(h, ERROR_HEADER);
        return;
    }
    if (c != ':') {
        for (unsigned f = 0; f < FIELD_N; f++) {
            if ((h->candidates & 1u << f) &&
                (c == '\0' || (uint8_t)field_names[f][h->at] != lower(c)))
                h->candidates = (uint8_t)(h->candidates & ~(1u << f));
        }
        if (h->candidates != 0) /* so never past the NUL of a name that still fits */
            h->at++;
        return;
    }
    for (unsigned f = 0; f < FIELD_N; f++) {
        if ((h->candidates & 1u << f) && field_names[f][h->at] == '\0')
            h->field = (uint8_t)f;
    }
    h->at = 0;
    h->phase = VALUE;
}

static void on_line_start(struct http *h, uint8_t c)
{
    if (c == ' ' || c == '\t') { /* RFC 9112 5.2: the value above goes on */
        h->phase = VALUE;
        return;
    }
    end_field(h);
    if (h->phase == BROKEN)
        return;
    if (c == '\n') {
        h->phase = STATUS_LINE;
        end_head(h);
    } else if (c == '\r') {
        h->phase = HEAD_END_LF;
    } else {
        h->phase = NAME;
        h->at = 0;
        h->candidates = (1u << FIELD_N) - 1;
        on_name(h, c);
    }
}

static void on_value(struct http *h, uint8_t c)
{
    if (c == '\n')
        h->phase = LINE_START;
    else if (h->field == FIELD_CONTENT_LENGTH)
        on_length(h, c);
    else if (h->field == FIELD_TRANSFER_ENCODING)
        on_encoding(h, c);
    else if (h->field == FIELD_SERVER)
        on_server(h, c);
}

static void on_head(struct http *h, uint8_t c)
{
    if (h->head_bytes == 0)
        h->field = FIELD_OTHER; /* the state that we are given is all zero */
    if (++h->head_bytes > HTTP_HEAD_BYTES_MOST) {
        fail(h, ERROR_HEAD_TOO_LONG);
        return;
    }
    switch ((enum phase)h->phase) {
    case STATUS_LINE:
        on_status_line(h, c);
        break;
    case REASON:
        if (c == '\n')
            h->phase = LINE_START;
        break;
    case LINE_START:
        on_line_start(h, c);
        break;
    case NAME:
        on_name(h, c);
        break;
    case VALUE:
        on_value(h, c);
        break;
    case HEAD_END_LF:
        if (c == '\n') {
            h->phase = STATUS_LINE;
            end_head(h);
        } else {
            fail(h, ERROR_HEADER);
        }
        break;
    default:
        break;
    }
}

/* Bytes of the head that say nothing, up to one that may: what is in a value that nobody reads, the
 * reason phrase, the rest of a name that is none of ours. Most of a head is such. */
static size_t dull_bytes(const struct http *h, const uint8_t *bytes, size_t n)
{
    size_t room = HTTP_HEAD_BYTES_MOST - h->head_bytes, most = n < room ? n : room, i = 0;
    if (h->phase == REASON || (h->phase == VALUE && h->field == FIELD_OTHER)) {
        const uint8_t *end = memchr(bytes, '\n', most);
        return end == NULL ? most : (size_t)(end - bytes);
    }
    if (h->phase == NAME && h->candidates == 0)
        while (i < most && bytes[i] != ':' && bytes[i] != '\n')
            i++;
    return i;
}

/* --- the answer's body --- */

static void end_chunk_size(struct http *h)
{
    if (h->number_state == NUMBER_NONE) {
        fail(h, ERROR_CHUNK_SIZE);
        return;
    }
    h->left = h->number;
    h->number = 0;
    h->number_state = NUMBER_NONE;
    h->phase = h->left > 0 ? CHUNK_DATA : TRAILER_START;
}

/* RFC 9112 7.1: 1*HEXDIG, then extensions that nobody needs, then the end of the line. */
static void on_chunk_size(struct http *h, uint8_t c)
{
    uint8_t l = lower(c);
    unsigned digit = 16;
    if (l >= '0' && l <= '9')
        digit = l - (unsigned)'0';
    else if (l >= 'a' && l <= 'f')
        digit = l - (unsigned)'a' + 10;

    if (digit < 16 && h->number <= UINT64_MAX >> 4) {
        h->number = h->number << 4 | digit;
        h->number_state = NUMBER_DIGITS;
    } else if (c == '\n') {
        end_chunk_size(h);
    } else if (h->number_state == NUMBER_DIGITS && (c == ';' || is_space(c))) {
        h->phase = CHUNK_EXTENSION;
    } else {
        fail(h, ERROR_CHUNK_SIZE);
    }
}

static void on_framing(struct http *h, uint8_t c)
{
    switch ((enum phase)h->phase) {
    case CHUNK_SIZE:
        on_chunk_size(h, c);
        break;
    case CHUNK_EXTENSION:
        if (c == '\n')
            end_chunk_size(h);
        break;
    case CHUNK_DATA_END:
        if (c == '\n')
            h->phase = CHUNK_SIZE;
        else if (c != '\r')
            fail(h, ERROR_CHUNK_END);
        break;
    case TRAILER_START:
        h->phase = c == '\n' ? FINISHED : c == '\r' ? TRAILER_END_LF : TRAILER;
        break;
    case TRAILER:
    case TRAILER_END_LF:
        if (c == '\n')
            h->phase = h->phase == TRAILER ? TRAILER_START : FINISHED;
        else
            h->phase = TRAILER;
        break;
    default:
        break;
    }
}

/* Takes body bytes in one go; returns how many were used. */
static size_t on_body(struct http *h, size_t n)
{
    size_t take = h->phase != BODY_UNTIL_CLOSE && h->left < n ? (size_t)h->left : n;
    size_t room = HTTP_BODY_BYTES_MOST - h->body_read;
    take = take < room ? take : room;
    h->body_bytes += (uint32_t)take;
    h->body_read += (uint32_t)take;
    if (h->phase == BODY_UNTIL_CLOSE)
        return take;
    h->left -= take;
    if (h->left == 0)
        h->phase = h->phase == BODY_LENGTH ? FINISHED : CHUNK_DATA_END;
    return take;
}

enum exchange_status http1_input(void *state, const uint8_t *bytes, size_t n)
{
    struct http *h = state;
    while (n > 0 && h->phase != FINISHED && h->phase != BROKEN) {
        size_t used = 1;
        if (h->phase < BODY_LENGTH && (used = dull_bytes(h, bytes, n)) > 0) {
            h->head_bytes = (uint16_t)(h->head_bytes + used);
        } else if (h->phase < BODY_LENGTH) {
            used = 1;
            on_head(h, *bytes);
        } else if (h->phase == BODY_LENGTH || h->phase == BODY_UNTIL_CLOSE ||
                   h->phase == CHUNK_DATA) {
            used = on_body(h, n);
        } else {
            h->body_read++;
            on_framing(h, *bytes);
        }
        if (h->body_read >= HTTP_BODY_BYTES_MOST && h->phase != BROKEN)
            h->phase = FINISHED;
        bytes += used;
        n -= used;
    }
    if (h->phase == BROKEN)
        return EXCHANGE_FAILED;
    return h->phase == FINISHED ? EXCHANGE_DONE : EXCHANGE_MORE;
}

/* RFC 9112 8: which answers a close completes. */
enum exchange_status http1_end(void *state)
{
    struct http *h = state;
    if (h->phase == BODY_UNTIL_CLOSE)
        h->phase = FINISHED;
    else if (h->phase < BODY_LENGTH)
        fail(h, h->head_bytes == 0 ? ERROR_EMPTY : ERROR_HEAD_CUT);
    else if (h->phase != FINISHED && h->phase != BROKEN)
        fail(h, ERROR_BODY_CUT);
    return h->phase == FINISHED ? EXCHANGE_DONE : EXCHANGE_FAILED;
}

void http1_result(const void *state, struct exchange_result *out)
{
    const struct http *h = state;
    size_t n = h->n_server;
    memset(out, 0, sizeof *out);
    out->complete = h->complete;
    out->status = h->status >= 100 ? h->status : 0; /* not a half-read one */
    out->body_bytes = h->body_bytes;
    while (n > 0 && h->server[n - 1] == ' ')
        n--;
    memcpy(out->server, h->server, n);
    snprintf(out->error, sizeof out->error, "%s", error_texts[h->error]);
}
