/* SPDX-License-Identifier: GPL-3.0-or-later
 * What every unit test needs of cmocka, and UNIT_RUN: all cases, or those whose name contains
 * $CMOCKA_TEST_FILTER (make t T=... K=...). */
#ifndef RS_TESTS_UNIT_BASE_RUN_H
#define RS_TESTS_UNIT_BASE_RUN_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* needs the four above */

static inline void unit_filter(void)
{
    static char pattern[200];
    const char *wanted = getenv("CMOCKA_TEST_FILTER");
    if (wanted == NULL || *wanted == '\0')
        return;
    snprintf(pattern, sizeof pattern, "*%s*", wanted);
    cmocka_set_test_filter(pattern);
}

#define UNIT_RUN(tests) (unit_filter(), cmocka_run_group_tests(tests, NULL, NULL))

#endif
