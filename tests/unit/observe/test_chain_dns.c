/* SPDX-License-Identifier: GPL-3.0-or-later
 * The chain dns: what is a sound response and what is not, RFC 1035 clause by clause. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "unit/observe/chain_rows.h"

#define QUESTION "076578616d706c6503636f6d0000010001" /* example.com A IN, at 12 */
#define A        "c00c000100010000012c0004c0000201"   /* a pointer to it, A IN 300, 192.0.2.1 */
#define HEAD     "12348180"
#define A_16     "61616161616161616161616161616161"
#define OPT      "0000291000000000000000"

struct dns_row {
    const char *what, *message;
    bool valid;
};

static const struct dns_row messages[] = {
    {"RFC 1035 4.1: a question and its answer", HEAD "0001000100000000" QUESTION A, true},
    {"an OPT record behind it (RFC 6891 6.1)", HEAD "0001000100000001" QUESTION A OPT, true},
    {"two answers", HEAD "0001000200000000" QUESTION A A, true},
    {"each section has its records", HEAD "0001000000010001" QUESTION A A, true},
    {"no answer (NXDOMAIN)",
     "12348183"
     "0001000000000000" QUESTION,
     true},
    {"a header alone (FORMERR)",
     "12348181"
     "0000000000000000",
     true},
    {"AAAA (RFC 3596 2.2)",
     HEAD "0001000100000000" QUESTION "c00c001c00010000012c001020010db8000000000000000000000001",
     true},
    {"a name of the root",
     HEAD "0001000000000000"
          "0000020001",
     true},
    {"label, then pointer (RFC 1035 4.1.4)",
     HEAD "0001000100000000" QUESTION "03777777c00c000100010000012c0004c0000201", true},
    {"pointer into a name, and to a pointer",
     HEAD "0001000200000000" QUESTION "03777777c014000100010000012c0004c0000201"
          "01 61 c021 000100010000012c0004c0000201",
     true},
    {"a query (RFC 1035 4.1.1, QR)",
     "12340100"
     "0001000000000000" QUESTION,
     false},
    {"a query with an answer in it",
     "12340180"
     "0001000100000000" QUESTION A,
     false},
    {"11 bytes",
     "12348180"
     "00000000000000",
     false},
    {"fewer records than the header says", HEAD "0001000200000000" QUESTION A, false},
    {"more records than the header says", HEAD "0001000100000000" QUESTION A A, false},
    {"a question that is cut off",
     HEAD "0001000000000000"
          "076578616d706c6503636f6d00000100",
     false},
    {"a record without its data", HEAD "0001000100000000" QUESTION "c00c000100010000012c0004c00002",
     false},
    {"an address of 5 bytes", HEAD "0001000100000000" QUESTION "c00c000100010000012c0005c000020100",
     false},
    {"an IPv6 address of 4 bytes",
     HEAD "0001000100000000" QUESTION "c00c001c00010000012c0004c0000201", false},
    {"a pointer to itself",
     HEAD "0001000000000000"
          "c00c00010001",
     false},
    {"a pointer forward",
     HEAD "0001000000000000"
          "c00e0000010001",
     false},
    {"a pointer into the header",
     HEAD "0001000000000000"
          "c00400010001",
     false},
    {"a label, then a pointer to that label",
     HEAD "0001000000000000"
          "0161c00c00010001",
     false},
    {"half a pointer",
     HEAD "0001000000000000"
          "c0",
     false},
    {"a label of type 01 (RFC 6891 5)",
     HEAD "0001000000000000"
          "410000010001",
     false},
    {"a label of type 01 with all its bytes",
     HEAD "0001000000000000"
          "40" A_16 A_16 A_16 A_16 "0000010001",
     false},
    {"back, and then forward again",
     HEAD "0000000200000000"
          "00006300010000000000 03 c01900"
          "c01700630001000000000000",
     false},
    {"a label of type 10",
     HEAD "0001000000000000"
          "810000010001",
     false},
    {"a label past the end",
     HEAD "0001000000000000"
          "3f6162",
     false},
    {"HTTP", "485454502f312e3120323030204f4b0d0a", false},
    {"counts of 65535 in nothing", HEAD "ffffffffffffffff", false},
};

static char *as_row(const struct dns_row *m, const char *packet, const char *prefix)
{
    static char text[4096];
    char hex[2048], *out = hex;
    for (const char *c = m->message; *c != '\0'; c++)
        if (*c != ' ')
            *out++ = *c;
    *out = '\0';
    snprintf(text, sizeof text, "%s ; payload %s%s", packet, prefix, hex);
    return text;
}

static bool over_udp(const struct dns_row *m)
{
    struct chain_row row = {m->what, as_row(m, "> udp | < udp", ""),
                            m->valid ? "dns_response_valid=true" : "dns_response_valid=false"};
    return row_run(&row, CHAIN_DNS) == 0;
}

/* RFC 1035 4.2.2: the same behind its length. */
static bool over_tcp(const struct dns_row *m)
{
    char length[5];
    size_t digits = 0;
    for (const char *c = m->message; *c != '\0'; c++)
        digits += *c != ' ';
    snprintf(length, sizeof length, "%04zx", digits / 2 & 0xffffu);
    struct chain_row row = {m->what, as_row(m, "< P. 1:1(0) ack 1", length),
                            m->valid ? "dns_response_valid=true" : "dns_response_valid=false"};
    return row_run(&row, CHAIN_DNS) == 0;
}

static void structure(void **state)
{
    unsigned wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++)
        wrong += (over_udp(&messages[i]) ? 0u : 1u) + (over_tcp(&messages[i]) ? 0u : 1u);
    assert_int_equal(wrong, 0);
}

#define QUERY    "1234010000010000000000000000020001"
#define RESPONSE "1234818300010000000000000000020001" /* NXDOMAIN for the root */

static void where_it_counts(void **state)
{
    static const struct chain_row rows[] = {
        {"nothing", "> udp", "dns_response_valid=false"},
        {"in reverse only", "> udp ; payload " RESPONSE, "dns_response_valid=false"},
        {"in reverse", "< udp ; payload " RESPONSE, "dns_response_valid=true"},
        {"one is enough",
         "< udp ; payload " QUERY " | < udp ; payload " RESPONSE " | < udp ; payload " QUERY,
         "dns_response_valid=true"},
        {"not whole in the capture", "< udp ; payload " RESPONSE " cut",
         "dns_response_valid=false"},
        {"not UDP and not TCP", "< other ; payload " RESPONSE, "dns_response_valid=false"},
        {"nor is it with a length before it", "< other ; payload 0011" RESPONSE,
         "dns_response_valid=false"},
        {"an ICMP error", "< udp ; payload " RESPONSE " icmp", "dns_response_valid=false"},
        {"TCP without the length", "< P. 1:1(0) ack 1 ; payload " RESPONSE,
         "dns_response_valid=false"},
        {"RFC 7766 6.2.1.1: the second message of a segment",
         "< P. 1:1(0) ack 1 ; payload 0002abcd0011" RESPONSE, "dns_response_valid=true"},
        {"RFC 7766 8: a message that goes on in the next segment is not put together",
         "< P. 1:1(0) ack 1 ; payload 0012" RESPONSE, "dns_response_valid=false"},
        {"messages of no length", "< P. 1:1(0) ack 1 ; payload 0000000000000000000000000000",
         "dns_response_valid=false"},
    };
    (void)state;
    ROWS_RUN(rows, CHAIN_DNS);
}

static void put16(uint8_t *m, size_t *n, size_t value)
{
    m[(*n)++] = (uint8_t)(value >> 8);
    m[(*n)++] = (uint8_t)value;
}

/* Two records; the data of the first is a chain of `links`, each a label of `label` bytes (none
 * for 0) and a pointer to the link before; the name of the second points to the last link. */
static bool chain_of_names(unsigned links, unsigned label)
{
    uint8_t m[4096] = {0x12, 0x34, 0x81, 0x80, 0, 0, 0, 2};
    size_t n = 12, last = 12;
    n += 1 + 8; /* the root; type, class and TTL of 0 */
    put16(m, &n, 1 + links * (label + 2 + (label > 0)));
    last = n++; /* the root again */
    for (unsigned i = 0; i < links; i++) {
        size_t here = n;
        if (label > 0) {
            m[n] = (uint8_t)label;
            n += 1 + label;
        }
        put16(m, &n, 0xc000u | last);
        last = here;
    }
    put16(m, &n, 0xc000u | last);
    n += 10;
    struct wire_tuple t = {.proto = IP_PROTO_UDP};
    struct wire_view v = {.have = WIRE_IP4 | WIRE_PORTS | WIRE_UDP,
                          .proto = IP_PROTO_UDP,
                          .payload = m,
                          .payload_bytes = (uint32_t)n,
                          .payload_captured = (uint32_t)n};
    struct flow f;
    flow_init(&f, &t, CHAINS_ALL);
    flow_packet(&f, &v, FLOW_REV, (rs_wall){1});
    return f.dns_response_valid;
}

/* RFC 1035 2.3.4: 255 bytes; and nobody is made to jump a thousand times for a record. */
static void names_end(void **state)
{
    (void)state;
    assert_true(chain_of_names(63, 3));  /* 253 bytes */
    assert_false(chain_of_names(64, 3)); /* 257 */
    assert_true(chain_of_names(126, 0));
    assert_false(chain_of_names(127, 0)); /* and the one of the record itself */
    assert_false(chain_of_names(1000, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(structure),
        cmocka_unit_test(where_it_counts),
        cmocka_unit_test(names_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
