/* SPDX-License-Identifier: GPL-3.0-or-later
 * NDJSON: jansson validates the line and reads our members out of it; the line itself is what goes
 * on. The only file that knows jansson. */
#include "io/job_int.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Numbers as reals, or 2^64-1 in a key that is not ours would be refused; \u0000 likewise. */
#define PARSE_FLAGS (JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL)

static const char *type_name(const json_t *value)
{
    static const char *const names[] = {"an object", "an array", "a string", "a number",
                                        "a number",  "true",     "false",    "null"};
    size_t type = (size_t)json_typeof(value);
    return type < sizeof names / sizeof names[0] ? names[type] : "unknown";
}

static void read_dip(const json_t *object, struct job *job, struct job_members *given)
{
    const json_t *dip = json_object_get(object, "dip");
    if (dip == NULL) {
        job_problem(job, "the object has no \"dip\"; expected \"dip\": \"ADDRESS\"");
    } else if (!json_is_string(dip)) {
        job_problem(job, "dip is %s; expected a string with an IPv4 or IPv6 address",
                    type_name(dip));
    } else {
        given->dip = json_string_value(dip);
        given->dip_bytes = json_string_length(dip);
    }
}

/* PATHspider's filter gives ports from CSV as strings; null is its "not given". */
static void read_port(const json_t *object, struct job *job)
{
    const json_t *dp = json_object_get(object, "dp");
    if (dp == NULL || json_is_null(dp))
        return;
    if (json_is_string(dp)) {
        if (json_string_length(dp) > 0)
            job_set_port(job, json_string_value(dp), json_string_length(dp));
    } else if (json_is_real(dp) && json_real_value(dp) >= 1 && json_real_value(dp) <= 65535 &&
               json_real_value(dp) == (uint16_t)json_real_value(dp)) {
        job->dp = (uint16_t)json_real_value(dp);
    } else if (json_is_real(dp)) {
        char text[32];
        int n = snprintf(text, sizeof text, "%.15g", json_real_value(dp));
        job_set_port(job, text, (size_t)n);
    } else {
        job_problem(job, "dp is %s; expected a whole number from 1 to 65535", type_name(dp));
    }
}

static void read_domain(const json_t *object, struct job *job, struct job_members *given)
{
    const json_t *domain = json_object_get(object, "domain");
    if (domain == NULL || json_is_null(domain))
        return;
    if (json_is_string(domain)) {
        given->domain = json_string_value(domain);
        given->domain_bytes = json_string_length(domain);
    } else {
        job_problem(job, "domain is %s; expected a string with a host name", type_name(domain));
    }
}

static void refuse(const char *line, size_t n, const json_error_t *error, struct job *job)
{
    static const char want[] =
        "expected one JSON object such as {\"dip\": \"192.0.2.1\", \"dp\": 80}";
    if (memchr(line, '\0', n) != NULL)
        job_problem(job, "holds NUL bytes, so it is not text; %s", want);
    else if (line[0] != '{')
        job_problem(job, "not a JSON object; %s (for CSV give --csv-input)", want);
    else
        job_problem(job, "malformed JSON at byte %d (%s); expected one object", error->position,
                    error->text);
}

void job_from_json(struct job_maker *m, const char *line, size_t n, struct job *job)
{
    json_error_t error;
    json_t *object = line[0] == '{' ? json_loadb(line, n, PARSE_FLAGS, &error) : NULL;
    if (object == NULL) {
        refuse(line, n, &error, job);
        return;
    }
    job->raw_is_json = true;
    struct job_members given = {0};
    read_dip(object, job, &given);
    read_domain(object, job, &given);
    job_set(m, job, &given);
    read_port(object, job);
    json_decref(object);
}
