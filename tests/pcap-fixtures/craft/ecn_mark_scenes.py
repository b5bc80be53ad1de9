# SPDX-License-Identifier: GPL-3.0-or-later
"""What ECN measurements meet, continued: marks, feedback, and data that gets lost."""

import packets
from scene import Tcp, collection, ecn, plain, rounds

fixture, FIXTURES = collection("ecn_")


# -- marks


@fixture()
def data_not_marked(s):
    plain(s)
    ecn(s, data="not")


@fixture()
def data_ect1(s):
    plain(s)
    ecn(s, data="ect1")


@fixture(link="loopback")
def data_ce(s):
    plain(s)
    ecn(s, data="ce")


@fixture()
def data_ce_once(s):
    """Congestion, and the whole feedback: CE, ECE until CWR."""
    plain(s)
    c = Tcp(s)
    c.open("EW", "E")
    c.get("ect0")
    c.reply("A", b"first " * 10, "ect0")
    c.ack()
    c.reply("A", b"second " * 10, "ce")
    c.client("AE")
    c.reply("AW", b"third " * 10, "ect0")
    c.ack()
    c.close()


@fixture()
def plain_ect0(s):
    plain(s, data="ect0")
    ecn(s)


@fixture()
def plain_ect1(s):
    plain(s, data="ect1")
    ecn(s)


@fixture()
def plain_ce(s):
    plain(s, data="ce")
    ecn(s)


@fixture()
def marked_ack(s):
    plain(s)
    c = Tcp(s)
    c.open("EW", "E")
    c.get("ect0")
    c.reply("A", cp="ect0")
    c.answer(3, "ect0")
    c.close()


@fixture()
def marked_rtx(s):
    """The client's ACK is lost: the server sends again, newer by its time stamp, and marks it."""
    plain(s)
    c = Tcp(s)
    c.open("EW", "E")
    c.get("ect0")
    start = c.reply("PA", b"answer " * 10, "ect0")
    c.ack(arrives=False)
    s.wait(0.3)
    c.reply("PA", b"answer " * 10, "ect0", seq=start)
    c.ack()
    c.answer(2, "ect0")
    c.close()


@fixture()
def marked_fin(s):
    plain(s)
    ecn(s, fin_cp="ect0")


@fixture()
def marked_rst(s):
    """Closed by an RST once all is said."""
    plain(s)
    c = Tcp(s)
    c.open("EW", "E")
    c.get("ect0")
    c.answer(3, "ect0")
    c.client("FA")
    c.reply("RA", cp="ect0")


@fixture()
def pattern_mixed(s):
    rounds(s, plain, lambda s: ecn(s, data=["ect0", "not", "ect0"]))


@fixture()
def pattern_mixed_once(s):
    """Mixed in one connection of three: a lost tail, no pattern."""
    plain(s)
    ecn(s, data=["ect0", "not", "ect0"])
    for _ in range(2):
        plain(s)
        ecn(s)


@fixture()
def pattern_mixed_alone(s):
    """Mixed in the only connection: one is too few to call it a pattern."""
    plain(s)
    ecn(s, data=["ect0", "not", "ect0"])


@fixture()
def icmp_mark_is_no_data_mark(s):
    """A marked ICMP error about the connection says nothing of the server's marks."""
    plain(s)
    c = Tcp(s)
    c.open("EW", "E")
    c.get("ect0")
    s.time_exceeded(c.last, tos=packets.CODEPOINT["ce"])
    c.answer(3, "ect0")
    c.close()


# -- data


@fixture()
def data_none(s):
    """Handshake and close in both arms, as in the mode tcp."""
    for bits, answer in (("", ""), ("EW", "E")):
        c = Tcp(s)
        c.open(bits, answer)
        c.client("FA")
        c.reply("FA")
        c.ack()


@fixture()
def one_unmarked_segment(s):
    """Too little to say that the server does not mark: asks for more attempts."""
    plain(s, segments=1)
    ecn(s, data="not", segments=1)


def first_data_lost(s):
    """The request is lost marked, and arrives when it is sent again unmarked."""
    c = Tcp(s)
    c.open("EW", "E")
    start = c.get("ect0", arrives=False)
    s.wait(1)
    c.get(seq=start)
    c.reply("A")
    c.answer(3, "ect0")
    c.close()


@fixture()
def blackhole_ect0(s):
    rounds(s, plain, first_data_lost)


@fixture()
def data_lost_alone(s):
    """In the only connection: one is too few to call it a black hole."""
    plain(s)
    first_data_lost(s)


@fixture()
def data_lost_once(s):
    """ECT(0) data lost in one connection of three: loss, no black hole."""
    plain(s)
    first_data_lost(s)
    for _ in range(2):
        plain(s)
        ecn(s)


@fixture()
def feedback_unsolicited(s):
    c = Tcp(s)
    c.open()
    c.get()
    c.reply("AE")
    c.answer(3)
    c.close()
    ecn(s)
