# SPDX-License-Identifier: GPL-3.0-or-later
"""What the flow meter measures."""

from scene import CLIENT, SERVER, Tcp, Udp, collection, plain

fixture, FIXTURES = collection("meter_")


def begin(s, **how):
    c = Tcp(s, **how)
    c.open()
    c.get()
    return c


@fixture()
def clean(s):
    plain(s)


@fixture()
def retransmission(s):
    """Of one segment each way."""
    c = begin(s)
    c.answer(2)
    start = c.reply("PA", b"3" * 100, arrives=False)
    s.wait(0.3)
    c.reply("PA", b"3" * 100, seq=start)
    c.ack()
    start = c.client("PA", b"more" * 5, arrives=False)
    s.wait(0.3)
    c.client("PA", b"more" * 5, seq=start)
    c.reply("A")
    c.close()


@fixture()
def loss(s):
    """The server's second segment is lost before the capture; three duplicate ACKs bring it."""
    c = begin(s)
    c.answer(1)
    hole = c.reply("A", b"2" * 100, seen=False, arrives=False)
    for number in range(3, 6):
        c.reply("A", b"%d" % number * 100)
        c.ack()
    c.reply("PA", b"2" * 100, seq=hole)
    c.got[CLIENT] = c.next[SERVER]
    c.ack()
    c.close()


@fixture()
def loss_never_filled(s):
    """The capture itself missed a segment: the client acknowledges it."""
    c = begin(s)
    c.answer(1)
    c.reply("A", b"2" * 100, seen=False)
    c.reply("PA", b"3" * 100)
    c.ack()
    c.close()


@fixture()
def reordering(s):
    """The server's second segment comes behind its third, with the older time stamp."""
    c = begin(s)
    c.answer(1)
    at, stamp = c.next[SERVER], c.echo[CLIENT]
    c.reply("A", b"3" * 100, seq=at + 100, stamp=stamp + 2)
    c.reply("A", b"2" * 100, seq=at, stamp=stamp + 1)
    c.got[CLIENT] = at + 200
    c.ack()
    c.close()


HOLES = 24


def burst(c, numbers, tick=0, **how):
    """Segments of the server by their number, 100 bytes each, sent so many ms after the first."""
    if 0 in numbers:
        c.base, c.tick = c.next[SERVER], c._stamp(SERVER)
    for number in numbers:
        at, stamp = c.base + 100 * number, c.tick + tick
        c.reply("A", b"%04d" % number * 25, seq=at, stamp=stamp, **how)


def all_acked(c):
    c.got[CLIENT] = c.next[SERVER]
    c.ack()


def loses(s, ts):
    """1 and 5 are lost before the capture. They come again a round trip after their gaps opened,
    and right behind newer data, which for 1 has just opened another gap."""
    c = begin(s, ts=ts)
    burst(c, [0, 2, 3, 4])
    c.ack()
    burst(c, [6, 7, 1], tick=20)
    c.ack()
    burst(c, [8, 5], tick=40)
    all_acked(c)
    c.close()


def reorders(s, ts):
    """Of 1, 4, 5 and 7, 5 was sent in the tick before; 7 is overtaken by 10 ms."""
    c = begin(s, ts=ts)
    burst(c, [0, 2, 1, 3, 6, 4])
    burst(c, [5], tick=-1)
    burst(c, [8], tick=1)
    s.wait(0.01)
    burst(c, [7], tick=1)
    all_acked(c)
    c.close()


@fixture()
def loss_only(s):
    loses(s, ts=True)


@fixture()
def loss_only_unstamped(s):
    loses(s, ts=False)


@fixture()
def reordering_only(s):
    reorders(s, ts=True)


@fixture()
def reordering_only_unstamped(s):
    reorders(s, ts=False)


@fixture()
def many_holes_filled(s):
    """Every other segment is lost before the capture; all come again a round trip later."""
    c = begin(s)
    burst(c, range(0, 2 * HOLES + 1, 2))
    c.ack()
    burst(c, range(1, 2 * HOLES, 2), tick=20)
    all_acked(c)
    c.close()


@fixture()
def many_holes_reordered(s):
    """Every other segment is overtaken by all the rest."""
    c = begin(s, ts=False)
    burst(c, range(0, 2 * HOLES + 1, 2))
    burst(c, range(2 * HOLES - 1, 0, -2))
    all_acked(c)
    c.close()


@fixture()
def many_losses(s):
    """The capture missed every other segment; the client has them all, but its first ACK is lost
    and the server sends the last segment that is in the capture again."""
    c = begin(s)
    burst(c, range(0, 2 * HOLES + 1, 2))
    c.got[CLIENT] = c.next[SERVER]
    c.ack(arrives=False)
    s.wait(0.3)
    burst(c, [2 * HOLES], tick=320)
    c.ack()
    burst(c, range(2 * HOLES + 2, 3 * HOLES + 1, 2), tick=340)
    all_acked(c)
    c.close()


@fixture()
def sequence_wraps(s):
    """Both numbers pass 2^32 within the data."""
    c = Tcp(s)
    c.next = {CLIENT: 2**32 - 10, SERVER: 2**32 - 150}
    c.exchange()


@fixture()
def round_trip_grows(s):
    """20, 50 and 120 ms between data of the server and the client's ACK of it."""
    c = begin(s)
    for delay in (0.02, 0.05, 0.12):
        c.reply("PA", b"x" * 100)
        s.wait(delay - 0.00005)
        c.ack()


@fixture()
def windows(s):
    """The client's window shrinks to nothing and opens again; scaled by 2^7."""
    c = begin(s)
    for window in (500, 100, 0):
        c.reply("PA", b"x" * 100)
        c.ack(window=window)
    s.wait(1)
    c.ack(window=500)
    c.reply("PA", b"x" * 100)
    c.ack(window=501)
    c.close()


@fixture()
def mss_observed(s):
    """Declared 1460 and 1380; the largest segments have 200 and 300 bytes."""
    c = Tcp(s, mss=(1460, 1380))
    c.open()
    c.client("PA", b"x" * 200)
    c.reply("A", b"y" * 300)
    c.reply("PA", b"y" * 120)
    c.ack()


@fixture(form="pcapng", link="ether")
def marks(s):
    c = Tcp(s)
    c.open("EW", "E")
    for cp in ("ect0", "ect0", "ect1"):
        c.client("PA", b"to the server", cp)
    c.reply("A")
    for cp in ("ect0", "ce", "ce", "not"):
        c.reply("PA", b"to the client", cp)
    c.client("AE")
    c.reply("PAW", b"less", "ect0")


@fixture()
def ttl_varies(s):
    c = Tcp(s)
    c.open(synack_ttl=64)
    c.get()
    c.reply("A", b"x" * 50, ttl=57)
    c.reply("A", b"x" * 50, ttl=61)
    c.client("A", ttl=63)


@fixture()
def syn_again(s):
    """No round trip is known from a SYN that was sent twice."""
    c = Tcp(s)
    c.syn(arrives=False)
    c.syn_again()
    c.synack()
    c.ack()


@fixture()
def flags_of_a_reset(s):
    c = begin(s)
    c.reply("PA", b"x" * 50)
    c.client("RA")


@fixture()
def udp(s):
    u = Udp(s, dport=4000)
    for size in (10, 20, 30):
        u.query(b"q" * size, cp="ect0")
    u.reply(b"a" * 100, ttl=40, cp="ce")
