# SPDX-License-Identifier: GPL-3.0-or-later
"""--threads: the same set of records whatever their number, on the wire, under the sanitizers and,
where it is built (make tsan), under the thread sanitizer."""

import json
import os
import signal
import time

import pytest

import lab_plan
from measure import TOP, as_input, measure, start

TSAN = os.path.join(TOP, "build-tsan", "rawspider")
EACH = 4  # targets of each box in each family


@pytest.fixture(scope="module")
def jobs(lab):
    return [job for box in lab_plan.BOXES for job in lab.targets(box.name, EACH)]


def what_is_said(outcome):
    """By line, all of a record but its times."""
    said = {}
    for record in outcome.records:
        del record["time"]
        assert record["line"] not in said, "two records of one line"
        said[record["line"]] = record
    return said


def meta(folder, name):
    with open(os.path.join(folder, name), encoding="utf-8") as file:
        return json.load(file)


@pytest.fixture(scope="module")
def runs(lab, jobs, tmp_path_factory):
    """The same jobs by one thread, by several, and under the thread sanitizer: at the same time,
    since most of it is waiting, each with ports of its own."""
    folder, begun = tmp_path_factory.mktemp("threads"), {}
    programs = {1: {}, 2: {}, 3: {}}
    if os.access(TSAN, os.X_OK):
        programs["tsan"] = {"program": TSAN}
    for number, (name, kw) in enumerate(programs.items()):
        threads = name if isinstance(name, int) else 2
        ports = f"{61000 + 1000 * number}-{61999 + 1000 * number}"
        options = ("--threads", threads, "-s", ports, "-r", 1500, "-m", folder / f"{name}.json")
        begun[name] = start(lab, jobs, *options, **kw)
    return folder, {name: run.finish() for name, run in begun.items()}


def test_the_same_records(lab, jobs, runs):
    folder, outcomes = runs
    found = {threads: what_is_said(outcomes[threads].check()) for threads in (1, 2, 3)}
    for threads, said in found.items():
        assert len(said) == len(jobs)
        assert meta(folder, f"{threads}.json")["threads"] == threads
        assert said == found[1]
    for record in found[2].values():
        expected = lab.expected(record["box"])
        assert expected.base <= set(record["conditions"]), record


def test_icmp_errors_reach_the_thread_that_they_are_for(lab, folder):
    """Each capture sees only errors that quote its own ports: none is unmatched."""
    jobs = lab.targets("icmp_all", 20)
    name = os.path.join(folder, "meta.json")
    outcome = measure(lab, jobs, "--threads", 2, "-m", name).check()
    for record in outcome.records:
        assert "ecn.connectivity.offline:icmp" in record["conditions"], record
    assert meta(folder, name)["unmatched"] == 0


def test_bad_lines_and_duplicates_of_an_address(lab):
    job = lab.targets("none", 1)[0]
    lines = [job, "no json", {"dip": "nonsense"}, job, job]
    records = {r["line"]: r for r in measure(lab, lines, "--threads", 2).check().records}
    assert sorted(records) == [1, 2, 3, 4, 5]
    assert records[2]["conditions"] == records[3]["conditions"] == ["measure.invalid_input"]
    for line in (1, 4, 5):
        assert "ecn.connectivity.works" in records[line]["conditions"]


def test_a_pipe_that_pauses(lab, folder):
    """Idle is not over."""
    jobs = lab.targets("none", 30)
    fifo = os.path.join(folder, "fifo")
    os.mkfifo(fifo)
    run = start(lab, b"", "--threads", 2, "--input", fifo)
    with open(fifo, "wb") as pipe:
        for part in (jobs[:20], jobs[20:40], jobs[40:]):
            pipe.write(as_input(part))
            pipe.flush()
            time.sleep(1)
    assert sorted(what_is_said(run.finish().check())) == list(range(1, 61))


@pytest.mark.parametrize("twice", [False, True])
def test_stopped(lab, twice):
    """A record for each line that was read, after one signal and after two."""
    jobs = lab.targets("silent", 200) + lab.targets("none", 100)
    run = start(lab, jobs, "--threads", 2, "-r", 200, "--window", 1, "--timeout", 2)
    time.sleep(1.5)
    run.signal(signal.SIGINT)
    if twice:
        time.sleep(0.3)
        run.signal(signal.SIGINT)
    outcome = run.finish()
    outcome.check(130)
    said = what_is_said(outcome)
    assert sorted(said) == list(range(1, len(jobs) + 1))
    assert any("the run was stopped" == r.get("problem") for r in said.values())


@pytest.mark.parametrize(
    "options, says",
    [
        (("--threads", 0), "threads"),
        (("--threads", 2, "-w", 1), "-w"),
        (("--threads", 2, "--pcap-out", "/tmp/x.pcap"), "--pcap-out"),
        (("--threads", 4, "-s", "61000-61006"), "too few for 4 threads"),
        (("--threads", 5, "-r", 3), "too few for 5 threads"),
    ],
)
def test_what_cannot_be(lab, options, says):
    outcome = measure(lab, [], *options)
    assert outcome.code in (1, 2) and says in outcome.err, outcome.err


def test_under_the_thread_sanitizer(jobs, runs):
    if "tsan" not in runs[1]:
        pytest.skip("make tsan builds it")
    outcome = runs[1]["tsan"]
    assert "ThreadSanitizer" not in outcome.err, outcome.err
    assert what_is_said(outcome.check()) == what_is_said(runs[1][1])
