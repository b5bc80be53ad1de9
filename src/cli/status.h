/* SPDX-License-Identifier: GPL-3.0-or-later
 * The progress line on stderr: on a terminal one line that is written over, elsewhere a line each
 * time, and only when asked for. */
#ifndef RS_CLI_STATUS_H
#define RS_CLI_STATUS_H

#include <stdbool.h>

struct status {
    bool quiet, verbose; /* -q, -v */
    bool terminal, open;
};

bool status_wanted(const struct status *s);
/* "M:SS " in front, then what follows. */
__attribute__((format(printf, 3, 4))) void status_say(struct status *s,
                                                      double elapsed,
                                                      const char *format,
                                                      ...);
void status_clear(struct status *s); /* before anything else is written */
void status_end(struct status *s);   /* leaves the last one standing */

#endif
