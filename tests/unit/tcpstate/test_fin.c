/* SPDX-License-Identifier: GPL-3.0-or-later
 * Closing: who says FIN first, what is sent again, and when it is over. */
#include "unit/tcpstate/play.h"

static const struct row rows[] = {
    {"RFC 9293 3.6 case 1: we close first",
     "in ESTABLISHED\nclose\nstate FIN-WAIT-1\n> F. 1:1(0) ack 1\n> nothing\n"
     "< . 1:1(0) ack 2\nstate FIN-WAIT-2\nevents acked\n"
     "< F. 1:1(0) ack 2\nstate TIME-WAIT\nevents peer_fin closed\n> . 2:2(0) ack 2"},
    {"RFC 9293 3.6 case 2: the peer closes first, our FIN rides on the ACK",
     "in ESTABLISHED\n< F. 1:1(0) ack 1\nstate CLOSE-WAIT\nevents peer_fin\nclose\n"
     "> F. 1:1(0) ack 2\n> nothing\nstate LAST-ACK\n"
     "< . 2:2(0) ack 2\nstate CLOSED\nevents acked closed\n> nothing"},
    {"RFC 9293 3.6 case 3: both at once",
     "in FIN-WAIT-1\n< F. 1:1(0) ack 1\nstate CLOSING\nevents peer_fin\n> . 2:2(0) ack 2\n"
     "< . 2:2(0) ack 2\nstate TIME-WAIT\nevents acked closed\n> nothing"},
    {"RFC 9293 3.10.7.4 step 8: ACK of our FIN and the peer's FIN in one",
     "in FIN-WAIT-1\n< F. 1:1(0) ack 2\nstate TIME-WAIT\nevents acked peer_fin closed\n"
     "> . 2:2(0) ack 2"},
    {"RFC 9293 3.10.4: FIN after what was written, on its last segment",
     "in SYN-SENT\n< S. 0:0(0) ack 1 <mss 100>\nwrite 150\nclose\n"
     "> . 1:101(100) ack 1\n> FP. 101:151(50) ack 1\n"
     "< . 1:1(0) ack 152\nstate FIN-WAIT-2"},
    {"three packets of ours for a one-segment exchange",
     "open\n> S 0:0(0)\n< S. 0:0(0) ack 1 <mss 1460>\nwrite 80\n> P. 1:81(80) ack 1\n"
     "< . 1:1(0) ack 81\n> nothing\n< FP. 1:201(200) ack 81\ndata 1:201\nclose\n"
     "> F. 81:81(0) ack 202\n< . 202:202(0) ack 82\n> nothing\nstate CLOSED\n+60000\n> nothing"},
    {"RFC 9293 3.10.7.4 step 8: text and FIN in one segment",
     "in ESTABLISHED\n< FP. 1:101(100) ack 1\nevents delivered peer_fin\ndata 1:101\n"
     "> . 1:1(0) ack 102\nstate CLOSE-WAIT"},
    {"RFC 9293 3.10.7.4 step 8: a FIN waits for the text before it",
     "in ESTABLISHED\n< F. 101:101(0) ack 1\n> . 1:1(0) ack 1\nevents -\nstate ESTABLISHED\n"
     "< P. 1:101(100) ack 1\n> . 1:1(0) ack 102\nevents delivered peer_fin\nstate CLOSE-WAIT"},
    {"law: a FIN in the middle of text that comes anyway is forgotten",
     "in ESTABLISHED\n< F. 51:51(0) ack 1\n> . 1:1(0) ack 1\n< P. 1:101(100) ack 1\n"
     "+40\n> . 1:1(0) ack 101\nevents delivered\nstate ESTABLISHED\n"
     "< F. 101:101(0) ack 1\n> . 1:1(0) ack 102\nevents peer_fin"},
    {"RFC 9293 3.10.7.4 TIME-WAIT: a FIN that comes again is acknowledged",
     "in TIME-WAIT\n<! F. 1:1(0) ack 2\n> . 2:2(0) ack 2\n<! F. 1:1(0) ack 2\n"
     "> . 2:2(0) ack 2\nevents -\nstate TIME-WAIT"},
    {"RFC 9293 3.10.7.4 CLOSE-WAIT: a FIN that comes again is acknowledged",
     "in CLOSE-WAIT\n<! F. 1:1(0) ack 1\n> . 1:1(0) ack 2\nevents -\nstate CLOSE-WAIT"},
    {"RFC 9293 3.10.7.4 LAST-ACK: a FIN that comes again is acknowledged",
     "in LAST-ACK\n<! F. 1:1(0) ack 1\n> . 2:2(0) ack 2\nstate LAST-ACK"},
    {"RFC 6298 5.4: our FIN is sent again, and its ACK ends it",
     "in FIN-WAIT-1\n+200\n> F. 1:1(0) ack 1\n+400\n> F. 1:1(0) ack 1\n"
     "< . 1:1(0) ack 2\n+60000\n> nothing\nstate FIN-WAIT-2\nevents retransmitted acked"},
    {"RFC 6298 5.4: text and FIN in one are sent again as one; a part alone, too",
     "in ESTABLISHED\nwrite 50\nclose\n> FP. 1:51(50) ack 1\n+200\n> FP. 1:51(50) ack 1\n"
     "< . 1:1(0) ack 21\n> FP. 21:51(30) ack 1\n< . 1:1(0) ack 51\nstate FIN-WAIT-1\n"
     "> F. 51:51(0) ack 1\n< . 1:1(0) ack 52\nstate FIN-WAIT-2"},
    {"RFC 9293 3.8.3: a FIN that is never acknowledged ends in RST",
     "config tries 3\nin FIN-WAIT-1\n+200\n> F. 1:1(0) ack 1\n+400\n> F. 1:1(0) ack 1\n"
     "+799\n> nothing\n+1\n> R. 2:2(0) ack 1\nstate CLOSED\nevents retransmitted gave_up"},
    {"RFC 9293 3.8.3: the same in CLOSING",
     "config tries 2\nin CLOSING\n+200\n> F. 1:1(0) ack 2\n+400\n> R. 2:2(0) ack 2\nstate CLOSED"},
    {"RFC 9293 3.8.3: the same in LAST-ACK",
     "config tries 2\nin LAST-ACK\n+200\n> F. 1:1(0) ack 2\n+400\n> R. 2:2(0) ack 2\nstate CLOSED"},
    {"RFC 9293 3.10.4: CLOSE twice is one FIN",
     "in ESTABLISHED\nclose\nclose\n> F. 1:1(0) ack 1\nclose\n> nothing\nstate FIN-WAIT-1"},
    {"RFC 9293 3.10.7.4 step 5: what is acknowledged before the FIN is no end",
     "in ESTABLISHED\nwrite 10\nclose\n> FP. 1:11(10) ack 1\n< . 1:1(0) ack 11\nstate FIN-WAIT-1\n"
     "events acked"},
    {"an orderly end stays silent afterwards",
     "in LAST-ACK\n< . 2:2(0) ack 2\nstate CLOSED\n<! F. 1:1(0) ack 1\n<! . 2:2(0) ack 2\n"
     "<! P. 2:9(7) ack 2\n> nothing"},
};

/* The contract of tcp_over and tcp_write. */
static void nothing_is_written_after_close(void **state)
{
    (void)state;
    struct tcp_config c = {.iss = 1};
    struct tcp m;
    struct tcp_out out;
    struct recipe r;
    rs_mono now = {RS_SEC};
    tcp_out_clear(&out);
    tcp_init(&m, &c);
    assert_false(tcp_over(&m));
    tcp_open(&m, now);
    tcp_output(&m, now, &out);
    tcp_input(&m, recipe(&r, "S. 0:0(0) ack 1", 9, 1), now, &out);
    tcp_close(&m, now, &out);
    assert_int_equal(tcp_write(&m, play_request, 1, now), -RS_EINVAL);
    assert_false(tcp_over(&m));
    tcp_output(&m, now, &out);
    tcp_input(&m, recipe(&r, "F. 1:1(0) ack 2", 9, 1), now, &out);
    assert_true(tcp_over(&m));
    assert_true(tcp_next_expiry(&m).ns == RS_NEVER.ns);
    tcp_release(&m);
}

int main(void)
{
    const struct CMUnitTest extra[] = {cmocka_unit_test(nothing_is_written_after_close)};
    return play_main(PLAY_ROWS(rows), extra, sizeof extra / sizeof *extra);
}
