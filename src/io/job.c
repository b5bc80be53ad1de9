/* SPDX-License-Identifier: GPL-3.0-or-later
 * What all formats have in common: the checks of address, port and domain, and what is said about
 * them. */
#include "io/job_int.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "io/text_int.h"

void job_problem(struct job *job, const char *format, ...)
{
    if (job->problem[0] != '\0')
        return;
    char *text = job->problem;
    int at = snprintf(text, sizeof job->problem, "line %" PRIu64 ": ", job->text_line);
    va_list args;
    va_start(args, format);
    vsnprintf(text + at, sizeof job->problem - (size_t)at, format, args);
    va_end(args);
    for (size_t i = 0, n = strlen(text); i < n;) { /* also mends a sequence that was cut */
        size_t len =
            (unsigned char)text[i] < 0x20 || text[i] == 0x7f ? 0 : text_utf8(text + i, n - i);
        if (len == 0)
            text[i] = '?';
        i += len == 0 ? 1 : len;
    }
}

static bool is_letter(char c)
{
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'z';
}

/* A name has letters and no colon; hexadecimal alone is no IPv6 address without one either. */
static bool looks_like_name(const char *s)
{
    bool letters = false;
    for (; *s != '\0'; s++) {
        if (*s == ':' || *s == '/')
            return false;
        letters |= is_letter(*s) || (unsigned char)*s >= 0x80;
    }
    return letters;
}

/* Why an address cannot be measured whatever the blocklist says, or NULL. */
static const char *no_host(const struct wire_addr *a)
{
    static const uint8_t zero[16], ones[4] = {255, 255, 255, 255};
    if (memcmp(a->bytes, zero, sizeof zero) == 0)
        return "the unspecified address";
    if (a->family == 6)
        return a->bytes[0] == 0xff ? "a multicast address" : NULL;
    if (memcmp(a->bytes, ones, sizeof ones) == 0)
        return "the broadcast address";
    return (a->bytes[0] & 0xf0u) == 0xe0u ? "a multicast address" : NULL;
}

void job_set_address(struct job *job, const struct wire_addr *a, const char *text)
{
    const char *why = no_host(a);
    if (why != NULL)
        job_problem(job, "dip %s is %s; expected the address of one host", text, why);
    else
        job->dip = *a;
}

static void read_address(struct job *job, const char *dip, size_t n)
{
    static const char want[] = "an IPv4 or IPv6 address such as 192.0.2.1 or 2001:db8::1";
    char text[64];
    struct wire_addr a;
    size_t kept = n < sizeof text ? n : sizeof text - 1;
    memcpy(text, dip, kept);
    text[kept] = '\0';
    if (n == 0) {
        job_problem(job, "dip is empty; expected %s", want);
    } else if (kept == n && strlen(text) == n && wire_addr_parse(text, &a) == 0) {
        job_set_address(job, &a, text);
    } else if (looks_like_name(text)) {
        job_problem(job, "dip \"%s\" is a name; expected %s (resolve names first)", text, want);
    } else if (strchr(text, '/') != NULL) {
        job_problem(job, "dip \"%s\" is a prefix; expected %s, one a line", text, want);
    } else {
        job_problem(job, "dip \"%s\" cannot be read; expected %s, without brackets, zone or port",
                    text, want);
    }
}

static void set_domain(struct job_maker *m, struct job *job, const char *domain, size_t n)
{
    if (n > INPUT_DOMAIN_BYTES) {
        job_problem(job, "domain has %zu bytes; expected at most %d", n, INPUT_DOMAIN_BYTES);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)domain[i];
        if (c <= 0x20 || c == 0x7f) {
            job_problem(job,
                        "domain holds a blank or control character (0x%02x at byte %zu); expected "
                        "a host name",
                        c, i + 1);
            return;
        }
    }
    memcpy(m->domain, domain, n);
    m->domain[n] = '\0';
    job->domain = m->domain;
}

void job_set(struct job_maker *m, struct job *job, const struct job_members *given)
{
    if (given->dip != NULL)
        read_address(job, given->dip, given->dip_bytes);
    if (given->domain_bytes > 0)
        set_domain(m, job, given->domain, given->domain_bytes);
}

void job_set_port(struct job *job, const char *text, size_t n)
{
    unsigned port = 0;
    size_t i = 0;
    while (i < n && text[i] >= '0' && text[i] <= '9' && port <= 65535)
        port = port * 10 + (unsigned)(text[i++] - '0');
    if (n == 0 || i < n || port == 0 || port > 65535)
        job_problem(job, "dp %.*s is not a port; expected a whole number from 1 to 65535",
                    n < 40 ? (int)n : 40, text);
    else
        job->dp = (uint16_t)port;
}

void job_maker_free(struct job_maker *m)
{
    text_free(&m->fields);
    text_free(&m->json);
}
