/* SPDX-License-Identifier: GPL-3.0-or-later
 * Resets, theirs and ours, and what only looks like one (RFC 5961). */
#include "unit/tcpstate/play.h"

#define IN_WINDOW(STATE, NXT, ACK)                                                                 \
    {"RFC 5961 3.2 in " STATE ": in the window but not exact is challenged",                       \
     "in " STATE "\n<! R 2000:2000(0)\n> " ACK "\nstate " STATE "\nevents challenged"},            \
        {"RFC 5961 3.2 in " STATE ": outside the window is dropped",                               \
         "in " STATE "\n<! R 900000:900000(0)\n<! R -1:-1(0)\n> nothing\nstate " STATE             \
         "\nevents -"},                                                                            \
    {                                                                                              \
        "RFC 5961 3.2 in " STATE ": exactly RCV.NXT resets",                                       \
            "in " STATE "\n< R. " NXT ":" NXT "(0) ack 1\n> nothing\nstate CLOSED\nevents reset"   \
    }

#define SYN_IS_CHALLENGED(STATE, ACK)                                                              \
    {                                                                                              \
        "RFC 5961 4.2 in " STATE ": a SYN is challenged, wherever it points",                      \
            "in " STATE "\n<! S 2000:2000(0)\n> " ACK "\n<! S 900000:900000(0)\n> " ACK            \
            "\n<! S. 3:3(0) ack 1\n> " ACK "\nstate " STATE "\nevents challenged"                  \
    }

static const struct row rows[] = {
    IN_WINDOW("ESTABLISHED", "1", ". 1:1(0) ack 1"),
    IN_WINDOW("FIN-WAIT-1", "1", ". 2:2(0) ack 1"),
    IN_WINDOW("FIN-WAIT-2", "1", ". 2:2(0) ack 1"),
    IN_WINDOW("CLOSING", "2", ". 2:2(0) ack 2"),
    IN_WINDOW("CLOSE-WAIT", "2", ". 1:1(0) ack 2"),
    IN_WINDOW("LAST-ACK", "2", ". 2:2(0) ack 2"),
    SYN_IS_CHALLENGED("ESTABLISHED", ". 1:1(0) ack 1"),
    SYN_IS_CHALLENGED("FIN-WAIT-1", ". 2:2(0) ack 1"),
    SYN_IS_CHALLENGED("FIN-WAIT-2", ". 2:2(0) ack 1"),
    SYN_IS_CHALLENGED("CLOSING", ". 2:2(0) ack 2"),
    SYN_IS_CHALLENGED("CLOSE-WAIT", ". 1:1(0) ack 2"),
    SYN_IS_CHALLENGED("LAST-ACK", ". 2:2(0) ack 2"),
    SYN_IS_CHALLENGED("TIME-WAIT", ". 2:2(0) ack 2"),
    {"RFC 1337: TIME-WAIT is not ended by RST",
     "in TIME-WAIT\n<! R 2:2(0)\n<! R 100:100(0)\n> nothing\nstate TIME-WAIT\nevents -"},
    {"RFC 5961 3.2: the answer to our challenge is exact and resets",
     "in ESTABLISHED\nwrite 10\n> P. 1:11(10) ack 1\n<! R 101:101(0)\n> . 11:11(0) ack 1\n"
     "< R 1:1(0)\nstate CLOSED\nevents challenged reset\n+60000\n> nothing"},
    {"RFC 5961 7: ten challenges, then one each half second",
     "in ESTABLISHED\n<! R 2:2(0)\n> . 1:1(0) ack 1\n<! R 2:2(0)\n> . 1:1(0) ack 1\n"
     "<! R 2:2(0)\n> . 1:1(0) ack 1\n<! R 2:2(0)\n> . 1:1(0) ack 1\n<! R 2:2(0)\n"
     "> . 1:1(0) ack 1\n<! R 2:2(0)\n> . 1:1(0) ack 1\n<! R 2:2(0)\n> . 1:1(0) ack 1\n"
     "<! R 2:2(0)\n> . 1:1(0) ack 1\n<! R 2:2(0)\n> . 1:1(0) ack 1\n<! R 2:2(0)\n"
     "> . 1:1(0) ack 1\nevents challenged\n<! R 2:2(0)\n> nothing\nevents -\n"
     "+499\n<! R 2:2(0)\n> nothing\n+1\n<! R 2:2(0)\n> . 1:1(0) ack 1\n<! R 2:2(0)\n> nothing"},
    {"RFC 9293 3.10.7.4 step 2: after the peer's RST we are silent",
     "in ESTABLISHED\n< R 1:1(0)\n<! P. 1:11(10) ack 1\n<! . 1:1(0) ack 1\n> nothing\n"
     "events reset"},
    {"RFC 9293 3.10.7.4 step 2: RST takes what waits for retransmission with it",
     "in ESTABLISHED\nwrite 10\n> P. 1:11(10) ack 1\n< R. 1:1(0) ack 11\n+60000\n> nothing\n"
     "events reset"},
    {"RFC 9293 3.10.5 ABORT: RST at SND.NXT; strays draw another",
     "in ESTABLISHED\nwrite 10\n> P. 1:11(10) ack 1\nabort\n> R. 11:11(0) ack 1\n"
     "events aborted\nstate CLOSED\n+60000\n> nothing\n"
     "<! P. 1:11(10) ack 5\n> R 5:5(0)\n<! R 1:1(0)\n> nothing\nabort\n> nothing\nevents -"},
    {"RFC 9293 3.10.5 ABORT with text unsent sends only the RST",
     "in ESTABLISHED\nwrite 10\nabort\n> R. 1:1(0) ack 1\n> nothing"},
    {"RFC 9293 3.10.5 ABORT in TIME-WAIT: nothing to reset",
     "in TIME-WAIT\nabort\n> nothing\nevents -\nstate TIME-WAIT"},

    {"RFC 5961 4.2: a SYN/ACK with our ACK but another ISS is challenged",
     "in ESTABLISHED\n<! S. 3:3(0) ack 1\n> . 1:1(0) ack 1\nevents challenged"},
};

int main(void)
{
    return play_main(PLAY_ROWS(rows), NULL, 0);
}
