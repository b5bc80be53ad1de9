/* SPDX-License-Identifier: GPL-3.0-or-later
 * Plain lists, as ZMap and masscan read them: an address, prefix or range a line. A prefix is
 * walked address by address as its targets are asked for, so its width costs nothing. */
#include "io/job_int.h"

#include <string.h>

#include "io/blocklist_int.h"
#include "io/text_int.h"

#define ENTRY_BYTES 128 /* more than the longest entry, a range of two IPv6 addresses */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

size_t job_list_entry(const char *line, size_t n)
{
    const char *comment = memchr(line, '#', n);
    if (comment != NULL)
        n = (size_t)(comment - line);
    while (n > 0 && is_blank(line[n - 1]))
        n--;
    return n;
}

/* More than 2^32 addresses, which only a slip or a limit (-n) can mean. */
static bool is_too_wide(const struct wire_addr *low, const struct wire_addr *high)
{
    unsigned borrow = 0, left = 0;
    size_t bytes = low->family == 4 ? 4 : 16;
    for (size_t i = bytes; i-- > 0;) {
        unsigned from = high->bytes[i], taken = low->bytes[i] + borrow;
        borrow = from < taken;
        if (bytes - i > 4)
            left |= (from - taken) & 0xffu;
    }
    return left != 0;
}

static bool is_everything(const struct wire_addr *low, const struct wire_addr *high)
{
    static const uint8_t zeros[4] = {0}, ones[4] = {255, 255, 255, 255};
    return low->family == 4 && memcmp(low->bytes, zeros, 4) == 0 &&
           memcmp(high->bytes, ones, 4) == 0;
}

/* NULL, or what is wrong with it. */
static const char *parse(const char *entry, size_t n, struct blocklist_range *out)
{
    char text[ENTRY_BYTES];
    if (memchr(entry, '\0', n) != NULL)
        return "holds NUL bytes, so it is not text; expected an address, a prefix or a range a-b";
    if (n >= sizeof text)
        return "is too long; expected one address, prefix or range a-b a line";
    memcpy(text, entry, n);
    text[n] = '\0';
    if (strpbrk(text, " \t") != NULL && strchr(text, '-') == NULL)
        return "is more than one word; expected one address, prefix or range a-b a line";
    return blocklist_parse(text, out);
}

bool job_list_is_entry(const char *entry, size_t n)
{
    struct blocklist_range range;
    return parse(entry, n, &range) == NULL;
}

void job_list_begin(
    struct job_list *list, const char *entry, size_t n, bool any_width, struct job *job)
{
    struct blocklist_range range;
    int shown = n < 60 ? (int)n : 60;
    list->left = false;
    const char *wrong = parse(entry, n, &range);
    if (wrong == NULL && !any_width && is_too_wide(&range.low, &range.high))
        wrong = "has more than 2^32 addresses; expected an IPv6 prefix of /96 or longer (or -n N, "
                "for the first N targets)";
    else if (wrong == NULL && !any_width && is_everything(&range.low, &range.high))
        wrong = "is every IPv4 address; expected narrower prefixes (or -n N, for the first N "
                "targets)";
    if (wrong != NULL) {
        job_problem(job, "\"%.*s\" %s", shown, entry, wrong);
        return;
    }
    *list = (struct job_list){.next = range.low, .last = range.high, .left = true};
}

static void step(struct job_list *list)
{
    list->left = !wire_addr_equal(&list->next, &list->last);
    for (size_t i = list->next.family == 4 ? 4 : 16; list->left && i-- > 0;)
        if (++list->next.bytes[i] != 0)
            return;
}

void job_list_next(struct job_list *list, struct job_maker *m, struct job *job)
{
    char text[WIRE_ADDR_TEXT];
    struct record_text *json = &m->json;
    wire_addr_format(&list->next, text);
    json->n = 0;
    json->failed = false;
    text_add(json, "{\"dip\":\"", 8);
    text_add(json, text, strlen(text));
    text_add(json, "\"}", 2);
    if (json->failed) {
        job->raw = "";
        job->raw_bytes = 0;
        job_problem(job, "not enough memory for a target");
    } else {
        job->raw = json->at;
        job->raw_bytes = json->n;
        job->raw_is_json = true;
        job_set_address(job, &list->next, text);
    }
    step(list);
}
