/* SPDX-License-Identifier: GPL-3.0-or-later
 * IPFIX by libfixbuf, and nothing else of it: templates, records, messages. It writes to a FILE
 * that is not one, so that what happens to a message is known here.
 *
 * libfixbuf stands on glib, which ends the process for want of memory and for misuse (g_error);
 * there is no way to be told. All that can fail otherwise comes back as a GError. */
#include "io/ipfix.h"

#include <assert.h>
#include <fixbuf/public.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "io/ipfix_int.h"

/* Template 256 and up, by the kind of record; the types of elements after them. */
enum { TID_FLOWS = 256, TID_TYPES = TID_FLOWS + 32, TID_INTERNAL = 4096, INTERNAL = 32 };

struct ipfix {
    struct ipfix_sink sink;
    fbInfoModel_t *model;
    fBuf_t *buffer; /* owns session and exporter */
    FILE *stream;
    unsigned kind;       /* of the template that is set; 0 none */
    bool pending;        /* something is written and not sent */
    int failed;          /* -RS_E* of the first failure: final */
    struct rs_err error; /* and its text */
};

#define WAY_ONCE           0
#define WAY_REVERSIBLE     FB_IE_F_REVERSIBLE
#define UNITS_NONE         0
#define UNITS_PACKETS      FB_UNITS_PACKETS
#define UNITS_OCTETS       FB_UNITS_OCTETS
#define UNITS_MILLISECONDS FB_UNITS_MILLISECONDS
#define UNITS_MICROSECONDS FB_UNITS_MICROSECONDS

static fbInfoElement_t own_elements[] = {
#define IPFIX_OWN(name, enterprise, number, bits, semantics, units, way, sentence)                 \
    FB_IE_INIT_FULL(name, enterprise, number, (bits) / 8,                                          \
                    FB_IE_##semantics | UNITS_##units | WAY_##way |                                \
                        ((bits) > 8 ? FB_IE_F_ENDIAN : 0),                                         \
                    0, 0, FB_UINT_##bits, sentence),
#include "io/ipfix.def"
    FB_IE_NULL};

static const struct {
    const char *element;
    uint16_t bytes;
    uint32_t where;
} members[] = {
#define IPFIX_ELEMENT(member, type, element, where) {element, sizeof(type), where},
#include "io/ipfix.def"
};
#define N_MEMBERS (sizeof members / sizeof members[0])

_Static_assert(sizeof(struct ipfix_flow) == 0
#define IPFIX_ELEMENT(member, type, element, where) +sizeof(type)
#include "io/ipfix.def"
               ,
               "struct ipfix_flow must have no holes");

/* Takes a GError for what it is: libfixbuf refuses something. */
static int refused(GError *error, struct rs_err *err)
{
    int rc = rs_fail(err, RS_EPROTO, "libfixbuf: %s", error != NULL ? error->message : "no reason");
    g_clear_error(&error);
    return rc;
}

static bool is_kind(unsigned kind)
{
    unsigned family = kind & (IPFIX_IP4 | IPFIX_IP6);
    return (family == IPFIX_IP4 || family == IPFIX_IP6) &&
           (!(kind & IPFIX_TCP) || (kind & IPFIX_PORTS)) && kind < INTERNAL;
}

/* The template of a kind of records; of INTERNAL and all others together, that of the struct. */
static int add_template(
    struct ipfix *x, fbSession_t *session, unsigned kind, uint16_t tid, struct rs_err *err)
{
    GError *error = NULL;
    fbTemplate_t *template = fbTemplateAlloc(x->model);
    for (size_t i = 0; i < N_MEMBERS; i++) {
        char name[64];
        fbInfoElementSpec_t spec = {name, members[i].bytes, members[i].where};
        snprintf(name, sizeof name, "%s", members[i].element);
        if (!fbTemplateAppendSpec(template, &spec, kind, &error)) {
            fbTemplateFreeUnused(template);
            return refused(error, err);
        }
    }
    bool internal = (kind & INTERNAL) != 0;
    if (fbSessionAddTemplate(session, internal, tid, template, &error) == 0)
        return refused(error, err);
    return 0;
}

static int add_templates(struct ipfix *x, fbSession_t *session, struct rs_err *err)
{
    GError *error = NULL;
    int rc = add_template(x, session, ~0u, TID_INTERNAL, err);
    if (rc == 0 && fbSessionSetMetadataExportElements(session, TRUE, TID_TYPES, &error) == 0)
        rc = refused(error, err);
    for (unsigned kind = 0; kind < INTERNAL && rc == 0; kind++)
        if (is_kind(kind))
            rc = add_template(x, session, kind, (uint16_t)(TID_FLOWS + kind), err);
    return rc;
}

/* libfixbuf's FILE. 0 is how such a function says that it failed. */
static ssize_t on_message(void *cookie, const char *bytes, size_t n)
{
    struct ipfix *x = cookie;
    if (x->failed == 0)
        x->failed = ipfix_sink_write(&x->sink, bytes, n, &x->error);
    return x->failed == 0 ? (ssize_t)n : 0;
}

/* What became of a call: our own error says more than libfixbuf's about the same. */
static int outcome(struct ipfix *x, gboolean done, GError *error, struct rs_err *err)
{
    if (!done && x->failed == 0)
        x->failed = refused(error, &x->error);
    else
        g_clear_error(&error);
    if (x->failed != 0 && err != NULL)
        *err = x->error;
    return x->failed;
}

static int open_stream(struct ipfix *x, struct rs_err *err)
{
    const cookie_io_functions_t functions = {.write = on_message};
    x->stream = fopencookie(x, "w", functions);
    if (x->stream == NULL)
        return rs_fail(err, RS_ENOMEM, "no memory for the output");
    setvbuf(x->stream, NULL, _IONBF, 0);
    return 0;
}

static int start(struct ipfix *x, struct rs_err *err)
{
    GError *error = NULL;
    x->model = fbInfoModelAlloc();
    fbInfoModelAddElementArray(x->model, own_elements);
    fbSession_t *session = fbSessionAlloc(x->model);
    /* Before there is a buffer: otherwise each goes out now, and again below. */
    int rc = add_templates(x, session, err);
    if (rc != 0) {
        fbSessionFree(session);
        return rc;
    }
    x->buffer = fBufAllocForExport(session, fbExporterAllocFP(x->stream));
    x->pending = true; /* a file without flows has its templates */
    gboolean done = fbSessionExportTemplates(session, &error) &&
                    fBufSetInternalTemplate(x->buffer, TID_INTERNAL, &error);
    return outcome(x, done, error, err);
}

static void release(struct ipfix *x)
{
    if (x->buffer != NULL)
        fBufFree(x->buffer);
    if (x->model != NULL)
        fbInfoModelFree(x->model);
    if (x->stream != NULL)
        fclose(x->stream);
    free(x);
}

int ipfix_open(struct ipfix **out, const char *destination, struct rs_err *err)
{
    *out = NULL;
    struct ipfix *x = calloc(1, sizeof *x);
    if (x == NULL)
        return rs_fail(err, RS_ENOMEM, "no memory for the output");
    int rc = ipfix_sink_open(&x->sink, destination, err);
    if (rc == 0) {
        rc = open_stream(x, err);
        if (rc == 0)
            rc = start(x, err);
        if (rc != 0)
            ipfix_sink_close(&x->sink, NULL);
    }
    if (rc == 0)
        *out = x;
    else
        release(x);
    return rc;
}

int ipfix_write(struct ipfix *x, const struct ipfix_flow *f, unsigned kind, struct rs_err *err)
{
    GError *error = NULL;
    uint8_t record[sizeof *f]; /* libfixbuf's are not const */
    gboolean done = TRUE;
    assert(is_kind(kind));
    if (x->failed != 0)
        return outcome(x, TRUE, NULL, err);
    if (kind != x->kind)
        done = fBufSetExportTemplate(x->buffer, (uint16_t)(TID_FLOWS + kind), &error);
    x->kind = kind;
    memcpy(record, f, sizeof record);
    done = done && fBufAppend(x->buffer, record, sizeof record, &error);
    x->pending = true;
    return outcome(x, done, error, err);
}

int ipfix_flush(struct ipfix *x, struct rs_err *err)
{
    GError *error = NULL;
    if (x->failed != 0 || !x->pending)
        return outcome(x, TRUE, NULL, err);
    x->pending = false;
    gboolean done = fBufEmit(x->buffer, &error);
    return outcome(x, done, error, err);
}

uint64_t ipfix_bytes(const struct ipfix *x)
{
    return x->sink.output != NULL ? output_bytes(x->sink.output) : x->sink.bytes;
}

int ipfix_close(struct ipfix *x, struct rs_err *err)
{
    if (x == NULL)
        return 0;
    int rc = ipfix_flush(x, err);
    int closed = ipfix_sink_close(&x->sink, rc == 0 ? err : NULL);
    release(x);
    return rc != 0 ? rc : closed;
}
