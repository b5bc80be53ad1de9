# SPDX-License-Identifier: GPL-3.0-or-later
"""Records go where PATHspider's go: the same keys with the same types, and the job's own text
untouched in front of them (law 4)."""

import datetime
import json
import re

import pytest

from measure import BASE, measure

STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}")
OURS = ["sip", "line", "path", "time", "conditions"]
# PATHspider's chains basic, tcp, ecn, icmp, with their documented types; None may stand for int.
FLOW_TYPES = {
    "config": int,
    "spdr_state": int,
    "observed": bool,
    "sip": str,
    "dip": str,
    "sp": int,
    "dp": int,
    "proto": int,
    **{f"{what}_{way}": int for what in ("pkt", "oct") for way in ("fwd", "rev")},
    **{f"tcp_synflags_{way}": int for way in ("fwd", "rev")},
    **{f"tcp_{what}_{way}": bool for what in ("fin", "rst") for way in ("fwd", "rev")},
    "tcp_connected": bool,
    **{
        f"ecn_{cp}_{where}_{way}": bool
        for cp in ("ect0", "ect1", "ce")
        for where in ("syn", "data")
        for way in ("fwd", "rev")
    },
    "icmp_unreachable": bool,
}


@pytest.fixture(scope="module")
def flows(lab):
    jobs = [lab.targets(box, 2) for box in ("none", "silent", "rst_all", "icmp_all", "ecn_off")]
    before = datetime.datetime.utcnow()
    outcome = measure(lab, sum(jobs, []), "--output-flows", "--vantage", "lab").check()
    return outcome.by_dip, before


def test_record(flows):
    records, before = flows
    assert len(records) == 20
    for dip, record in records.items():
        assert list(record)[:4] == ["dip", "dp", "domain", "box"]
        assert isinstance(record["sip"], str) and record["sip"] in ("192.0.2.2", "2001:db8:1::2")
        assert record["path"] == [record["sip"], "*", dip]
        assert list(record["time"]) == ["from", "to"] and record["vantage"] == "lab"
        assert all(STAMP.fullmatch(text) for text in record["time"].values())
        times = [datetime.datetime.fromisoformat(text) for text in record["time"].values()]
        assert before <= times[0] <= times[1] <= datetime.datetime.utcnow()
        assert all(isinstance(text, str) for text in record["conditions"])
        assert len(set(record["conditions"])) == len(record["conditions"])
        assert set(record["conditions"]) & BASE
        assert record["missed_flows"] == 0 and "problem" not in record


def test_flow_results_have_pathspiders_types(flows):
    for record in flows[0].values():
        assert [flow["config"] for flow in record["flow_results"]] == [0, 1]
        for flow in record["flow_results"]:
            for key, kind in FLOW_TYPES.items():
                value = flow[key]
                maybe = key.startswith("tcp_synflags") and value is None
                assert type(value) is kind or maybe, (key, value)
            assert (flow["sip"], flow["dip"]) == (record["sip"], record["dip"])
            assert (flow["dp"], flow["proto"], flow["observed"]) == (80, 6, True)
            assert 61000 <= flow["sp"] <= 65535


def test_flow_results_say_what_happened(flows):
    state = {"none": 0, "ecn_off": 0, "silent": 2, "rst_all": 1, "icmp_all": 1}
    outcome = {"none": "exchanged", "ecn_off": "exchanged", "silent": "timeout", "rst_all": "rst"}
    for record in flows[0].values():
        box = record["box"]
        for flow in record["flow_results"]:
            ecn = flow["config"] == 1
            assert flow["spdr_state"] == state[box]
            assert flow["tcp_synflags_fwd"] == (0xC2 if ecn else 0x02)
            assert flow["tcp_rst_rev"] == (box == "rst_all")
            assert flow["icmp_unreachable"] == (box == "icmp_all")
            answered = box in ("none", "ecn_off")
            assert flow["tcp_connected"] == answered
            assert (flow["pkt_rev"] > 0) == (box != "silent")
            synack = 0x52 if ecn and box == "none" else 0x12
            assert flow["tcp_synflags_rev"] == (synack if answered else None)
            marked = ecn and box == "none"
            assert flow["ecn_ect0_data_fwd"] == flow["ecn_ect0_data_rev"] == marked
            attempts = flow["attempts"]
            assert attempts[0]["outcome"] == outcome.get(box, "icmp")
            assert attempts[0]["syns"] == (1 if box in ("none", "ecn_off", "rst_all") else 3)


def test_rtt_of_the_handshake_is_there(flows):
    for record in flows[0].values():
        for flow in record["flow_results"]:
            if record["box"] in ("none", "ecn_off"):
                assert flow["tcp_rtt_handshake_us"] >= 0
            else:
                assert flow["tcp_rtt_handshake_us"] is None


def test_without_output_flows_there_are_none(lab):
    record = measure(lab, lab.targets("none", 1, 4)).check().records[0]
    assert list(record) == ["dip", "dp", "domain", "box", *OURS]


# What another program wrote, and what must come out as the record's beginning.
TEXTS = [
    '{"dip":"%s"}',
    '{ "dip" :\t"%s" , "dp":80,"rank" : 1 }',
    '{"weight": 0.1, "dip": "%s", "big": 18446744073709551615, "tiny": 1e-400, "n": -0}',
    '{"dip": "%s", "id": 1, "id": 2, "id": 1}',
    r'{"dip": "%s", "name": "caf\u00e9 \ud83d\ude00 \u0000 \/ é"}',
    '{"dip": "%s", "info": {"ASN": 64496, "deep": [[[{"dip": "x"}]]]}, "none": null}',
    '  {"dip": "%s", "blank": "around"}  \r',
    '{"dip": "203.0.113.1", "dip": "%s"}',
    '{"d\\u0069p": "%s"}',
    '{"dip": "%s", "dp": "80", "line ends": "\\r\\n"}',
]


def test_the_jobs_own_text_is_untouched(lab):
    dips = [target["dip"] for target in lab.targets("none", len(TEXTS), 4)]
    lines = [text % dip for text, dip in zip(TEXTS, dips)]
    outcome = measure(lab, lines).check()
    assert len(outcome.lines) == len(lines)
    numbers = [json.loads(line)["line"] for line in outcome.lines]
    for number, line in zip(numbers, outcome.lines):
        prefix = lines[number - 1].strip().encode()[:-1]
        assert line.startswith(prefix.rstrip()), (prefix, line)
        assert line[len(prefix) :].lstrip(b" ").startswith(b',"sip":"192.0.2.2","line":')
        assert json.loads(line)["conditions"][0] == "ecn.connectivity.works"


def test_keys_that_collide_are_renamed(lab):
    dips = [target["dip"] for target in lab.targets("none", 3, 4)]
    lines = [
        '{"sip": "mine", "dip": "%s", "conditions": [1, 2], "in_sip": 7, "time":  5}' % dips[0],
        '{"dip": "%s", "l\\u0069ne": 3, "flow_results": {}, "missed_flows": "x"}' % dips[1],
        '{"path": {"sip": 1}, "dip": "%s", "problem": "none", "vantage": 1}' % dips[2],
    ]
    records = measure(lab, lines).check().by_dip
    first, second, third = (records[dip] for dip in dips)
    assert first["in_sip"] == 7 and first["in_in_sip"] == "mine"
    assert first["in_conditions"] == [1, 2] and first["in_time"] == 5
    assert first["sip"] == "192.0.2.2" and first["conditions"][0] == "ecn.connectivity.works"
    assert second["in_line"] == 3 and second["line"] == 2
    assert second["in_flow_results"] == {} and second["in_missed_flows"] == "x"
    assert third["in_path"] == {"sip": 1} and third["path"][-1] == dips[2]
    assert third["in_problem"] == "none" and third["in_vantage"] == 1


def test_duplicates_are_measured_as_they_come(lab):
    job = lab.targets("none", 1, 6)[0]
    outcome = measure(lab, [job] * 20, "-r", "0").check()
    assert sorted(r["line"] for r in outcome.records) == list(range(1, 21))
    assert all("ecn.connectivity.works" in r["conditions"] for r in outcome.records)


def test_records_of_unmeasured_lines_keep_their_text(lab):
    lines = ['{"dip": "198.18.0.1", "dp": 99999, "x": 0.10}', "nonsense \xff", '{"dip": "::"}']
    data = b"".join(line.encode("latin-1") + b"\n" for line in lines)
    outcome = measure(lab, data).check()
    first, second, third = outcome.lines
    assert first.startswith(b'{"dip": "198.18.0.1", "dp": 99999, "x": 0.10,"line":1,')
    assert json.loads(second)["in_raw"] == "nonsense \xff"
    assert third.startswith(b'{"dip": "::","line":3,')
    for record in outcome.records:
        assert record["conditions"] == ["measure.invalid_input"]
        assert record["problem"].startswith(f"line {record['line']}: ")
        assert all(STAMP.fullmatch(text) for text in record["time"].values())
