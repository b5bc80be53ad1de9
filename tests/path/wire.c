/* SPDX-License-Identifier: GPL-3.0-or-later
 * The two ends of the wire: AF_PACKET sockets, read and written in batches. VLAN tags are not kept
 * (the kernel takes them off the frame); the lab has none. */
#include "path.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    ROUNDS = 4,              /* batches read at once, before timers get their turn again */
    BUFFER_BYTES = 64 << 20, /* a second of full-size frames at 20,000 a second, twice over */
    CONTROL_BYTES = 256,
};

static int set(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof value) ? -errno : 0;
}

int wire_open(struct wire *wire, const char *name)
{
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
    int fd, err;

    *wire = (struct wire){.fd = -1, .name = name};
    address.sll_ifindex = (int)if_nametoindex(name);
    if (address.sll_ifindex == 0)
        return -errno;
    /* Protocol 0 until bound, or it would collect from all interfaces in between. */
    fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    err = set(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
    if (!err)
        err = set(fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
    if (!err)
        err = set(fd, SOL_PACKET, PACKET_AUXDATA, 1);
    if (!err)
        err = set(fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
    if (!err)
        err = set(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES);
    if (!err)
        err = set(fd, SOL_SOCKET, SO_SNDBUFFORCE, BUFFER_BYTES);
    /* Not promiscuous: a veth hands over frames for any address. */
    if (!err && bind(fd, (struct sockaddr *)&address, sizeof address))
        err = -errno;
    if (err) {
        close(fd);
        return err;
    }
    wire->fd = fd;
    return 0;
}

/* The kernel's stamp is wall time; only its age is used, so a clock that is set does little harm.
 */
static int64_t arrival(struct msghdr *header, bool *unfinished)
{
    struct timespec wall, stamp = {0};
    struct tpacket_auxdata aux;
    int64_t age = 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
            memcpy(&stamp, CMSG_DATA(c), sizeof stamp);
        } else if (c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA) {
            memcpy(&aux, CMSG_DATA(c), sizeof aux);
            *unfinished = aux.tp_status & TP_STATUS_CSUMNOTREADY;
        }
    }
    clock_gettime(CLOCK_REALTIME, &wall);
    if (stamp.tv_sec)
        age = (int64_t)(wall.tv_sec - stamp.tv_sec) * 1000000000 + (wall.tv_nsec - stamp.tv_nsec);
    if (age < 0 || age > 1000000000)
        age = 0;
    return path_now() - age;
}

void wire_receive(struct direction *dir)
{
    static uint8_t bytes[PATH_BATCH][PATH_FRAME_MAX];
    static _Alignas(struct cmsghdr) uint8_t control[PATH_BATCH][CONTROL_BYTES];
    struct mmsghdr messages[PATH_BATCH];
    struct iovec parts[PATH_BATCH];

    for (int round = 0; round < ROUNDS; round++) {
        int n;

        for (size_t i = 0; i < PATH_BATCH; i++) {
            parts[i] = (struct iovec){bytes[i], sizeof bytes[i]};
            messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i],
                                                  .msg_iovlen = 1,
                                                  .msg_control = control[i],
                                                  .msg_controllen = sizeof control[i]};
        }
        n = recvmmsg(dir->from->fd, messages, PATH_BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < n; i++) {
            bool unfinished = false;
            int64_t arrived = arrival(&messages[i].msg_hdr, &unfinished);

            dir->counts.unfinished += unfinished;
            if (messages[i].msg_hdr.msg_flags & MSG_TRUNC)
                dir->counts.oversize++;
            else
                impair_take(dir, bytes[i], messages[i].msg_len, arrived);
        }
        if (n < PATH_BATCH)
            return;
    }
}

void wire_put(struct direction *dir, struct frame *frame)
{
    struct wire *wire = dir->to;

    if (wire->batched == PATH_BATCH)
        wire_flush(dir);
    wire->batch[wire->batched++] = frame;
}

static void note_delay(struct delays *delays, int64_t ns)
{
    if (delays->n == 0 || ns < delays->min_ns)
        delays->min_ns = ns;
    if (delays->n == 0 || ns > delays->max_ns)
        delays->max_ns = ns;
    delays->n++;
    delays->sum_ns += (double)ns;
}

static void note_sent(struct direction *dir, const struct frame *frame, int64_t now)
{
    if (frame->control)
        return;
    dir->counts.forwarded++;
    note_delay(frame->wanted ? &dir->counts.held : &dir->counts.delay, now - frame->arrived);
}

/* Sends the batch, each frame as often as it has copies. What the kernel refuses is counted and not
 * tried again: a retry would be a delay and a reordering that nobody asked for. */
void wire_flush(struct direction *dir)
{
    struct wire *wire = dir->to;
    struct mmsghdr messages[2 * PATH_BATCH];
    struct iovec parts[2 * PATH_BATCH];
    struct frame *of[2 * PATH_BATCH];
    unsigned total = 0, done = 0;

    for (size_t i = 0; i < wire->batched; i++) {
        for (unsigned copy = 0; copy < wire->batch[i]->copies; copy++, total++) {
            of[total] = wire->batch[i];
            parts[total] = (struct iovec){of[total]->bytes, of[total]->length};
            messages[total].msg_hdr = (struct msghdr){.msg_iov = &parts[total], .msg_iovlen = 1};
        }
    }
    while (done < total) {
        int n = sendmmsg(wire->fd, messages + done, total - done, MSG_DONTWAIT);
        int64_t now = path_now();

        for (int i = 0; i < n; i++)
            note_sent(dir, of[done++], now);
        if (n <= 0)
            dir->counts.send_errors += !of[done++]->control;
    }
    for (size_t i = 0; i < wire->batched; i++)
        free(wire->batch[i]);
    wire->batched = 0;
}

void wire_count_drops(struct direction *dir)
{
    struct tpacket_stats stats; /* reading sets them back to 0 */
    socklen_t size = sizeof stats;

    if (getsockopt(dir->from->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &size) == 0)
        dir->counts.socket_drops += stats.tp_drops;
}
