# SPDX-License-Identifier: GPL-3.0-or-later
"""Fixtures of the end-to-end tests: one lab for all of them, and the runs that mostly wait
(every box, and impairing paths), which begin with the session so that the others fill the time.
"""

import os
import shutil
import tempfile

import pytest

import measure
from lab import VP4, VP6, Lab

TABLE_TARGETS = 25  # of each box in each family
PATH_SPEC = "loss=2,reorder=10,dup=1,delay=50"
PATH_TARGETS = {"none": 210, "syn_drop": 25, "silent": 25, "reflected": 25}  # in each family
LOSS_SPEC = "loss=4,reorder=10,dup=2,delay=20"
LOSS_TARGETS = 3  # of each box in each family
SMALL_TARGETS = 150  # in each family: the page of one segment, on port 8080
_notes = []


def pytest_collection_modifyitems(items):
    """Who needs a long run comes last: by then it is over."""
    slow = {"table_run", "path_run", "loss_run"}
    items.sort(key=lambda item: bool(slow & set(getattr(item, "fixturenames", ()))))


def pytest_terminal_summary(terminalreporter):
    for line in _notes:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def note():
    """Prints a line below the results: figures that are shown and not judged."""
    return _notes.append


@pytest.fixture(scope="session")
def program():
    if not os.access(measure.PROGRAM, os.X_OK):
        pytest.exit(f"{measure.PROGRAM} is missing: make SAN=1, or name one in RAWSPIDER", 1)
    return measure.PROGRAM


@pytest.fixture(scope="session")
def lab(program):
    with Lab() as it:
        yield it


@pytest.fixture
def folder():
    """A folder that other users can read, too; pytest's own is root's alone."""
    made = tempfile.mkdtemp(prefix="rawspider-test-")
    os.chmod(made, 0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="session")
def session_folder():
    made = tempfile.mkdtemp(prefix="rawspider-test-")
    yield made
    shutil.rmtree(made)


class LongRun:
    def __init__(self, lab, jobs, *options, capture_file=None, **kw):
        self.lab, self.jobs, self._outcome = lab, jobs, None
        mine = f"src host {VP4} or src host {VP6}"
        self._capture = lab.capture("rt", "rt0", capture_file, mine, immediate=False)
        self.capture_file = capture_file
        self._run = measure.start(lab, jobs, *options, **kw)

    @property
    def outcome(self):
        if self._outcome is None:
            self._outcome = self._run.finish()
            self.captured = self._capture.stop()
        return self._outcome


def _wanted(request, name):
    return any(name in getattr(item, "fixturenames", ()) for item in request.session.items)


@pytest.fixture(scope="session", autouse=True)
def _long_runs(request):
    """Begins the long runs that some collected test is going to ask for."""
    for name in ("table_run", "path_run", "loss_run"):
        if _wanted(request, name):
            request.getfixturevalue(name)


@pytest.fixture(scope="session")
def table_run(program, session_folder):
    """Every box at once, so that the confirmations, which take their time, overlap."""
    with Lab() as own:
        jobs = [job for box in own.boxes for job in own.targets(box, TABLE_TARGETS)]
        files = [os.path.join(session_folder, name) for name in ("table.pcap", "rt-table.pcap")]
        options = ["-r", "3000", "--output-flows", "--pcap-out", files[0], "--seed", "1"]
        run = LongRun(own, jobs, *options, capture_file=files[1])
        run.pcap_out = files[0]
        yield run
        run.outcome


@pytest.fixture(scope="session")
def path_run(program, session_folder):
    """The boxes of PATH_TARGETS through the impairing forwarder."""
    with Lab(path=PATH_SPEC, seed=4) as own:
        jobs = [job for box, n in PATH_TARGETS.items() for job in own.targets(box, n)]
        small = own.targets("none", SMALL_TARGETS)
        jobs += [dict(job, dp=8080, box="small") for job in small]
        files = [os.path.join(session_folder, name) for name in ("path.pcap", "rt-path.pcap")]
        options = ["-r", "1000", "--output-flows", "--pcap-out", files[0]]
        run = LongRun(own, jobs, *options, capture_file=files[1])
        run.pcap_out = files[0]
        yield run
        run.outcome


@pytest.fixture(scope="session")
def loss_run(program, session_folder):
    """Every box behind a forwarder that loses, reorders and duplicates; long answers and short."""
    with Lab(path=LOSS_SPEC, seed=9) as own:
        jobs = [job for box in own.boxes for job in own.targets(box, LOSS_TARGETS)]
        jobs = [dict(job, dp=8080) if i % 3 == 0 else job for i, job in enumerate(jobs)]
        files = [os.path.join(session_folder, name) for name in ("loss.pcap", "rt-loss.pcap")]
        options = ["-r", "1000", "--output-flows", "--vantage", "lab", "--pcap-out", files[0]]
        run = LongRun(own, jobs, *options, capture_file=files[1])
        run.pcap_out = files[0]
        yield run
        run.outcome
