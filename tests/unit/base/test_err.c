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
        char after[16]; /* where the system's reason would land, were it appended all the same */
    } box;
    char longer[sizeof box.err.text + 3];
    memset(box.after, 'k', sizeof box.after);
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    rs_fail_errno(&box.err, EIO, "%s", longer);
    assert_int_equal(strlen(box.err.text), sizeof box.err.text - 1);
    for (size_t i = 0; i < sizeof box.after; i++)
        assert_int_equal(box.after[i], 'k');
}

static void what_it_quotes_does_not_break_the_line(void **state)
{
    (void)state;
    struct rs_err err;
    rs_fail(&err, RS_EINVAL, "no '%s'", "a\n\r\t\x1b[2J\x7f\xc3\xa4");
    assert_string_equal(err.text, "no 'a????[2J?\xc3\xa4'");
    rs_fail_errno(&err, EIO, "cannot open %s", "a\nb");
    assert_string_equal(err.text, "cannot open a?b: Input/output error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_is_negated_and_text_written),
        cmocka_unit_test(nobody_need_listen),
        cmocka_unit_test(system_reason_is_appended),
        cmocka_unit_test(missing_privilege_has_its_own_code),
        cmocka_unit_test(long_text_is_cut_not_overrun),
        cmocka_unit_test(what_it_quotes_does_not_break_the_line),
    };
    return UNIT_RUN(tests);
}
