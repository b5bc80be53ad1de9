/* SPDX-License-Identifier: GPL-3.0-or-later
 * How a list is filled: by the file reader and from the built-in table. */
#ifndef RS_IO_BLOCKLIST_INT_H
#define RS_IO_BLOCKLIST_INT_H

#include <stdint.h>

#include "io/blocklist.h"

struct blocklist_range {
    struct wire_addr low, high; /* both within */
    size_t text;                /* offset in blocklist.texts */
};

/* Reads one entry (address, prefix, a-b) without blanks around it. NULL, or what was expected. */
const char *blocklist_parse(const char *entry, struct blocklist_range *out);

struct blocklist_entry { /* of the built-in table */
    const char *range, *note;
};

extern const struct blocklist_entry blocklist_special[]; /* ended by range NULL */

#endif
