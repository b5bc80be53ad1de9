# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one program on the prober's core, and says what it cost."""

import os
import subprocess
import threading
import time
from typing import NamedTuple

import machine


class Unmeasured(RuntimeError):
    """A figure could not be had, or a result was wrong; the text says why."""


class Cost(NamedTuple):
    status: int  # exit status, negative for a signal
    wall: float  # from starting the program to its end, its start-up included
    cpu: float  # user + system of the process, from wait4
    user: float
    busy: machine.Cores  # of both cores meanwhile
    peak_bytes: int  # VmHWM, 0 unless asked for
    stdout: str
    stderr: str

    def said(self):
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return f"exit status {self.status}" + (f": {lines[-1][-300:]}" if lines else "")


class _Peak(threading.Thread):
    """Follows VmHWM of a process. Not ru_maxrss: that starts at the size of whoever forked. The
    kernel keeps the maximum, so only growth in the last 10 ms before the end can be missed."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.path = f"/proc/{pid}/status"
        self.bytes = 0
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(0.01):
            self.read()

    def read(self):
        try:
            with open(self.path, encoding="utf-8") as file:
                text = file.read()
        except OSError:
            return
        at = text.find("VmHWM:")
        if at >= 0:  # later readings are of the same program, or of the one it became by exec
            self.bytes = int(text[at + 6 :].split(maxsplit=1)[0]) * 1024


def run(lab, argv, out, limit=600.0, peak=False, stdin=subprocess.DEVNULL):
    """argv on the prober's core, in the vantage point's namespace unless lab is None; out: a folder
    for what it prints. A run longer than `limit` seconds is ended and raises. Enters the namespace
    by exec, so the process measured is the program."""
    names = [os.path.join(out, name) for name in ("run.stdout", "run.stderr")]
    command = ["taskset", "-c", str(machine.PROBER_CORE)]
    if lab is not None:
        command += ["ip", "netns", "exec", lab.netns("vp")]
    with open(names[0], "wb") as stdout, open(names[1], "wb") as stderr:
        before, start = machine.cores(), time.monotonic()
        child = subprocess.Popen(
            [*command, *map(str, argv)], stdin=stdin, stdout=stdout, stderr=stderr
        )
        end, status, usage, peak_bytes, expired = _attend(child, limit, peak)
        busy = machine.cores().since(before)
    texts = []
    for name in names:
        with open(name, encoding="utf-8", errors="replace") as file:
            texts.append(file.read())
    cpu = usage.ru_utime + usage.ru_stime
    cost = Cost(status, end - start, cpu, usage.ru_utime, busy, peak_bytes, *texts)
    if expired:
        raise Unmeasured(f"{argv[0]} was ended after {limit:.0f} s: {cost.said()}")
    return cost


def _attend(child, limit, peak):
    expired = threading.Event()

    def kill():
        expired.set()
        child.kill()

    timer = threading.Timer(limit, kill)
    follower = _Peak(child.pid)
    timer.start()
    if peak:
        follower.start()
    try:
        _, raw, usage = os.wait4(child.pid, 0)
    except BaseException:
        child.kill()
        raise
    finally:
        end = time.monotonic()
        timer.cancel()
        follower.over.set()
    child.returncode = os.waitstatus_to_exitcode(raw)
    return end, child.returncode, usage, follower.bytes, expired.is_set()
