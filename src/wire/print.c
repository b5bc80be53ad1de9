/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "wire/print.h"

#include <stdarg.h>
#include <stdio.h>

#include "wire/options.h"

struct text { /* where snprintf would be: `n` may run past `cap` */
    char *out;
    size_t cap, n;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *t, const char *format, ...)
{
    va_list args;
    size_t at = t->n < t->cap ? t->n : t->cap;
    va_start(args, format);
    int n = vsnprintf(t->cap > 0 ? t->out + at : NULL, t->cap - at, format, args);
    va_end(args);
    if (n > 0)
        t->n += (size_t)n;
}

static char *letters(unsigned flags, const char *order, const uint16_t *bits, char *out)
{
    char *at = out;
    for (; *order != '\0'; order++, bits++) {
        if (flags & *bits)
            *at++ = *order;
    }
    *at = '\0';
    return out;
}

/* The classic flags stand before the sequence numbers, those of ECN and the reserved bits behind
 * the options. */
static const char classic_letters[] = "SFRP.U";
static const uint16_t classic_bits[] = {TCP_SYN, TCP_FIN, TCP_RST, TCP_PSH, TCP_ACK, TCP_URG};
static const char other_letters[] = "EWe321";
static const uint16_t other_bits[] = {TCP_ECE, TCP_CWR, TCP_AE, TCP_R3, TCP_R2, TCP_R1};

char *wire_flags_format(unsigned flags, char out[16])
{
    char other[8];
    letters(flags, classic_letters, classic_bits, out);
    letters(flags, other_letters, other_bits, other);
    size_t n = 0;
    while (out[n] != '\0')
        n++;
    snprintf(out + n, 16 - n, "%s", other);
    if (out[0] == '\0')
        snprintf(out, 16, "none");
    return out;
}

const char *wire_ecn_name(unsigned codepoint)
{
    static const char *const names[] = {"not_ect", "ect1", "ect0", "ce"};
    return names[codepoint & 3u];
}

static void add_option(struct text *t, const struct wire_options *o, uint8_t kind)
{
    switch (kind) {
    case TCPOPT_MSS:
        add(t, "mss %u", o->mss);
        break;
    case TCPOPT_WSCALE:
        add(t, "wscale %u", o->wscale);
        break;
    case TCPOPT_SACK_OK:
        add(t, "sackOK");
        break;
    case TCPOPT_SACK:
        add(t, "sack %u", o->sack_blocks);
        break;
    case TCPOPT_TIMESTAMP:
        add(t, "TS val %u ecr %u", o->tsval, o->tsecr);
        break;
    default:
        add(t, "opt-%u", kind);
        break;
    }
}

static void add_options(struct text *t, const struct wire_view *v)
{
    struct wire_options o;
    if (v->options_bytes == 0)
        return;
    wire_options_parse(&o, v->options, v->options_bytes);
    if (o.n_kinds == 0 && !(o.have & OPT_MALFORMED))
        return;
    add(t, " <");
    for (unsigned i = 0; i < o.n_kinds; i++) {
        if (i > 0)
            add(t, ",");
        add_option(t, &o, o.kinds[i]);
    }
    if (o.have & OPT_MALFORMED)
        add(t, "%smalformed", o.n_kinds > 0 ? "," : "");
    add(t, ">");
}

static void add_tcp(struct text *t, const struct wire_view *v, uint32_t seq_base, uint32_t ack_base)
{
    char flags[8];
    uint32_t seq = v->seq - seq_base;
    if (!(v->have & WIRE_TCP)) {
        add(t, v->have & WIRE_TCP_SEQ ? "tcp seq %u" : "tcp", seq);
        return;
    }
    letters(v->flags, classic_letters, classic_bits, flags);
    add(t, "%s %u:%u(%u)", flags[0] != '\0' ? flags : "none", seq, seq + v->payload_bytes,
        v->payload_bytes);
    if (v->flags & TCP_ACK)
        add(t, " ack %u", v->ack - ack_base);
    add(t, " win %u", v->window);
    if (v->flags & TCP_URG)
        add(t, " urg %u", v->urgent);
    add_options(t, v);
    letters(v->flags, other_letters, other_bits, flags);
    if (flags[0] != '\0')
        add(t, " [%s]", flags);
}

static void add_ip(struct text *t, const struct wire_view *v)
{
    if (wire_ecn(v) != IP_ECN_NOT)
        add(t, " [%s]", wire_ecn_name(wire_ecn(v)));
    add(t, " ttl %u", v->ttl);
    if (v->tos >> 2 != 0)
        add(t, " dscp %u", v->tos >> 2);
    if (v->have & WIRE_FRAGMENT)
        add(t, " fragment");
    if (v->have & WIRE_EXTHDR)
        add(t, " exthdr");
    if (v->have & WIRE_TRUNCATED)
        add(t, " truncated");
    if (v->ip_cksum == WIRE_CKSUM_BAD)
        add(t, " bad-ip-cksum");
    if (v->l4_cksum == WIRE_CKSUM_BAD)
        add(t, " bad-cksum");
}

static void add_end(struct text *t, const struct wire_addr *a, bool ports, uint16_t port)
{
    char text[WIRE_ADDR_TEXT];
    wire_addr_format(a, text);
    if (!ports)
        add(t, "%s", text);
    else if (a->family == 6)
        add(t, "[%s]:%u", text, port);
    else
        add(t, "%s:%u", text, port);
}

static void add_one(struct text *t,
                    const struct wire_view *v,
                    enum wire_print how,
                    uint32_t seq_base,
                    uint32_t ack_base)
{
    if (!(v->have & (WIRE_IP4 | WIRE_IP6))) {
        add(t, "not IP");
        return;
    }
    if (how == WIRE_PRINT_ADDRESSES) {
        add_end(t, &v->src, v->have & WIRE_PORTS, v->sport);
        add(t, " > ");
        add_end(t, &v->dst, v->have & WIRE_PORTS, v->dport);
        add(t, ": ");
    }
    if (v->proto == IP_PROTO_TCP)
        add_tcp(t, v, seq_base, ack_base);
    else if (v->proto == IP_PROTO_UDP)
        add(t, "udp (%u)", v->payload_bytes);
    else if (v->have & WIRE_ICMP)
        add(t, "icmp%s %u/%u info 0x%08x", v->have & WIRE_IP6 ? "6" : "", v->icmp_type,
            v->icmp_code, v->icmp_info);
    else
        add(t, "proto %u (%u)", v->proto, v->ip_bytes);
    add_ip(t, v);
}

size_t wire_print(char *out,
                  size_t cap,
                  const struct wire_view *v,
                  enum wire_print how,
                  uint32_t seq_base,
                  uint32_t ack_base)
{
    struct text t = {out, cap, 0};
    struct wire_view quote;

    if (cap > 0)
        out[0] = '\0';
    add_one(&t, v, how, seq_base, ack_base);
    if (v->have & WIRE_QUOTE) { /* one level: an error about an error is never sent (RFC 1122) */
        add(&t, " quoting ");
        wire_parse(&quote, v->quote, v->quote_bytes, WIRE_PARSE_QUOTE);
        add_one(&t, &quote, WIRE_PRINT_ADDRESSES, seq_base, ack_base);
    }
    return t.n;
}
