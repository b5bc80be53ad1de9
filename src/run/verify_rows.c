/* SPDX-License-Identifier: GPL-3.0-or-later
 * Which condition rows the fixtures have reached, of every plugin, and what the framework says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/verify_int.h"

#define ROWS 256 /* most rows of one plugin */

struct of_plugin {
    bool row[ROWS];
    bool incomplete[COND_ARMS];
};

struct reached {
    bool multipath;
    struct of_plugin plugin[]; /* in the registry's order */
};

static size_t plugins(void)
{
    size_t n = 0;
    while (plugin_registry[n] != NULL)
        n++;
    return n;
}

struct reached *verify_reached_new(void)
{
    return calloc(1, sizeof(struct reached) + plugins() * sizeof(struct of_plugin));
}

void verify_reached_free(struct reached *r)
{
    free(r);
}

static void add_framework(struct reached *r,
                          struct of_plugin *mine,
                          const struct plugin *p,
                          const char *text)
{
    static const char incomplete[] = "measure.incomplete:";
    if (strcmp(text, "path.multipath_suspected") == 0)
        r->multipath = true;
    if (strncmp(text, incomplete, strlen(incomplete)) != 0)
        return;
    for (size_t arm = 0; arm < p->n_arms && arm < COND_ARMS; arm++)
        if (strcmp(text + strlen(incomplete), p->arms[arm].name) == 0)
            mine->incomplete[arm] = true;
}

void verify_reached_add(struct reached *r,
                        const struct plugin *p,
                        const struct cond_table *t,
                        const struct evidence *e,
                        const struct verdict *v)
{
    size_t at = 0;
    while (plugin_registry[at] != p)
        at++;
    struct of_plugin *mine = &r->plugin[at];
    for (unsigned i = 0; i < v->n; i++)
        if (v->row[i] == UINT16_MAX)
            add_framework(r, mine, p, v->text[i]);
        else if (v->row[i] < ROWS)
            mine->row[v->row[i]] = true;
    for (size_t i = 0; i < p->n_conditions && i < ROWS; i++)
        if (cond_row_asks(t, e, i))
            mine->row[i] = true;
}

struct report {
    void (*say)(void *ctx, const char *line);
    void *ctx;
    struct verify_counts *counts;
};

static void count(
    const struct report *to, bool reached, const char *plugin, const char *name, const char *why)
{
    to->counts->rows++;
    if (reached)
        return;
    to->counts->unreached++;
    char line[512];
    snprintf(line, sizeof line, "# unreached: %s: %s (%s)", plugin, name, why);
    to->say(to->ctx, line);
}

static void say_plugin(const struct report *to,
                       const struct of_plugin *mine,
                       const struct plugin *p)
{
    char name[COND_TEXT];
    for (size_t i = 0; i < p->n_conditions; i++)
        count(to, i < ROWS && mine->row[i], p->name, p->conditions[i].name,
              p->conditions[i].clause);
    for (size_t arm = 0; arm < p->n_arms && arm < COND_ARMS; arm++) {
        snprintf(name, sizeof name, "measure.incomplete:%s", p->arms[arm].name);
        count(to, mine->incomplete[arm], p->name, name, "no evidence for this arm");
    }
}

void verify_reached_say(const struct reached *r,
                        void (*say)(void *ctx, const char *line),
                        void *ctx,
                        struct verify_counts *counts)
{
    struct report to = {say, ctx, counts};
    for (size_t i = 0; plugin_registry[i] != NULL; i++)
        say_plugin(&to, &r->plugin[i], plugin_registry[i]);
    count(&to, r->multipath, "every plugin", "path.multipath_suspected",
          "success follows the source port and not the flags");
}
