/* SPDX-License-Identifier: GPL-3.0-or-later
 * Addresses that are not to be measured, in ZMap's file form: one address, prefix (CIDR) or range
 * a-b a line, IPv4 and IPv6, '#' comments. Immutable once made. */
#ifndef RS_IO_BLOCKLIST_H
#define RS_IO_BLOCKLIST_H

#include <stddef.h>

#include "base/err.h"
#include "wire/addr.h"

struct blocklist;

/* Reads a file. The comment behind an entry becomes part of its text. 0; -RS_ENOENT, -RS_EPERM,
 * -RS_ESYS unreadable; -RS_EINVAL an entry is malformed or a name (the text names file:line and
 * what was expected); -RS_ENOMEM. The caller frees *out. */
int blocklist_load(struct blocklist **out, const char *path, struct rs_err *err);

/* What IANA's special-purpose address registries (RFC 6890, RFC 8190) do not call globally
 * reachable, and multicast; built in. 0 or -RS_ENOMEM. */
int blocklist_default(struct blocklist **out, struct rs_err *err);

/* What -b means: a file; NULL the usual one (/etc/rawspider/blocklist.conf, else ZMap's, else
 * blocklist_default); "none": *out is NULL, which blocks nothing. As blocklist_load. */
int blocklist_open(struct blocklist **out, const char *name, struct rs_err *err);

/* The text of an entry that covers the address, e.g. "10.0.0.0/8 (RFC 1918: Private-Use)", or NULL.
 * Lives as long as the list. `list` NULL blocks nothing. */
const char *blocklist_match(const struct blocklist *list, const struct wire_addr *a);

/* Entries as they were read, before overlapping ones are joined; for the metadata. */
size_t blocklist_entries(const struct blocklist *list);

void blocklist_free(struct blocklist *list);

#endif
