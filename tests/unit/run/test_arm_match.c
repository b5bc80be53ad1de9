/* SPDX-License-Identifier: GPL-3.0-or-later
 * Arms told by their SYN, from the rules that the plugin itself has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "run/arm_match.h"
#include "unit/recipe.h"
#include "wire/options.h"

#define RULES(...) .rules = (const struct rule[]){__VA_ARGS__}, .n_rules = 1
#define ON_SYN     .when = {.classes = RULE_CLASS(SEG_SYN)}

static int arm(const struct arm *arms, size_t n, const char *words)
{
    struct recipe r;
    const struct plugin p = {.arms = arms, .n_arms = n};
    return arm_of_syn(&p, recipe(&r, words, 1, 1));
}

#define LINUX " <mss 1460,sackOK,TS val 1 ecr 0,nop,wscale 7>"

static void by_flags(void **state)
{
    (void)state;
    const struct arm arms[] = {
        {.name = "plain"},
        {.name = "ecn", RULES({ON_SYN, .change = {.flags_set = TCP_ECE | TCP_CWR}})},
        {.name = "accecn", RULES({ON_SYN, .change = {.flags_set = TCP_ECE | TCP_CWR | TCP_AE}})}};
    assert_int_equal(arm(arms, 2, "S 0:0(0)" LINUX), 0);
    assert_int_equal(arm(arms, 2, "S 0:0(0) [EW]" LINUX), 1);
    assert_int_equal(arm(arms, 2, "S 0:0(0) [EW] ttl 3 win 9 dscp 7"), 1); /* no arm's matter */
    assert_int_equal(arm(arms, 2, "S 0:0(0) [E]" LINUX), -1);
    assert_int_equal(arm(arms, 2, "S 0:0(0) [W]" LINUX), -1);
    assert_int_equal(arm(arms, 2, "S 0:0(0) [EWe]" LINUX), -1); /* AccECN is another question */
    assert_int_equal(arm(arms, 2, "S 0:0(0) [EW] [ect0]" LINUX), -1); /* a server may refuse it */
    assert_int_equal(arm(arms, 2, "S 0:0(0) [ect0]" LINUX), -1);
    assert_int_equal(arm(arms, 3, "S 0:0(0) [EWe]" LINUX), 2);
    assert_int_equal(arm(arms, 3, "S 0:0(0) [EW]" LINUX), 1);
    assert_int_equal(arm(arms, 3, "S 0:0(0) [e]" LINUX), -1);
}

static void by_the_ip_header(void **state)
{
    (void)state;
    const struct arm arms[] = {
        {.name = "zero"},
        {.name = "dscp", RULES({ON_SYN, .change = {.have = CHANGE_DSCP, .dscp = 46}})},
        {.name = "ce", RULES({ON_SYN, .change = {.have = CHANGE_ECN, .ecn = IP_ECN_CE}})}};
    assert_int_equal(arm(arms, 3, "S 0:0(0)"), 0);
    assert_int_equal(arm(arms, 3, "S 0:0(0) dscp 46"), 1);
    assert_int_equal(arm(arms, 3, "S 0:0(0) [ce]"), 2);
    assert_int_equal(arm(arms, 3, "S 0:0(0) [ce] dscp 46"), -1);
    assert_int_equal(arm(arms, 3, "S 0:0(0) dscp 8"), -1);
}

static void by_options(void **state)
{
    (void)state;
    static const uint8_t mss_only[] = {2, 4, 5, 0xb4};
    const struct arm arms[] = {
        {.name = "all"},
        {.name = "mss",
         RULES({ON_SYN,
                .change = {.have = CHANGE_OPTIONS, .options = mss_only, .options_bytes = 4}})}};
    assert_int_equal(arm(arms, 2, "S 0:0(0)" LINUX), 0);
    assert_int_equal(arm(arms, 2, "S 0:0(0) <mss 1220>"), 1);
    assert_int_equal(arm(arms, 2, "S 0:0(0) <mss 1220,sackOK,nop,nop>"), -1);
}

/* What differs only behind the SYN cannot be told by it. */
static void arms_with_one_syn_are_not_guessed(void **state)
{
    (void)state;
    const struct arm arms[] = {{.name = "plain"},
                               {.name = "data",
                                RULES({.when = {.classes = RULE_CLASS(SEG_DATA)},
                                       .change = {.have = CHANGE_ECN, .ecn = IP_ECN_ECT1}})}};
    assert_int_equal(arm(arms, 2, "S 0:0(0)" LINUX), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_flags),
        cmocka_unit_test(by_the_ip_header),
        cmocka_unit_test(by_options),
        cmocka_unit_test(arms_with_one_syn_are_not_guessed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
