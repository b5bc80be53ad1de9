/* SPDX-License-Identifier: GPL-3.0-or-later
 * The members that we append. record_input.c has what a record starts from. */
#include "io/record.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "io/text_int.h"

void record_init(struct record *r)
{
    memset(r, 0, sizeof *r);
}

void record_free(struct record *r)
{
    text_free(&r->text);
    record_init(r);
}

/* The comma and the key; both go before any value. */
static void lead(struct record *r, const char *key)
{
    assert(r->depth > 0);
    uint32_t level = UINT32_C(1) << (r->depth - 1);
    assert((key == NULL) == ((r->array & level) != 0));
    if (r->begun & level)
        text_add(&r->text, ",", 1);
    r->begun |= level;
    if (key == NULL)
        return;
    size_t n = strlen(key);
    char *to = text_room(&r->text, n + 3);
    if (to == NULL)
        return;
    to[0] = '"';
    memcpy(to + 1, key, n);
    memcpy(to + 1 + n, "\":", 2);
    r->text.n += n + 3;
}

void record_strn(struct record *r, const char *key, const char *s, size_t n)
{
    lead(r, key);
    text_add_json(&r->text, s, n);
}

void record_str(struct record *r, const char *key, const char *s)
{
    if (s == NULL)
        record_null(r, key);
    else
        record_strn(r, key, s, strlen(s));
}

void record_json(struct record *r, const char *key, const char *json, size_t n)
{
    lead(r, key);
    text_add(&r->text, json, n);
}

/* Decimal digits from the back of `end`; returns the first. */
static char *digits(char *end, uint64_t v)
{
    do {
        *--end = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0);
    return end;
}

char *record_put_uint(char *to, uint64_t v)
{
    if (v < 10) { /* most of a flow's counts */
        *to = (char)('0' + v);
        return to + 1;
    }
    char buf[20], *end = buf + sizeof buf, *at = digits(end, v);
    memcpy(to, at, (size_t)(end - at));
    return to + (end - at);
}

char *record_put_int(char *to, int64_t v)
{
    if (v < 0)
        *to++ = '-';
    return record_put_uint(to, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void record_uint(struct record *r, const char *key, uint64_t v)
{
    char buf[RECORD_PUT_BYTES];
    record_json(r, key, buf, (size_t)(record_put_uint(buf, v) - buf));
}

void record_int(struct record *r, const char *key, int64_t v)
{
    char buf[RECORD_PUT_BYTES];
    record_json(r, key, buf, (size_t)(record_put_int(buf, v) - buf));
}

void record_real(struct record *r, const char *key, double v)
{
    char buf[32];
    if (!isfinite(v)) {
        record_null(r, key);
        return;
    }
    int n = snprintf(buf, sizeof buf, "%.15g", v);
    if (strtod(buf, NULL) != v) /* 15 digits keep 0.1 short; 17 keep every value */
        n = snprintf(buf, sizeof buf, "%.17g", v);
    record_json(r, key, buf, (size_t)n);
}

void record_bool(struct record *r, const char *key, bool v)
{
    record_json(r, key, v ? "true" : "false", v ? 4 : 5);
}

void record_null(struct record *r, const char *key)
{
    record_json(r, key, "null", 4);
}

/* Proleptic Gregorian date of a day counted from 1970-01-01. Years are counted from March here, so
 * that the leap day is a year's last. */
static void civil_date(int64_t day, int *year, unsigned *month, unsigned *of_month)
{
    day += 719468; /* from 0000-03-01 */
    int64_t era = (day >= 0 ? day : day - 146096) / 146097;
    unsigned of_era = (unsigned)(day - era * 146097);
    unsigned y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    unsigned of_year = of_era - (365 * y + y / 4 - y / 100);
    unsigned m = (5 * of_year + 2) / 153;
    *of_month = of_year - (153 * m + 2) / 5 + 1;
    *month = m < 10 ? m + 3 : m - 9;
    *year = (int)((int64_t)y + era * 400 + (*month <= 2));
}

static char *padded(char *to, unsigned v, unsigned width)
{
    for (unsigned i = width; i-- > 0; v /= 10)
        to[i] = (char)('0' + v % 10);
    return to + width;
}

char *record_put_time(char *start, rs_wall at)
{
    if (at.ns == 0) {
        memcpy(start, "null", 4);
        return start + 4;
    }
    int64_t us = at.ns / 1000 - (at.ns % 1000 < 0);
    int64_t second = us / 1000000 - (us % 1000000 < 0);
    int64_t day = second / 86400 - (second % 86400 < 0);
    unsigned of_day = (unsigned)(second - day * 86400);
    int year;
    unsigned month, of_month;
    civil_date(day, &year, &month, &of_month); /* int64_t nanoseconds: 1677 to 2262, four digits */
    static const char form[] = "\"YYYY-MM-DD HH:MM:SS.ffffff\"";
    char *to = start + 1;
    memcpy(start, form, sizeof form - 1);
    to = padded(to, (unsigned)year, 4) + 1;
    to = padded(to, month, 2) + 1;
    to = padded(to, of_month, 2) + 1;
    to = padded(to, of_day / 3600, 2) + 1;
    to = padded(to, of_day / 60 % 60, 2) + 1;
    to = padded(to, of_day % 60, 2) + 1;
    padded(to, (unsigned)(us - second * 1000000), 6);
    return start + sizeof form - 1;
}

void record_time(struct record *r, const char *key, rs_wall at)
{
    char buf[RECORD_PUT_BYTES];
    record_json(r, key, buf, (size_t)(record_put_time(buf, at) - buf));
}

char *record_room(struct record *r, size_t n)
{
    return text_room(&r->text, n);
}

void record_wrote(struct record *r, const char *end)
{
    r->text.n = (size_t)(end - r->text.at);
}

static void open_level(struct record *r, const char *key, bool array)
{
    lead(r, key);
    assert(r->depth < RECORD_DEPTH);
    text_add(&r->text, array ? "[" : "{", 1);
    uint32_t level = UINT32_C(1) << r->depth++;
    r->begun &= ~level;
    r->array = array ? r->array | level : r->array & ~level;
}

void record_open_object(struct record *r, const char *key)
{
    open_level(r, key, false);
}

void record_open_array(struct record *r, const char *key)
{
    open_level(r, key, true);
}

void record_close(struct record *r)
{
    assert(r->depth > 1);
    r->depth--;
    text_add(&r->text, r->array >> r->depth & 1u ? "]" : "}", 1);
}

int record_end(struct record *r, const char **text, size_t *n)
{
    assert(r->depth == 1);
    r->depth = 0;
    text_add(&r->text, "}\n", 2);
    *text = r->text.failed ? NULL : r->text.at;
    *n = r->text.failed ? 0 : r->text.n;
    return r->text.failed ? -RS_ENOMEM : 0;
}
