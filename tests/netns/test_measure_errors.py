# SPDX-License-Identifier: GPL-3.0-or-later
"""What stops a run before or while it measures: a clear message, the documented exit code, and
nothing lost in silence. Exit: 1 failure, 2 usage, 3 a limit, 4 records lost, 130/143 a signal."""

import json
import os
import signal
import socket
import time

import pytest

from lab import VP4
from measure import INCOMPLETE, NONE, PROGRAM, Outcome, as_input, base, command, measure, start
from pcapfile import FIN, RST, tcp_segments

USAGE = [
    (["measure"], "which plugin"),
    (["measure", "nosuch"], "no plugin 'nosuch'"),
    (["measure", "ecn", "extra"], "one word too many"),
    (["measure", "--nosuch", "ecn"], "rawspider: there is no option --nosuch; rawspider measure --help"),
    (["measure", "ecn", "-r"], "rawspider: -r needs a value; rawspider measure --help"),
    (["filter", "-Z"], "rawspider: there is no option -Z; rawspider filter --help"),
    (["classify", "--log"], "rawspider: --log needs a value; rawspider classify --help"),
    (["measure", "-r", "fast", "ecn"], "--rate"),
    (["measure", "-r", "-1", "ecn"], "--rate"),
    (["measure", "-w", "0", "ecn"], "--workers"),
    (["measure", "-S", "example.org", "ecn"], "--source"),
    (["measure", "-G", "00:11:22", "ecn"], "--gateway-mac"),
    (["measure", "--source-port", "70000", "ecn"], "--source-port"),
    (["measure", "--source-port", "61010-61000", "ecn"], "--source-port"),
    (["measure", "--order", "abba", "ecn"], "--order"),
    (["measure", "--confirm", "9", "ecn"], "--confirm"),
    (["measure", "--timeout", "0", "ecn"], "--timeout"),
    (["measure", "ecn", "--connect", "https2"], "--connect"),
    (["measure", "--contact", "two words", "ecn"], "--contact"),
    (["measure", "--trace", "host", "ecn"], "--trace"),
    (["filter", "--dp", "0"], "--dp"),
    (["filter", "extra"], "one word too many"),
    (["plugins", "nosuch"], "no plugin 'nosuch'"),
    (["nosuch"], "no command 'nosuch'"),
    ([], "usage:"),
]


@pytest.mark.parametrize("words,say", USAGE, ids=[" ".join(words) for words, _ in USAGE])
def test_usage(lab, words, say):
    outcome = command(lab, *words).check(2)
    assert outcome.out == b"" and say in outcome.err


def test_unknown_interface(lab):
    outcome = measure(lab, lab.targets("none", 1), interface="vp9").check(1)
    assert outcome.out == b"" and "no interface 'vp9'" in outcome.err
    assert "there are: lo, vp0" in outcome.err


@pytest.fixture
def spare(lab):
    """A second interface on the vantage point: down, and without addresses."""
    lab.exec("vp", "ip link add spare0 type veth peer name spare1".split(), check=True)
    yield "spare0"
    lab.exec("vp", ["ip", "link", "del", "spare0"], check=True)


def test_interface_that_is_down_or_without_address(lab, spare):
    outcome = measure(lab, lab.targets("none", 1), interface=spare)
    assert outcome.code == 1 and "is down" in outcome.err and outcome.out == b""
    lab.sysctl("vp", {f"net/ipv6/conf/{spare}/disable_ipv6": 1})
    for name in (spare, "spare1"):
        lab.exec("vp", ["ip", "link", "set", name, "up"], check=True)
    outcome = measure(lab, lab.targets("none", 1), interface=spare)
    assert outcome.code == 1 and outcome.out == b""
    assert f"interface {spare} has no IPv4 or IPv6 address" in outcome.err


def test_interface_without_a_route_to_the_target(lab, spare):
    """Measurable in principle, not through this interface: a record that says why."""
    address = f"addr add 10.9.9.1/24 dev {spare}"
    for words in (address, f"link set {spare} up", "link set spare1 up"):
        lab.exec("vp", ["ip", *words.split()], check=True)
    outcome = measure(lab, lab.targets("none", 1, 4), interface=spare).check()
    assert set(outcome.records[0]["conditions"]) == INCOMPLETE
    assert "no route" in outcome.records[0]["problem"]


def test_default_interface_is_the_routes(lab):
    outcome = measure(lab, lab.targets("none", 2), interface=None).check()
    assert all(base(r) == NONE for r in outcome.records)


def test_no_default_route(lab, spare):
    """In a namespace with nothing but loopback."""
    jobs = lab.targets("none", 1)
    outcome = measure(lab, jobs, interface=None, before=["unshare", "-n"]).check(1)
    assert "no default route" in outcome.err and "-i" in outcome.err


def test_no_free_source_ports(lab):
    taken = [lab.within("vp", socket.create_server, ("0.0.0.0", port)) for port in (61000, 61001)]
    try:
        outcome = measure(lab, lab.targets("none", 1), "--source-port", "61000-61002").check(1)
        assert outcome.out == b""
        assert "61000-61002" in outcome.err and "taken" in outcome.err
        # With two left it works.
        options = ["--source-port", "61000-61003"]
        assert all(base(r) == NONE for r in measure(lab, lab.targets("none", 3), *options).records)
    finally:
        for one in taken:
            one.close()


@pytest.mark.parametrize("limit,code", [(100, 0), (12, 1)])
def test_few_descriptors(lab, limit, code):
    before = ["prlimit", f"--nofile={limit}"]
    outcome = measure(lab, lab.targets("none", 3), before=before).check(code)
    assert "ulimit" in outcome.err
    assert all(base(r) == NONE for r in outcome.records) and bool(outcome.records) == (code == 0)


# -- output ----------------------------------------------------------------------------------------


def shell(lab, text, jobs, **kw):
    return command(lab, "-c", text, jobs=as_input(jobs), program="sh", **kw)


MEASURE = f"{PROGRAM} measure -i vp0 -b none"


def test_closed_stdout(lab):
    outcome = shell(lab, f"{MEASURE} ecn >&-", lab.targets("none", 1)).check(1)
    assert "standard output is closed" in outcome.err


def test_closed_stdin(lab):
    outcome = shell(lab, f"{MEASURE} ecn <&-", []).check(1)
    assert "standard input is closed" in outcome.err


def test_closed_stderr(lab):
    outcome = shell(lab, f"{MEASURE} ecn 2>&-", lab.targets("none", 2)).check()
    assert len(outcome.records) == 4


def test_reader_that_ends(lab):
    text = f"{{ {MEASURE} -r 0 ecn; echo code $? >&2; }} | head -n 1"
    outcome = shell(lab, text, lab.targets("none", 200))
    assert "code 1" in outcome.err and "the program that read it has ended" in outcome.err
    assert len(outcome.records) == 1


def test_lost_output_leaves_no_connection_open(lab, folder):
    """Peers get an RST for what is in flight (law 8)."""
    file = os.path.join(folder, "rt.pcap")
    with lab.capture("rt", "rt0", file, "tcp"):
        # The first record cannot be written; slow targets are under way then.
        jobs = lab.targets("ect_data_drop", 3, 4) + lab.targets("none", 1, 4)
        shell(lab, f"{MEASURE} --order ab ecn >/dev/full", jobs).check(1)
    mine = [s for s in tcp_segments(file) if s.src == VP4]
    open_ones = {s.tuple for s in mine} - {s.tuple for s in mine if s.flags & (RST | FIN)}
    assert len({s.tuple for s in mine}) >= 8 and not open_ones
    assert any(s.flags & RST for s in mine)


@pytest.mark.parametrize("how", ["--output /dev/full ecn", "ecn >/dev/full"])
def test_full_disk(lab, how):
    outcome = shell(lab, f"{MEASURE} {how}", lab.targets("none", 2)).check(1)
    assert "no space left" in outcome.err


@pytest.mark.parametrize("option", ["--pcap-out", "-m"])
def test_full_disk_of_other_files(lab, option):
    outcome = measure(lab, lab.targets("none", 2), option, "/dev/full")
    assert outcome.code == 1 and "/dev/full" in outcome.err and "space" in outcome.err


@pytest.mark.parametrize("option", ["--output", "--pcap-out", "-m", "-u"])
def test_folder_that_is_not_there(lab, folder, option):
    path = os.path.join(folder, "missing", "file")
    outcome = measure(lab, lab.targets("none", 1), option, path)
    assert outcome.code == 1 and path in outcome.err


# -- signals ---------------------------------------------------------------------------------------


def wait_for(condition):
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


def guarded(lab):
    """Whether rawspider has got so far that it holds its ports."""
    return b":61000 " in lab.exec("vp", ["ss", "-Htln"], capture_output=True).stdout


@pytest.mark.parametrize("number,code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_finishes_what_is_in_flight(lab, folder, number, code):
    """A long list: what was read gets its record, right where it was measured to the end."""
    path = os.path.join(folder, "records")
    jobs = lab.targets("none", 3000, 4)
    run = start(lab, jobs, "-r", "2000", "-w", "100", "--timeout", "5", "--output", path, "-m",
                os.path.join(folder, "meta"))  # fmt: skip
    wait_for(lambda: os.path.exists(path) and os.path.getsize(path) > 0)
    run.signal(number)
    outcome = run.finish().check(code)
    assert "stopping" in outcome.err
    with open(path, "rb") as file:
        records = Outcome(0, file.read(), b"").records
    with open(os.path.join(folder, "meta"), encoding="utf-8") as file:
        counts = json.load(file)
    assert sorted(r["line"] for r in records) == list(range(1, len(records) + 1))
    assert 0 < len(records) == counts["lines"] == counts["records"] < 3000
    begun = [r for r in records if r["sip"] is not None]
    assert begun and all(base(r) == NONE for r in begun)
    for record in records:
        if record["sip"] is None:  # was read ahead, and nothing was sent
            assert set(record["conditions"]) == INCOMPLETE
            assert record["problem"] == "the run was stopped"
            assert record["time"]["from"] == record["time"]["to"]


def test_signal_ends_what_has_no_answer(lab):
    """Attempts that run out are judged; those cut short at the end are incomplete."""
    run = start(lab, lab.targets("silent", 3) + lab.targets("syn_drop", 2), "--timeout", "2")
    wait_for(lambda: guarded(lab))
    time.sleep(1)
    run.signal()
    outcome = run.finish().check(130)
    assert len(outcome.records) == 10
    for record in outcome.records:
        offline = record["box"] == "silent" and "ecn.connectivity.offline" in record["conditions"]
        assert offline or set(record["conditions"]) <= INCOMPLETE, record["conditions"]


def test_second_signal_stops_at_once(lab):
    run = start(lab, lab.targets("silent", 5), "--timeout", "60", "--confirm", "0")
    wait_for(lambda: guarded(lab))
    time.sleep(0.5)
    run.signal()
    time.sleep(0.2)  # two at once would be one
    run.signal()
    outcome = run.finish().check(130)
    assert len(outcome.records) == 10
    for record in outcome.records:
        assert set(record["conditions"]) == INCOMPLETE
        assert record["problem"] == "the run was stopped"


def test_signal_while_waiting_for_input(lab):
    run = start(lab, None)
    run.process.stdin.write(as_input(lab.targets("none", 1, 4)))
    run.process.stdin.flush()
    assert run.process.stdout.readline()
    run.signal()
    assert run.finish().check(130).out == b""


@pytest.mark.parametrize("option", ["--output", "--pcap-out"])
def test_the_target_list_is_not_emptied(lab, folder, option):
    path = os.path.join(folder, "targets")
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"dip":"198.18.0.1"}\n')
    outcome = measure(lab, None, "--input", path, option, path).check(1)
    assert "would empty the target list" in outcome.err
    with open(path, encoding="utf-8") as file:
        assert file.read() == '{"dip":"198.18.0.1"}\n'
