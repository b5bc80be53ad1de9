# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeds from tests/pcap-fixtures: its captures as they are, and their packets in the scripts of the
fuzzers that take packets (packets.h, fuzz_classify.c)."""
import pathlib
import struct

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "pcap-fixtures"
SECTION = struct.pack("<IIIHHqI", 0x0a0d0d0a, 28, 0x1a2b3c4d, 1, 0, -1, 28)
LINKS = {0: 4, 1: 14, 12: 0, 101: 0, 108: 4, 113: 16, 228: 0, 229: 0, 276: 20}  # bytes of header
OP_RAW, IN, TICK = 7, 8, 0x21  # of packets.c: a packet as it stands, 100 us after the one before


def read_pcap(data):
    """(link type, [(time in ns, frame)]) of a pcap file."""
    order = "<" if data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    unit = 1 if 0xa1b23c4d in struct.unpack("<I", data[:4]) + struct.unpack(">I", data[:4]) else 1000
    link = struct.unpack(order + "I", data[20:24])[0]
    frames, at = [], 24
    while at + 16 <= len(data):
        seconds, rest, n, _ = struct.unpack(order + "IIII", data[at:at + 16])
        frames.append((seconds * 10**9 + rest * unit, data[at + 16:at + 16 + n]))
        at += 16 + n
    return link, frames


def block(kind, body):
    body += bytes(-len(body) % 4)
    n = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + n + body + n


def pcapng(link, frames):
    """The same as pcapng: one section, one interface with nanoseconds."""
    out = SECTION + block(1, struct.pack("<HHI", link, 0, 65535) + struct.pack("<HHBxxxHH", 9, 1, 9, 0, 0))
    for at, frame in frames:
        head = struct.pack("<IIIII", 0, at >> 32, at & 0xffffffff, len(frame), len(frame))
        out += block(6, head + frame)
    return out


def pcap(link, frames, magic="<I", number=0xa1b2c3d4, snaplen=65535):
    order = magic[0]
    out = struct.pack(magic, number) + struct.pack(order + "HHIIII", 2, 4, 0, 0, snaplen, link)
    for at, frame in frames:
        out += struct.pack(order + "IIII", at // 10**9, at % 10**9 // 1000, len(frame), len(frame)) + frame
    return out


def captures(most):
    """The fixtures of up to `most` bytes: (name, bytes, link, frames)."""
    for path in sorted(FIXTURES.glob("*/*.pcap")):
        data = path.read_bytes()
        if not 24 <= len(data) <= most:
            continue
        link, frames = read_pcap(data)
        if link in LINKS:
            yield path, data, link, frames


def traces(syn4, syn6):
    """Files of every kind: `syn4` and `syn6` are packets."""
    mac = bytes(12)
    frames = {
        0: [b"\x02\0\0\0" + syn4, b"\x1e\0\0\0" + syn6],
        1: [mac + b"\x08\0" + syn4, mac + b"\x88\xa8\0\1\x81\0\0\1\x86\xdd" + syn6, mac + b"\x08\x06\0\1"],
        12: [syn4, syn6], 101: [syn4, syn6], 228: [syn4], 229: [syn6], 105: [syn4],
        108: [b"\0\0\0\x02" + syn4, b"\0\0\0\x18" + syn6],
        113: [b"\0\4\xff\xfe" + bytes(10) + b"\x08\0" + syn4, b"\0\0\0\1" + bytes(10) + b"\x86\xdd" + syn6],
        276: [b"\x86\xdd" + bytes(6) + b"\0\1\0\6" + bytes(8) + syn6],
    }
    out = {}
    for link, some in frames.items():
        timed = [(1700000000000000000 + i * 1000000, f) for i, f in enumerate(some)]
        out[f"pcap-{link}"] = pcap(link, timed)
        out[f"pcapng-{link}"] = pcapng(link, timed)
        out[f"short-{link}"] = pcap(link, [(t, f[:n]) for t, f in timed for n in range(2, 42, 5)], snaplen=42)
    ethernet = [(0, f) for f in frames[1]]
    out["big-endian"] = pcap(1, ethernet, ">I")
    out["nanoseconds"] = pcap(1, ethernet, ">I", 0xa1b23c4d)
    out["modified"] = pcap(1, ethernet, "<I", 0xa1b2cd34)
    out["gzip"] = b"\x1f\x8b\x08\0\0\0\0\0"
    for path, data, link, of in list(captures(1200))[::7]:
        out["fixture-" + path.stem] = data
        out["fixture-ng-" + path.stem] = pcapng(link, of)
    for path in sorted(FIXTURES.glob("*/*.pcapng")):
        out[path.name] = path.read_bytes()
    return {name: b"\x05\x02\0\x40" + data for name, data in out.items()}


def ip_of(link, frame):
    return frame[LINKS[link]:]


def scripts(most=4000):
    """The fixtures for packets.c."""
    out = {}
    for path, _, link, frames in captures(most):
        out[path.stem] = b"".join(bytes([OP_RAW, TICK]) + struct.pack(">H", len(ip_of(link, f))) + ip_of(link, f)
                                  for _, f in frames)
    return out


def classify(most=8000):
    """The fixtures for fuzz_classify.c: those of the lab with their arm logs, the others without."""
    out = {}
    for path, _, link, frames in captures(most):
        log = pathlib.Path(f"{path}.arms.ndjson")
        text = log.read_bytes() if log.exists() else b""
        script = b""
        for at, frame in frames:
            sent = link == 113 and frame[:4] == b"\0\4\xff\xfe"
            ip = ip_of(link, frame)
            script += bytes([OP_RAW | (0 if sent else IN), TICK]) + struct.pack(">H", len(ip)) + ip
        if len(script) + len(text) <= most:
            out[path.stem] = (b"\x0b" + text + b"\0\0" if text else b"\x02\n\0\0") + script
    return out


def expectations(most=3000):
    """For fuzz_expect.c: what fixtures expect, met by the same and not met by another one's."""
    out, before = {}, b""
    for path in sorted(FIXTURES.glob("*/*.expect")):
        text = path.read_bytes()
        records = text.split(b"\n", 1)[1]
        if len(text) + len(records) + len(before) <= most:
            out[path.stem] = text + b"\0" + records
            out["other-" + path.stem] = text + b"\0" + before + records
            before = records
    return out
