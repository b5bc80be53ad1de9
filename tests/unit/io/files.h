/* SPDX-License-Identifier: GPL-3.0-or-later
 * Files for the tests of io: each made in a temporary folder of its own, that files_end removes. */
#ifndef RS_TESTS_UNIT_IO_FILES_H
#define RS_TESTS_UNIT_IO_FILES_H

#include <unistd.h>

static char files_folder[64];

static inline int files_begin(void **state)
{
    (void)state;
    strcpy(files_folder, "/tmp/rawspider-unit-XXXXXX");
    return mkdtemp(files_folder) == NULL;
}

static inline int files_end(void **state)
{
    (void)state;
    char command[100];
    snprintf(command, sizeof command, "rm -rf '%s'", files_folder);
    return system(command);
}

/* Path of `name` in the folder; two may be in use at once. */
static inline const char *files_path(const char *name)
{
    static char path[2][200];
    static unsigned turn;
    snprintf(path[++turn & 1u], sizeof path[0], "%s/%s", files_folder, name);
    return path[turn & 1u];
}

static inline const char *files_make(const char *name, const char *bytes, size_t n)
{
    const char *path = files_path(name);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
    return path;
}

#endif
