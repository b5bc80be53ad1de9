/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "cli/commands.h"

int command_version(int argc, char **argv)
{
    (void)argc, (void)argv;
    printf("rawspider %s\n", RAWSPIDER_VERSION);
    return EXIT_DONE;
}
