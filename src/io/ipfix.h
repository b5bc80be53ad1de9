/* SPDX-License-Identifier: GPL-3.0-or-later
 * Flows as IPFIX (RFC 7011): biflows (RFC 5103) into a file (RFC 5655) or over TCP to a collector,
 * with the types of elements that IANA does not have (RFC 5610). Messages are made by libfixbuf;
 * files and connections are ours, so that no error of theirs is lost. */
#ifndef RS_IO_IPFIX_H
#define RS_IO_IPFIX_H

#include <stdint.h>

#include "base/err.h"

/* Kinds of records: one of IP4 and IP6, PORTS for TCP and UDP, TCP, BIFLOW where there is a reverse
 * direction (RFC 5103 4). */
enum { IPFIX_IP4 = 1, IPFIX_IP6 = 2, IPFIX_PORTS = 4, IPFIX_TCP = 8, IPFIX_BIFLOW = 16 };

struct ipfix_ip6 {
    uint8_t bytes[16];
};

struct ipfix_flow { /* host byte order; what is unknown is 0, if ipfix.def does not say otherwise */
#define IPFIX_ELEMENT(member, type, element, where) type member;
#include "io/ipfix.def"
};

struct ipfix;

/* `destination`: a file's path, NULL or "-" for standard output, or tcp:HOST:PORT for a collector
 * (an IPv6 address in brackets; tcp:HOST means port 4739). 0; -RS_EINVAL it is none of them; -RS_*
 * as output_open; -RS_ESYS the collector cannot be reached, -RS_ENOMEM. */
int ipfix_open(struct ipfix **out, const char *destination, struct rs_err *err);
/* One flow; `kind` of the enum above. Messages go out when they are full. 0; -RS_ESYS, which is
 * final: the flows of the message are lost, and more are not taken. */
int ipfix_write(struct ipfix *x, const struct ipfix_flow *f, unsigned kind, struct rs_err *err);
/* Sends what has been written. As ipfix_write. */
int ipfix_flush(struct ipfix *x, struct rs_err *err);
/* Bytes that have reached the file, or the host's side of the connection. */
uint64_t ipfix_bytes(const struct ipfix *x);
/* Sends the rest, closes, frees; NULL is ignored. For a collector, success means that its host has
 * confirmed all bytes. 0 or -RS_ESYS: something was lost, now or before. */
int ipfix_close(struct ipfix *x, struct rs_err *err);

#endif
