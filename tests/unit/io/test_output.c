/* SPDX-License-Identifier: GPL-3.0-or-later
 * Records reach the file whole, or somebody is told why not. */
#include "unit/base/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "io/output.h"
#include "unit/io/files.h"

static struct output *out;
static struct rs_err err;

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

static void a_file_is_emptied_or_appended_to(void **state)
{
    (void)state;
    const char *path = files_path("f");
    assert_int_equal(output_open(&out, path, false, &err), 0);
    assert_int_equal(output_write(out, "one\n", 4, &err), 0);
    expect_file(path, "one\n"); /* nothing is held back */
    assert_int_equal(output_write(out, "two\n", 4, &err), 0);
    assert_true(output_bytes(out) == 8);
    assert_int_equal(output_close(out, &err), 0);
    assert_int_equal(output_open(&out, path, true, &err), 0);
    assert_int_equal(output_write(out, "three\n", 6, &err), 0);
    assert_int_equal(output_close(out, &err), 0);
    expect_file(path, "one\ntwo\nthree\n");
    assert_int_equal(output_open(&out, path, false, &err), 0);
    assert_int_equal(output_close(out, &err), 0);
    expect_file(path, "");
}

static void what_cannot_be_opened(void **state)
{
    (void)state;
    assert_int_equal(output_open(&out, files_path("no/such"), false, &err), -RS_ENOENT);
    assert_null(out);
    assert_non_null(strstr(err.text, "no/such for writing: No such file or directory"));
    assert_int_equal(output_open(&out, files_folder, false, &err), -RS_EINVAL);
    assert_non_null(strstr(err.text, "Is a directory"));
    assert_int_equal(output_close(NULL, &err), 0);
}

/* Standard output for the case; put back by put_stdout_back(). cmocka prints to it, so assertions
 * come behind that. */
static int saved;

static void set_stdout(int fd)
{
    fflush(stdout);
    saved = dup(STDOUT_FILENO);
    if (fd >= 0) {
        dup2(fd, STDOUT_FILENO);
        close(fd);
    } else {
        close(STDOUT_FILENO);
    }
}

static void put_stdout_back(void)
{
    dup2(saved, STDOUT_FILENO);
    close(saved);
}

static void standard_output_stays_open(void **state)
{
    (void)state;
    set_stdout(open(files_path("o"), O_WRONLY | O_CREAT | O_TRUNC, 0600));
    int opened = output_open(&out, "-", false, &err);
    int written = output_write(out, "x\n", 2, &err);
    int closed = output_close(out, &err);
    int flags = fcntl(STDOUT_FILENO, F_GETFD);
    put_stdout_back();
    assert_int_equal(opened | written | closed, 0);
    assert_true(flags >= 0);
    expect_file(files_path("o"), "x\n");
}

static void a_closed_standard_output_is_told(void **state)
{
    (void)state;
    set_stdout(-1);
    int code = output_open(&out, NULL, false, &err);
    put_stdout_back();
    assert_int_equal(code, -RS_ESYS);
    assert_non_null(strstr(err.text, "standard output is closed"));
}

static void a_reader_that_went_away(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    signal(SIGPIPE, SIG_IGN); /* as cli does */
    set_stdout(ends[1]);
    output_open(&out, NULL, false, &err);
    int first = output_write(out, "x\n", 2, &err);
    int second = output_write(out, "y\n", 2, NULL);
    struct rs_err late;
    int closed = output_close(out, &late);
    put_stdout_back();
    assert_int_equal(first, -RS_ESYS);
    assert_int_equal(second, -RS_ESYS); /* final */
    assert_int_equal(closed, -RS_ESYS); /* and not forgotten */
    assert_non_null(
        strstr(err.text, "writing to standard output failed: the program that read it has ended"));
    assert_string_equal(late.text, err.text);
}

static void a_full_disk(void **state)
{
    (void)state;
    assert_int_equal(output_open(&out, "/dev/full", false, &err), 0);
    assert_int_equal(output_write(out, "x\n", 2, &err), -RS_ESYS);
    assert_non_null(strstr(err.text, "writing to /dev/full failed: no space left"));
    assert_int_equal(output_close(out, &err), -RS_ESYS);
}

/* The limit falls into the second record: its first half is written, then comes EFBIG; nothing
 * follows the torn line. */
static void a_torn_record_is_the_last(void **state)
{
    (void)state;
    struct rlimit before, limit;
    const char *path = files_path("l");
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = (struct rlimit){6, before.rlim_max};
    assert_int_equal(output_open(&out, path, false, &err), 0);
    setrlimit(RLIMIT_FSIZE, &limit);
    int first = output_write(out, "one\n", 4, &err);
    int second = output_write(out, "two\n", 4, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(output_write(out, "three\n", 6, NULL), -RS_ESYS);
    assert_int_equal(first, 0);
    assert_int_equal(second, -RS_ESYS);
    assert_non_null(strstr(err.text, "file too large"));
    assert_int_equal(output_close(out, &err), -RS_ESYS);
    expect_file(path, "one\ntw");
}

/* The same in a file that was taken: what was written of the second record is cut off again, and
 * what stood there before stays. */
static void a_taken_file_has_whole_records_only(void **state)
{
    (void)state;
    struct rlimit before, limit;
    const char *path = files_make("w", "zero\n", 5);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    limit = (struct rlimit){11, before.rlim_max};
    assert_int_equal(output_open(&out, path, true, &err), 0);
    assert_int_equal(output_take(out, false, &err), 0);
    setrlimit(RLIMIT_FSIZE, &limit);
    int first = output_write(out, "one\n", 4, &err);
    int second = output_write(out, "two\n", 4, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(first, 0);
    assert_int_equal(second, -RS_ESYS);
    assert_int_equal(output_write(out, "three\n", 6, NULL), -RS_ESYS);
    assert_int_equal(output_sync(out, NULL), -RS_ESYS);
    assert_int_equal(output_close(out, &err), -RS_ESYS);
    expect_file(path, "zero\none\n");
}

static void a_file_is_taken_once(void **state)
{
    (void)state;
    struct output *other;
    const char *path = files_make("t", "old\n", 4);
    assert_int_equal(output_open(&out, path, true, &err), 0);
    assert_int_equal(output_take(out, true, &err), 0);
    expect_file(path, "");
    assert_int_equal(output_write(out, "new\n", 4, &err), 0);
    assert_int_equal(output_sync(out, &err), 0);
    assert_int_equal(output_open(&other, path, true, &err), 0);
    assert_int_equal(output_take(other, true, &err), -RS_EBUSY);
    assert_non_null(strstr(err.text, "another run is writing to"));
    assert_int_equal(output_close(other, &err), 0);
    expect_file(path, "new\n"); /* who could not take it has not emptied it */
    assert_int_equal(output_close(out, &err), 0);
    assert_int_equal(output_open(&out, path, true, &err), 0);
    assert_int_equal(output_take(out, false, &err), 0);
    assert_int_equal(output_close(out, &err), 0);
    expect_file(path, "new\n");
}

static void devices_are_not_taken(void **state)
{
    (void)state;
    assert_int_equal(output_open(&out, "/dev/null", true, &err), 0);
    assert_int_equal(output_take(out, true, &err), 0);
    assert_int_equal(output_write(out, "x\n", 2, &err), 0);
    assert_int_equal(output_sync(out, &err), 0);
    assert_int_equal(output_close(out, &err), 0);
}

static void one_file_by_two_names(void **state)
{
    (void)state;
    char other[300];
    const char *path = files_make("n", "x", 1);
    snprintf(other, sizeof other, "%s/./n", files_folder);
    assert_true(output_is_same(path, other));
    assert_true(output_is_same("/no/such", "/no/such"));
    assert_false(output_is_same(path, "/no/such"));
    assert_false(output_is_same("-", "-"));
    assert_false(output_is_same(NULL, path));
    assert_false(output_is_same("/dev/null", "/dev/./null"));
}

/* Partial writes, EAGAIN (non-blocking pipe) and EINTR (blocking one): a slow reader gets every
 * byte. */
static void on_alarm(int signal_number)
{
    (void)signal_number;
}

static void check_slow_reader(int flags)
{
    enum { RECORDS = 200, BYTES = 5000 };
    static char record[BYTES];
    memset(record, 'x', BYTES);
    record[BYTES - 1] = '\n';
    int ends[2];
    assert_int_equal(pipe2(ends, flags), 0);
    pid_t child = fork();
    if (child == 0) {
        close(ends[1]);
        fcntl(ends[0], F_SETFL, 0);
        char buf[3001];
        size_t bytes = 0, lines = 0;
        ssize_t n;
        while ((n = read(ends[0], buf, sizeof buf)) > 0) {
            bytes += (size_t)n;
            for (ssize_t i = 0; i < n; i++)
                lines += buf[i] == '\n';
            usleep(100);
        }
        _exit(bytes == (size_t)RECORDS * BYTES && lines == RECORDS ? 0 : 1);
    }
    close(ends[0]);
    struct sigaction act = {.sa_handler = on_alarm}, before; /* no SA_RESTART */
    sigaction(SIGALRM, &act, &before);
    ualarm(500, 500);
    set_stdout(ends[1]);
    output_open(&out, NULL, false, &err);
    int failed = 0;
    for (int i = 0; i < RECORDS; i++)
        failed |= output_write(out, record, BYTES, &err);
    int closed = output_close(out, &err);
    put_stdout_back();
    ualarm(0, 0);
    sigaction(SIGALRM, &before, NULL);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(failed | closed, 0);
    assert_int_equal(status, 0);
}

static void a_slow_reader_gets_everything(void **state)
{
    (void)state;
    check_slow_reader(0);
    check_slow_reader(O_NONBLOCK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_emptied_or_appended_to),
        cmocka_unit_test(what_cannot_be_opened),
        cmocka_unit_test(standard_output_stays_open),
        cmocka_unit_test(a_closed_standard_output_is_told),
        cmocka_unit_test(a_reader_that_went_away),
        cmocka_unit_test(a_full_disk),
        cmocka_unit_test(a_torn_record_is_the_last),
        cmocka_unit_test(a_taken_file_has_whole_records_only),
        cmocka_unit_test(a_file_is_taken_once),
        cmocka_unit_test(devices_are_not_taken),
        cmocka_unit_test(one_file_by_two_names),
        cmocka_unit_test(a_slow_reader_gets_everything),
    };
    unit_filter();
    return cmocka_run_group_tests(tests, files_begin, files_end);
}
