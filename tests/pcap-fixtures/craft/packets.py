# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets, byte by byte, with right checksums: IPv4, IPv6, TCP, UDP, ICMP and ICMPv6 errors. Shares
nothing with src/, so that it can bear witness about it."""

import ipaddress
import struct

TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
# N is AE, which was NS once; W is CWR.
FLAGS = {letter: 1 << bit for bit, letter in enumerate("FSRPAUEWN")}
CODEPOINT = {"not": 0, "ect1": 1, "ect0": 2, "ce": 3}


def flag_bits(letters):
    return sum(FLAGS[letter] for letter in set(letters))


def checksum(data):
    """RFC 1071."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _packed(address):
    return ipaddress.ip_address(address).packed


def _with_checksum(src, dst, proto, data, at):
    """data with the checksum over it and the pseudo-header (RFC 9293 3.1, RFC 8200 8.1)."""
    s, d = _packed(src), _packed(dst)
    four = len(s) == 4
    form, tail = ("!BBH", (0, proto, len(data))) if four else ("!I3xB", (len(data), proto))
    value = checksum(s + d + struct.pack(form, *tail) + data)
    if proto == UDP and value == 0:
        value = 0xFFFF
    return data[:at] + struct.pack("!H", value) + data[at + 2 :]


def ip(src, dst, proto, payload, ttl=64, tos=0, ident=0, label=0, evil=False, df=True):
    """evil is the reserved bit of RFC 3514; IPv6 has none, nor an ident."""
    s, d = _packed(src), _packed(dst)
    if len(s) == 16:
        first = 6 << 28 | tos << 20 | label
        return struct.pack("!IHBB", first, len(payload), proto, ttl) + s + d + payload
    flags = (0x8000 if evil else 0) | (0x4000 if df else 0)
    head = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(payload), ident, flags, ttl, proto, 0)
    head += s + d
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


def tcp(src, dst, sport, dport, seq, ack, flags, options=b"", payload=b"", window=64240):
    options += b"\0" * (-len(options) % 4)
    bits = (20 + len(options)) // 4 << 12 | flag_bits(flags)
    seq, ack = seq & 0xFFFFFFFF, ack & 0xFFFFFFFF
    head = struct.pack("!HHIIHHHH", sport, dport, seq, ack, bits, window, 0, 0)
    return _with_checksum(src, dst, TCP, head + options + payload, 16)


def udp(src, dst, sport, dport, payload, zero_checksum=False):
    data = struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload
    return data if zero_checksum else _with_checksum(src, dst, UDP, data, 6)


def icmp_error(src, dst, kind, code, quoted, quoted_bytes=None):
    """(protocol, bytes) of an error that quotes a packet; as much of it as is usual."""
    six = len(_packed(src)) == 16
    quote = quoted[: quoted_bytes or (1232 if six else 28)]
    data = struct.pack("!BBHI", kind, code, 0, 0) + quote
    if six:
        return ICMP6, _with_checksum(src, dst, ICMP6, data, 2)
    return ICMP, data[:2] + struct.pack("!H", checksum(data)) + data[4:]


# TCP options, each with its padding left to tcp().


def mss(value):
    return struct.pack("!BBH", 2, 4, value)


def window_scale(shift):
    return b"\1" + struct.pack("!BBB", 3, 3, shift)


def sack_permitted():
    return b"\4\2"


def sack(*blocks):
    edges = [edge & 0xFFFFFFFF for block in blocks for edge in block]
    return b"\1\1" + struct.pack(f"!BB{len(edges)}I", 5, 2 + 4 * len(edges), *edges)


def timestamp(value, echo):
    return b"\1\1" + struct.pack("!BBII", 8, 10, value & 0xFFFFFFFF, echo & 0xFFFFFFFF)


def fast_open(cookie=b""):
    """RFC 7413 4.1.1; without a cookie it asks for one."""
    return struct.pack("!BB", 34, 2 + len(cookie)) + cookie


def fast_open_experimental(cookie=b""):
    """The same before IANA gave it a number: RFC 6994, kind 254, magic 0xF989."""
    return struct.pack("!BBH", 254, 4 + len(cookie), 0xF989) + cookie
