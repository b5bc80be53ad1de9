#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""make bench: the figures that rawspider has to reach, each with its peer in the same run.

Prints how it measured and a table; writes a JSON line a figure to build/bench.json. Ends with 1 if
something could not be measured or a result was wrong, never because something was slow: a figure
that is missed says MISSED. For a machine on which nothing else runs; takes about twenty minutes, of
which the observer's figures (--only observe) take one; they need 4 GB of disk and memory. Where
each microsecond goes: --only profile.

BENCH_SCALE=small    a quick look that everything works; its figures mean nothing
BENCH_LINES=N        lines of the long input instead of 1,000,000
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from typing import NamedTuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "netns"))

import direct
import distance
import lab
import lab_ns
import lab_plan
import large
import machine
import memory
import observe
import pathspider
import profile_parts
import report
import scale
import speed
from proc import Unmeasured

_FIGURES = {
    "cost": large.cost,
    "targets": large.rate,
    "mass": scale.in_flight,
    "flat": scale.flat,
    "apart": distance.at_responder,
    "engine": large.engine,
    "profile": profile_parts.profile,
    "pathspider": pathspider.pathspider,
    "cpu": speed.cpu,
    "rate": speed.rate,
    "memory": memory.in_flight,
    "distance": distance.distance,
    "observe": observe.observe,
}
_DIRECT = {"cost", "targets", "mass", "flat", "apart", "profile", "pathspider"}
_WITHOUT_LAB = _DIRECT | {"observe", "engine"}
_RESULTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "RESULTS.md")


class Sizes(NamedTuple):
    told: str
    targets: int  # addresses, a power of two
    few_targets: int  # where all would take too long, a power of two
    requests: int  # of ab
    rounds: int  # of rawspider and ab in turns; the median counts
    many: int  # targets in flight at once
    few: int
    direct_targets: int  # over the direct veth, where exchanges are counted
    fast_targets: int  # where seconds are
    scan_prefix: int  # of the network for masscan there
    mass: int  # targets in flight at once there
    mass_few: int
    mass_timeout: int  # seconds, in which all can be started
    short_lines: int
    long_lines: int
    slow_targets: int  # at the default rate
    packets: int  # of the capture to observe
    flows: int  # in it


_SIZES = {
    "full": Sizes(
        told="full size",
        targets=65536,
        few_targets=16384,
        requests=131072,
        rounds=3,
        many=20000,
        few=2000,
        direct_targets=150000,
        fast_targets=400000,
        scan_prefix=16,
        mass=500000,
        mass_few=50000,
        mass_timeout=100,
        short_lines=100000,
        long_lines=1000000,
        slow_targets=2000,
        packets=2000000,
        flows=100000,
    ),
    "small": Sizes(
        told="SMALL SIZE: these figures mean nothing",
        targets=2048,
        few_targets=512,
        requests=4096,
        rounds=1,
        many=2000,
        few=200,
        direct_targets=5000,
        fast_targets=10000,
        scan_prefix=22,
        mass=4000,
        mass_few=400,
        mass_timeout=8,
        short_lines=5000,
        long_lines=20000,
        slow_targets=200,
        packets=200000,
        flows=10000,
    ),
}


class Bench:
    """What the figures share: the lab, a folder for files, the targets, the speed runs."""

    def __init__(self, folder, sizes):
        self.folder, self.sizes = folder, sizes
        self.base = lab_plan.expected("none").base
        self.lab = None
        self.remarks = []
        self._speed = None

    def renew(self, page=None):
        """A new lab in place of the one before, whose server may still be busy with connections
        that a prober left behind. page: what the server has to say, instead of the lab's 8 KiB."""
        self.close()
        self.lab = lab.Lab(server_cpu=machine.SERVER_CORE)
        self.lab.up()
        if page is not None:
            index = os.path.join(self.lab.state, "srv", "www", "index.html")
            with open(index, "w", encoding="ascii") as file:
                file.write(page)

    def close(self):
        if self.lab is not None:
            self.lab.down()
        self.lab = None

    def addresses(self):
        return lab_plan.targets("none", self.sizes.targets, 4)

    def lines(self, targets):
        """The targets as a file of job lines."""
        path = self.path("lines.ndjson")
        with open(path, "w", encoding="utf-8") as file:
            for target in targets:
                file.write(json.dumps(target, separators=(",", ":")) + "\n")
        return path

    def path(self, name):
        return os.path.join(self.folder, name)

    def say(self, text):
        print(f"  {text}", file=sys.stderr, flush=True)

    def remark(self, text):
        """For the report: why a figure is not there that need not be."""
        self.remarks.append(text)
        self.say(text)

    def speed(self):
        if self._speed is None:
            self._speed = speed.Speed(self)
        return self._speed


def _sizes():
    name = os.environ.get("BENCH_SCALE", "full")
    if name not in _SIZES:
        raise Unmeasured(f"BENCH_SCALE={name}: it is one of {', '.join(_SIZES)}")
    lines = os.environ.get("BENCH_LINES", str(_SIZES[name].long_lines))
    if not lines.isdecimal() or int(lines) <= _SIZES[name].short_lines:
        raise Unmeasured(f"BENCH_LINES={lines}: a number over {_SIZES[name].short_lines}")
    return _SIZES[name]._replace(long_lines=int(lines))


def _pin():
    """This script, and so nginx and tcpdump, leave the prober's core alone."""
    if not {machine.PROBER_CORE, machine.SERVER_CORE} <= os.sched_getaffinity(0):
        raise Unmeasured(f"needs the cores {machine.PROBER_CORE} and {machine.SERVER_CORE}")
    os.sched_setaffinity(0, {machine.SERVER_CORE})


def _measure(wanted, sizes, folder):
    """(about, figures, failures, remarks). A figure that fails does not keep the others back."""
    figures, failures = [], []
    bench = Bench(folder, sizes)
    try:
        about = machine.describe()
        about["has_lab"] = not set(wanted) <= _WITHOUT_LAB
        about["has_direct"] = not _DIRECT.isdisjoint(wanted)
        about["steering"] = []
        if about["has_lab"]:
            bench.renew()
            about["steering"] += machine.steering(bench.lab, ("vp", "rt", "srv"))
            bench.close()
        if about["has_direct"]:
            with direct.Direct() as rig:
                about["steering"] += machine.steering(rig, ("vp", "net"))
        about["busy_before"] = machine.idle_check()
        for name in wanted:
            try:
                figures += _FIGURES[name](bench)
            except (Unmeasured, lab_ns.LabError, subprocess.SubprocessError, OSError) as error:
                failures.append(f"{name}: {error}")
                bench.say(f"NOT MEASURED: {failures[-1]}")
            bench.close()
    finally:
        bench.close()
    return about, figures, failures, bench.remarks


def _text(about, sizes, figures, failures, remarks):
    parts = [report.method(about, sizes), report.table(figures), report.notes(figures)]
    parts += remarks
    parts += [f"NOT MEASURED: {failure}" for failure in failures]
    missed = sum(figure.met is False for figure in figures)
    parts.append(f"{missed} figures missed, {len(failures)} not measured")
    return "\n\n".join(part for part in parts if part)


def _parser():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=_FIGURES, action="append", help="this figure (all)")
    parser.add_argument("--save", action="store_true", help="also write tests/bench/RESULTS.md")
    return parser


def main():
    args = _parser().parse_args()
    os.makedirs("build", exist_ok=True)
    try:
        sizes = _sizes()
        _pin()
        with tempfile.TemporaryDirectory(prefix="bench-", dir="build") as folder:
            wanted = args.only or list(_FIGURES)
            about, figures, failures, remarks = _measure(wanted, sizes, os.path.abspath(folder))
    except (Unmeasured, lab_ns.LabError, OSError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    text = _text(about, sizes, figures, failures, remarks)
    print(text)
    report.write_json(os.path.join("build", "bench.json"), figures, about)
    if args.save:
        report.write_results(_RESULTS, text)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
