# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets as the lab's own tests see and send them: a sniffer, and bare TCP segments. Small on
purpose, and no part of what it checks: the product's parser is another one."""

import ctypes
import ipaddress
import socket
import struct
import time
from typing import NamedTuple

from lab_ns import within

_ETH_P_ALL = 3
_OUTGOING = 4
_FLAGS = ((1, "F"), (2, "S"), (4, "R"), (8, "P"), (16, "."), (32, "U"), (64, "E"), (128, "W"))
_SO_ATTACH_FILTER = 26


class Packet(NamedTuple):
    out: bool  # leaves the machine that is sniffed on
    src: str
    dst: str
    ecn: int
    kind: str  # tcp, icmp or other
    flags: str  # as tcpdump has them, "SEW" is the SYN that asks for ECN; of ICMP "type/code"
    length: int  # of the TCP payload


def parse(frame, out):
    """A Packet, or None where it is not IP."""
    kind = struct.unpack_from("!H", frame, 12)[0]
    ip = frame[14:]
    if kind == 0x0800:
        ecn, header, proto = ip[1] & 3, (ip[0] & 15) * 4, ip[9]
        src, dst = ip[12:16], ip[16:20]
    elif kind == 0x86DD:
        ecn, header, proto = ip[1] >> 4 & 3, 40, ip[6]
        src, dst = ip[8:24], ip[24:40]
    else:
        return None
    name, flags, length = {1: "icmp", 58: "icmp"}.get(proto, "other"), "", 0
    if proto == 6:
        offset = (ip[header + 12] >> 4) * 4
        flags = "".join(letter for bit, letter in _FLAGS if ip[header + 13] & bit)
        name, length = "tcp", len(ip) - header - offset
    elif name == "icmp":
        flags = f"{ip[header]}/{ip[header + 1]}"
    src, dst = (str(ipaddress.ip_address(address)) for address in (src, dst))
    return Packet(out, src, dst, ecn, name, flags, length)


class Sniffer:
    """Sees everything that passes one interface from the moment it is made."""

    def __init__(self, lab, role, interface):
        self.sock = within(lab.netns(role), self._open, interface)

    @staticmethod
    def _open(interface):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        sock.bind((interface, _ETH_P_ALL))
        sock.setblocking(False)
        return sock

    def drain(self):
        packets = []
        while True:
            try:
                frame, origin = self.sock.recvfrom(65600)
            except BlockingIOError:
                return [packet for packet in packets if packet]
            packets.append(parse(frame, origin[2] == _OUTGOING))

    def wait(self, wanted, seconds):
        """What passes until a packet for which wanted() holds has, or time is up."""
        packets, until = [], time.monotonic() + seconds
        while time.monotonic() < until:
            packets += self.drain()
            if any(map(wanted, packets)):
                break
            time.sleep(0.002)
        return packets

    def close(self):
        self.sock.close()


def segment(src, dst, sport, dport, flags, seq=1000, ack=0):
    """A bare TCP segment without options, checksum done."""
    head = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, 0x50, flags, 65535, 0, 0)
    addresses = ipaddress.ip_address(src).packed + ipaddress.ip_address(dst).packed
    total = sum(struct.unpack(f"!{len(addresses) // 2}H", addresses)) + 6 + len(head)
    total += sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    return head[:16] + struct.pack("!H", ~total & 0xFFFF) + head[18:]


def send_through_host(src, dst, *args):
    """Sends a segment() through the routing (and the firewall) of the machine it is called on."""
    family = socket.AF_INET6 if ":" in src else socket.AF_INET
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_TCP) as sock:
        # AnyIP addresses may be sent from, but IPv6 wants to be told so.
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, 78, 1)  # IPV6_FREEBIND
        sock.bind((src, 0))
        sock.sendto(segment(src, dst, *args), (dst, 0))


def guarded_port(family, port):
    """A port whose kernel TCP is silent: bound, listening, all input dropped by a socket filter."""
    sock = socket.socket(socket.AF_INET6 if family == 6 else socket.AF_INET, socket.SOCK_STREAM)
    drop_all = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))  # BPF: ret #0
    program = struct.pack("@HP", 1, ctypes.addressof(drop_all))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
    sock.bind(("", port))
    sock.listen()
    return sock
