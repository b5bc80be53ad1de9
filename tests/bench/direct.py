# SPDX-License-Identifier: GPL-3.0-or-later
"""The direct rig: a prober and the virtual Internet (tests/vinternet), with nothing but a veth
between them.

    vp (vp0) ---- net (n0)     vinternet on n0 answers for every address

Stands in for the lab of tests/netns wherever a tool here wants one: netns(), exec(), within()."""

import ipaddress
import json
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time

import lab_ns
import machine
from proc import Unmeasured

VINTERNET = os.path.abspath(
    os.environ.get("VINTERNET", os.path.join("build", "tests", "vinternet", "vinternet"))
)
# Nobody's address on the vantage point's link: the kernel there does not know it, so it has no RST
# for connections that were opened from it.
FOREIGN4 = "192.0.2.77"
# Class 0 of the virtual Internet is a plain server with ECN; it has 10.128.0.0 to 10.255.255.255.
PLAIN4 = ipaddress.IPv4Address("10.128.0.0")
_PLAIN4_MOST = 1 << 23
_CLASS4_MOST = (1 << 16) - 1
_ROLES = ("vp", "rt", "net")
_QUIET = {
    "net/ipv6/conf/all/accept_ra": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    "net/ipv6/conf/all/accept_dad": 0,
    "net/ipv6/conf/default/accept_dad": 0,
}
_FORWARDING = {
    "net/ipv4/ip_forward": 1,
    "net/ipv6/conf/all/forwarding": 1,
    "net/ipv4/conf/all/rp_filter": 0,
    "net/ipv4/conf/default/rp_filter": 0,
}
_VANTAGE = (
    "addr add 192.0.2.2/24 dev vp0",
    "addr add 2001:db8:1::2/64 dev vp0 nodad",
    "route add default via 192.0.2.1",
    "-6 route add default via 2001:db8:1::1",
)
_ROUTER = (
    "addr add 192.0.2.1/24 dev rt0",
    "addr add 2001:db8:1::1/64 dev rt0 nodad",
    "addr add 198.51.100.2/24 dev rt1",
    "addr add 2001:db8:2::2/64 dev rt1 nodad",
    "route add default via 198.51.100.1",
    "-6 route add default via 2001:db8:2::1",
)


class Direct:
    """As a context manager it is up inside and gone after. options: of vinternet. hold: None, or a
    rule of nft for what shall not reach it; then, and only then, a router stands between.

    vp (vp0) ---- (rt0) rt (rt1) ---- net (n0)"""

    def __init__(self, *options, hold=None):
        self.options = [str(option) for option in options]
        self.hold = hold
        self.counters = {}  # of vinternet, after stop()
        self._process = self._said = None

    def netns(self, role):
        return f"rs-bench-{role}"

    def exec(self, role, argv, **kw):
        return subprocess.run(["ip", "netns", "exec", self.netns(role), *argv], **kw)

    def within(self, role, function, *args):
        return lab_ns.within(self.netns(role), function, *args)

    def mac(self):
        """Of the far end, which is everybody's gateway."""
        return self.within("net", lab_ns.mac, "n0")

    def __enter__(self):
        if not os.access(VINTERNET, os.X_OK):
            raise Unmeasured(f"{VINTERNET} is missing: make vinternet")
        self.down()  # what a killed run has left
        try:
            self._links()
            self._serve()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *exc):
        self.down()

    def _ip(self, role, *commands):
        for command in commands:
            lab_ns.run(["ip", "-n", self.netns(role), *command.split()])

    def _links(self):
        for role in ("vp", "net") if self.hold is None else _ROLES:
            lab_ns.run(["ip", "netns", "add", self.netns(role)])
            lab_ns.sysctl(self.netns(role), _QUIET)
            self._ip(role, "link set lo up")
        # Nobody but the program speaks on the far side.
        lab_ns.sysctl(self.netns("net"), {"net/ipv6/conf/default/disable_ipv6": 1})
        if self.hold is None:
            self._link("vp", "vp0", "net", "n0")
        else:
            lab_ns.sysctl(self.netns("rt"), _FORWARDING)
            self._link("vp", "vp0", "rt", "rt0")
            self._link("rt", "rt1", "net", "n0")
            self._ip("rt", *_ROUTER)
            hook = "type filter hook forward priority 0; policy accept;"
            rules = f"table inet bench {{ chain hold {{ {hook} {self.hold}; }}; }}"
            self.exec("rt", ["nft", rules], check=True)
        self._ip("vp", *_VANTAGE)

    def _link(self, role, interface, far, peer):
        self._ip(role, f"link add {interface} type veth peer name {peer} netns {self.netns(far)}")
        for owner, name in ((role, interface), (far, peer)):
            self._ip(owner, f"link set {name} up")
            lab_ns.offloads_off(self.netns(owner), name)

    def _serve(self):
        self._said = tempfile.TemporaryFile("w+")
        argv = ["ip", "netns", "exec", self.netns("net"), "taskset", "-c", machine.SERVER_CORE]
        argv += [VINTERNET, "-i", "n0", *self.options]
        self._process = subprocess.Popen(
            list(map(str, argv)), stdin=subprocess.DEVNULL, stderr=self._said
        )
        until = time.monotonic() + 10
        while "answering" not in self._text():
            if self._process.poll() is not None or time.monotonic() > until:
                raise Unmeasured(f"vinternet does not answer: {self._text().strip()}")
            time.sleep(0.01)

    def _text(self):
        self._said.seek(0)
        return self._said.read()

    def stop(self):
        """Ends vinternet and returns its counters."""
        if self._process is not None:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)
            self._process.wait()
            lines = [line for line in self._text().splitlines() if line.startswith("{")]
            self.counters = json.loads(lines[-1]) if lines else {}
            self._said.close()
            self._process = None
        return self.counters

    def down(self):
        self.stop()
        for role in _ROLES:
            lab_ns.remove(self.netns(role))


class Pulse:
    """A broadcast frame that concerns nobody, four times a second, towards the vantage point: the
    receiving thread of masscan looks whether it is time to end only when a packet has come, and on
    this link none comes once all connections are over."""

    def __init__(self, rig):
        self.socket = rig.within("net", self._open)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    @staticmethod
    def _open():
        opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        opened.bind(("n0", 0))
        return opened

    def _run(self):
        # An ARP request of nobody for nobody, 0.0.0.0.
        arp = bytes.fromhex("0001080006040001") + bytes(20)
        frame = b"\xff" * 6 + b"\x02" + bytes(5) + b"\x08\x06" + arp
        while not self.over.wait(0.25):
            self.socket.send(frame)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *exc):
        self.over.set()
        self.thread.join()
        self.socket.close()


def truth(name="plain"):
    """The base conditions of a class, as the virtual Internet itself has them."""
    listing = subprocess.run([VINTERNET, "--list"], capture_output=True, text=True, check=True)
    for line in map(json.loads, listing.stdout.splitlines()):
        if line["class"] == name:
            return line["number"], frozenset(line["base"])
    raise Unmeasured(f"vinternet has no class {name}")


def plain4(index):
    return PLAIN4 + 1 + index % (_PLAIN4_MOST - 2)


def _class6(number, index):
    return ipaddress.IPv6Address((0xFD00 << 112) | (number << 64) | (index + 1))


def write_plain(path, count, families=(4,)):
    """Job lines towards plain servers, each address once, the families in turns."""
    with open(path, "w", encoding="ascii") as file:
        for index in range(count):
            family, serial = families[index % len(families)], index // len(families)
            dip = plain4(serial) if family == 4 else _class6(0, serial)
            file.write(_line(dip, index))
    return path


def write_class(path, number, count, every4):
    """Job lines towards one class, each address once: every `every4`th of them IPv4, of which a
    class has no more than 65,535."""
    if count // every4 > _CLASS4_MOST:
        raise Unmeasured(f"{count} targets, and every {every4}th IPv4: a class has not so many")
    with open(path, "w", encoding="ascii") as file:
        for index in range(count):
            if index % every4:
                dip = _class6(number, index)
            else:
                dip = ipaddress.IPv4Address((10 << 24 | number << 16) + 1 + index // every4)
            file.write(_line(dip, index))
    return path


def _line(dip, index):
    return f'{{"dip":"{dip}","dp":80,"domain":"n{index}.test","rank":{index}}}\n'
