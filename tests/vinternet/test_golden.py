# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Linux peer answers (6.18, tcp_ecn=2), measured once and written down here; the running
kernel and the virtual Internet's Linux-like classes must both give just that. Where a line wants a
sysctl of the kernel, the virtual Internet has a class of its own for it: tcp_ecn=0 is no_ecn,
tcp_syncookies=2 is cookies, tcp_reflect_tos=1 is reflect_tos; all else is asked of class linux."""

import random
import struct
import time

import pytest

import net
import probe as p
from probe import ACK, AE, CE, CWR, ECE, ECT0, ECT1, FIN, NOT, RST, SYN, Flow


@pytest.fixture(scope="module")
def numbers():
    return {name: entry["number"] for name, entry in net.classes().items()}


@pytest.fixture(scope="module", params=["kernel", "vinternet"])
def link(request):
    """The name of a peer, and the two namespaces with it in one of them."""
    if request.param == "vinternet":
        with net.Internet("--body", p.BODY) as veth:
            p.silence(veth)
            yield request.param, veth
        return
    with net.Veth() as veth:
        p.make_kernel(veth)
        p.silence(veth)
        server = p.Server(veth)
        yield request.param, veth
        server.close()


@pytest.fixture(scope="module", params=[4, 6], ids=["IPv4", "IPv6"])
def peer(request, link, numbers):
    name, veth = link
    one = p.Probe(veth, request.param)
    if name == "kernel":
        yield p.KernelPeer(request.param, one, numbers, veth)
    else:
        yield p.VinternetPeer(request.param, one, numbers)
    one.close()


@pytest.fixture
def host(peer):
    with peer.as_("linux") as address:
        yield address


@pytest.fixture
def flow(peer, host):
    """A connection that has agreed to ECN, with the first line of a request sent."""
    one = Flow(peer.probe, host).open()
    assert one.synack.bits == "001"
    one.data(ECT0, payload=b"GET / HTTP/1.1\r\n")
    yield one
    one.reset()


def answers(peer, dip, bits, **syn):
    one = Flow(peer.probe, dip, bits, **syn)
    assert one.synack, "no SYN/ACK"
    one.reset()
    assert one.synack.ecn == NOT
    assert not one.synack.flags & 0xE00
    return one.synack.bits


def page(flow, seconds=1):
    """The segments of an answer, which is acknowledged as it comes, the FIN included."""
    segments, until = [], time.monotonic() + seconds
    while time.monotonic() < until and not (segments and segments[-1].flags & FIN):
        for reply in flow.replies(until - time.monotonic(), enough=1):
            segments.append(reply)
            if reply.seq == flow.got:
                flow.got = (reply.seq + len(reply.payload) + bool(reply.flags & FIN)) & 0xFFFFFFFF
            flow.send()
    return segments


# -- the SYN/ACK -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", range(8), ids=lambda bits: f"{bits:03b}")
def test_synack(peer, host, bits):
    wanted = {cp: "000" for cp in range(4)}
    if bits == 0b111:
        wanted = {cp: "001" for cp in range(4)}
    if bits == 0b011:
        wanted[NOT] = "001"
    assert {cp: answers(peer, host, bits << 6, tos=cp) for cp in range(4)} == wanted


@pytest.mark.parametrize("reserved", p.RESERVED[1:], ids=hex)
def test_synack_when_another_reserved_bit_is_set(peer, host, reserved):
    for cp in range(4):
        assert answers(peer, host, CWR | ECE | reserved, tos=cp) == "001"


def test_synack_with_ecn_off(peer):
    with peer.as_("no_ecn") as address:
        for bits in range(8):
            for cp in range(4):
                assert answers(peer, address, bits << 6, tos=cp) == "000"
        for reserved in p.RESERVED[1:]:
            assert answers(peer, address, CWR | ECE | reserved, tos=CE) == "000"


def test_synack_comes_again_as_it_was(peer, host):
    flows = [Flow(peer.probe, host) for _ in range(2)]
    ports = {flow.ports[0] for flow in flows}
    again = peer.probe.replies(3.6, lambda r: r.proto == 6 and r.dport in ports)
    for flow in flows:
        copies = [r for r in again if r.dport == flow.ports[0]]
        assert len(copies) == 2, "a second and a third SYN/ACK, after 1 and 3 s"
        assert [(r.bits, r.ecn) for r in copies] == [("001", NOT)] * 2
        assert {r.seq for r in copies} == {flow.synack.seq}
        flow.reset()


@pytest.mark.parametrize(
    "first, second",
    [(a, b) for a in (0b000, 0b011, 0b111, 0b001) for b in (0b000, 0b011, 0b111) if a != b],
    ids=lambda bits: f"{bits:03b}",
)
def test_the_first_syn_decides(peer, host, first, second):
    flow = Flow(peer.probe, host, first << 6)
    flow.syn(second << 6)
    again = flow.replies(0.5, enough=1)
    flow.reset()
    wanted = "001" if first in (0b011, 0b111) else "000"
    assert [r.bits for r in [flow.synack, *again]] == [wanted, wanted]


@pytest.mark.parametrize("stamps, wanted", [(True, "001"), (False, "000")])
def test_syn_cookies_keep_ecn_in_timestamps(peer, stamps, wanted):
    options = struct.pack("!BBH", 2, 4, 1460)
    if stamps:
        options += struct.pack("!BBBBII", 1, 1, 8, 10, 12345, 0)
    with peer.as_("cookies") as address:
        assert answers(peer, address, CWR | ECE, options=options) == wanted


def test_reflected_tos_has_no_ecn(peer):
    with peer.as_("reflect_tos") as address:
        for dscp in (0x00, 0x28, 0xB8):
            for cp in range(4):
                flow = Flow(peer.probe, address, CWR | ECE, tos=dscp | cp)
                flow.reset()
                assert flow.synack.tos == dscp


# -- feedback --------------------------------------------------------------------------------------


def test_only_ce_is_echoed(flow):
    for cp in (ECT0, ECT1, NOT, ECT0):
        reply = flow.data(cp)
        assert (reply.bits, reply.ecn) == ("000", NOT)
    for cp in (CE, ECT0, NOT, ECT0):
        reply = flow.data(cp)
        assert (reply.bits, reply.ecn) == ("001", NOT)


def test_cwr_on_new_data_ends_the_echo(flow):
    assert flow.data(CE).bits == "001"
    assert flow.data(ECT0, CWR).bits == "000"
    assert flow.data(ECT0).bits == "000"


def test_cwr_on_a_pure_ack_ends_the_echo(flow):
    assert flow.data(CE).bits == "001"
    flow.send(ACK | CWR)
    assert flow.data(ECT0).bits == "000"


def test_cwr_on_old_data_ends_the_echo(flow):
    piece = b"X-Old: 1\r\n"
    assert flow.data(CE, payload=piece).bits == "001"
    flow.send(ACK | CWR, piece, NOT, seq=flow.next - len(piece))
    (reply,) = flow.replies(1, enough=1)
    assert reply.bits == "000"
    assert flow.data(ECT0).bits == "000"


def test_ce_and_cwr_in_one_segment_go_on_echoing(flow):
    assert flow.data(CE).bits == "001"
    assert flow.data(CE, CWR).bits == "001"
    assert flow.data(ECT0).bits == "001"


def test_ce_without_new_data_is_not_echoed(flow):
    flow.send(ACK, cp=CE)
    assert flow.data(ECT0).bits == "000"
    piece = b"X-Old: 1\r\n"
    assert flow.data(ECT0, payload=piece).bits == "000"
    flow.send(ACK, piece, CE, seq=flow.next - len(piece))
    (reply,) = flow.replies(1, enough=1)
    assert reply.bits == "000"
    assert flow.data(ECT0).bits == "000"


def test_ce_on_the_third_ack_is_not_echoed(peer, host):
    flow = Flow(peer.probe, host).open(cp=CE)
    assert flow.data(ECT0).bits == "000"
    flow.reset()


def test_ce_on_first_data_is_echoed_without_a_third_ack(peer, host):
    flow = Flow(peer.probe, host)
    assert flow.data(CE).bits == "001"
    flow.reset()


def test_ce_on_a_fin_is_not_echoed(flow):
    flow.send(ACK | FIN, cp=CE)
    replies = flow.replies(0.3)
    assert replies and all(r.bits == "000" and r.ecn == NOT for r in replies)
    assert any(r.ack == flow.next for r in replies)


def test_ae_on_data_means_nothing(flow):
    assert flow.data(ECT0, AE).bits == "000"
    assert flow.data(CE, AE).bits == "001"


def test_no_echo_without_ecn(peer, host):
    flow = Flow(peer.probe, host, 0).open()
    for cp in (ECT0, CE, CE):
        assert flow.data(cp).bits == "000"
    flow.request(CE, whole=False)
    segments = page(flow)
    assert segments[-1].flags & FIN
    assert all(r.bits == "000" and r.ecn == NOT for r in segments)


def test_everything_carries_the_echo(flow):
    assert flow.data(CE).bits == "001"
    # RFC 5961 4.2: a SYN within the window is answered by a challenge.
    flow.send(SYN)
    (challenge,) = flow.replies(1, enough=1)
    assert (challenge.flags & (SYN | ACK | RST), challenge.bits) == (ACK, "001")
    flow.request(whole=False)
    segments = page(flow)
    data = [r for r in segments if r.payload]
    assert sum(len(r.payload) for r in data) > p.BODY
    assert all((r.bits, r.ecn) == ("001", ECT0) for r in data)
    assert data[-1].flags & 0x08, "PSH on the last"
    fins = [r for r in segments if r.flags & FIN and not r.payload]
    assert fins and all((r.bits, r.ecn) == ("001", NOT) for r in fins)


# -- marks and the reaction to ECE -----------------------------------------------------------------


def test_only_new_data_is_marked(flow):
    flow.request(whole=False)
    segments = page(flow)
    assert segments and all(r.bits == "000" for r in segments)
    for reply in segments:
        assert reply.ecn == (ECT0 if reply.payload else NOT)
    assert segments[-1].flags & FIN and not segments[-1].payload


def test_what_is_sent_again_is_not_marked(flow):
    flow.request(whole=False)
    replies = flow.replies(1.5)
    seen, again = set(), []
    for reply in replies:
        new = [i for i in range(0, len(reply.payload), 64) if reply.seq + i not in seen]
        seen.update(reply.seq + i for i in range(0, len(reply.payload), 64))
        if reply.payload and not new:
            again.append(reply)
        elif reply.payload:
            assert reply.ecn == ECT0
    assert again, "silence must lead to a retransmission"
    assert all(r.ecn == NOT for r in again)


def test_ece_with_nothing_in_flight_means_nothing(flow):
    flow.send(ACK | ECE)
    flow.request(whole=False)
    assert not any(r.flags & CWR for r in page(flow))


def test_ece_on_the_third_ack_means_nothing(peer, host):
    flow = Flow(peer.probe, host).open(ECE)
    flow.request()
    segments = page(flow)
    assert segments[-1].flags & FIN and not any(r.flags & CWR for r in segments)


def _one_by_one(flow, echo):
    """Acknowledges an answer segment by segment, with a window of five; the new segments that each
    ACK let out. echo: ECE on all these ACKs."""
    flow.request()
    flight = flow.replies(0.5, enough=5, wanted=lambda r: len(r.payload) > 0)
    assert [len(r.payload) for r in flight] == [536] * 5 and not any(r.flags & CWR for r in flight)
    new = []
    for _ in range(20):
        flow.got = (flow.got + 536) & 0xFFFFFFFF
        flow.send(ACK | (ECE if echo else 0))
        new += flow.replies(0.15, enough=1, wanted=lambda r: len(r.payload) > 0)
    return new


def test_ece_in_flight_gives_cwr_once_a_flight(peer, host):
    flow = Flow(peer.probe, host, mss=536, window=5 * 536).open()
    new = _one_by_one(flow, True)
    flow.reset()
    marked = [i for i, r in enumerate(new) if r.flags & CWR]
    assert len(new) >= 12 and marked[0] == 0, "CWR on the first new segment"
    gaps = [b - a for a, b in zip(marked, marked[1:])]
    assert len(marked) >= 2 and all(1 < gap <= 6 for gap in gaps), marked
    assert all(r.ecn == ECT0 for r in new)


def test_no_ece_no_cwr(peer, host):
    flow = Flow(peer.probe, host, mss=536, window=5 * 536).open()
    new = _one_by_one(flow, False)
    flow.reset()
    assert len(new) >= 15 and not any(r.flags & ECN_BITS for r in new)


def test_no_reaction_without_ecn(peer, host):
    flow = Flow(peer.probe, host, 0, mss=536, window=5 * 536).open()
    new = _one_by_one(flow, True)
    flow.reset()
    assert len(new) >= 15 and not any(r.flags & ECN_BITS for r in new)


ECN_BITS = AE | CWR | ECE

# -- what belongs to no connection -----------------------------------------------------------------


@pytest.mark.parametrize("dport", [81, 80], ids=["closed port", "stray segment"])
def test_rst_has_the_dscp_and_no_ecn(peer, host, dport):
    for tos in (0x00, 0x01, 0x02, 0x03, 0x28, 0xB8, 0xBB):
        ports = (random.randrange(10000, 20000), dport)
        kind = SYN | CWR | ECE if dport == 81 else ACK
        peer.probe.tcp(host, ports, kind, 1000, 2000 if kind & ACK else 0, tos=tos)
        (reply,) = peer.probe.replies(1, lambda r: r.proto == 6 and r.dport == ports[0], 1)
        assert reply.flags & RST and reply.bits == "000"
        assert reply.tos == tos & 0xFC


def test_an_echo_has_the_tos_of_the_request(peer, host):
    proto, kind, answer = (58, 128, 129) if peer.family == 6 else (1, 8, 0)
    for tos in (0x00, 0x01, 0x02, 0x03, 0xBB):
        peer.probe.send(host, proto, struct.pack("!BBHHH", kind, 0, 0, 7, tos) + b"ping", tos)
        (reply,) = peer.probe.replies(1, lambda r: r.proto == proto and r.sport == answer, 1)
        assert (reply.tos, reply.payload) == (tos, b"ping")


def test_the_error_of_a_closed_udp_port(peer, host):
    proto, what = (58, (1, 4)) if peer.family == 6 else (1, (3, 3))
    for tos in (0x00, 0x01, 0x02, 0x03, 0x28, 0xBB):
        peer.probe.send(host, 17, struct.pack("!HHHH", 4000, 9, 12, 0) + b"data", tos)
        (reply,) = peer.probe.replies(1, lambda r: r.proto == proto and r.sport == what[0], 1)
        quote = reply.payload
        assert reply.dport == what[1]
        if peer.family == 6:
            assert reply.tos == 0 and (quote[0] << 4 | quote[1] >> 4) & 255 == tos
        else:
            assert reply.tos == 0xC0 | (tos & 0x1E) and quote[1] == tos
