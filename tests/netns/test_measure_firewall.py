# SPDX-License-Identifier: GPL-3.0-or-later
"""A stateful firewall on the vantage point itself that rejects what belongs to no connection it
knows. It answers for us, so nothing can be said about the path (law 3), unless packets go through
the host's own IP layer (-X)."""

import os

import pytest

from lab import VP4, VP6
from measure import INCOMPLETE, NONE, base, details, measure
from pcapfile import RST, SYN, tcp_segments

WORDS = {"rst": "sends RSTs", "icmp": "sends ICMP errors"}


@pytest.fixture(params=["rst", "icmp"])
def kind(request, lab):
    lab.vantage_firewall(request.param)
    yield request.param
    lab.vantage_firewall(None)


def test_incomplete_and_told(lab, kind):
    outcome = measure(lab, lab.targets("none", 25), "--output-flows").check()
    assert len(outcome.records) == 50
    for record in outcome.records:
        assert not base(record)
        assert details(record) == INCOMPLETE
        assert "this host sent" in record["problem"]
        assert all(flow["spdr_state"] == 3 for flow in record["flow_results"])
        assert all(not flow["observed"] for flow in record["flow_results"])
        assert record["missed_flows"] == 2
    told = [line for line in outcome.err.splitlines() if WORDS[kind] in line]
    assert len(told) == 1 and "-X" in told[0] and "firewall" in told[0]


def test_ip_layer_is_let_through(lab, kind):
    outcome = measure(lab, lab.targets("none", 25), "-X").check()
    assert len(outcome.records) == 50
    assert all(base(r) == NONE and not details(r) for r in outcome.records)
    assert not any(words in outcome.err for words in WORDS.values())


def test_the_firewall_is_real(lab, folder, kind):
    """Without its rejection there would be nothing to notice: the router sees it leave."""
    file = os.path.join(folder, "rt.pcap")
    mine = f"src host {VP4} or src host {VP6}"
    with lab.capture("rt", "rt0", file, mine):
        measure(lab, lab.targets("none", 4)).check()
    segments = list(tcp_segments(file))
    assert [s for s in segments if s.flags & SYN]
    if kind == "rst":  # of the kernel: it knows no timestamps of ours
        assert [s for s in segments if s.flags & RST]


def test_without_it_nothing_is_said(lab):
    outcome = measure(lab, lab.targets("none", 4)).check()
    assert all(base(r) == NONE for r in outcome.records)
    assert not any(words in outcome.err for words in WORDS.values())
