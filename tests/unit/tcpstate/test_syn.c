/* SPDX-License-Identifier: GPL-3.0-or-later
 * The open: SYN, its retransmission, and what may answer it. */
#include "unit/tcpstate/play.h"

#include "tcpstate/tcp_int.h"

static const struct row rows[] = {
    {"RFC 9293 3.10.1 OPEN sends SYN with the options asked for",
     "config ts sack ws 7\n"
     "open\n"
     "> S 0:0(0) win 64240 <mss 1460,sackOK,TS val 100 ecr 0,wscale 7>\n"
     "events -"},
    {"RFC 3168 6.1.1 an ECN-setup SYN has ECE and CWR and is not ECT",
     "config ecn\n"
     "open\n"
     "> S 0:0(0) win 64240 <mss 1460> [EW]"},
    {"RFC 6298 2.1, 5.5 SYN at 0, 1 and 3 s, same flags and ISS; timeout 3 s after the last",
     "config ecn ts\n"
     "open\n"
     "> S 0:0(0) <mss 1460,TS val 100 ecr 0> [EW]\n"
     "+999\n> nothing\nevents -\n"
     "+1\n> S 0:0(0) <mss 1460,TS val 1100 ecr 0> [EW]\nevents retransmitted\n"
     "+1999\n> nothing\n"
     "+1\n> S 0:0(0) <mss 1460,TS val 3100 ecr 0> [EW]\n"
     "+2999\n> nothing\nevents retransmitted\n"
     "+1\n> nothing\nevents syn_timeout\nstate CLOSED"},
    {"law: a SYN/ACK after the SYN timeout is refused by RST (RFC 9293 3.10.7.1)",
     "config tries 1\n"
     "open\n> S 0:0(0)\n+3000\nevents syn_timeout\n"
     "<! S. 0:0(0) ack 1\n> R 1:1(0)"},
    {"RFC 9293 3.10.7.3 step 4: SYN/ACK establishes, ACK goes at once",
     "in SYN-SENT\n"
     "< S. 0:0(0) ack 1 win 1000 <mss 1460>\n"
     "> . 1:1(0) ack 1 win 64240\n"
     "state ESTABLISHED\nevents established"},
    {"RFC 9293 3.10.7.3 step 4: data written in the same turn carries the ACK",
     "in SYN-SENT\n"
     "< S. 0:0(0) ack 1 <mss 1460>\nwrite 100\n"
     "> P. 1:101(100) ack 1\n> nothing"},
    {"RFC 9293 3.10.2 data written in SYN-SENT waits for the SYN/ACK",
     "in SYN-SENT\nwrite 100\n> nothing\n"
     "< S. 0:0(0) ack 1 <mss 1460>\n"
     "> P. 1:101(100) ack 1"},
    {"RFC 9293 3.10.7.3 step 1: SYN/ACK of an old SYN draws RST, we stay",
     "in SYN-SENT\n"
     "<! S. 0:0(0) ack 0\n> R 0:0(0)\nevents bad_synack\nstate SYN-SENT\n"
     "<! S. 0:0(0) ack 2\n> R 2:2(0)\nevents bad_synack\n"
     "+1000\n> S 0:0(0)\n"
     "< S. 0:0(0) ack 1\n> . 1:1(0) ack 1\nevents established retransmitted"},
    {"RFC 9293 3.10.7.3 step 1: a stray ACK draws RST, is no event",
     "in SYN-SENT\n<! . 0:0(0) ack 77\n> R 77:77(0)\nevents -\nstate SYN-SENT"},
    {"RFC 5961 10: answers to bad SYN/ACKs are bounded",
     "in SYN-SENT\n"
     "<! S. 0:0(0) ack 2\n> R 2:2(0)\n<! S. 0:0(0) ack 3\n> R 3:3(0)\n"
     "<! S. 0:0(0) ack 4\n> R 4:4(0)\n<! S. 0:0(0) ack 5\n> R 5:5(0)\n"
     "<! S. 0:0(0) ack 6\n> R 6:6(0)\n<! S. 0:0(0) ack 7\n> R 7:7(0)\n"
     "<! S. 0:0(0) ack 8\n> R 8:8(0)\n<! S. 0:0(0) ack 9\n> R 9:9(0)\n"
     "<! S. 0:0(0) ack 10\n> R 10:10(0)\n<! S. 0:0(0) ack 11\n> R 11:11(0)\n"
     "<! S. 0:0(0) ack 12\n> nothing\n"
     "+500\n<! S. 0:0(0) ack 13\n> R 13:13(0)\n<! S. 0:0(0) ack 14\n> nothing\nstate SYN-SENT"},
    {"RFC 9293 3.10.7.3 step 2: RST that acknowledges the SYN refuses",
     "in SYN-SENT\n< R. 0:0(0) ack 1\n> nothing\nevents refused\nstate CLOSED"},
    {"RFC 5961 3.2: RST with another ACK, or none, is dropped in SYN-SENT",
     "in SYN-SENT\n<! R. 0:0(0) ack 0\n<! R. 0:0(0) ack 2\n<! R 0:0(0)\n<! R 1:1(0)\n"
     "> nothing\nevents -\nstate SYN-SENT"},
    {"RFC 9293 3.5 figure 8: a simultaneous open is let pass",
     "in SYN-SENT\n<! S 0:0(0) <mss 1460>\n> nothing\nevents -\nstate SYN-SENT\n"
     "+1000\n> S 0:0(0)\n< S. 0:0(0) ack 1\n> . 1:1(0) ack 1\nstate ESTABLISHED"},
    {"RFC 9293 3.10.7.3 step 5: neither SYN nor RST is dropped",
     "in SYN-SENT\n<! . 0:0(0) ack 1\n<! F. 0:0(0) ack 1\n<! none 0:0(0)\n<! P. 0:5(5) ack 1\n"
     "> nothing\nevents -\nstate SYN-SENT"},
    {"RFC 9293 3.10.7.3: text on the SYN/ACK is delivered",
     "in SYN-SENT\n< S. 0:10(10) ack 1\nstate ESTABLISHED\nevents established delivered\n"
     "> . 1:1(0) ack 11"},
    {"RFC 9293 3.1: a wrong checksum is as good as loss",
     "in SYN-SENT\n<! S. 0:0(0) ack 1 bad-cksum\n> nothing\nevents -\nstate SYN-SENT"},
    {"RFC 5961 4.2: a SYN/ACK that comes again is answered by ACK",
     "in ESTABLISHED\n<! S. 0:0(0) ack 1\n> . 1:1(0) ack 1\nevents -\n"
     "< P. 1:11(10) ack 1\n<! S. 0:0(0) ack 1\n> . 1:1(0) ack 11\nstate ESTABLISHED"},
    {"RFC 9293 3.10.4 CLOSE in SYN-SENT: over, and nothing is sent",
     "in SYN-SENT\nclose\n> nothing\nevents aborted\nstate CLOSED\n+10000\n> nothing"},
    {"RFC 9293 3.10.5 ABORT in SYN-SENT sends nothing; a late SYN/ACK is refused",
     "in SYN-SENT\nabort\n> nothing\nevents aborted\nstate CLOSED\n"
     "<! S. 0:0(0) ack 1\n> R 1:1(0)\n<! R. 1:1(0) ack 1\n> nothing"},
    {"RFC 9293 3.10.7.1 before OPEN nothing is answered",
     "<! S. 0:0(0) ack 1\n<! R 0:0(0)\n<! P. 1:9(8) ack 1\n> nothing\nstate CLOSED\nevents -"},
    {"RFC 9293 3.7.1: no MSS option means 536", "in SYN-SENT\n< S. 0:0(0) ack 1\nwrite 600\n"
                                                "> . 1:537(536) ack 1\n> P. 537:601(64) ack 1"},
};

static void every_table_is_full(void **state)
{
    (void)state;
    for (unsigned s = 0; s < TCP_NSTATES; s++) {
        assert_non_null(tcp_on_segment[s]);
        assert_non_null(tcp_on_text[s]);
        assert_non_null(tcp_on_peer_fin[s]);
        assert_non_null(tcp_on_fin_acked[s]);
        assert_non_null(tcp_on_close[s]);
        assert_non_null(tcp_on_timeout[s]);
        assert_non_null(tcp_on_output[s]);
        assert_string_not_equal(tcp_state_name((enum tcp_state)s), "?");
    }
}

static void the_machine_is_small(void **state)
{
    (void)state;
    assert_true(sizeof(struct tcp) <= 320);
}

/* RFC 5927 4.1. */
static void a_quote_must_be_of_something_in_flight(void **state)
{
    (void)state;
    struct tcp_config c = {.iss = UINT32_MAX};
    struct tcp m;
    struct tcp_out out;
    rs_mono now = {RS_SEC};
    tcp_out_clear(&out);
    tcp_init(&m, &c);
    assert_false(tcp_quote_plausible(&m, c.iss));
    tcp_open(&m, now);
    assert_false(tcp_quote_plausible(&m, c.iss)); /* not sent yet */
    tcp_output(&m, now, &out);
    assert_true(tcp_quote_plausible(&m, c.iss));
    assert_false(tcp_quote_plausible(&m, c.iss + 1));
    assert_false(tcp_quote_plausible(&m, c.iss - 1));
    assert_int_equal(tcp_syns_sent(&m), 1);
    struct recipe r;
    tcp_input(&m, recipe(&r, "S. 0:0(0) ack 1", 9, c.iss), now, &out);
    assert_false(tcp_quote_plausible(&m, c.iss));
    assert_false(tcp_quote_plausible(&m, c.iss + 1));
    assert_int_equal(tcp_write(&m, play_request, 100, now), 0);
    tcp_output(&m, now, &out);
    assert_true(tcp_quote_plausible(&m, c.iss + 1));
    assert_true(tcp_quote_plausible(&m, c.iss + 100));
    assert_false(tcp_quote_plausible(&m, c.iss + 101));
    tcp_release(&m);
}

int main(void)
{
    const struct CMUnitTest extra[] = {
        cmocka_unit_test(every_table_is_full),
        cmocka_unit_test(the_machine_is_small),
        cmocka_unit_test(a_quote_must_be_of_something_in_flight),
    };
    return play_main(PLAY_ROWS(rows), extra, sizeof extra / sizeof *extra);
}
