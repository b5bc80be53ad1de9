#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the first inputs of the fuzzers: seeds.py DIRECTORY. Few, small, each with a name."""
import pathlib
import sys

import captures

H = bytes.fromhex
IP6 = "20010db800000000000000000000000120010db8000100000000000000000002"
TCP4 = "ee480050d850fa5d00000000a0c2faf009f50000020405b40402080a100984ca000000000103030a"
TCP6 = "ee48005054dff37200000000a0c2fd20ff7a0000020405a00402080a266391f1000000000103030a"
SYN4 = H("4500003c31ae400040061cd2c0000201c6336407" + TCP4)
SYN6 = H("600ce22200280640" + IP6 + TCP6)
UDP4 = H("45000021524e40004011fc41c0000201c6336407ee480035000de14768656c6c6f")
UDP6 = H("600c742b000d1140" + IP6 + "ee480035000d720e68656c6c6f")
ICMP4 = H("45c000380000000040010000cb007101c00002010b008f8a00000000") + SYN4[:28]
ICMP6 = H("6000000000583a40" + IP6 + "0104000000000000") + SYN6
CHAIN6 = H("6000000000500040" + IP6 + "2b00010400000000 3c00040000000000 3300010400000000"
           "06020000 00000001 00000001 aabbccdd" + TCP6)
FRAG6 = H("6000000000302c40" + IP6 + "0600000100000001" + TCP6)
ROUTED4 = H("47000044000000004006 0000 c0000201c6336407 01830704c6336409" + TCP4)
MAC = H("020000000002020000000001")

PACKET, QUOTE = b"\x08", b"\x09"
WIRE = {
    "syn4": PACKET + SYN4, "syn6": PACKET + SYN6, "udp4": PACKET + UDP4, "udp6": PACKET + UDP6,
    "icmp4": PACKET + ICMP4, "icmp6": PACKET + ICMP6, "extensions": PACKET + CHAIN6,
    "fragment6": PACKET + FRAG6, "source-route": PACKET + ROUTED4,
    "quote4": QUOTE + SYN4[:28], "quote6": QUOTE + SYN6,
    "null": b"\x00" + H("02000000") + SYN4, "ethernet": b"\x01" + MAC + H("86dd") + SYN6,
    "vlan": b"\x01" + MAC + H("88a80064810000650800") + UDP4, "raw": b"\x02" + SYN6,
    "loop": b"\x03" + H("00000018") + SYN6,
    "sll": b"\x04" + H("000000010006020000000001") + H("00000800") + SYN4,
    "sll2": b"\x05" + H("0800000000000002000100060200000000010000") + SYN4,
}
OPTIONS = {
    "linux-syn": H(TCP4[40:]), "ack": H("0101080a0000000100000002"),
    "sack": H("0101051200000001000000020000000300000004"),
}


def segment(flags, n=0, ecn=0, seq="0000", ack="0000", options="08000100"):
    """One segment in the script of fuzz_tcp.c; seq and ack are what its near_number reads."""
    more = ecn | (4 if n else 0)
    return H("00") + bytes([flags, more]) + (bytes([n]) if n else b"") + H(seq + ack + "ff" + options)


ALL = H("0f02")  # timestamps, SACK, window scale, ECN; a window of 64240
SYN_ACK = segment(0x52, options="7fb60100")
WRITE, CLOSE, WAIT, EXPIRE = H("0310"), H("04"), H("0240"), H("02ff")
TCP = {
    "exchange": ALL + SYN_ACK + WRITE + segment(0x10) + segment(0x18, 40, 2) + CLOSE
                + segment(0x11),
    "reordered": ALL + SYN_ACK + segment(0x10, 20, seq="0114") + segment(0x10, 20, seq="0164")
                 + segment(0x10, 20) + segment(0x10, 100, seq="0000") + segment(0x11, 0),
    "congestion": ALL + SYN_ACK + WRITE + segment(0x50) + segment(0x10, 9, 3) + WRITE
                  + segment(0x90, 9, 2),
    "lost": ALL + SYN_ACK + WRITE + EXPIRE * 8,
    "silent": ALL + EXPIRE * 5,
    "refused": ALL + segment(0x14),
    "reset": ALL + SYN_ACK + segment(0x04, seq="0101") + segment(0x04),
    "plain": H("0002") + segment(0x12, options="01b6") + WRITE + CLOSE + segment(0x11),
    "steps": ALL + SYN_ACK + b"".join(bytes([6, kind, 5, 1]) for kind in range(9)),
}
PIECES = H("0123456789abcdef")
HTTP1 = {
    "length": b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Length: 5, 5\r\n\r\nhello",
    "chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
               b"5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 204 No\r\n\r\n",
    "folded": b"HTTP/1.1 200\nContent-Length:\n 1\n\nx",
    "close": b"HTTP/1.1 200 OK\r\n\r\nhello",
    "switch": b"HTTP/1.1 101 Switching\r\n\r\n",
    "ssh": b"SSH-2.0-OpenSSH_9.2\r\n",
}
HTTP1_WORDS = ["HTTP/1.1 200 OK\\x0d\\x0a", "Server:", "Content-Length:",
               "Transfer-Encoding:", "chunked", "\\x0d\\x0a\\x0d\\x0a", "\\x0a", "HTTP/1.1 100 C"]
# Scripts of packets.c: a connection, with a gap that is filled, a mark, and a port that is closed.
TICK = "21"
MADE = {
    "connection": H(f"00{TICK}00400002000000" "f003" f"08{TICK}02390012000001f003"
                    f"00{TICK}02400020" "10004001f00120" f"08{TICK}02390010000001f001"
                    f"08{TICK}02390011000001f001" f"00{TICK}00400011000001f001"),
    "errors": H(f"05{TICK}0040000303ff" f"1d{TICK}0040000104ff"),
    "others": H(f"04{TICK}004000" f"04{TICK}0040401004{'41' * 16}" f"06{TICK}00400008{'42' * 8}"),
}
# Records of fuzz_ipfix.c: of every kind, many, flushed each, and a sink that breaks.
ANY_FLOWS = {
    "kinds": H("0100") + b"".join(bytes([0x20 | kind]) + b"\x81\x02\x43abcde" for kind in range(32)),
    "many": H("0100") + b"\xfe12345678" * 200,
    "flushed": H("0300") + b"\x5c12345678" * 8,
    "broken": H("0302") + b"\x4012345678" * 8,
}
# Target lists of each form (the first byte: NDJSON, CSV, list, either; +4: any width).
INPUTS = {
    "ndjson": b"\x00" + b'{"dip":"192.0.2.1","dp":80,"domain":"a.test","x":[1,{}]}\n\n{"dip":"2001:db8::1","dp":"443"}\n',
    "csv": b"\x01dip,dp,domain,rank\n192.0.2.1,80,a.test,1\n\"2001:db8::1\",\"443\"\n",
    "ranks": b"\x011,a.test\n",
    "list": b"\x02# why\n192.0.2.1 # b\r\n\n192.0.2.8/30\n2001:db8::/126\n192.0.2.254-192.0.3.1\nx\n",
    "either": b"\x03# c\nx\n192.0.2.0/24\n{}\n",
    "wide": b"\x062001:db8::/32\n0.0.0.0/0\n",
    "binary": b"\x02\xef\xbb\xbf192.0.2.1\0\n\xff\n",
    "packed": b"\x03\x1f\x8b\x08\0\0\0\0\0",
}
INPUT_WORDS = ["192.0.2.", "2001:db8::", "/24", "/126", "-", "#", ",", "0.0.0.0/0", "255.255.255.255", '{\\"dip\\":\\"', "::"]
EXPECT_WORDS = "about run dip dp sip sp proto conditions pkt_fwd".split()
LOG_WORDS = ("line arm outcome round attempt attempts packets order port rerun syns answered_try icmp_type icmp_code why "
             "sip dip sp dp proto packets_from packets_to exchange_complete exchange_status body_bytes drops_from drops_to "
             "planned ended input input_hex target condition from to flows confirm rounds vantage problem").split()


def write(folder, seeds, prefix=b""):
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds.items():
        (folder / name).write_bytes(prefix + data)


def main():
    out = pathlib.Path(sys.argv[1])
    write(out / "wire", WIRE)
    write(out / "options", OPTIONS)
    write(out / "tcp", TCP)
    write(out / "http1", HTTP1, PIECES)
    write(out / "trace", captures.traces(SYN4, SYN6))
    write(out / "chains", {**MADE, **captures.scripts()}, H("0fff"))
    write(out / "aging", {**MADE, **captures.scripts()}, H("0fff022b00"))
    write(out / "classify", captures.classify())
    (out / "classify.dict").write_text("".join(f'"\\"{w}\\":"\n' for w in LOG_WORDS))
    write(out / "ipfix", {**MADE, **captures.scripts()}, H("0000"))
    write(out / "ipfix", ANY_FLOWS)
    write(out / "expect", captures.expectations())
    (out / "expect.dict").write_text("".join(f'"\\"{w}\\":"\n' for w in EXPECT_WORDS))
    write(out / "input", INPUTS)
    (out / "input.dict").write_text("".join(f'"{w}"\n' for w in INPUT_WORDS))
    (out / "http1.dict").write_text("".join(f'"{w}"\n' for w in HTTP1_WORDS))


main()
