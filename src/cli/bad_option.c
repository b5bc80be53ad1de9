/* SPDX-License-Identifier: GPL-3.0-or-later
 * What getopt_long could not make sense of, in our own words: its would begin with the command and
 * not with the program. */
#include <getopt.h>
#include <stdbool.h>
#include <string.h>

#include "cli/commands.h"

int bad_option(int result, char *const *argv)
{
    const char *word = argv[optind - 1];
    bool is_long = strncmp(word, "--", 2) == 0;
    if (result == ':' && is_long)
        complain("%s needs a value; rawspider %s --help lists the options", word, argv[0]);
    else if (result == ':')
        complain("-%c needs a value; rawspider %s --help lists the options", optopt, argv[0]);
    else if (is_long && optopt != 0)
        complain("%.*s takes no value; rawspider %s --help lists the options",
                 (int)strcspn(word, "="), word, argv[0]);
    else if (is_long)
        complain("there is no option %s; rawspider %s --help lists the options", word, argv[0]);
    else
        complain("there is no option -%c; rawspider %s --help lists the options", optopt, argv[0]);
    return EXIT_USAGE;
}
