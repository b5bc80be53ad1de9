/* SPDX-License-Identifier: GPL-3.0-or-later
 * RFC 7323: timestamps on every segment, what they echo, and PAWS. Our clock starts at 100. */
#include "unit/tcpstate/play.h"

#define OPEN                                                                                       \
    "config ts\nin SYN-SENT\n< S. 0:0(0) ack 1 <mss 1460,TS val 700 ecr 100>\n> . 1:1(0) ack 1 "   \
    "<TS val 100 ecr 700>\nevents established\n"

static const struct row rows[] = {
    {"RFC 7323 3.2: on every segment once both offered", OPEN
     "+5\nwrite 10\n> P. 1:11(10) ack 1 <TS val 105 ecr 700>\n"
     "< . 1:1(0) ack 11 <TS val 701 ecr 105>\nclose\n> F. 11:11(0) ack 1 <TS val 105 ecr 701>\n"
     "abort\n> R. 12:12(0) ack 1 <TS val 105 ecr 701>"},
    {"RFC 7323 3.2: on none when the SYN/ACK has none",
     "config ts\nin SYN-SENT\n< S. 0:0(0) ack 1 <mss 1460>\nwrite 10\n"
     "> P. 1:11(10) ack 1 win 64240\n< . 1:1(0) ack 11 <TS val 3 ecr 100>\nevents established "
     "acked"},
    {"RFC 7323 3.2: on none when we did not offer",
     "in SYN-SENT\n< S. 0:0(0) ack 1 <mss 1460,TS val 700 ecr 100>\n> . 1:1(0) ack 1 win 64240"},
    {"RFC 7323 4.3: TS.Recent is of the segment that holds Last.ACK.sent",
     OPEN "< P. 1:11(10) ack 1 <TS val 710 ecr 100>\n< P. 11:21(10) ack 1 <TS val 720 ecr 100>\n"
          "> . 1:1(0) ack 21 <TS val 100 ecr 710>"},
    {"RFC 7323 4.3: an out-of-order segment does not move TS.Recent",
     OPEN "< P. 11:21(10) ack 1 <TS val 720 ecr 100>\n> . 1:1(0) ack 1 <TS val 100 ecr 700>\n"
          "< P. 1:11(10) ack 1 <TS val 710 ecr 100>\n> . 1:1(0) ack 21 <TS val 100 ecr 710>"},
    {"RFC 7323 5.3 R1 (PAWS): older than TS.Recent is dropped, and answered",
     OPEN "< P. 1:11(10) ack 1 <TS val 710 ecr 100>\n+40\n> . 1:1(0) ack 11\n"
          "<! P. 11:21(10) ack 1 <TS val 709 ecr 100>\n> . 1:1(0) ack 11 <TS val 140 ecr 710>\n"
          "data 1:11\n< P. 11:21(10) ack 1 <TS val 710 ecr 100>\ndata 11:21\n+40\n"
          "> . 1:1(0) ack 21"},
    {"RFC 7323 5.2: PAWS compares across the wrap",
     "config ts\nin SYN-SENT\n< S. 0:0(0) ack 1 <mss 1460,TS val 4294967290 ecr 100>\n"
     "> . 1:1(0) ack 1\n< P. 1:11(10) ack 1 <TS val 5 ecr 100>\n+40\n"
     "> . 1:1(0) ack 11 <TS val 140 ecr 5>\n<! P. 11:21(10) ack 1 <TS val 4294967295 ecr 100>\n"
     "> . 1:1(0) ack 11\ndata 1:11"},
    {"RFC 7323 5.2: an RST is exempt from PAWS",
     OPEN "< R 1:1(0) <TS val 5 ecr 100>\nevents reset\nstate CLOSED\n> nothing"},
    {"a segment without the option passes, as in Linux (RFC 7323 3.2 would drop it)",
     OPEN "< P. 1:11(10) ack 1\ndata 1:11\n+40\n> . 1:1(0) ack 11 <TS val 140 ecr 700>"},
    {"RFC 5961 10: answers to PAWS failures are bounded", OPEN
     "<! . 1:1(0) ack 1 <TS val 5 ecr 1>\n> . 1:1(0) ack 1\n<! . 1:1(0) ack 1 <TS val 5 ecr 1>\n"
     "> . 1:1(0) ack 1\n<! . 1:1(0) ack 1 <TS val 5 ecr 1>\n> . 1:1(0) ack 1\n"
     "<! . 1:1(0) ack 1 <TS val 5 ecr 1>\n> . 1:1(0) ack 1\n"
     "<! . 1:1(0) ack 1 <TS val 5 ecr 1>\n> . 1:1(0) ack 1\n"
     "<! . 1:1(0) ack 1 <TS val 5 ecr 1>\n> . 1:1(0) ack 1\n"
     "<! . 1:1(0) ack 1 <TS val 5 ecr 1>\n> . 1:1(0) ack 1\n"
     "<! . 1:1(0) ack 1 <TS val 5 ecr 1>\n> . 1:1(0) ack 1\n"
     "<! . 1:1(0) ack 1 <TS val 5 ecr 1>\n> . 1:1(0) ack 1\n"
     "<! . 1:1(0) ack 1 <TS val 5 ecr 1>\n> . 1:1(0) ack 1\n"
     "<! . 1:1(0) ack 1 <TS val 5 ecr 1>\n> nothing"},
    {"RFC 7323 4.1: the echo gives the RTT, of a retransmission, too",
     OPEN "write 10\n> P. 1:11(10) ack 1\n+200\n> P. 1:11(10) ack 1 <TS val 300 ecr 700>\n"
          "+380\n< . 1:1(0) ack 11 <TS val 900 ecr 300>\nwrite 10\n> P. 11:21(10) ack 1\n"
          "+427\n> nothing\n+1\n> P. 11:21(10) ack 1"},
    {"RFC 6298 5.7 does not hold when the SYN/ACK's echo tells which SYN it answers",
     "config ts\nopen\n> S 0:0(0)\n+1000\n> S 0:0(0)\n+50\n"
     "< S. 0:0(0) ack 1 <mss 1460,TS val 700 ecr 1100>\nwrite 10\n> P. 1:11(10) ack 1\n"
     "+199\n> nothing\n+1\n> P. 1:11(10) ack 1"},
    {"law: an echo of what we never said does not stop the clock",
     OPEN "write 10\n> P. 1:11(10) ack 1\n+10\n< . 1:1(0) ack 11 <TS val 900 ecr 2000000000>\n"
          "write 10\n> P. 11:21(10) ack 1\n+200\n> P. 11:21(10) ack 1"},
    {"RFC 2018 4: SACK blocks tell what is held, the newest first",
     "config ts sack\nin ESTABLISHED\n< P. 11:21(10) ack 1 <TS val 701 ecr 100>\n"
     "> . 1:1(0) ack 1 <TS val 100 ecr 700,sack 1>\n"
     "< P. 31:41(10) ack 1 <TS val 701 ecr 100>\n> . 1:1(0) ack 1 <TS val 100 ecr 700,sack 2>\n"
     "< P. 51:61(10) ack 1 <TS val 701 ecr 100>\n> . 1:1(0) ack 1 <TS val 100 ecr 700,sack 3>\n"
     "< P. 71:81(10) ack 1 <TS val 701 ecr 100>\n> . 1:1(0) ack 1 <TS val 100 ecr 700,sack 3>\n"
     "< P. 1:11(10) ack 1 <TS val 701 ecr 100>\n> . 1:1(0) ack 21 <TS val 100 ecr 701,sack 3>"},
    {"RFC 2018 5: SACK blocks of the peer are let pass, sound or not",
     "config sack\nin ESTABLISHED\nwrite 10\n> P. 1:11(10) ack 1\n"
     "< . 1:1(0) ack 1 <sack 4>\n< . 1:1(0) ack 1 <opt-5>\n< . 1:1(0) ack 11 <sack 1>\n"
     "events acked\n> nothing"},

    {"RFC 7323 4.3: Last.ACK.sent moves with each ACK",
     OPEN "< P. 1:11(10) ack 1 <TS val 710 ecr 100>\n+40\n> . 1:1(0) ack 11 <TS val 140 ecr 710>\n"
          "< P. 11:21(10) ack 1 <TS val 720 ecr 100>\n+40\n"
          "> . 1:1(0) ack 21 <TS val 180 ecr 720>"},
    {"RFC 2018 3: neighbouring blocks are one",
     "config sack\nin ESTABLISHED\n< . 101:4197(4096) ack 1\npool 3\n"
     "> . 1:1(0) ack 1 <sack 1>"},
};

int main(void)
{
    return play_main(PLAY_ROWS(rows), NULL, 0);
}
