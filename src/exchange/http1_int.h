/* SPDX-License-Identifier: GPL-3.0-or-later
 * The two halves of exchange_http. */
#ifndef RS_EXCHANGE_HTTP1_INT_H
#define RS_EXCHANGE_HTTP1_INT_H

#include "exchange/exchange.h"

#define HTTP_HEAD_BYTES_MOST 8192u  /* status line and headers, those of 1xx answers included */
#define HTTP_BODY_BYTES_MOST 65536u /* framing included; what comes after is not waited for */

enum exchange_status http1_input(void *state, const uint8_t *bytes, size_t n);
enum exchange_status http1_end(void *state);
void http1_result(const void *state, struct exchange_result *out);

#endif
