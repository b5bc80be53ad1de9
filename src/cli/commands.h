/* SPDX-License-Identifier: GPL-3.0-or-later
 * One file a command. A command gets the arguments behind its name and returns the exit code. */
#ifndef RS_CLI_COMMANDS_H
#define RS_CLI_COMMANDS_H

enum exit_code { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_LIMIT = 3, EXIT_LOST = 4 };

#define COMMAND(name, summary) int command_##name(int argc, char **argv);
#include "cli/commands.def"
#undef COMMAND

/* "rawspider: message" on stderr. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);
/* Says what was wrong when getopt_long gave `result`, ':' or '?'; for its options a ':' must come
 * first. argv[0] is the command. Returns EXIT_USAGE. */
int bad_option(int result, char *const *argv);
/* True for "-h" and "--help". */
int wants_help(const char *arg);

#endif
