/* SPDX-License-Identifier: GPL-3.0-or-later
 * Opening everything a measurement needs, in the order in which mistakes are cheapest to tell, and
 * closing it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "net/clock.h"
#include "net/selftest.h"
#include "run/measure_int.h"
#include "wire/link.h"
#include "wire/print.h"
#include "wire/view.h"

void measure_defaults(struct measure_options *o)
{
    memset(o, 0, sizeof *o);
    o->targets_most = 10000;
    o->rate = 1000;
    o->port_from = 61000; /* above Linux's ephemeral ports (60999) */
    o->port_to = 65535;
    o->confirm = 2;
    o->confirm_delay = 3;
    o->timeout = 10;
    o->gap = 1;
    o->order = ORDER_RANDOM;
}

static int route(
    void *ctx, const struct wire_addr *dst, rs_mono now, struct hop *out, struct rs_err *err)
{
    struct measure *m = ctx;
    int rc = router_lookup(m->router, dst, now, out, err);
    outage_news(&m->outage, router_changes(m->router), now);
    bool waits = outage_holds(&m->outage, dst->family) || rc == -RS_ENOENT;
    if (waits && outage_may_pass(&m->outage, dst->family, now))
        return -RS_EAGAIN; /* its path was not at fault */
    if (rc == 0 && m->o->source.family == dst->family)
        out->src = m->o->source;
    return rc;
}

static int send_packet(void *ctx, const uint8_t *ip, size_t n, const struct hop *hop)
{
    struct measure *m = ctx;
    return inject_queue(m->inject, ip, n, hop->mac);
}

/* In place of send_packet in a dry run. */
static int print_packet(void *ctx, const uint8_t *ip, size_t n, const struct hop *hop)
{
    struct measure *m = ctx;
    struct wire_view v;
    char line[512];
    (void)hop;
    if (wire_parse(&v, ip, n, WIRE_PARSE_PACKET) != 0)
        return -RS_EPROTO;
    wire_print(line, sizeof line, &v, WIRE_PRINT_ADDRESSES, 0, 0);
    m->ui->packet(m->ui->ctx, line);
    return 0;
}

static int flush(void *ctx)
{
    struct measure *m = ctx;
    return inject_flush(m->inject);
}

static void sent(void *ctx, const uint8_t *ip, size_t n, rs_wall at, int error)
{
    struct measure *m = ctx;
    engine_sent(m->engine, ip, n, at, error);
}

static void tap(void *ctx, const uint8_t *ip, size_t n, rs_wall at, enum engine_way way)
{
    static const enum trace_way as[] = {
        [WAY_RECEIVED] = TRACE_IN, [WAY_SENT] = TRACE_SENT, [WAY_HOST] = TRACE_HOST};
    struct measure *m = ctx;
    pcapout_write(m->pcap, ip, n, at, as[way]); /* a failure is told when it is closed */
}

static uint64_t drops(void *ctx, bool exact)
{
    struct measure *m = ctx;
    rs_mono now = clock_mono();
    if (exact || rs_mono_diff(now, m->drops_at) > 100 * RS_MS) {
        capture_stats(m->capture, &m->drops);
        m->drops_at = now;
    }
    if (exact)
        measure_news(m); /* is the interface still there? */
    /* Not what the interface drops: Linux counts there every frame of a protocol that nobody wants.
     */
    return m->drops.kernel_dropped;
}

static rs_wall wall(void *ctx)
{
    (void)ctx;
    return clock_wall();
}

static void write_arm_log(void *ctx, const char *text, size_t n)
{
    struct measure *m = ctx;
    if (output_write(m->arm_log, text, n, m->err) != 0)
        measure_fail(m, m->err->text);
}

static void trace(void *ctx, const char *line)
{
    struct measure *m = ctx;
    m->ui->trace(m->ui->ctx, line);
}

static void notice(void *ctx, const char *text)
{
    struct measure *m = ctx;
    m->ui->notice(m->ui->ctx, text);
}

static void fail(void *ctx, const char *text)
{
    measure_fail(ctx, text);
}

static void ask_neighbour(void *ctx,
                          const struct wire_addr *our_addr,
                          const struct wire_addr *next_hop)
{
    struct measure *m = ctx;
    uint8_t frame[128];
    size_t n;
    if (craft_neighbour_request(m->craft, m->iface.mac, our_addr, next_hop, frame, sizeof frame, &n,
                                NULL) == 0) {
        inject_frame(m->inject, frame, n);
        inject_flush(m->inject);
    }
}

/* The same for every run on this host until it boots again, so that a server in TIME-WAIT from the
 * run before accepts our sequence numbers (RFC 6528); unknown outside it. */
static struct rs_key host_secret(void)
{
    char id[64] = "rawspider";
    FILE *f = fopen("/proc/sys/kernel/random/boot_id", "r");
    if (f != NULL) {
        if (fgets(id, sizeof id, f) == NULL)
            id[0] = '\0';
        fclose(f);
    } else if (getrandom(id, sizeof id - 1, 0) != (ssize_t)sizeof id - 1) {
        id[0] = '\0';
    }
    struct rs_key key = {UINT64_C(0x7261777370696465), UINT64_C(0x722d736563726574)};
    uint64_t a = rs_siphash(&key, id, sizeof id);
    key.k0 ^= a;
    return (struct rs_key){a, rs_siphash(&key, id, sizeof id)};
}

static int open_router(struct measure *m)
{
    struct iface routed = m->iface;
    if (m->o->ip_layer || m->o->dryrun)
        routed.link =
            WIRE_LINK_RAW; /* the host finds the neighbours itself, or nobody needs them */
    m->router = router_open(&routed, m->o->has_gateway_mac ? m->o->gateway_mac : NULL, m->err);
    if (m->router == NULL)
        return -RS_ESYS;
    router_on_ask(m->router, ask_neighbour, m);
    struct outage_ops ops = {.ctx = m, .notice = notice, .fail = fail};
    outage_init(&m->outage, &m->iface, &m->o->source, &ops);
    return 0;
}

/* What sends and receives: needs CAP_NET_RAW, so a dry run does without. */
static int open_wire(struct measure *m)
{
    const struct measure_options *o = m->o;
    struct capture_config capture = {
        .iface = &m->iface, .port_from = o->port_from, .port_to = o->port_to};
    struct inject_config inject = {.iface = &m->iface,
                                   .kind = o->ip_layer ? INJECT_IP : INJECT_PACKET,
                                   .visible = o->visible,
                                   .bind_dev = o->interface != NULL,
                                   .sent = sent,
                                   .ctx = m};
    int rc = capture_open(&m->capture, &capture, m->err);
    return rc != 0 ? rc : inject_open(&m->inject, &inject, m->err);
}

static int open_net(struct measure *m)
{
    const struct measure_options *o = m->o;
    struct guard_config guard = {.from = o->port_from,
                                 .to = o->port_to,
                                 .need_least = (unsigned)o->plugin->n_arms,
                                 .tcp = true};
    char addr[WIRE_ADDR_TEXT];
    int rc = iface_open(&m->iface, o->interface, m->err);
    if (rc == 0 && o->source.family != 0 && !iface_is_own_address(&o->source))
        rc = rs_fail(m->err, RS_EINVAL,
                     "-S: %s is not an address of this host, so no answer would come here",
                     wire_addr_format(&o->source, addr));
    if (rc == 0)
        rc = guard_open(&m->guard, &guard, m->err);
    if (rc == 0 && !o->dryrun)
        rc = open_wire(m);
    return rc != 0 ? rc : open_router(m);
}

static int self_test(struct measure *m)
{
    struct rs_err why;
    unsigned n;
    int rc = selftest_guard(guard_ports(m->guard, &n)[0], &why);
    if (rc == -RS_EPROTO)
        return rs_fail(m->err, RS_EPROTO,
                       "self-test: the port guard does not keep this kernel's RSTs in (%s); "
                       "nothing was measured",
                       why.text);
    if (rc != 0)
        m->ui->notice(m->ui->ctx, why.text);
    return 0;
}

static int open_engine(struct measure *m)
{
    const struct measure_options *o = m->o;
    static char agent[256];
    snprintf(agent, sizeof agent, "rawspider/%s%s%s%s", RAWSPIDER_VERSION,
             o->contact != NULL ? " (+" : "", o->contact != NULL ? o->contact : "",
             o->contact != NULL ? ")" : "");
    unsigned n_ports;
    const uint16_t *ports = guard_ports(m->guard, &n_ports);
    struct engine_config config = {.plugin = o->plugin,
                                   .exchange = o->exchange,
                                   .ports = ports,
                                   .n_ports = n_ports,
                                   .targets_most = o->targets_most,
                                   .rate = o->rate,
                                   .timeout_ns = (uint64_t)(o->timeout * 1e9),
                                   .confirm = o->confirm,
                                   .confirm_delay_ns = (uint64_t)(o->confirm_delay * 1e9),
                                   .gap_ns = o->same_flow ? (uint64_t)(o->gap * 1e9) : 0,
                                   .order = o->order,
                                   .same_flow = o->same_flow,
                                   .seed = o->has_seed ? o->seed : (uint64_t)clock_wall().ns,
                                   .secret = host_secret(),
                                   .user_agent = agent,
                                   .vantage = o->vantage,
                                   .output_flows = o->output_flows,
                                   .trace = o->trace};
    struct engine_ops ops = {.ctx = m,
                             .route = route,
                             .send = o->dryrun ? print_packet : send_packet,
                             .flush = flush,
                             .record = measure_record,
                             .arm_log = m->arm_log != NULL ? write_arm_log : NULL,
                             .tap = m->pcap != NULL ? tap : NULL,
                             .drops = drops,
                             .wall = wall,
                             .trace = trace,
                             .notice = notice};
    return engine_new(&m->engine, &config, &ops, clock_mono(), m->err);
}

static int open_capture_file(struct measure *m)
{
    char *name;
    if (m->o->pcap_out == NULL)
        return 0;
    if (asprintf(&name, "%s.arms.ndjson", m->o->pcap_out) < 0)
        return rs_fail(m->err, RS_ENOMEM, "no memory for the name of the arm log");
    int rc = pcapout_open(&m->pcap, m->o->pcap_out, m->err);
    if (rc == 0)
        rc = output_open(&m->arm_log, name, false, m->err);
    free(name);
    return rc;
}

/* Opening them empties them: they must not be what is to be read, nor one another. */
static int spare_the_input(const struct measure *m)
{
    const struct measure_options *o = m->o;
    const char *outputs[] = {o->output, o->pcap_out, o->updates, o->metadata};
    for (unsigned i = 0; i < 4; i++) {
        if (output_would_empty(outputs[i], o->input))
            return rs_fail(m->err, RS_EINVAL, "writing to '%.120s' would empty the target list",
                           outputs[i]);
        for (unsigned j = 0; j < i; j++)
            if (output_is_same(outputs[i], outputs[j]))
                return rs_fail(m->err, RS_EINVAL, "'%.120s' is named for two outputs", outputs[i]);
    }
    return 0;
}

int measure_open(struct measure *m)
{
    m->input_watch = -1;
    if (spare_the_input(m) != 0 || writer_check(m->o, m->err) != 0)
        return -RS_EINVAL;
    int rc = m->o->dryrun ? 0 : writer_open(m);
    if (rc == 0)
        rc = input_open(&m->input, m->o->input, m->o->csv_input ? INPUT_CSV : INPUT_NDJSON, m->err);
    if (rc == 0)
        rc = blocklist_open(&m->blocklist, m->o->blocklist, m->err);
    if (rc == 0)
        rc = open_capture_file(m);
    if (rc == 0 && (m->craft = craft_new(m->err)) == NULL)
        rc = -RS_ESYS;
    if (rc == 0)
        rc = open_net(m);
    if (rc == 0 && !m->o->dryrun)
        rc = self_test(m);
    if (rc == 0)
        rc = open_engine(m);
    return rc;
}

void measure_close(struct measure *m)
{
    engine_free(m->engine);
    inject_free(m->inject);
    router_free(m->router);
    guard_free(m->guard);
    capture_free(m->capture);
    craft_free(m->craft);
    blocklist_free(m->blocklist);
    input_free(m->input);
    resume_close(&m->resume);
    loop_free(m->loop);
}
