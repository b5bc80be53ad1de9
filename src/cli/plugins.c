/* SPDX-License-Identifier: GPL-3.0-or-later
 * rawspider plugins: what there is; with a name, its arms and every condition it can say, with the
 * source of each rule. */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "plugins/plugin.h"

static void show(const struct plugin *p)
{
    printf("%s: %s\n\narms:", p->name, p->summary);
    for (size_t i = 0; i < p->n_arms; i++)
        printf(" %s%s", p->arms[i].name, i == 0 ? " (baseline)" : "");
    printf("\nmodes:");
    for (const char *const *x = p->exchanges; *x != NULL; x++)
        printf(" %s", *x);
    printf("\n\nconditions (base: one of each group; detail: any number beside them)\n");
    for (size_t i = 0; i < p->n_conditions; i++) {
        const struct condition *c = &p->conditions[i];
        printf("  %-6s %s%s\n         %s\n",
               c->layer == COND_BASE     ? "base"
               : c->layer == COND_DETAIL ? "detail"
                                         : "(asks)",
               c->name, c->value_field != NULL ? ":VALUE" : "", c->clause);
        if (c->every > 1)
            printf("         (%s %u attempts of arm %s: needs --confirm 2)\n",
                   c->layer == COND_ASK ? "asks for up to" : "in each of at least", c->every,
                   p->arms[c->every_arm].name);
    }
}

int command_plugins(int argc, char **argv)
{
    if (argc > 1 && wants_help(argv[1])) {
        puts("usage: rawspider plugins [NAME]\n\nLists the plugins; with a NAME, its arms, modes "
             "and conditions.");
        return EXIT_DONE;
    }
    for (size_t i = 0; plugin_registry[i] != NULL; i++) {
        if (argc > 1 && strcmp(argv[1], plugin_registry[i]->name) == 0) {
            show(plugin_registry[i]);
            return EXIT_DONE;
        }
        if (argc == 1)
            printf("%-8s %s\n", plugin_registry[i]->name, plugin_registry[i]->summary);
    }
    if (argc == 1)
        return EXIT_DONE;
    complain("there is no plugin '%s'; rawspider plugins lists them", argv[1]);
    return EXIT_USAGE;
}
