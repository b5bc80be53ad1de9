# SPDX-License-Identifier: GPL-3.0-or-later
"""What the options do, seen from outside: in records, in captures and on standard error."""

import csv
import json
import os
import re
import socket

import pytest

from lab import VP4, VP6
from measure import NONE, base, command, details, measure
from pcapfile import ACK, ECE, RST, SYN, first_syns, tcp_segments


def ours(path):
    return [s for s in tcp_segments(path) if s.src in (VP4, VP6, "192.0.2.9")]


def test_tcp_mode_says_nothing(lab, folder):
    file = os.path.join(folder, "out.pcap")
    options = ["--output-flows", "--pcap-out", file]
    outcome = measure(lab, lab.targets("none", 5), *options, plugin=("ecn", "--connect", "tcp"))
    for record in outcome.check().records:
        assert base(record) == {"ecn.connectivity.works", "ecn.negotiation.succeeded"}
        assert details(record) == {"ecn.data.none"}
        for flow in record["flow_results"]:
            assert (flow["exchange_status"], flow["body_bytes"], flow["spdr_state"]) == (0, 0, 0)
            assert flow["tcp_fin_fwd"] and flow["tcp_connected"] and not flow["tcp_rst_fwd"]
    assert len(outcome.records) == 10 and not [s for s in ours(file) if s.payload]


def test_options_before_and_after_the_plugin(lab):
    jobs = lab.targets("none", 1, 4)
    words = ["-i", "vp0", "-b", "none", "--connect", "tcp", "--vantage", "v"]
    for at in (0, 8):
        outcome = command(lab, "measure", *words[:at], "ecn", *words[at:],
                          jobs=(json.dumps(jobs[0]) + "\n").encode())  # fmt: skip
        record = outcome.check().records[0]
        assert record["vantage"] == "v" and "ecn.data.none" in record["conditions"]


def test_request_names_domain_and_contact(lab, folder):
    file = os.path.join(folder, "out.pcap")
    options = ["--pcap-out", file, "--contact", "https://example.org/why"]
    jobs = [*lab.targets("none", 1), {"dip": "198.18.0.9"}, {"dip": "2001:2::9", "dp": 80}]
    measure(lab, jobs, *options).check()
    asked = {s.dst: s.payload.decode() for s in ours(file) if s.payload}
    assert asked["198.18.0.1"].startswith("GET / HTTP/1.1\r\n")
    assert "\r\nHost: n0.none.ipv4.test\r\n" in asked["198.18.0.1"]
    assert "\r\nHost: 198.18.0.9\r\n" in asked["198.18.0.9"]
    assert "\r\nHost: [2001:2::9]\r\n" in asked["2001:2::9"]
    agent = re.compile(r"\r\nUser-Agent: rawspider/[\d.]+ \(\+https://example.org/why\)\r\n")
    for text in asked.values():
        assert agent.search(text)
        assert "\r\nConnection: close\r\n" in text and text.endswith("\r\n\r\n")


def test_same_flow(lab, folder):
    """One source port for both arms, one after the other; the server may be in TIME-WAIT."""
    file = os.path.join(folder, "out.pcap")
    options = ["--same-flow", "--gap", "0.3", "--output-flows", "--pcap-out", file, "-r", "0"]
    outcome = measure(lab, lab.targets("none", 20), *options).check()
    assert len(outcome.records) == 40
    for record in outcome.records:
        assert base(record) == NONE, record
        plain, ecn = record["flow_results"]
        assert plain["sp"] == ecn["sp"]
        assert plain["attempts"][0]["syns"] == ecn["attempts"][0]["syns"] == 1
    syns = {}
    for s in ours(file):
        if s.flags & SYN:
            syns.setdefault(s.tuple, []).append(s)
    for first, second in syns.values():
        assert bool(first.flags & ECE) != bool(second.flags & ECE)
        assert second.time - first.time >= 0.3 and first.seq != second.seq
    assert len(syns) == 40


@pytest.mark.parametrize("order", ["ab", "ba"])
def test_order(lab, folder, order):
    file = os.path.join(folder, "out.pcap")
    options = ["--order", order, "--output-flows", "--pcap-out", file]
    outcome = measure(lab, lab.targets("none", 20), *options).check()
    sent = {}
    for s in first_syns(ours(file)).values():
        sent.setdefault(s.dst, []).append("b" if s.flags & ECE else "a")
    assert len(sent) == 40 and all("".join(arms) == order for arms in sent.values())
    for record in outcome.records:
        numbers = [flow["attempts"][0]["order"] for flow in record["flow_results"]]
        assert numbers == ([0, 1] if order == "ab" else [1, 0])


def test_one_target_at_a_time(lab, folder):
    file = os.path.join(folder, "out.pcap")
    measure(lab, lab.targets("none", 8), "-w", "1", "-r", "0", "--pcap-out", file).check()
    dips = [s.dst for s in ours(file)]
    changes = sum(a != b for a, b in zip(dips, dips[1:]))
    assert len(set(dips)) == 16 and changes == 15


def test_confirm_none(lab):
    outcome = measure(lab, lab.targets("syn_rst", 3), "--confirm", "0", "--output-flows").check()
    for record in outcome.records:
        assert "ecn.connectivity.broken" in record["conditions"]
        assert all(len(flow["attempts"]) == 1 for flow in record["flow_results"])


def test_confirmation_swaps_ports(lab):
    options = ["--confirm", "2", "--confirm-delay", "0.1", "--output-flows"]
    for record in measure(lab, lab.targets("syn_rst", 3), *options).check().records:
        plain, ecn = (flow["attempts"] for flow in record["flow_results"])
        assert [a["round"] for a in plain] == [0, 1, 1, 2, 2]
        assert [a["round"] for a in ecn] == [0, 1, 2]
        port_a, port_b = plain[0]["sp"], ecn[0]["sp"]
        assert [a["sp"] for a in plain] == [port_a, port_b, port_b, port_a, port_a]
        assert [a["sp"] for a in ecn] == [port_b, port_a, port_b]


def test_timeout_of_a_server_that_never_answers(lab, folder):
    """The handshake is done, the request acknowledged, and that is all: closed by RST."""
    file = os.path.join(folder, "out.pcap")
    mute = lab.within("srv", socket.create_server, ("0.0.0.0", 81))
    try:
        jobs = [{"dip": "198.18.0.5", "dp": 81}]
        options = ["--timeout", "0.7", "--output-flows", "--pcap-out", file]
        record = measure(lab, jobs, *options).check().records[0]
    finally:
        mute.close()
    for flow in record["flow_results"]:
        assert flow["spdr_state"] == 2 and flow["tcp_connected"] and flow["tcp_rst_fwd"]
        assert flow["attempts"][0]["outcome"] == "hs_then_stall"
    # Handshakes alike, so the path is fine; nothing is known of marks.
    assert base(record) == {"ecn.connectivity.works", "ecn.negotiation.succeeded"}
    assert details(record) == {"ecn.data.none"}


def test_dryrun_prints_and_sends_nothing(lab, folder):
    file = os.path.join(folder, "rt.pcap")
    jobs = lab.targets("none", 2) + ['{"dip":"x"}']
    with lab.capture("rt", "rt0", file, "tcp"):
        outcome = measure(lab, jobs, "--dryrun").check()
    assert not list(tcp_segments(file))
    assert len(outcome.lines) == 8
    assert sum(b"[EW]" in line for line in outcome.lines) == 4
    assert all(b" S " in line and b"mss 14" in line for line in outcome.lines)
    assert "line 5: " in outcome.err


def test_seed_repeats_order_and_ports(lab):
    def ports(*options):
        out = measure(lab, lab.targets("none", 30, 4), "--dryrun", *options).check().out.decode()
        return re.findall(r"^192\.0\.2\.2:(\d+)", out, re.MULTILINE)

    assert len(ports("--seed", "7")) == 60
    assert ports("--seed", "7") == ports("--seed", "7") != ports("--seed", "8")


def test_source_port_range(lab, folder):
    file = os.path.join(folder, "out.pcap")
    options = ["--source-port", "40000-40005", "--pcap-out", file]
    assert all(base(r) == NONE for r in measure(lab, lab.targets("none", 20), *options).records)
    assert {s.sport for s in ours(file)} == set(range(40000, 40006))


def test_trace(lab):
    jobs = lab.targets("none", 3, 4)
    err = measure(lab, jobs, "--trace", jobs[1]["dip"], "-w", "1").check().err
    lines = err.splitlines()
    assert len(lines) > 30 and all(" line 2 " in line for line in lines)
    for words in ("out  S 0:0(0)", "in   S. ", "state SYN-SENT -> ESTABLISHED", "event established",
                  "condition ecn.negotiation.succeeded  (RFC 3168 6.1.1", "[E]", "ended: exchanged",
                  " plain/0:", " ecn/0:", "condition ecn.connectivity.works"):  # fmt: skip
        assert words in err, words
    silent = lab.targets("silent", 1, 4)
    err = measure(lab, silent, "--trace", silent[0]["dip"], "--timeout", "1.5").check().err
    assert "timer: tcp" in err and "timer: deadline" in err
    assert "condition ecn.connectivity.offline:timeout" in err


def test_quiet_and_verbose(lab):
    jobs = lab.targets("none", 2)
    assert measure(lab, jobs, "-q").check().err == ""
    assert measure(lab, jobs).check().err == ""  # no terminal: no progress line
    err = measure(lab, jobs, "-v").check().err
    assert re.search(r"^\d+:\d\d done 4 .*in flight 0.*drops 0", err, re.MULTILINE)


METADATA = {
    "tool": str, "version": str, "plugin": str, "mode": str, "local_hostname": str, "vantage": str,
    "contact": str, "iface": str, "source_ips": list, "injector": str, "rate": int,
    "targets_in_flight_most": int, "timeout": float, "confirm": int, "seed": int, "gro": bool,
    "blocklist_entries": int, "start_time": str, "end_time": str, "elapsed": float,
}  # fmt: skip


def test_metadata(lab, folder):
    path = os.path.join(folder, "meta.json")
    options = ["-m", path, "--seed", "3", "--vantage", "v", "--contact", "a@b.test"]
    measure(lab, [*lab.targets("none", 4), "bad"], *options).check()
    with open(path, encoding="utf-8") as file:
        meta = json.load(file)
    for key, kind in METADATA.items():
        assert isinstance(meta[key], kind) or kind is float and isinstance(meta[key], int), key
    assert meta["source_ips"] == [VP4, VP6] and meta["iface"] == "vp0" and meta["mode"] == "http"
    assert (meta["lines"], meta["records"], meta["invalid"], meta["blocked"]) == (9, 9, 1, 0)
    assert (meta["targets_scanned"], meta["connections"], meta["exchanges"]) == (8, 16, 16)
    for key in ("incomplete", "pcap_drop", "pcap_ifdrop", "sendto_failures", "unbelievable",
                "malformed", "bad_checksum", "host_rejects", "not_captured"):  # fmt: skip
        assert meta[key] == 0, key
    assert meta["packets_sent"] >= 3 * 16 and meta["pcap_recv"] >= 3 * 16
    assert meta["source_ports"] == 65535 - 61000 + 1 and os.listdir(folder) == ["meta.json"]


def test_status_updates(lab, folder):
    """A header, a line a second, one at the end; the sums are those of the metadata."""
    meta_file, path = (os.path.join(folder, name) for name in ("meta", "status.csv"))
    jobs = lab.targets("none", 250, 4) + lab.targets("ect_data_drop", 3, 4)
    jobs += lab.targets("syn_drop", 2, 4)
    measure(lab, jobs, "-r", "500", "--confirm", "0", "-m", meta_file, "-u", path).check()
    with open(path, encoding="ascii", newline="") as file:
        header, *rows = list(csv.reader(file))
    with open(meta_file, encoding="utf-8") as file:
        meta = json.load(file)
    assert all(len(row) == len(header) == len(set(header)) for row in rows)
    rows = [dict(zip(header, row)) for row in rows]
    last = rows[-1]
    times = [float(row["time-elapsed"]) for row in rows]
    assert len(rows) >= 4 and meta["elapsed"] == pytest.approx(times[-1], abs=0.1)
    for before, after in zip(times[:-1], times[1:-1]):
        assert after - before == pytest.approx(1, abs=0.3)
    names = {
        "sent-total": "packets_sent", "sent-bytes-total": "bytes_sent", "recv-total": "pcap_recv",
        "recv-bytes-total": "bytes_received", "pcap-drop-total": "pcap_drop",
        "iface-drop-total": "pcap_ifdrop", "sendto-fail-total": "sendto_failures",
        "retransmitted-total": "retransmissions", "unmatched-total": "unmatched",
        "records-total": "records", "lines-read": "lines",
    }  # fmt: skip
    for column, key in names.items():
        assert int(last[column]) == meta[key], column
        assert all(int(a[column]) <= int(b[column]) for a, b in zip(rows, rows[1:])), column
    sent = sum(int(row["sent-last-one-sec"]) for row in rows)
    assert sent == pytest.approx(meta["packets_sent"], rel=0.2)
    assert meta["packets_sent_per_sec"] == pytest.approx(meta["packets_sent"] / meta["elapsed"], rel=0.01)
    kinds = [meta[f"{kind}_retransmissions"] for kind in ("syn", "data", "fin")]
    assert sum(kinds) == meta["retransmissions"] and kinds[0] >= 4 and kinds[1] >= 3


def test_outputs_spare_one_another(lab, folder):
    path = os.path.join(folder, "one")
    with open(path, "w", encoding="ascii") as file:
        file.write("records of an earlier run\n")
    pairs = [("--output", "-u"), ("--output", "-m"), ("-m", "-u"), ("--output", "--pcap-out")]
    for first, second in pairs:
        outcome = measure(lab, lab.targets("none", 1), first, path, second, path).check(1)
        assert "is named for two outputs" in outcome.err
    # A wrong name for the status file costs nothing, either.
    bad = os.path.join(folder, "missing", "status")
    outcome = measure(lab, lab.targets("none", 1), "--output", path, "-u", bad).check(1)
    assert bad in outcome.err
    with open(path, encoding="ascii") as file:
        assert file.read() == "records of an earlier run\n"


def test_pcap_out_and_arm_log(lab, folder):
    """All packets in and out, readable by others, and one line for each attempt."""
    file, meta = os.path.join(folder, "out.pcap"), os.path.join(folder, "meta")
    seen = os.path.join(folder, "rt.pcap")
    jobs = lab.targets("none", 5) + lab.targets("rst_all", 2)
    with lab.capture("rt", "rt0", seen, "tcp"):
        measure(lab, jobs, "--pcap-out", file, "-m", meta, "--confirm", "0").check()
    shown = lab.exec("vp", ["tcpdump", "-nr", file], capture_output=True, text=True)
    assert shown.returncode == 0
    with open(meta, encoding="utf-8") as stream:
        counts = json.load(stream)
    assert len(shown.stdout.splitlines()) == counts["packets_sent"] + counts["pcap_recv"]

    def essence(path):  # ours are in both; checksums of the kernel's are done only on the wire
        return sorted((s.tuple, s.seq, s.ack, s.flags, s.ecn, s.payload) for s in ours(path))

    assert essence(file) == essence(seen) and len(essence(file)) > 40
    with open(file + ".arms.ndjson", encoding="utf-8") as stream:
        log = [json.loads(line) for line in stream]
    arms = [line for line in log if "arm" in line]
    assert [line["target"] for line in log if "arm" not in line] == ["measured"] * len(jobs)
    assert len(arms) == 2 * len(jobs)
    for arm in arms:
        job = json.loads(arm["input"])
        assert job == jobs[arm["line"] - 1] and arm["dip"] == job["dip"]
        assert arm["arm"] in ("plain", "ecn") and arm["rerun"] == arm["round"] == 0
        assert arm["outcome"] == {"none": "exchanged", "rst_all": "rst"}[job["box"]]
        assert arm["planned"] <= arm["sent"] <= arm["ended"] <= arm["deadline"]
        assert arm["drops_from"] == arm["drops_to"] and arm["syns"] == 1
    flows = {(a["sip"], a["sp"], a["dip"], a["dp"]) for a in arms}
    assert flows == {s.tuple for s in ours(file)}


def test_visible_or_not(lab, folder):
    """The fast way out bypasses what tcpdump on this host sees; replies are seen either way."""
    for options, see in (([], False), (["--visible"], True)):
        file = os.path.join(folder, "vp.pcap")
        with lab.capture("vp", "vp0", file, "tcp"):
            measure(lab, lab.targets("none", 2, 4), *options).check()
        assert bool(ours(file)) == see
        assert [s for s in tcp_segments(file) if s.flags & (SYN | ACK) == SYN | ACK]


def test_ip_layer_fetches_like_the_other(lab, folder):
    file = os.path.join(folder, "rt.pcap")
    with lab.capture("rt", "rt0", file, "tcp"):
        outcome = measure(lab, lab.targets("none", 10), "-X").check()
    assert all(base(r) == NONE and not details(r) for r in outcome.records)
    segments = list(tcp_segments(file))
    assert not [s for s in segments if s.flags & RST]
    assert len(first_syns(segments)) == 40


def test_filter(lab, folder):
    path = os.path.join(folder, "list")
    with open(path, "w", encoding="ascii") as file:
        file.write("198.18.0.7\n")
    lines = [b'{"dip":"198.18.0.1", "w":0.10}', b"bad", b'{"dip":"198.18.0.7"}',
             b'{"dip":"2001:2::1","dp":443}']  # fmt: skip
    jobs = b"".join(line + b"\n" for line in lines)
    outcome = command(lab, "filter", "-b", path, "--dp", "8080", jobs=jobs).check()
    assert outcome.lines == [b'{"dip":"198.18.0.1", "w":0.10,"dp":8080}', lines[3]]
    assert "line 2: " in outcome.err and "line 3: " in outcome.err and "2 lines" in outcome.err
    csv = command(lab, "filter", "--csv-input", "-b", "none", jobs=b"198.18.0.1,80,a.test,4\n")
    assert csv.check().records == [
        {"dip": "198.18.0.1", "dp": 80, "domain": "a.test", "rank": "4"}
    ]
    again = command(lab, "measure", "-i", "vp0", "-b", "none", "ecn", jobs=outcome.out).check()
    assert len(again.records) == 2


def test_listings(lab):
    assert re.fullmatch(rb"rawspider \d+\.\d+\.\d+\n", command(lab, "version").check().out)
    assert command(lab, "--version").check().out == command(lab, "version").out
    assert command(lab, "plugins").check().out.startswith(b"ecn ")
    one = command(lab, "plugins", "ecn").check().out.decode()
    for words in ("plain (baseline)", "modes: http tcp", "ecn.negotiation.reflected", "RFC 3168"):
        assert words in one
    help_text = command(lab, "measure", "--help").check().out.decode()
    for option in ("-i,", "-r,", "-w,", "-S,", "-G,", "-X,", "-n,", "-q,", "-v,", "-b,", "-m,",
                   "--input", "--csv-input", "--output", "--output-flows", "--source-port",
                   "--seed", "--dryrun", "--pcap-out", "--confirm", "--confirm-delay", "--order",
                   "--same-flow", "--gap", "--contact", "--vantage", "--visible", "--trace",
                   "--connect", "--timeout"):  # fmt: skip
        assert option in help_text, option
