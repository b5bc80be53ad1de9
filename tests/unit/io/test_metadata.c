/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit/base/run.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
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
    const char *path = files_path("full.json");
    struct rlimit old, limit; /* the disk is full after 5 bytes */
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    limit = (struct rlimit){5, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
    fill(1);
    int code = metadata_write(path, &r, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(code, -RS_ESYS);
    assert_non_null(strstr(err.text, "file too large"));
    assert_int_equal(files_in_folder(), before);
    record_free(&r);
}

/* A named pipe stands for every device: tests may run as root, and a failing one must not replace
 * /dev/null. */
static void devices_are_written_to_not_replaced(void **state)
{
    (void)state;
    char got[100] = "";
    struct stat st;
    const char *path = files_path("fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK);
    fill(1);
    assert_int_equal(metadata_write(path, &r, &err), 0);
    assert_int_equal(stat(path, &st), 0);
    assert_true(S_ISFIFO(st.st_mode));
    assert_true(read(reader, got, sizeof got - 1) > 0);
    assert_string_equal(got, "{\"plugin\":\"ecn\",\"packets_sent\":1}\n");
    close(reader);
    unlink(path);
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
