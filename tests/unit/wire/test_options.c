/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "unit/recipe.h"
#include "wire/options.h"

#define ALL (OPT_MSS | OPT_SACK_OK | OPT_TIMESTAMP | OPT_WSCALE)

struct row {
    const char *name, *hex, *clause;
    struct wire_options want;
};

static const struct row rows[] = {
    {"Linux SYN",
     "020405b4 0402080a 100984ca 00000000 0103030a",
     "RFC 7323 3.2, 2.2",
     {.have = ALL,
      .mss = 1460,
      .mss_length = 4,
      .wscale = 10,
      .tsval = 0x100984ca,
      .kinds = {2, 4, 8, 3},
      .n_kinds = 4}},
    {"Fast Open cookie",
     "220a 0102030405060708 0101",
     "RFC 7413 4.1.1",
     {.have = OPT_FASTOPEN, .tfo_kind = 34, .tfo_cookie_bytes = 8, .kinds = {34}, .n_kinds = 1}},
    {"Fast Open cookie request",
     "2202 0101",
     "RFC 7413 4.1.1",
     {.have = OPT_FASTOPEN, .tfo_kind = 34, .kinds = {34}, .n_kinds = 1}},
    {"Fast Open, experimental",
     "fe08f989 01020304 fe06f989 0102",
     "RFC 7413 A.2: the first one counts",
     {.have = OPT_FASTOPEN,
      .tfo_kind = 254,
      .tfo_cookie_bytes = 4,
      .kinds = {254, 254},
      .n_kinds = 2}},
    {"Fast Open, the other experimental kind",
     "ff04f989",
     "RFC 6994 3",
     {.have = OPT_FASTOPEN, .tfo_kind = 255, .kinds = {255}, .n_kinds = 1}},
    {"another experiment", "ff04f990", "RFC 6994 3", {.kinds = {255}, .n_kinds = 1}},
    {"half an experiment's number", "fe03f9", "RFC 6994 3", {.kinds = {254}, .n_kinds = 1}},
    {"nothing", "", "RFC 9293 3.1", {0}},
    {"padding", "00000000", "RFC 9293 3.2", {0}},
    {"behind the end", "00 020405b4", "RFC 9293 3.2", {0}},
    {"NOPs", "01010101", "RFC 9293 3.2", {0}},
    {"length 0",
     "020405b4 0500",
     "RFC 9293 3.1 MUST-7",
     {.have = OPT_MSS | OPT_MALFORMED, .mss = 1460, .mss_length = 4, .kinds = {2}, .n_kinds = 1}},
    {"length 1", "0501", "RFC 9293 3.1 MUST-7", {.have = OPT_MALFORMED}},
    {"length past the end", "020405", "RFC 9293 3.1 MUST-7", {.have = OPT_MALFORMED}},
    {"kind without length", "010102", "RFC 9293 3.1 MUST-7", {.have = OPT_MALFORMED}},
    {"MSS of length 5",
     "02050514 00",
     "RFC 9293 3.2",
     {.mss_length = 5, .kinds = {2}, .n_kinds = 1}},
    {"a block and a half",
     "050e 00000001 00000002 00000003",
     "RFC 2018 3",
     {.kinds = {5}, .n_kinds = 1}},
    {"MSS of a wrong length",
     "020305 0402",
     "RFC 9293 3.2",
     {.have = OPT_SACK_OK, .mss_length = 3, .kinds = {2, 4}, .n_kinds = 2}},
    {"window scale of a wrong length", "030407 01", "RFC 7323 2.2", {.kinds = {3}, .n_kinds = 1}},
    {"timestamps of a wrong length", "080600000001", "RFC 7323 3.2", {.kinds = {8}, .n_kinds = 1}},
    {"SACK-permitted of a wrong length", "040300", "RFC 2018 2", {.kinds = {4}, .n_kinds = 1}},
    {"the first MSS counts",
     "02040200 02040300",
     "RFC 9293 3.2",
     {.have = OPT_MSS, .mss = 512, .mss_length = 4, .kinds = {2, 2}, .n_kinds = 2}},
    {"window scale over 14 as sent",
     "0303ff",
     "RFC 7323 2.3",
     {.have = OPT_WSCALE, .wscale = 255, .kinds = {3}, .n_kinds = 1}},
    {"two SACK blocks",
     "0101 0512 00000001 00000002 00000003 00000004",
     "RFC 2018 3",
     {.have = OPT_SACK, .sack_blocks = 2, .kinds = {5}, .n_kinds = 1}},
    {"half a SACK block", "0506 00000001", "RFC 2018 3", {.kinds = {5}, .n_kinds = 1}},
    {"unknown kinds are passed over",
     "fd04 0000 020405b4",
     "RFC 9293 3.1 MUST-6",
     {.have = OPT_MSS, .mss = 1460, .mss_length = 4, .kinds = {253, 2}, .n_kinds = 2}},
    {"twenty kinds",
     "0502060207020902 0502060207020902 0502060207020902 0502060207020902"
     "0502060207020902",
     "",
     {.kinds = {5, 6, 7, 9, 5, 6, 7, 9, 5, 6, 7, 9, 5, 6, 7, 9, 5, 6, 7, 9}, .n_kinds = 20}},
};

static void parse_exact(struct wire_options *o, const uint8_t *bytes, size_t n)
{
    uint8_t *exact = malloc(n); /* so that the sanitizer sees any byte read past the end */
    if (n > 0)
        memcpy(exact, bytes, n);
    memset(o, 0xa5, sizeof *o);
    wire_options_parse(o, exact, n);
    free(exact);
}

static void reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct wire_options *w = &rows[i].want;
        uint8_t bytes[64];
        struct wire_options o;
        parse_exact(&o, bytes, recipe_hex(rows[i].hex, bytes, sizeof bytes));
        if (o.have != w->have || o.mss != w->mss || o.mss_length != w->mss_length ||
            o.tfo_kind != w->tfo_kind || o.tfo_cookie_bytes != w->tfo_cookie_bytes ||
            o.wscale != w->wscale || o.tsval != w->tsval || o.tsecr != w->tsecr ||
            o.sack_blocks != w->sack_blocks || o.n_kinds != w->n_kinds ||
            memcmp(o.kinds, w->kinds, sizeof o.kinds) != 0)
            fail_msg("%s (%s): have %02x mss %u wscale %u, %u kinds", rows[i].name, rows[i].clause,
                     o.have, o.mss, o.wscale, o.n_kinds);
    }
}

/* What no header can hold, but a caller may pass: more kinds than are kept. */
static void keeps_the_first_twenty_kinds(void **state)
{
    uint8_t bytes[100];
    struct wire_options o;
    (void)state;
    for (size_t i = 0; i < sizeof bytes; i += 2) {
        bytes[i] = 254;
        bytes[i + 1] = 2;
    }
    parse_exact(&o, bytes, sizeof bytes);
    assert_int_equal(o.n_kinds, 20);
    assert_int_equal(o.have, 0);
}

static void any_cut_of_a_syn_is_survived(void **state)
{
    uint8_t bytes[64];
    struct wire_options o;
    size_t n = recipe_hex(rows[0].hex, bytes, sizeof bytes);
    (void)state;
    for (size_t cut = 0; cut <= n; cut++)
        parse_exact(&o, bytes, cut);
    assert_int_equal(o.have, ALL);
}

static void writes_what_linux_sends(void **state)
{
    static const struct {
        uint32_t have;
        bool syn;
        const char *hex;
    } want[] = {
        {ALL, true, "020405b4 0402080a 00000001 00000002 01030307"},
        {OPT_MSS, true, "020405b4"},
        {OPT_MSS | OPT_SACK_OK, true, "020405b4 01010402"},
        {OPT_MSS | OPT_TIMESTAMP, true, "020405b4 0101080a 00000001 00000002"},
        {OPT_MSS | OPT_SACK_OK | OPT_WSCALE, true, "020405b4 01010402 01030307"},
        {0, true, ""},
        {ALL, false, "0101080a 00000001 00000002"}, /* RFC 7323 appendix A */
        {OPT_MSS | OPT_SACK_OK | OPT_WSCALE, false, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        struct wire_options o = {
            .have = want[i].have, .mss = 1460, .wscale = 7, .tsval = 1, .tsecr = 2};
        struct wire_options back;
        uint8_t out[40], bytes[40];
        size_t n = recipe_hex(want[i].hex, bytes, sizeof bytes);
        assert_int_equal(wire_options_write(&o, want[i].syn, out), n);
        assert_memory_equal(out, bytes, n);
        wire_options_parse(&back, out, n);
        assert_int_equal(back.have, want[i].syn ? want[i].have : want[i].have & OPT_TIMESTAMP);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads),
        cmocka_unit_test(keeps_the_first_twenty_kinds),
        cmocka_unit_test(any_cut_of_a_syn_is_survived),
        cmocka_unit_test(writes_what_linux_sends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
