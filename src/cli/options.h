/* SPDX-License-Identifier: GPL-3.0-or-later
 * The options of `measure`: one table for parsing and for --help. */
#ifndef RS_CLI_OPTIONS_H
#define RS_CLI_OPTIONS_H

#include <stdbool.h>

#include "run/measure.h"

struct options_ui {
    bool quiet, verbose;
};

/* Fills `o`. -1: go on; otherwise the exit code to end with (help was printed, or a complaint). */
int options_measure(int argc, char **argv, struct measure_options *o, struct options_ui *ui);

#endif
