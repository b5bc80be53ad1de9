# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong while a run lasts: the disk is full, the interface goes down
or loses its address, and comes back. Each is said, and none becomes a verdict about a target. A
reader that goes away and full devices are in test_measure_errors.py."""

import os
import subprocess
import time

import pytest

from lab import VP4, VP6
from measure import INCOMPLETE, NONE, as_input, base, measure, start
from test_measure_resume import Files, lines_of, read, records_of

GATEWAY4, GATEWAY6 = "192.0.2.1", "2001:db8:1::1"
ADDRESSES = {4: (VP4 + "/24", GATEWAY4), 6: (VP6 + "/64", GATEWAY6)}


# -- output ------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(folder):
    """64 KiB."""
    place = os.path.join(folder, "disk")
    os.mkdir(place)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


def test_full_disk_then_resume(lab, folder, small_disk):
    files = Files(lab, folder, lab.targets("none", 400, 4))
    files.output = os.path.join(small_disk, "out")
    outcome = files.run("-r", "0").check(1)
    assert "no space left" in outcome.err and "--resume" in outcome.err
    first = read(files.output)
    assert 65536 - 4096 < len(first) and first.endswith(b"\n")  # whole records, as far as they fit
    assert 0 < len(lines_of(files.output)) < 400
    outcome = files.run("-r", "0", "--resume").check(1)  # still full
    assert "no space left" in outcome.err and read(files.output).startswith(first)
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    outcome = files.run("-r", "0", "--resume").check()
    assert "torn" not in outcome.err
    assert lines_of(files.output) == list(range(1, 401)) and read(files.output).startswith(first)
    assert all(base(record) == NONE for record in records_of(files.output))


def test_full_disk_of_the_status_file(lab, small_disk):
    """Before anything is sent: not even the header could be written."""
    with open(os.path.join(small_disk, "fill"), "wb") as file:
        try:
            file.write(bytes(1 << 20))
        except OSError:
            pass
    status = os.path.join(small_disk, "status")
    outcome = measure(lab, lab.targets("none", 3), "-u", status).check(1)
    assert "status" in outcome.err and "no space left" in outcome.err and outcome.out == b""


def test_status_file_that_fails_later(lab, folder):
    """No reason to lose records: it is said in the end."""
    status = os.path.join(folder, "status")
    os.mkfifo(status)
    run = start(lab, lab.targets("none", 100), "-r", "300", "-u", status)
    with open(status, encoding="ascii") as reader:
        assert reader.readline().startswith("real-time,")
    outcome = run.finish().check(1)
    assert "writing to " + status + " failed" in outcome.err and len(outcome.records) == 200


# -- interface and addresses -------------------------------------------------------------------------


def ip(lab, words):
    lab.exec("vp", ["ip", *words.split()], check=True)


def restore(lab, family):
    """Whoever brings an interface up gives it its addresses, and then its routes."""
    address, gateway = ADDRESSES[family]
    ip(lab, f"-{family} addr replace {address} dev vp0" + (" nodad" if family == 6 else ""))
    time.sleep(0.3)  # with an address and no route yet
    ip(lab, f"-{family} route replace default via {gateway} dev vp0")


@pytest.fixture
def vp(lab):
    """The vantage point's interface may be handled roughly."""
    yield
    ip(lab, "link set vp0 up")
    restore(lab, 4)
    restore(lab, 6)


def running(lab, folder, jobs, *options):
    """A run that has written its first records. Slow, so that it is in its midst."""
    files = Files(lab, folder, jobs)
    run = files.start("-r", "1500", "-m", os.path.join(folder, "meta"), *options)
    until = time.monotonic() + 30
    while not os.path.exists(files.output) or os.path.getsize(files.output) == 0:
        assert time.monotonic() < until and run.process.poll() is None, run.finish().err
        time.sleep(0.01)
    time.sleep(0.3)
    return files, run


def meanwhile(files, run, seconds):
    """Records written meanwhile; first the last of those whose exchange was over already, and which
    wait for two seconds at most for an orderly close."""
    time.sleep(2.5)
    before = len(read(files.output).splitlines())
    time.sleep(seconds)
    assert run.process.poll() is None
    return len(read(files.output).splitlines()) - before


def check_all_right(files):
    """Every target was reached: no offline, no broken, and nothing incomplete."""
    assert lines_of(files.output) == list(range(1, len(files.jobs) + 1))
    wrong = [record for record in records_of(files.output) if base(record) != NONE]
    assert not wrong, (len(wrong), wrong[0])


@pytest.mark.parametrize("how", ["down", "carrier"])
def test_interface_down_and_up_again(lab, folder, vp, how):
    files, run = running(lab, folder, lab.targets("none", 600))
    if how == "down":
        ip(lab, "link set vp0 down")
    else:
        lab.exec("rt", "ip link set rt0 down".split(), check=True)
    waiting = meanwhile(files, run, 4)  # an attempt's silence is judged after 6 s
    if how == "down":
        ip(lab, "link set vp0 up")
    else:
        lab.exec("rt", "ip link set rt0 up".split(), check=True)
        lab.exec("rt", "ip -6 addr replace 2001:db8:1::1/64 dev rt0 nodad".split(), check=True)
    time.sleep(0.3)
    restore(lab, 4)
    restore(lab, 6)
    outcome = run.finish().check()
    assert waiting == 0, "records were written while nothing could be measured"
    assert "interface vp0 is down or has no carrier" in outcome.err and "waiting" in outcome.err
    assert "interface vp0 is up again" in outcome.err
    check_all_right(files)


def test_interface_down_while_servers_speak(lab, folder, vp):
    """Nothing is sent by us meanwhile, so that no error of sending tells."""
    slow = lab.targets("ect_data_drop", 5, 4)  # the ECN connection's data are repeated for long
    files, run = running(lab, folder, lab.targets("none", 20, 4) + slow, "--confirm", "0")
    ip(lab, "link set vp0 down")
    ip(lab, "link set vp0 up")
    restore(lab, 4)
    outcome = run.finish().check()
    for record in records_of(files.output):
        expected, _ = lab.expected(record["box"])
        assert base(record) in (expected, NONE), record
    assert "Sanitizer" not in outcome.err


@pytest.mark.parametrize("family", [4, 6])
def test_address_gone_and_back(lab, folder, vp, family):
    """Targets of the other family go on."""
    jobs = lab.targets("none", 1200, family) + lab.targets("none", 40, 10 - family)
    files, run = running(lab, folder, jobs)
    address, _ = ADDRESSES[family]
    ip(lab, f"addr del {address} dev vp0")
    waiting = meanwhile(files, run, 4)
    restore(lab, family)
    outcome = run.finish().check()
    assert waiting <= 40
    plain = address.split("/", maxsplit=1)[0]
    assert f"address {plain} of interface vp0 is gone" in outcome.err
    assert f"has an IPv{family} address again" in outcome.err
    check_all_right(files)


def test_asked_for_address_gone_and_back(lab, folder, vp):
    """-S, while another address of the family stays, and the routes with it."""
    ip(lab, "addr add 192.0.2.77/24 dev vp0")
    files, run = running(lab, folder, lab.targets("none", 1200, 4), "-S", "192.0.2.77")
    ip(lab, "addr del 192.0.2.77/24 dev vp0")
    waiting = meanwhile(files, run, 4)
    ip(lab, "addr add 192.0.2.77/24 dev vp0")
    outcome = run.finish().check()
    ip(lab, "addr del 192.0.2.77/24 dev vp0")
    assert waiting == 0 and "address 192.0.2.77 of interface vp0 is gone" in outcome.err
    check_all_right(files)
    assert {record["sip"] for record in records_of(files.output)} == {"192.0.2.77"}


def test_address_that_stays_away(lab, folder, vp):
    """The run waits; a signal ends it, and nothing is called offline."""
    files, run = running(lab, folder, lab.targets("none", 1200, 4), "--timeout", "2")
    ip(lab, f"addr del {VP4}/24 dev vp0")
    time.sleep(2)
    run.signal()
    run.finish().check(130)
    lines = lines_of(files.output)
    assert lines == list(range(1, len(lines) + 1))
    for record in records_of(files.output):
        assert base(record) == NONE or set(record["conditions"]) == INCOMPLETE, record
    restore(lab, 4)
    files.run("--resume", "-r", "0").check()
    assert lines_of(files.output) == list(range(1, 1201))


def test_interface_is_taken_away(lab, folder):
    """Gone for good: the run ends, says so, and can be resumed."""
    ip(lab, "link add gone0 type veth peer name gone1")
    for words in ("addr add 10.7.7.1/24 dev gone0", "link set gone0 up", "link set gone1 up",
                  "neigh add 10.7.7.9 lladdr 02:00:00:00:00:09 dev gone0"):  # fmt: skip
        ip(lab, words)
    output = os.path.join(folder, "out")
    jobs = as_input([{"dip": "10.7.7.9"}])
    run = start(lab, jobs, "--output", output, interface="gone0")
    time.sleep(1)
    ip(lab, "link del gone0")
    outcome = run.finish().check(1)
    assert "interface gone0 is gone" in outcome.err and read(output) == b""
