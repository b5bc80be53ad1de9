# SPDX-License-Identifier: GPL-3.0-or-later
"""Forges packets from off the path: right addresses and ports, guessed numbers. It sees nothing of
the connections; it knows only which targets and source ports there may be."""

import random
import socket
import struct
import threading

from lab_wire import segment
from pcapfile import ACK, ECE, FIN, PSH, RST, SYN

# The five kinds of TCP lies, and ICMP errors beside them.
KINDS = {
    "rst": RST,
    "rst_ack": RST | ACK,
    "synack": SYN | ACK | ECE,
    "data": PSH | ACK,
    "fin": FIN | ACK,
}
_HARD = {4: [(3, 1), (3, 3), (3, 13), (11, 0)], 6: [(1, 1), (1, 4), (3, 0)]}


def _with_data(head, src, dst, payload):
    """A bare segment() with payload: its checksum, which adds up, is carried on."""
    total = (~struct.unpack("!H", head[16:18])[0] & 0xFFFF) + len(payload)
    total += sum(struct.unpack(f"!{len(payload) // 2}H", payload))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return head[:16] + struct.pack("!H", ~total & 0xFFFF) + head[18:] + payload


def _checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _quote(family, source, target, tcp):
    """Our SYN as an ICMP error would quote it: the IP header and 20 bytes of TCP."""
    pack = socket.inet_pton
    if family == 4:
        addresses = pack(socket.AF_INET, source) + pack(socket.AF_INET, target)
        head = struct.pack("!BBHHHBBH", 0x45, 0, 60, 1, 0x4000, 63, 6, 0) + addresses
        return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + tcp
    addresses = pack(socket.AF_INET6, source) + pack(socket.AF_INET6, target)
    return struct.pack("!IHBB", 6 << 28, 40, 6, 63) + addresses + tcp


class Forger:
    """Sends from the moment it is made until stop(), from the router, in the name of `targets`
    (addresses of one family) to `source`, every port of `ports`."""

    def __init__(self, lab, source, targets, ports, seed=1):
        self.family = 6 if ":" in source else 4
        self.source, self.targets, self.ports = source, targets, list(ports)
        self.random = random.Random(seed)
        self.sent = dict.fromkeys([*KINDS, "icmp"], 0)
        self._stop = threading.Event()  # also the pause between sweeps, so that others get on
        self._raw = lab.within("rt", self._open)
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _open(self):
        """Sockets that let us write the source address."""
        if self.family == 4:
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        else:
            raw = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW)
            raw.setsockopt(socket.IPPROTO_IPV6, 36, 1)  # IPV6_HDRINCL
        return raw

    def _packet(self, src, proto, payload):
        pack = socket.inet_pton
        if self.family == 4:
            addresses = pack(socket.AF_INET, src) + pack(socket.AF_INET, self.source)
            return struct.pack("!BBHHHBBH", 0x45, 0, 0, 0, 0, 63, proto, 0) + addresses + payload
        addresses = pack(socket.AF_INET6, src) + pack(socket.AF_INET6, self.source)
        return struct.pack("!IHBB", 6 << 28, len(payload), proto, 63) + addresses + payload

    def _tcp(self, target, port, kind):
        seq, ack = self.random.getrandbits(32), self.random.getrandbits(32)
        one = segment(target, self.source, 80, port, KINDS[kind], seq, ack)
        if kind == "data":
            one = _with_data(one, target, self.source, b"HTTP/1.1 200 OK\r\n\r\nforged ")
        return self._packet(target, 6, one)

    def _icmp(self, target, port):
        syn = segment(self.source, target, port, 80, SYN, self.random.getrandbits(32))
        quote = _quote(self.family, self.source, target, syn)
        kind, code = self.random.choice(_HARD[self.family])
        body = struct.pack("!BBHI", kind, code, 0, 0) + quote
        if self.family == 4:
            body = body[:2] + struct.pack("!H", _checksum(body)) + body[4:]
            return self._packet("192.0.2.1", 1, body)
        src = "2001:db8:1::1"
        ends = socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(
            socket.AF_INET6, self.source
        )
        pseudo = ends + struct.pack("!II", len(body), 58)
        body = body[:2] + struct.pack("!H", _checksum(pseudo + body)) + body[4:]
        return self._packet(src, 58, body)

    def _work(self):
        to = (self.source, 0)
        while not self._stop.wait(0.01):
            for target in self.targets:
                for port in self.ports:
                    for kind in self.sent:
                        if kind == "icmp":
                            packet = self._icmp(target, port)
                        else:
                            packet = self._tcp(target, port, kind)
                        self._raw.sendto(packet, to)
                        self.sent[kind] += 1

    def stop(self):
        self._stop.set()
        self._thread.join()
        self._raw.close()
        return self.sent
