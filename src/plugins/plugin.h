/* SPDX-License-Identifier: GPL-3.0-or-later
 * The contract of a plugin: one file in this folder that defines `const struct plugin plugin_NAME`,
 * NAME being the file's name. Everything is const data; the runner owns all state, calls nothing in
 * a plugin, and finds it by the registry that the Makefile generates from the folder.
 *
 * An arm is one configuration of one connection. arms[0] is the baseline. Arms differ by their
 * rules alone (and steps, where a plain exchange does not do what is needed): everything else of
 * their packets is equal. The TCP machine negotiates ECN (RFC 3168) exactly when an arm's rules
 * make its SYN an ECN-setup SYN. */
#ifndef RS_PLUGINS_PLUGIN_H
#define RS_PLUGINS_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#include "craft/rule.h"
#include "exchange/exchange.h"
#include "observe/condition.h"
#include "observe/flow.h"
#include "tcpstate/step.h"

struct arm {
    const char *name;     /* in records, logs and measure.incomplete:NAME */
    const char *exchange; /* NULL: what --connect says */
    const struct rule *rules;
    size_t n_rules;
    const struct step *steps; /* NULL: write the request, read the answer, close */
    size_t n_steps;
    const char *after; /* name of an arm that must end first; NULL: leaves with the others */
};

struct plugin {
    size_t size; /* sizeof(struct plugin) of the header it was built with */
    const char *name;
    const char *summary; /* one line for `rawspider plugins` */
    const struct arm *arms;
    size_t n_arms;
    uint32_t chains; /* CHAIN_BIT()s that its conditions need */
    const char *const
        *exchanges; /* modes that make sense for it, the default first, NULL at the end */
    const struct condition *conditions;
    size_t n_conditions;
};

extern const struct plugin *const plugin_registry[]; /* NULL at the end */
const struct plugin *plugin_find(const char *name);  /* NULL: there is none */

#endif
