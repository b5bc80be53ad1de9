# SPDX-License-Identifier: GPL-3.0-or-later
"""A capture of a run gives the records of the run again, byte for byte (law 2): every box, with loss
and without, however the run was made or ended. A capture that something else made gives what its
packets say, and no more."""

import json
import os
import shutil
import subprocess

import pytest

import lab_plan
import measure as m
from measure import INCOMPLETE, LOST, base, details, measure, start
from pcapfile import packets

BOXES = [box.name for box in lab_plan.BOXES]


def classify(*words, code=0):
    """The outcome of `rawspider classify`, which needs no lab and no privilege."""
    argv = [m.PROGRAM, "classify", *map(str, words)]
    done = subprocess.run(argv, capture_output=True, timeout=m.PATIENCE, check=False)
    return m.Outcome(done.returncode, done.stdout, done.stderr).check(code)


def same(outcome, file, *options):
    again = classify("ecn", file, *options)
    assert again.err == ""
    assert again.out == outcome.out
    return again


@pytest.fixture(scope="session", params=["table_run", "path_run", "loss_run"])
def replayed(request):
    run = request.getfixturevalue(request.param)
    run.outcome.check()
    return run, classify("ecn", run.pcap_out)


def test_all_records_are_the_same(replayed):
    run, again = replayed
    assert again.lines == run.outcome.check().lines and len(again.lines) == len(run.jobs)
    assert again.out == run.outcome.out and again.err == ""


@pytest.mark.parametrize("name", ["table_run", "loss_run"])
@pytest.mark.parametrize("box", BOXES)
def test_box(request, name, box):
    run = request.getfixturevalue(name)
    mine = [f'"box": "{box}"'.encode(), f'"box":"{box}"'.encode()]
    live = [line for line in run.outcome.lines if any(word in line for word in mine)]
    again = classify("ecn", run.pcap_out)
    assert len(live) >= 6
    assert [line for line in again.lines if any(word in line for word in mine)] == live


def test_the_loss_did_hurt(loss_run):
    """Otherwise the comparison above would show little."""
    hurt = sum(
        flow["tcp_rtx_fwd"] + flow["tcp_rtx_rev"] + flow["tcp_old_rev"] > 0
        for record in loss_run.outcome.check().records
        for flow in record["flow_results"]
    )
    assert hurt > 30


def test_without_a_log_the_conditions_are_the_same(table_run):
    """Outcomes are read from the packets alone: on a path without loss they tell all."""
    live = {(r["dip"], r["dp"]): r for r in table_run.outcome.check().records}
    again = classify("--log", "none", "ecn", table_run.pcap_out).records
    assert len(again) == len(live)
    for record in again:
        was = live[record["dip"], record["dp"]]
        assert set(record["conditions"]) == set(was["conditions"]), (was["box"], record)
        assert "line" not in record and record["sip"] == was["sip"]


OPTIONS = {
    "visible": ["--visible"],
    "ip_layer": ["-X"],
    "same_flow": ["--same-flow", "--gap", "0.1"],
    "handshake_only": ["--connect", "tcp"],
    "no_confirmation": ["--confirm", "0"],
    "without_flows": [],
}


@pytest.mark.parametrize("name", OPTIONS)
def test_however_the_run_was_made(lab, folder, name):
    file = os.path.join(folder, "run.pcap")
    jobs = [job for box in ("none", "reflected", "syn_rst") for job in lab.targets(box, 2)]
    lines = [json.dumps(job) for job in jobs]
    lines += ["no JSON \xff", '{"dip":"192.0.2.300"}', '  {"dip": "::1" , "a": 0.10,"a":1}  ']
    data = b"".join(line.encode("latin-1") + b"\n" for line in lines)
    flows = [] if name == "without_flows" else ["--output-flows"]
    outcome = measure(lab, data, "--pcap-out", file, *flows, *OPTIONS[name]).check()
    assert len(outcome.lines) == len(lines)
    same(outcome, file)
    if not flows:
        more = classify("ecn", "--output-flows", file).records
        assert all("flow_results" in r for r in more if "sip" in r)


@pytest.mark.parametrize("kind", ["rst", "icmp"])
def test_what_the_host_itself_sent_is_no_answer(lab, folder, kind):
    file = os.path.join(folder, "run.pcap")
    lab.vantage_firewall(kind)
    try:
        outcome = measure(lab, lab.targets("none", 3), "--output-flows", "--pcap-out", file).check()
    finally:
        lab.vantage_firewall(None)
    assert all(details(r) == INCOMPLETE for r in outcome.records)
    same(outcome, file)


def test_a_run_that_a_signal_ended(lab, folder):
    file = os.path.join(folder, "run.pcap")
    jobs = lab.targets("none", 400, 4) + lab.targets("silent", 20)
    run = start(lab, jobs, "-r", "1500", "--timeout", "4", "--pcap-out", file, "--output-flows")
    while not os.path.exists(file) or os.path.getsize(file) < 200_000:
        assert run.process.poll() is None
    run.signal()
    same(run.finish().check(130), file)


def test_a_compressed_capture(lab, folder):
    file = os.path.join(folder, "run.pcap")
    outcome = measure(lab, lab.targets("none", 2), "--pcap-out", file).check()
    subprocess.run(["gzip", file], check=True)
    same(outcome, file + ".gz")
    with open(file + ".gz", "rb") as stream:
        plain = subprocess.run(["gunzip"], stdin=stream, capture_output=True, check=True).stdout
    argv = [m.PROGRAM, "classify", "--log", file + ".arms.ndjson", "ecn", "-"]
    piped = subprocess.run(argv, input=plain, capture_output=True, check=True)
    assert piped.stdout == outcome.out


def recorded(lab, folder, n=8):
    file = os.path.join(folder, "run.pcap")
    options = ["--pcap-out", file, "-w", "1", "--connect", "http"]
    return file, measure(lab, lab.targets("none", n, 4), *options).check()


def test_a_capture_that_was_cut(lab, folder):
    """Every target has its record; those whose packets are missing are incomplete."""
    file, outcome = recorded(lab, folder)
    os.truncate(file, os.path.getsize(file) * 2 // 3)
    again = classify("ecn", file, code=LOST)
    assert "frames before it were read" in again.err
    assert [r["line"] for r in again.records] == [r["line"] for r in outcome.records]
    cut = [r for r in again.records if details(r) & INCOMPLETE]
    assert 1 <= len(cut) < len(again.records)
    assert all("the capture ends before" in r["problem"] and not base(r) for r in cut)
    whole = [line for line in again.lines if b"measure.incomplete" not in line]
    assert whole == outcome.lines[: len(whole)]


def test_a_log_with_a_bad_line(lab, folder):
    file, outcome = recorded(lab, folder)
    log = file + ".arms.ndjson"
    with open(log, encoding="utf-8") as stream:
        lines = stream.read().splitlines(keepends=True)
    attempts = [i for i, line in enumerate(lines) if '"arm":' in line]
    targets = [i for i, line in enumerate(lines) if '"target":' in line]
    lines[attempts[0]] = lines[attempts[0]].replace('"outcome":"exchanged"', '"outcome":"fine"')
    lines[targets[2]] = lines[targets[2]][:40] + "\n"
    with open(log, "w", encoding="utf-8") as stream:
        stream.writelines(lines)
    again = classify("ecn", file, code=LOST)
    told = again.err.splitlines()
    assert f'{log}:{attempts[0] + 1}: wrong "outcome": expected an outcome' in told[0]
    assert f"{log}:{targets[2] + 1}: no JSON" in told[1]
    assert len(again.lines) == len(outcome.lines) - 1
    assert len([r for r in again.records if details(r) & INCOMPLETE]) == 1


def test_the_log_of_another_run(lab, folder):
    file, _ = recorded(lab, folder, 3)
    other = os.path.join(folder, "other.pcap")
    measure(lab, lab.targets("none", 3, 6), "--pcap-out", other).check()
    shutil.copy(other + ".arms.ndjson", file + ".arms.ndjson")
    again = classify("ecn", file, code=LOST)
    assert "is it the log of another run?" in again.err
    assert len(again.records) == 3
    assert all(not base(r) and details(r) == INCOMPLETE for r in again.records)


def test_a_capture_of_tcpdump(lab, folder):
    """Taken at the router, Ethernet frames: nothing in it but packets."""
    file = os.path.join(folder, "rt.pcap")
    boxes = ("none", "reflected", "ecn_off", "syn_drop", "syn_rst")
    jobs = [job for box in boxes for job in lab.targets(box, 2)]
    with lab.capture("rt", "rt0", file, "tcp or icmp or icmp6"):
        live = measure(lab, jobs, "--confirm", "0").check().by_dip
    again = classify("ecn", file)
    assert len(again.records) == len(jobs)
    for record in again.records:
        assert set(record["conditions"]) == set(live[record["dip"]]["conditions"])
    shown = classify("ecn", "--output-flows", file).records[0]["flow_results"]
    assert [flow["arm"] for flow in shown] == ["plain", "ecn"] and shown[0]["tcp_connected"]


def rewrite(source, target, keep):
    """A capture of the same kind with only those packets (number, bytes) that `keep` wants."""
    with open(source, "rb") as stream:
        data = stream.read()
    with open(target, "wb") as stream:
        stream.write(data[:24])
        at = 24
        for number, (_, _, packet) in enumerate(packets(source)):
            size = 16 + len(packet)
            if keep(number, packet):
                stream.write(data[at : at + size])
            at += size


def test_a_capture_that_lost_a_packet(lab, folder):
    """Filtered, say, with the log copied: packet numbers do not fit any more from there on."""
    file, outcome = recorded(lab, folder)
    less = os.path.join(folder, "less.pcap")
    shutil.copy(file + ".arms.ndjson", less + ".arms.ndjson")
    at = len(list(packets(file))) // 2
    rewrite(file, less, lambda number, _: number != at)
    again = classify("ecn", less, code=LOST)
    assert "do not fit the capture" in again.err and len(again.lines) == len(outcome.lines)
    for mine, live in zip(again.records, outcome.records):
        assert mine == live or (not base(mine) and details(mine) & INCOMPLETE)
    assert any(details(r) & INCOMPLETE for r in again.records)


def test_one_arm_alone_is_incomplete(lab, folder):
    file, part = os.path.join(folder, "run.pcap"), os.path.join(folder, "part.pcap")
    outcome = measure(lab, lab.targets("none", 1, 4), "--output-flows", "--pcap-out", file).check()
    ports = {flow["arm"]: flow["sp"] for flow in outcome.records[0]["flow_results"]}
    port = ports["plain"].to_bytes(2, "big")
    rewrite(file, part, lambda _, packet: port in (packet[36:38], packet[38:40]))
    record = classify("ecn", part).records[0]
    assert record["conditions"] == ["measure.incomplete:ecn"]
    assert record["problem"] == "no connection of arm ecn in the capture"


def test_a_lost_syn_ack_is_no_timeout(lab, folder):
    """The client goes on, so somebody answered: the capture has a hole."""
    file, part = os.path.join(folder, "run.pcap"), os.path.join(folder, "part.pcap")
    measure(lab, lab.targets("none", 1, 4), "--pcap-out", file).check()
    rewrite(file, part, lambda _, packet: packet[16 + 33] & 0x12 != 0x12)
    record = classify("ecn", part).records[0]
    assert set(record["conditions"]) == INCOMPLETE
    assert "not in the capture" in record["problem"]


BAD = {
    "no plugin": (["nonesuch", "x.pcap"], 2, "no plugin 'nonesuch'"),
    "no file": (["ecn"], 2, "takes a plugin and a capture"),
    "missing": (["ecn", "/nonexistent/x.pcap"], 1, "/nonexistent/x.pcap"),
    "folder": (["ecn", "/"], 1, "directory"),
    "no capture": (["ecn", __file__], 1, "capture"),
    "option": (["--frobnicate", "ecn", "x"], 2, "--frobnicate"),
    "missing log": (["--log", "/nonexistent/log", "ecn", "{good}"], 1, "/nonexistent/log"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(folder, case):
    words, code, text = BAD[case]
    good = os.path.join(folder, "empty.pcap")
    with open(good, "wb") as stream:
        stream.write(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000065000000"))
    outcome = classify(*(word.replace("{good}", good) for word in words), code=code)
    assert text in outcome.err and outcome.out == b""


def test_a_log_that_is_lost_is_told(lab, folder):
    """The records are others then: no domain, no line, no confirmation."""
    file, _ = recorded(lab, folder, 2)
    os.remove(file + ".arms.ndjson")
    assert "its arm log is not beside it" in classify("ecn", file).err
    assert classify("--log", "none", "ecn", file).err == ""
    assert classify("-q", "ecn", file).err == ""


def test_the_log_of_another_plugin(lab, folder):
    file, _ = recorded(lab, folder, 2)
    subprocess.run(["sed", "-i", "s/\"plugin\":\"ecn\"/\"plugin\":\"dscp\"/", file + ".arms.ndjson"], check=True)
    err = classify("ecn", file, code=1).err
    assert "is the log of plugin 'dscp', not of 'ecn'" in err and len(err.splitlines()) == 1


def test_what_is_no_log(lab, folder):
    file, _ = recorded(lab, folder, 2)
    err = classify("--log", file, "ecn", file, code=1).err
    assert "this is no arm log" in err and len(err.splitlines()) <= 11


@pytest.mark.parametrize("what", ["capture", "log"])
def test_what_is_read_is_not_emptied(lab, folder, what):
    file, outcome = recorded(lab, folder, 2)
    link = os.path.join(folder, "link")
    os.symlink(file if what == "capture" else file + ".arms.ndjson", link)
    assert "would empty" in classify("--output", link, "ecn", file, code=2).err
    same(outcome, file)


def test_records_of_before_are_kept_when_nothing_can_be_read(folder):
    records = os.path.join(folder, "records")
    with open(records, "w", encoding="utf-8") as stream:
        stream.write("precious\n")
    classify("--output", records, "ecn", "/nonexistent/x.pcap", code=1)
    classify("--output", records, "ecn", __file__, code=1)
    with open(records, encoding="utf-8") as stream:
        assert stream.read() == "precious\n"


def test_an_empty_capture_gives_no_records(folder):
    good = os.path.join(folder, "empty.pcap")
    with open(good, "wb") as stream:
        stream.write(bytes.fromhex("d4c3b2a1020004000000000000000000ffff000065000000"))
    outcome = classify("ecn", good)
    assert outcome.out == b"" and "no TCP connection" in outcome.err


def test_help():
    assert b"usage: rawspider classify" in subprocess.run(
        [m.PROGRAM, "classify", "--help"], capture_output=True, check=True).stdout  # fmt: skip
