# SPDX-License-Identifier: GPL-3.0-or-later
"""Through the impairing forwarder: loss, reordering, duplicates and delay cost time, and at most a
few statements, never a wrong one."""

import collections

import pytest

import lab_plan
from conftest import PATH_TARGETS, SMALL_TARGETS
from measure import INCOMPLETE, base, details

TRANSIENT = "ecn.connectivity.transient"


def of(run, box):
    found = [r for r in run.outcome.check().records if r["box"] == box]
    assert len(found) == 2 * PATH_TARGETS[box]
    return found


def split(run, box):
    """How many are as on a clean path, and those that are not."""
    right = lab_plan.expected(box).base
    found = of(run, box)
    other = [r for r in found if base(r) != right]
    return len(found) - len(other), other


def is_modest(record, box):
    """Says less than on a clean path, or "transient", and contradicts it nowhere."""
    right = lab_plan.expected(box).base
    if INCOMPLETE & set(record["conditions"]):
        return not base(record)
    said = base(record)
    return TRANSIENT in said and said - {TRANSIENT} <= right


def test_the_path_did_impair(path_run, note):
    path_run.outcome.check()
    for way, did in path_run.lab.path_report().items():
        share = {key: 100 * did[key] / did["in"] for key in ("lost", "duplicated", "reordered")}
        note(f"path {way}: {did['in']} packets, " + ", ".join(
            f"{key} {value:.1f} %" for key, value in share.items()))  # fmt: skip
        assert did["in"] > 3000 and did["unfinished"] == did["oversize"] == did["overflow"] == 0
        assert 1.3 < share["lost"] < 2.7  # 3 standard deviations and more
        assert 8 < share["reordered"] < 12
        assert 0.5 < share["duplicated"] < 1.5
        assert did["delay_us"]["min"] >= 50000


def test_connections_were_hurt(path_run):
    """Our side of it: retransmissions, of ours and of the servers, did happen."""
    counts = collections.Counter()
    for record in path_run.outcome.check().records:
        for flow in record["flow_results"]:
            counts["syn"] += flow["tcp_syn_count_fwd"] > 1
            counts["ours"] += flow["tcp_rtx_fwd"]
            counts["theirs"] += flow["tcp_rtx_rev"]
    assert all(counts[key] > 5 for key in ("syn", "ours", "theirs")), counts


def test_one_record_for_each_line(path_run):
    lines = [r["line"] for r in path_run.outcome.check().records]
    assert sorted(lines) == list(range(1, len(path_run.jobs) + 1))


@pytest.mark.parametrize(
    "box,share", [("none", 0.995), ("syn_drop", 0.99), ("silent", 0.99), ("reflected", 0.99)]
)
def test_box_behind_the_path(path_run, box, share, note):
    right, other = split(path_run, box)
    note(f"path, box {box}: {right} of {right + len(other)} as on a clean path")
    wrong = [r["conditions"] for r in other if not is_modest(r, box)]
    assert not wrong, f"{len(wrong)} wrong, for example {wrong[0]}"
    assert right >= share * (right + len(other)), [r["conditions"] for r in other]


def test_answers_of_one_segment(path_run, note):
    """One lost packet is all of the answer, and comes again Not-ECT: that is no server that does
    not mark; a FIN that overtakes it is no server without data."""
    right = lab_plan.expected("none").base
    found = [r for r in path_run.outcome.check().records if r["box"] == "small"]
    other = [r for r in found if base(r) != right]
    note(f"path, answers of one segment: {len(found) - len(other)} of {len(found)} as on a clean path")
    assert len(found) == 2 * SMALL_TARGETS
    assert not [r["conditions"] for r in other if not is_modest(r, "none")]
    assert len(other) <= 0.005 * len(found), [r["conditions"] for r in other]


def test_loss_is_no_black_hole(path_run):
    """Retransmissions after loss must not be read as ECT data that a box drops."""
    for record in of(path_run, "none"):
        assert not [d for d in details(record) if d.startswith("ecn.data.")], record["conditions"]
