/* SPDX-License-Identifier: GPL-3.0-or-later
 * The one printer: tcpdump-like text of a view, for --trace, --dryrun, test failures and log lines.
 */
#ifndef RS_WIRE_PRINT_H
#define RS_WIRE_PRINT_H

#include <stddef.h>

#include "wire/view.h"

enum wire_print { WIRE_PRINT_SHORT, WIRE_PRINT_ADDRESSES };

/* "S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 1 ecr 2,wscale 7> [E] [ect0] ttl 64": flags as
 * tcpdump writes them (S F R P . U E W, and e for AE); sequence numbers relative to `seq_base` and
 * `ack_base`. ICMP errors print their quote after "quoting". Always NUL-terminated; returns the
 * length it wanted, as snprintf does. */
size_t wire_print(char *out,
                  size_t cap,
                  const struct wire_view *v,
                  enum wire_print how,
                  uint32_t seq_base,
                  uint32_t ack_base);

/* "not_ect", "ect1", "ect0", "ce". */
const char *wire_ecn_name(unsigned codepoint);
/* "S.EW" for a flag word, "none" for 0. Returns `out`. */
char *wire_flags_format(unsigned flags, char out[16]);

#endif
