# SPDX-License-Identifier: GPL-3.0-or-later
"""Live interfaces, by libpcap and by libtrace: the same packets give the same flows; time passes
without packets; signals flush. In network namespaces of its own."""

import json
import os
import signal
import subprocess
import time

import pytest

from captures import CLIENT4, RST, ACK, SERVER4, exchange, frames, pcap, sample, tcp, udp
from observing import Run, observe

CHAINS = ["basic", "tcp", "ecn", "icmp"]
FRAMES = frames(sample())


def wait_until(true, seconds=15):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.02)
    return False


def is_listening(wire):
    """A packet socket is bound at the near end, with a ring if it has one."""
    sockets = wire.run(wire.near, "cat", "/proc/net/packet", capture_output=True, text=True).stdout
    return any(line.split()[3] == "0003" for line in sockets.splitlines()[1:])


class Watch(Run):
    """rawspider observe at the near end, its records in a file; ready to see."""

    def __init__(self, wire, folder, what, *argv):
        self.path = os.path.join(folder, "flows.ndjson")
        super().__init__("-i", what, "--output", self.path, *argv, before=wire.before)
        assert wait_until(lambda: is_listening(wire) or self.process.poll() is not None)
        time.sleep(0.1)

    @property
    def records(self):
        with open(self.path, encoding="ascii") as file:
            return [json.loads(line) for line in file]


def timeless(records):
    """What does not hang on when the packets came."""
    dropped = {"pkt_first", "pkt_last", "tcp_rtt_handshake_us", "flow_end_reason"}
    return sorted(
        json.dumps({k: v for k, v in r.items() if k not in dropped}, sort_keys=True) for r in records
    )


@pytest.mark.parametrize("what", ["near0", "any", "int:near0", "ring:near0", "pcapint:near0"])
def test_every_way_to_listen(wire, folder, what):
    run = Watch(wire, folder, what, *CHAINS)
    before = time.time()
    wire.send(FRAMES)
    time.sleep(0.5)
    done = run.stop().check(130)
    assert done.err == ""
    assert timeless(run.records) == timeless(observe(*CHAINS, data=pcap(FRAMES)).records)
    stamp = time.strptime(run.records[0]["pkt_first"][:19], "%Y-%m-%d %H:%M:%S")
    assert abs(time.mktime(stamp) - time.timezone - before) < 30


def test_time_passes_without_packets(wire, folder):
    run = Watch(wire, folder, "near0", "--idle", "1", "--close", "0.5", "basic")
    closing = exchange(CLIENT4, SERVER4, 4000) + [(0, udp(CLIENT4, SERVER4, 5000, 53))]
    wire.send(frames(closing))
    assert wait_until(lambda: len(run.records) == 2), run.records
    assert [r["flow_end_reason"] for r in run.records] == ["closed", "idle"]
    run.stop().check(130)


@pytest.mark.parametrize("signo", [signal.SIGINT, signal.SIGTERM])
def test_signals_flush(wire, folder, signo):
    run = Watch(wire, folder, "near0", "basic")
    wire.send(frames([(0, udp(CLIENT4, SERVER4, 5000 + i, 53)) for i in range(10)]))
    time.sleep(0.3)
    assert run.records == []
    run.stop(signo).check(128 + signo)
    assert sorted(r["sp"] for r in run.records) == list(range(5000, 5010))
    assert {r["flow_end_reason"] for r in run.records} == {"end"}


def test_a_signal_while_a_pipe_is_silent(folder):
    """Also before it has brought its header, and in the middle of a packet."""
    whole = pcap(FRAMES)
    for given, flows in ((b"", 0), (whole[:-5], 4)):
        reader, writer = os.pipe()
        run = Run("basic", stdin=reader)
        os.close(reader)
        os.write(writer, given)
        time.sleep(0.4)
        done = run.stop().check(130)
        os.close(writer)
        assert len(done.records) == flows and done.err == ""


@pytest.mark.parametrize("given, left", [(0, b"earlier\n"), (24, b"")])
def test_a_signal_before_the_first_packet(folder, given, left):
    """A pipe that has brought nothing may be no capture; one without packets yet has no flows."""
    out = os.path.join(folder, "out")
    with open(out, "wb") as file:
        file.write(b"earlier\n")
    reader, writer = os.pipe()
    run = Run("--output", out, "-v", "basic", stdin=reader)
    os.close(reader)
    os.write(writer, pcap(FRAMES)[:given])
    time.sleep(1.3)  # and a progress line
    run.stop().check(130)
    os.close(writer)
    assert open(out, "rb").read() == left


def test_the_second_signal_kills(folder):
    """When the reader of the records has stopped reading, we could not end otherwise."""
    many = [(i, udp(CLIENT4, SERVER4, 1024 + i, 53)) for i in range(2000)]
    with open(os.path.join(folder, "x.pcap"), "wb") as file:
        file.write(pcap(frames(many)))
    reader, writer = os.pipe()
    run = Run("-i", file.name, "basic", stdout=writer)
    os.close(writer)
    time.sleep(0.5)
    run.process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert run.process.poll() is None
    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(10) == -signal.SIGINT
    os.close(reader)
    run.process.stderr.close()


def test_limit(wire, folder):
    run = Watch(wire, folder, "near0", "-n", "3", "basic")
    wire.send(frames([(0, udp(CLIENT4, SERVER4, 5000, 53))] * 5))
    run.finish().check(3)
    assert [r["pkt_fwd"] for r in run.records] == [3]


def test_progress(wire, folder):
    run = Watch(wire, folder, "near0", "-v", "basic")
    wire.send(frames([(0, tcp(SERVER4, CLIENT4, 80, 4000, RST | ACK))]))
    time.sleep(1.5)
    done = run.stop().check(130)
    assert "0:01 packets 1 (" in done.err and "flows 1 (1 open)" in done.err
    assert "1 flow: 1 closed" in done.err


def test_an_interface_that_goes_away(wire, folder):
    wire.run(wire.near, "ip", "link", "add", "gone0", "type", "veth", "peer", "gone1")
    wire.run(wire.near, "ip", "link", "set", "gone1", "up")
    wire.run(wire.near, "ip", "link", "set", "gone0", "up")
    run = Watch(wire, folder, "gone0", "basic")
    wire.run(wire.near, "ip", "link", "del", "gone0")
    done = run.finish()
    assert done.code in (1, 4) and "gone0" in done.err


@pytest.mark.parametrize("what", ["int:none0", "ring:none0"])
def test_no_such_interface(wire, what):
    done = observe("-i", what, "basic", before=wire.before).check(1)
    assert f"cannot open {what}" in done.err


def test_an_interface_that_is_down(wire):
    wire.run(wire.near, "ip", "link", "add", "down0", "type", "veth", "peer", "down1")
    done = observe("-i", "down0", "basic", before=wire.before).check(1)
    wire.run(wire.near, "ip", "link", "del", "down0")
    assert "interface down0 is down" in done.err


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be somebody else")
@pytest.mark.parametrize("what", ["lo", "int:lo", "ring:lo"])
def test_without_the_privilege(what):
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
    done = observe("-i", what, "basic", before=nobody).check(1)
    assert "CAP_NET_RAW" in done.err


def test_never_promiscuous(wire, folder):
    for what in ("near0", "int:near0", "ring:near0"):
        run = Watch(wire, folder, what, "basic")
        flags = int(wire.run(wire.near, "cat", "/sys/class/net/near0/flags", capture_output=True,
                             text=True).stdout, 16)  # fmt: skip
        details = wire.run(wire.near, "ip", "-d", "link", "show", "near0", capture_output=True,
                           text=True).stdout  # fmt: skip
        run.stop().check(130)
        assert not flags & 0x100 and "promiscuity 0" in details, what
