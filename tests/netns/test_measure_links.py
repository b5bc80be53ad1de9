# SPDX-License-Identifier: GPL-3.0-or-later
"""The first hop: neighbours on the link, a gateway whose address changes, source addresses, and a
link without Ethernet."""

import fcntl
import os
import select
import struct
import threading
import time

import pytest

from lab import VP4, VP6
from lab_ns import mac
from measure import INCOMPLETE, NONE, base, details, measure, start
from pcapfile import SYN, first_syns, tcp_segments


def ip(lab, role, *commands):
    for command in commands:
        lab.exec(role, ["ip", *command.split()], check=True)


def mac_of(lab, role, name):
    return lab.within(role, mac, name)


@pytest.fixture
def neighbour(lab):
    """A server on the vantage point's own link, beside the router."""
    ip(lab, "rt", "link add link rt0 name near0 type macvlan mode bridge")
    ip(lab, "rt", f"link set near0 netns {lab.netns('srv')}")
    ip(lab, "srv", "addr add 192.0.2.77/24 dev near0", "link set near0 up",
       "addr add 2001:db8:1::77/64 dev near0 nodad")  # fmt: skip
    yield "near0"
    ip(lab, "srv", "link del near0")


def test_on_link_targets_have_their_own_neighbour(lab, folder, neighbour):
    files = {name: os.path.join(folder, f"{name}.pcap") for name in ("near", "rt")}
    jobs = [{"dip": "192.0.2.77"}, {"dip": "2001:db8:1::77"}, *lab.targets("none", 2)]
    with lab.capture("srv", neighbour, files["near"], "tcp"):
        with lab.capture("rt", "rt0", files["rt"], "tcp"):
            records = measure(lab, jobs).check().by_dip
    assert len(records) == 6 and all(base(r) == NONE for r in records.values())
    near = mac_of(lab, "srv", neighbour)
    arrived = [s for s in tcp_segments(files["near"]) if s.flags & SYN and s.src in (VP4, VP6)]
    assert len(arrived) == 4 and {s.eth_dst for s in arrived} == {near}
    others = [s for s in tcp_segments(files["rt"]) if s.dst.startswith(("198.18.", "2001:2:"))]
    assert {s.eth_dst for s in others} == {mac_of(lab, "rt", "rt0")} != {near}


def test_absent_neighbours_are_incomplete(lab):
    """On the link and not there: nothing could be sent, so nothing is said."""
    jobs = [{"dip": "192.0.2.99"}, {"dip": "2001:db8:1::99"}, *lab.targets("none", 1)]
    records = measure(lab, jobs).check().by_dip
    for dip in ("192.0.2.99", "2001:db8:1::99"):
        assert set(records[dip]["conditions"]) == INCOMPLETE
        assert "did not answer 3 ARP or NDP requests" in records[dip]["problem"]
    assert base(records["198.18.0.1"]) == base(records["2001:2::1"]) == NONE


def test_own_address_is_no_target(lab):
    records = measure(lab, [{"dip": VP4}, {"dip": VP6}]).check().records
    for record in records:
        assert set(record["conditions"]) == INCOMPLETE
        assert "is an address of this host" in record["problem"]


def test_unknown_neighbours_are_asked(lab):
    ip(lab, "vp", "neigh flush dev vp0")
    assert all(base(r) == NONE for r in measure(lab, lab.targets("none", 2)).check().records)


def test_gateway_by_hand(lab):
    """-G: the right one works, a wrong one shows that it is really used."""
    right = mac_of(lab, "rt", "rt0")
    jobs = lab.targets("none", 2)
    assert all(base(r) == NONE for r in measure(lab, jobs, "-G", right).check().records)
    wrong = measure(lab, jobs, "-G", "02:00:00:00:00:77", "--timeout", "0.5").check()
    assert all(base(r) == {"ecn.connectivity.offline"} for r in wrong.records)


@pytest.fixture(params=["announced", "silent"])
def new_mac(request, lab):
    """A new address for the router; on request it tells everybody, as gateways do that take over
    from another."""
    old = mac_of(lab, "rt", "rt0")
    notify = ["net/ipv4/conf/rt0/arp_notify", "net/ipv6/conf/rt0/ndisc_notify"]
    lab.sysctl("rt", dict.fromkeys(notify, int(request.param == "announced")))
    yield "02:00:00:00:00:42"
    ip(lab, "rt", f"link set rt0 address {old}")
    lab.sysctl("rt", dict.fromkeys(notify, 0))


def test_a_gateway_that_changes_its_address_is_followed(lab, folder, new_mac):
    file = os.path.join(folder, "rt.pcap")
    jobs = lab.targets("none", 200)
    with lab.capture("rt", "rt0", file, "tcp"):
        run = start(lab, jobs, "-r", "1000", "--output-flows")
        while run.process.poll() is None and not os.path.getsize(file) > 400000:
            time.sleep(0.01)
        ip(lab, "rt", f"link set rt0 address {new_mac}")
        outcome = run.finish().check()
    to = [s.eth_dst for s in tcp_segments(file) if s.src in (VP4, VP6)]
    assert to.count(new_mac) > 300 and len(set(to)) == 2
    assert len(outcome.records) == 400
    wrong = [r for r in outcome.records if base(r) != NONE]
    assert not wrong, f"{len(wrong)}, for example {wrong[0]['conditions']}"


def test_source_address(lab, folder):
    file = os.path.join(folder, "rt.pcap")
    ip(lab, "vp", "addr add 192.0.2.9/24 dev vp0")
    try:
        with lab.capture("rt", "rt0", file, "tcp"):
            outcome = measure(lab, lab.targets("none", 3), "-S", "192.0.2.9", "--output-flows")
    finally:
        ip(lab, "vp", "addr del 192.0.2.9/24 dev vp0")
    for record in outcome.check().records:
        source = VP6 if ":" in record["dip"] else "192.0.2.9"
        assert record["sip"] == record["path"][0] == source and base(record) == NONE
        assert {flow["sip"] for flow in record["flow_results"]} == {source}
    assert {s.src for s in first_syns(tcp_segments(file)).values()} == {"192.0.2.9", VP6}


# -- a link without Ethernet -----------------------------------------------------------------------

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 1, 0x1000


def _open_tun(name):
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
    fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return fd


class Tunnel:
    """tun0 on the vantage point and tun1 on the router, joined by a thread. Packets are counted."""

    def __init__(self, lab):
        self.ends = [lab.within(role, _open_tun, name) for role, name in self.NAMES.items()]
        self.carried = 0
        self._stop_read, self._stop_write = os.pipe()
        self._thread = threading.Thread(target=self._carry)
        self._thread.start()

    NAMES = {"vp": "tun0", "rt": "tun1"}

    def _carry(self):
        other = dict(zip(self.ends, reversed(self.ends)))
        while True:
            ready, _, _ = select.select([*self.ends, self._stop_read], [], [])
            if self._stop_read in ready:
                return
            for fd in ready:
                os.write(other[fd], os.read(fd, 65536))
                self.carried += 1

    def close(self):
        os.write(self._stop_write, b".")
        self._thread.join()
        for fd in (*self.ends, self._stop_read, self._stop_write):
            os.close(fd)


@pytest.fixture
def tunnel(lab):
    made = Tunnel(lab)
    try:
        for role, last in (("vp", 2), ("rt", 1)):
            name = Tunnel.NAMES[role]
            ip(lab, role, f"link set {name} up", f"addr add 192.168.77.{last}/24 dev {name}",
               f"addr add fd77::{last}/64 dev {name} nodad")  # fmt: skip
        for host, via in (("srv", "198.51.100.1"), ("srv0", "203.0.113.1")):
            ip(lab, host, f"route add 192.168.77.0/24 via {via}")
        ip(lab, "vp", "route add 198.19.0.0/16 dev tun0", "-6 route add 2001:2:0:1::/64 dev tun0",
           "-6 route add 2001:2:0:6::/64 dev tun0")  # fmt: skip
        yield made
    finally:
        made.close()  # the interfaces and what is routed through them go with it
        for host in ("srv", "srv0"):
            ip(lab, host, "route del 192.168.77.0/24")


@pytest.mark.parametrize("options", [[], ["-X"]], ids=["packet", "ip"])
def test_a_link_without_ethernet(lab, folder, tunnel, options):
    file = os.path.join(folder, "out.pcap")
    jobs = lab.targets("ecn_off", 10) + lab.targets("rst_all", 2) + lab.targets("bleach_rev", 3, 4)
    more = ["--pcap-out", file, "--timeout", "3"]
    outcome = measure(lab, jobs, *options, *more, interface="tun0").check()
    assert len(outcome.records) == len(jobs) == 27 and tunnel.carried > 27 * 8
    for record in outcome.records:
        expected = lab.expected(record["box"])
        assert base(record) == expected.base and details(record) >= expected.details, record
        assert record["sip"] == ("fd77::2" if ":" in record["dip"] else "192.168.77.2")
    assert {s.eth_dst for s in tcp_segments(file)} == {None}
