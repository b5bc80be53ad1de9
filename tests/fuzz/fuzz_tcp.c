/* SPDX-License-Identifier: GPL-3.0-or-later
 * The TCP machine against a peer, a clock and a caller that a byte script plays. The first two
 * bytes configure the connection; then each byte is an operation (its low three bits) with its
 * arguments behind it. Whatever happens: what is sent is what was written, what is delivered is
 * what the peer's stream holds, in order, and nothing grows without bound. */
#include <string.h>

#include "fuzz/fuzz.h"
#include "tcpstate/step.h"
#include "tcpstate/tcp.h"
#include "wire/options.h"

#define ISS          0xffffff00u /* wraps soon */
#define STREAM_BYTES 65536u
#define TURNS_MOST   64  /* timer expiries until a silent peer is given up */
#define ANSWERS_MOST 16u /* segments that one turn may draw: the flight, an ACK, an RST ... */

static uint8_t stream[STREAM_BYTES];

struct world {
    struct tcp m;
    struct tcp_out out;
    struct slab pool;
    struct script_bytes script;
    rs_mono now;
    uint32_t written;  /* of the stream */
    uint32_t isn;      /* the peer's */
    uint32_t rcv, snd; /* the machine's RCV.NXT and SND.NXT, as its segments tell */
    uint32_t expected; /* sequence number of the next byte to be delivered, once established */
    bool established, crafted;
    uint16_t ordinal[SEG_N];
};

/* The peer's stream, by sequence number. */
static uint8_t peer_byte(uint32_t seq)
{
    return (uint8_t)(seq * 31u + (seq >> 8));
}

static void check_segment(struct world *w, const struct wire_segment *s)
{
    CHECK(s->options_bytes <= 40 && s->options_bytes % 4 == 0 && s->flags <= 0xfff);
    CHECK((unsigned)s->cls < SEG_N && s->cls != SEG_UDP && seg_class_name(s->cls)[0] != '?');
    if (s->payload_bytes > 0) {
        CHECK(s->payload >= stream && s->payload + s->payload_bytes <= stream + STREAM_BYTES);
        CHECK(s->payload - stream == (ptrdiff_t)(uint32_t)(s->seq - ISS - 1));
    }
    if (w->crafted) /* a step may send anything */
        return;
    CHECK(s->cls == seg_classify(s->flags, s->payload_bytes));
    CHECK(s->payload_bytes == 0 || s->payload + s->payload_bytes <= stream + w->written);
    /* RFC 3168 6.1.1, 6.1.4, 6.1.5: ECT on new data alone */
    CHECK(s->ecn == IP_ECN_NOT || (s->cls == SEG_DATA && s->tries == 1 && s->ecn == IP_ECN_ECT0));
    CHECK(s->ecn == IP_ECN_NOT || tcp_ecn_negotiated(&w->m));
    CHECK((s->cls == SEG_SYN) == ((s->flags & TCP_ACK) == 0) || s->cls == SEG_RST);
    CHECK(s->cls == SEG_SYN || s->cls == SEG_RST || s->tries > 1 ||
          s->ordinal >= w->ordinal[s->cls]);
    if (s->tries == 1)
        w->ordinal[s->cls] = s->ordinal;
}

static void learn(struct world *w, const struct wire_segment *s)
{
    uint32_t end = s->seq + s->payload_bytes + !!(s->flags & TCP_SYN) + !!(s->flags & TCP_FIN);
    if (s->cls == SEG_RST)
        return;
    if (end - w->snd < 0x80000000u)
        w->snd = end;
    if (s->flags & TCP_ACK)
        w->rcv = s->ack;
}

/* Everything that waits to be sent. */
static void drain(struct world *w)
{
    unsigned n = 0;
    do {
        tcp_output(&w->m, w->now, &w->out);
        CHECK(w->out.n_segments <= TCP_OUT_SEGMENTS && w->out.n_data == 0);
        for (unsigned i = 0; i < w->out.n_segments; i++) {
            check_segment(w, &w->out.segment[i]);
            learn(w, &w->out.segment[i]);
        }
        n += w->out.n_segments;
        CHECK(n <= ANSWERS_MOST + TCP_OUT_SEGMENTS);
        w->out.n_segments = 0;
    } while (w->out.more);
    for (unsigned bit = 0; bit < 32; bit++) {
        if (w->out.events >> bit & 1u)
            CHECK(tcp_event_name((enum tcp_event)(1u << bit))[0] != '\0');
    }
    tcp_out_clear(&w->out);
    w->crafted = false;
    CHECK((unsigned)tcp_state(&w->m) < TCP_NSTATES);
    CHECK(tcp_state_name(tcp_state(&w->m))[0] != '\0');
    CHECK(w->pool.used <= TCP_REASM_MOST);
}

static void check_delivered(struct world *w, const struct wire_view *v)
{
    const struct tcp_out *out = &w->out;
    CHECK(out->n_data <= TCP_OUT_SPANS);
    if (!w->established && (out->events & TCP_EV_ESTABLISHED)) {
        w->established = true;
        w->expected = v->seq + 1;
    }
    CHECK(w->established || out->n_data == 0);
    CHECK((out->n_data > 0) == ((out->events & TCP_EV_DELIVERED) != 0));
    for (unsigned i = 0; i < out->n_data; i++) {
        CHECK(out->data[i].n > 0);
        for (uint32_t k = 0; k < out->data[i].n; k++)
            CHECK(out->data[i].bytes[k] == peer_byte(w->expected++));
    }
}

/* A number near `base`, or, seldom, anywhere. */
static uint32_t near_number(struct world *w, uint32_t base)
{
    uint8_t how = next_byte(&w->script);
    uint8_t by = next_byte(&w->script);
    switch (how & 7u) {
    case 0:
        return base;
    case 1:
        return base + by;
    case 2:
        return base - by;
    case 3:
        return base + by * 256u;
    case 4:
        return base - by * 256u;
    case 5:
        return by * 0x1000001u;
    case 6:
        return w->isn + by;
    default:
        return base + by % 4u * 1460u;
    }
}

/* Options that a stack would write, or, for the highest values, any bytes. */
static size_t make_options(struct world *w, uint8_t out[40])
{
    uint8_t how = next_byte(&w->script), n = 0;
    struct wire_options o = {.have = how & 15u, .wscale = how >> 4};
    if (how < 0xf0) {
        o.mss = (uint16_t)(next_byte(&w->script) * 8u);
        o.tsval = next_byte(&w->script);
        o.tsecr = next_byte(&w->script);
        return wire_options_write(&o, (how & OPT_MSS) != 0, out);
    }
    while (n < 40 && n < how % 16u * 3u)
        out[n++] = next_byte(&w->script);
    return n;
}

/* One segment of the peer. Payload and options live in exact blocks that are gone afterwards. */
static void op_segment(struct world *w)
{
    uint8_t flags = next_byte(&w->script);
    uint8_t more = next_byte(&w->script);
    uint32_t n = more & 4u ? next_byte(&w->script) * (more & 8u ? 23u : 1u) : 0;
    uint8_t options[40];
    struct wire_view v = {.have = WIRE_IP4 | WIRE_PORTS | WIRE_TCP_SEQ | WIRE_TCP,
                          .proto = IP_PROTO_TCP,
                          .tos = more & 3u,
                          .flags = (uint16_t)(flags | (more & 0xf0u) << 4)};
    v.seq = near_number(w, flags & TCP_SYN ? w->isn : w->rcv);
    v.ack = near_number(w, w->snd);
    v.window = (uint16_t)(next_byte(&w->script) * 257u);
    v.options_bytes = (uint8_t)make_options(w, options);
    uint8_t *exact_options = malloc(v.options_bytes), *exact = malloc(n);
    memcpy(exact_options, options, v.options_bytes);
    for (uint32_t i = 0; i < n; i++)
        exact[i] = peer_byte(v.seq + (flags & TCP_SYN ? 1u : 0u) + i);
    v.options = v.options_bytes > 0 ? exact_options : NULL;
    v.payload = n > 0 ? exact : NULL;
    v.payload_bytes = v.payload_captured = n;
    if (more == 0xff) /* lost on the way, in one way or another */
        v.l4_cksum = WIRE_CKSUM_BAD;
    tcp_input(&w->m, &v, w->now, &w->out);
    check_delivered(w, &v);
    drain(w);
    free(exact);
    free(exact_options);
}

static void op_time(struct world *w)
{
    uint8_t by = next_byte(&w->script);
    rs_mono next = tcp_next_expiry(&w->m);
    if (by < 128)
        w->now = rs_mono_add(w->now, by * RS_MS);
    else if (next.ns != RS_NEVER.ns && next.ns > w->now.ns)
        w->now = next;
    if (rs_mono_reached(tcp_next_expiry(&w->m), w->now))
        tcp_expire(&w->m, w->now, &w->out);
    drain(w);
    CHECK(!rs_mono_reached(tcp_next_expiry(&w->m), w->now)); /* or the caller would spin */
}

static void op_write(struct world *w)
{
    uint32_t n = next_byte(&w->script) * 16u;
    if (n > STREAM_BYTES - w->written)
        n = STREAM_BYTES - w->written;
    if (tcp_write(&w->m, stream + w->written, n, w->now) == 0)
        w->written += n;
}

static void op_step(struct world *w)
{
    static const uint32_t windows[] = {0, 1, 536, 64240, 1u << 20};
    uint8_t kind = next_byte(&w->script);
    uint8_t argument = next_byte(&w->script);
    struct step step = {.kind = (enum step_kind)(kind % STEP_N),
                        .events = 1u << argument % 17u,
                        .bytes = argument * 3u,
                        .timeout_ms = argument,
                        .flags = (uint16_t)(next_byte(&w->script) << 4 | (argument & 15u))};
    step.value = step.kind == STEP_WINDOW ? windows[argument % 5u] : argument * 100u;
    struct script s;
    script_init(&s, &step, 1);
    s.written = w->written;
    bool over = script_run(&s, &w->m, stream, STREAM_BYTES, w->now, &w->out);
    (void)script_next_expiry(&s);
    if (!over && step.kind != STEP_SEGMENT) { /* wait it out */
        w->now = rs_mono_add(w->now, 256 * RS_MS);
        over = script_run(&s, &w->m, stream, STREAM_BYTES, w->now, &w->out);
    }
    CHECK(over || (step.kind == STEP_WAIT && argument == 0));
    if (s.written > w->written)
        w->written = s.written;
    w->crafted = step.kind == STEP_SEGMENT;
    drain(w);
}

static void operate(struct world *w)
{
    switch (next_byte(&w->script) & 7u) {
    case 0:
    case 1:
        op_segment(w);
        return;
    case 2:
        op_time(w);
        return;
    case 3:
        op_write(w);
        break;
    case 4:
        tcp_close(&w->m, w->now, &w->out);
        break;
    case 5:
        if ((next_byte(&w->script) & 3u) == 0)
            tcp_abort(&w->m, w->now, &w->out);
        break;
    case 6:
        op_step(w);
        return;
    default:
        (void)tcp_quote_plausible(&w->m, near_number(w, w->snd));
        (void)tcp_ack_plausible(&w->m, near_number(w, w->snd));
        (void)tcp_has_gap(&w->m);
        break;
    }
    drain(w);
}

/* A peer that says no more: every timer ends, and an aborted machine says at most one RST. */
static void finish(struct world *w)
{
    int turns = 0;
    for (; tcp_next_expiry(&w->m).ns != RS_NEVER.ns && turns < TURNS_MOST; turns++) {
        w->now = rs_mono_min(RS_NEVER, tcp_next_expiry(&w->m));
        tcp_expire(&w->m, w->now, &w->out);
        drain(w);
    }
    CHECK(turns < TURNS_MOST);
    tcp_abort(&w->m, w->now, &w->out);
    drain(w);
    CHECK(tcp_over(&w->m) && tcp_next_expiry(&w->m).ns == RS_NEVER.ns);
    tcp_release(&w->m);
    CHECK(w->pool.used == 0);
    slab_free(&w->pool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint32_t windows[] = {0, 100, 64240, 1u << 20};
    struct world w = {.script = {data, size}, .now = {RS_SEC}, .isn = 0xfffff000u, .snd = ISS};
    uint8_t a = next_byte(&w.script);
    uint8_t b = next_byte(&w.script);
    struct tcp_config c = {
        .iss = ISS,
        .timestamps = a & 1,
        .sack_permitted = a & 2,
        .window_scale = a & 4,
        .ecn = a & 8,
        .wscale = a >> 4,
        .rcv_window = windows[b & 3u],
        .mss = b & 4 ? 536 : 0,
        .syn_tries = b >> 3 & 3u,
        .data_tries = b >> 5 & 3u,
        .reasm = b & 128 ? NULL : &w.pool,
    };
    slab_init(&w.pool, TCP_REASM_BLOCK, b & 64 ? 3 : TCP_REASM_MOST);
    w.rcv = w.isn;
    tcp_init(&w.m, &c);
    tcp_open(&w.m, w.now);
    drain(&w);
    while (w.script.left > 0)
        operate(&w);
    finish(&w);
    return 0;
}
