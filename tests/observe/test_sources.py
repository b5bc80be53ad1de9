# SPDX-License-Identifier: GPL-3.0-or-later
"""Wherever the same packets come from, the records are the same, byte for byte."""

import bz2
import gzip
import lzma
import os
import subprocess
import threading

import pytest

from captures import LINKS, erf, frames, pcap, pcapng, sample
from observing import observe

CHAINS = ["basic", "tcp", "ecn", "icmp", "dscp", "mss"]
FRAMES = frames(sample())


@pytest.fixture(scope="module")
def expected():
    """The records of a plain pcap from standard input; test_the_records says that they are right."""
    return observe(*CHAINS, data=pcap(FRAMES)).check().out


def test_the_records(expected):
    """The reference itself, by what was put into it."""
    records = observe(*CHAINS, data=pcap(FRAMES)).check().records
    assert len(records) == 5
    by = {(r["sip"], r["sp"]): r for r in records}
    four, six = by["192.0.2.1", 40000], by["2001:db8::1", 40001]
    for record, head in ((four, 20), (six, 40)):
        assert (record["dp"], record["proto"]) == (80, 6)
        assert (record["pkt_fwd"], record["pkt_rev"]) == (6, 4)
        assert record["oct_fwd"] == 6 * (head + 20) + 4 + 3
        assert record["oct_rev"] == 4 * (head + 20) + 4 + 300
        assert record["tcp_synflags_fwd"] == 0xC2 and record["tcp_synflags_rev"] == 0x52
        assert record["tcp_connected"] and record["tcp_fin_fwd"] and record["tcp_fin_rev"]
        assert record["ecn_ect0_data_fwd"] and record["ecn_ect0_data_rev"]
        assert record["mss_value_fwd"] == 1460
        assert record["flow_end_reason"] == "closed"
    assert four["pkt_first"] == "2020-09-13 12:26:40.000000"
    assert four["pkt_last"] == "2020-09-13 12:26:40.090000"
    dns = by["192.0.2.1", 5000]
    assert (dns["proto"], dns["pkt_fwd"], dns["icmp_unreachable"]) == (17, 1, True)
    router = by["203.0.113.9", None]
    assert (router["proto"], router["dp"], router["icmp_unreachable"]) == (1, None, False)
    vrrp = by["192.0.2.1", None]
    assert (vrrp["proto"], vrrp["dip"], vrrp["oct_fwd"]) == (112, "224.0.0.18", 40)
    assert [r["flow_end_reason"] for r in (dns, router, vrrp)] == ["end"] * 3
    assert list(four)[:5] == ["sip", "dip", "sp", "dp", "proto"]
    assert list(four)[-1] == "flow_end_reason"


@pytest.mark.parametrize("endian", "<>")
@pytest.mark.parametrize("nano", [False, True])
@pytest.mark.parametrize("write", [pcap, pcapng])
def test_formats(save, expected, write, nano, endian):
    file = save(write(FRAMES, endian=endian, nano=nano))
    assert observe("-i", file, *CHAINS).check().out == expected


@pytest.mark.parametrize("write", [pcap, pcapng])
@pytest.mark.parametrize("link", [name for name in LINKS if LINKS[name][0] is not None])
def test_links(save, expected, link, write):
    file = save(write(frames(sample(), link), link=LINKS[link][0]))
    assert observe("-i", file, *CHAINS).check().out == expected


@pytest.mark.parametrize("write", [pcap, pcapng])
@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed(save, expected, compress, write):
    file = save(compress(write(FRAMES)))
    assert observe("-i", file, *CHAINS).check().out == expected
    with open(file, "rb") as stdin:
        assert observe(*CHAINS, stdin=stdin).check().out == expected


def test_gzip_in_two_members(save, expected):
    whole = pcap(FRAMES)
    file = save(gzip.compress(whole[:500]) + gzip.compress(whole[500:]))
    assert observe("-i", file, *CHAINS).check().out == expected


@pytest.mark.parametrize("write", [pcap, pcapng])
def test_standard_input(save, expected, write):
    with open(save(write(FRAMES)), "rb") as stdin:
        assert observe(*CHAINS, stdin=stdin).check().out == expected
    assert observe("-i", "-", *CHAINS, data=write(FRAMES)).check().out == expected


def test_a_pipe_that_drips(expected):
    run = subprocess.Popen(
        ["python3", "-uc", "import sys, time\nfor b in sys.argv[1:]:\n sys.stdout.buffer.write("
         "bytes.fromhex(b)); sys.stdout.flush(); time.sleep(.01)", *_pieces(pcapng(FRAMES), 61)],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert observe(*CHAINS, stdin=run.stdout).check().out == expected
    run.wait()


def _pieces(data, n):
    return [data[i : i + n].hex() for i in range(0, len(data), n)]


def test_a_named_pipe(folder, expected):
    path = os.path.join(folder, "fifo")
    os.mkfifo(path)

    def write():
        with open(path, "wb") as fifo:
            fifo.write(pcap(FRAMES))

    writer = threading.Thread(target=write)
    writer.start()
    assert observe("-i", path, *CHAINS).check().out == expected
    writer.join()


@pytest.mark.parametrize("link", ["ethernet", "vlan", "qinq", "raw", "cooked", "loop"])
def test_pcapfile_uri(save, expected, link):
    file = save(pcap(frames(sample(), link), link=LINKS[link][0]))
    assert observe("-i", f"pcapfile:{file}", *CHAINS).check().out == expected


def test_pcapfile_uri_big_endian_and_compressed(save, expected):
    file = save(gzip.compress(pcap(FRAMES, endian=">")))
    assert observe("-i", f"pcapfile:{file}", *CHAINS).check().out == expected


def test_erf_uri(save, expected):
    assert observe("-i", f"erf:{save(erf(FRAMES))}", *CHAINS).check().out == expected
    file = save(gzip.compress(erf(FRAMES)))
    assert observe("-i", f"erf:{file}", *CHAINS).check().out == expected


@pytest.mark.parametrize("link", ["ppp", "hdlc"])
def test_erf_of_serial_lines(save, expected, link):
    file = save(erf(frames(sample(), link), kind=1))
    assert observe("-i", f"erf:{file}", *CHAINS).check().out == expected


def test_output_file(save, folder, expected):
    out = os.path.join(folder, "flows.ndjson")
    done = observe("-i", save(pcap(FRAMES)), "--output", out, *CHAINS).check()
    assert done.out == b"" and open(out, "rb").read() == expected


def test_nanoseconds_are_kept(save):
    """Two packets 1 ns on either side of a microsecond."""
    packet = sample()[-1][1]
    given = frames([(1_600_000_000_000_000_999, packet), (1_600_000_000_000_001_001, packet)])
    for file in (pcap(given, nano=True), pcapng(given, nano=True)):
        (record,) = observe("-i", save(file), "basic").check().records
        assert record["pkt_first"].endswith(".000000")
        assert record["pkt_last"].endswith(".000001")
