/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "unit/base/run.h"

#include "base/hash.h"
#include "io/blocklist.h"
#include "unit/io/files.h"

static struct blocklist *list;
static struct rs_err err;

static const char *match(const char *address)
{
    struct wire_addr a;
    assert_int_equal(wire_addr_parse(address, &a), 0);
    return blocklist_match(list, &a);
}

static int load(const char *text)
{
    return blocklist_load(&list, files_make("b.conf", text, strlen(text)), &err);
}

static void forms_of_entries(void **state)
{
    (void)state;
    assert_int_equal(load("# heading\n\n"
                          "192.0.2.1\n"
                          "  198.51.100.0/24\t# a network\n"
                          "203.0.113.5-203.0.113.9\r\n"
                          "10.0.0.1 - 10.0.1.0 ## two\n"
                          "2001:db8::/33 # six\n"
                          "2001:db8:ffff::1\n"
                          "fd00::1-fd00::ff"),
                     0);
    assert_int_equal(blocklist_entries(list), 7);
    assert_string_equal(match("198.51.100.0"), "198.51.100.0/24 (a network)");
    assert_string_equal(match("198.51.100.255"), "198.51.100.0/24 (a network)");
    assert_null(match("198.51.101.0"));
    assert_null(match("198.51.99.255"));
    assert_non_null(strstr(match("192.0.2.1"), "192.0.2.1 (/tmp/"));
    assert_non_null(strstr(match("192.0.2.1"), "/b.conf:3)"));
    assert_null(match("192.0.2.0"));
    assert_null(match("192.0.2.2"));
    assert_null(match("203.0.113.4"));
    assert_non_null(match("203.0.113.5"));
    assert_non_null(match("203.0.113.9"));
    assert_null(match("203.0.113.10"));
    assert_string_equal(match("10.0.0.255"), "10.0.0.1 - 10.0.1.0 (two)");
    assert_null(match("10.0.1.1"));
    assert_string_equal(match("2001:db8:7fff:ffff::1"), "2001:db8::/33 (six)");
    assert_null(match("2001:db8:8000::"));
    assert_non_null(match("2001:db8:ffff::1"));
    assert_non_null(match("fd00::ff"));
    assert_null(match("fd00::100"));
    blocklist_free(list);
}

static void prefixes_at_their_bounds(void **state)
{
    (void)state;
    assert_int_equal(load("10.1.2.3/8 # host bits are ignored\n192.0.2.7/32\n192.0.2.8/31\n"), 0);
    assert_non_null(match("10.0.0.0"));
    assert_non_null(match("10.255.255.255"));
    assert_null(match("11.0.0.0"));
    assert_null(match("192.0.2.6"));
    assert_non_null(match("192.0.2.7"));
    assert_non_null(match("192.0.2.9"));
    assert_null(match("192.0.2.10"));
    blocklist_free(list);
    assert_int_equal(load("0.0.0.0/0\n"), 0);
    assert_non_null(match("0.0.0.0"));
    assert_non_null(match("255.255.255.255"));
    assert_null(match("::")); /* the other family */
    blocklist_free(list);
    assert_int_equal(load("::/0\n"), 0);
    assert_non_null(match("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"));
    assert_null(match("0.0.0.0"));
    blocklist_free(list);
}

static void ranges_that_overlap(void **state)
{
    (void)state;
    assert_int_equal(load("10.0.0.0-10.0.0.100 # a\n10.0.0.50-10.0.0.200 # b\n10.0.0.60 # in both\n"
                          "10.0.0.0/30 # in a\n10.0.0.150-10.0.0.255 # c\n10.0.1.0/24 # next\n"),
                     0);
    assert_string_equal(match("10.0.0.0"), "10.0.0.0-10.0.0.100 (a)");
    assert_string_equal(match("10.0.0.60"), "10.0.0.0-10.0.0.100 (a)");
    assert_string_equal(match("10.0.0.100"), "10.0.0.0-10.0.0.100 (a)");
    assert_string_equal(match("10.0.0.101"), "10.0.0.50-10.0.0.200 (b)");
    assert_string_equal(match("10.0.0.201"), "10.0.0.150-10.0.0.255 (c)");
    assert_string_equal(match("10.0.1.0"), "10.0.1.0/24 (next)");
    assert_null(match("10.0.2.0"));
    assert_int_equal(blocklist_entries(list), 6);
    blocklist_free(list);
}

static void nothing_blocks_nothing(void **state)
{
    (void)state;
    list = NULL;
    assert_null(match("10.0.0.1"));
    assert_int_equal(blocklist_entries(NULL), 0);
    blocklist_free(NULL);
    assert_int_equal(load(""), 0);
    assert_null(match("10.0.0.1"));
    blocklist_free(list);
}

static void bad_lines(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"example.org", "is a name; expected an address, a prefix or a range"},
        {"www-1.example.org", "is a name"},
        {"10.0.0.0/33", "has no valid prefix length; expected 0 to 32"},
        {"10.0.0.0/", "has no valid prefix length"},
        {"10.0.0.0/-1", "cannot be read"},
        {"10.0.0.0/8x", "is a name"},
        {"10.0.0.0/99999999999", "has no valid prefix length"},
        {"2001:db8::/129", "has no valid prefix length; expected 0 to 128"},
        {"10.0.0.256", "cannot be read; expected an address"},
        {"10.0.0", "cannot be read"},
        {"10.0.0.1 10.0.0.2", "cannot be read"},
        {"10.0.0.9-10.0.0.1", "runs backwards"},
        {"10.0.0.1-2001:db8::1", "mixes IPv4 and IPv6"},
        {"10.0.0.1-", "cannot be read"},
        {"-10.0.0.1", "cannot be read"},
        {"10.0.0.0/8-10.0.0.1", "cannot be read"},
        {"\x01\x02", "cannot be read"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char text[200];
        snprintf(text, sizeof text, "# one\n10.0.0.0/8\n%s # c\n", bad[i][0]);
        assert_int_equal(load(text), -RS_EINVAL);
        assert_null(list);
        assert_non_null(strstr(err.text, "/b.conf:3: \""));
        if (strstr(err.text, bad[i][1]) == NULL)
            assert_string_equal(err.text, bad[i][1]);
    }
}

static void lines_too_long(void **state)
{
    (void)state;
    static char text[10000];
    memset(text, '1', sizeof text - 1);
    assert_int_equal(load(text), -RS_EINVAL);
    assert_non_null(strstr(err.text, "/b.conf:1: binary, or too long"));
    memset(text, 'x', sizeof text - 1);
    memcpy(text, "10.0.0.0/8 #", 12);
    memcpy(text + 5000, "\n10.0.0.z\n", 10);
    assert_int_equal(load(text), -RS_EINVAL); /* a long comment is none of our business */
    assert_non_null(strstr(err.text, "/b.conf:2: \"10.0.0.z\""));
    text[5008] = '\n'; /* "10.0.0." */
    text[5007] = '1';
    memcpy(text + 5001, "10.0.0.1#", 9);
    assert_int_equal(load(text), 0);
    assert_int_equal(strlen(match("10.0.0.0")), strlen("10.0.0.0/8 ()") + 100);
    blocklist_free(list);
}

static void unreadable_files(void **state)
{
    (void)state;
    assert_int_equal(blocklist_load(&list, files_path("none"), &err), -RS_ENOENT);
    assert_non_null(strstr(err.text, "none: No such file or directory"));
    assert_int_equal(blocklist_load(&list, files_folder, &err), -RS_ESYS);
    assert_non_null(strstr(err.text, "Is a directory"));
}

static void special_addresses_are_blocked_by_default(void **state)
{
    (void)state;
    static const char *const blocked[] = {
        "0.0.0.0",     "0.255.255.255",   "10.1.2.3",       "100.64.0.1",      "127.0.0.1",
        "169.254.1.1", "172.16.0.1",      "172.31.255.255", "192.0.0.1",       "192.0.2.1",
        "192.88.99.1", "192.168.0.1",     "198.19.0.1",     "198.51.100.1",    "203.0.113.1",
        "224.0.0.1",   "239.1.1.1",       "240.0.0.1",      "255.255.255.255", "::",
        "::1",         "::ffff:10.0.0.1", "64:ff9b:1::1",   "100::1",          "100:0:0:1::1",
        "2001::1",     "2001:2::1",       "2001:10::1",     "2001:1ff::1",     "2001:db8::1",
        "2002::1",     "3fff::1",         "3fff:fff::1",    "5f00::1",         "fc00::1",
        "fdff::1",     "fe80::1",         "febf::1",        "ff02::1"};
    static const char *const open_to_all[] = {"1.1.1.1",
                                              "9.255.255.255",
                                              "11.0.0.0",
                                              "100.63.255.255",
                                              "100.128.0.0",
                                              "172.15.255.255",
                                              "172.32.0.0",
                                              "192.0.1.0",
                                              "192.0.3.0",
                                              "192.31.196.1",
                                              "198.17.255.255",
                                              "198.20.0.0",
                                              "223.255.255.255",
                                              "64:ff9b::1.1.1.1",
                                              "2001:200::1",
                                              "2001:4860:4860::8888",
                                              "2606:4700:4700::1111",
                                              "2a00::1",
                                              "3fff:1000::1"};
    assert_int_equal(blocklist_default(&list, &err), 0);
    for (size_t i = 0; i < sizeof blocked / sizeof blocked[0]; i++)
        if (match(blocked[i]) == NULL)
            assert_string_equal(blocked[i], "blocked");
    for (size_t i = 0; i < sizeof open_to_all / sizeof open_to_all[0]; i++)
        assert_null(match(open_to_all[i]));
    assert_string_equal(match("10.1.2.3"), "10.0.0.0/8 (RFC 1918: Private-Use)");
    blocklist_free(list);
}

/* examples/blocklist.conf must say what is built in: same entries, same text, wherever they begin
 * or end. Tests run from the top of the tree. */
static void the_example_equals_the_default(void **state)
{
    (void)state;
    struct blocklist *example, *built_in;
    assert_int_equal(blocklist_load(&example, "examples/blocklist.conf", &err), 0);
    assert_int_equal(blocklist_default(&built_in, &err), 0);
    assert_int_equal(blocklist_entries(example), blocklist_entries(built_in));
    struct rs_rand r;
    rs_rand_seed(&r, 1);
    for (int i = 0; i < 200000; i++) {
        struct wire_addr a = {.family = i & 1 ? 4 : 6};
        uint64_t x = rs_rand_next(&r);
        memcpy(a.bytes, &x, i & 1 ? 4 : 8);
        if (i % 4 == 0) /* most of the address space is empty: keep near its few blocks */
            a.bytes[0] = 0x20;
        const char *one = blocklist_match(example, &a), *two = blocklist_match(built_in, &a);
        assert_int_equal(one == NULL, two == NULL);
        if (one != NULL)
            assert_string_equal(one, two);
    }
    blocklist_free(example);
    blocklist_free(built_in);
}

/* Many ranges against a plain search through all of them. */
static void agrees_with_a_plain_search(void **state)
{
    (void)state;
    enum { N = 300 };
    static uint32_t low[N], high[N];
    struct rs_rand r;
    rs_rand_seed(&r, 5);
    FILE *f = fopen(files_path("many.conf"), "w");
    for (int i = 0; i < N; i++) {
        low[i] = (uint32_t)rs_rand_below(&r, 60000);
        high[i] = low[i] + (uint32_t)rs_rand_below(&r, i % 10 == 0 ? 3000 : 30);
        fprintf(f, "10.0.%u.%u-10.0.%u.%u\n", low[i] >> 8, low[i] & 255, high[i] >> 8,
                high[i] & 255);
    }
    fclose(f);
    assert_int_equal(blocklist_load(&list, files_path("many.conf"), &err), 0);
    for (uint32_t x = 0; x < 65536; x++) {
        struct wire_addr a = {.family = 4, .bytes = {10, 0, (uint8_t)(x >> 8), (uint8_t)x}};
        bool within = false;
        for (int i = 0; i < N; i++)
            within |= x >= low[i] && x <= high[i];
        assert_int_equal(blocklist_match(list, &a) != NULL, within);
    }
    blocklist_free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_of_entries),
        cmocka_unit_test(prefixes_at_their_bounds),
        cmocka_unit_test(ranges_that_overlap),
        cmocka_unit_test(nothing_blocks_nothing),
        cmocka_unit_test(bad_lines),
        cmocka_unit_test(lines_too_long),
        cmocka_unit_test(unreadable_files),
        cmocka_unit_test(special_addresses_are_blocked_by_default),
        cmocka_unit_test(the_example_equals_the_default),
        cmocka_unit_test(agrees_with_a_plain_search),
    };
    unit_filter();
    return cmocka_run_group_tests(tests, files_begin, files_end);
}
