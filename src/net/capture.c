/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "net/capture.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/clock.h"
#include "net/netlink_int.h"
#include "net/socket_int.h"
#include "wire/link.h"

#define SNAPLEN        65535
#define BLOCK_WAIT_MS  1
#define IN_BYTES       (32u * 1024 * 1024)
#define OUT_BYTES      (1024 * 1024) /* four blocks: next to nothing comes that way */
#define LINK_STATS_GAP RS_SEC
#define SETTLING_MOST  RS_SEC

/* ICMP types 3, 4, 5, 11, 12 quote a packet (RFC 792); ICMPv6 errors are those below 128 (RFC 4443
 * 2.1); 136 is a neighbour advertisement (RFC 4861 4.4); ARP operation 2 is a reply (RFC 826). The
 * IPv6 next headers that something may follow: hop-by-hop 0, routing 43, fragment 44,
 * authentication 51, destination options 60, mobility 135, HIP 139, shim6 140. */
#define ICMP_ERRORS  "(icmp[0]=3 or icmp[0]=4 or icmp[0]=5 or icmp[0]=11 or icmp[0]=12)"
#define ICMP6_ERRORS "(ip6 and ip6[6]=58 and ip6[40]<128)"
/* The port of ours in what an error quotes, behind an IPv4 header of any length or an IPv6 header
 * without extensions: of TCP, UDP and their kin it is the first or the second number. */
#define QUOTE4 "icmp[8+((icmp[8]&0xf)<<2)+%u:2]"
#define QUOTE6 "ip6[%u:2]"
static const char icmp_of_ports[] = "(" ICMP_ERRORS " and " QUOTE4 ">=%u and " QUOTE4 "<=%u)";
static const char icmp6_of_ports[] =
    "(" ICMP6_ERRORS " and ((ip6[54]!=6 and ip6[54]!=17) or (" QUOTE6 ">=%u and " QUOTE6 "<=%u)))";
static const char filter_in[] =
    "inbound and (((tcp or udp) and dst portrange %u-%u) or (ip and ip[6:2]&0x1fff!=0) or "
    "(ip6 and (ip6[6]=0 or ip6[6]=43 or ip6[6]=44 or ip6[6]=51 or ip6[6]=60 or ip6[6]=135 or "
    "ip6[6]=139 or ip6[6]=140)) or %s or %s"
    " or (ip6 and ip6[6]=58 and ip6[40]=136)%s)";
static const char filter_arp[] =
    " or (arp and (arp[6:2]=2 or (arp[6:2]=1 and arp[14:4]=arp[24:4])))"; /* RFC 5227 3 */
static const char filter_out[] =
    "outbound and ((ip and tcp and src portrange %u-%u and tcp[13]&4!=0) or "
    "(ip6 and ip6[6]=6 and src portrange %u-%u and ip6[53]&4!=0) or %s or %s)";

/* ICMP errors for a filter; `offset` of our port behind the quoted network header. */
struct icmp_filter {
    char v4[256], v6[256];
};

static struct icmp_filter icmp_filter(const struct capture_config *c, unsigned offset)
{
    struct icmp_filter f;
    unsigned from = c->port_from, to = c->port_to;
    if (c->quoted_ports) {
        snprintf(f.v4, sizeof f.v4, icmp_of_ports, offset, from, offset, to);
        snprintf(f.v6, sizeof f.v6, icmp6_of_ports, 88 + offset, from, 88 + offset, to);
    } else {
        snprintf(f.v4, sizeof f.v4, "%s", ICMP_ERRORS);
        snprintf(f.v6, sizeof f.v6, "%s", ICMP6_ERRORS);
    }
    return f;
}

struct tap {
    pcap_t *pcap;
    bool outgoing;
    bool settling; /* packets from before the filter was set may still come */
    rs_wall opened_at;
    rs_mono opened;
    uint64_t received, dropped;
};

struct capture {
    struct iface iface;
    struct tap in, out;
    int epoll;
    int link;
    uint64_t link_drops, link_drops_at_open;
    rs_mono link_read_at;
    void (*packet)(void *ctx, const struct capture_packet *p); /* during capture_read only */
    void *ctx;
    struct tap *reading;
};

static int fail_pcap(struct rs_err *err, pcap_t *p, const struct iface *iface, const char *what)
{
    return rs_fail(err, RS_ESYS, "cannot %s on %s: %.120s", what, iface->name, pcap_geterr(p));
}

static int activate(struct tap *t, const struct iface *iface, size_t bytes, struct rs_err *err)
{
    pcap_set_snaplen(t->pcap, SNAPLEN);
    pcap_set_promisc(t->pcap, 0);
    pcap_set_timeout(t->pcap, BLOCK_WAIT_MS);
    pcap_set_buffer_size(t->pcap, (int)bytes);
    pcap_set_tstamp_precision(t->pcap, PCAP_TSTAMP_PRECISION_NANO);
    int result = pcap_activate(t->pcap);
    if (result == PCAP_ERROR_PERM_DENIED)
        return socket_fail_raw(err, EPERM, "a capture");
    if (result < 0)
        return rs_fail(err, RS_ESYS, "cannot capture on %s: %s: %.120s", iface->name,
                       pcap_statustostr(result), pcap_geterr(t->pcap));
    if (pcap_get_tstamp_precision(t->pcap) != PCAP_TSTAMP_PRECISION_NANO)
        return rs_fail(err, RS_ESYS, "no nanosecond stamps on %s", iface->name);
    char text[PCAP_ERRBUF_SIZE];
    if (pcap_setnonblock(t->pcap, 1, text) < 0)
        return rs_fail(err, RS_ESYS, "cannot capture on %s: %.120s", iface->name, text);
    return 0;
}

/* pcap_setfilter would judge the first block of the ring a second time, in user space, where the
 * kernel's packet type is not to be had and every packet fails: our first replies would be lost.
 * So the program goes to the kernel directly, and what came before it is told by its stamp. The
 * cooked link types carry the direction in their header (and need libpcap to shift offsets):
 * there pcap_setfilter does it right. */
static int set_filter(struct tap *t,
                      const struct iface *iface,
                      const char *text,
                      struct rs_err *err)
{
    struct bpf_program program;
    if (pcap_compile(t->pcap, &program, text, 1, PCAP_NETMASK_UNKNOWN) < 0)
        return fail_pcap(err, t->pcap, iface, "make a filter");
    int link = pcap_datalink(t->pcap), result = 0;
    if (link == WIRE_LINK_ETHERNET || link == WIRE_LINK_RAW) {
        struct sock_fprog kernel = {.len = (unsigned short)program.bf_len,
                                    .filter = (void *)program.bf_insns};
        if (setsockopt(pcap_fileno(t->pcap), SOL_SOCKET, SO_ATTACH_FILTER, &kernel, sizeof kernel) <
            0)
            result = rs_fail_errno(err, errno, "cannot set the capture filter on %s", iface->name);
        t->opened_at = clock_wall();
        t->opened = clock_mono();
        t->settling = true;
    } else if (pcap_setfilter(t->pcap, &program) < 0) {
        result = fail_pcap(err, t->pcap, iface, "set the capture filter");
    }
    pcap_freecode(&program);
    return result;
}

static int open_tap(
    struct capture *c, struct tap *t, size_t bytes, const char *filter, struct rs_err *err)
{
    char text[PCAP_ERRBUF_SIZE];
    t->pcap = pcap_create(c->iface.name, text);
    if (t->pcap == NULL)
        return rs_fail(err, RS_ESYS, "cannot capture on %s: %.120s", c->iface.name, text);
    int result = activate(t, &c->iface, bytes, err);
    if (result == 0)
        result = set_filter(t, &c->iface, filter, err);
    if (result < 0)
        return result;
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(c->epoll, EPOLL_CTL_ADD, pcap_get_selectable_fd(t->pcap), &event) < 0)
        return rs_fail_errno(err, errno, "cannot wait for packets");
    return 0;
}

static int on_link_stats(void *ctx, const struct nlmsghdr *h)
{
    const struct nlattr *a[IFLA_STATS64 + 1];
    struct rtnl_link_stats64 stats = {0};
    netlink_attrs(h, sizeof(struct ifinfomsg), a, IFLA_STATS64 + 1);
    if (a[IFLA_STATS64] == NULL)
        return 0;
    size_t n = mnl_attr_get_payload_len(a[IFLA_STATS64]);
    memcpy(&stats, mnl_attr_get_payload(a[IFLA_STATS64]), n < sizeof stats ? n : sizeof stats);
    *(uint64_t *)ctx = stats.rx_missed_errors + stats.rx_fifo_errors;
    return 0;
}

/* What the driver had to drop for want of buffers; rx_dropped would also count packets that nobody
 * wanted. Costs some 50 us, so it is read once a second at most. */
static void read_link_drops(struct capture *c, rs_mono now)
{
    struct netlink_request q;
    struct mnl_socket *s = netlink_open(0, NULL);
    if (s == NULL)
        return;
    netlink_begin(&q, RTM_GETLINK, false, sizeof(struct ifinfomsg));
    ((struct ifinfomsg *)q.body)->ifi_index = c->iface.index;
    netlink_ask(s, &q, on_link_stats, &c->link_drops);
    mnl_socket_close(s);
    c->link_read_at = now;
}

static int open_taps(struct capture *c, const struct capture_config *config, struct rs_err *err)
{
    char text[2048];
    unsigned from = config->port_from, to = config->port_to;
    bool ethernet = c->iface.link == WIRE_LINK_ETHERNET;
    size_t bytes = config->buffer_bytes != 0 ? config->buffer_bytes : IN_BYTES;
    if (bytes > INT32_MAX)
        bytes = INT32_MAX;
    c->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (c->epoll < 0)
        return rs_fail_errno(err, errno, "cannot wait for packets");
    struct icmp_filter icmp = icmp_filter(config, 0); /* they quote what we sent */
    snprintf(text, sizeof text, filter_in, from, to, icmp.v4, icmp.v6, ethernet ? filter_arp : "");
    int result = open_tap(c, &c->in, bytes, text, err);
    if (result < 0)
        return result;
    icmp = icmp_filter(config, 2); /* they quote what came to us */
    snprintf(text, sizeof text, filter_out, from, to, from, to, icmp.v4, icmp.v6);
    result = open_tap(c, &c->out, OUT_BYTES, text, err);
    if (result < 0)
        return result;
    c->link = pcap_datalink(c->in.pcap);
    if (!wire_link_known(c->link))
        return rs_fail(err, RS_ESYS, "interface %s has link type %d, which rawspider cannot read",
                       c->iface.name, c->link);
    read_link_drops(c, clock_mono());
    c->link_drops_at_open = c->link_drops;
    return 0;
}

int capture_open(struct capture **out, const struct capture_config *config, struct rs_err *err)
{
    *out = NULL;
    if (config->port_from == 0 || config->port_to < config->port_from)
        return rs_fail(err, RS_EINVAL, "no port range: %u-%u", config->port_from, config->port_to);
    struct capture *c = calloc(1, sizeof *c);
    if (c == NULL)
        return rs_fail(err, RS_ENOMEM, "no memory for the capture");
    c->iface = *config->iface;
    c->epoll = -1;
    c->out.outgoing = true;
    int result = open_taps(c, config, err);
    if (result < 0) {
        capture_free(c);
        return result;
    }
    *out = c;
    return 0;
}

void capture_free(struct capture *c)
{
    if (c == NULL)
        return;
    if (c->epoll >= 0)
        close(c->epoll);
    if (c->in.pcap != NULL)
        pcap_close(c->in.pcap);
    if (c->out.pcap != NULL)
        pcap_close(c->out.pcap);
    free(c);
}

int capture_fd(const struct capture *c)
{
    return c->epoll;
}

int capture_link(const struct capture *c)
{
    return c->link;
}

/* True for packets from before the filter. A wall clock that is set back just then must not
 * silence the capture: the first good stamp, or a second, ends the doubt. */
static bool is_too_early(struct tap *t, rs_wall at)
{
    if (!t->settling)
        return false;
    bool over = rs_mono_reached(rs_mono_add(t->opened, SETTLING_MOST), clock_mono());
    if (at.ns >= t->opened_at.ns || over)
        t->settling = false;
    return t->settling;
}

static void on_packet(u_char *user, const struct pcap_pkthdr *h, const u_char *bytes)
{
    struct capture *c = (void *)user;
    struct wire_link_view link;
    rs_wall at = {(int64_t)h->ts.tv_sec * (int64_t)RS_SEC + (int64_t)h->ts.tv_usec};
    if (is_too_early(c->reading, at) || wire_link_parse(&link, c->link, bytes, h->caplen) < 0)
        return;
    const struct capture_packet p = {
        .link_bytes = bytes,
        .link_captured = h->caplen,
        .ip = bytes + link.ip_offset,
        .ip_captured = h->caplen - link.ip_offset,
        .ethertype = link.ethertype,
        .at = at,
        .outgoing = c->reading->outgoing,
        .src_mac = link.src_mac,
    };
    c->packet(c->ctx, &p);
}

static int read_tap(struct capture *c, struct tap *t, int budget)
{
    c->reading = t;
    int n = pcap_dispatch(t->pcap, budget, on_packet, (u_char *)c);
    return n < 0 ? -RS_ESYS : n;
}

int capture_read(struct capture *c,
                 void (*packet)(void *ctx, const struct capture_packet *p),
                 void *ctx,
                 int budget)
{
    c->packet = packet;
    c->ctx = ctx;
    int budgeted = budget > 0 ? budget : 1; /* libpcap takes 0 and less for no limit */
    int out = read_tap(c, &c->out, budgeted);
    int in = read_tap(c, &c->in, budgeted);
    return out < 0 ? out : in < 0 ? in : out + in;
}

/* The kernel's counters start over with each reading, so they are added up; asked for directly,
 * since pcap_stats opens two files in /sys each time. */
static int read_counters(struct tap *t)
{
    struct tpacket_stats_v3 stats = {0};
    socklen_t n = sizeof stats;
    if (getsockopt(pcap_fileno(t->pcap), SOL_PACKET, PACKET_STATISTICS, &stats, &n) < 0)
        return -RS_ESYS;
    t->received += stats.tp_packets - stats.tp_drops; /* the kernel counts the lost ones in both */
    t->dropped += stats.tp_drops;
    return 0;
}

int capture_stats(struct capture *c, struct capture_stats *out)
{
    rs_mono now = clock_mono();
    memset(out, 0, sizeof *out);
    if (read_counters(&c->in) < 0 || read_counters(&c->out) < 0)
        return -RS_ESYS;
    if (rs_mono_reached(rs_mono_add(c->link_read_at, LINK_STATS_GAP), now))
        read_link_drops(c, now);
    out->received = c->in.received + c->out.received;
    out->kernel_dropped = c->in.dropped + c->out.dropped;
    out->iface_dropped = c->link_drops - c->link_drops_at_open;
    return 0;
}
