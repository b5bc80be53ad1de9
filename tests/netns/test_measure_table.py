# SPDX-License-Identifier: GPL-3.0-or-later
"""Every box of the lab, both families: the conditions are those of the plan, all of them, always.
The expectations stand in lab_plan.py, beside the rule that makes each box."""

import collections

import pytest

import lab_plan
from conftest import TABLE_TARGETS
from lab import VP4, VP6
from measure import base, details
from pcapfile import RST, tcp_segments

BOXES = [box.name for box in lab_plan.BOXES]


def test_one_record_for_each_line(table_run):
    records = table_run.outcome.check().records
    assert collections.Counter(r["dip"] for r in records) == collections.Counter(
        job["dip"] for job in table_run.jobs
    )
    assert sorted(r["line"] for r in records) == list(range(1, len(table_run.jobs) + 1))


@pytest.mark.parametrize("box", BOXES)
def test_box(table_run, box):
    expected = table_run.lab.expected(box)
    records = [r for r in table_run.outcome.check().records if r["box"] == box]
    assert len(records) == 2 * TABLE_TARGETS
    wrong = [
        (r["dip"], r["conditions"])
        for r in records
        if base(r) != expected.base or not expected.details <= details(r)
    ]
    assert not wrong, f"{len(wrong)} of {len(records)}, for example {wrong[0]}"


@pytest.mark.parametrize("box", ["none", "ecn_off", "bleach_rev", "flags_cleared"])
def test_quiet_boxes_draw_no_details(table_run, box):
    """Nothing that a retry, a lost packet or an odd mark would explain: there were none."""
    for record in table_run.outcome.check().records:
        if record["box"] == box:
            assert not details(record), record


def test_rst_from_the_router_is_told_from_one_of_the_host(table_run):
    for record in table_run.outcome.check().records:
        if record["box"] == "syn_rst":
            assert "ecn.connectivity.broken.rst_from:on_path" in record["conditions"]


def test_no_rst_leaves(table_run):
    """Our TCP has no reason to send one here, so any would be the kernel's. (The packets that we
    write ourselves show that RSTs are recognised: those of two boxes.)"""
    table_run.outcome.check()
    assert table_run.captured["dropped"] == 0
    assert not [s for s in tcp_segments(table_run.capture_file) if s.flags & RST]
    came = [s for s in tcp_segments(table_run.pcap_out) if s.flags & RST]
    assert len(came) > 4 * TABLE_TARGETS and not [s for s in came if s.src in (VP4, VP6)]


def test_the_router_saw_every_connection_begin(table_run):
    """The counterpart of the test above: its capture did see our packets."""
    table_run.outcome.check()
    ours = {s.tuple for s in tcp_segments(table_run.pcap_out) if s.src in (VP4, VP6)}
    seen = {s.tuple for s in tcp_segments(table_run.capture_file)}
    assert seen == ours and len(ours) >= 2 * len(table_run.jobs)
