/* SPDX-License-Identifier: GPL-3.0-or-later
 * A live interface by libpcap: all that passes, in both directions; never promiscuous. */
#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <string.h>

#include "net/socket_int.h"
#include "net/trace_int.h"
#include "wire/link.h"

#define SNAPLEN       65535 /* offloaded "packets" are as long */
#define BLOCK_WAIT_MS 10    /* a block of the ring is given when full, or after this */
#define RING_BYTES    (64 * 1024 * 1024)

struct live_trace {
    struct trace t;
    pcap_t *pcap;
    int link;
};

static void close_live(struct trace *t)
{
    struct live_trace *l = (struct live_trace *)t;
    if (l->pcap != NULL)
        pcap_close(l->pcap);
    free(l);
}

static void on_frame(u_char *user, const struct pcap_pkthdr *h, const u_char *bytes)
{
    struct live_trace *l = (void *)user;
    trace_frame(&l->t, l->link, bytes, h->caplen, h->len, trace_time(h->ts.tv_sec, h->ts.tv_usec));
}

static int read_live(struct trace *t, int budget, struct rs_err *err)
{
    struct live_trace *l = (struct live_trace *)t;
    int n = pcap_dispatch(l->pcap, budget, on_frame, (u_char *)l);
    if (n < 0)
        return rs_fail(err, RS_ESYS, "capturing on %.64s ended: %.120s", t->name,
                       pcap_geterr(l->pcap));
    return n;
}

/* libpcap adds the kernel's counters up, which start over with each reading. */
static void read_drops(struct trace *t)
{
    struct live_trace *l = (struct live_trace *)t;
    struct pcap_stat s;
    if (pcap_stats(l->pcap, &s) < 0)
        return;
    t->stats.kernel_dropped = s.ps_drop;
    t->stats.iface_dropped = s.ps_ifdrop;
}

static int live_fd(const struct trace *t)
{
    const struct live_trace *l = (const struct live_trace *)t;
    return pcap_get_selectable_fd(l->pcap);
}

static int explain(struct live_trace *l, int result, struct rs_err *err)
{
    const char *name = l->t.name;
    switch (result) {
    case PCAP_ERROR_PERM_DENIED:
        return socket_fail_raw(err, EPERM, "a capture");
    case PCAP_ERROR_NO_SUCH_DEVICE:
        return rs_fail(err, RS_ENOENT, "there is no interface '%.64s'", name);
    case PCAP_ERROR_IFACE_NOT_UP:
        return rs_fail(err, RS_EINVAL, "interface %.64s is down", name);
    default:
        return rs_fail(err, RS_ESYS, "cannot capture on %.64s: %s: %.120s", name,
                       pcap_statustostr(result), pcap_geterr(l->pcap));
    }
}

static int open_pcap(struct live_trace *l, struct rs_err *err)
{
    char text[PCAP_ERRBUF_SIZE] = "";
    l->pcap = pcap_create(l->t.name, text);
    if (l->pcap == NULL)
        return rs_fail(err, RS_ESYS, "cannot capture on %.64s: %.120s", l->t.name, text);
    pcap_set_snaplen(l->pcap, SNAPLEN);
    pcap_set_promisc(l->pcap, 0);
    pcap_set_timeout(l->pcap, BLOCK_WAIT_MS);
    pcap_set_buffer_size(l->pcap, RING_BYTES);
    pcap_set_tstamp_precision(l->pcap, PCAP_TSTAMP_PRECISION_NANO);
    int result = pcap_activate(l->pcap);
    if (result < 0)
        return explain(l, result, err);
    if (pcap_get_tstamp_precision(l->pcap) != PCAP_TSTAMP_PRECISION_NANO)
        return rs_fail(err, RS_ESYS, "no nanosecond stamps on %.64s", l->t.name);
    if (pcap_setnonblock(l->pcap, 1, text) < 0)
        return rs_fail(err, RS_ESYS, "cannot capture on %.64s: %.120s", l->t.name, text);
    l->link = pcap_datalink(l->pcap);
    if (wire_link_known(l->link))
        return 0;
    const char *link = pcap_datalink_val_to_name(l->link);
    trace_fail_link(err, l->t.name, l->link, link != NULL ? link : "unknown");
    return -RS_EINVAL;
}

int trace_open_live(struct trace **out, const char *interface, struct rs_err *err)
{
    struct live_trace *l = calloc(1, sizeof *l);
    *out = NULL;
    if (l == NULL || (l->t.name = strdup(interface)) == NULL) {
        free(l);
        return rs_fail(err, RS_ENOMEM, "no memory for the capture");
    }
    l->t.kind = "live";
    l->t.is_live = true;
    l->t.read = read_live;
    l->t.drops = read_drops;
    l->t.fd = live_fd;
    l->t.close = close_live;
    int rc = open_pcap(l, err);
    if (rc != 0) {
        trace_close(&l->t);
        return rc;
    }
    *out = &l->t;
    return 0;
}
