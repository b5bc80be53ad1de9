/* SPDX-License-Identifier: GPL-3.0-or-later
 * An array without order: one is drawn, and the last takes its place. */
#include "io/shuffle.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

struct kept {
    uint64_t line, text_line;
    char *text; /* owned: raw, and behind it the domain with its NUL */
    uint32_t raw_bytes, bytes;
    struct wire_addr dip;
    uint16_t dp;
    bool has_domain;
};

struct shuffle {
    struct rs_rand rand;
    char *given; /* the text of the job that was taken last */
    size_t bytes;
    unsigned n, most;
    struct kept kept[];
};

int shuffle_new(struct shuffle **out, unsigned window, uint64_t seed, struct rs_err *err)
{
    unsigned most = window > 0 ? window : 1;
    struct shuffle *s = *out = calloc(1, sizeof *s + most * sizeof s->kept[0]);
    if (s == NULL)
        return rs_fail(err, RS_ENOMEM, "not enough memory for a window of %u targets", window);
    s->most = most;
    rs_rand_seed(&s->rand, seed);
    return 0;
}

void shuffle_free(struct shuffle *s)
{
    if (s == NULL)
        return;
    for (unsigned i = 0; i < s->n; i++)
        free(s->kept[i].text);
    free(s->given);
    free(s);
}

bool shuffle_is_full(const struct shuffle *s)
{
    return s->n == s->most || s->bytes >= SHUFFLE_TEXT_BYTES;
}

unsigned shuffle_count(const struct shuffle *s)
{
    return s->n;
}

int shuffle_put(struct shuffle *s, const struct job *job)
{
    size_t domain = job->domain != NULL ? strlen(job->domain) + 1 : 0;
    char *text = malloc(job->raw_bytes + domain + 1);
    if (text == NULL)
        return -RS_ENOMEM;
    memcpy(text, job->raw, job->raw_bytes);
    if (domain > 0)
        memcpy(text + job->raw_bytes, job->domain, domain);
    s->kept[s->n++] = (struct kept){.line = job->line,
                                    .text_line = job->text_line,
                                    .text = text,
                                    .raw_bytes = (uint32_t)job->raw_bytes,
                                    .bytes = (uint32_t)(job->raw_bytes + domain),
                                    .dip = job->dip,
                                    .dp = job->dp,
                                    .has_domain = domain > 0};
    s->bytes += job->raw_bytes + domain;
    return 0;
}

void shuffle_take(struct shuffle *s, struct job *out)
{
    unsigned at = (unsigned)rs_rand_below(&s->rand, s->n);
    struct kept k = s->kept[at];
    s->kept[at] = s->kept[--s->n];
    s->bytes -= k.bytes;
    free(s->given);
    s->given = k.text;
    out->line = k.line;
    out->text_line = k.text_line;
    out->raw = k.text;
    out->raw_bytes = k.raw_bytes;
    out->raw_is_json = true;
    out->dip = k.dip;
    out->dp = k.dp;
    out->domain = k.has_domain ? k.text + k.raw_bytes : NULL;
    out->problem[0] = '\0';
}
