/* SPDX-License-Identifier: GPL-3.0-or-later
 * Flows as IPFIX, and back by a reader that shares nothing with the writer but the list of
 * elements: every flow, with the values that it had. The first byte: 1 records of any bytes instead
 * of flows of packets, 2 a flush behind each; the second: after how many messages the sink breaks,
 * 0 never. */
#include <string.h>

#include "base/cursor.h"
#include "fuzz/packets.h"
#include "io/ipfix_int.h"
#include "run/flow_ipfix.h"

enum { MODE_ANY = 1, MODE_FLUSH = 2 };
enum { FLOWS_MOST = 4096, FIELDS_MOST = 128, TEMPLATES_MOST = 64 };
enum { SET_TEMPLATES = 2, SET_OPTIONS = 3, ENTERPRISE = 0x8000, REVERSE = 29305, VARIABLE = 65535 };

static const struct member {
    const char *element;
    size_t offset, bytes;
    uint32_t where;
} members[] = {
#define IPFIX_ELEMENT(member, type, element, where)                                                \
    {element, offsetof(struct ipfix_flow, member), sizeof(type), where},
#include "io/ipfix.def"
};
#define N_MEMBERS (sizeof members / sizeof members[0])

static const struct {
    const char *element;
    uint32_t enterprise;
    uint16_t number;
} numbers[] = {
#define IPFIX_OWN(name, enterprise, number, ...) {name, enterprise, number},
#include "io/ipfix.def"
    /* https://www.iana.org/assignments/ipfix */
    {"octetDeltaCount", 0, 1},
    {"packetDeltaCount", 0, 2},
    {"protocolIdentifier", 0, 4},
    {"tcpControlBits", 0, 6},
    {"sourceTransportPort", 0, 7},
    {"sourceIPv4Address", 0, 8},
    {"destinationTransportPort", 0, 11},
    {"destinationIPv4Address", 0, 12},
    {"sourceIPv6Address", 0, 27},
    {"destinationIPv6Address", 0, 28},
    {"minimumTTL", 0, 52},
    {"maximumTTL", 0, 53},
    {"flowEndReason", 0, 136},
    {"flowStartMilliseconds", 0, 152},
    {"flowEndMilliseconds", 0, 153},
    {"transportOctetDeltaCount", 0, 401},
    {"transportPacketDeltaCount", 0, 402}};

static struct world { /* what was written, and what came of it */
    struct ipfix *x;
    struct aging aging;
    struct {
        struct ipfix_flow flow;
        unsigned kind;
    } * flows;
    size_t n_flows, n_read;
    uint8_t *bytes;
    size_t n_bytes;
    unsigned messages, breaks_at;
    bool flush, broken;
} w;

int ipfix_sink_open(struct ipfix_sink *s, const char *destination, struct rs_err *err)
{
    CHECK(strcmp(destination, "sink") == 0 && err != NULL);
    *s = (struct ipfix_sink){.fd = -1};
    return 0;
}

int ipfix_sink_write(struct ipfix_sink *s, const char *bytes, size_t n, struct rs_err *err)
{
    CHECK(!w.broken && n > 0);
    if (w.breaks_at != 0 && ++w.messages == w.breaks_at) {
        w.broken = true;
        return rs_fail(err, RS_ESYS, "the sink broke");
    }
    w.bytes = realloc(w.bytes, w.n_bytes + n);
    CHECK(w.bytes != NULL);
    memcpy(w.bytes + w.n_bytes, bytes, n);
    w.n_bytes += n;
    s->bytes += n;
    return 0;
}

int ipfix_sink_close(struct ipfix_sink *s, struct rs_err *err)
{
    CHECK(s->bytes == w.n_bytes && (w.x == NULL || ipfix_bytes(w.x) == s->bytes));
    return w.broken ? rs_fail(err, RS_ESYS, "the sink broke") : 0;
}

uint64_t output_bytes(const struct output *out)
{
    CHECK(out != NULL);
    abort();
}

static void write_flow(const struct ipfix_flow *f, unsigned kind)
{
    struct rs_err err = {""};
    if (w.n_flows == FLOWS_MOST)
        return;
    w.flows[w.n_flows].flow = *f;
    w.flows[w.n_flows++].kind = kind;
    bool was_broken = w.broken;
    int rc = ipfix_write(w.x, f, kind, &err);
    if (rc == 0 && w.flush)
        rc = ipfix_flush(w.x, &err);
    CHECK(rc == (w.broken ? -RS_ESYS : 0) && (!was_broken || w.broken));
    CHECK(rc == 0 || strcmp(err.text, "the sink broke") == 0);
}

static void on_ended(void *ctx, const struct flow *f, enum flow_end why)
{
    struct ipfix_flow out;
    (void)ctx;
    unsigned kind = flow_ipfix(&out, f, why);
    CHECK(((kind & IPFIX_BIFLOW) != 0) == (f->pkt_rev > 0) && out.end_reason == why);
    CHECK(out.packets_fwd == f->pkt_fwd && out.packets_rev == f->pkt_rev);
    CHECK(out.octets_fwd == f->oct_fwd && out.octets_rev == f->oct_rev);
    CHECK(out.ect0_fwd == f->meter_ect0_fwd && out.ect1_fwd == f->meter_ect1_fwd);
    CHECK(out.ce_rev == f->meter_ce_rev && out.ce_fwd == f->meter_ce_fwd);
    write_flow(&out, kind);
}

static void flows_of_packets(const uint8_t *data, size_t size)
{
    struct aging_config c = {.chains = FLOW_IPFIX_CHAINS,
                             .flows_most = 4,
                             .idle_ns = 30 * RS_SEC,
                             .close_ns = 5 * RS_SEC,
                             .ended = on_ended};
    struct maker m;
    struct packet p;
    CHECK(aging_init(&w.aging, &c) == 0);
    maker_init(&m, data, size);
    while (make_packet(&m, &p)) {
        struct wire_view v;
        if (wire_parse(&v, p.bytes, p.n, WIRE_PARSE_PACKET) == 0)
            aging_packet(&w.aging, &v, p.at);
        free(p.bytes);
    }
    aging_flush(&w.aging);
    aging_free(&w.aging);
}

/* A kind and some bytes, of which the record is full. */
static void flows_of_bytes(struct script_bytes s)
{
    while (s.left > 0) {
        uint8_t seed[8], what = next_byte(&s);
        struct ipfix_flow f;
        unsigned kind = what & (IPFIX_PORTS | IPFIX_BIFLOW);
        kind |= what & IPFIX_IP6 ? IPFIX_IP6 : IPFIX_IP4;
        kind |= kind & IPFIX_PORTS ? what & IPFIX_TCP : 0u;
        for (size_t i = 0; i < sizeof seed; i++)
            seed[i] = next_byte(&s);
        for (size_t i = 0; i < sizeof f; i++)
            ((uint8_t *)&f)[i] = (uint8_t)(seed[i % sizeof seed] + i / sizeof seed);
        for (unsigned n = what >> 5; n-- > 0;)
            write_flow(&f, kind);
    }
}

struct template
{
    uint16_t id, fields, scopes;
    struct {
        uint16_t number, bytes;
        uint32_t enterprise;
    } field[FIELDS_MOST];
};

struct reader {
    struct template template[TEMPLATES_MOST];
    unsigned templates;
    uint32_t records; /* data records so far: RFC 7011 3.1 */
};

static struct {
    uint32_t enterprise;
    uint16_t number;
} element_of[N_MEMBERS];

/* The numbers that a member goes out as: RFC 5103 6.1, 6.2 for those in reverse. */
static void find_element(size_t member)
{
    char name[64];
    const char *element = members[member].element;
    bool reverse = strncmp(element, "reverse", 7) == 0;
    snprintf(name, sizeof name, "%s", element + (reverse ? 7 : 0));
    name[0] = (char)(name[0] | 0x20);
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (strcmp(numbers[i].element, name) != 0)
            continue;
        bool is_own = numbers[i].enterprise != 0;
        element_of[member].enterprise = reverse && !is_own ? REVERSE : numbers[i].enterprise;
        element_of[member].number =
            (uint16_t)(numbers[i].number | (reverse && is_own ? 0x4000 : 0));
        return;
    }
    fprintf(stderr, "%s: what is its number?\n", name);
    abort();
}

static const struct member *member_of(uint32_t enterprise, uint16_t number)
{
    for (size_t i = 0; i < N_MEMBERS && element_of[0].number == 0; i++)
        find_element(N_MEMBERS - 1 - i);
    for (size_t i = 0; i < N_MEMBERS; i++)
        if (element_of[i].enterprise == enterprise && element_of[i].number == number)
            return &members[i];
    return NULL;
}

static void read_template(struct reader *r, struct cursor *c, bool options)
{
    CHECK(r->templates < TEMPLATES_MOST);
    struct template *t = &r->template[r->templates++];
    *t = (struct template){.scopes = 0};
    CHECK(get_be16(c, &t->id) && get_be16(c, &t->fields) && t->id >= 256);
    CHECK(t->fields > 0 && t->fields <= FIELDS_MOST);
    CHECK(!options || (get_be16(c, &t->scopes) && t->scopes > 0 && t->scopes <= t->fields));
    for (unsigned i = 0; i < t->fields; i++) {
        CHECK(get_be16(c, &t->field[i].number) && get_be16(c, &t->field[i].bytes));
        if (t->field[i].number & ENTERPRISE)
            CHECK(get_be32(c, &t->field[i].enterprise) && t->field[i].enterprise != 0);
        t->field[i].number &= ENTERPRISE - 1;
    }
    for (unsigned i = 0; i + 1 < r->templates; i++)
        CHECK(r->template[i].id != t->id);
}

/* A member's value in host byte order against the bytes of the record. */
static bool is_value(const void *value, size_t n, const uint8_t *bytes)
{
    uint64_t v = 0;
    if (n == 16)
        return memcmp(value, bytes, 16) == 0;
    memcpy(&v, value, n); /* of a little-endian host, as all that this runs on */
    for (size_t i = 0; i < n; i++, v >>= 8)
        if (bytes[n - 1 - i] != (uint8_t)v)
            return false;
    return true;
}

static void read_flow(const struct template *t, struct cursor *c)
{
    const uint8_t *bytes;
    size_t due = 0;
    CHECK(w.n_read < w.n_flows);
    const struct ipfix_flow *f = &w.flows[w.n_read].flow;
    unsigned kind = w.flows[w.n_read++].kind;
    CHECK(t->fields <= 60); /* tshark passes over more */
    for (size_t i = 0; i < N_MEMBERS; i++)
        due += (members[i].where & kind) == members[i].where;
    CHECK(due == t->fields);
    for (unsigned i = 0; i < t->fields; i++) {
        const struct member *m = member_of(t->field[i].enterprise, t->field[i].number);
        CHECK(m != NULL && m->bytes == t->field[i].bytes && (m->where & kind) == m->where);
        CHECK(get_bytes(c, m->bytes, &bytes));
        CHECK(is_value((const uint8_t *)f + m->offset, m->bytes, bytes));
    }
}

/* RFC 5610: of a type of an element only the lengths are looked at. */
static void pass_over(const struct template *t, struct cursor *c)
{
    for (unsigned i = 0; i < t->fields; i++) {
        uint16_t n = t->field[i].bytes;
        uint8_t length;
        if (n == VARIABLE) { /* RFC 7011 7 */
            CHECK(get_u8(c, &length));
            n = length;
            CHECK(length < 255 || get_be16(c, &n));
        }
        CHECK(cursor_skip(c, n));
    }
}

static void read_set(struct reader *r, uint16_t id, struct cursor c)
{
    if (id == SET_TEMPLATES || id == SET_OPTIONS) {
        while (c.left >= 4)
            read_template(r, &c, id == SET_OPTIONS);
        return;
    }
    const struct template *t = NULL;
    for (unsigned i = 0; i < r->templates; i++)
        if (r->template[i].id == id)
            t = &r->template[i];
    CHECK(t != NULL && c.left > 0);
    for (; c.left > 3; r->records++) { /* less is padding: no record is as short */
        if (t->scopes > 0)
            pass_over(t, &c);
        else
            read_flow(t, &c);
    }
}

static void read_message(struct reader *r, struct cursor *all)
{
    struct cursor c = *all, set;
    uint16_t version, n, id;
    uint32_t time, sequence, domain;
    CHECK(get_be16(&c, &version) && version == 10 && get_be16(&c, &n) && n >= 16);
    CHECK(get_be32(&c, &time) && get_be32(&c, &sequence) && get_be32(&c, &domain));
    CHECK(sequence == r->records && n <= all->left);
    c.left = n - 16u;
    while (c.left > 0) {
        CHECK(get_be16(&c, &id) && get_be16(&c, &n) && n >= 4);
        set = c;
        set.left = n - 4u;
        CHECK(cursor_skip(&c, n - 4u));
        read_set(r, id, set);
    }
    all->left -= (size_t)(c.at - all->at);
    all->at = c.at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct reader r;
    struct rs_err err = {""};
    if (size < 2)
        return 0;
    w = (struct world){.flush = (data[0] & MODE_FLUSH) != 0, .breaks_at = data[1]};
    r.templates = r.records = 0;
    w.flows = malloc(FLOWS_MOST * sizeof *w.flows);
    CHECK(w.flows != NULL);
    int rc = ipfix_open(&w.x, "sink", &err); /* templates go out here */
    CHECK(rc == (w.broken ? -RS_ESYS : 0) && (w.x == NULL) == w.broken);
    if (w.x == NULL) {
        free(w.bytes);
        free(w.flows);
        return 0;
    }
    if (data[0] & MODE_ANY)
        flows_of_bytes((struct script_bytes){data + 2, size - 2});
    else
        flows_of_packets(data + 2, size - 2);
    rc = ipfix_close(w.x, &err);
    CHECK(rc == (w.broken ? -RS_ESYS : 0));
    for (struct cursor c = {w.bytes, w.n_bytes}; c.left > 0;)
        read_message(&r, &c);
    CHECK(w.broken || w.n_read == w.n_flows);
    free(w.bytes);
    free(w.flows);
    return 0;
}
