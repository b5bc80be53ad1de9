/* SPDX-License-Identifier: GPL-3.0-or-later
 * Where the target list comes from: files, compressed files, pipes, standard input; and what is
 * said when it does not. Standard input is replaced for the case and put back. */
#include "unit/base/run.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>

#include "io/input.h"
#include "unit/io/files.h"

#define LINE "{\"dip\":\"192.0.2.1\"}\n"

static struct input *in;
static struct job job;
static struct rs_err err;

static void count_jobs(unsigned expected)
{
    for (unsigned i = 0; i < expected; i++) {
        assert_int_equal(input_next(in, &job), 0);
        assert_string_equal(job.problem, "");
        assert_int_equal(job.line, i + 1);
    }
}

static void fill_file(const char *name, unsigned lines)
{
    FILE *f = fopen(files_path(name), "w");
    for (unsigned i = 0; i < lines; i++)
        fputs(LINE, f);
    fclose(f);
}

static void run(const char *format, const char *name)
{
    char command[600];
    snprintf(command, sizeof command, "cd %s && %s %s", files_folder, format, name);
    assert_int_equal(system(command), 0);
}

static void compressed_files_are_read(void **state)
{
    (void)state;
    static const char *const tools[][2] = {
        {"gzip -kf", "a.gz"}, {"bzip2 -kf", "a.bz2"}, {"xz -kf", "a.xz"}};
    fill_file("a", 30000);
    for (size_t i = 0; i < 3; i++) {
        run(tools[i][0], "a");
        assert_int_equal(input_open(&in, files_path(tools[i][1]), INPUT_NDJSON, &err), 0);
        assert_int_equal(input_fd(in), -1);
        count_jobs(30000);
        assert_int_equal(input_next(in, &job), -RS_EEND);
        input_free(in);
    }
}

static void compression_is_told_by_content_not_by_name(void **state)
{
    (void)state;
    fill_file("plain.gz", 3);
    assert_int_equal(input_open(&in, files_path("plain.gz"), INPUT_NDJSON, &err), 0);
    count_jobs(3);
    assert_int_equal(input_next(in, &job), -RS_EEND);
    input_free(in);
}

static const char *const compressed[][2] = {
    {"gzip -kf", "c.gz"}, {"bzip2 -kf", "c.bz2"}, {"xz -kf", "c.xz"}};

/* A file that does not compress to almost nothing, so that a cut or a blot falls into its data. */
static void make_compressed(void)
{
    FILE *f = fopen(files_path("c"), "w");
    uint32_t x = 1;
    for (int i = 0; i < 20000; i++)
        fprintf(f, "{\"dip\":\"192.0.2.1\",\"x\":%u}\n",
                (unsigned)(x = x * 1664525u + 1013904223u));
    fclose(f);
    for (size_t i = 0; i < 3; i++)
        run(compressed[i][0], "c");
}

/* Reads all there is; the code that it ends with, and its text in err. */
static int read_all(const char *name)
{
    int code = input_open(&in, files_path(name), INPUT_NDJSON, &err);
    if (code != 0)
        return code;
    while ((code = input_next(in, &job)) == 0)
        continue;
    snprintf(err.text, sizeof err.text, "%s", input_error(in));
    input_free(in);
    return code;
}

/* libwandio says so on standard error, too: that line in the test's output is its own. */
static void compressed_files_cut_off_are_errors(void **state)
{
    (void)state;
    static const char *const cuts[] = {"truncate -s -1", "truncate -s -2000", "truncate -s 20"};
    for (size_t cut = 0; cut < 3; cut++) {
        make_compressed();
        for (size_t i = 0; i < 3; i++) {
            run(cuts[cut], compressed[i][1]);
            assert_int_equal(read_all(compressed[i][1]), i == 0 ? -RS_ESYS : -RS_EPROTO);
            assert_non_null(strstr(err.text, "cut off"));
        }
    }
}

static void compressed_files_with_damage_are_errors(void **state)
{
    (void)state;
    make_compressed();
    for (size_t i = 0; i < 3; i++) {
        FILE *f = fopen(files_path(compressed[i][1]), "r+");
        fseek(f, 30000, SEEK_SET);
        fputs("XXXXXXXX", f);
        fclose(f);
        assert_int_equal(read_all(compressed[i][1]), -RS_ESYS);
        assert_non_null(strstr(err.text, "damaged or cut off"));
    }
}

/* Of bzip2 and xz, libwandio reads the first stream only. */
static void what_would_be_lost_is_refused(void **state)
{
    (void)state;
    fill_file("c", 100);
    for (size_t i = 0; i < 3; i++)
        run(compressed[i][0], "c");
    run("cat c.bz2 c.bz2 >", "two.bz2");
    run("cat c.xz c.xz >", "two.xz");
    assert_int_equal(read_all("two.bz2"), -RS_EPROTO);
    assert_non_null(strstr(err.text, "holds several bzip2 streams"));
    assert_non_null(strstr(err.text, "use bzcat "));
    assert_int_equal(read_all("two.xz"), -RS_EPROTO);
    assert_non_null(strstr(err.text, "holds several xz streams"));
    run("cat c.gz c.gz >", "two.gz");
    assert_int_equal(input_open(&in, files_path("two.gz"), INPUT_NDJSON, &err), 0);
    count_jobs(200);
    assert_int_equal(input_next(in, &job), -RS_EEND);
    input_free(in);
}

/* The end mark of bzip2 is not at a byte's start: each of the eight places must be found. */
static void bzip2_files_of_any_length_are_whole(void **state)
{
    (void)state;
    for (unsigned lines = 0; lines < 40; lines++) {
        FILE *f = fopen(files_path("e"), "w");
        for (unsigned i = 0; i < lines; i++)
            fprintf(f, "{\"dip\":\"192.0.2.%u\"}\n", i);
        fclose(f);
        run("bzip2 -kf", "e");
        assert_int_equal(input_open(&in, files_path("e.bz2"), INPUT_NDJSON, &err), 0);
        count_jobs(lines);
        assert_int_equal(input_next(in, &job), -RS_EEND);
        input_free(in);
    }
}

static void unreadable_compression_is_named(void **state)
{
    (void)state;
    const char *path = files_make("a.zst", "\x28\xb5\x2f\xfd....", 8);
    assert_int_equal(input_open(&in, path, INPUT_NDJSON, &err), -RS_EPROTO);
    assert_null(in);
    assert_non_null(
        strstr(err.text, "compressed by zstd, which cannot be read here: use zstdcat "));
}

static void files_that_cannot_be_opened(void **state)
{
    (void)state;
    assert_int_equal(input_open(&in, files_path("none"), INPUT_NDJSON, &err), -RS_ENOENT);
    assert_non_null(strstr(err.text, "none: No such file or directory"));
    assert_int_equal(input_open(&in, files_folder, INPUT_NDJSON, &err), -RS_EINVAL);
    assert_non_null(strstr(err.text, "it is a directory"));
}

static int saved;

static void set_stdin(int fd)
{
    saved = dup(STDIN_FILENO);
    if (fd >= 0) {
        dup2(fd, STDIN_FILENO);
        close(fd);
    } else {
        close(STDIN_FILENO);
    }
}

static void put_stdin_back(void)
{
    dup2(saved, STDIN_FILENO);
    close(saved);
}

static void a_closed_standard_input_is_told(void **state)
{
    (void)state;
    set_stdin(-1);
    int code = input_open(&in, NULL, INPUT_NDJSON, &err);
    put_stdin_back();
    assert_int_equal(code, -RS_ESYS);
    assert_non_null(strstr(err.text, "standard input is closed"));
}

static void standard_input_from_a_file_starts_where_it_stands(void **state)
{
    (void)state;
    fill_file("b", 5);
    int fd = open(files_path("b"), O_RDONLY);
    lseek(fd, (off_t)strlen(LINE) * 2, SEEK_SET);
    set_stdin(fd);
    assert_int_equal(input_open(&in, "-", INPUT_NDJSON, &err), 0);
    assert_int_equal(input_fd(in), -1);
    count_jobs(3);
    assert_int_equal(input_next(in, &job), -RS_EEND);
    input_free(in);
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0); /* left open */
    put_stdin_back();
}

static void standard_input_from_a_compressed_file(void **state)
{
    (void)state;
    fill_file("d", 10000);
    run("gzip -kf", "d");
    set_stdin(open(files_path("d.gz"), O_RDONLY));
    assert_int_equal(input_open(&in, NULL, INPUT_NDJSON, &err), 0);
    count_jobs(10000);
    assert_int_equal(input_next(in, &job), -RS_EEND);
    input_free(in);
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0);
    put_stdin_back();
}

static int open_pipe(void)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    set_stdin(ends[0]);
    assert_int_equal(input_open(&in, NULL, INPUT_NDJSON, &err), 0);
    return ends[1];
}

static void write_text(int fd, const char *text)
{
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void a_pipe_never_blocks(void **state)
{
    (void)state;
    int to = open_pipe();
    assert_int_equal(input_fd(in), STDIN_FILENO);
    assert_int_equal(input_next(in, &job), -RS_EAGAIN);
    write_text(to, "{\"dip\":\"192.");
    assert_int_equal(input_next(in, &job), -RS_EAGAIN);
    write_text(to, "0.2.1\"}\n{\"dip\":\"192.0.2.2\"}\n{");
    assert_int_equal(input_next(in, &job), 0);
    assert_string_equal(job.problem, "");
    assert_int_equal(input_next(in, &job), 0);
    assert_int_equal(job.line, 2);
    assert_int_equal(input_next(in, &job), -RS_EAGAIN);
    close(to);
    assert_int_equal(input_next(in, &job), 0); /* the line that was cut off */
    assert_int_equal(job.line, 3);
    assert_non_null(strstr(job.problem, "line 3: malformed JSON"));
    assert_int_equal(input_next(in, &job), -RS_EEND);
    assert_int_equal(fcntl(STDIN_FILENO, F_GETFL) & O_NONBLOCK, 0); /* others share it */
    input_free(in);
    put_stdin_back();
}

static void a_compressed_pipe_is_told(void **state)
{
    (void)state;
    int to = open_pipe();
    assert_int_equal(write(to, "\x1f\x8b\x08\0\0\0", 6), 6);
    assert_int_equal(input_next(in, &job), -RS_EPROTO);
    assert_non_null(strstr(input_error(in), "standard input carries gzip-compressed bytes"));
    assert_non_null(strstr(input_error(in), "zcat"));
    assert_int_equal(input_next(in, &job), -RS_EPROTO);
    close(to);
    input_free(in);
    put_stdin_back();
}

/* A line of 32 MiB that never ends, through a pipe: the buffer stays at what one line may have. */
static void an_endless_line_needs_bounded_memory(void **state)
{
    (void)state;
    static char block[65536];
    memset(block, 'x', sizeof block);
    int to = open_pipe();
    unsigned jobs = 0;
    for (int i = 0; i < 512; i++) {
        assert_int_equal(write(to, block, sizeof block), sizeof block);
        while (input_next(in, &job) == 0)
            jobs++;
    }
    assert_int_equal(jobs, 1);
    write_text(to, "\n" LINE);
    assert_int_equal(input_next(in, &job), 0);
    assert_int_equal(job.line, 2);
    assert_string_equal(job.problem, "");
    close(to);
    assert_int_equal(input_next(in, &job), -RS_EEND);
    input_free(in);
    put_stdin_back();
}

static void a_named_pipe_is_waited_for(void **state)
{
    (void)state;
    const char *path = files_path("fifo");
    assert_int_equal(mkfifo(path, 0600), 0);
    int both = open(path, O_RDWR); /* a writer, so that the open for reading returns */
    assert_int_equal(input_open(&in, path, INPUT_NDJSON, &err), 0);
    assert_true(input_fd(in) >= 0);
    assert_int_equal(input_next(in, &job), -RS_EAGAIN);
    write_text(both, LINE);
    struct pollfd p = {.fd = input_fd(in), .events = POLLIN};
    assert_int_equal(poll(&p, 1, 1000), 1);
    count_jobs(1);
    close(both);
    input_free(in);
}

static void devices_do_not_wait(void **state)
{
    (void)state;
    assert_int_equal(input_open(&in, "/dev/null", INPUT_NDJSON, &err), 0);
    assert_int_equal(input_fd(in), -1);
    assert_int_equal(input_next(in, &job), -RS_EEND);
    input_free(in);
    input_free(NULL);
}

static void an_unreadable_descriptor_is_told(void **state)
{
    (void)state;
    set_stdin(open(files_make("w", LINE, strlen(LINE)), O_WRONLY));
    int code = input_open(&in, NULL, INPUT_NDJSON, &err);
    put_stdin_back();
    assert_int_equal(code, -RS_ESYS);
    assert_string_equal(err.text, "cannot read standard input: Bad file descriptor");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compressed_files_are_read),
        cmocka_unit_test(compression_is_told_by_content_not_by_name),
        cmocka_unit_test(compressed_files_cut_off_are_errors),
        cmocka_unit_test(compressed_files_with_damage_are_errors),
        cmocka_unit_test(what_would_be_lost_is_refused),
        cmocka_unit_test(bzip2_files_of_any_length_are_whole),
        cmocka_unit_test(unreadable_compression_is_named),
        cmocka_unit_test(files_that_cannot_be_opened),
        cmocka_unit_test(a_closed_standard_input_is_told),
        cmocka_unit_test(standard_input_from_a_file_starts_where_it_stands),
        cmocka_unit_test(standard_input_from_a_compressed_file),
        cmocka_unit_test(a_pipe_never_blocks),
        cmocka_unit_test(a_compressed_pipe_is_told),
        cmocka_unit_test(an_endless_line_needs_bounded_memory),
        cmocka_unit_test(a_named_pipe_is_waited_for),
        cmocka_unit_test(devices_do_not_wait),
        cmocka_unit_test(an_unreadable_descriptor_is_told),
    };
    unit_filter();
    return cmocka_run_group_tests(tests, files_begin, files_end);
}
