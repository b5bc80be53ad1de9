/* SPDX-License-Identifier: GPL-3.0-or-later
 * The ring of frames, and the three ways out of it: frames on an Ethernet link, packets on a raw
 * link (both AF_PACKET), packets through the host's routing (raw IP sockets). Each slot has its
 * message header ready, so that a batch is one sendmmsg over neighbouring slots. */
#include "net/inject.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/socket_int.h"
#include "wire/link.h"

#define SLOTS      256u /* a power of two */
#define BATCH      64u
#define LINK_BYTES ((uint32_t)ETH_HLEN)
#define GIVE_UP    (200 * RS_MS) /* without any progress */
#define SEND_BYTES (1024 * 1024) /* of socket buffer asked for; the host's limit stands */

struct slot {
    uint8_t family;   /* 4 or 6; 0: a whole frame */
    uint8_t ip_start; /* where the IP packet begins in the slot's bytes */
    struct sockaddr_storage to;
};

struct inject {
    struct inject_config config;
    struct iface iface;
    bool ethernet; /* we write the link header */
    int fd, fd6;   /* fd6: INJECT_IP, IPv6; -1 when not open */
    size_t slot_bytes;
    uint8_t *bytes;
    struct mmsghdr message[SLOTS];
    struct iovec vector[SLOTS];
    struct slot slot[SLOTS];
    unsigned head, count;
    rs_mono stuck_since; /* RS_NEVER: the last attempt made progress */
    unsigned pressure;
    struct inject_stats stats;
};

static int open_packet(struct inject *in, struct rs_err *err)
{
    /* Protocol 0: this socket receives nothing, so the kernel does not clone packets for it. */
    in->fd = socket(AF_PACKET, (in->ethernet ? SOCK_RAW : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
    if (in->fd < 0)
        return socket_fail_raw(err, errno, "a packet socket");
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = in->iface.index};
    if (bind(in->fd, (struct sockaddr *)&to, sizeof to) < 0)
        return rs_fail_errno(err, errno, "cannot send on interface %s", in->iface.name);
    int on = 1;
    if (!in->config.visible &&
        setsockopt(in->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) < 0)
        return rs_fail_errno(err, errno, "cannot bypass the queueing layer of %s", in->iface.name);
    return 0;
}

/* Raw IP sockets of IPPROTO_RAW take whole IP packets and receive nothing; the filter is there for
 * the day that this changes. */
static int open_ip_one(struct inject *in, int family, int *fd, struct rs_err *err)
{
    *fd = socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (*fd < 0 && errno == EAFNOSUPPORT) /* a host without this family: packets get that error */
        return 0;
    if (*fd < 0)
        return socket_fail_raw(err, errno, "a raw IP socket");
    int on = 1, result = socket_drop_all(*fd);
    if (result < 0)
        return rs_fail_errno(err, -result, "cannot filter a raw IP socket");
    int level = family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6;
    int name = family == AF_INET ? IP_HDRINCL : IPV6_HDRINCL;
    if (setsockopt(*fd, level, name, &on, sizeof on) < 0)
        return rs_fail_errno(err, errno, "cannot send whole IP packets");
    if (in->config.bind_dev && setsockopt(*fd, SOL_SOCKET, SO_BINDTODEVICE, in->iface.name,
                                          (socklen_t)strlen(in->iface.name)) < 0)
        return rs_fail_errno(err, errno, "cannot bind to interface %s", in->iface.name);
    return 0;
}

static int open_sockets(struct inject *in, struct rs_err *err)
{
    int result = 0, bytes = SEND_BYTES;
    if (in->config.kind == INJECT_PACKET) {
        result = open_packet(in, err);
    } else {
        result = open_ip_one(in, AF_INET, &in->fd, err);
        if (result == 0)
            result = open_ip_one(in, AF_INET6, &in->fd6, err);
        if (result == 0 && in->fd < 0 && in->fd6 < 0)
            result = rs_fail(err, RS_ESYS, "this host has neither IPv4 nor IPv6 raw sockets");
    }
    if (result == 0 && in->fd >= 0)
        setsockopt(in->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    if (result == 0 && in->fd6 >= 0)
        setsockopt(in->fd6, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    return result;
}

int inject_open(struct inject **out, const struct inject_config *config, struct rs_err *err)
{
    struct inject *in = calloc(1, sizeof *in);
    *out = NULL;
    if (in == NULL)
        return rs_fail(err, RS_ENOMEM, "no memory for the injector");
    in->config = *config;
    in->iface = *config->iface;
    in->fd = in->fd6 = -1;
    in->stuck_since = RS_NEVER;
    in->ethernet = config->kind == INJECT_PACKET && in->iface.link == WIRE_LINK_ETHERNET;
    in->slot_bytes = ((size_t)in->iface.mtu + LINK_BYTES + 63) & ~(size_t)63;
    in->bytes = calloc(SLOTS, in->slot_bytes);
    int result = in->bytes != NULL ? open_sockets(in, err)
                                   : rs_fail(err, RS_ENOMEM, "no memory for the injector's ring");
    if (result < 0) {
        inject_free(in);
        return result;
    }
    for (unsigned i = 0; i < SLOTS; i++) {
        in->message[i].msg_hdr.msg_iov = &in->vector[i];
        in->message[i].msg_hdr.msg_iovlen = 1;
        in->vector[i].iov_base = in->bytes + i * in->slot_bytes;
    }
    *out = in;
    return 0;
}

void inject_free(struct inject *in)
{
    if (in == NULL)
        return;
    if (in->fd >= 0)
        close(in->fd);
    if (in->fd6 >= 0)
        close(in->fd6);
    free(in->bytes);
    free(in);
}

/* Takes the oldest packet out of the ring and says what became of it. */
static void leave(struct inject *in, rs_wall at, int error)
{
    const struct slot *s = &in->slot[in->head];
    const struct iovec *v = &in->vector[in->head];
    size_t n = v->iov_len - s->ip_start;
    if (error == 0) {
        in->stats.packets++;
        in->stats.bytes += n;
    } else {
        in->stats.errors++;
    }
    in->head = (in->head + 1) & (SLOTS - 1);
    in->count--;
    if (s->family != 0 && in->config.sent != NULL)
        in->config.sent(in->config.ctx, (const uint8_t *)v->iov_base + s->ip_start, n, at, error);
}

/* How many slots from the oldest on can go in one call: contiguous, and for one socket. */
static unsigned batch_size(const struct inject *in, int *fd)
{
    unsigned most = in->count < BATCH ? in->count : BATCH;
    if (most > SLOTS - in->head)
        most = SLOTS - in->head;
    *fd = in->fd;
    if (in->config.kind == INJECT_PACKET)
        return most;
    uint8_t family = in->slot[in->head].family;
    *fd = family == 4 ? in->fd : in->fd6;
    unsigned n = 1;
    while (n < most && in->slot[in->head + n].family == family)
        n++;
    return n;
}

static bool is_pushback(int error)
{
    return error == ENOBUFS || error == EAGAIN || error == EWOULDBLOCK || error == ENOMEM;
}

/* True: the kernel is to be left alone for now. A link without carrier answers ENOBUFS like a full
 * queue, so patience ends. */
static bool push_back(struct inject *in, int error)
{
    rs_mono now = clock_mono();
    in->stats.retries++;
    in->pressure++;
    if (in->stuck_since.ns == UINT64_MAX)
        in->stuck_since = now;
    if (!rs_mono_reached(rs_mono_add(in->stuck_since, GIVE_UP), now))
        return true;
    leave(in, clock_wall(), error);
    return false;
}

/* One sendmmsg. 0: go on; -RS_EAGAIN: later. An error always belongs to the first packet of the
 * call: when a later one fails, the kernel returns how many went before it. */
static int send_batch(struct inject *in)
{
    int fd;
    unsigned n = batch_size(in, &fd);
    rs_wall at = clock_wall(); /* before: a near peer answers while the call still runs */
    int sent = sendmmsg(fd, &in->message[in->head], n, MSG_DONTWAIT);
    int error = sent < 0 ? errno : 0;
    if (error == EINTR)
        return 0;
    if (error != 0 && is_pushback(error))
        return push_back(in, error) ? -RS_EAGAIN : 0;
    if (error != 0) {
        leave(in, at, error);
        return 0;
    }
    in->stuck_since = RS_NEVER;
    for (int i = 0; i < sent; i++)
        leave(in, at, 0);
    return 0;
}

int inject_flush(struct inject *in)
{
    while (in->count > 0) {
        int result = send_batch(in);
        if (result < 0)
            return result;
    }
    return 0;
}

/* The next free slot, or NULL with would_block counted. */
static struct slot *take_slot(struct inject *in, unsigned *index)
{
    if (in->count == SLOTS && inject_flush(in) < 0 && in->count == SLOTS) {
        in->stats.would_block++;
        return NULL;
    }
    *index = (in->head + in->count) & (SLOTS - 1);
    return &in->slot[*index];
}

static void commit_slot(struct inject *in)
{
    in->count++;
    if (in->count >= BATCH && in->stuck_since.ns == UINT64_MAX)
        inject_flush(in);
}

/* Where the kernel is to send slot `i`: Ethernet frames say it themselves. */
static void set_destination(struct inject *in, unsigned i, const uint8_t *ip)
{
    struct msghdr *m = &in->message[i].msg_hdr;
    struct slot *s = &in->slot[i];
    m->msg_name = in->ethernet ? NULL : &s->to;
    m->msg_namelen = 0;
    if (in->ethernet)
        return;
    if (in->config.kind == INJECT_PACKET) {
        struct sockaddr_ll *to = (void *)&s->to;
        *to = (struct sockaddr_ll){.sll_family = AF_PACKET, .sll_ifindex = in->iface.index};
        to->sll_protocol = htons(s->family == 4 ? ETH_P_IP : ETH_P_IPV6);
        m->msg_namelen = sizeof *to;
        return;
    }
    struct wire_addr dst = {.family = s->family};
    memcpy(dst.bytes, ip + (s->family == 4 ? 16 : 24), s->family == 4 ? 4 : 16);
    m->msg_namelen = socket_address(&s->to, &dst, (unsigned)in->iface.index);
}

int inject_queue(struct inject *in, const uint8_t *ip_packet, size_t n, const uint8_t dst_mac[6])
{
    uint8_t family = n > 0 ? ip_packet[0] >> 4 : 0;
    if ((family != 4 && family != 6) || n < (family == 4 ? 20u : 40u) || n > in->iface.mtu ||
        (in->ethernet && dst_mac == NULL))
        return -RS_EINVAL;
    unsigned i;
    struct slot *s = take_slot(in, &i);
    if (s == NULL)
        return -RS_EAGAIN;
    uint8_t *bytes = in->vector[i].iov_base;
    s->family = family;
    s->ip_start = in->ethernet ? LINK_BYTES : 0;
    if (in->ethernet) {
        memcpy(bytes, dst_mac, ETH_ALEN);
        memcpy(bytes + ETH_ALEN, in->iface.mac, ETH_ALEN);
        bytes[12] = family == 4 ? 0x08 : 0x86;
        bytes[13] = family == 4 ? 0x00 : 0xdd;
    }
    memcpy(bytes + s->ip_start, ip_packet, n);
    in->vector[i].iov_len = s->ip_start + n;
    set_destination(in, i, ip_packet);
    commit_slot(in);
    return 0;
}

int inject_frame(struct inject *in, const uint8_t *frame, size_t n)
{
    if (!in->ethernet || n < LINK_BYTES || n > in->iface.mtu + LINK_BYTES)
        return -RS_EINVAL;
    unsigned i;
    struct slot *s = take_slot(in, &i);
    if (s == NULL)
        return -RS_EAGAIN;
    s->family = 0;
    s->ip_start = 0;
    memcpy(in->vector[i].iov_base, frame, n);
    in->vector[i].iov_len = n;
    set_destination(in, i, frame);
    commit_slot(in);
    return 0;
}

unsigned inject_waiting(const struct inject *in)
{
    return in->count;
}

unsigned inject_pressure(struct inject *in)
{
    unsigned pressure = in->pressure;
    in->pressure = 0;
    return pressure;
}

const struct inject_stats *inject_stats(const struct inject *in)
{
    return &in->stats;
}
