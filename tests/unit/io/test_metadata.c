/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit/base/run.h"

#include <dirent.h>
#include <sys/stat.h>

#include "io/metadata.h"
#include "unit/io/files.h"

static struct record r;
static struct rs_err err;

static void fill(unsigned sent)
{
    record_begin(&r, NULL, NULL);
    record_str(&r, "plugin", "ecn");
    record_uint(&r, "packets_sent", sent);
}

static void expect_file(const char *path, const char *expected)
{
    char got[200] = "";
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    size_t n = fread(got, 1, sizeof got - 1, f);
    got[n] = '\0';
    fclose(f);
    assert_string_equal(got, expected);
}

static unsigned files_in_folder(void)
{
    unsigned n = 0;
    DIR *d = opendir(files_folder);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void written_and_replaced(void **state)
{
    (void)state;
    const char *path = files_path("m.json");
    fill(1);
    assert_int_equal(metadata_write(path, &r, &err), 0);
    expect_file(path, "{\"plugin\":\"ecn\",\"packets_sent\":1}\n");
    struct stat before, after;
    stat(path, &before);
    fill(2);
    assert_int_equal(metadata_write(path, &r, &err), 0);
    expect_file(path, "{\"plugin\":\"ecn\",\"packets_sent\":2}\n");
    stat(path, &after);
    assert_true(before.st_ino != after.st_ino); /* renamed over, not written over */
    assert_int_equal(files_in_folder(), 1);     /* no temporary file stays */
    record_free(&r);
}

static void failures_leave_nothing_behind(void **state)
{
    (void)state;
    unsigned before = files_in_folder();
    fill(1);
    assert_int_equal(metadata_write(files_path("no/m.json"), &r, &err), -RS_ENOENT);
    assert_non_null(strstr(err.text, "No such file or directory"));
    mkdir(files_path("folder"), 0700);
    fill(1);
    assert_true(metadata_write(files_path("folder"), &r, &err) < 0);
    rmdir(files_path("folder"));
    assert_int_equal(files_in_folder(), before);
    record_free(&r);
}

static void devices_are_written_to_not_replaced(void **state)
{
    (void)state;
    fill(1);
    assert_int_equal(metadata_write("/dev/null", &r, &err), 0);
    struct stat st;
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    fill(1);
    assert_int_equal(metadata_write("/dev/full", &r, &err), -RS_ESYS);
    assert_non_null(strstr(err.text, "no space left"));
    record_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_and_replaced),
        cmocka_unit_test(failures_leave_nothing_behind),
        cmocka_unit_test(devices_are_written_to_not_replaced),
    };
    unit_filter();
    return cmocka_run_group_tests(tests, files_begin, files_end);
}
