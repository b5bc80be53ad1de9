/* SPDX-License-Identifier: GPL-3.0-or-later
 * What a run was and what it counted, as one JSON object: names are ZMap's where it has them. */
#include <string.h>
#include <unistd.h>

#include "io/metadata.h"
#include "net/clock.h"
#include "run/measure_int.h"

static void settings(const struct measure *m, struct record *r)
{
    const struct measure_options *o = m->o;
    char host[256] = "", addr[WIRE_ADDR_TEXT];
    gethostname(host, sizeof host - 1);
    record_str(r, "tool", "rawspider");
    record_str(r, "version", RAWSPIDER_VERSION);
    record_str(r, "plugin", o->plugin->name);
    record_str(r, "mode", o->exchange->name);
    record_str(r, "local_hostname", host);
    record_str(r, "vantage", o->vantage);
    record_str(r, "contact", o->contact);
    record_str(r, "iface", m->iface.name);
    record_open_array(r, "source_ips");
    if (m->iface.addr4.family != 0)
        record_str(r, NULL, wire_addr_format(&m->iface.addr4, addr));
    if (m->iface.addr6.family != 0)
        record_str(r, NULL, wire_addr_format(&m->iface.addr6, addr));
    record_close(r);
    record_str(r, "guard", guard_method_name(guard_method(m->guard)));
    record_str(r, "injector", o->ip_layer ? "ip" : "packet");
    record_uint(r, "rate", o->rate);
    record_uint(r, "targets_in_flight_most", o->targets_most);
    record_real(r, "timeout", o->timeout);
    record_uint(r, "confirm", o->confirm);
    record_real(r, "confirm_delay", o->confirm_delay);
    record_bool(r, "resume", o->resume);
    if (o->has_seed)
        record_uint(r, "seed", o->seed);
    record_bool(r, "gro", m->iface.gro);
    record_uint(r, "blocklist_entries", m->blocklist == NULL ? 0 : blocklist_entries(m->blocklist));
}

static void counts(struct record *r, const struct measure_progress *p)
{
    const struct engine_counters *c = p->counters;
    const struct {
        const char *key;
        uint64_t value;
    } rows[] = {
        {"lines", p->lines},
        {"records", p->records},
        {"lines_resumed", p->resumed},
        {"blocked", p->blocked},
        {"invalid", p->invalid},
        {"targets_scanned", c->targets_done},
        {"incomplete", c->incomplete},
        {"connections", c->connections},
        {"established", c->established},
        {"exchanges", c->exchanges},
        {"confirmations", c->confirmations},
        {"packets_sent", c->packets_sent},
        {"bytes_sent", c->bytes_sent},
        {"pcap_recv", c->packets_received},
        {"bytes_received", c->bytes_received},
        {"pcap_drop", p->kernel_dropped},
        {"pcap_ifdrop", p->iface_dropped},
        {"sendto_failures", c->send_errors},
        {"sendto_retries", p->sendto_retries},
        {"retransmissions", updates_retransmitted(c)},
        {"syn_retransmissions", c->syn_retransmissions},
        {"data_retransmissions", c->data_retransmissions},
        {"fin_retransmissions", c->fin_retransmissions},
        {"answered_late", c->answered_late},
        {"strays_answered", c->strays_answered},
        {"unmatched", c->unmatched},
        {"unbelievable", c->unbelievable},
        {"bad_checksum", c->bad_checksum},
        {"malformed", c->malformed},
        {"ip_fragments", c->fragments},
        {"host_rejects", c->host_rejects},
        {"not_captured", c->not_captured},
        {"source_ports", p->ports},
        {"source_ports_taken", p->ports_taken},
        {"table_bytes", p->table_bytes},
        {"output_bytes", p->output_bytes},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        record_uint(r, rows[i].key, rows[i].value);
}

/* By second, on average over the run; second by second they are in the status CSV. */
static void rates(struct record *r, const struct measure_progress *p)
{
    const struct engine_counters *c = p->counters;
    const struct {
        const char *key;
        uint64_t value;
    } rows[] = {
        {"records_per_sec", p->records},
        {"packets_sent_per_sec", c->packets_sent},
        {"bytes_sent_per_sec", c->bytes_sent},
        {"pcap_recv_per_sec", c->packets_received},
        {"bytes_received_per_sec", c->bytes_received},
        {"pcap_drop_per_sec", p->kernel_dropped},
        {"pcap_ifdrop_per_sec", p->iface_dropped},
        {"sendto_failures_per_sec", c->send_errors},
        {"retransmissions_per_sec", updates_retransmitted(c)},
        {"unmatched_per_sec", c->unmatched},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        record_real(r, rows[i].key, p->elapsed > 0 ? (double)rows[i].value / p->elapsed : 0);
}

int measure_metadata(struct measure *m, struct rs_err *err)
{
    struct measure_progress p;
    struct record r;
    rs_wall now = clock_wall();
    measure_fill_progress(m, &p);
    record_init(&r);
    record_begin(&r, NULL, NULL);
    settings(m, &r);
    record_time(&r, "start_time", (rs_wall){now.ns - (int64_t)(p.elapsed * 1e9)});
    record_time(&r, "end_time", now);
    record_real(&r, "elapsed", p.elapsed);
    counts(&r, &p);
    rates(&r, &p);
    int rc = metadata_write(m->o->metadata, &r, err);
    record_free(&r);
    return rc;
}
