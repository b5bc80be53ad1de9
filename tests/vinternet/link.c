/* SPDX-License-Identifier: GPL-3.0-or-later
 * The interface: a TPACKET_V3 ring in, batches by sendmmsg() out, and what the link does to
 * packets: losing them at random, and handing them over late. */
#include "vinternet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK_BYTES (1u << 18)
#define N_BLOCKS    128u
#define BATCH       128u
#define N_DELAYED   (1u << 14) /* a power of two */

uint8_t link_mac[6];

static struct link_options how;
static uint64_t below_in, below_out; /* random numbers below this are losses */
static int in = -1, out = -1;
static uint8_t *ring;
static unsigned block;

static uint8_t frames[BATCH][FRAME_BYTES];
static struct iovec parts[BATCH];
static struct mmsghdr batch[BATCH];
static unsigned n_batch;

/* Packets that leave late, for one delay only, so that they leave in the order in which they came.
 */
static struct delayed {
    uint32_t at, len;
    uint8_t frame[FRAME_BYTES];
} * delayed;
static uint32_t delayed_first, delayed_end;

static bool complain(const char *what)
{
    fprintf(stderr, "vinternet: %s: %s: %s\n", how.interface, what, strerror(errno));
    return false;
}

static int open_one(int protocol, unsigned index)
{
    struct sockaddr_ll at = {.sll_family = AF_PACKET,
                             .sll_protocol = htons((uint16_t)protocol),
                             .sll_ifindex = (int)index};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    if (fd >= 0 && protocol == 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0)
        return fd;
    if (fd >= 0 && protocol != 0)
        return fd; /* bound once the ring is there */
    return -1;
}

static bool open_in(unsigned index)
{
    struct tpacket_req3 request = {.tp_block_size = BLOCK_BYTES,
                                   .tp_block_nr = N_BLOCKS,
                                   .tp_frame_size = FRAME_BYTES,
                                   .tp_frame_nr = BLOCK_BYTES / FRAME_BYTES * N_BLOCKS,
                                   .tp_retire_blk_tov = 1};
    struct sockaddr_ll at = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)index};
    struct packet_mreq all = {.mr_ifindex = (int)index, .mr_type = PACKET_MR_PROMISC};
    int version = TPACKET_V3, yes = 1;

    in = open_one(ETH_P_ALL, index);
    if (in < 0)
        return complain("cannot open it");
    /* Not what we send ourselves. */
    if (setsockopt(in, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes) != 0 ||
        setsockopt(in, SOL_PACKET, PACKET_VERSION, &version, sizeof version) != 0 ||
        setsockopt(in, SOL_PACKET, PACKET_RX_RING, &request, sizeof request) != 0)
        return complain("no ring");
    ring = mmap(NULL, (size_t)BLOCK_BYTES * N_BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, in, 0);
    if (ring == MAP_FAILED)
        return complain("no ring");
    if (bind(in, (struct sockaddr *)&at, sizeof at) != 0)
        return complain("cannot listen");
    /* Neighbour solicitations go to groups that this host is no member of. */
    if (setsockopt(in, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) != 0)
        return complain("not promiscuous");
    return true;
}

bool link_open(const struct link_options *options)
{
    struct ifreq request = {0};
    unsigned index;
    int yes = 1;

    how = *options;
    below_in = (uint64_t)(how.loss_in * 0x1p63) << 1;
    below_out = (uint64_t)(how.loss_out * 0x1p63) << 1;
    index = if_nametoindex(how.interface);
    if (index == 0)
        return complain("no such interface");
    out = open_one(0, index);
    if (out < 0)
        return complain("cannot open it");
    strncpy(request.ifr_name, how.interface, sizeof request.ifr_name - 1);
    if (ioctl(out, SIOCGIFHWADDR, &request) != 0)
        return complain("no address");
    memcpy(link_mac, request.ifr_hwaddr.sa_data, 6);
    if (setsockopt(out, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes) != 0)
        return complain("no bypass");
    for (unsigned i = 0; i < BATCH; i++) {
        parts[i].iov_base = frames[i];
        batch[i].msg_hdr.msg_iov = &parts[i];
        batch[i].msg_hdr.msg_iovlen = 1;
    }
    delayed = calloc(N_DELAYED, sizeof *delayed);
    if (!delayed)
        return complain("no memory");
    return open_in(index);
}

/* -- out ----------------------------------------------------------------------------------------
 */

/* A line of the log: dip dport sport, which way, TCP flags, both numbers, bytes of payload. */
static void log_loss(const struct packet *p, bool is_out)
{
    char text[INET6_ADDRSTRLEN];

    inet_ntop(p->v6 ? AF_INET6 : AF_INET, is_out ? p->src : p->dst, text, sizeof text);
    fprintf(how.loss_log, "%s %u %u %s %03x %u %u %u\n", text, is_out ? p->sport : p->dport,
            is_out ? p->dport : p->sport, is_out ? "out" : "in", p->flags, p->seq, p->ack, p->len);
}

/* One that chance says is lost. False: it is spared, a handshake of a class that has losses of its
 * own instead of random ones. */
static bool lose(const uint8_t *frame, uint32_t len, bool is_out)
{
    struct packet p;

    if (!packet_parse(&p, frame, len) || p.proto != 6 || !packet_parse_tcp(&p, false))
        return true;
    if (p.flags & SYN && class_of(is_out ? p.src : p.dst, p.v6)->syns_lost)
        return false;
    if (how.loss_log)
        log_loss(&p, is_out);
    return true;
}

void link_flush(void)
{
    unsigned sent = 0;

    while (sent < n_batch) {
        int n = sendmmsg(out, batch + sent, n_batch - sent, 0);

        if (n > 0) {
            sent += (unsigned)n;
        } else if (errno == ENOBUFS || errno == EAGAIN || errno == EINTR) {
            continue; /* the driver is full: what is lost is lost on purpose only */
        } else {
            counters.send_errors++;
            sent++;
        }
    }
    n_batch = 0;
}

uint8_t *link_frame(void)
{
    if (n_batch == BATCH)
        link_flush();
    return frames[n_batch];
}

static void put_late(size_t len, uint32_t delay_ms)
{
    struct delayed *d = &delayed[delayed_end & (N_DELAYED - 1)];

    if (delayed_end - delayed_first == N_DELAYED) {
        counters.delay_full++;
        return;
    }
    d->at = now_ms + delay_ms;
    d->len = (uint32_t)len;
    memcpy(d->frame, frames[n_batch], len);
    delayed_end++;
}

void link_send(size_t len, uint32_t delay_ms)
{
    if (below_out && random64() < below_out && lose(frames[n_batch], (uint32_t)len, true)) {
        counters.lost_out++;
        return;
    }
    counters.tx_packets++;
    counters.tx_bytes += len;
    if (delay_ms) {
        put_late(len, delay_ms);
        return;
    }
    parts[n_batch++].iov_len = len;
}

static void send_delayed(void)
{
    for (; delayed_first != delayed_end; delayed_first++) {
        const struct delayed *d = &delayed[delayed_first & (N_DELAYED - 1)];

        if ((int32_t)(d->at - now_ms) > 0)
            return;
        memcpy(link_frame(), d->frame, d->len);
        parts[n_batch++].iov_len = d->len;
    }
}

/* -- in -----------------------------------------------------------------------------------------
 */

static void take_block(struct tpacket_block_desc *desc,
                       void (*input)(const uint8_t *, uint32_t, bool))
{
    const uint8_t *at = (const uint8_t *)desc + desc->hdr.bh1.offset_to_first_pkt;

    for (uint32_t i = 0; i < desc->hdr.bh1.num_pkts; i++) {
        const struct tpacket3_hdr *head = (const struct tpacket3_hdr *)(const void *)at;
        const uint8_t *frame = at + head->tp_mac;
        uint32_t len = head->tp_snaplen;

        __builtin_prefetch(at + head->tp_next_offset + 128);
        counters.rx_packets++;
        counters.rx_bytes += len;
        if (below_in && random64() < below_in && lose(frame, len, false)) {
            counters.lost_in++;
        } else {
            /* A checksum that the sender left to hardware which a veth has not got. */
            input(frame, len, !(head->tp_status & TP_STATUS_CSUMNOTREADY));
        }
        at += head->tp_next_offset;
    }
}

void link_turn(int wait_ms, void (*input)(const uint8_t *frame, uint32_t len, bool csum_ready))
{
    struct tpacket_block_desc *desc;
    unsigned taken = 0;

    desc = (struct tpacket_block_desc *)(void *)(ring + (size_t)block * BLOCK_BYTES);
    if (!(__atomic_load_n(&desc->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER)) {
        struct pollfd wait = {.fd = in, .events = POLLIN};

        send_delayed();
        link_flush();
        if (delayed_first != delayed_end)
            wait_ms = 1;
        poll(&wait, 1, wait_ms);
        return;
    }
    while (taken++ < N_BLOCKS &&
           __atomic_load_n(&desc->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) {
        take_block(desc, input);
        __atomic_store_n(&desc->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
        block = (block + 1) % N_BLOCKS;
        desc = (struct tpacket_block_desc *)(void *)(ring + (size_t)block * BLOCK_BYTES);
    }
    send_delayed();
    link_flush();
}

void link_close(void)
{
    struct tpacket_stats_v3 stats;
    socklen_t len = sizeof stats;

    link_flush();
    if (getsockopt(in, SOL_PACKET, PACKET_STATISTICS, &stats, &len) == 0)
        counters.kernel_drops = stats.tp_drops;
    if (how.loss_log)
        fclose(how.loss_log);
    munmap(ring, (size_t)BLOCK_BYTES * N_BLOCKS);
    close(in);
    close(out);
    free(delayed);
}
