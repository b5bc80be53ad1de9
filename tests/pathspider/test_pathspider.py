# SPDX-License-Identifier: GPL-3.0-or-later
"""rawspider observe against PATHspider's observer, on PATHspider's own test captures. These are not
part of the project: PATHSPIDER_FIXTURES names their folder, or they lie in a folder beside the
project's, under fixtures/pathspider. What may differ is listed in differences.json, and nothing
else may. The program is the sanitizer build, or what RAWSPIDER names."""

import glob
import json
import os
import re
import struct
import subprocess

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.normpath(os.path.join(HERE, "..", ".."))
PROGRAM = os.environ.get("RAWSPIDER", os.path.join(TOP, "build-san", "rawspider"))
CHAINS = "basic tcp tcpopt ecn dscp evilbit icmp mss tfo dns udp".split()
KEY = ("sip", "dip", "proto", "sp", "dp")


def fixtures():
    """The folder of the captures, or None."""
    named = os.environ.get("PATHSPIDER_FIXTURES")
    if named:
        return named
    beside = os.path.join(os.path.dirname(TOP), "*", "fixtures", "pathspider", "expected.ndjson")
    found = sorted(glob.glob(beside))
    return os.path.dirname(found[0]) if found else None


def read_expected():
    """{capture: flows as PATHspider sees them}; empty where there are none."""
    if fixtures() is None:
        return {}
    with open(os.path.join(fixtures(), "expected.ndjson"), encoding="utf-8") as lines:
        return {record["file"]: record["flows"] for record in map(json.loads, lines)}


def read_differences():
    with open(os.path.join(HERE, "differences.json"), encoding="utf-8") as text:
        return json.load(text)


EXPECTED = read_expected()
DIFFERENCES = read_differences()
MISSING = "PATHspider's captures are not here: name their folder in PATHSPIDER_FIXTURES"
needs_captures = pytest.mark.skipif(not EXPECTED, reason=MISSING)


def run(*words, stdin=None):
    done = subprocess.run([PROGRAM, "observe", *words], input=stdin, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode("utf-8", "replace")
    return done.stdout.decode("utf-8")


def observe(path, chains=None):
    return [json.loads(line) for line in run("-i", path, *(chains or CHAINS)).splitlines()]


@pytest.fixture(scope="session", autouse=True)
def program():
    if not os.access(PROGRAM, os.X_OK):
        pytest.exit(f"{PROGRAM} is missing: make SAN=1, or name one in RAWSPIDER", 1)


def key(flow):
    return tuple(flow[name] for name in KEY)


def is_nothing(value):
    return value is None or value is False or (type(value) is int and value == 0)


def agree(theirs, ours):
    """True is not 1, but null, false and 0 all say that nothing was seen."""
    return (is_nothing(theirs) and is_nothing(ours)) or (type(theirs) is type(ours) and theirs == ours)


def mismatches(capture):
    """(field, theirs, ours, flow) of all flows of a capture, listed or not."""
    theirs = {key(flow): flow for flow in EXPECTED[capture]}
    records = observe(os.path.join(fixtures(), capture))
    ours = {key(flow): flow for flow in records}
    assert len(theirs) == len(EXPECTED[capture]), "a flow twice in expected.ndjson"
    assert sorted(map(str, ours)) == sorted(map(str, theirs)), "other flows"
    assert len(ours) == len(records), "a flow in more than one record"
    for flow, fields in theirs.items():
        missing = set(fields) - set(ours[flow])
        assert not missing, f"fields that we do not have: {sorted(missing)}"
        for name, value in fields.items():
            if not agree(value, ours[flow][name]):
                yield name, value, ours[flow][name], flow


def is_listed(capture, field, theirs, ours):
    return any(
        capture in row["files"]
        and row["field"] == field
        and type(row["pathspider"]) is type(theirs)
        and row["pathspider"] == theirs
        and type(row["rawspider"]) is type(ours)
        and row["rawspider"] == ours
        for row in DIFFERENCES["in_captures"]
    )


@needs_captures
@pytest.mark.parametrize("capture", sorted(EXPECTED) or ["none"])
def test_every_field_of_every_flow(capture):
    found = list(mismatches(capture))
    other = [
        f"{flow}: {field} is {json.dumps(ours)}, PATHspider says {json.dumps(theirs)}"
        for field, theirs, ours, flow in found
        if not is_listed(capture, field, theirs, ours)
    ]
    assert not other, "\n" + "\n".join(other)
    listed = {row["field"] for row in DIFFERENCES["in_captures"] if capture in row["files"]}
    gone = listed - {field for field, *_ in found}
    assert not gone, f"differences.json lists what does not differ any more: {sorted(gone)}"


@needs_captures
def test_all_captures_are_there():
    there = {os.path.basename(path) for path in glob.glob(os.path.join(fixtures(), "*.pcap"))}
    assert there == set(EXPECTED)
    listed = {name for row in DIFFERENCES["in_captures"] for name in row["files"]}
    assert listed <= there, f"differences.json lists captures that are not there: {sorted(listed - there)}"


# --- from here on nothing is needed but the program ---


def test_the_list_is_well_formed():
    assert set(DIFFERENCES) == {"about", "in_captures", "elsewhere"}
    for row in DIFFERENCES["in_captures"]:
        assert set(row) == {"files", "field", "pathspider", "rawspider", "reason"}, row
        assert row["files"] and len(row["reason"]) > 20, row
        assert not agree(row["pathspider"], row["rawspider"]), row
    rows = [(name, row["field"]) for row in DIFFERENCES["in_captures"] for name in row["files"]]
    assert len(rows) == len(set(rows)), "a row twice"
    for row in DIFFERENCES["elsewhere"]:
        assert set(row) == {"fields", "pathspider", "rawspider", "reason", "shown_by"}, row
        assert row["fields"] and row["shown_by"] and len(row["reason"]) > 10, row


def test_the_list_names_fields_that_exist():
    ours = set(re.findall(r"^ +(\S+)", run("--list-chains"), re.M))
    named = {row["field"] for row in DIFFERENCES["in_captures"]}
    named |= {name for row in DIFFERENCES["elsewhere"] for name in row["fields"]}
    assert named <= ours, sorted(named - ours)


@pytest.mark.parametrize("where", sorted({w for row in DIFFERENCES["elsewhere"] for w in row["shown_by"]}))
def test_the_list_names_tests_that_exist(where):
    path, words = where.split(": ", 1)
    with open(os.path.join(TOP, path), encoding="utf-8") as text:
        assert words in " ".join(text.read().split()), f"{words!r} does not stand in {path}"


A, B, ROUTER = bytes([192, 0, 2, 1]), bytes([198, 18, 0, 1]), bytes([203, 0, 113, 9])


def ip(src, dst, proto, payload):
    """Checksums are left 0: the observer does not judge them."""
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 0, 0, 64, proto, 0, src, dst) + payload


def udp(sport, dport, payload=b""):
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def tcp(sport, dport, flags, payload=b""):
    return struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 0x50, flags, 1000, 0, 0) + payload


def unreachable(quoted):
    return struct.pack("!BBHI", 3, 1, 0, 0) + quoted[:28]


def capture_of(tmp_path, *packets):
    """A capture of raw IP; packets are bytes, or (second, bytes)."""
    path = tmp_path / "crafted.pcap"
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        for n, packet in enumerate(packets):
            second, data = packet if isinstance(packet, tuple) else (n, packet)
            out.write(struct.pack("<IIII", 1000000000 + second, 250000, len(data), len(data)) + data)
    return str(path)


RESPONSE = bytes.fromhex("1234818300010000000000000000020001")


def test_no_chain_cuts_a_flow_short(tmp_path):
    """no chain cuts a flow short: answers, marks and errors come, and six seconds later more."""
    question = ip(A, B, 17, udp(1000, 53, b"?"))
    path = capture_of(
        tmp_path,
        (0, question),
        (1, ip(B, A, 17, udp(53, 1000, RESPONSE))),
        (2, ip(ROUTER, A, 1, unreachable(question))),
        (9, question),
        (16, ip(B, A, 17, udp(53, 1000, RESPONSE))),
    )
    (flow,) = observe(path)
    assert (flow["pkt_fwd"], flow["pkt_rev"]) == (2, 3)
    assert flow["dns_response_valid"] is True and flow["icmp_unreachable"] is True


def test_an_icmp_error_does_not_open_a_flow(tmp_path):
    """an ICMP error does not open the flow that it quotes."""
    segment = ip(A, B, 6, tcp(1000, 80, 2))
    path = capture_of(tmp_path, ip(ROUTER, A, 1, unreachable(segment)), segment)
    flows = {flow["proto"]: flow for flow in observe(path)}
    assert key(flows[1]) == ("203.0.113.9", "192.0.2.1", 1, None, None)
    assert key(flows[6]) == ("192.0.2.1", "198.18.0.1", 6, 1000, 80)
    assert flows[1]["icmp_unreachable"] is False and flows[6]["icmp_unreachable"] is False


def test_an_icmp_error_about_the_other_direction(tmp_path):
    """As with PATHspider: it goes forward, and is no unreachable of the flow."""
    answer = ip(B, A, 17, udp(53, 1000, b"!"))
    path = capture_of(tmp_path, ip(A, B, 17, udp(1000, 53, b"?")), answer, ip(A, B, 1, unreachable(answer)))
    (flow,) = observe(path)
    assert (flow["pkt_fwd"], flow["pkt_rev"], flow["icmp_unreachable"]) == (2, 1, False)


def test_a_synack_that_comes_first(tmp_path):
    """a SYN/ACK that comes first goes in reverse; a SYN behind it goes forward."""
    path = capture_of(tmp_path, ip(B, A, 6, tcp(80, 1000, 0x12)), ip(A, B, 6, tcp(1000, 80, 2)))
    (flow,) = observe(path)
    assert key(flow) == ("192.0.2.1", "198.18.0.1", 6, 1000, 80)
    assert (flow["pkt_fwd"], flow["pkt_rev"]) == (1, 1)
    assert (flow["tcp_synflags_fwd"], flow["tcp_synflags_rev"]) == (2, 0x12)


def test_sctp_has_no_ports(tmp_path):
    """SCTP has no ports: two associations of the same hosts are one flow."""
    path = capture_of(tmp_path, ip(A, B, 132, udp(1, 2, b"....")), ip(A, B, 132, udp(3, 4, b"....")))
    (flow,) = observe(path)
    assert (flow["pkt_fwd"], flow["sp"], flow["dp"]) == (2, None, None)


def test_time_stamps(tmp_path):
    """time stamps have one form."""
    path = capture_of(tmp_path, ip(A, B, 17, udp(1, 2)))
    (flow,) = observe(path, ["basic"])
    assert flow["pkt_first"] == "2001-09-09 01:46:40.250000"
    assert flow["pkt_last"] == flow["pkt_first"]


def test_every_chain_of_pathspider_is_there():
    names = run("--list-chains").splitlines()
    assert set(CHAINS) <= {name for name in names if not name.startswith(" ")}
