/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "cli/status.h"

#include <stdarg.h>
#include <stdio.h>

bool status_wanted(const struct status *s)
{
    return !s->quiet && (s->terminal || s->verbose);
}

void status_say(struct status *s, double elapsed, const char *format, ...)
{
    va_list args;
    unsigned seconds = (unsigned)elapsed;
    fprintf(stderr, "%s%u:%02u ", s->terminal ? "\r\033[K" : "", seconds / 60, seconds % 60);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    if (!s->terminal)
        fputc('\n', stderr);
    s->open = s->terminal;
}

void status_clear(struct status *s)
{
    if (s->open)
        fputs("\r\033[K", stderr);
    s->open = false;
}

void status_end(struct status *s)
{
    if (s->open)
        fputc('\n', stderr);
    s->open = false;
}
