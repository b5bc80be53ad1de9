# SPDX-License-Identifier: GPL-3.0-or-later
"""A vantage point before the virtual Internet: two network namespaces and a veth between them.

    vp (vp0) ---- net (n0)     vinternet on n0 answers for everything behind it
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.normpath(os.path.join(HERE, "..", ".."))
sys.path.insert(1, os.path.join(TOP, "tests", "netns"))

import lab_ns  # noqa: E402
from lab_ns import LabError  # noqa: E402

VINTERNET = os.environ.get(
    "VINTERNET", os.path.join(TOP, "build", "tests", "vinternet", "vinternet")
)
VP4, VP6 = "192.0.2.2", "2001:db8:1::2"
_GATE4, _GATE6 = "192.0.2.1", "2001:db8:1::1"
_QUIET = {
    "net/ipv6/conf/all/accept_ra": 0,
    "net/ipv6/conf/default/accept_ra": 0,
    "net/ipv6/conf/all/accept_dad": 0,
    "net/ipv6/conf/default/accept_dad": 0,
}


def classes():
    """{name: {"class", "number", "about", "base", "details"}}, as vinternet --list has it."""
    listing = subprocess.run([VINTERNET, "--list"], capture_output=True, text=True, check=True)
    return {line["class"]: line for line in map(json.loads, listing.stdout.splitlines())}


def targets(count, only=None, family="both", seed=1):
    """Job lines as bytes."""
    argv = [VINTERNET, "--targets", "--count", str(count), "--family", str(family)]
    argv += ["--seed", str(seed)] + (["--class", only] if only else [])
    return subprocess.run(argv, capture_output=True, check=True).stdout


class Veth:
    """The two namespaces. As a context manager it is up inside and gone after."""

    _serial = itertools.count()

    def __init__(self):
        self.name = f"rs-vi-{os.getpid()}-{next(Veth._serial)}"

    def netns(self, role):
        return f"{self.name}-{role}"

    def __enter__(self):
        if os.geteuid() != 0:
            raise LabError("needs root (it makes network namespaces)")
        try:
            self._up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *exc):
        self.down()

    def ip(self, role, *commands):
        for command in commands:
            lab_ns.run(["ip", "-n", self.netns(role), *command.split()])

    def _up(self):
        for role in ("vp", "net"):
            lab_ns.run(["ip", "netns", "add", self.netns(role)])
            lab_ns.sysctl(self.netns(role), _QUIET)
            self.ip(role, "link set lo up")
        # Nobody but the program speaks on the far side.
        lab_ns.sysctl(self.netns("net"), {"net/ipv6/conf/default/disable_ipv6": 1})
        self.ip("vp", f"link add vp0 type veth peer name n0 netns {self.netns('net')}")
        self.ip("vp", "link set vp0 up")
        self.ip("net", "link set n0 up")
        lab_ns.offloads_off(self.netns("vp"), "vp0")
        lab_ns.offloads_off(self.netns("net"), "n0")
        self.ip("vp", f"addr add {VP4}/24 dev vp0", f"addr add {VP6}/64 dev vp0 nodad")
        self.ip("vp", f"route add default via {_GATE4}", f"-6 route add default via {_GATE6}")

    def down(self):
        for role in ("vp", "net"):
            lab_ns.remove(self.netns(role))

    def argv(self, role, command):
        return ["ip", "netns", "exec", self.netns(role), *map(str, command)]

    def within(self, role, function, *args):
        return lab_ns.within(self.netns(role), function, *args)

    # As the lab's (tests/netns/lab.py), so that its helpers serve here, too.
    def popen(self, role, argv, **kw):
        return subprocess.Popen(self.argv(role, argv), **kw)

    def sysctl(self, role, settings):
        lab_ns.sysctl(self.netns(role), settings)


class Internet(Veth):
    """With vinternet running. options: its command line; cpu: where it is pinned."""

    def __init__(self, *options, cpu=None):
        super().__init__()
        self.options = [str(option) for option in options]
        self.cpu = cpu
        self.counters = None
        self._process = None

    def __enter__(self):
        super().__enter__()
        if not os.access(VINTERNET, os.X_OK):
            self.down()
            raise LabError(f"{VINTERNET} is missing: make vinternet")
        pin = ["taskset", "-c", str(self.cpu)] if self.cpu is not None else []
        self._err = tempfile.TemporaryFile("w+")
        argv = self.argv("net", [*pin, VINTERNET, "-i", "n0", *self.options])
        self._process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=self._err)
        try:
            while "answering" not in self._said():
                if self._process.poll() is not None:
                    raise LabError(self._said().strip())
                time.sleep(0.01)
        except BaseException:
            self.down()
            raise
        return self

    def _said(self):
        self._err.seek(0)
        return self._err.read()

    def stop(self):
        """Ends it; returns its counters."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait()
        if self._process and self.counters is None:
            lines = [line for line in self._said().splitlines() if line.startswith("{")]
            self.counters = json.loads(lines[-1]) if lines else {}
        return self.counters

    def down(self):
        self.stop()
        super().down()
