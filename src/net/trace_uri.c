/* SPDX-License-Identifier: GPL-3.0-or-later
 * Trace URIs by libtrace. Live ones are read through its events, which never wait; files directly,
 * since events would keep to the pace of their time stamps. */
#include <errno.h>
#include <fcntl.h>
#include <libtrace.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cursor.h"
#include "net/socket_int.h"
#include "net/trace_int.h"
#include "wire/link.h"

#define SNAPLEN  65535
#define PAUSE_NS (10 * RS_MS) /* where libtrace names nothing to wait for */

struct uri_trace {
    struct trace t;
    libtrace_t *in;
    libtrace_packet_t *packet;
    int wait_fd;
    bool ended;
};

static const struct scheme {
    const char *name;
    enum { SCHEME_FILE, SCHEME_IFACE, SCHEME_HOST } kind;
} schemes[] = {{"pcapfile", SCHEME_FILE},  {"erf", SCHEME_FILE},       {"int", SCHEME_IFACE},
               {"ring", SCHEME_IFACE},     {"pcap", SCHEME_FILE},      {"pcapint", SCHEME_IFACE},
               {"tsh", SCHEME_FILE},       {"duck", SCHEME_FILE},      {"legacyeth", SCHEME_FILE},
               {"legacyatm", SCHEME_FILE}, {"legacypos", SCHEME_FILE}, {"legacynzix", SCHEME_FILE},
               {"rt", SCHEME_HOST}};

static const struct scheme *find_scheme(const char *text)
{
    for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++) {
        size_t n = strlen(schemes[i].name);
        if (strncmp(text, schemes[i].name, n) == 0 && text[n] == ':')
            return &schemes[i];
    }
    return NULL;
}

bool trace_is_uri(const char *text)
{
    return find_scheme(text) != NULL;
}

static void close_uri(struct trace *t)
{
    struct uri_trace *u = (struct uri_trace *)t;
    if (u->packet != NULL)
        trace_destroy_packet(u->packet);
    if (u->in != NULL)
        trace_destroy(u->in);
    free(u);
}

static int explain(struct uri_trace *u, enum rs_code code, const char *what, struct rs_err *err)
{
    libtrace_err_t e = trace_get_err(u->in);
    if (u->t.is_live && (e.err_num == EPERM || e.err_num == EACCES))
        return socket_fail_raw(err, e.err_num, "a capture");
    if (e.err_num > 0) /* an errno */
        return rs_fail_errno(err, e.err_num, "%s %.100s", what, u->t.name);
    e.problem[strcspn(e.problem, "\n")] = '\0';
    return rs_fail(err, code, "%s %.80s: %.100s", what, u->t.name, e.problem);
}

/* Of libtrace's link types those that wire/link.h reads as well; -1: none of them. */
static int link_of(libtrace_linktype_t type)
{
    switch ((int)type) {
    case TRACE_TYPE_ETH:
        return WIRE_LINK_ETHERNET;
    case TRACE_TYPE_LINUX_SLL:
        return WIRE_LINK_SLL;
    case TRACE_TYPE_NONE:
        return WIRE_LINK_RAW;
    case TRACE_TYPE_OPENBSD_LOOP:
        return WIRE_LINK_LOOP;
    default:
        return -1;
    }
}

/* LLC with SNAP (RFC 1042): AA AA 03 00 00 00, then an Ethernet type. */
static bool pass_snap(struct cursor *c, uint16_t *type)
{
    static const uint8_t snap[6] = {0xaa, 0xaa, 3};
    const uint8_t *head;
    return get_bytes(c, sizeof snap, &head) && memcmp(head, snap, sizeof snap) == 0 &&
           get_be16(c, type);
}

/* PPP in HDLC-like framing (RFC 1662 3.1; FF 03 may be left out) or Cisco's HDLC (an address, 0, an
 * Ethernet type). */
static bool pass_serial(struct cursor *c, uint16_t *type)
{
    uint16_t head;
    if (!get_be16(c, &head))
        return false;
    if (head == 0x0f00 || head == 0x8f00)
        return get_be16(c, type);
    if (head == 0xff03 && !get_be16(c, &head))
        return false;
    *type = head == 0x0021 ? 0x0800 : head == 0x0057 ? 0x86dd : 0;
    return true;
}

/* The link types of traces from ATM and SONET links. libtrace's own readers of headers run past the
 * end of damaged packets, and into NULL. False: no network layer. */
static bool find_network(libtrace_linktype_t type, struct cursor *c, uint16_t *ethertype)
{
    switch ((int)type) {
    case TRACE_TYPE_HDLC_POS:
    case TRACE_TYPE_POS:
    case TRACE_TYPE_PPP:
        return pass_serial(c, ethertype);
    case TRACE_TYPE_ATM:
    case TRACE_TYPE_AAL5:
        return cursor_skip(c, 4) && pass_snap(c, ethertype); /* behind the cell's header */
    case TRACE_TYPE_LLCSNAP:
        return pass_snap(c, ethertype);
    default:
        return false;
    }
}

/* libtrace asserts what a damaged file may say: that a frame was shorter than 64 KiB on the wire,
 * and that pcap's link type is one of few. So its cache gets a length that is short enough (ours is
 * that of the capture), and unknown types are turned away before it looks at them. */
static bool make_safe(libtrace_packet_t *packet)
{
    packet->wire_length = LIBTRACE_PACKET_BUFSIZE - 1;
    return packet->type > 0 && (unsigned)packet->type < TRACE_RT_LAST;
}

static void on_frame(struct uri_trace *u)
{
    libtrace_linktype_t type = TRACE_TYPE_UNKNOWN;
    uint32_t captured = 0;
    const uint8_t *bytes = NULL;
    if (make_safe(u->packet))
        bytes = trace_get_packet_buffer(u->packet, &type, &captured);
    if (bytes == NULL || type == TRACE_TYPE_UNKNOWN) {
        u->t.stats.frames++;
        u->t.stats.no_link++;
        return;
    }
    struct timespec ts = trace_get_timespec(u->packet);
    rs_wall at = trace_time(ts.tv_sec, ts.tv_nsec);
    int link = link_of(type);
    if (link >= 0) {
        trace_frame(&u->t, link, bytes, captured, captured, at);
        return;
    }
    struct cursor c = {bytes, captured};
    uint16_t ethertype = 0;
    bool found = find_network(type, &c, &ethertype);
    struct trace_packet p = {.at = at,
                             .ip = found ? c.at : NULL,
                             .ip_captured = found ? (uint32_t)c.left : 0,
                             .link_captured = captured,
                             .wire_bytes = captured,
                             .ethertype = ethertype};
    trace_network(&u->t, &p);
}

static int fail_reading(struct uri_trace *u, struct rs_err *err)
{
    unsigned long long frames = u->t.stats.frames;
    if (u->t.is_live)
        return explain(u, RS_ESYS, "cannot capture on with", err);
    libtrace_err_t e = trace_get_err(u->in);
    if (e.err_num > 0) /* any errno: of a short read it is what happened to be left there */
        return rs_fail(err, RS_ETRUNC, "%.100s is cut off inside frame %llu, or cannot be read on",
                       u->t.name, frames + 1);
    e.problem[strcspn(e.problem, "\n")] = '\0';
    return rs_fail(err, RS_EPROTO, "%.80s is damaged behind frame %llu: %.100s", u->t.name, frames,
                   e.problem);
}

static int read_file(struct trace *t, int budget, struct rs_err *err)
{
    struct uri_trace *u = (struct uri_trace *)t;
    int n = 0;
    while (n < budget) {
        int got = trace_read_packet(u->in, u->packet);
        if (got < 0)
            return fail_reading(u, err);
        if (got == 0)
            return n > 0 ? n : -RS_EEND;
        on_frame(u);
        n++;
    }
    return n;
}

static int read_live(struct trace *t, int budget, struct rs_err *err)
{
    struct uri_trace *u = (struct uri_trace *)t;
    for (int n = 0; n < budget; n++) {
        libtrace_eventobj_t e = trace_event(u->in, u->packet);
        switch (e.type) {
        case TRACE_EVENT_PACKET:
            if (e.size < 0)
                return fail_reading(u, err);
            on_frame(u);
            break;
        case TRACE_EVENT_IOWAIT:
            u->wait_fd = e.fd;
            return n;
        case TRACE_EVENT_SLEEP:
            u->wait_fd = -1;
            return n;
        case TRACE_EVENT_TERMINATE:
            if (trace_is_err(u->in))
                return fail_reading(u, err);
            return n > 0 ? n : -RS_EEND;
        }
    }
    return budget;
}

static void read_drops(struct trace *t)
{
    struct uri_trace *u = (struct uri_trace *)t;
    uint64_t dropped = trace_get_dropped_packets(u->in);
    if (dropped != UINT64_MAX) /* unknown */
        t->stats.kernel_dropped = dropped;
}

static int uri_fd(const struct trace *t)
{
    const struct uri_trace *u = (const struct uri_trace *)t;
    return u->wait_fd;
}

/* libtrace's own words for these are poor, and it loses memory over them. */
static int check_file(const char *uri, struct rs_err *err)
{
    struct stat st;
    const char *path = strchr(uri, ':') + 1;
    if (strcmp(path, "-") == 0)
        return 0;
    if (stat(path, &st) < 0 || faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) < 0) {
        int why = errno;
        int rc = rs_fail_errno(err, why, "cannot open %.100s", path);
        return why == ENOENT ? -RS_ENOENT : rc;
    }
    return S_ISDIR(st.st_mode)
               ? rs_fail(err, RS_EINVAL, "cannot read %.100s: it is a directory", path)
               : 0;
}

static int open_libtrace(struct uri_trace *u, const struct scheme *scheme, struct rs_err *err)
{
    int snaplen = SNAPLEN, promiscuous = 0;
    int rc = scheme->kind == SCHEME_FILE ? check_file(u->t.name, err) : 0;
    if (rc != 0)
        return rc;
    u->in = trace_create(u->t.name);
    u->packet = trace_create_packet();
    if (u->in == NULL || u->packet == NULL)
        return rs_fail(err, RS_ENOMEM, "no memory to read %.100s", u->t.name);
    if (trace_is_err(u->in))
        return explain(u, RS_EPROTO, "cannot open", err);
    if (scheme->kind == SCHEME_IFACE) {
        /* What a format has no use for, it refuses; its error is not ours then. */
        if (trace_config(u->in, TRACE_OPTION_SNAPLEN, &snaplen) < 0)
            trace_get_err(u->in);
        if (trace_config(u->in, TRACE_OPTION_PROMISC, &promiscuous) < 0)
            trace_get_err(u->in);
    }
    if (trace_start(u->in) < 0)
        return explain(u, RS_EPROTO, "cannot open", err);
    return 0;
}

int trace_open_uri(struct trace **out, const char *uri, struct rs_err *err)
{
    const struct scheme *scheme = find_scheme(uri);
    *out = NULL;
    if (scheme == NULL)
        return rs_fail(err, RS_EINVAL, "'%.100s' has no scheme that libtrace knows", uri);
    struct uri_trace *u = calloc(1, sizeof *u);
    if (u == NULL || (u->t.name = strdup(uri)) == NULL) {
        free(u);
        return rs_fail(err, RS_ENOMEM, "no memory to read %.100s", uri);
    }
    /* As io/source.c: its reading thread would run far ahead. Who wants it sets it himself. */
    setenv("LIBTRACEIO", "nothreads", 0);
    u->wait_fd = -1;
    u->t.kind = scheme->name;
    u->t.is_live = scheme->kind != SCHEME_FILE;
    u->t.pause_ns = PAUSE_NS;
    u->t.read = u->t.is_live ? read_live : read_file;
    u->t.drops = u->t.is_live ? read_drops : NULL;
    u->t.fd = uri_fd;
    u->t.close = close_uri;
    int rc = open_libtrace(u, scheme, err);
    if (rc != 0) {
        trace_close(&u->t);
        return rc;
    }
    *out = &u->t;
    return 0;
}
