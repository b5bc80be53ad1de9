/* SPDX-License-Identifier: GPL-3.0-or-later
 * Writes packets to a capture file: pcap with nanoseconds, Linux cooked (DLT_LINUX_SLL), whose
 * header has room for what a replay must know: which way a packet went, and who sent it. Packet
 * type 0 is received; 4 with ARPHRD_NONE is sent by rawspider, before any link layer; 4 with
 * ARPHRD_ETHER was seen to leave the interface, from the host itself. */
#ifndef RS_NET_PCAPOUT_H
#define RS_NET_PCAPOUT_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/time.h"
#include "net/trace.h"

struct pcapout;

/* Creates or truncates `path`. 0, -RS_ESYS, -RS_EPERM, -RS_ENOMEM. */
int pcapout_open(struct pcapout **out, const char *path, struct rs_err *err);
/* `way`: TRACE_IN, TRACE_SENT or TRACE_HOST, as trace_read gives it back. Buffered. 0; -RS_ESYS
 * once the file cannot take more (also on every later call). */
int pcapout_write(struct pcapout *p, const uint8_t *ip, size_t n, rs_wall at, enum trace_way way);
/* Hands what is buffered to the system, so that a kill loses no more than what came since. */
void pcapout_flush(struct pcapout *p);
/* Writes what is left and frees `p` in any case. 0, or -RS_ESYS: the file is not whole (a full
 * disk); the text names it. NULL gives 0. */
int pcapout_close(struct pcapout *p, struct rs_err *err);

#endif
