/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit/base/run.h"

#include <errno.h>

#include "base/err.h"

static void code_is_negated_and_text_written(void **state)
{
    (void)state;
    struct rs_err err;
    assert_int_equal(rs_fail(&err, RS_EPROTO, "byte %d of %s", 7, "x"), -RS_EPROTO);
    assert_string_equal(err.text, "byte 7 of x");
}

static void nobody_need_listen(void **state)
{
    (void)state;
    assert_int_equal(rs_fail(NULL, RS_ENOMEM, "%s", "lost"), -RS_ENOMEM);
    assert_int_equal(rs_fail_errno(NULL, EIO, "lost"), -RS_ESYS);
}

static void system_reason_is_appended(void **state)
{
    (void)state;
    struct rs_err err;
    assert_int_equal(rs_fail_errno(&err, ENOSPC, "writing %s failed", "f"), -RS_ESYS);
    assert_string_equal(err.text, "writing f failed: No space left on device");
}

static void missing_privilege_has_its_own_code(void **state)
{
    (void)state;
    assert_int_equal(rs_fail_errno(NULL, EPERM, "x"), -RS_EPERM);
    assert_int_equal(rs_fail_errno(NULL, EACCES, "x"), -RS_EPERM);
}

static void long_text_is_cut_not_overrun(void **state)
{
    (void)state;
    struct {
        struct rs_err err;
        char after;
    } box = {.after = 'k'};
    char longer[2 * sizeof box.err.text];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    rs_fail_errno(&box.err, EIO, "%s", longer);
    assert_int_equal(strlen(box.err.text), sizeof box.err.text - 1);
    assert_int_equal(box.after, 'k');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_is_negated_and_text_written),
        cmocka_unit_test(nobody_need_listen),
        cmocka_unit_test(system_reason_is_appended),
        cmocka_unit_test(missing_privilege_has_its_own_code),
        cmocka_unit_test(long_text_is_cut_not_overrun),
    };
    return UNIT_RUN(tests);
}
