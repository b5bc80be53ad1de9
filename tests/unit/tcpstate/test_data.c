/* SPDX-License-Identifier: GPL-3.0-or-later
 * Text both ways: segments, acknowledgements, retransmission. */
#include "unit/tcpstate/play.h"

static const struct row rows[] = {
    /* sending */
    {"RFC 9293 3.7.1 text is cut by the peer's MSS, PSH on the last",
     "in SYN-SENT\n< S. 0:0(0) ack 1 <mss 100>\nwrite 250\n"
     "> . 1:101(100) ack 1\n> . 101:201(100) ack 1\n> P. 201:251(50) ack 1"},
    {"RFC 6691 2: the option bytes come off the MSS",
     "config ts\nin SYN-SENT\n< S. 0:0(0) ack 1 <mss 112,TS val 1 ecr 100>\nwrite 101\n"
     "> . 1:101(100) ack 1\n> P. 101:102(1) ack 1"},
    {"RFC 9293 3.7.1: never more than our own MSS",
     "config mss 500\nin SYN-SENT\n< S. 0:0(0) ack 1 <mss 65535>\nwrite 501\n"
     "> . 1:501(500) ack 1\n> P. 501:502(1) ack 1"},
    {"law: an MSS of 1 does not make us a packet generator",
     "in SYN-SENT\n< S. 0:0(0) ack 1 <mss 1>\nwrite 49\n"
     "> . 1:49(48) ack 1\n> P. 49:50(1) ack 1"},
    {"RFC 5681 3.1 at most 8 segments in flight; ACKs let more go",
     "in SYN-SENT\n< S. 0:0(0) ack 1 <mss 100>\nwrite 1000\n"
     "> . 1:101(100) ack 1\n> . 101:201(100) ack 1\n> . 201:301(100) ack 1\n"
     "> . 301:401(100) ack 1\n> . 401:501(100) ack 1\n> . 501:601(100) ack 1\n"
     "> . 601:701(100) ack 1\n> . 701:801(100) ack 1\n> nothing\n"
     "< . 1:1(0) ack 101\n> . 801:901(100) ack 1\n> nothing\n"
     "< . 1:1(0) ack 201\n> P. 901:1001(100) ack 1\nevents established acked"},
    {"RFC 9293 3.10.7.4 step 5: SND.UNA moves; a copy of the ACK is nothing",
     "in ESTABLISHED\nwrite 100\n> P. 1:101(100) ack 1\n"
     "< . 1:1(0) ack 51\nevents acked\n< . 1:1(0) ack 51\nevents -\n"
     "< . 1:1(0) ack 101\nevents acked\n+20000\n> nothing\nstate ESTABLISHED"},
    {"RFC 5961 5.2: an ACK of what was never sent is challenged, not taken",
     "in ESTABLISHED\nwrite 100\n> P. 1:101(100) ack 1\n"
     "<! P. 1:11(10) ack 102\n> . 101:101(0) ack 1\nevents challenged\ndata 1:1\n"
     "< . 1:1(0) ack 101\nevents acked"},
    {"RFC 5961 5.2: an ACK older than the largest window is challenged",
     "in SYN-SENT\n< S. 0:0(0) ack 1 win 500 <mss 1460>\n> . 1:1(0) ack 1\nevents established\n"
     "< P. 1:11(10) ack -499 win 500\ndata 1:11\n> nothing\n"
     "<! P. 11:21(10) ack -500 win 500\n> . 1:1(0) ack 11\nevents delivered challenged\ndata "
     "11:11"},
    {"RFC 9293 3.10.7.4 step 5: without ACK bit a segment is dropped",
     "in ESTABLISHED\n<! P 1:11(10)\n<! none 1:1(0)\n<! F 1:1(0)\n> nothing\nevents -\ndata 1:1"},
    {"RFC 6298 5.1 to 5.5: the timeout after SYN RTT 0 is 200 ms and doubles",
     "in ESTABLISHED\nwrite 100\n> P. 1:101(100) ack 1\n"
     "+199\n> nothing\n+1\n> P. 1:101(100) ack 1\nevents retransmitted\n"
     "+399\n> nothing\n+1\n> P. 1:101(100) ack 1\n"
     "+799\n> nothing\n+1\n> P. 1:101(100) ack 1\n"
     "< . 1:1(0) ack 101\n+100000\n> nothing\nevents retransmitted acked"},
    {"RFC 6298 2.2: RTO = SRTT + 4 * RTTVAR = 3 * RTT of the first sample",
     "open\n> S 0:0(0)\n+200\n< S. 0:0(0) ack 1 <mss 1460>\nwrite 10\n> P. 1:11(10) ack 1\n"
     "+599\n> nothing\n+1\n> P. 1:11(10) ack 1"},
    {"RFC 6298 2.3: later samples move SRTT and RTTVAR",
     "open\n> S 0:0(0)\n+200\n< S. 0:0(0) ack 1 <mss 1460>\nwrite 10\n> P. 1:11(10) ack 1\n"
     "+200\n< . 1:1(0) ack 11\nwrite 10\n> P. 11:21(10) ack 1\n"
     "+499\n> nothing\n+1\n> P. 11:21(10) ack 1"},
    {"RFC 6298 5.7: after a lost SYN without timestamps the timeout is 3 s",
     "open\n> S 0:0(0)\n+1000\n> S 0:0(0)\n< S. 0:0(0) ack 1 <mss 1460>\nwrite 10\n"
     "> P. 1:11(10) ack 1\n+2999\n> nothing\n+1\n> P. 1:11(10) ack 1"},
    {"RFC 6298 3 (Karn): a retransmitted segment gives no sample",
     "in ESTABLISHED\nwrite 10\n> P. 1:11(10) ack 1\n+200\n> P. 1:11(10) ack 1\n"
     "+300\n< . 1:1(0) ack 11\nwrite 10\n> P. 11:21(10) ack 1\n"
     "+399\n> nothing\n+1\n> P. 11:21(10) ack 1"},
    {"RFC 6298 5.4 only the oldest is sent again; RFC 6582 3.2: then hole by hole",
     "in SYN-SENT\n< S. 0:0(0) ack 1 <mss 100>\nwrite 300\n"
     "> . 1:101(100) ack 1\n> . 101:201(100) ack 1\n> P. 201:301(100) ack 1\n"
     "+200\n> . 1:101(100) ack 1\n> nothing\n"
     "< . 1:1(0) ack 101\n> . 101:201(100) ack 1\n> nothing\n"
     "< . 1:1(0) ack 301\n> nothing\n+100000\n> nothing"},
    {"RFC 9293 3.8.3 R2: six sendings, then RST and over",
     "in ESTABLISHED\nwrite 10\n> P. 1:11(10) ack 1\n"
     "+200\n> P. 1:11(10) ack 1\n+400\n> P. 1:11(10) ack 1\n+800\n> P. 1:11(10) ack 1\n"
     "+1600\n> P. 1:11(10) ack 1\n+3200\n> P. 1:11(10) ack 1\nevents retransmitted\n"
     "+6399\n> nothing\n+1\n> R. 11:11(0) ack 1\nevents gave_up\nstate CLOSED\n"
     "<! . 1:1(0) ack 5\n> R 5:5(0)\n+100000\n> nothing"},
    {"RFC 9293 3.8.3: progress starts the count again",
     "config tries 2\nin ESTABLISHED\nwrite 10\n> P. 1:11(10) ack 1\n+200\n> P. 1:11(10) ack 1\n"
     "< . 1:1(0) ack 6\n> P. 6:11(5) ack 1\n< . 1:1(0) ack 11\nwrite 10\n> P. 11:21(10) ack 1\n"
     "+400\n> P. 11:21(10) ack 1\n+800\n> R. 21:21(0) ack 1\n"
     "events acked retransmitted gave_up"},
    /* receiving */
    {"RFC 9293 3.8.6.3 the second segment is acknowledged at once, the first within 40 ms",
     "in ESTABLISHED\n< P. 1:101(100) ack 1\n> nothing\n< P. 101:201(100) ack 1\n"
     "> . 1:1(0) ack 201\nevents delivered\ndata 1:201\n"
     "< P. 201:301(100) ack 1\n+39\n> nothing\n+1\n> . 1:1(0) ack 301"},
    {"RFC 9293 3.8.6.3 a merged segment of more than one MSS counts twice",
     "config mss 1000\nin ESTABLISHED\n< P. 1:2001(2000) ack 1\n> . 1:1(0) ack 2001\ndata 1:2001"},
    {"RFC 9293 3.8.6.3 an ACK that is owed rides on data",
     "in ESTABLISHED\n< P. 1:101(100) ack 1\nwrite 10\n> P. 1:11(10) ack 101\n+40\n> nothing"},
    {"RFC 9293 3.10.7.4 step 1: an old copy is answered, not delivered",
     "in ESTABLISHED\n< P. 1:101(100) ack 1\n+40\n> . 1:1(0) ack 101\ndata 1:101\n"
     "<! P. 1:101(100) ack 1\n> . 1:1(0) ack 101\n<! P. 51:101(50) ack 1\n> . 1:1(0) ack 101\n"
     "data 101:101"},
    {"RFC 9293 3.10.7.4 step 1: the new end of an overlapping segment is taken",
     "in ESTABLISHED\n< P. 1:101(100) ack 1\n< P. 51:151(100) ack 1\n"
     "> . 1:1(0) ack 151\ndata 1:151"},
    {"RFC 9293 3.8.4: a keep-alive is answered, with and without its garbage byte",
     "in ESTABLISHED\n< P. 1:11(10) ack 1\n+40\n> . 1:1(0) ack 11\n"
     "<! . 10:10(0) ack 1\n> . 1:1(0) ack 11\n<! . 10:11(1) ack 1\n> . 1:1(0) ack 11\ndata 1:11"},
    {"RFC 5961 10: answers to blind segments are bounded",
     "in ESTABLISHED\n"
     "<! P. 900001:900002(1) ack 1\n> . 1:1(0) ack 1\n<! . 900001:900001(0) ack 1\n> . 1:1(0) ack "
     "1\n<! P. 900001:900002(1) ack 1\n> . 1:1(0) ack 1\n<! P. 900001:900002(1) ack 1\n"
     "> . 1:1(0) ack 1\n<! P. 900001:900002(1) ack 1\n> . 1:1(0) ack 1\n"
     "<! P. 900001:900002(1) ack 1\n> . 1:1(0) ack 1\n<! P. 900001:900002(1) ack 1\n"
     "> . 1:1(0) ack 1\n<! P. 900001:900002(1) ack 1\n> . 1:1(0) ack 1\n"
     "<! P. 900001:900002(1) ack 1\n> . 1:1(0) ack 1\n<! P. 900001:900002(1) ack 1\n"
     "> . 1:1(0) ack 1\n<! P. 900001:900002(1) ack 1\n> nothing\nevents -\n"
     "<! . 0:0(0) ack 1\n> . 1:1(0) ack 1\n< P. 1:11(10) ack 1\n+40\n> . 1:1(0) ack 11"},
    {"RFC 9293 3.10.2 half-close: text still arrives after our FIN",
     "in FIN-WAIT-2\n< P. 1:101(100) ack 2\n+40\n> . 2:2(0) ack 101\ndata 1:101\n"
     "state FIN-WAIT-2"},
    {"RFC 9293 3.10.2 half-close: text still leaves after the peer's FIN",
     "in CLOSE-WAIT\nwrite 100\n> P. 1:101(100) ack 2\n< . 2:2(0) ack 101\nstate CLOSE-WAIT"},
    {"RFC 9293 3.10.7.4 step 7: no text after the peer's FIN",
     "in CLOSE-WAIT\n< P. 2:12(10) ack 1\n> nothing\nevents -\ndata 1:1\nstate CLOSE-WAIT"},

    {"RFC 9293 3.10.7.4 step 1: every copy is answered: the peer waits for that ACK",
     "in ESTABLISHED\n< P. 1:11(10) ack 1\n+40\n> . 1:1(0) ack 11\n"
     "<! P. 1:11(10) ack 1\n> . 1:1(0) ack 11\n<! P. 1:11(10) ack 1\n> . 1:1(0) ack 11\n"
     "<! P. 1:11(10) ack 1\n> . 1:1(0) ack 11\n<! P. 1:11(10) ack 1\n> . 1:1(0) ack 11\n"
     "<! P. 1:11(10) ack 1\n> . 1:1(0) ack 11\n<! P. 1:11(10) ack 1\n> . 1:1(0) ack 11\n"
     "<! P. 1:11(10) ack 1\n> . 1:1(0) ack 11\n<! P. 1:11(10) ack 1\n> . 1:1(0) ack 11\n"
     "<! P. 1:11(10) ack 1\n> . 1:1(0) ack 11\n<! P. 1:11(10) ack 1\n> . 1:1(0) ack 11\n"
     "<! P. 1:11(10) ack 1\n> . 1:1(0) ack 11"},
    {"RFC 5961 10: keep-alives are answered within a budget: no war of ACKs",
     "in ESTABLISHED\n"
     "<! . 0:0(0) ack 1\n> . 1:1(0) ack 1\n<! . 0:0(0) ack 1\n> . 1:1(0) ack 1\n"
     "<! . 0:0(0) ack 1\n> . 1:1(0) ack 1\n<! . 0:0(0) ack 1\n> . 1:1(0) ack 1\n"
     "<! . 0:0(0) ack 1\n> . 1:1(0) ack 1\n<! . 0:0(0) ack 1\n> . 1:1(0) ack 1\n"
     "<! . 0:0(0) ack 1\n> . 1:1(0) ack 1\n<! . 0:0(0) ack 1\n> . 1:1(0) ack 1\n"
     "<! . 0:0(0) ack 1\n> . 1:1(0) ack 1\n<! . 0:0(0) ack 1\n> . 1:1(0) ack 1\n"
     "<! . 0:0(0) ack 1\n> nothing"},
    {"RFC 5681 3.1: one segment after a timeout, one more with each ACK",
     "in SYN-SENT\n< S. 0:0(0) ack 1 <mss 100>\nwrite 400\n"
     "> . 1:101(100) ack 1\n> . 101:201(100) ack 1\n> . 201:301(100) ack 1\n"
     "> P. 301:401(100) ack 1\nwrite 800\n> . 401:501(100) ack 1\n> . 501:601(100) ack 1\n"
     "> . 601:701(100) ack 1\n> . 701:801(100) ack 1\n> nothing\n"
     "+200\n> . 1:101(100) ack 1\n< . 1:1(0) ack 101\n> . 101:201(100) ack 1\n> nothing\n"
     "< . 1:1(0) ack 701\n> . 701:801(100) ack 1\n> . 801:901(100) ack 1\n"
     "> . 901:1001(100) ack 1\n> nothing\n< . 1:1(0) ack 1001\n> . 1001:1101(100) ack 1\n"
     "> P. 1101:1201(100) ack 1"},
    {"RFC 6298 5.3: an ACK of new text starts the timer again",
     "in SYN-SENT\n< S. 0:0(0) ack 1 <mss 100>\nwrite 200\n> . 1:101(100) ack 1\n"
     "> P. 101:201(100) ack 1\n+150\n< . 1:1(0) ack 101\n+199\n> nothing\n+1\n"
     "> P. 101:201(100) ack 1"},
    {"RFC 6298 5.2: when all is acknowledged the timer stops",
     "in ESTABLISHED\nwrite 10\n> P. 1:11(10) ack 1\n< . 1:1(0) ack 11\n> nothing\ntimer off"},
    {"RFC 6298 3: the sample ends when the whole timed segment is acknowledged",
     "in ESTABLISHED\nwrite 10\n> P. 1:11(10) ack 1\n+100\n< . 1:1(0) ack 6\n+100\n"
     "< . 1:1(0) ack 11\nwrite 10\n> P. 11:21(10) ack 1\n+224\n> nothing\n+1\n"
     "> P. 11:21(10) ack 1"},
    {"RFC 6298 2.2: the RTT counts from the SYN's leaving, not from OPEN",
     "open\n+50\n> S 0:0(0)\n+200\n< S. 0:0(0) ack 1 <mss 1460>\nwrite 10\n"
     "> P. 1:11(10) ack 1\n+599\n> nothing\n+1\n> P. 1:11(10) ack 1"},
};

/* The contract of tcp_write: one contiguous buffer. */
static void a_write_lies_behind_the_last(void **state)
{
    (void)state;
    struct tcp_config c = {.iss = 1};
    struct tcp m;
    rs_mono now = {RS_SEC};
    uint8_t bytes[8] = {0};
    tcp_init(&m, &c);
    assert_int_equal(tcp_write(&m, bytes, 1, now), -RS_EINVAL); /* not open */
    tcp_open(&m, now);
    assert_int_equal(tcp_write(&m, bytes, 4, now), 0);
    assert_int_equal(tcp_write(&m, bytes, 4, now), -RS_EINVAL);
    assert_int_equal(tcp_write(&m, bytes + 5, 3, now), -RS_EINVAL);
    assert_int_equal(tcp_write(&m, NULL, 0, now), 0);
    assert_int_equal(tcp_write(&m, bytes + 4, (size_t)1 << 31, now), -RS_EINVAL);
    assert_int_equal(tcp_write(&m, bytes + 4, 4, now), 0);
    tcp_release(&m);
}

static struct tcp_out out;

static void expire(struct tcp *m, rs_mono *now)
{
    *now = tcp_next_expiry(m);
    tcp_out_clear(&out);
    tcp_expire(m, *now, &out);
    tcp_output(m, *now, &out);
}

/* wire/segment.h: a retransmission keeps the ordinal and counts its tries. */
static void ordinals_and_tries(void **state)
{
    (void)state;
    struct tcp_config c = {.iss = 1};
    struct tcp m;
    struct recipe r;
    rs_mono now = {RS_SEC};
    tcp_init(&m, &c);
    tcp_open(&m, now);
    tcp_out_clear(&out);
    tcp_output(&m, now, &out);
    assert_int_equal(out.segment[0].tries, 1);
    expire(&m, &now);
    assert_int_equal(out.segment[0].tries, 2);
    assert_int_equal(out.segment[0].ordinal, 1);
    assert_int_equal(out.segment[0].state, TCP_SYN_SENT);
    tcp_out_clear(&out);
    tcp_input(&m, recipe(&r, "S. 0:0(0) ack 1 <mss 100>", 9, 1), now, &out);
    assert_int_equal(tcp_write(&m, play_request, 250, now), 0);
    tcp_output(&m, now, &out);
    assert_int_equal(out.n_segments, 3);
    assert_int_equal(out.segment[2].ordinal, 3);
    assert_int_equal(out.segment[2].cls, SEG_DATA);
    tcp_out_clear(&out);
    tcp_input(&m, recipe(&r, ". 1:1(0) ack 101", 9, 1), now, &out);
    expire(&m, &now);
    assert_int_equal(out.n_segments, 1);
    assert_int_equal(out.segment[0].ordinal, 2);
    assert_int_equal(out.segment[0].tries, 2);
    assert_int_equal(out.segment[0].state, TCP_ESTABLISHED);
    tcp_release(&m);
}

int main(void)
{
    const struct CMUnitTest extra[] = {
        cmocka_unit_test(a_write_lies_behind_the_last),
        cmocka_unit_test(ordinals_and_tries),
    };
    return play_main(PLAY_ROWS(rows), extra, sizeof extra / sizeof *extra);
}
