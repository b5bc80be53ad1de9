/* SPDX-License-Identifier: GPL-3.0-or-later
 * capture_neighbour on packets that were never captured: no network. */
#include "unit/net/netns.h"

#include "net/capture.h"
#include "wire/link.h"

#define TARGET "2001:db8::9"
#define US     "2001:db8::1"

/* An advertisement of TARGET, with the option that bears its MAC if `option`. Bytes in `out`. */
static size_t advert(uint8_t *out, bool option)
{
    static const uint8_t mac_option[8] = {2, 1, 2, 0, 0, 0, 0, 0x77};
    const struct packet_words w = {
        .src = TARGET, .dst = US, .proto = 58, .type = 136, .payload = option ? 24 : 16};
    struct wire_addr target = addr(TARGET);
    size_t n = packet_make(out, &w);
    memcpy(out + 48, target.bytes, 16);
    if (option)
        memcpy(out + 64, mac_option, sizeof mac_option);
    return n;
}

static void finish(uint8_t *packet, size_t n)
{
    struct wire_addr src = addr(TARGET), dst = addr(US);
    put16(packet + 42, 0);
    uint32_t sum = wire_sum_pseudo(&src, &dst, 58, (uint32_t)n - 40);
    put16(packet + 42, 0xffffu & ~(unsigned)wire_sum_fold(wire_sum(sum, packet + 40, n - 40)));
}

/* RFC 4861 7.1.2 and 4.4: hop limit 255, a good checksum, options that end. */
static void advertisements(void **state)
{
    static const struct {
        const char *name;
        bool option;
        unsigned at;
        uint8_t value;
        bool found;
        uint8_t mac;
    } rows[] = {
        {"with option", true, 0, 0x60, true, 0x77}, {"without option", false, 0, 0x60, true, 2},
        {"other option", true, 64, 14, true, 2},    {"hop limit 64", true, 7, 64, false, 0},
        {"code 1", true, 41, 1, false, 0},          {"solicitation", true, 40, 135, false, 0},
        {"option length 0", true, 65, 0, false, 0}, {"too long", true, 5, 200, false, 0},
        {"group MAC", true, 66, 3, false, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t packet[128], mac[6];
        struct wire_addr a;
        size_t n = advert(packet, rows[i].option);
        packet[rows[i].at] = rows[i].value;
        finish(packet, n);
        const struct capture_packet p = {
            .ip = packet, .ip_captured = (uint32_t)n, .ethertype = 0x86dd, .src_mac = far_mac};
        if (capture_neighbour(&p, &a, mac) != rows[i].found)
            fail_msg("%s", rows[i].name);
        if (!rows[i].found)
            continue;
        assert_addr(&a, TARGET);
        assert_int_equal(mac[5], rows[i].mac);
        packet[50] ^= 1; /* the checksum guards each bit */
        assert_false(capture_neighbour(&p, &a, mac));
    }
}

static void what_we_send_ourselves_is_no_news(void **state)
{
    uint8_t packet[128], mac[6];
    struct wire_addr a;
    (void)state;
    size_t n = advert(packet, true);
    finish(packet, n);
    struct capture_packet p = {
        .ip = packet, .ip_captured = (uint32_t)n, .ethertype = 0x86dd, .outgoing = true};
    assert_false(capture_neighbour(&p, &a, mac));
    p.outgoing = false;
    assert_true(capture_neighbour(&p, &a, mac));
    n = advert(packet, false);
    finish(packet, n);
    p.ip_captured = (uint32_t)n;
    assert_false(capture_neighbour(&p, &a, mac)); /* neither option nor frame name a MAC */
}

/* Every cut of a good answer, on the heap so that overreads show. */
static void cut_answers_do_no_harm(void **state)
{
    uint8_t packet[128], mac[6];
    struct wire_addr a;
    size_t full = advert(packet, true);
    (void)state;
    finish(packet, full);
    for (size_t n = 0; n < full; n++) {
        uint8_t *cut = malloc(n > 0 ? n : 1);
        memcpy(cut, packet, n);
        struct capture_packet p = {.ip = cut, .ip_captured = (uint32_t)n, .ethertype = 0x86dd};
        assert_false(capture_neighbour(&p, &a, mac));
        p.ethertype = WIRE_ETHER_ARP;
        assert_false(capture_neighbour(&p, &a, mac));
        free(cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(advertisements),
        cmocka_unit_test(what_we_send_ourselves_is_no_news),
        cmocka_unit_test(cut_answers_do_no_harm),
    };
    return cmocka_run_group_tests_name("net/neighbour", tests, NULL, NULL);
}
