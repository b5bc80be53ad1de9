# SPDX-License-Identifier: GPL-3.0-or-later
"""Crafted packets to a peer and what comes back, by AF_PACKET and so without this host's TCP: the
witness of the golden answers. And the peers themselves: this kernel, and the virtual Internet."""

import contextlib
import itertools
import random
import socket
import struct
import threading
import time
from typing import NamedTuple

import lab_ns
import net

FIN, SYN, RST, PSH, ACK, ECE, CWR, AE = 0x01, 0x02, 0x04, 0x08, 0x10, 0x40, 0x80, 0x100
RESERVED = (0, 0x200, 0x400, 0x800)
NOT, ECT1, ECT0, CE = range(4)
ECN = AE | CWR | ECE
BODY = 20000
_PORTS = itertools.count(20000)


class Reply(NamedTuple):
    tos: int
    proto: int
    sport: int  # of TCP; of ICMP the type and code
    dport: int
    seq: int
    ack: int
    flags: int
    payload: bytes  # of TCP; of ICMP what follows the first 8 bytes
    at: float

    @property
    def ecn(self):
        return self.tos & 3

    @property
    def bits(self):
        """AE, CWR, ECE as text, e.g. "001"."""
        return f"{(self.flags >> 6) & 7:03b}"


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def parse(frame, dst):
    """A Reply to the packed address dst, or None."""
    ip, v6 = frame[14:], len(dst) == 16
    if struct.unpack_from("!H", frame, 12)[0] != (0x86DD if v6 else 0x0800):
        return None
    tos = (ip[0] << 4 | ip[1] >> 4) & 255 if v6 else ip[1]
    proto, head = (ip[6], 40) if v6 else (ip[9], (ip[0] & 15) * 4)
    if ip[24:40] != dst if v6 else ip[16:20] != dst:
        return None
    length = struct.unpack_from("!H", ip, 4)[0] + 40 if v6 else struct.unpack_from("!H", ip, 2)[0]
    body, now = ip[head:length], time.monotonic()
    if proto in (1, 58):
        return Reply(tos, proto, body[0], body[1], 0, 0, 0, body[8:], now)
    if proto != 6:
        return None
    sport, dport, seq, ack, flags = struct.unpack_from("!HHIIH", body)
    return Reply(tos, 6, sport, dport, seq, ack, flags & 0xFFF, body[(flags >> 12) * 4 :], now)


class Probe:
    """One end of a link without an IP of its own: nobody but us answers there."""

    def __init__(self, veth, family):
        self.family = family
        name = net.VP6 if family == 6 else net.VP4
        self.source = socket.inet_pton(socket.AF_INET6 if family == 6 else socket.AF_INET, name)
        self.peer = bytes.fromhex(veth.within("net", lab_ns.mac, "n0").replace(":", ""))
        self.mac = bytes.fromhex(veth.within("vp", lab_ns.mac, "vp0").replace(":", ""))
        self.sock = veth.within("vp", self._open)

    @staticmethod
    def _open():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        sock.bind(("vp0", 3))
        return sock

    def _pack(self, address):
        return socket.inet_pton(socket.AF_INET6 if self.family == 6 else socket.AF_INET, address)

    def send(self, dip, proto, body, tos=0):
        """body: with its checksum as 0, which is filled in where proto says it is."""
        dst = self._pack(dip)
        at = {6: 16, 17: 6, 1: 2, 58: 2}[proto]
        pseudo = self.source + dst + struct.pack("!II", len(body), proto) if proto != 1 else b""
        body = body[:at] + struct.pack("!H", checksum(pseudo + body)) + body[at + 2 :]
        if self.family == 6:
            ip = struct.pack("!IHBB", 6 << 28 | tos << 20, len(body), proto, 64)
            ip, kind = ip + self.source + dst, 0x86DD
        else:
            ip = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(body), 1, 0x4000, 64, proto, 0)
            ip, kind = ip + self.source + dst, 0x0800
            ip = ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:]
        self.sock.send(self.peer + self.mac + struct.pack("!H", kind) + ip + body)

    def tcp(self, dip, ports, flags, seq, ack=0, payload=b"", tos=0, options=b"", window=65535):
        offset = (20 + len(options)) // 4 << 12
        head = struct.pack("!HHIIHHHH", *ports, seq, ack, offset | flags, window, 0, 0)
        self.send(dip, 6, head + options + payload, tos)

    def replies(self, seconds, wanted=lambda reply: True, enough=None):
        """What comes in so many seconds; ends early when it is `enough`."""
        found, until = [], time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and len(found) != enough:
            self.sock.settimeout(left)
            try:
                frame, origin = self.sock.recvfrom(65536)
            except TimeoutError:
                break
            reply = parse(frame, self.source) if origin[2] != 4 else None
            if reply and wanted(reply):
                found.append(reply)
        return found

    def close(self):
        self.sock.close()


class Flow:
    """A TCP connection by hand. It opens when it is made, unless its SYN/ACK does not come."""

    def __init__(self, probe, dip, bits=CWR | ECE, dport=80, **syn):
        self.probe, self.dip = probe, dip
        self.ports = (next(_PORTS), dport)
        self.window = syn.pop("window", 65535)
        self.isn = random.getrandbits(32)
        self.next, self.got = (self.isn + 1) & 0xFFFFFFFF, 0
        self.options = syn.pop("options", struct.pack("!BBH", 2, 4, syn.pop("mss", 1460)))
        self.syn(bits, **syn)
        found = self.replies(1, enough=1)
        self.synack = found[0] if found and found[0].flags & SYN else None
        if self.synack:
            self.got = (self.synack.seq + 1) & 0xFFFFFFFF

    def syn(self, bits, tos=0):
        self.probe.tcp(self.dip, self.ports, SYN | bits, self.isn, tos=tos, options=self.options)

    def replies(self, seconds, enough=None, wanted=lambda reply: True):
        def mine(reply):
            here = (reply.sport, reply.dport) == self.ports[::-1] and reply.proto == 6
            return here and wanted(reply)

        return self.probe.replies(seconds, mine, enough)

    def send(self, flags=ACK, payload=b"", cp=NOT, seq=None):
        """A segment. Only one with the next sequence number moves it on."""
        at = self.next if seq is None else seq
        self.probe.tcp(self.dip, self.ports, flags, at, self.got, payload, cp, window=self.window)
        if seq is None:
            self.next = (self.next + len(payload) + bool(flags & FIN)) & 0xFFFFFFFF

    def data(self, cp=ECT0, flags=0, payload=b"X-Probe: 1\r\n"):
        """New data, and the segment that acknowledges it."""
        self.send(ACK | PSH | flags, payload, cp)
        found = self.replies(1, enough=1, wanted=lambda reply: reply.ack == self.next)
        assert found, "data is not acknowledged"
        return found[0]

    def open(self, flags=0, cp=NOT):
        """The third ACK and the beginning of a request."""
        assert self.synack
        self.send(ACK | flags, cp=cp)
        return self

    def request(self, cp=ECT0, flags=0, whole=True):
        self.send(ACK | PSH | flags, b"GET / HTTP/1.1\r\n\r\n" if whole else b"\r\n", cp)

    def reset(self):
        self.send(RST)


class VinternetPeer:
    name = "vinternet"

    def __init__(self, family, probe, numbers):
        self.family, self.probe, self.numbers = family, probe, numbers

    def address(self, scenario):
        number = self.numbers[scenario]
        last = random.randrange(2, 60000)
        if self.family == 6:
            return f"fd00:0:0:{number:x}::{last:x}"
        return f"10.{number}.{last >> 8}.{last & 255}"

    @contextlib.contextmanager
    def as_(self, scenario):
        """An address that behaves so."""
        yield self.address(scenario)


class KernelPeer(VinternetPeer):
    """This kernel. A scenario is a sysctl or two."""

    name = "kernel"
    usual = {"net/ipv4/tcp_ecn": 2, "net/ipv4/tcp_syncookies": 1, "net/ipv4/tcp_reflect_tos": 0}
    scenarios = {
        "linux": {},
        "no_ecn": {"net/ipv4/tcp_ecn": 0},
        "cookies": {"net/ipv4/tcp_syncookies": 2},
        "reflect_tos": {"net/ipv4/tcp_reflect_tos": 1},
    }

    def __init__(self, family, probe, numbers, veth):
        super().__init__(family, probe, numbers)
        self.veth = veth

    @contextlib.contextmanager
    def as_(self, scenario):
        self.veth.sysctl("net", self.scenarios[scenario])
        try:
            yield self.address(scenario)
        finally:
            self.veth.sysctl("net", self.usual)


class Server:
    """A web server on the kernel's TCP, in namespace "net", that answers as vinternet does: one
    page for whatever ends in an empty line, then it closes."""

    def __init__(self, veth):
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {BODY}\r\nConnection: close\r\n\r\n"
        self.page = head.encode() + b"x" * BODY
        self.sockets = [veth.within("net", self._listen, f) for f in ("0.0.0.0", "::")]
        for sock in self.sockets:
            threading.Thread(target=self._accept, args=(sock,), daemon=True).start()

    @staticmethod
    def _listen(address):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((address, 80))
        sock.listen(1024)
        return sock

    def _accept(self, sock):
        while True:
            try:
                connection = sock.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        request = b""
        with connection, contextlib.suppress(OSError):
            while not request.endswith(b"\r\n\r\n"):
                piece = connection.recv(4096)
                if not piece:
                    return
                request += piece
            connection.sendall(self.page)
            time.sleep(0.05)  # so that the FIN is in a segment of its own

    def close(self):
        for sock in self.sockets:
            sock.shutdown(socket.SHUT_RDWR)
            sock.close()


_ICMP_UNLIMITED = {
    "net/ipv4/icmp_ratelimit": 0,
    "net/ipv4/icmp_ratemask": 0,
    "net/ipv6/icmp/ratelimit": 0,
    "net/ipv6/icmp/ratemask": "2",
}


def silence(veth):
    """Takes its addresses from the vantage point: there the probe speaks alone."""
    veth.ip("vp", "addr flush dev vp0")
    veth.sysctl("vp", {"net/ipv6/conf/vp0/disable_ipv6": 1})


def make_kernel(veth):
    """Namespace "net" becomes a host that all addresses of the classes belong to."""
    veth.sysctl("net", {"net/ipv6/conf/n0/disable_ipv6": 0, **_ICMP_UNLIMITED})
    veth.sysctl("net", {"net/ipv4/conf/all/rp_filter": 0, "net/ipv4/conf/n0/rp_filter": 0})
    veth.sysctl("net", {**KernelPeer.usual, "net/ipv4/tcp_max_syn_backlog": 4096})
    mac = veth.within("vp", lab_ns.mac, "vp0")
    veth.ip("net", "addr add 192.0.2.1/24 dev n0", "addr add 2001:db8:1::1/64 dev n0 nodad")
    veth.ip("net", f"neigh replace {net.VP4} lladdr {mac} dev n0 nud permanent")
    veth.ip("net", f"neigh replace {net.VP6} lladdr {mac} dev n0 nud permanent")
    # AnyIP
    veth.ip("net", "route add local 10.0.0.0/8 dev lo", "-6 route add local fd00::/16 dev lo")
