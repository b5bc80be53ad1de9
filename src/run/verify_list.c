/* SPDX-License-Identifier: GPL-3.0-or-later
 * Finds fixtures. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run/verify_int.h"

#define DEPTH 16 /* folders in folders; symbolic links might go round */

static const char *const captures[] = {".pcap", ".pcapng", ".cap", NULL};
static const char *const compressed[] = {".gz", ".bz2", ".xz", NULL};

static bool ends(const char *name, size_t n, const char *end)
{
    size_t m = strlen(end);
    return n > m && memcmp(name + n - m, end, m) == 0;
}

/* Bytes of the name before the first of these ends that it has; all of them without one. */
static size_t without(const char *name, size_t n, const char *const *list)
{
    for (; *list != NULL; list++)
        if (ends(name, n, *list))
            return n - strlen(*list);
    return n;
}

static size_t stem(const char *name)
{
    size_t n = without(name, strlen(name), compressed);
    return without(name, n, captures);
}

bool verify_is_capture(const char *path)
{
    size_t n = without(path, strlen(path), compressed);
    return without(path, n, captures) != n;
}

char *verify_expect_path(const char *capture)
{
    char *path;
    return asprintf(&path, "%.*s.expect", (int)stem(capture), capture) < 0 ? NULL : path;
}

/* Takes `path`. */
static int add(struct names *l, char *path, struct rs_err *err)
{
    char **more = path == NULL ? NULL : realloc(l->at, (l->n + 1) * sizeof *more);
    if (more == NULL) {
        free(path);
        return rs_fail(err, RS_ENOMEM, "no memory for the list of fixtures");
    }
    l->at = more;
    l->at[l->n++] = path;
    return 0;
}

/* Whether there is a capture that an expectation belongs to. */
static bool is_served(const char *expectation)
{
    static const char *const ends_of[] = {"", ".gz", ".bz2", ".xz"};
    for (const char *const *end = captures; *end != NULL; end++)
        for (size_t i = 0; i < sizeof ends_of / sizeof ends_of[0]; i++) {
            char *path;
            int n = (int)(strlen(expectation) - strlen(".expect"));
            if (asprintf(&path, "%.*s%s%s", n, expectation, *end, ends_of[i]) < 0)
                return false;
            bool there = access(path, F_OK) == 0;
            free(path);
            if (there)
                return true;
        }
    return false;
}

/* Captures, and expectations that have lost theirs. */
static bool is_wanted(const char *path)
{
    return verify_is_capture(path) || (ends(path, strlen(path), ".expect") && !is_served(path));
}

static bool is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int list_folder(struct names *l, const char *folder, unsigned depth, struct rs_err *err)
{
    DIR *d = opendir(folder);
    if (d == NULL)
        return rs_fail_errno(err, errno, "cannot read the folder %s", folder);
    int rc = 0;
    for (struct dirent *entry; rc == 0 && (entry = readdir(d)) != NULL;) {
        struct stat info;
        char *path;
        if (!is_visible(entry))
            continue;
        if (asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
            path = NULL;
        if (path != NULL && stat(path, &info) == 0 && S_ISDIR(info.st_mode)) {
            rc = depth < DEPTH ? list_folder(l, path, depth + 1, err) : 0;
            free(path);
        } else if (path == NULL || is_wanted(path)) {
            rc = add(l, path, err);
        } else {
            free(path);
        }
    }
    closedir(d);
    return rc;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int verify_list(struct names *out, const char *path, struct rs_err *err)
{
    struct stat info;
    int rc;
    *out = (struct names){NULL, 0};
    if (stat(path, &info) != 0)
        return rs_fail_errno(err, errno, "cannot read %s", path);
    if (S_ISDIR(info.st_mode))
        rc = list_folder(out, path, 0, err);
    else if (verify_is_capture(path))
        rc = add(out, strdup(path), err);
    else if (ends(path, strlen(path), ".expect"))
        rc = rs_fail(err, RS_EINVAL,
                     "%.160s is an expectation: name its capture, or the folder of both", path);
    else
        rc = rs_fail(err, RS_EINVAL,
                     "%.160s is no capture (.pcap, .pcapng, .cap; .gz, .bz2, .xz) and no folder",
                     path);
    if (rc != 0) {
        verify_names_free(out);
        return rc;
    }
    if (out->n > 0)
        qsort(out->at, out->n, sizeof *out->at, by_name);
    return 0;
}

void verify_names_free(struct names *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->at[i]);
    free(l->at);
    *l = (struct names){NULL, 0};
}
