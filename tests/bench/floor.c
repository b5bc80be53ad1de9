/* SPDX-License-Identifier: GPL-3.0-or-later
 * The floor: a bare send and receive loop that completes HTTP exchanges over IPv4 and keeps no
 * state but a bit (done), draws no verdict and writes no record. What a prober needs more than this
 * is its own work.
 *
 *     floor IFACE DST_MAC SRC_ADDR FIRST_DST N WINDOW
 *
 * N targets, FIRST_DST onwards, one exchange each: SYN; SYN/ACK in: ACK with a GET; data and FIN
 * in: FIN and ACK; its ACK in: done. WINDOW exchanges are under way at once. Frames leave by
 * sendmmsg, 64 a call, and come in through a ring (TPACKET_V3), as with rawspider. What is lost is
 * not sent again: when nothing comes for a second, the rest is counted as lost.
 *
 * What no prober may leave out is here, too: its packets are those of rawspider, byte for byte as
 * long (the options of a common SYN, timestamps that echo), checksums of what comes are verified
 * (RFC 9293 3.1), a segment counts only if it acknowledges what was sent to its address and port,
 * and an answer only if it is a whole one with status 200. It wants answers of one segment that
 * ends in FIN. Prints one JSON line. No line of it is rawspider's. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH       64
#define BLOCK_BYTES (256u * 1024u)
#define BLOCKS      128u
#define PORT_FIRST  61000u
#define PORTS       4096u
#define FIN         0x01
#define SYN         0x02
#define RST         0x04
#define PSH         0x08
#define ACK         0x10

static const char request[] = "GET / HTTP/1.1\r\nHost: n1.test\r\nUser-Agent: floor/1.0000000\r\n"
                              "Accept: */*\r\nConnection: close\r\n\r\n";
#define REQUEST (sizeof request - 1)
static const char success[] = "HTTP/1.1 200 ";

static int out_fd, in_fd;
static uint8_t *ring, *counted; /* a bit for each target */
static uint8_t frame[BATCH][256];
static struct mmsghdr message[BATCH];
static struct iovec vector[BATCH];
static unsigned waiting;
static uint8_t dst_mac[6], src_mac[6];
static uint32_t src_addr, first_dst; /* host order */
static uint64_t sent, received, done, started, refused, strange;
static uint32_t clock_ms; /* of our timestamps; read once a turn */

static void die(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void put16(uint8_t *p, unsigned v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
    put16(p, v >> 16);
    put16(p + 2, v & 0xffff);
}

static unsigned get16(const uint8_t *p)
{
    return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* One's complement sums in the machine's order (RFC 1071 2 B): the two bytes are copied as they
 * are. */
static uint64_t sum(uint64_t s, const uint8_t *p, unsigned n)
{
    uint32_t word;
    for (; n >= 4; p += 4, n -= 4) {
        memcpy(&word, p, 4);
        s += word;
    }
    word = 0;
    memcpy(&word, p, n);
    return s + word;
}

static uint16_t fold(uint64_t s)
{
    s = (s & 0xffffffff) + (s >> 32);
    s = (s & 0xffffffff) + (s >> 32);
    s = (s & 0xffff) + (s >> 16);
    s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

static uint16_t tcp_checksum(const uint8_t *ip, const uint8_t *tcp, unsigned n)
{
    return fold(sum(sum(htons((uint16_t)(IPPROTO_TCP + n)), ip + 12, 8), tcp, n));
}

static void put_sum(uint8_t *p, uint16_t v)
{
    memcpy(p, &v, 2);
}

/* The first sequence number of a connection, known again without a table. */
static uint32_t isn(uint32_t dst, unsigned port)
{
    uint64_t x = ((uint64_t)dst << 16 | port) * 0x9e3779b97f4a7c15u;
    return (uint32_t)(x >> 32 ^ x >> 13);
}

static void flush_out(void)
{
    unsigned at = 0;
    while (at < waiting) {
        int n = sendmmsg(out_fd, message + at, waiting - at, 0);
        if (n < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
            die("sendmmsg");
        if (n < 0) {
            refused++;
            continue;
        }
        at += (unsigned)n;
    }
    sent += waiting;
    waiting = 0;
}

static unsigned put_options(uint8_t *p, unsigned flags, uint32_t echo)
{
    static const uint8_t head[] = {2, 4, 1460 >> 8, 1460 & 255, 4, 2, 8, 10};
    static const uint8_t scale[] = {1, 3, 3, 7};
    if (flags & SYN) {
        memcpy(p, head, 8);
        put32(p + 8, clock_ms);
        put32(p + 12, 0);
        memcpy(p + 16, scale, 4);
        return 20;
    }
    put32(p, 0x0101080a);
    put32(p + 4, clock_ms);
    put32(p + 8, echo);
    return 12;
}

static void segment(uint32_t dst,
                    unsigned port,
                    uint32_t seq,
                    uint32_t ack,
                    uint32_t echo,
                    unsigned flags,
                    unsigned n)
{
    uint8_t *f = frame[waiting], *ip = f + ETH_HLEN, *tcp = ip + 20;
    memcpy(f, dst_mac, 6);
    memcpy(f + 6, src_mac, 6);
    put16(f + 12, ETH_P_IP);
    memset(ip, 0, 40);
    unsigned header = 20 + put_options(tcp + 20, flags, echo);
    ip[0] = 0x45;
    put16(ip + 2, 20 + header + n);
    put16(ip + 4, (unsigned)(sent + waiting) & 0xffff);
    ip[6] = 0x40;
    ip[8] = 64;
    ip[9] = IPPROTO_TCP;
    put32(ip + 12, src_addr);
    put32(ip + 16, dst);
    put_sum(ip + 10, fold(sum(0, ip, 20)));
    put16(tcp, port);
    put16(tcp + 2, 80);
    put32(tcp + 4, seq);
    put32(tcp + 8, ack);
    tcp[12] = (uint8_t)(header / 4 << 4);
    tcp[13] = (uint8_t)flags;
    put16(tcp + 14, flags & SYN ? 64240 : 501);
    memcpy(tcp + header, request, n);
    put_sum(tcp + 16, tcp_checksum(ip, tcp, header + n));
    vector[waiting].iov_len = ETH_HLEN + 20 + header + n;
    if (++waiting == BATCH)
        flush_out();
}

/* TSval of a segment, where the option stands as nearly all stacks put it: first and padded, or
 * behind MSS and SACK permitted. */
static uint32_t timestamp(const uint8_t *tcp, unsigned header)
{
    if (header >= 32 && get32(tcp + 20) == 0x0101080a)
        return get32(tcp + 24);
    if (header >= 36 && get16(tcp + 26) == 0x080a)
        return get32(tcp + 28);
    return 0;
}

/* An exchange is done once: a server that did not wait long enough sends its answer again. */
static void count(uint32_t target)
{
    if (target >= started || counted[target / 8] & 1u << target % 8)
        return;
    counted[target / 8] |= (uint8_t)(1u << target % 8);
    done++;
}

/* What one received segment asks for. */
static void answer(const uint8_t *ip, unsigned n, int is_verified)
{
    if (n < 40 || ip[0] != 0x45 || ip[9] != IPPROTO_TCP)
        return;
    const uint8_t *tcp = ip + 20;
    unsigned total = get16(ip + 2), header = (tcp[12] >> 4) * 4u, flags = tcp[13];
    received++;
    if (total > n || header < 20 || 20 + header > total ||
        (!is_verified && (fold(sum(0, ip, 20)) || tcp_checksum(ip, tcp, total - 20)))) {
        strange++;
        return;
    }
    unsigned data = total - 20 - header, port = get16(tcp + 2);
    uint32_t from = get32(ip + 12), seq = get32(tcp + 4), ack = get32(tcp + 8);
    uint32_t first = isn(from, port), echo = timestamp(tcp, header);
    if ((flags & (SYN | ACK)) == (SYN | ACK) && ack == first + 1)
        segment(from, port, ack, seq + 1, echo, PSH | ACK, REQUEST);
    else if (flags & FIN && ack == first + 1 + REQUEST && data > sizeof success &&
             !memcmp(tcp + header, success, sizeof success - 1))
        segment(from, port, ack, seq + data + 1, echo, FIN | ACK, 0);
    else if ((flags & (SYN | FIN | RST | ACK)) == ACK && ack == first + 2 + REQUEST)
        count(from - first_dst);
    else
        strange++;
}

static void open_sockets(const char *iface)
{
    struct ifreq name = {0};
    int version = TPACKET_V3, on = 1;
    struct tpacket_req3 req = {.tp_block_size = BLOCK_BYTES,
                               .tp_block_nr = BLOCKS,
                               .tp_frame_size = 2048,
                               .tp_frame_nr = BLOCK_BYTES / 2048 * BLOCKS,
                               .tp_retire_blk_tov = 1};
    /* Only TCP to our ports, in; the kernel answers those that no socket has, which is why the
     * address that we send from must not be one of this host. */
    struct sock_filter code[] = {
        {BPF_LD | BPF_B | BPF_ABS, 0, 0, (uint32_t)SKF_AD_OFF + SKF_AD_PKTTYPE},
        {BPF_JMP | BPF_JEQ | BPF_K, 4, 0, PACKET_OUTGOING},
        {BPF_LD | BPF_H | BPF_ABS, 0, 0, 12},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 2, ETH_P_IP},
        {BPF_LD | BPF_H | BPF_ABS, 0, 0, ETH_HLEN + 22},
        {BPF_JMP | BPF_JGE | BPF_K, 1, 0, PORT_FIRST},
        {BPF_RET | BPF_K, 0, 0, 0},
        {BPF_RET | BPF_K, 0, 0, 65535}};
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    out_fd = socket(AF_PACKET, SOCK_RAW, 0);
    in_fd = socket(AF_PACKET, SOCK_RAW, 0);
    if (out_fd < 0 || in_fd < 0)
        die("a packet socket");
    strncpy(name.ifr_name, iface, IFNAMSIZ - 1);
    if (ioctl(out_fd, SIOCGIFHWADDR, &name) < 0)
        die(iface);
    memcpy(src_mac, name.ifr_hwaddr.sa_data, 6);
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(iface)};
    if (bind(out_fd, (void *)&to, sizeof to) < 0 ||
        setsockopt(out_fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof on) < 0)
        die("the sending socket");
    to.sll_protocol = htons(ETH_P_ALL);
    if (setsockopt(in_fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ||
        setsockopt(in_fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) < 0 ||
        setsockopt(in_fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof req) < 0)
        die("the receiving ring");
    ring = mmap(NULL, (size_t)BLOCK_BYTES * BLOCKS, PROT_READ | PROT_WRITE, MAP_SHARED, in_fd, 0);
    if (ring == MAP_FAILED || bind(in_fd, (void *)&to, sizeof to) < 0)
        die("the receiving ring");
    for (unsigned i = 0; i < BATCH; i++) {
        vector[i].iov_base = frame[i];
        message[i].msg_hdr.msg_iov = &vector[i];
        message[i].msg_hdr.msg_iovlen = 1;
    }
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* One block of the ring, if there is one. */
static int read_block(unsigned *at)
{
    struct tpacket_block_desc *b = (void *)(ring + (size_t)*at * BLOCK_BYTES);
    if (!(__atomic_load_n(&b->hdr.bh1.block_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
        return 0;
    uint8_t *p = (uint8_t *)b + b->hdr.bh1.offset_to_first_pkt;
    for (unsigned i = 0; i < b->hdr.bh1.num_pkts; i++) {
        struct tpacket3_hdr *h = (void *)p;
        answer(p + h->tp_net, h->tp_snaplen - (h->tp_net - h->tp_mac),
               (h->tp_status & (TP_STATUS_CSUM_VALID | TP_STATUS_CSUMNOTREADY)) != 0);
        p += h->tp_next_offset;
    }
    __atomic_store_n(&b->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
    *at = (*at + 1) % BLOCKS;
    return 1;
}

int main(int argc, char **argv)
{
    struct in_addr a;
    unsigned block = 0, m[6];
    if (argc != 7 ||
        sscanf(argv[2], "%x:%x:%x:%x:%x:%x", m, m + 1, m + 2, m + 3, m + 4, m + 5) != 6) {
        fprintf(stderr, "usage: floor IFACE DST_MAC SRC_ADDR FIRST_DST N WINDOW\n");
        return 2;
    }
    for (unsigned i = 0; i < 6; i++)
        dst_mac[i] = (uint8_t)m[i];
    src_addr = inet_pton(AF_INET, argv[3], &a) == 1 ? ntohl(a.s_addr) : 0;
    first_dst = inet_pton(AF_INET, argv[4], &a) == 1 ? ntohl(a.s_addr) : 0;
    uint64_t n = strtoull(argv[5], NULL, 10), window = strtoull(argv[6], NULL, 10);
    counted = calloc(1, n / 8 + 1);
    if (counted == NULL)
        die("memory");
    open_sockets(argv[1]);
    double began = seconds(), last = began;
    struct pollfd in = {.fd = in_fd, .events = POLLIN};
    while (done < n && seconds() - last < 1) {
        clock_ms = (uint32_t)(seconds() * 1000);
        while (started < n && started - done < window) {
            uint32_t dst = first_dst + (uint32_t)started;
            unsigned port = PORT_FIRST + (unsigned)(started % PORTS);
            segment(dst, port, isn(dst, port), 0, 0, SYN, 0);
            started++;
        }
        flush_out();
        uint64_t before = received;
        while (read_block(&block))
            flush_out();
        if (received != before)
            last = seconds();
        else
            poll(&in, 1, 100);
    }
    double wall = last - began;
    struct rusage u;
    struct tpacket_stats_v3 stats;
    socklen_t bytes = sizeof stats;
    getrusage(RUSAGE_SELF, &u);
    getsockopt(in_fd, SOL_PACKET, PACKET_STATISTICS, &stats, &bytes);
    double cpu = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
                 (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
    printf("{\"exchanges\":%llu,\"lost\":%llu,\"wall\":%.6f,\"cpu\":%.6f,\"sent\":%llu,"
           "\"received\":%llu,\"strange\":%llu,\"dropped\":%u,\"refused\":%llu}\n",
           (unsigned long long)done, (unsigned long long)(n - done), wall, cpu,
           (unsigned long long)sent, (unsigned long long)received, (unsigned long long)strange,
           stats.tp_drops, (unsigned long long)refused);
    return done == n ? 0 : 1;
}
