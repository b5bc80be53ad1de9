/* SPDX-License-Identifier: GPL-3.0-or-later
 * Every exchange there is. */
#include <string.h>

#include "exchange/exchange.h"

static const struct exchange *const list[] = {&exchange_tcp, &exchange_http, NULL};

const struct exchange *const *exchange_list(void)
{
    return list;
}

const struct exchange *exchange_find(const char *name)
{
    for (const struct exchange *const *at = list; *at != NULL; at++) {
        if (strcmp((*at)->name, name) == 0)
            return *at;
    }
    return NULL;
}
