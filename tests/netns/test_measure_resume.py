# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing is lost: --resume after every kind of end, and what it refuses. The other half, faults
during a run, is test_measure_faults.py; cuts at every byte are in tests/unit/io/test_done.c."""

import json
import os
import random
import signal
import subprocess
import time

import pytest

from lab import VP4
from measure import LIMIT, NONE, Outcome, as_input, base, measure, start


def read(path):
    with open(path, "rb") as file:
        return file.read()


def records_of(path):
    """Parsed; every line must be whole and JSON."""
    return Outcome(0, read(path), b"").records


def lines_of(path):
    return sorted(record["line"] for record in records_of(path))


class Files:
    """A target list and the output of it, and runs from one to the other."""

    def __init__(self, lab, folder, jobs):
        self.lab, self.jobs = lab, jobs
        self.input, self.output = os.path.join(folder, "in"), os.path.join(folder, "out")
        with open(self.input, "wb") as file:
            file.write(as_input(jobs))

    def argv(self, *options):
        return ["--input", self.input, "--output", self.output, *options]

    def run(self, *options, **kw):
        return measure(self.lab, None, *self.argv(*options), **kw)

    def start(self, *options):
        return start(self.lab, None, *self.argv(*options))

    def write(self, data):
        with open(self.output, "wb") as file:
            file.write(data)


@pytest.fixture
def files(lab, folder):
    return Files(lab, folder, lab.targets("none", 4) + ["no target", {"dip": "x", "line": 7}])


def mixed(lab, n):
    """Targets whose verdicts are there soon, in no order of their kinds, blocked and invalid ones
    among them: several thousand."""
    jobs = lab.targets("none", n, 4)
    jobs += [dict(job, line=77, sip="x") for job in lab.targets("none", 300, 6)]
    for box in ("ecn_off", "rst_all", "reflected"):
        jobs += lab.targets(box, 100)
    jobs += [{"dip": f"10.9.9.{i}", "box": "blocked"} for i in range(1, 100)]
    jobs += [f"nonsense {i}" for i in range(100)]
    random.Random(5).shuffle(jobs)
    return jobs


def is_right(lab, record):
    if "in_raw" in record:
        return record["conditions"] == ["measure.invalid_input"]
    if record["box"] == "blocked":
        return record["conditions"] == ["measure.blocked"]
    expected, details = lab.expected(record["box"])
    return base(record) == expected and details <= set(record["conditions"])


def test_killed_twenty_times(lab, folder, note):
    """SIGKILL at random moments of one run. In the end: a record a line, and each is right."""
    files = Files(lab, folder, mixed(lab, 3000))
    block = os.path.join(folder, "block")
    with open(block, "w", encoding="ascii") as file:
        file.write("10.9.9.0/24\n")
    # Pacing has each kill meet the run in its midst: 20 of them within the time all would take.
    options = ["-r", "4000", "--confirm", "0", "-q", "-u", os.path.join(folder, "status")]
    jitter = random.Random()
    kills, grown, torn = 0, 0, 0
    while kills < 20:
        run = start(lab, None, *files.argv("--resume", *options), blocklist=block)
        before = os.path.getsize(files.output) if os.path.exists(files.output) else 0
        until = time.monotonic() + 60  # it must get somewhere between two kills
        while not os.path.exists(files.output) or os.path.getsize(files.output) <= before:
            assert run.process.poll() is None and time.monotonic() < until, run.finish().err
            time.sleep(0.01)
        time.sleep(jitter.uniform(0, 0.3))
        # The child of `ip netns exec` is the program itself (it execs).
        run.process.send_signal(signal.SIGKILL)
        assert run.finish().code == -signal.SIGKILL
        kills += 1
        data = read(files.output)
        grown += len(data) > before
        if jitter.random() < 0.5:  # what a kill can leave only by rare chance, the power can
            with open(files.output, "r+b") as file:
                file.truncate(max(len(data) - jitter.randrange(1, 400), 0))
            torn += 1
    assert grown == 20 and torn > 0
    last = len(records_of_whole(files.output))
    assert 0 < last < len(files.jobs), "nothing was left for the last run: make the list longer"
    started = time.monotonic()
    outcome = measure(lab, None, *files.argv("--resume", *options), blocklist=block)
    outcome.check()
    note(f"killed 20 times: {last} of {len(files.jobs)} records then, rest in "
         f"{time.monotonic() - started:.1f} s")
    records = records_of(files.output)
    assert sorted(r["line"] for r in records) == list(range(1, len(files.jobs) + 1))
    for record in records:
        job = files.jobs[record["line"] - 1]
        if isinstance(job, dict):
            assert record["dip"] == job["dip"] and record.get("in_line") == job.get("line")
        else:
            assert record["in_raw"] == job
    wrong = [record for record in records if not is_right(lab, record)]
    assert not wrong, wrong[:3]


def records_of_whole(path):
    return [json.loads(line) for line in read(path).split(b"\n")[:-1]]


def test_resume_of_what_is_finished(files):
    """Nothing is sent, nothing is written."""
    files.run().check()
    data = read(files.output)
    outcome = files.run("--resume", "-m", files.input + ".meta").check()
    assert read(files.output) == data and "10 records" in outcome.err
    with open(files.input + ".meta", encoding="utf-8") as file:
        meta = json.load(file)
    assert meta["resume"] is True and meta["packets_sent"] == 0
    assert (meta["lines"], meta["lines_resumed"], meta["records"]) == (10, 10, 0)


def test_resume_without_an_earlier_run(files):
    files.run("--resume").check()
    assert lines_of(files.output) == list(range(1, 11))


def test_without_resume_the_output_begins_anew(files):
    files.write(b"something\n")
    files.run().check()
    assert lines_of(files.output) == list(range(1, 11))


@pytest.mark.parametrize("options", [(), ("--output-flows", "--vantage", 'a "line":3, b')])
def test_any_records_may_be_missing(files, options):
    """Not the last ones only: they come as they are done."""
    files.run(*options).check()
    lines = read(files.output).splitlines(keepends=True)
    files.write(b"".join(lines[1::2]))
    outcome = files.run("--resume", *options).check()
    assert "resuming" in outcome.err and f"{len(lines) // 2} records" in outcome.err
    assert lines_of(files.output) == list(range(1, 11))
    assert read(files.output).startswith(b"".join(lines[1::2]))  # appended to, not rewritten
    assert all(base(r) == NONE for r in records_of(files.output) if "box" in r)


@pytest.mark.parametrize("tail", ["half", "newline", "zeros", "half and zeros"])
def test_a_torn_end_is_mended(files, tail):
    files.run().check()
    whole = read(files.output)
    last = whole.rindex(b"\n", 0, -1) + 1
    torn = {"half": whole[: last + 20], "newline": whole[:-1], "zeros": whole[:last] + bytes(5000),
            "half and zeros": whole[: last + 20] + bytes(5000)}[tail]  # fmt: skip
    files.write(torn)
    outcome = files.run("--resume").check()
    assert f"ended in a torn record: {len(torn) - last} bytes" in outcome.err
    assert "9 records" in outcome.err
    assert lines_of(files.output) == list(range(1, 11))
    assert read(files.output).startswith(whole[:last])


def test_csv_and_a_pipe(lab, folder):
    path = os.path.join(folder, "out")
    rows = [f"{job['dip']},80,{job['domain']},1" for job in lab.targets("none", 5, 4)]
    options = ["--csv-input", "--output", path]
    measure(lab, rows[:3], *options).check()
    measure(lab, rows, "--resume", *options).check()  # the list may have grown
    assert lines_of(path) == [1, 2, 3, 4, 5]


def test_limit_counts_what_is_done(files):
    files.run("-n", "3").check(LIMIT)
    files.run("-n", "5", "--resume").check(LIMIT)
    assert lines_of(files.output) == [1, 2, 3, 4, 5]
    files.run("--resume").check()
    assert lines_of(files.output) == list(range(1, 11))


def test_stopped_by_a_signal_then_resumed(lab, folder):
    """What was read has a record and is done; the rest is measured."""
    files = Files(lab, folder, lab.targets("none", 1500, 4))
    run = files.start("-r", "3000", "-w", "50", "--window", "50", "--timeout", "3")
    while not os.path.exists(files.output) or os.path.getsize(files.output) == 0:
        time.sleep(0.02)
    run.signal()
    run.finish().check(130)
    assert 0 < len(lines_of(files.output)) < 1500
    files.run("--resume", "-r", "0").check()
    assert lines_of(files.output) == list(range(1, 1501))


# -- refusals ----------------------------------------------------------------------------------------


REFUSALS = [
    (["--resume"], "name it with --output FILE"),
    (["--resume", "--output", "-"], "name it with --output FILE"),
    (["--resume", "--output", "/dev/null"], "not a plain file"),
    (["--resume", "--output", "OUT", "--pcap-out", "PCAP"], "--resume and --pcap-out"),
    (["--resume", "--output", "OUT", "-d"], "--resume and --dryrun"),
]


@pytest.mark.parametrize("options,say", REFUSALS, ids=[" ".join(words) for words, _ in REFUSALS])
def test_resume_needs_a_file(lab, folder, options, say):
    options = [os.path.join(folder, word) if word in ("OUT", "PCAP") else word for word in options]
    outcome = measure(lab, lab.targets("none", 1), *options).check(1)
    assert say in outcome.err and outcome.out == b"" and os.listdir(folder) == []


def refused(files, data, say):
    files.write(data)
    outcome = files.run("--resume").check(1)
    assert say in outcome.err, outcome.err
    assert read(files.output) == data


def test_files_that_cannot_be_resumed(files):
    files.run().check()
    whole = read(files.output)
    second = whole.index(b"\n") + 1
    refused(files, b"notes\n" + whole, "line 1: no record")
    refused(files, whole[:5] + b"\0" + whole[6:], "line 1: cannot be read")
    refused(files, whole + whole[:second], "a second record")
    refused(files, b"\x1f\x8b\x08" + whole, "gzip")


def test_another_input_is_refused(files, lab, folder):
    """Before anything of it is sent."""
    files.run("-n", "6").check(LIMIT)
    data = read(files.output)
    seen = os.path.join(folder, "rt.pcap")
    others = {
        "another list": lab.targets("ecn_off", 20),
        "one line more": [{"dip": "198.18.9.9"}, *files.jobs],
        "a blank line": ["", *files.jobs],
        "shorter": files.jobs[:3],
        "empty": [],
        "another member": [dict(files.jobs[0], rank=5), *files.jobs[1:]],
    }
    with lab.capture("rt", "rt0", seen, f"tcp and src host {VP4}") as capture:
        for name, jobs in others.items():
            with open(files.input, "wb") as file:
                file.write(as_input(jobs))
            outcome = files.run("--resume").check(1)
            assert "is not the output of this input" in outcome.err, name
            assert read(files.output) == data, name
    assert capture.stop()["captured"] == 0


def test_two_runs_on_one_output(files):
    """A second one is refused as long as the first lasts, also without --resume."""
    run = start(files.lab, None, "--output", files.output)  # waits for its input
    until = time.monotonic() + 30
    while not os.path.exists(files.output):
        assert time.monotonic() < until
        time.sleep(0.02)
    time.sleep(0.2)
    for options in ((), ("--resume",)):
        assert "another run is writing to" in files.run(*options).check(1).err
    run.process.send_signal(signal.SIGKILL)
    run.process.wait()
    files.run("--resume").check()
    assert lines_of(files.output) == list(range(1, 11))
    run.process.stdin.close()


# -- to the disk -------------------------------------------------------------------------------------


def test_output_reaches_the_disk_once_a_second(lab, folder):
    """Counted by strace, where it is: about one fdatasync a second, and one at the end."""
    if subprocess.run(["which", "strace"], capture_output=True, check=False).returncode:
        pytest.skip("no strace")
    files = Files(lab, folder, lab.targets("none", 400, 4))
    log = os.path.join(folder, "strace")
    before = ["strace", "-f", "-o", log, "-e", "trace=fdatasync,fsync"]
    env = {"ASAN_OPTIONS": "detect_leaks=0"}  # its leak check cannot work below strace
    files.run("-r", "1200", "-q", before=before, env=env).check()
    with open(log, encoding="utf-8") as file:
        calls = [line for line in file if "fdatasync(" in line]
    assert 2 <= len(calls) <= 12, calls
