/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/metadata.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/output.h"

static int write_to(const char *path, const char *text, size_t n, struct rs_err *err)
{
    struct output *out;
    int code = output_open(&out, path, false, err);
    if (code != 0)
        return code;
    code = output_write(out, text, n, err);
    int closed = output_close(out, code == 0 ? err : NULL);
    return code != 0 ? code : closed;
}

/* The process id in the name: two runs may write to the same path. */
static int replace(const char *path, const char *text, size_t n, struct rs_err *err)
{
    size_t room = strlen(path) + sizeof ".tmp4294967295";
    char *temporary = malloc(room);
    if (temporary == NULL)
        return rs_fail(err, RS_ENOMEM, "not enough memory to write %s", path);
    snprintf(temporary, room, "%s.tmp%u", path, (unsigned)getpid());
    int code = write_to(temporary, text, n, err);
    if (code == 0 && rename(temporary, path) != 0)
        code = rs_fail_errno(err, errno, "cannot rename %s to %s", temporary, path);
    if (code != 0)
        unlink(temporary);
    free(temporary);
    return code;
}

int metadata_write(const char *path, struct record *r, struct rs_err *err)
{
    const char *text;
    size_t n;
    struct stat st;
    if (record_end(r, &text, &n) != 0)
        return rs_fail(err, RS_ENOMEM, "not enough memory for the metadata");
    bool direct = strcmp(path, "-") == 0 || (stat(path, &st) == 0 && !S_ISREG(st.st_mode));
    return direct ? write_to(path, text, n, err) : replace(path, text, n, err);
}
