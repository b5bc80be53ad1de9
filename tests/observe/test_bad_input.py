# SPDX-License-Identifier: GPL-3.0-or-later
"""Input that is cut, damaged, foreign or not there: what can be read is read, the message names the
file and what is wrong with it, the exit code says it: 1 nothing could be read, 4 something is
missing."""

import gzip
import os
import subprocess
import sys
import time

import pytest

from captures import CLIENT4, S, SERVER4, START, erf, exchange, frames, pcap, pcapng, sample, tcp, udp
from observing import Run, observe

FRAMES = frames(sample())
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]


@pytest.mark.parametrize("write, prefix", [(pcap, ""), (pcapng, ""), (pcap, "pcapfile:"), (erf, "erf:")])
def test_cut_off(save, write, prefix):
    """Cut inside the last packet: all before it count."""
    whole = write(FRAMES)
    done = observe("-i", prefix + save(whole[:-3]), "basic").check(4)
    assert f"cut off inside frame {len(FRAMES)}" in done.err
    packets = sum(r["pkt_fwd"] + r["pkt_rev"] for r in done.records)
    assert packets == len(FRAMES) - 1
    assert "what comes before it is in the records" in done.err


@pytest.mark.parametrize("write", [pcap, pcapng])
def test_cut_off_in_the_header(save, write):
    done = observe("-i", save(write([])[:19], "head.pcap"), "basic").check(1)
    assert "head.pcap is cut off inside its pcap" in done.err and done.out == b""


def test_a_file_that_grows(save):
    """Somebody still writes it: what is there now is read; later there is more."""
    whole = pcap(FRAMES)
    path = save(whole[:-10])
    assert sum(r["pkt_fwd"] for r in observe("-i", path, "basic").check(4).records) > 0
    with open(path, "ab") as file:
        file.write(whole[-10:])
    assert len(observe("-i", path, "basic").check(0).records) == 5


def test_a_file_that_grows_followed_through_a_pipe(save, folder):
    """tail -f FILE | rawspider observe: records come as flows end, and an interrupt gives the rest."""
    old = exchange(CLIENT4, SERVER4, 4000)
    new = [(START + 60 * S, udp(CLIENT4, SERVER4, 5000, 53))]
    whole = pcap(frames(old + new))
    cut = len(pcap(frames(old))) + 10  # in the header of the new packet
    path, out = save(whole[:cut]), os.path.join(folder, "out")
    tail = subprocess.Popen(["tail", "-c", "+1", "-f", path], stdout=subprocess.PIPE)
    run = Run("--output", out, "basic", stdin=tail.stdout)
    try:
        time.sleep(1.5)
        assert os.path.getsize(out) == 0
        with open(path, "ab") as file:
            file.write(whole[cut:])
        deadline = time.monotonic() + 20
        while os.path.getsize(out) == 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert b'"closed"' in open(out, "rb").read()
        run.stop().check(130)
    finally:
        tail.kill()
        tail.wait()
    assert open(out, "rb").read().count(b"\n") == 2


def test_an_empty_capture_has_no_flows(save):
    for write in (pcap, pcapng):
        done = observe("-i", save(write([])), "basic").check()
        assert done.out == b"" and done.err == ""


def test_an_empty_file(save):
    done = observe("-i", save(b"", "none.pcap"), "basic").check(1)
    assert "none.pcap is empty: expected a capture (pcap or pcapng)" in done.err


def test_wrong_magic(save):
    done = observe("-i", save(b'{"dip": "192.0.2.1"}\n', "list.ndjson"), "basic").check(1)
    assert "list.ndjson is not a capture (pcap or pcapng)" in done.err and "erf:FILE" in done.err
    done = observe("-i", save(erf(FRAMES), "x.erf"), "basic").check(1)
    assert "x.erf is not a capture" in done.err


def test_unknown_link_type(save):
    done = observe("-i", save(pcap(FRAMES, link=105), "wlan.pcap"), "basic").check(1)
    assert "wlan.pcap has link type 105 (IEEE802_11)" in done.err and "Ethernet" in done.err


def test_unknown_link_type_by_libtrace(save):
    done = observe("-i", "pcapfile:" + save(pcap(FRAMES, link=0)), "basic").check(4)
    assert f"{len(FRAMES)} frames were left out: of a link type that cannot be read" in done.err


@pytest.mark.parametrize("prefix", ["", "pcapfile:"])
def test_damage_in_the_middle(save, prefix):
    data = bytearray(pcap(FRAMES))
    second = 24 + 16 + len(FRAMES[0][1])
    data[second + 8 : second + 12] = b"\xff\xff\xff\x7f"
    done = observe("-i", prefix + save(bytes(data), "x.pcap"), "basic").check(4)
    assert "x.pcap is damaged behind frame 1" in done.err
    assert len(done.records) == 1


def test_damage_in_an_erf_file(save):
    data = bytearray(erf(FRAMES))
    first = int.from_bytes(data[10:12], "big")
    data[first + 10 : first + 12] = b"\0\3"
    done = observe("-i", "erf:" + save(bytes(data), "x.erf"), "basic").check(4)
    assert "x.erf is damaged behind frame 1" in done.err and len(done.records) == 1


def test_packets_longer_than_their_capture(save):
    """tcpdump -s 54: headers are there, payload is not; its length is known all the same."""
    given = exchange(CLIENT4, SERVER4, 4000)
    done = observe("-i", save(pcap(frames(given), snap=54)), "basic", "tcp").check()
    (record,) = done.records
    assert record["oct_rev"] == 4 * 40 + 4 + 300 and record["tcp_newdata_rev"] == 1
    assert done.err == ""


def test_packets_cut_in_their_headers(save):
    done = observe("-i", save(pcap(FRAMES, snap=30)), "basic").check(4)
    assert f"{len(FRAMES)} packets were left out: damaged, or cut off in their headers" in done.err
    done = observe("-i", save(pcap(FRAMES, snap=10)), "basic").check(4)
    assert "cut off in their headers" in done.err and done.out == b""


def test_damaged_packets(save):
    """An IP header that contradicts itself is left out and counted; the rest is read."""
    bad = bytearray(tcp(CLIENT4, SERVER4, 4000, 80, 2))
    bad[0] = 0x41  # a header of four bytes
    given = [(START, bytes(bad)), (START + 1, udp(CLIENT4, SERVER4, 5000, 53))]
    done = observe("-i", save(pcap(frames(given))), "basic").check(4)
    assert len(done.records) == 1
    assert "1 packet was left out: damaged, or cut off in its headers" in done.err


@pytest.mark.parametrize("prefix", ["", "pcapfile:", "erf:"])
def test_a_directory(folder, prefix):
    done = observe("-i", prefix + folder, "basic").check(1)
    assert f"cannot read {folder}: it is a directory" in done.err


@pytest.mark.parametrize("prefix", ["", "pcapfile:", "erf:"])
def test_no_such_file(folder, prefix):
    path = os.path.join(folder, "not-there.pcap")
    done = observe("-i", prefix + path, "basic").check(1)
    assert f"cannot open {path}: No such file or directory" in done.err


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
@pytest.mark.parametrize("prefix", ["", "pcapfile:", "erf:"])
def test_no_permission(save, prefix):
    path = save(pcap(FRAMES))
    os.chmod(path, 0o600)
    done = observe("-i", prefix + path, "basic", before=NOBODY).check(1)
    assert f"cannot open {path}: Permission denied" in done.err


def test_neither_file_nor_interface():
    done = observe("-i", "nonsense0", "basic").check(1)
    assert "'nonsense0' is no file, and no trace URI (pcapfile: erf: int: ring: ...)" in done.err
    assert "there are: " in done.err and "lo" in done.err


def test_compressed_bytes_in_a_pipe():
    done = observe("basic", data=gzip.compress(pcap(FRAMES))).check(1)
    assert "compressed by gzip: use zcat" in done.err


def test_compressed_and_cut_off(save):
    many = [(START + i * S // 1000, udp(CLIENT4, SERVER4, 5000, 53, os.urandom(1000))) for i in range(1000)]
    whole = gzip.compress(pcap(frames(many)))
    done = observe("-i", save(whole[: len(whole) // 2], "x.pcap.gz"), "basic").check(4)
    assert "x.pcap.gz" in done.err and "damaged or cut off" in done.err
    (record,) = done.records
    assert 300 < record["pkt_fwd"] < 500


def test_zstd_is_named(save):
    done = observe("-i", save(b"\x28\xb5\x2f\xfd" + bytes(20), "x.zst"), "basic").check(1)
    assert "zstd" in done.err and "zstdcat" in done.err


def test_closed_standard_input(save):
    code = "import os, sys; os.close(0); os.execv(sys.argv[1], sys.argv[1:])"
    done = observe("basic", before=[sys.executable, "-c", code]).check(1)
    assert "standard input is closed" in done.err


def test_closed_standard_output(save):
    code = "import os, sys; os.close(1); os.execv(sys.argv[1], sys.argv[1:])"
    done = observe("-i", save(pcap(FRAMES)), "basic", before=[sys.executable, "-c", code]).check(1)
    assert "standard output is closed" in done.err


def test_output_that_cannot_be_written(save, folder):
    path = save(pcap(FRAMES))
    done = observe("-i", path, "--output", "/dev/full", "basic").check(1)
    assert "no space left" in done.err
    done = observe("-i", path, "--output", folder, "basic").check(1)
    assert folder in done.err
    reader, writer = os.pipe()
    os.close(reader)
    done = observe("-i", path, "basic", stdout=writer).check(1)
    os.close(writer)
    assert "the program that read it has ended" in done.err


@pytest.mark.parametrize("form", ["ndjson", "ipfix"])
@pytest.mark.parametrize("write, prefix", [(pcap, ""), (pcap, "pcapfile:"), (erf, "erf:")])
def test_the_output_is_not_the_input(save, folder, write, prefix, form):
    """By whatever name."""
    path, link = save(write(FRAMES)), os.path.join(folder, "link")
    os.link(path, link)
    for output in (path, link):
        done = observe("-i", prefix + path, "--output", output, "--format", form, "basic").check(1)
        assert f"--output {output} would overwrite the input" in done.err
    with open(path, "ab") as stdout:
        done = observe("-i", prefix + path, "--format", form, "basic", stdout=stdout).check(1)
    assert "standard output would overwrite the input" in done.err
    assert open(path, "rb").read() == write(FRAMES)


def test_the_output_is_not_standard_input(save):
    path = save(pcap(FRAMES))
    with open(path, "rb") as stdin:
        done = observe("--output", path, "basic", stdin=stdin).check(1)
    assert "would overwrite the input" in done.err
    assert open(path, "rb").read() == pcap(FRAMES)


def _unreadable(save, folder):
    text = b"this is no capture, and long enough to be taken for a header of whatever format\n" * 4
    yield os.path.join(folder, "typo.pcap")
    yield folder
    yield "nonsense0"
    yield save(b"")
    yield save(text)
    yield save(pcap(FRAMES, link=105))
    yield save(pcap(FRAMES)[:30])
    yield save(gzip.compress(text))
    for scheme in ("pcapfile", "erf"):
        yield f"{scheme}:{folder}/typo.pcap"
        yield f"{scheme}:{save(text)}"
        yield f"{scheme}:{save(pcap(FRAMES)[:19])}"
    yield "int:none0"
    yield "-"


@pytest.mark.parametrize("form", ["ndjson", "ipfix"])
def test_what_cannot_be_read_leaves_earlier_results_alone(save, folder, form):
    out = save(b"earlier\n", "out")
    for what in _unreadable(save, folder):
        done = observe("-i", what, "--output", out, "--format", form, "basic", data=b"no capture")
        assert done.code == 1 and done.err.startswith("rawspider: "), (what, done.err)
        assert open(out, "rb").read() == b"earlier\n", what
    observe("-i", save(pcap([])), "--output", out, "basic").check()
    assert open(out, "rb").read() == b"", "a capture without packets can be read"


def test_a_capture_without_privilege_leaves_earlier_results_alone(save):
    if os.geteuid() != 0:
        pytest.skip("needs root, to be somebody else")
    out = save(b"earlier\n", "out")
    os.chmod(out, 0o666)
    observe("-i", "lo", "--output", out, "basic", before=NOBODY).check(1)
    assert open(out, "rb").read() == b"earlier\n"


@pytest.mark.parametrize("write, prefix", [(pcap, "pcapfile:"), (erf, "erf:")])
def test_lengths_that_libtrace_asserts_about(save, write, prefix):
    """A frame of 1 MiB on the wire, a link type out of this world: the file's fault, not ours."""
    data = bytearray(write(FRAMES))
    data[24 + 12 : 24 + 16] = b"\0\0\x10\0"
    assert observe("-i", prefix + save(bytes(data)), "basic").code in (0, 4)
    data[20:24] = b"\x11\0\xff\0"
    assert observe("-i", prefix + save(bytes(data)), "basic").code in (0, 1, 4)
