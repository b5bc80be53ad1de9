/* SPDX-License-Identifier: GPL-3.0-or-later
 * HTTP/1.1, one GET: the request. http1_read.c reads the answer. */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "exchange/http1_int.h"

/* Nothing that could end or split a header line; in a host no space either (RFC 9110 5.5, 7.2). */
static bool is_clean(const char *text, char least)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text < (unsigned char)least || *text == 0x7f) /* over 127: obs-text */
            return false;
    }
    return true;
}

static int request(const struct exchange_target *t, uint8_t *out, size_t cap, size_t *n)
{
    const char *host = t->domain != NULL && t->domain[0] != '\0' ? t->domain : t->address;
    const char *agent = t->user_agent != NULL ? t->user_agent : "rawspider";
    char port[8] = "";

    if (host == NULL || host[0] == '\0' || !is_clean(host, '!') || !is_clean(agent, ' '))
        return -RS_EINVAL;
    if (t->port != 80)
        snprintf(port, sizeof port, ":%u", t->port);
    const char *const parts[] = {
        "GET / HTTP/1.1\r\nHost: ", host,  port,
        "\r\nUser-Agent: ",         agent, "\r\nAccept: */*\r\nConnection: close\r\n\r\n"};
    size_t at = 0;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) { /* twice a target: no printf */
        size_t bytes = strlen(parts[i]);
        if (cap - at <= bytes)
            return -RS_ENOMEM;
        memcpy(out + at, parts[i], bytes);
        at += bytes;
    }
    *n = at;
    return 0;
}

const struct exchange exchange_http = {
    .name = "http",
    .default_port = 80,
    .request = request,
    .input = http1_input,
    .end = http1_end,
    .result = http1_result,
};
