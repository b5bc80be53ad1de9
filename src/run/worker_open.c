/* SPDX-License-Identifier: GPL-3.0-or-later
 * Opening what a worker needs, in the order in which mistakes are cheapest to tell, and closing it.
 * Of N workers each has an Nth of the ports, of the rate and of the targets in flight. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "net/clock.h"
#include "net/selftest.h"
#include "run/worker_int.h"
#include "wire/link.h"

struct share {
    unsigned number, of;
};

static uint64_t part(uint64_t all, const struct share *s)
{
    return all / s->of + (s->number < all % s->of);
}

static void sent(void *ctx, const uint8_t *ip, size_t n, rs_wall at, int error)
{
    struct worker *w = ctx;
    engine_sent(w->engine, ip, n, at, error);
}

static void ask_neighbour(void *ctx,
                          const struct wire_addr *our_addr,
                          const struct wire_addr *next_hop)
{
    struct worker *w = ctx;
    uint8_t frame[128];
    size_t n;
    if (craft_neighbour_request(w->craft, w->iface.mac, our_addr, next_hop, frame, sizeof frame, &n,
                                NULL) == 0) {
        inject_frame(w->inject, frame, n);
        inject_flush(w->inject);
    }
}

struct rs_key worker_secret(void)
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

static int open_router(struct worker *w, struct rs_err *err)
{
    struct iface routed = w->iface;
    if (w->o->ip_layer || w->o->dryrun)
        routed.link =
            WIRE_LINK_RAW; /* the host finds the neighbours itself, or nobody needs them */
    w->router = router_open(&routed, w->o->has_gateway_mac ? w->o->gateway_mac : NULL, err);
    if (w->router == NULL)
        return -RS_ESYS;
    router_on_ask(w->router, ask_neighbour, w);
    struct outage_ops ops = {.ctx = w->ops.ctx, .notice = w->ops.notice, .fail = w->ops.fail};
    outage_init(&w->outage, &w->iface, &w->o->source, &ops);
    return 0;
}

/* What sends and receives: needs CAP_NET_RAW, so a dry run does without. */
static int open_wire(struct worker *w, uint16_t from, uint16_t to, bool alone, struct rs_err *err)
{
    const struct measure_options *o = w->o;
    struct capture_config capture = {
        .iface = &w->iface, .port_from = from, .port_to = to, .quoted_ports = !alone};
    struct inject_config inject = {.iface = &w->iface,
                                   .kind = o->ip_layer ? INJECT_IP : INJECT_PACKET,
                                   .visible = o->visible,
                                   .bind_dev = o->interface != NULL,
                                   .sent = sent,
                                   .ctx = w};
    int rc = capture_open(&w->capture, &capture, err);
    return rc != 0 ? rc : inject_open(&w->inject, &inject, err);
}

static int open_net(struct worker *w, const struct share *s, struct rs_err *err)
{
    const struct measure_options *o = w->o;
    unsigned ports = (unsigned)(o->port_to - o->port_from) + 1, each = ports / s->of;
    unsigned from = o->port_from + s->number * each;
    unsigned to = s->number + 1 == s->of ? o->port_to : from + each - 1;
    struct guard_config guard = {.from = (uint16_t)from,
                                 .to = (uint16_t)to,
                                 .need_least = (unsigned)o->plugin->n_arms,
                                 .tcp = true};
    char addr[WIRE_ADDR_TEXT];
    int rc = iface_open(&w->iface, o->interface, err);
    if (rc == 0 && o->source.family != 0 && !iface_is_own_address(&o->source))
        rc = rs_fail(err, RS_EINVAL,
                     "-S: %s is not an address of this host, so no answer would come here",
                     wire_addr_format(&o->source, addr));
    if (rc == 0 && each < guard.need_least)
        rc = rs_fail(err, RS_EINVAL,
                     "%u source ports are too few for %u threads: plugin %s needs %u for each",
                     ports, s->of, o->plugin->name, guard.need_least);
    if (rc == 0)
        rc = guard_open(&w->guard, &guard, err);
    if (rc == 0 && !o->dryrun)
        rc = open_wire(w, guard.from, guard.to, s->of == 1, err);
    return rc != 0 ? rc : open_router(w, err);
}

static int self_test(struct worker *w, struct rs_err *err)
{
    struct rs_err why;
    unsigned n;
    int rc = selftest_guard(guard_ports(w->guard, &n)[0], &why);
    if (rc == -RS_EPROTO)
        return rs_fail(err, RS_EPROTO,
                       "self-test: the port guard does not keep this kernel's RSTs in (%s); "
                       "nothing was measured",
                       why.text);
    if (rc != 0)
        w->ops.notice(w->ops.ctx, why.text);
    return 0;
}

static void warn(const struct worker *w)
{
    char text[200];
    if (w->iface.gro) {
        snprintf(text, sizeof text,
                 "generic receive offload is on at %s: marks are safe, packet counts in flow "
                 "records are not",
                 w->iface.name);
        w->ops.notice(w->ops.ctx, text);
    }
    if (guard_short_of_descriptors(w->guard)) {
        unsigned n;
        guard_ports(w->guard, &n);
        snprintf(
            text, sizeof text,
            "only %u source ports are used: the limit of open files (ulimit -n) allows no more", n);
        w->ops.notice(w->ops.ctx, text);
    }
}

static int open_engine(struct worker *w, const struct share *s, struct rs_err *err)
{
    const struct measure_options *o = w->o;
    unsigned n_ports;
    snprintf(w->agent, sizeof w->agent, "rawspider/%s%s%s%s", RAWSPIDER_VERSION,
             o->contact != NULL ? " (+" : "", o->contact != NULL ? o->contact : "",
             o->contact != NULL ? ")" : "");
    const uint16_t *ports = guard_ports(w->guard, &n_ports);
    struct engine_config config = {.plugin = o->plugin,
                                   .exchange = o->exchange,
                                   .ports = ports,
                                   .n_ports = n_ports,
                                   .targets_most = (unsigned)part(o->targets_most, s),
                                   .rate = part(o->rate, s),
                                   .prefix_rate = o->prefix_rate,
                                   .timeout_ns = (uint64_t)(o->timeout * 1e9),
                                   .confirm = o->confirm,
                                   .confirm_delay_ns = (uint64_t)(o->confirm_delay * 1e9),
                                   .gap_ns = o->same_flow ? (uint64_t)(o->gap * 1e9) : 0,
                                   .order = o->order,
                                   .same_flow = o->same_flow,
                                   .seed = (o->has_seed ? o->seed : (uint64_t)clock_wall().ns) +
                                           s->number,
                                   .secret = worker_secret(),
                                   .user_agent = w->agent,
                                   .vantage = o->vantage,
                                   .output_flows = o->output_flows,
                                   .trace = o->trace};
    struct engine_ops ops = worker_engine_ops(w);
    return engine_new(&w->engine, &config, &ops, clock_mono(), err);
}

void *worker_open(
    void *options, unsigned number, unsigned of, const struct worker_ops *ops, struct rs_err *err)
{
    struct share share = {number, of};
    struct worker *w = calloc(1, sizeof *w);
    if (w == NULL) {
        rs_fail(err, RS_ENOMEM, "no memory for a worker");
        return NULL;
    }
    w->o = options;
    w->ops = *ops;
    int rc = (w->craft = craft_new(err)) == NULL ? -RS_ESYS : open_net(w, &share, err);
    if (rc == 0 && !w->o->dryrun && number == 0)
        rc = self_test(w, err);
    if (rc == 0)
        rc = open_engine(w, &share, err);
    if (rc != 0) {
        worker_close(w);
        return NULL;
    }
    if (number == 0 && !w->o->dryrun)
        warn(w);
    return w;
}

void worker_close(void *worker)
{
    struct worker *w = worker;
    engine_free(w->engine);
    inject_free(w->inject);
    router_free(w->router);
    guard_free(w->guard);
    capture_free(w->capture);
    craft_free(w->craft);
    free(w);
}
