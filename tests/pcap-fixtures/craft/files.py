# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture files, byte by byte: classic pcap and pcapng (draft-ietf-opsawg-pcap, -pcapng), several
link layers. Shares nothing with src/."""

import struct

_CLIENT_MAC, _SERVER_MAC = bytes.fromhex("020000000001"), bytes.fromhex("020000000002")
_ETHERTYPE = {4: 0x0800, 6: 0x86DD}


def _version(packet):
    return packet[0] >> 4


def _ether(packet, from_client):
    ends = (_SERVER_MAC, _CLIENT_MAC) if from_client else (_CLIENT_MAC, _SERVER_MAC)
    return b"".join(ends) + struct.pack("!H", _ETHERTYPE[_version(packet)]) + packet


def _vlan(packet, from_client):
    frame = _ether(packet, from_client)
    return frame[:12] + struct.pack("!HH", 0x8100, 0x2000 | 42) + frame[12:]


def _sll(packet, from_client):
    """Linux cooked: 4 is "sent by us", 0 "to us"."""
    kind, mac = (4, _CLIENT_MAC) if from_client else (0, _SERVER_MAC)
    return struct.pack("!HHH6sxxH", kind, 1, 6, mac, _ETHERTYPE[_version(packet)]) + packet


def _loopback(packet, from_client):
    """BSD loopback: the address family in host byte order (30 is what macOS calls IPv6)."""
    return struct.pack("<I", {4: 2, 6: 30}[_version(packet)]) + packet


# name: LINKTYPE, framing
LINKS = {
    "raw": (101, lambda packet, _: packet),
    "ether": (1, _ether),
    "vlan": (1, _vlan),
    "sll": (113, _sll),
    "loopback": (0, _loopback),
}


def _pcap(packets, link, endian, nanoseconds):
    magic, part = (0xA1B23C4D, 1) if nanoseconds else (0xA1B2C3D4, 1000)
    out = [struct.pack(endian + "IHHiIII", magic, 2, 4, 0, 0, 65535, link)]
    for at, frame in packets:
        seconds, rest = divmod(at, 10**9)
        out.append(struct.pack(endian + "IIII", seconds, rest // part, len(frame), len(frame)))
        out.append(frame)
    return b"".join(out)


def _block(kind, body):
    body += b"\0" * (-len(body) % 4)
    length = struct.pack("<I", 12 + len(body))
    return struct.pack("<I", kind) + length + body + length


def _pcapng(packets, link):
    section = _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    resolution = struct.pack("<HHB3xHH", 9, 1, 9, 0, 0)  # if_tsresol: 10^-9
    out = [section, _block(1, struct.pack("<HHI", link, 0, 65535) + resolution)]
    for at, frame in packets:
        head = struct.pack("<IIIII", 0, at >> 32, at & 0xFFFFFFFF, len(frame), len(frame))
        out.append(_block(6, head + frame))
    return b"".join(out)


FORMS = {
    "ns": lambda packets, link: _pcap(packets, link, "<", True),
    "us-big-endian": lambda packets, link: _pcap(packets, link, ">", False),
    "pcapng": _pcapng,
}


def capture(packets, form="ns", link="raw"):
    """packets: (nanoseconds since 1970, IP packet, whether the client sent it)."""
    number, frame = LINKS[link]
    return FORMS[form]([(at, frame(p, mine)) for at, p, mine in packets], number)
