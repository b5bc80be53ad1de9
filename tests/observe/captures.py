# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes captures: packets, link layers, file formats. Shares nothing with src/, so that it can bear
witness about it. A packet is (time in ns, IP bytes); a frame is (time in ns, bytes on the link)."""

import ipaddress
import struct

ETHERNET, NULL, RAW, LOOP, COOKED, COOKED2 = 1, 0, 101, 108, 113, 276
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
S = 10**9
START = 1_600_000_000 * S
CLIENT4, SERVER4, ROUTER4 = "192.0.2.1", "198.51.100.2", "203.0.113.9"
CLIENT6, SERVER6 = "2001:db8::1", "2001:db8:2::2"


def _sum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip(src, dst, proto, payload, ttl=64, tos=0, ident=1, fragment=0):
    """An IPv4 or IPv6 packet, as the addresses are. `fragment`: flags and offset, IPv4 only."""
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    if src.version == 6:
        head = struct.pack("!IHBB", 6 << 28 | tos << 20, len(payload), proto, ttl)
        return head + src.packed + dst.packed + payload
    length = 20 + len(payload)
    head = struct.pack("!BBHHHBBH", 0x45, tos, length, ident, fragment, ttl, proto, 0)
    head += src.packed + dst.packed
    return head[:10] + struct.pack("!H", _sum(head)) + head[12:] + payload


def _pseudo(src, dst, proto, n):
    src, dst = ipaddress.ip_address(src), ipaddress.ip_address(dst)
    return src.packed + dst.packed + struct.pack("!II", n, proto)


def tcp(src, dst, sport, dport, flags, seq=0, ack=0, data=b"", tos=0, ttl=64, options=b"", bad=False):
    words = 5 + len(options) // 4
    head = struct.pack("!HHIIBBHHH", sport, dport, seq, ack, words << 4, flags, 65535, 0, 0)
    segment = head + options + data
    check = _sum(_pseudo(src, dst, 6, len(segment)) + segment) ^ (0x1234 if bad else 0)
    segment = segment[:16] + struct.pack("!H", check) + segment[18:]
    return ip(src, dst, 6, segment, ttl, tos)


def udp(src, dst, sport, dport, data=b"x", tos=0):
    datagram = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    check = _sum(_pseudo(src, dst, 17, len(datagram)) + datagram) or 0xFFFF
    return ip(src, dst, 17, datagram[:6] + struct.pack("!H", check) + datagram[8:], tos=tos)


def unreachable(src, dst, quoted):
    message = struct.pack("!BBHI", 3, 1, 0, 0) + quoted[:28]
    message = message[:2] + struct.pack("!H", _sum(message)) + message[4:]
    return ip(src, dst, 1, message, ttl=60)


def exchange(client, server, sport, start=START, reply=b"y" * 300):
    """A whole HTTP-like exchange, ECN negotiated: ten packets, 10 ms apart."""
    c, s = (client, server, sport, 80), (server, client, 80, sport)
    n = 1001 + len(reply)
    mss = bytes.fromhex("020405b4")
    packets = [
        tcp(*c, SYN | 0xC0, 100, 0, options=mss),
        tcp(*s, SYN | ACK | 0x40, 1000, 101, options=mss, ttl=50),
        tcp(*c, ACK, 101, 1001),
        tcp(*c, ACK | PSH, 101, 1001, b"GET", tos=2),
        tcp(*s, ACK, 1001, 104, ttl=50),
        tcp(*s, ACK | PSH, 1001, 104, reply, tos=2, ttl=50),
        tcp(*c, ACK, 104, n),
        tcp(*c, ACK | FIN, 104, n),
        tcp(*s, ACK | FIN, n, 105, ttl=50),
        tcp(*c, ACK, 105, n + 1),
    ]
    return [(start + i * S // 100, packet) for i, packet in enumerate(packets)]


def sample():
    """Both families, TCP, UDP, ICMP that belongs to a flow and ICMP that does not, a protocol
    without ports; five flows."""
    lost = udp(CLIENT4, SERVER4, 5000, 53)
    packets = exchange(CLIENT4, SERVER4, 40000) + exchange(CLIENT6, SERVER6, 40001, START + 1000)
    packets += [
        (START + S, lost),
        (START + S + 1000, unreachable(ROUTER4, CLIENT4, lost)),
        (START + S + 2000, unreachable(ROUTER4, CLIENT4, udp(CLIENT4, SERVER4, 5999, 53))),
        (START + S + 3000, ip(CLIENT4, "224.0.0.18", 112, b"\0" * 20)),
    ]
    return sorted(packets)


def _family(packet, six):
    return 2 if packet[0] >> 4 == 4 else six


def _type(packet):
    return b"\x08\x00" if packet[0] >> 4 == 4 else b"\x86\xdd"


MACS = bytes.fromhex("020000000002020000000001")
LINKS = {  # name: (link type, what stands before the packet)
    "ethernet": (ETHERNET, lambda p: MACS + _type(p)),
    "vlan": (ETHERNET, lambda p: MACS + b"\x81\x00\x00\x64" + _type(p)),
    "qinq": (ETHERNET, lambda p: MACS + b"\x88\xa8\x00\x64\x81\x00\x00\x65" + _type(p)),
    "raw": (RAW, lambda p: b""),
    "null": (NULL, lambda p: struct.pack("<I", _family(p, 30))),
    "null-big-endian": (NULL, lambda p: struct.pack(">I", _family(p, 28))),
    "loop": (LOOP, lambda p: struct.pack(">I", _family(p, 24))),
    "cooked": (COOKED, lambda p: bytes.fromhex("000000010006020000000001") + b"\0\0" + _type(p)),
    "ppp": (None, lambda p: b"\xff\x03\0" + (b"\x21" if p[0] >> 4 == 4 else b"\x57")),
    "hdlc": (None, lambda p: b"\x0f\0" + _type(p)),
    "cooked2": (COOKED2, lambda p: _type(p) + bytes.fromhex("00000000000200010006020000000001") + b"\0\0"),
}


def frames(packets, link="ethernet"):
    before = LINKS[link][1]
    return [(at, before(packet) + packet) for at, packet in packets]


def pcap(frames, link=ETHERNET, endian="<", nano=False, snap=65535):
    unit = 1 if nano else 1000
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    out = struct.pack(endian + "IHHiIII", magic, 2, 4, 0, 0, snap, link)
    for at, frame in frames:
        kept = frame[:snap]
        out += struct.pack(endian + "4I", at // S, at % S // unit, len(kept), len(frame)) + kept
    return out


def _block(endian, kind, body):
    n = 12 + len(body)
    return struct.pack(endian + "II", kind, n) + body + struct.pack(endian + "I", n)


def pcapng(frames, link=ETHERNET, endian="<", nano=False):
    section = struct.pack(endian + "IHHq", 0x1A2B3C4D, 1, 0, -1)
    resolution = struct.pack(endian + "HHB3xHH", 9, 1, 9, 0, 0) if nano else b""
    out = _block(endian, 0x0A0D0D0A, section)
    out += _block(endian, 1, struct.pack(endian + "HHI", link, 0, 0) + resolution)
    for at, frame in frames:
        stamp = at if nano else at // 1000
        head = struct.pack(endian + "5I", 0, stamp >> 32, stamp & 0xFFFFFFFF, len(frame), len(frame))
        out += _block(endian, 6, head + frame + b"\0" * (-len(frame) % 4))
    return out


def erf(frames, kind=2):
    """Endace's format: type 2 is Ethernet, 1 a serial line; the fraction of a second is rounded up,
    as a reader that cuts would lose a nanosecond."""
    out = b""
    for at, frame in frames:
        stamp = at // S << 32 | -(-(at % S << 32) // S)
        body = (b"\0\0" if kind == 2 else b"") + frame
        body += b"\0" * (-(16 + len(body)) % 8)
        out += struct.pack("<Q", stamp)
        out += struct.pack("!BBHHH", kind, 4, 16 + len(body), 0, len(frame) + 4) + body
    return out
