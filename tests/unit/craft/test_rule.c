/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "craft/rule.h"
#include "unit/recipe.h"

static const char syn[] = "S 0:0(0) win 64240 <mss 1460,sackOK,TS val 1 ecr 0,wscale 7> ttl 64";
static const char data[] = "P. 1:11(10) ack 1 win 502 [ect0] ttl 64";

struct row {
    const char *name, *segment;
    uint16_t ordinal, tries;
    uint8_t state;
    struct rule rule;
    const char *want; /* NULL: unchanged */
};

static const uint8_t mss536[] = {2, 4, 2, 24};

static const struct row rows[] = {
    {"ECN-setup SYN, RFC 3168 6.1.1",
     syn,
     1,
     1,
     1,
     {{.classes = RULE_CLASS(SEG_SYN)}, {.flags_set = TCP_ECE | TCP_CWR}},
     "S 0:0(0) win 64240 <mss 1460,sackOK,TS val 1 ecr 0,wscale 7> [EW] ttl 64"},
    {"AccECN SYN, RFC 9768 3.1.1",
     syn,
     1,
     1,
     1,
     {{.classes = RULE_CLASS(SEG_SYN)}, {.flags_set = TCP_ECE | TCP_CWR | TCP_AE}},
     "S 0:0(0) win 64240 <mss 1460,sackOK,TS val 1 ecr 0,wscale 7> [EWe] ttl 64"},
    {"another class",
     data,
     1,
     1,
     2,
     {{.classes = RULE_CLASS(SEG_SYN) | RULE_CLASS(SEG_FIN)}, {.flags_set = TCP_ECE}},
     NULL},
    {"every class",
     data,
     1,
     1,
     2,
     {{0}, {.have = CHANGE_ECN, .ecn = IP_ECN_CE}},
     "P. 1:11(10) ack 1 win 502 [ce] ttl 64"},
    {"clear before set",
     data,
     1,
     1,
     2,
     {{0}, {.flags_clear = TCP_PSH | TCP_ACK, .flags_set = TCP_ACK | TCP_URG}},
     ".U 1:11(10) ack 1 win 502 urg 0 [ect0] ttl 64"},
    {"a reserved bit",
     data,
     1,
     1,
     2,
     {{0}, {.flags_set = TCP_R1}},
     "P. 1:11(10) ack 1 win 502 [1] [ect0] ttl 64"},
    {"DSCP, TTL, window, checksum",
     data,
     1,
     1,
     2,
     {{0},
      {.have = CHANGE_DSCP | CHANGE_TTL | CHANGE_WINDOW | CHANGE_BAD_CHECKSUM,
       .dscp = 46,
       .ttl = 3,
       .window = 7}},
     "P. 1:11(10) ack 1 win 7 [ect0] ttl 3 dscp 46 bad-cksum"},
    {"what has no CHANGE bit stays",
     data,
     1,
     1,
     2,
     {{0},
      {.dscp = 46,
       .ttl = 3,
       .window = 7,
       .ecn = 1,
       .ip_flags = 4,
       .options = mss536,
       .options_bytes = 4,
       .payload_bytes = 1}},
     NULL},
    {"options replaced",
     syn,
     1,
     1,
     1,
     {{0}, {.have = CHANGE_OPTIONS, .options = mss536, .options_bytes = 4}},
     "S 0:0(0) win 64240 <mss 536> ttl 64"},
    {"options taken away",
     syn,
     1,
     1,
     1,
     {{0}, {.have = CHANGE_OPTIONS}},
     "S 0:0(0) win 64240 ttl 64"},
    {"payload on the SYN",
     syn,
     1,
     1,
     1,
     {{0}, {.have = CHANGE_PAYLOAD, .payload = mss536, .payload_bytes = 4}},
     "S 0:4(4) win 64240 <mss 1460,sackOK,TS val 1 ecr 0,wscale 7> ttl 64"},
    {"payload taken away",
     data,
     1,
     1,
     2,
     {{0}, {.have = CHANGE_PAYLOAD}},
     "P. 1:1(0) ack 1 win 502 [ect0] ttl 64"},
    {"ordinal before the range",
     data,
     2,
     1,
     2,
     {{.ordinal_from = 3}, {.flags_set = TCP_URG}},
     NULL},
    {"ordinal at its start",
     data,
     3,
     1,
     2,
     {{.ordinal_from = 3, .ordinal_to = 3}, {.flags_set = TCP_CWR}},
     "P. 1:11(10) ack 1 win 502 [W] [ect0] ttl 64"},
    {"ordinal behind it",
     data,
     4,
     1,
     2,
     {{.ordinal_from = 3, .ordinal_to = 3}, {.flags_set = TCP_CWR}},
     NULL},
    {"range without end",
     data,
     60000,
     1,
     2,
     {{.ordinal_from = 3}, {.flags_set = TCP_CWR}},
     "P. 1:11(10) ack 1 win 502 [W] [ect0] ttl 64"},
    {"first try",
     data,
     1,
     1,
     2,
     {{.tries = RULE_FIRST_TRY}, {.flags_set = TCP_CWR}},
     "P. 1:11(10) ack 1 win 502 [W] [ect0] ttl 64"},
    {"first try, but it is the second",
     data,
     1,
     2,
     2,
     {{.tries = RULE_FIRST_TRY}, {.flags_set = TCP_CWR}},
     NULL},
    {"retransmission",
     data,
     1,
     2,
     2,
     {{.tries = RULE_RETRANSMISSION}, {.flags_set = TCP_CWR}},
     "P. 1:11(10) ack 1 win 502 [W] [ect0] ttl 64"},
    {"retransmission, but it is the first",
     data,
     1,
     1,
     2,
     {{.tries = RULE_RETRANSMISSION}, {.flags_set = TCP_CWR}},
     NULL},
    {"any try",
     data,
     1,
     2,
     2,
     {{.tries = RULE_ANY_TRY}, {.flags_set = TCP_CWR}},
     "P. 1:11(10) ack 1 win 502 [W] [ect0] ttl 64"},
    {"in this state",
     data,
     1,
     1,
     2,
     {{.states = 1 << 2}, {.flags_set = TCP_CWR}},
     "P. 1:11(10) ack 1 win 502 [W] [ect0] ttl 64"},
    {"in another state", data, 1, 1, 3, {{.states = 1 << 2}, {.flags_set = TCP_CWR}}, NULL},
};

static void each_match_and_change(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *r = &rows[i];
        struct recipe s;
        recipe(&s, r->segment, 0, 0);
        s.seg.ordinal = r->ordinal;
        s.seg.tries = r->tries;
        s.seg.state = r->state;
        rules_apply(&r->rule, 1, &s.seg);
        const char *got = recipe_of_segment(&s.seg, 0, 0);
        if (strcmp(got, r->want != NULL ? r->want : r->segment) != 0)
            fail_msg("%s: %s", r->name, got);
    }
}

static void fields_that_no_recipe_shows(void **state)
{
    const struct rule rules[] = {
        {{0}, {.have = CHANGE_IP_FLAGS | CHANGE_ZERO_CHECKSUM, .ip_flags = 4}},
    };
    struct recipe s;
    (void)state;
    recipe(&s, data, 0, 0);
    s.seg.ip_flags = 2;
    rules_apply(rules, 1, &s.seg);
    assert_int_equal(s.seg.ip_flags, 4);
    assert_true(s.seg.zero_checksum);
    assert_false(s.seg.bad_checksum);
    const struct rule bits = {{0}, {.flags_set = 0xf000 | TCP_R1}};
    rules_apply(&bits, 1, &s.seg);
    assert_int_equal(s.seg.flags, TCP_R1 | TCP_PSH | TCP_ACK); /* twelve and no more */
}

static void later_rules_win(void **state)
{
    const struct rule rules[] = {
        {{0},
         {.have = CHANGE_ECN | CHANGE_TTL, .ecn = IP_ECN_ECT1, .ttl = 9, .flags_set = TCP_ECE}},
        {{.classes = RULE_CLASS(SEG_SYN)}, {.have = CHANGE_ECN, .ecn = IP_ECN_CE}},
        {{0}, {.have = CHANGE_ECN, .ecn = IP_ECN_ECT0, .flags_clear = TCP_ECE}},
    };
    struct recipe s;
    (void)state;
    recipe(&s, data, 0, 0);
    rules_apply(rules, 3, &s.seg);
    assert_string_equal(recipe_of_segment(&s.seg, 0, 0), "P. 1:11(10) ack 1 win 502 [ect0] ttl 9");
    rules_apply(NULL, 0, &s.seg);
    assert_string_equal(recipe_of_segment(&s.seg, 0, 0), "P. 1:11(10) ack 1 win 502 [ect0] ttl 9");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_match_and_change),
        cmocka_unit_test(fields_that_no_recipe_shows),
        cmocka_unit_test(later_rules_win),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
