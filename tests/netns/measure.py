# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs rawspider in a lab and reads what it says. The program is the sanitizer build, or what the
environment's RAWSPIDER names."""

import json
import os
import re
import signal
import subprocess
import threading

from lab import HERE

TOP = os.path.normpath(os.path.join(HERE, "..", ".."))
PROGRAM = os.environ.get("RAWSPIDER", os.path.join(TOP, "build-san", "rawspider"))
PATIENCE = 150  # seconds; only a hang takes so long
LOST = 4  # the exit codes that are not plain: records were lost, a limit stopped it
LIMIT = 3

BASE = {
    *(f"ecn.connectivity.{word}" for word in ("works", "broken", "offline", "transient")),
    *(f"ecn.negotiation.{word}" for word in ("succeeded", "reflected", "failed")),
    *(f"ecn.ipmark.{cp}.{s}" for cp in ("ect0", "ect1", "ce") for s in ("seen", "not_seen")),
}
NONE = {
    "ecn.connectivity.works",
    "ecn.negotiation.succeeded",
    "ecn.ipmark.ect0.seen",
    "ecn.ipmark.ect1.not_seen",
    "ecn.ipmark.ce.not_seen",
}
INCOMPLETE = {"measure.incomplete:plain", "measure.incomplete:ecn"}
_FAULTS = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|Assertion|core dumped")


def base(record):
    return {condition for condition in record["conditions"] if condition in BASE}


def details(record):
    return {condition for condition in record["conditions"] if condition not in BASE}


def as_input(jobs):
    """Bytes for standard input, of dictionaries, of lines or of what is bytes already."""
    if isinstance(jobs, bytes):
        return jobs
    lines = (job if isinstance(job, (str, bytes)) else json.dumps(job) for job in jobs)
    return b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)


class Outcome:
    """What a run left behind. lines: the records as bytes; records: parsed; err: text."""

    def __init__(self, code, out, err):
        self.code = code
        self.out = out
        self.err = err.decode("utf-8", "replace")
        assert not _FAULTS.search(self.err), self.err
        self.lines = out.splitlines()
        assert out == b"" or out.endswith(b"\n"), "a record was cut"

    @property
    def records(self):
        return [json.loads(line) for line in self.lines]

    @property
    def by_dip(self):
        return {record["dip"]: record for record in self.records}

    def check(self, code=0):
        assert self.code == code, (self.code, self.err)
        return self


class Run:
    """rawspider at work on a machine of the lab; finish() gives the Outcome."""

    def __init__(self, lab, argv, jobs, role="vp", before=(), env=None, **kw):
        environment = {**os.environ, **(env or {})}
        self.process = lab.popen(
            role,
            [*before, kw.pop("program", PROGRAM), *argv],
            stdin=subprocess.PIPE,
            stdout=kw.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            env=environment,
            **kw,
        )
        self._result = None
        self._thread = None
        if jobs is not None:
            self._feed(as_input(jobs))

    def _feed(self, data):
        """Pipes are served from now on, whether or not somebody waits already."""
        self._thread = threading.Thread(target=self._communicate, args=(data,))
        self._thread.start()

    def _communicate(self, data):
        try:
            self._result = self.process.communicate(data, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self._result = self.process.communicate()
            self._result = (b"", b"the test killed it: it hung. " + self._result[1])

    def signal(self, number=signal.SIGINT):
        self.process.send_signal(number)

    def finish(self):
        if self._thread is None:
            self._feed(b"")
        self._thread.join()
        return Outcome(self.process.returncode, self._result[0] or b"", self._result[1])


def start(lab, jobs, *options, plugin=("ecn",), interface="vp0", blocklist="none", **kw):
    """measure, with what every run in the lab needs; None leaves an option out."""
    argv = ["measure"]
    argv += ["-i", interface] if interface else []
    argv += ["-b", blocklist] if blocklist else []
    return Run(lab, [*argv, *map(str, options), *plugin], jobs, **kw)


def measure(lab, jobs, *options, **kw):
    return start(lab, jobs, *options, **kw).finish()


def command(lab, *argv, jobs=b"", **kw):
    """Any command line as it is."""
    return Run(lab, [str(word) for word in argv], jobs, **kw).finish()
