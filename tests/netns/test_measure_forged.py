# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets that somebody forges who is not on the path change nothing: neither conditions nor flow
records (law 5; RFC 5961, RFC 5927). They come all the time while slow targets are measured."""

import json

import pytest

from forger import KINDS, Forger
from lab import VP4, VP6, Lab
from measure import NONE, base, start

PORTS, OTHER_PORTS = range(61000, 61012), range(61100, 61112)
SLOW = "delay=300"  # so that every state of a connection lasts for long
# What a run may differ in by itself: when, from which port, how quickly.
VARIES = {"sp", "pkt_first", "pkt_last", "tcp_rtt_handshake_us", "attempts"}
# What TCP answers such segments with: an RST before the handshake is done (RFC 9293 3.10.7.3), an
# ACK after (3.10.7.4). It tells of us, not of the path.
OURS_TO_GIVE = {"pkt_fwd", "oct_fwd", "tcp_rst_fwd"}


@pytest.fixture(scope="module")
def slow_lab(program):
    with Lab(path=SLOW) as it:
        yield it


def begin(lab, ports, metadata):
    targets = lab.targets("none", 5) + lab.targets("silent", 3)
    options = ["--source-port", f"{ports[0]}-{ports[-1]}", "-m", metadata, "--output-flows"]
    return start(lab, targets, *options, "--order", "ab")


def result(run, metadata):
    outcome = run.finish().check()
    with open(metadata, encoding="utf-8") as file:
        return outcome.by_dip, json.load(file)


@pytest.fixture(scope="module")
def runs(slow_lab, session_folder):
    """The same targets at the same time, one run among forgeries and one without."""
    files = [f"{session_folder}/{name}" for name in ("stormy", "calm")]
    targets = {
        source: [t["dip"] for box in ("none", "silent") for t in slow_lab.targets(box, n, family)]
        for source, family, n in ((VP4, 4, 5), (VP6, 6, 5))
    }
    forgers = [Forger(slow_lab, source, dips, PORTS) for source, dips in targets.items()]
    try:
        stormy, calm = begin(slow_lab, PORTS, files[0]), begin(slow_lab, OTHER_PORTS, files[1])
        results = result(stormy, files[0]), result(calm, files[1])
    finally:
        sent = [forger.stop() for forger in forgers]
    return *results, sent


def essence(flow):
    """A flow record without what varies; of its attempts what was concluded."""
    left = {key: value for key, value in flow.items() if key not in VARIES | OURS_TO_GIVE}
    left["outcomes"] = [
        (a["outcome"], a["syns"], a["answered_try"], a.get("icmp_type")) for a in flow["attempts"]
    ]
    return left


def test_forgeries_came_in_numbers(runs, note):
    """They arrived, met connections of ours, were well-formed, and were not believed."""
    (_, counts), (_, calm_counts), sent = runs
    note(f"forged from off the path: {sum(sum(one.values()) for one in sent)} packets")
    assert all(one[kind] > 1000 for one in sent for kind in [*KINDS, "icmp"])
    assert counts["unbelievable"] > 1000 and calm_counts["unbelievable"] == 0
    assert counts["bad_checksum"] == counts["malformed"] == 0


def test_forgeries_change_no_condition(runs):
    (stormy, _), (calm, _), _ = runs
    assert len(stormy) == len(calm) == 16
    for dip, record in stormy.items():
        assert record["conditions"] == calm[dip]["conditions"], record
    assert sum(base(record) == NONE for record in stormy.values()) == 10


def test_forgeries_change_no_flow_record(runs):
    (stormy, _), (calm, _), _ = runs
    for dip, record in stormy.items():
        for with_lies, without in zip(record["flow_results"], calm[dip]["flow_results"]):
            assert essence(with_lies) == essence(without)


def test_an_insider_is_believed(slow_lab):
    """Control: the same lies by somebody who sees the packets do end connections, so the forger's
    packets are well-formed and only their numbers are wrong."""
    target = slow_lab.targets("rst_all", 1, 4) + slow_lab.targets("icmp_all", 1, 4)
    records = start(slow_lab, target, "--timeout", "3").finish().check().records
    assert {c for r in records for c in r["conditions"] if c.count(":")} == {
        "ecn.connectivity.offline:rst",
        "ecn.connectivity.offline:icmp",
    }
