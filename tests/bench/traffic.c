/* SPDX-License-Identifier: GPL-3.0-or-later
 * Traffic for the benchmark of the observer, as a capture (pcap, Ethernet) on standard output:
 *
 *     traffic PACKETS FLOWS AT_ONCE > capture.pcap
 *
 * Exactly so many packets of so many flows, always the same ones; what they are goes to standard
 * error as JSON. AT_ONCE flows are under way at any time and each packet is of a random one of
 * them, which is harder on caches than real traffic with its trains of packets. All checksums are
 * right. Shares no code with src/. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GAP_US        25 /* between two packets: 40,000 a second */
#define SHORTEST      8  /* packets of a whole TCP connection */
#define PAYLOAD_BYTES 2048

enum { FIN = 0x01, SYN = 0x02, RST = 0x04, PSH = 0x08, ACK = 0x10, ECE = 0x40, CWR = 0x80 };
enum { NOT_ECT, ECT1, ECT0, CE };
enum kind { WEB, SCAN, DNS, QUIC, PING, REFUSED };
enum ending { BY_FIN, BY_RST, SILENT };

struct flow {
    uint32_t id, packets, at; /* at: packets that are out */
    uint32_t seq[2];
    uint32_t before; /* bytes of the last response segment */
    uint16_t port;
    uint8_t kind, ending, is_ip6, has_stamps, ect;
    uint8_t is_ecn, is_ce_seen, is_ece_seen;
};

struct packet { /* what is not the same for every packet of a flow */
    int dir;    /* 0 from the client, 1 from the server */
    uint8_t proto, mark, flags;
    uint32_t payload;
    uint32_t seq, ack;
};

static uint64_t state = 0x9e3779b97f4a7c15u, now_us = 1700000000000000u;
static uint8_t payload[PAYLOAD_BYTES];
static uint32_t payload_sum[PAYLOAD_BYTES + 1]; /* of the first n bytes */
static uint8_t frame[2048];
static struct {
    uint64_t tcp, udp, icmp, ip6, marked;
    uint64_t small, full; /* frames up to 100 bytes, over 1,400 */
} told;

static uint32_t draw(uint32_t below) /* xorshift64* */
{
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (uint32_t)(((state * 0x2545f4914f6cdd1du >> 32) * below) >> 32);
}

static uint8_t *put16(uint8_t *to, uint32_t v)
{
    to[0] = (uint8_t)(v >> 8);
    to[1] = (uint8_t)v;
    return to + 2;
}

static uint8_t *put32(uint8_t *to, uint32_t v)
{
    return put16(put16(to, v >> 16), v);
}

static uint32_t sum(const uint8_t *at, size_t n)
{
    uint32_t s = 0;
    for (size_t i = 0; i < n; i++)
        s += (uint32_t)at[i] << (i % 2 == 0 ? 8 : 0);
    return s;
}

static uint16_t checksum(uint32_t s)
{
    s = (s & 0xffff) + (s >> 16);
    s = (s & 0xffff) + (s >> 16);
    return (uint16_t)~s;
}

static void fill_payload(void)
{
    for (size_t i = 0; i < PAYLOAD_BYTES; i++) {
        payload[i] = (uint8_t)draw(256);
        payload_sum[i + 1] = payload_sum[i] + ((uint32_t)payload[i] << (i % 2 == 0 ? 8 : 0));
    }
}

/* A client has one flow, of a few servers each has many. */
static uint8_t *put_address(uint8_t *to, const struct flow *f, int server)
{
    uint32_t host = server ? 0xc6120000u + f->id * 2654435761u % 5000 : 0x0a000000u + f->id;
    if (!f->is_ip6)
        return put32(to, host);
    to = put32(to, 0x20010db8u);
    to = put32(to, server ? 0x53000000u : 0x43000000u + f->id % 977);
    return put32(put32(to, 0), host);
}

static uint8_t *put_ip(uint8_t *to, const struct flow *f, const struct packet *p, uint32_t l4_bytes)
{
    uint8_t *start = to, hops = p->dir == 0 ? 64 : (uint8_t)(40 + f->id % 20);
    if (f->is_ip6) {
        to = put32(to, 0x60000000u | (uint32_t)p->mark << 20);
        to = put16(to, l4_bytes);
        *to++ = p->proto;
        *to++ = hops;
    } else {
        to = put16(to, 0x4500u | p->mark);
        to = put16(to, 20 + l4_bytes);
        to = put32(to, (uint32_t)draw(65536) << 16 | 0x4000);
        *to++ = hops;
        *to++ = p->proto;
        to = put16(to, 0);
    }
    to = put_address(to, f, p->dir);
    to = put_address(to, f, !p->dir);
    if (!f->is_ip6)
        put16(start + 10, checksum(sum(start, 20)));
    return to;
}

static uint8_t *put_options(uint8_t *to, const struct flow *f, const struct packet *p)
{
    uint32_t value = (uint32_t)(now_us / 1000) + (p->dir ? 7000000u : 0);
    if (p->flags & SYN) {
        to = put32(to, f->is_ip6 ? 0x020405a0u - 20 : 0x020405b4u);
        to = f->has_stamps ? put32(to, 0x0402080au) : put32(to, 0x01010402u);
    } else if (f->has_stamps) {
        to = put32(to, 0x0101080au);
    }
    if (f->has_stamps) {
        to = put32(to, value);
        to = put32(to, p->flags & ACK ? value - 7000000u : 0);
    }
    return p->flags & SYN ? put32(to, 0x01030307u) : to;
}

static uint8_t *put_ports(uint8_t *to, const struct flow *f, int dir)
{
    uint16_t server = f->kind == WEB || f->kind == SCAN || f->kind == QUIC ? 443 : 53;
    to = put16(to, dir == 0 ? f->port : server);
    return put16(to, dir == 0 ? server : f->port);
}

/* The transport header; its checksum goes to *where. */
static uint8_t *put_l4(uint8_t *to, const struct flow *f, const struct packet *p, uint8_t **where)
{
    uint8_t *start = to;
    if (p->proto == 6) {
        to = put_ports(to, f, p->dir);
        to = put32(put32(to, p->seq), p->ack);
        to = put32(to, (uint32_t)p->flags << 16 | 502);
        to = put32(*where = to, 0);
        to = put_options(to, f, p);
        start[12] = (uint8_t)((to - start) / 4 << 4);
    } else if (p->proto == 17) {
        to = put_ports(to, f, p->dir);
        to = put16(to, 8 + p->payload);
        to = put16(*where = to, 0);
    } else { /* echo, reply */
        *to++ = (uint8_t)(f->is_ip6 ? 128 + p->dir : p->dir == 0 ? 8 : 0);
        *to++ = 0;
        to = put16(*where = to, 0);
        to = put32(to, f->id << 16 | f->at / 2);
    }
    return to;
}

static void put_checksum(const uint8_t *ip,
                         const struct flow *f,
                         const struct packet *p,
                         const uint8_t *l4,
                         uint32_t n,
                         uint8_t *where)
{
    uint32_t s = sum(l4, n) + payload_sum[p->payload];
    if (f->is_ip6)
        s += sum(ip + 8, 32) + p->proto + n + p->payload;
    else if (p->proto != 1)
        s += sum(ip + 12, 8) + p->proto + n + p->payload;
    uint16_t c = checksum(s);
    put16(where, p->proto == 17 && c == 0 ? 0xffff : c); /* RFC 768: 0 says that there is none */
}

/* The IP packet at `to`; its end. */
static uint8_t *build(uint8_t *to, const struct flow *f, const struct packet *p)
{
    uint8_t head[64], *where = NULL;
    uint32_t n = (uint32_t)(put_l4(head, f, p, &where) - head);
    uint8_t *l4 = put_ip(to, f, p, n + p->payload);
    memcpy(l4, head, n);
    put_checksum(to, f, p, l4, n, l4 + (where - head));
    memcpy(l4 + n, payload, p->payload);
    return l4 + n + p->payload;
}

/* The server's ICMP error about the client's packet that was just built at `quoted`. */
static uint8_t *build_refusal(uint8_t *to, const struct flow *f, const struct packet *quoted)
{
    struct packet p = {.dir = 1, .proto = f->is_ip6 ? 58 : 1};
    uint8_t quote[128], *l4;
    uint32_t n = (uint32_t)(build(quote, f, quoted) - quote);
    l4 = put_ip(to, f, &p, 8 + n);
    put32(l4, f->is_ip6 ? 0x01040000u : 0x03030000u);
    put32(l4 + 4, 0);
    memcpy(l4 + 8, quote, n);
    put_checksum(to, f, &p, l4, 8 + n, l4 + 2);
    return l4 + 8 + n;
}

static void count(const struct flow *f, uint32_t n)
{
    uint8_t proto = frame[f->is_ip6 ? 20 : 23];
    uint32_t mark = f->is_ip6 ? (uint32_t)frame[15] >> 4 : frame[15];
    ++*(proto == 6 ? &told.tcp : proto == 17 ? &told.udp : &told.icmp);
    told.ip6 += f->is_ip6;
    told.marked += (mark & 3) != NOT_ECT;
    told.small += n <= 100;
    told.full += n > 1400;
}

static void write_frame(const struct flow *f, const uint8_t *end)
{
    uint32_t n = (uint32_t)(end - frame);
    count(f, n);
    uint32_t header[4] = {(uint32_t)(now_us / 1000000), (uint32_t)(now_us % 1000000), n, n};
    put16(frame + 12, f->is_ip6 ? 0x86dd : 0x0800);
    fwrite(header, sizeof header, 1, stdout);
    fwrite(frame, n, 1, stdout);
    now_us += GAP_US - 10 + draw(21);
}

/* The middle and the end of a web connection: two full segments and an ACK in turns. */
static void web_packet(struct flow *f, struct packet *p)
{
    uint32_t left = f->packets - f->at, step = (f->at - 4) % 3;
    p->flags = ACK;
    if (f->ending == BY_FIN && left <= 3) {
        p->dir = left != 2;
        p->flags |= left > 1 ? FIN : 0;
    } else if (f->ending == BY_RST && left == 1) {
        p->flags |= RST;
    } else if (step < 2) {
        p->dir = 1;
        p->payload = (f->is_ip6 ? 1440u : 1460u) - (f->has_stamps ? 12 : 0);
        if (f->before != 0 && draw(100) == 0) { /* once more */
            f->seq[1] -= f->before;
            p->payload = f->before;
        } else if (f->is_ecn) {
            p->mark = draw(50) == 0 ? CE : f->ect;
            f->is_ce_seen |= p->mark == CE;
        }
        p->flags |= f->is_ece_seen ? CWR : 0;
        f->is_ece_seen = 0;
        f->before = p->payload;
    } else if (f->is_ce_seen) {
        p->flags |= ECE;
        f->is_ce_seen = 0;
        f->is_ece_seen = 1;
    }
}

static void tcp_packet(struct flow *f, struct packet *p)
{
    static const uint8_t handshake[] = {SYN, SYN | ACK, ACK, PSH | ACK};
    p->proto = 6;
    if (f->kind == SCAN) {
        p->flags = SYN;
    } else if (f->at < 4) {
        p->dir = f->at == 1;
        p->flags = handshake[f->at];
        p->payload = f->at == 3 ? 200 + f->id % 400 : 0;
        p->mark = f->at == 3 && f->is_ecn ? f->ect : NOT_ECT;
    } else {
        web_packet(f, p);
    }
    if (f->is_ecn && (p->flags & SYN))
        p->flags |= p->dir == 0 ? ECE | CWR : ECE;
    p->seq = f->seq[p->dir];
    p->ack = p->flags & ACK ? f->seq[!p->dir] : 0;
    if (f->kind != SCAN) /* whose SYN is the same again */
        f->seq[p->dir] += p->payload + ((p->flags & (SYN | FIN)) != 0);
}

static void send_packet(struct flow *f)
{
    struct packet p = {.dir = (int)f->at % 2};
    uint8_t *end;
    switch (f->kind) {
    case WEB:
    case SCAN:
        p.dir = 0;
        tcp_packet(f, &p);
        break;
    case PING:
        p.proto = f->is_ip6 ? 58 : 1;
        p.payload = 56;
        break;
    case QUIC:
        p.proto = 17;
        p.payload = f->at < 2 || (p.dir == 1 && f->at % 4 == 1) ? 1232 : 40 + f->at % 100;
        p.mark = f->is_ecn ? f->ect : NOT_ECT;
        break;
    default:
        p.proto = 17;
        p.payload = 40;
    }
    if (f->kind == REFUSED && f->at % 2 == 1) {
        p.dir = 0;
        end = build_refusal(frame + 14, f, &p);
    } else {
        end = build(frame + 14, f, &p);
    }
    write_frame(f, end);
    f->at++;
}

/* How many packets a connection has, so that the mean comes out: most are short, some are long. */
static uint32_t length(double mean)
{
    uint32_t r = draw(1000);
    double n = mean * (r < 550 ? 0.5 : r < 900 ? 0.9 : r < 995 ? 3.1 : 20);
    return n < SHORTEST ? SHORTEST : (uint32_t)n;
}

/* `packets` and `flows` are what is left of them, this flow included. */
static void begin(struct flow *f, uint32_t id, uint64_t packets, uint64_t flows)
{
    static const struct {
        enum kind kind;
        uint32_t share, packets; /* of 100; 0: any number */
    } kinds[] = {{WEB, 85, 0}, {QUIC, 4, 0}, {DNS, 4, 2},
                 {PING, 2, 8}, {SCAN, 3, 3}, {REFUSED, 2, 2}};
    uint64_t most = packets - SHORTEST * (flows - 1);
    uint32_t r = flows > 1 ? draw(100) : 0, i = 0;
    for (; r >= kinds[i].share; i++)
        r -= kinds[i].share;
    /* 11 flows of 100 have 37 packets together. */
    uint32_t n = kinds[i].packets;
    if (n == 0)
        n = length(((double)packets / (double)flows - 0.37) / 0.89);
    if (n > most || flows == 1)
        n = (uint32_t)most;
    uint32_t ending = draw(100);
    *f = (struct flow){.id = id,
                       .packets = n,
                       .seq = {draw(UINT32_MAX), draw(UINT32_MAX)},
                       .port = (uint16_t)(1024 + draw(60000)),
                       .kind = (uint8_t)kinds[i].kind,
                       .ending = ending < 90   ? BY_FIN
                                 : ending < 95 ? BY_RST
                                               : SILENT,
                       .is_ip6 = draw(100) < 40,
                       .has_stamps = draw(100) < 90,
                       .is_ecn = draw(100) < 50,
                       .ect = draw(100) < 90 ? ECT0 : ECT1};
}

static void make(uint64_t packets, uint64_t flows, uint64_t at_once)
{
    struct flow *open = calloc(at_once, sizeof *open);
    uint64_t unplanned = packets, begun = 0, n = 0;
    if (open == NULL)
        exit(1);
    for (uint64_t sent = 0; sent < packets; sent++) {
        while (n < at_once && begun < flows) {
            begin(&open[n], (uint32_t)begun, unplanned, flows - begun);
            unplanned -= open[n++].packets;
            begun++;
        }
        struct flow *f = &open[draw((uint32_t)n)];
        send_packet(f);
        if (f->at == f->packets)
            *f = open[--n];
    }
    free(open);
}

int main(int argc, char **argv)
{
    uint64_t number[3] = {0};
    for (int i = 1; i < argc && i <= 3; i++)
        number[i - 1] = strtoull(argv[i], NULL, 10);
    if (argc != 4 || number[1] == 0 || number[1] >= 1 << 24 || number[2] == 0 ||
        number[0] < SHORTEST * number[1]) {
        fprintf(stderr, "usage: traffic PACKETS FLOWS AT_ONCE; at least %d packets a flow\n",
                SHORTEST);
        return 2;
    }
    /* Version 2.4, microseconds, snap length, Ethernet; in this machine's byte order. */
    static const uint32_t header[] = {0xa1b2c3d4u, 4u << 16 | 2, 0, 0, 65535, 1};
    static char buffer[1 << 20];
    setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
    memcpy(frame, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02", 12);
    fwrite(header, sizeof header, 1, stdout);
    fill_payload();
    make(number[0], number[1], number[2]);
    fprintf(stderr,
            "{\"tcp\": %ju, \"udp\": %ju, \"icmp\": %ju, \"ip6\": %ju, \"marked\": %ju, "
            "\"small\": %ju, \"full\": %ju}\n",
            (uintmax_t)told.tcp, (uintmax_t)told.udp, (uintmax_t)told.icmp, (uintmax_t)told.ip6,
            (uintmax_t)told.marked, (uintmax_t)told.small, (uintmax_t)told.full);
    return fflush(stdout) != 0 || ferror(stdout) ? 1 : 0;
}
