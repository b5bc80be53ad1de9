# SPDX-License-Identifier: GPL-3.0-or-later
"""What ECN measurements meet: plain and ecn connections to one target, in one capture. Verdicts
that need repetition have three of each arm. Here: connectivity, negotiation, and what is no
evidence."""

from scene import Scene, Tcp, collection, ecn, plain, refused, rounds, silence, unmarked

fixture, FIXTURES = collection("ecn_")


# -- connectivity


@fixture()
def works(s):
    plain(s)
    ecn(s)


@fixture(link="ether")
def works_ethernet(s):
    plain(s)
    ecn(s)


@fixture()
def broken_syn_drop(s):
    rounds(s, plain, lambda s: silence(s, "EW"))


@fixture()
def broken_syn_drop_once(s):
    """One connection of each arm: what a capture has to say is said, there is no asking again."""
    plain(s)
    silence(s, "EW")


@fixture(form="pcapng")
def broken_syn_rst_by_host(s):
    rounds(s, plain, lambda s: refused(s, "EW"))


@fixture()
def broken_syn_rst_on_path(s):
    rounds(s, plain, lambda s: refused(s, "EW", ttl=62))


@fixture(link="sll")
def broken_syn_icmp(s):
    def prohibited(s):
        c = Tcp(s)
        c.syn("EW")
        s.prohibited(c.last)
        for number in (1, 2):
            c.syn_again("EW", after=number)
            s.prohibited(c.last)
        s.wait(3)

    rounds(s, plain, prohibited)


@fixture()
def broken_hs_then_rst(s):
    def reset(s):
        c = Tcp(s)
        c.open("EW", "E")
        c.get("ect0")
        c.reply("R", options=b"")

    rounds(s, plain, reset)


@fixture()
def broken_hs_then_stall(s):
    def stall(s):
        c = Tcp(s)
        c.open("EW", "E")
        start = c.get("ect0", arrives=False)
        for number in range(3):
            s.wait(2**number)
            c.get(seq=start, arrives=False)
        s.wait(3)

    rounds(s, plain, stall)


@fixture()
def broken_hs_then_close(s):
    def closed(s):
        c = Tcp(s)
        c.open("EW", "E")
        c.get("ect0")
        c.close()

    rounds(s, plain, closed)


@fixture()
def offline_timeout(s):
    """Another port answers, so that the capture is seen to have both directions."""
    silence(s)
    silence(s, "EW")
    other = Tcp(s, dport=81)
    other.syn()
    other.reply("RA", options=b"")


@fixture(form="us-big-endian")
def offline_rst(s):
    refused(s)
    refused(s, "EW")


@fixture(link="vlan")
def offline_icmp(s):
    for bits in ("", "EW"):
        c = Tcp(s)
        c.syn(bits)
        s.prohibited(c.last)
        c.syn_again(bits)
        s.prohibited(c.last)
        s.wait(3)


@fixture()
def offline_bad_synack(s):
    """SYN/ACKs that acknowledge the byte behind the SYN's, in both arms."""
    for bits in ("", "EW"):
        c = Tcp(s)
        c.syn(bits)
        for number in range(2):
            c.synack(ack=c.next["client"] + 1, arrives=False)
            c.syn_again(bits)
        s.wait(3)


@fixture()
def transient(s):
    """The ecn arm gets through once in three attempts."""
    plain(s)
    silence(s, "EW")
    plain(s)
    ecn(s)
    plain(s)
    silence(s, "EW")


@fixture()
def inverse(s):
    rounds(s, silence, ecn)


@fixture()
def multipath(s):
    """The path of source port 50001 works, that of 50002 does not, whatever the SYN says."""
    plain(s, sport=50001)
    silence(s, "EW", sport=50002)
    s.wait(60)
    silence(s, sport=50002)
    ecn(s, sport=50001)


@fixture()
def transient_not_multipath(s):
    """Three source ports, one works: nothing can be said to follow a port."""
    plain(s)
    silence(s)
    silence(s, "EW")


@fixture()
def retries(s):
    plain(s)
    c = Tcp(s)
    c.syn("EW", arrives=False)
    c.syn_again("EW")
    c.synack("E")
    c.ack()
    c.get("ect0")
    c.answer(3, "ect0")
    c.close()


# -- negotiation


@fixture(form="pcapng", link="ether")
def failed(s):
    plain(s)
    unmarked(s)


@fixture()
def reflected(s):
    plain(s)
    unmarked(s, synack="EW")


@fixture()
def cwr_only(s):
    plain(s)
    unmarked(s, synack="W")


@fixture()
def ae_unsolicited(s):
    plain(s)
    ecn(s, synack="NE")


@fixture()
def unsolicited(s):
    plain(s, synack="E")
    ecn(s)


@fixture()
def inconsistent(s):
    plain(s)
    ecn(s)
    plain(s)
    unmarked(s)


@fixture()
def synack_ladder(s):
    """The client's ACK gets lost twice; the server falls back in its copies of the SYN/ACK."""
    plain(s)
    c = Tcp(s)
    c.syn("EW")
    c.synack("E")
    c.ack(arrives=False)
    for bits in ("E", ""):
        c.synack_again(bits)
        c.ack(arrives=False)
    c.get("ect0")
    c.answer(3, "ect0")
    c.close()


@fixture()
def synack_ect0(s):
    plain(s)
    ecn(s, synack_cp="ect0")


@fixture()
def synack_ce(s):
    plain(s)
    ecn(s, synack_cp="ce")


@fixture()
def proxy_near(s):
    """The SYN/ACK comes from nearer than the data."""
    plain(s)
    ecn(s, ttl=52, synack_ttl=61, data="not")


@fixture()
def proxy_far(s):
    plain(s)
    ecn(s, ttl=61, synack_ttl=52, data="not")


# -- what is no evidence


@fixture()
def blind_rst(s):
    """An RST that acknowledges nothing we sent, before the SYN/ACK."""
    plain(s)
    c = Tcp(s)
    c.syn("EW")
    c.reply("RA", seq=0, ack=c.next["client"] + 77_777, options=b"", arrives=False)
    c.synack("E", seq=c.next["server"])
    c.ack()
    c.get("ect0")
    c.answer(3, "ect0")
    c.close()


@fixture()
def blind_icmp(s):
    """An ICMP error that quotes a sequence number we never sent, then silence."""
    plain(s)
    c = Tcp(s)
    syn = c.syn("EW")
    forged = Tcp(Scene(s.family), c.sport)
    forged.syn("EW", seq=syn + 1_000_000)
    s.prohibited(forged.last)
    for number in (1, 2):
        c.syn_again("EW", after=number)
    s.wait(3)
    plain(s)
    silence(s, "EW")


@fixture()
def incomplete_no_plain(s):
    ecn(s)


@fixture()
def incomplete_no_ecn(s):
    plain(s)


@fixture()
def incomplete_unknown_arm(s):
    """A SYN with ECE alone belongs to neither arm."""
    plain(s)
    unmarked(s, syn="E")


@fixture()
def incomplete_accecn_syn(s):
    """An AccECN SYN is not the ecn arm's: that nothing answers it says nothing about classic ECN."""
    plain(s)
    silence(s, "NEW")


@fixture()
def incomplete_syn_with_ect(s):
    """RFC 8311 4.3: servers may refuse ECN to a SYN that carries ECT, so this one is not the ecn arm's."""
    plain(s)
    c = Tcp(s)
    c.syn("EW", cp="ect0")
    c.synack()
    c.ack()
    c.get()
    c.answer()
    c.close()


@fixture()
def incomplete_captured_twice(s):
    """One SYN that the capture has twice (two interfaces) is not one that was sent again in vain."""
    plain(s)
    c = Tcp(s)
    c.syn("EW")
    s.packets.append((s.now + 1000, c.last, True))


@fixture()
def incomplete_one_direction(s):
    """Nothing in the capture comes back: perhaps it has one direction only."""
    silence(s)
    silence(s, "EW")


@fixture()
def works_captured_twice(s):
    """Every packet is in the capture twice, as from both sides of a bridge."""
    plain(s)
    ecn(s)
    s.packets = [copy for at, *rest in s.packets for copy in ((at, *rest), (at + 20_000, *rest))]


@fixture()
def incomplete_request_captured_twice(s):
    """A request that is in the capture twice was not sent twice: the connection did not stall."""
    plain(s)
    c = Tcp(s, ts=False)
    c.open("EW", "E")
    for _ in range(2):
        c.get("ect0", arrives=False)
    s.packets += [(at + 20_000, *rest) for at, *rest in s.packets[-2:]]
    s.packets.sort(key=lambda packet: packet[0])


@fixture()
def incomplete_slow_server(s):
    """The capture ends four seconds after the request was acknowledged: the answer may still come."""
    plain(s)
    c = Tcp(s)
    c.open("EW", "E")
    c.get("ect0")
    c.reply("A")
    s.wait(4)
    Tcp(s, dport=81).syn()


@fixture()
def incomplete_given_up_in_answer(s):
    """The client resets before either side has closed: because the answer got stuck, perhaps."""
    plain(s)
    c = Tcp(s)
    c.open("EW", "E")
    c.get("ect0")
    c.answer(2, "ect0")
    s.wait(10)
    c.client("RA")


@fixture()
def incomplete_synack_not_captured(s):
    """The client acknowledges a SYN/ACK that the capture does not have."""
    plain(s)
    c = Tcp(s)
    c.syn("EW")
    c.synack("E", seen=False)
    c.ack()
    c.get("ect0")
    s.wait(4)


@fixture()
def incomplete_capture_ends(s):
    """The capture ends half a second after the SYN."""
    plain(s)
    c = Tcp(s)
    c.syn("EW")
    s.wait(0.5)
    Tcp(s, dport=81).syn()


@fixture()
def incomplete_sender_falls_back(s):
    """The client's kernel gives up ECN in its third SYN (tcp_ecn_fallback), which is answered: not a
    connection of the ecn arm, and not one of the plain arm."""
    plain(s)
    c = Tcp(s)
    c.syn("EW")
    c.syn_again("EW")
    c.syn_again("", after=2)
    c.synack()
    c.ack()
    c.get()
    c.answer()
    c.close()


@fixture()
def incomplete_begun_before(s):
    """Of the ecn connection the capture has no SYN."""
    plain(s)
    c = Tcp(s)
    for side in (c.next, c.got):
        side["client"], side["server"] = 5_000, 5_000
    c.get("ect0")
    c.answer(3, "ect0")
    c.close()


@fixture()
def incomplete_reset_in_answer(s):
    """An RST of the server's behind a part of its answer: whole or not, nobody knows."""
    plain(s)
    c = Tcp(s)
    c.open("EW", "E")
    c.get("ect0")
    c.answer(2, "ect0")
    c.reply("R", options=b"")


@fixture()
def incomplete_ends_in_exchange(s):
    """The capture ends at the request."""
    plain(s)
    c = Tcp(s)
    c.open("EW", "E")
    c.get("ect0")


@fixture()
def two_targets(s):
    """Port 80 works, port 8080 is broken; their connections take turns."""
    for _ in range(3):
        near, far = Tcp(s), Tcp(s, dport=8080)
        near.syn()
        far.syn("EW")
        near.synack()
        near.ack()
        far.syn_again("EW")
        near.get()
        near.answer()
        near.close()
        s.wait(3)
        Tcp(s, dport=8080).exchange()
        ecn(s)
