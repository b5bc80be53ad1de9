# SPDX-License-Identifier: GPL-3.0-or-later
"""truth.py itself: a small run of it must be good, and what it is there to find must be found."""

import json
import os
import subprocess
import sys

import pytest

import net
import truth

WORKS = "ecn.connectivity.works"
SUCCEEDED = "ecn.negotiation.succeeded"
FAILED = "ecn.negotiation.failed"
CLASSES = {
    "good": {"base": {WORKS, SUCCEEDED}, "details": {"ecn.data.none"}},
    "off": {"base": {"ecn.connectivity.offline"}, "details": set()},
}


def test_two_thousand_targets(programs, tmp_path):
    argv = [os.path.join(net.HERE, "truth.py"), "--program", programs, "--count", "2000"]
    argv += ["--timeout", "7", "--confirm", "1", "--confirm-delay", "0.1", "--rate", "20000"]
    argv += ["--wrong", tmp_path / "wrong.ndjson", "--keep", tmp_path]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    counters = json.loads(done.stdout.split("vinternet: ")[1].splitlines()[0])
    assert counters["lost_in"] > 50 and counters["lost_out"] > 50, "loss was asked for"
    with open(tmp_path / "records.ndjson", encoding="utf-8") as file:
        assert {json.loads(line)["class"] for line in file} == set(net.classes())


@pytest.fixture
def judged(tmp_path):
    """Judges records of three targets, and returns the report."""

    def judge(*records, losses=""):
        (tmp_path / "records").write_text("".join(r + "\n" for r in records), "utf-8")
        (tmp_path / "losses").write_text(losses, "ascii")
        targets = [("10.0.0.1", "good"), ("10.0.0.2", "good"), ("10.9.0.1", "off")]
        report = truth.Report(targets, CLASSES)
        report.read(tmp_path / "records")
        report.excuse(tmp_path / "losses")
        report.show(sys.stderr)
        return report

    return judge


def record(line, dip, *conditions):
    return json.dumps({"dip": dip, "line": line, "conditions": conditions})


GOOD = [
    record(1, "10.0.0.1", WORKS, SUCCEEDED, "ecn.data.none"),
    record(2, "10.0.0.2", WORKS, SUCCEEDED, "ecn.data.none"),
    record(3, "10.9.0.1", "ecn.connectivity.offline", "ecn.connectivity.offline:timeout"),
]


def test_all_good(judged):
    report = judged(*GOOD)
    assert report.failures(0, True) == [] and report.total("right") == 3


@pytest.mark.parametrize(
    "line, said",
    [
        (record(1, "10.0.0.1", WORKS, FAILED, "ecn.data.none"), "1 wrong"),
        (record(1, "10.0.0.1", WORKS, SUCCEEDED, FAILED), "1 wrong"),
        (record(1, "10.0.0.1", WORKS, SUCCEEDED, "ecn.ipmark.ce.seen"), "1 wrong"),
        (record(1, "10.0.0.2", WORKS, SUCCEEDED), "1 wrong"),
        (record(1, "10.0.0.1", "measure.blocked"), "1 wrong"),
        (record(1, "10.0.0.1", "measure.incomplete:ecn", WORKS), "1 wrong"),
        (record(1, "10.0.0.1", "measure.incomplete:ecn"), "1 incomplete or not said"),
        (record(1, "10.0.0.1", SUCCEEDED, "ecn.data.none"), "1 incomplete or not said"),
        (record(1, "10.0.0.1", WORKS, SUCCEEDED), "1 right, but a detail is missing"),
        ('{"dip":"10.0.0.1"', "1 lines of output that are no record"),
        (GOOD[1], "1 with more than one record"),
        (record(9, "10.0.0.1", WORKS), "1 records of lines that are not in the input"),
    ],
)
def test_what_is_not_good_is_found(judged, line, said):
    reasons = judged(line, *GOOD[1:]).failures(0, True)
    assert any(reason.startswith(said) for reason in reasons), reasons


def test_a_line_without_a_record_is_found(judged):
    assert judged(*GOOD[1:]).failures(1, False) == ["1 without a record"]


SYN, SYNACK, DATA = "002 7 0 0", "012 99 8 0", "018 8 100 300"
OTHER_SYN = "002 70 0 0"  # of a later connection from the same port


@pytest.mark.parametrize(
    "losses, wrong, excused",
    [
        ([f"in {SYN}", f"in {SYN}", f"out {SYNACK}"], "ecn.connectivity.transient", True),
        ([f"in {SYN}", f"in {SYN}"], "ecn.connectivity.transient", False),
        ([f"in {SYN}", f"in {OTHER_SYN}", f"out {SYNACK}"], "ecn.connectivity.transient", False),
        ([f"in {DATA}"] * 3, "ecn.connectivity.transient", True),
        ([f"out {DATA}"] * 3, "ecn.connectivity.transient", False),
        ([f"out {DATA}"] * 3, "ecn.ipmark.ce.seen", True),
        ([f"out {DATA}"] * 2, "ecn.ipmark.ce.seen", False),
    ],
)
def test_only_lost_tries_excuse(judged, losses, wrong, excused):
    log = "".join(f"10.0.0.1 80 61000 {line}\n" for line in losses)
    log += f"10.0.0.2 80 61000 in {SYN}\n" * 5  # of somebody else
    bad = record(1, "10.0.0.1", SUCCEEDED, wrong)
    report = judged(bad, *GOOD[1:], losses=log)
    assert (report.total("excused"), report.total("wrong")) == ((1, 0) if excused else (0, 1))
    # Two are few enough where there is loss; without, there is no excuse.
    assert report.failures(1, False) == ([] if excused else ["1 wrong"])
    assert report.failures(0, False)
