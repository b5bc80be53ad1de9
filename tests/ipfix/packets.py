# SPDX-License-Identifier: GPL-3.0-or-later
"""Captures made by hand, for the tests of IPFIX: packets with right checksums, in pcap with
nanoseconds and raw IP."""

import ipaddress
import struct

FIN, SYN, RST, PSH, ACK, ECE, CWR = 1, 2, 4, 8, 16, 64, 128
NOT_ECT, ECT1, ECT0, CE = range(4)
START_NS = 1700000000123456789


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def ip(src, dst, proto, payload, ecn=NOT_ECT, ttl=64):
    a, b = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    if len(a) == 16:
        return struct.pack("!IHBB", 6 << 28 | ecn << 20, len(payload), proto, ttl) + a + b + payload
    head = struct.pack("!BBHHHBBH", 0x45, ecn, 20 + len(payload), 0, 0x4000, ttl, proto, 0) + a + b
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def sealed(src, dst, proto, segment, at):
    """With the checksum over the pseudo-header, at an offset of the segment."""
    a, b = ipaddress.ip_address(src).packed, ipaddress.ip_address(dst).packed
    pseudo = a + b + (struct.pack("!IBBBB", len(segment), 0, 0, 0, proto) if len(a) == 16 else
                      struct.pack("!BBH", 0, proto, len(segment)))
    return segment[:at] + struct.pack("!H", checksum(pseudo + segment)) + segment[at + 2:]


def tcp(src, dst, sport, dport, flags, seq, ack=0, size=0, window=1000, options=b"", **of_ip):
    options += bytes(-len(options) % 4)
    head = struct.pack("!HHIIBBHHH", sport, dport, seq % 2**32, ack % 2**32, (5 + len(options) // 4) << 4,
                       flags, window, 0, 0)
    return ip(src, dst, 6, sealed(src, dst, 6, head + options + b"d" * size, 16), **of_ip)


def udp(src, dst, sport, dport, size, **of_ip):
    segment = struct.pack("!HHHH", sport, dport, 8 + size, 0) + b"u" * size
    return ip(src, dst, 17, sealed(src, dst, 17, segment, 6), **of_ip)


def echo(src, dst, reply, size, **of_ip):
    if ":" in src:
        segment = struct.pack("!BBHHH", 129 if reply else 128, 0, 0, 1, 1) + b"e" * size
        return ip(src, dst, 58, sealed(src, dst, 58, segment, 2), **of_ip)
    segment = struct.pack("!BBHHH", 0 if reply else 8, 0, 0, 1, 1) + b"e" * size
    return ip(src, dst, 1, segment[:2] + struct.pack("!H", checksum(segment)) + segment[4:], **of_ip)


def pcap(packets):
    """The bytes of a capture: [(milliseconds, packet)]."""
    out = [struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 65535, 101)]
    for ms, packet in packets:
        at = START_NS + int(ms * 1000000)
        out.append(struct.pack("<IIII", at // 10**9, at % 10**9, len(packet), len(packet)) + packet)
    return b"".join(out)


MSS, WSCALE = b"\x02\x04\x05\xb4", b"\x03\x03\x07"


def connection(a, b, sport=40000, dport=80, isn=2**32 - 20, at=0, to_the_end=True):
    """A request and an answer with all that a meter counts: ECN, a gap that stays, one that is
    filled late, a retransmission, duplicate ACKs, windows. Sequence numbers wrap."""
    def fwd(ms, flags, seq, ack, **more):
        return at + ms, tcp(a, b, sport, dport, flags, isn + seq, 7000 + ack, ttl=64, **more)

    def rev(ms, flags, seq, ack, **more):
        return at + ms, tcp(b, a, dport, sport, flags, 7000 + seq, isn + ack, ttl=more.pop("ttl", 53), **more)

    packets = [
        (at, tcp(a, b, sport, dport, SYN | ECE | CWR, isn, options=MSS + WSCALE, window=64000)),
        rev(30, SYN | ACK | ECE, 0, 1, options=MSS + WSCALE, window=65000, ecn=ECT1),
        fwd(31, ACK, 1, 1, window=500),
        fwd(32, ACK | PSH, 1, 1, size=300, window=500, ecn=ECT0),
        rev(65, ACK, 1, 301, window=600),
        rev(66, ACK, 1, 301, size=1000, window=600, ecn=ECT0),
        rev(67, ACK, 2001, 301, size=1000, window=600, ecn=CE),  # 1001 is lost before us
        fwd(68, ACK | ECE, 301, 1001, window=500),
        fwd(69, ACK | ECE, 301, 1001, window=500),
        fwd(70, ACK | ECE, 301, 1001, window=500),
        rev(110, ACK, 1001, 301, size=1000, window=600, ttl=52),  # ... and sent again
        fwd(111, ACK | CWR, 301, 3001, window=501),
        rev(140, ACK, 3501, 301, size=500, window=600, ecn=ECT0),  # 3001 overtaken
        rev(141, ACK, 3001, 301, size=500, window=600, ecn=ECT0),
        rev(142, ACK, 4501, 301, size=100, window=600, ecn=ECT0),  # 500 bytes that never come
        rev(143, ACK, 4501, 301, size=100, window=600),  # twice
        fwd(144, ACK, 301, 4001, window=0),
    ]
    if to_the_end:
        packets += [rev(200, FIN | ACK, 4601, 301), fwd(201, FIN | ACK, 301, 4602), rev(230, ACK, 4602, 302)]
    return packets
