/* SPDX-License-Identifier: GPL-3.0-or-later
 * RFC 3168: negotiation, ECT, the echo of CE, and the answer to ECE. */
#include "unit/tcpstate/play.h"

static const struct row rows[] = {
    {"RFC 3168 6.1.1: ECE without CWR negotiates; new data is ECT(0)",
     "config ecn\nin SYN-SENT\n< S. 0:0(0) ack 1 <mss 1460> [E]\nwrite 10\n"
     "> P. 1:11(10) ack 1 [ect0]"},
    {"RFC 3168 6.1.1.2: a reflected ECE+CWR does not",
     "config ecn\nin SYN-SENT\n< S. 0:0(0) ack 1 <mss 1460> [EW]\nwrite 10\n"
     "> P. 1:11(10) ack 1"},
    {"RFC 3168 6.1.1: CWR alone does not",
     "config ecn\nin SYN-SENT\n< S. 0:0(0) ack 1 <mss 1460> [W]\nwrite 10\n> P. 1:11(10) ack 1"},
    {"RFC 3168 6.1.1: neither does not",
     "config ecn\nin SYN-SENT\n< S. 0:0(0) ack 1 <mss 1460>\nwrite 10\n> P. 1:11(10) ack 1"},
    {"RFC 3168 6.1.1: ECE that nobody asked for does not",
     "in SYN-SENT\n< S. 0:0(0) ack 1 <mss 1460> [E]\nwrite 10\n> P. 1:11(10) ack 1"},
    {"RFC 3168 6.1.5, 6.1.6: retransmission, pure ACK and FIN are not ECT",
     "config ecn\nin ESTABLISHED\nwrite 10\n> P. 1:11(10) ack 1 [ect0]\n+200\n"
     "> P. 1:11(10) ack 1\n< P. 1:11(10) ack 11\n+40\n> . 11:11(0) ack 11\nclose\n"
     "> F. 11:11(0) ack 11"},
    {"RFC 3168 6.1.5: new data with FIN is data",
     "config ecn\nin ESTABLISHED\nwrite 10\nclose\n> FP. 1:11(10) ack 1 [ect0]"},
    {"RFC 3168 6.1.6: window probe and RST are not ECT",
     "config ecn\nin SYN-SENT\n< S. 0:0(0) ack 1 win 0 [E]\nwrite 10\n> . 1:1(0) ack 1\n+200\n"
     "> . 0:0(0) ack 1\nabort\n> R. 1:1(0) ack 1"},
    {"RFC 3168 6.1.3: CE is echoed on every segment until CWR",
     "config ecn\nin ESTABLISHED\n< P. 1:11(10) ack 1 [ce]\n> . 1:1(0) ack 11 [E]\nevents "
     "delivered ce\n"
     "< P. 11:21(10) ack 1 [ect0]\n+40\n> . 1:1(0) ack 21 [E]\n"
     "write 10\n> P. 1:11(10) ack 21 [E] [ect0]\n+200\n> P. 1:11(10) ack 21 [E]\n"
     "events delivered retransmitted\n"
     "< P. 21:31(10) ack 11 [W] [ect0]\n> . 11:11(0) ack 31\nevents delivered acked cwr"},
    {"RFC 3168 6.1.3: the mark that starts the echo is acknowledged at once",
     "config ecn\nin ESTABLISHED\n< P. 1:11(10) ack 1 [ce]\n> . 1:1(0) ack 11 [E]"},
    {"RFC 3168 6.1.3: CE and CWR on one segment, CE wins",
     "config ecn\nin ESTABLISHED\n< P. 1:11(10) ack 1 [ce]\n> . 1:1(0) ack 11 [E]\n"
     "< P. 11:21(10) ack 1 [W] [ce]\n> . 1:1(0) ack 21 [E]\n"
     "< P. 21:31(10) ack 1 [W]\n> . 1:1(0) ack 31"},
    {"RFC 3168 6.1.3: CWR on a pure ACK ends the echo",
     "config ecn\nin ESTABLISHED\n< P. 1:11(10) ack 1 [ce]\n> . 1:1(0) ack 11 [E]\n"
     "< . 11:11(0) ack 1 [W]\n> nothing\nevents delivered ce cwr\n"
     "< P. 11:21(10) ack 1\n+40\n> . 1:1(0) ack 21"},
    {"RFC 3168 6.1.3: FIN and challenge carry the echo",
     "config ecn\nin ESTABLISHED\n< P. 1:11(10) ack 1 [ce]\n> . 1:1(0) ack 11 [E]\n"
     "<! S 500:500(0)\n> . 1:1(0) ack 11 [E]\nclose\n> F. 1:1(0) ack 11 [E]\n"
     "abort\n> R. 2:2(0) ack 11"},
    {"RFC 3168 6.1.4: CE on a pure ACK is not echoed",
     "config ecn\nin ESTABLISHED\n< . 1:1(0) ack 1 [ce]\n< P. 1:11(10) ack 1\n+40\n"
     "> . 1:1(0) ack 11\nevents delivered"},
    {"RFC 3168 6.1.4: CE on a FIN without text is not echoed",
     "config ecn\nin ESTABLISHED\n< F. 1:1(0) ack 1 [ce]\n> . 1:1(0) ack 2\nevents peer_fin"},
    {"RFC 3168 6.1.5: CE on an old copy is not echoed",
     "config ecn\nin ESTABLISHED\n< P. 1:11(10) ack 1\n+40\n> . 1:1(0) ack 11\n"
     "<! P. 1:11(10) ack 1 [ce]\n> . 1:1(0) ack 11\nevents delivered"},
    {"RFC 3168 6.1.3: CE out of order in the window is echoed",
     "config ecn\nin ESTABLISHED\n< P. 11:21(10) ack 1 [ce]\n> . 1:1(0) ack 1 [E]\nevents ce"},
    {"RFC 3168 5: ECT(0), ECT(1) and Not-ECT are not echoed",
     "config ecn\nin ESTABLISHED\n< P. 1:11(10) ack 1 [ect0]\n< P. 11:21(10) ack 1 [ect1]\n"
     "> . 1:1(0) ack 21\n< P. 21:31(10) ack 1\n+40\n> . 1:1(0) ack 31\nevents delivered"},
    {"RFC 3168 6.1.2: ECE while data is in flight: CWR on the first new data only",
     "config ecn\nin SYN-SENT\n< S. 0:0(0) ack 1 <mss 100> [E]\nwrite 200\n"
     "> . 1:101(100) ack 1 [ect0]\n> P. 101:201(100) ack 1 [ect0]\nevents established\n"
     "< . 1:1(0) ack 101 [E]\nevents acked ece\nwrite 200\n"
     "> . 201:301(100) ack 1 [W] [ect0]\n> P. 301:401(100) ack 1 [ect0]"},
    {"RFC 3168 6.1.2: at most once a window of data",
     "config ecn\nin SYN-SENT\n< S. 0:0(0) ack 1 <mss 100> [E]\nwrite 200\n"
     "> . 1:101(100) ack 1 [ect0]\n> P. 101:201(100) ack 1 [ect0]\n"
     "< . 1:1(0) ack 101 [E]\nwrite 100\n> P. 201:301(100) ack 1 [W] [ect0]\n"
     "< . 1:1(0) ack 201 [E]\nwrite 100\n> P. 301:401(100) ack 1 [ect0]\n"
     "< . 1:1(0) ack 301 [E]\nwrite 100\n> P. 401:501(100) ack 1 [W] [ect0]"},
    {"RFC 3168 6.1.2: ECE with nothing in flight asks for nothing",
     "config ecn\nin ESTABLISHED\n< . 1:1(0) ack 1 [E]\nevents ece\nwrite 10\n"
     "> P. 1:11(10) ack 1 [ect0]\n< . 1:1(0) ack 11\n< . 1:1(0) ack 11 [E]\nwrite 10\n"
     "> P. 11:21(10) ack 1 [ect0]"},
    {"RFC 3168 6.1.2: ECE halves the window",
     "config ecn\nin SYN-SENT\n< S. 0:0(0) ack 1 <mss 100> [E]\nwrite 100\n"
     "> P. 1:101(100) ack 1 [ect0]\n< . 1:1(0) ack 101 [E]\nwrite 900\n"
     "> . 101:201(100) ack 1 [W] [ect0]\n> . 201:301(100) ack 1 [ect0]\n"
     "> . 301:401(100) ack 1 [ect0]\n> . 401:501(100) ack 1 [ect0]\n> nothing"},
    {"RFC 3168 6.1.2: CWR also after a timeout, on the next new data",
     "config ecn\nin ESTABLISHED\nwrite 10\n> P. 1:11(10) ack 1 [ect0]\n+200\n"
     "> P. 1:11(10) ack 1\n< . 1:1(0) ack 11\nwrite 10\n> P. 11:21(10) ack 1 [W] [ect0]\n"
     "< . 1:1(0) ack 21\nwrite 10\n> P. 21:31(10) ack 1 [ect0]"},
    {"RFC 3168 6.1.2: no CWR on a FIN, an ACK or a retransmission",
     "config ecn\nin ESTABLISHED\nwrite 20\n> P. 1:21(20) ack 1 [ect0]\n< . 1:1(0) ack 11 [E]\n"
     "+200\n> P. 11:21(10) ack 1\n< P. 1:11(10) ack 21\n+40\n> . 21:21(0) ack 11\nclose\n"
     "> F. 21:21(0) ack 11"},
    {"RFC 3168 6.1.1: not negotiated, CE is not echoed and ECE not answered",
     "config ecn\nin SYN-SENT\n< S. 0:0(0) ack 1 <mss 1460>\nwrite 10\n> P. 1:11(10) ack 1\n"
     "< P. 1:11(10) ack 11 [EW] [ce]\nevents established acked delivered\nwrite 10\n"
     "> P. 11:21(10) ack 11"},

    {"RFC 5681 3.1: after ECE the window grows by a segment a round trip",
     "config ecn\nin SYN-SENT\n< S. 0:0(0) ack 1 <mss 100> [E]\nwrite 100\n"
     "> P. 1:101(100) ack 1 [ect0]\n< . 1:1(0) ack 101 [E]\nwrite 1500\n"
     "> . 101:201(100) ack 1 [W] [ect0]\n> . 201:301(100) ack 1 [ect0]\n"
     "> . 301:401(100) ack 1 [ect0]\n> . 401:501(100) ack 1 [ect0]\n> nothing\n"
     "< . 1:1(0) ack 201\n> . 501:601(100) ack 1 [ect0]\n< . 1:1(0) ack 301\n"
     "> . 601:701(100) ack 1 [ect0]\n< . 1:1(0) ack 401\n> . 701:801(100) ack 1 [ect0]\n"
     "< . 1:1(0) ack 501\n> . 801:901(100) ack 1 [ect0]\n> . 901:1001(100) ack 1 [ect0]\n"
     "> nothing"},
};

static bool negotiated(const char *synack, bool asked)
{
    struct tcp_config c = {.iss = 1, .ecn = asked};
    struct tcp m;
    struct tcp_out out;
    struct recipe r;
    rs_mono now = {RS_SEC};
    tcp_out_clear(&out);
    tcp_init(&m, &c);
    tcp_open(&m, now);
    tcp_output(&m, now, &out);
    assert_int_equal(tcp_input(&m, recipe(&r, synack, 9, 1), now, &out), 0);
    bool on = tcp_ecn_negotiated(&m);
    tcp_release(&m);
    return on;
}

/* ecn: all eight answers of (AE,CWR,ECE). */
static void negotiation_by_flags(void **state)
{
    (void)state;
    assert_false(negotiated("S. 0:0(0) ack 1", true));
    assert_true(negotiated("S. 0:0(0) ack 1 [E]", true));
    assert_false(negotiated("S. 0:0(0) ack 1 [W]", true));
    assert_false(negotiated("S. 0:0(0) ack 1 [EW]", true));
    assert_false(negotiated("S. 0:0(0) ack 1 [e]", true));
    assert_true(negotiated("S. 0:0(0) ack 1 [Ee]", true)); /* RFC 3540: the nonce sum */
    assert_false(negotiated("S. 0:0(0) ack 1 [We]", true));
    assert_false(negotiated("S. 0:0(0) ack 1 [EWe]", true));
    assert_false(negotiated("S. 0:0(0) ack 1 [E]", false));
}

int main(void)
{
    const struct CMUnitTest extra[] = {cmocka_unit_test(negotiation_by_flags)};
    return play_main(PLAY_ROWS(rows), extra, 1);
}
