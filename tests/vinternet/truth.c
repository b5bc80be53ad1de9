/* SPDX-License-Identifier: GPL-3.0-or-later
 * What is to be said of the virtual Internet: its classes, and targets with the truth beside each.
 */
#include "vinternet.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>

static void print_names(const char *const *names, size_t most)
{
    putchar('[');
    for (size_t i = 0; i < most && names[i]; i++)
        printf("%s\"%s\"", i ? "," : "", names[i]);
    putchar(']');
}

int truth_list(void)
{
    for (unsigned i = 0; i < n_classes; i++) {
        printf("{\"class\":\"%s\",\"number\":%u,\"about\":\"%s\",\"base\":", classes[i].name, i,
               classes[i].about);
        print_names(classes[i].base, 6);
        printf(",\"details\":");
        print_names(classes[i].details, 4);
        printf("}\n");
    }
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}

static bool print_target(unsigned class, bool v6, uint32_t n)
{
    char dip[INET6_ADDRSTRLEN];

    if (!class_address(class, v6, n, dip, sizeof dip)) {
        fprintf(stderr,
                "vinternet: class %s has no IPv4 address number %" PRIu32 "; take fewer, or IPv6\n",
                classes[class].name, n);
        return false;
    }
    printf("{\"dip\":\"%s\",\"dp\":80,\"class\":\"%s\",\"truth\":", dip, classes[class].name);
    print_names(classes[class].base, 6);
    printf("}\n");
    return true;
}

/* Target number i is of class i modulo classes, and so on for the family; printed in an order that
 * the seed gives. */
int truth_targets(const struct truth_options *options)
{
    const struct class *only = options->class ? class_named(options->class) : NULL;
    uint32_t *order, families = options->family ? 1 : 2, step;

    if (options->class && !only) {
        fprintf(stderr, "vinternet: no class %s; --list has them\n", options->class);
        return 2;
    }
    step = only ? 1 : n_classes;
    order = malloc(((size_t)options->count + 1) * sizeof *order);
    if (!order) {
        fprintf(stderr, "vinternet: no memory for %" PRIu32 " targets\n", options->count);
        return 1;
    }
    for (uint32_t i = 0; i < options->count; i++) {
        uint32_t j = (uint32_t)(random64() % (i + 1));

        order[i] = order[j];
        order[j] = i;
    }
    for (uint32_t i = 0; i < options->count; i++) {
        uint32_t at = order[i] / step;
        bool v6 = options->family ? options->family == 6 : at % 2;
        unsigned class = only ? (unsigned)(only - classes) : order[i] % n_classes;

        if (!print_target(class, v6, at / families)) {
            free(order);
            return 1;
        }
    }
    free(order);
    return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
