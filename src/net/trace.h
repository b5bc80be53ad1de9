/* SPDX-License-Identifier: GPL-3.0-or-later
 * Packets from elsewhere than our own measurement: capture files (libpcap: pcap with micro- or
 * nanoseconds in either byte order, pcapng), trace URIs (libtrace: pcapfile: erf: int: ring: ...),
 * a live interface (libpcap). One reader for all: it gives the IP packet, its time and, where the
 * capture says it, which way it went. Frames that carry no IP are counted and left out.
 *
 *     trace_open_stream(&t, stream, "a.pcap", &err);
 *     while ((n = trace_read(t, on_packet, ctx, 1000, &err)) >= 0)
 *         if (n == 0)
 *             ... wait for trace_fd(t); never comes for a file ...
 *     if (n != -RS_EEND)
 *         ... what was read so far has been given; err says what is wrong ...
 *     trace_close(t); */
#ifndef RS_NET_TRACE_H
#define RS_NET_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "base/time.h"

struct trace;

/* From Linux cooked headers; the captures that rawspider itself writes are of this kind. */
enum trace_way {
    TRACE_UNKNOWN, /* every other link type */
    TRACE_IN,      /* packet types 0-3: received, or seen on its way to others */
    TRACE_SENT,    /* packet type 4, ARPHRD_NONE: rawspider sent it */
    TRACE_HOST     /* packet type 4, else: the host sent it */
};

struct trace_packet {
    rs_wall at;             /* of any two, the difference is an int64_t too */
    const uint8_t *ip;      /* the first byte of the IP header; readable during the call only */
    uint32_t ip_captured;   /* bytes at ip, link-layer padding included */
    uint32_t link_captured; /* bytes of the frame that were captured */
    uint32_t wire_bytes;    /* bytes of the frame as it was on the link; by libtrace: as captured */
    uint16_t ethertype;     /* 0x0800 or 0x86dd */
    enum trace_way way;
};

typedef void (*trace_fn)(void *ctx, const struct trace_packet *p);

/* Where the bytes of a capture file come from. */
struct trace_stream {
    void *ctx;
    /* Up to n bytes, waiting for the first: their number, 0 at the end, or -RS_E* with the text in
     * err. */
    ssize_t (*read)(void *ctx, void *to, size_t n, struct rs_err *err);
    void (*close)(void *ctx); /* NULL: nothing to do */
};

/* pcap or pcapng, told by the first bytes. `name` is for messages, and copied. The stream belongs
 * to the trace from here on, also after an error. 0; -RS_EPROTO not a capture, or of a link type
 * that cannot be read; -RS_ETRUNC ends within its header; -RS_ENOMEM; the stream's own errors. */
int trace_open_stream(struct trace **out,
                      struct trace_stream stream,
                      const char *name,
                      struct rs_err *err);

/* Whether `text` starts with a scheme of libtrace ("erf:"). */
bool trace_is_uri(const char *text);
/* Never promiscuous. 0; -RS_EINVAL no such scheme; -RS_ENOENT, -RS_EPERM, -RS_EPROTO, -RS_ESYS,
 * -RS_ENOMEM. */
int trace_open_uri(struct trace **out, const char *uri, struct rs_err *err);

/* libpcap, never promiscuous, stamps in nanoseconds. 0; -RS_ENOENT no such interface; -RS_EPERM;
 * -RS_EINVAL it is down, or its link type cannot be read; -RS_ESYS, -RS_ENOMEM. */
int trace_open_live(struct trace **out, const char *interface, struct rs_err *err);

void trace_close(struct trace *t); /* NULL is ignored */

/* Reads up to `budget` frames (at least 1), and gives those with IP to `fn`. How many were read; 0:
 * none wait now (live only); -RS_EEND: the end; -RS_ETRUNC: the capture ends inside a packet;
 * -RS_EPROTO: it is damaged; -RS_ESYS. What came before an error has been given. */
int trace_read(struct trace *t, trace_fn fn, void *ctx, int budget, struct rs_err *err);

bool trace_is_live(const struct trace *t);
/* Live only: readable when packets wait; -1: there is nothing to poll, ask again after
 * trace_pause_ns(). */
int trace_fd(const struct trace *t);
uint64_t trace_pause_ns(const struct trace *t);
/* "pcap", "pcapng", "live", or the scheme of the URI. */
const char *trace_kind(const struct trace *t);

struct trace_stats {
    uint64_t frames;         /* read */
    uint64_t packets;        /* of these: IP, and given */
    uint64_t no_ip;          /* of these: ARP, 802.3, an unknown network protocol */
    uint64_t cut;            /* of these: captured too short to hold the link header */
    uint64_t no_link;        /* of these: of a link type that cannot be read */
    uint64_t kernel_dropped; /* live: no room in the ring */
    uint64_t iface_dropped;  /* live: dropped by the interface */
};

void trace_stats(struct trace *t, struct trace_stats *out);

#endif
