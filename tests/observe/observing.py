# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs `rawspider observe` and reads what it says. The program is the sanitizer build, or what the
environment's RAWSPIDER names."""

import json
import os
import re
import signal
import subprocess

TOP = os.path.normpath(os.path.join(os.path.dirname(__file__), "..", ".."))
PROGRAM = os.environ.get("RAWSPIDER", os.path.join(TOP, "build-san", "rawspider"))
PATIENCE = 60  # seconds; only a hang takes so long
_FAULTS = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error:|Assertion|core dumped")


class Outcome:
    """What a run left behind. out: bytes; records: parsed; err: text."""

    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err.decode("utf-8", "replace")
        assert not _FAULTS.search(self.err), self.err
        assert out == b"" or out.endswith(b"\n"), "a record was cut"

    @property
    def records(self):
        return [json.loads(line) for line in self.out.splitlines()]

    def check(self, code=0):
        assert self.code == code, (self.code, self.err)
        return self


class Run:
    def __init__(self, *argv, before=(), **kw):
        kw.setdefault("stdin", subprocess.DEVNULL)
        kw.setdefault("stdout", subprocess.PIPE)
        argv = [*before, PROGRAM, "observe", *map(str, argv)]
        self.process = subprocess.Popen(argv, stderr=subprocess.PIPE, **kw)

    def stop(self, signo=signal.SIGINT):
        self.process.send_signal(signo)
        return self.finish()

    def finish(self, data=None):
        try:
            out, err = self.process.communicate(data, PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return Outcome(self.process.returncode, out or b"", err)


def observe(*argv, data=None, **kw):
    if data is not None:
        kw["stdin"] = subprocess.PIPE
    return Run(*argv, **kw).finish(data)
