/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "io/stream.h"

#include <stdlib.h>
#include <string.h>

#include "io/source_int.h"

struct stream {
    struct source source;
    char path[]; /* empty: standard input */
};

int stream_open(struct stream **out, const char *path, struct rs_err *err)
{
    *out = NULL;
    if (path == NULL || strcmp(path, "-") == 0)
        path = "";
    struct stream *s = calloc(1, sizeof *s + strlen(path) + 1);
    if (s == NULL)
        return rs_fail(err, RS_ENOMEM, "not enough memory to read %.100s", path);
    memcpy(s->path, path, strlen(path));
    int code = source_open(&s->source, s->path[0] != '\0' ? s->path : NULL, err);
    if (code != 0) {
        free(s);
        return code;
    }
    *out = s;
    return 0;
}

ssize_t stream_read(struct stream *s, void *to, size_t n, struct rs_err *err)
{
    return source_read(&s->source, to, n, err);
}

int stream_fd(const struct stream *s)
{
    return s->source.is_waited_for ? s->source.fd : -1;
}

const char *stream_name(const struct stream *s)
{
    return source_name(&s->source);
}

void stream_close(struct stream *s)
{
    if (s == NULL)
        return;
    source_close(&s->source);
    free(s);
}
