/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/objects.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct objects {
    FILE *file;
    char *path, *line;
    size_t cap;
    uint64_t number; /* of the line, from 1 */
    json_t *now;
    struct rs_err problem;
};

int objects_open(struct objects **out, const char *path, struct rs_err *err)
{
    struct objects *o = calloc(1, sizeof *o);
    *out = NULL;
    if (o == NULL || (o->path = strdup(path)) == NULL) {
        free(o);
        return rs_fail(err, RS_ENOMEM, "no memory to read %.120s", path);
    }
    o->file = fopen(path, "re");
    if (o->file == NULL) {
        int why = errno;
        objects_close(o);
        int code = rs_fail_errno(err, why, "cannot open %.160s", path);
        return why == ENOENT ? -RS_ENOENT : code;
    }
    *out = o;
    return 0;
}

void objects_close(struct objects *o)
{
    if (o == NULL)
        return;
    if (o->file != NULL)
        fclose(o->file);
    json_decref(o->now);
    free(o->line);
    free(o->path);
    free(o);
}

static bool is_blank(const char *s, size_t n)
{
    return strspn(s, " \t\r\n") >= n;
}

int objects_next(struct objects *o, struct rs_err *err)
{
    ssize_t n;
    json_error_t wrong;
    json_decref(o->now);
    o->now = NULL;
    o->problem.text[0] = '\0';
    do {
        errno = 0;
        n = getline(&o->line, &o->cap, o->file);
        if (n < 0 && feof(o->file))
            return -RS_EEND;
        if (n < 0)
            return rs_fail_errno(err, errno, "reading %.160s failed", o->path);
        o->number++;
    } while (is_blank(o->line, (size_t)n));
    o->now = json_loadb(o->line, (size_t)n, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &wrong);
    if (o->now == NULL)
        return rs_fail(err, RS_EINVAL, "%.120s:%llu: no JSON: %.80s", o->path,
                       (unsigned long long)o->number, wrong.text);
    if (!json_is_object(o->now))
        return rs_fail(err, RS_EINVAL, "%.120s:%llu: expected a JSON object", o->path,
                       (unsigned long long)o->number);
    return 0;
}

void object_wrong(struct objects *o, const char *key, const char *expected)
{
    if (o->problem.text[0] == '\0')
        rs_fail(&o->problem, RS_EINVAL, "%.120s:%llu: %s \"%s\": expected %s", o->path,
                (unsigned long long)o->number,
                json_object_get(o->now, key) == NULL ? "there is no" : "wrong", key, expected);
}

const char *object_problem(const struct objects *o)
{
    return o->problem.text[0] == '\0' ? NULL : o->problem.text;
}

bool object_has(const struct objects *o, const char *key)
{
    const json_t *value = json_object_get(o->now, key);
    return value != NULL && !json_is_null(value);
}

int64_t object_int(struct objects *o, const char *key, int64_t least, int64_t most)
{
    const json_t *value = json_object_get(o->now, key);
    if (json_is_integer(value) && json_integer_value(value) >= least &&
        json_integer_value(value) <= most)
        return json_integer_value(value);
    char expected[80];
    snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)least,
             (long long)most);
    object_wrong(o, key, expected);
    return 0;
}

uint64_t object_uint(struct objects *o, const char *key, uint64_t most)
{
    return (uint64_t)object_int(o, key, 0, most > INT64_MAX ? INT64_MAX : (int64_t)most);
}

bool object_bool(struct objects *o, const char *key)
{
    const json_t *value = json_object_get(o->now, key);
    if (!json_is_boolean(value))
        object_wrong(o, key, "true or false");
    return json_is_true(value);
}

const char *object_str(struct objects *o, const char *key, size_t *n)
{
    const json_t *value = json_object_get(o->now, key);
    if (!json_is_string(value))
        object_wrong(o, key, "a string");
    if (n != NULL)
        *n = json_is_string(value) ? json_string_length(value) : 0;
    return json_is_string(value) ? json_string_value(value) : "";
}

/* The flags of input lines (job_json.c): numbers as reals, or 2^64-1 would be refused. */
static bool is_object(const char *text, size_t n)
{
    json_t *value = json_loadb(text, n, JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, NULL);
    bool is = json_is_object(value) && text[0] == '{' && text[n - 1] == '}';
    json_decref(value);
    return is;
}

const char *object_json(struct objects *o, const char *key, size_t *n)
{
    const char *text = object_str(o, key, n);
    if (!is_object(text, *n))
        object_wrong(o, key, "the text of a JSON object");
    return text;
}

rs_wall object_time(struct objects *o, const char *key)
{
    const int64_t seconds_most = INT64_MAX / (int64_t)RS_SEC - 1;
    struct tm tm = {0};
    unsigned us;
    int end = 0;
    const json_t *value = json_object_get(o->now, key);
    if (json_is_null(value))
        return (rs_wall){0};
    const char *text = object_str(o, key, NULL);
    int got = sscanf(text, "%4d-%2d-%2d %2d:%2d:%2d.%6u%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
                     &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &us, &end);
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    int64_t seconds = got == 7 ? (int64_t)timegm(&tm) : 0;
    if (got != 7 || text[end] != '\0' || end != 26 || us > 999999 || seconds > seconds_most ||
        seconds < -seconds_most) {
        object_wrong(o, key, "a time as YYYY-MM-DD HH:MM:SS.ffffff, from 1678 to 2261");
        return (rs_wall){0};
    }
    return (rs_wall){seconds * (int64_t)RS_SEC + us * 1000};
}

struct wire_addr object_addr(struct objects *o, const char *key)
{
    struct wire_addr a;
    memset(&a, 0, sizeof a);
    if (json_is_null(json_object_get(o->now, key)))
        return a;
    if (wire_addr_parse(object_str(o, key, NULL), &a) != 0)
        object_wrong(o, key, "an address");
    return a;
}

static int hex_digit(char c)
{
    const char *digits = "0123456789abcdef", *at = c == '\0' ? NULL : strchr(digits, c);
    return at == NULL ? -1 : (int)(at - digits);
}

/* Appends to `bytes`, which has room. */
static bool add_hex(char *bytes, size_t *n, const char *text, size_t length)
{
    for (size_t i = 0; i + 1 < length; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[(*n)++] = (char)(high * 16 + low);
    }
    return length % 2 == 0;
}

char *object_hex(struct objects *o, const char *key, size_t *n)
{
    const json_t *list = json_object_get(o->now, key);
    size_t room = 1;
    bool good = json_is_array(list);
    *n = 0;
    for (size_t i = 0; good && i < json_array_size(list); i++)
        room += json_string_length(json_array_get(list, i)) / 2;
    char *bytes = good ? malloc(room) : NULL;
    for (size_t i = 0; bytes != NULL && good && i < json_array_size(list); i++) {
        const json_t *part = json_array_get(list, i);
        good = json_is_string(part) &&
               add_hex(bytes, n, json_string_value(part), json_string_length(part));
    }
    if (good)
        return bytes;
    object_wrong(o, key, "an array of hexadecimal texts");
    free(bytes);
    *n = 0;
    return NULL;
}
