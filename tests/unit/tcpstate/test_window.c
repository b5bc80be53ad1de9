/* SPDX-License-Identifier: GPL-3.0-or-later
 * Windows: the peer's, which we never overrun, and ours, which nobody overruns. */
#include "unit/tcpstate/play.h"

static const struct row rows[] = {
    {"RFC 9293 3.8.6: nothing beyond SND.UNA + SND.WND",
     "in SYN-SENT\n< S. 0:0(0) ack 1 win 150 <mss 100>\nwrite 400\n"
     "> . 1:101(100) ack 1\n> nothing\n"
     "< . 1:1(0) ack 101 win 250\n> . 101:201(100) ack 1\n> . 201:301(100) ack 1\n> nothing\n"
     "< . 1:1(0) ack 301 win 250\n> P. 301:401(100) ack 1"},
    {"RFC 9293 3.8.6.2.1: less than a segment only when nothing is in flight",
     "in SYN-SENT\n< S. 0:0(0) ack 1 win 130 <mss 100>\nwrite 200\n> . 1:101(100) ack 1\n"
     "> nothing\n< . 1:1(0) ack 101 win 30\n> . 101:131(30) ack 1"},
    {"RFC 9293 3.8.6: a retracted window stops us, what is in flight stays",
     "in SYN-SENT\n< S. 0:0(0) ack 1 win 100 <mss 100>\nwrite 300\n> . 1:101(100) ack 1\n"
     "< . 1:1(0) ack 51 win 10\n> nothing\n< . 1:1(0) ack 101 win 200\n"
     "> . 101:201(100) ack 1\n> P. 201:301(100) ack 1"},
    {"RFC 9293 3.10.7.4 step 5 SND.WL1, SND.WL2: an older segment's window does not count",
     "in SYN-SENT\n< S. 0:0(0) ack 1 win 100 <mss 100>\n> . 1:1(0) ack 1\n"
     "< P. 1:11(10) ack 1 win 0\n+40\n> . 1:1(0) ack 11\n< . 11:11(0) ack 1 win 100\n"
     "<! . 1:1(0) ack 1 win 0\nwrite 100\n> P. 1:101(100) ack 11"},
    {"RFC 9293 3.8.6.1: a closed window is probed, with backoff, by an old sequence number",
     "in SYN-SENT\n< S. 0:0(0) ack 1 win 0 <mss 100>\nwrite 100\n> . 1:1(0) ack 1\n"
     "+199\n> nothing\n+1\n> . 0:0(0) ack 1\n< . 1:1(0) ack 1 win 0\n"
     "+399\n> nothing\n+1\n> . 0:0(0) ack 1\n< . 1:1(0) ack 1 win 0\n"
     "+799\n> nothing\n+1\n> . 0:0(0) ack 1\n"
     "< . 1:1(0) ack 1 win 100\n> P. 1:101(100) ack 1\n+200\n> P. 1:101(100) ack 1"},
    {"RFC 9293 3.8.6.1: a peer that answers probes is never given up",
     "config tries 3\nin SYN-SENT\n< S. 0:0(0) ack 1 win 0 <mss 100>\nwrite 9\n> . 1:1(0) ack 1\n"
     "+200\n> . 0:0(0) ack 1\n< . 1:1(0) ack 1 win 0\n+400\n> . 0:0(0) ack 1\n"
     "< . 1:1(0) ack 1 win 0\n+800\n> . 0:0(0) ack 1\n< . 1:1(0) ack 1 win 0\n"
     "+1600\n> . 0:0(0) ack 1\n< . 1:1(0) ack 1 win 0\nstate ESTABLISHED"},
    {"RFC 9293 3.8.6.1: one that does not is",
     "config tries 3\nin SYN-SENT\n< S. 0:0(0) ack 1 win 0 <mss 100>\nwrite 9\n> . 1:1(0) ack 1\n"
     "+200\n> . 0:0(0) ack 1\n+400\n> . 0:0(0) ack 1\n+800\n> R. 1:1(0) ack 1\nstate CLOSED\n"
     "events established gave_up"},
    {"RFC 9293 3.8.6: the FIN, too, waits for the window",
     "in SYN-SENT\n< S. 0:0(0) ack 1 win 100 <mss 100>\nwrite 100\nclose\n"
     "> P. 1:101(100) ack 1\n> nothing\n< . 1:1(0) ack 101 win 0\n> nothing\n"
     "+200\n> . 100:100(0) ack 1\n< . 1:1(0) ack 101 win 1\n> F. 101:101(0) ack 1"},
    {"RFC 9293 3.8.6.1: a window that closes over text in flight is no reason to give up",
     "config tries 2\nin SYN-SENT\n< S. 0:0(0) ack 1 win 200 <mss 100>\nwrite 200\n"
     "> . 1:101(100) ack 1\n> P. 101:201(100) ack 1\n< . 1:1(0) ack 101 win 0\n"
     "+200\n> P. 101:201(100) ack 1\n< . 1:1(0) ack 101 win 0\n+400\n> P. 101:201(100) ack 1\n"
     "< . 1:1(0) ack 101 win 0\n+800\n> P. 101:201(100) ack 1\n< . 1:1(0) ack 201 win 0\n"
     "state ESTABLISHED"},
    {"RFC 7323 2.2: the SYN/ACK's window is not scaled, later ones are",
     "config ws 7\nin SYN-SENT\n< S. 0:0(0) ack 1 win 100 <mss 100,nop,wscale 2>\nwrite 400\n"
     "> . 1:101(100) ack 1 win 501\n> nothing\n"
     "< . 1:1(0) ack 101 win 50\n> . 101:201(100) ack 1\n> . 201:301(100) ack 1\n> nothing"},
    {"RFC 7323 2.2: no scale in the SYN/ACK means none either way",
     "config ws 7\nin SYN-SENT\n< S. 0:0(0) ack 1 win 100 <mss 100>\nwrite 300\n"
     "> . 1:101(100) ack 1 win 64240\n> nothing\n"
     "< . 1:1(0) ack 101 win 100\n> . 101:201(100) ack 1\n> nothing"},
    {"RFC 7323 2.2: a scale that we did not offer is ignored",
     "in SYN-SENT\n< S. 0:0(0) ack 1 win 100 <mss 100,nop,wscale 2>\nwrite 300\n"
     "> . 1:101(100) ack 1 win 64240\n> nothing\n< . 1:1(0) ack 101 win 100\n"
     "> . 101:201(100) ack 1\n> nothing"},
    {"RFC 7323 2.3: a scale of more than 14 is taken as 14",
     "config ws 7\nin SYN-SENT\n< S. 0:0(0) ack 1 win 0 <mss 1460,nop,wscale 255>\n"
     "> . 1:1(0) ack 1\n< . 1:1(0) ack 1 win 65535\nwrite 100\n> P. 1:101(100) ack 1"},
    {"RFC 9293 3.10.7.4 step 1: text beyond our window is cut",
     "config win 100\nin ESTABLISHED\n< P. 1:151(150) ack 1\ndata 1:101\n+40\n"
     "> . 1:1(0) ack 101 win 100\n< P. 101:151(50) ack 1\n+40\n> . 1:1(0) ack 151\ndata 101:151"},
    {"RFC 9293 3.10.7.4 step 1: text wholly beyond our window is answered",
     "config win 100\nin ESTABLISHED\n<! P. 101:151(50) ack 1\n> . 1:1(0) ack 1 win 100\n"
     "data 1:1"},
    {"RFC 9293 3.10.7.4 step 1: a segment that covers the window and more is taken",
     "config win 100\nin ESTABLISHED\n< P. 1:51(50) ack 1\n+40\n> . 1:1(0) ack 51\n"
     "< P. 1:301(300) ack 1\ndata 1:151\n> nothing\n+40\n> . 1:1(0) ack 151"},
    {"RFC 9293 3.10.7.4 step 1: an ACK at the very edge is taken",
     "config win 100\nin ESTABLISHED\nwrite 10\n> P. 1:11(10) ack 1\n< . 101:101(0) ack 11\n"
     "> nothing\nevents acked"},

    {"RFC 9293 3.10.7.4 step 1: at a closed window of ours the ACK counts, the text not",
     "config win 100\nin ESTABLISHED\nwrite 10\n> P. 1:11(10) ack 1\n< P. 1:101(100) ack 1\n"
     "< FP. 101:111(10) ack 11\nevents delivered acked\ndata 1:101\n> . 11:11(0) ack 101"},
    {"RFC 9293 3.10.7.4 step 1: a FIN beyond our window is cut, too",
     "config win 100\nin ESTABLISHED\n< FP. 1:151(150) ack 1\ndata 1:101\nevents delivered\n"
     "+40\n> . 1:1(0) ack 101\nstate ESTABLISHED"},
    {"RFC 9293 3.10.7.4 step 5 SND.WL1: a segment that was overtaken does not close the window",
     "in ESTABLISHED\n< P. 101:111(10) ack 1 win 1000\n< P. 1:101(100) ack 1 win 0\n"
     "> . 1:1(0) ack 111\nwrite 10\n> P. 1:11(10) ack 111"},
};

int main(void)
{
    return play_main(PLAY_ROWS(rows), NULL, 0);
}
