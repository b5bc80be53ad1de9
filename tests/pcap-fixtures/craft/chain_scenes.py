# SPDX-License-Identifier: GPL-3.0-or-later
"""What the chains of `rawspider observe` tell apart, one at a time."""

import packets
from scene import CLIENT, REQUEST, SERVER, Tcp, Udp, collection, dns, plain, refused, silence

fixture, FIXTURES = collection()
OSPF = 89


# -- basic, and where flows begin and end


@fixture()
def basic_tcp(s):
    plain(s)


@fixture(form="pcapng")
def basic_udp(s):
    u = Udp(s, dport=4000)
    u.query(b"ping")
    u.reply(b"pong, and more of it")
    u.reply(b"", ttl=50)


@fixture()
def basic_other_protocol(s):
    for side in (CLIENT, SERVER, CLIENT):
        s.put(side, s.ip(side, OSPF, bytes(24), ttl=1))


@fixture()
def flow_idle(s):
    """The second question is another flow: more than 30 s of silence lie between."""
    for _ in range(2):
        u = Udp(s, dport=4000, sport=50001)
        u.query(b"ping")
        u.reply(b"pong")
        s.wait(40)


@fixture(form="us-big-endian", link="ether")
def flow_port_reused(s):
    """The same ports again, long after both sides closed."""
    for _ in range(2):
        plain(s, sport=50001)
        s.wait(60)


# -- tcp


@fixture()
def tcp_no_answer(s):
    silence(s)


@fixture()
def tcp_refused(s):
    refused(s)


@fixture()
def tcp_client_resets(s):
    c = Tcp(s)
    c.open()
    c.get()
    c.answer(1)
    c.client("R", options=b"")


@fixture()
def tcp_fin_of_client_only(s):
    c = Tcp(s)
    c.open()
    c.client("FA")
    c.reply("A")


@fixture(link="sll")
def tcp_ae_both_ways(s):
    """AccECN's SYN and an answer to it (RFC 9768 3.1.1)."""
    c = Tcp(s)
    c.syn("NEW")
    c.synack("W")
    c.ack()


@fixture()
def tcp_retransmission(s):
    """The server's second segment comes again, newer by its time stamp."""
    c = Tcp(s)
    c.open()
    c.get()
    c.answer(1)
    start = c.reply("PA", b"second", ack=None)
    s.wait(0.3)
    c.reply("PA", b"second", seq=start)
    c.ack()
    c.close()


@fixture()
def tcp_reordering(s):
    """The server's first segment comes behind its second, with the older time stamp."""
    c = Tcp(s)
    c.open()
    c.get()
    first, length, stamp = c.next[SERVER], 100, c.echo[CLIENT]
    c.reply("PA", b"2" * length, seq=first + length, stamp=stamp + 2)
    c.reply("A", b"1" * length, seq=first, stamp=stamp + 1)
    c.got[CLIENT] = first + 2 * length
    c.ack()


# -- ecn: every mark and flag once or more


@fixture()
def ecn_counts(s):
    c = Tcp(s)
    c.syn("EW", cp="ect0")
    c.synack("E", cp="ect1")
    c.ack()
    for cp in ("not", "ect1", "ect0", "ect0", "ce"):
        c.client("PA", b"to the server", cp)
    c.reply("AE")
    c.client("PAW", b"reduced", "ect0")
    for cp in ("ce", "ce", "ect1", "not"):
        c.reply("PA", b"to the client", cp)
    c.client("AE")
    c.reply("PAW", b"reduced", "ect0")
    c.reply("A", cp="ect0")
    c.reply("FA", cp="ce")


# -- icmp


@fixture()
def icmp_port_unreachable(s):
    """From the target itself."""
    u = Udp(s)
    u.query(dns())
    s.icmp(*((3, 3) if s.family == 4 else (1, 4)), u.last, source=s.server)


@fixture()
def icmp_prohibited(s):
    c = Tcp(s)
    c.syn()
    s.prohibited(c.last)


@fixture(link="vlan")
def icmp_time_exceeded(s):
    """Marked CE; neither its mark nor its TTL are the flow's."""
    c = Tcp(s)
    c.open()
    c.get()
    s.time_exceeded(c.last, tos=packets.CODEPOINT["ce"], ttl=250)
    c.answer(1)


@fixture()
def icmp_short_quote(s):
    """Eight bytes behind the IP header, the least there may be (RFC 792)."""
    c = Tcp(s)
    c.syn()
    s.prohibited(c.last, quoted_bytes=(20 if s.family == 4 else 40) + 8)


# -- tcpopt


@fixture()
def tcpopt_all(s):
    Tcp(s).open()


@fixture()
def tcpopt_sack_only(s):
    c = Tcp(s)
    c.syn()
    c.synack(options=packets.mss(1460) + packets.sack_permitted())
    c.ack()


@fixture()
def tcpopt_none(s):
    c = Tcp(s)
    c.syn()
    c.synack(options=b"")
    c.ack()


@fixture()
def tcpopt_unanswered(s):
    Tcp(s).syn()


# -- dscp


@fixture()
def dscp_tcp(s):
    """Each of the four classes with a mark of its own; the pure ACKs' (63) are none of them."""
    c = Tcp(s)
    c.syn(dscp=46)
    c.synack(dscp=8)
    c.ack(dscp=63)
    c.get(dscp=10)
    c.reply("A", dscp=63)
    c.reply("PA", b"answer", dscp=12)


@fixture()
def dscp_zero(s):
    """Zero is a mark that was seen, not one that is missing."""
    plain(s)


@fixture()
def dscp_udp(s):
    u = Udp(s)
    u.query(dns(), dscp=46, cp="ect0")
    u.reply(dns(answer=True))


# -- evilbit (IPv6 has none: null)


@fixture()
def evilbit_syn(s):
    c = Tcp(s)
    c.syn(evil=True)
    c.synack()
    c.ack()
    c.get()
    c.answer(1)


@fixture()
def evilbit_data_rev(s):
    c = Tcp(s)
    c.open()
    c.get()
    c.reply("PA", b"answer", evil=True)


@fixture()
def evilbit_udp(s):
    u = Udp(s)
    u.query(dns(), evil=True)
    u.reply(dns(answer=True))


# -- mss


@fixture()
def mss_both(s):
    Tcp(s, mss=(1460, 1380)).open()


@fixture()
def mss_none(s):
    Tcp(s, mss=(0, 0)).open()


@fixture()
def mss_wrong_length(s):
    """Three bytes instead of four."""
    c = Tcp(s)
    c.syn(options=b"\2\3\5\1")
    c.synack()


# -- tfo


@fixture()
def tfo_cookie_request(s):
    c = Tcp(s)
    c.syn(options=packets.mss(1460) + packets.fast_open())
    c.synack(options=packets.mss(1460) + packets.fast_open(b"8 bytes."))
    c.ack()


@fixture()
def tfo_data_on_syn(s):
    c = Tcp(s)
    c.syn(options=packets.mss(1460) + packets.fast_open(b"8 bytes."), data=REQUEST)
    c.synack()
    c.answer(1)


@fixture()
def tfo_data_not_taken(s):
    """The server acknowledges the SYN alone; the request is sent again."""
    c = Tcp(s)
    start = c.syn(options=packets.mss(1460) + packets.fast_open(b"8 bytes."), data=REQUEST)
    c.synack(ack=start + 1)
    c.ack()
    c.get(seq=start + 1)


@fixture(form="us-big-endian")
def tfo_experimental(s):
    """Kind 254 and a magic number, before there was a kind of its own."""
    c = Tcp(s)
    c.syn(options=packets.mss(1460) + packets.fast_open_experimental())
    c.synack(options=packets.mss(1460) + packets.fast_open_experimental(b"8 bytes."))
    c.ack()


@fixture()
def tfo_fallback(s):
    """Silence to the SYN with the option; its copy goes without, and is answered."""
    c = Tcp(s)
    c.syn(options=packets.mss(1460) + packets.fast_open(b"8 bytes."), data=REQUEST, arrives=False)
    s.wait(1)
    c.syn(seq=c.next[CLIENT] - 1 - len(REQUEST))
    c.synack()
    c.ack()


# -- dns


@fixture()
def dns_answer(s):
    u = Udp(s)
    u.query(dns())
    u.reply(dns(answer=True))


@fixture()
def dns_no_such_name(s):
    """An error is an answer."""
    u = Udp(s)
    u.query(dns())
    u.reply(dns(answer=True, rcode=3))


@fixture()
def dns_no_answer(s):
    u = Udp(s)
    u.query(dns())
    s.wait(5)
    u.query(dns())


@fixture()
def dns_garbage(s):
    u = Udp(s)
    u.query(dns())
    u.reply(b"this is no DNS message")


@fixture()
def dns_cut(s):
    """The answer ends within its record."""
    u = Udp(s)
    u.query(dns())
    u.reply(dns(answer=True)[:-6])


@fixture()
def dns_question_back(s):
    """The question comes back unchanged: no response."""
    u = Udp(s)
    u.query(dns())
    u.reply(dns())


@fixture()
def dns_over_tcp(s):
    """With its length before it (RFC 7766 8)."""
    c = Tcp(s, dport=53)
    c.open()
    for side, message in ((CLIENT, dns()), (SERVER, dns(answer=True))):
        c.send(side, "PA", len(message).to_bytes(2, "big") + message)


# -- udp


@fixture()
def udp_zero_checksum_fwd(s):
    u = Udp(s)
    u.query(dns(), zero_checksum=True)
    u.reply(dns(answer=True))


@fixture()
def udp_zero_checksum_rev(s):
    u = Udp(s)
    u.query(dns())
    u.reply(dns(answer=True), zero_checksum=True)


@fixture()
def udp_checksums(s):
    u = Udp(s)
    u.query(dns())
    u.reply(dns(answer=True))
